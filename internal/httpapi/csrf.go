package httpapi

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

// csrf decides which pages may make a browser send what.
type csrf struct {
	protection *http.CrossOriginProtection
	origins    []string // that may read answers with the cookie; the server's own is not among them, it needs no leave
}

func newCSRF(cfg Config) *csrf {
	c := &csrf{protection: http.NewCrossOriginProtection(), origins: cfg.AllowedOrigins}
	trusted := cfg.AllowedOrigins
	if cfg.PublicURL != "" { // the Host a proxy passes on may be another one
		trusted = append(slices.Clone(trusted), cfg.PublicURL)
	}
	for _, o := range trusted {
		if err := c.protection.AddTrustedOrigin(o); err != nil {
			panic("httpapi: " + err.Error())
		}
	}
	return c
}

// The headers a page may send and read across origins.
const (
	corsRequestHeaders = "authorization, content-type, graphql-require-preflight, idempotency-key, x-request-id, x-request-timeout"
	corsAnswerHeaders  = "x-request-id, retry-after"
	corsMaxAge         = "600"
)

// crossOrigin answers CORS for the allowed origins alone, and refuses the unsafe requests that a page of any other origin
// made the browser send, sign-in among them: whoever signs a victim in as somebody else reads what the victim enters.
func (s *Server) crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ingestKey(r) != "" { // it says itself which pages may send it, and no cookie counts beside it
			next.ServeHTTP(w, r)
			return
		}
		if s.csrf.answerCORS(w, r) {
			return
		}
		if err := s.csrf.protection.Check(r); err != nil {
			writeError(w, r, ErrCrossOrigin.Because(err))
			return
		}
		if s.cookies.present(r) && isForm(r) {
			writeError(w, r, ErrCrossOrigin.Saying("a request with a cookie must have the content type application/json"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answerCORS sets the headers for an allowed origin, and reports whether the request was a preflight, which is then
// answered. Any other origin gets no header: the browser keeps the answer from it.
func (c *csrf) answerCORS(w http.ResponseWriter, r *http.Request) bool {
	if len(c.origins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(c.origins, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", corsAnswerHeaders)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", corsRequestHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// isForm reports whether the request is one that a page of any origin can send without asking first: unsafe, and with
// the content type of a form or none. Old browsers send neither Origin nor Sec-Fetch-Site with it.
func isForm(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	if r.Header.Get("Graphql-Require-Preflight") != "" {
		return false
	}
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err != nil || typ == "text/plain" || typ == "application/x-www-form-urlencoded" || strings.HasPrefix(typ, "multipart/")
}
