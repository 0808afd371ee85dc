package httpapi

import (
	"net/http"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
)

const (
	headerRequestID = "X-Request-Id"
	maxRequestID    = 64
)

// requestID names the request, with the sender's own name for it if that is sane, and puts what is known of the request
// into its context. The answer carries the name back. Whoever the server's own context belongs to, nobody is behind a
// request until its session says so, and it comes from nowhere until [Server.trustedProxy] says from where.
func (s *Server) requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(headerRequestID)
		if !isSaneID(id) {
			id = ref.NewID()
		}
		w.Header().Set(headerRequestID, id)
		ctx := actor.WithRequest(actor.With(r.Context(), actor.Actor{}), actor.Request{ID: id, Operation: operation(r)})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// operation is what the request is for, in words of ours: a path may hold the secret of a mailed link. GraphQL puts the
// name of its operation there.
func operation(r *http.Request) string {
	switch p := r.URL.Path; p {
	case graphPath, "/healthz", "/readyz":
		return p
	default:
		return "/"
	}
}

// isSaneID allows what cannot break out of a log line, a header or a query: letters, digits, dash, underscore, dot.
func isSaneID(id string) bool {
	if len(id) < 8 || len(id) > maxRequestID {
		return false
	}
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// cut shortens a text to n bytes, at a character's border.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xC0 == 0x80 {
		n--
	}
	return text[:n]
}
