package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Providers finishes sign-ins at other providers.
type Providers interface {
	FinishProvider(ctx context.Context, c social.FinishCmd) (webauth.Returned, error)
}

// finishTimeout bounds the whole: two requests to the provider and a transaction.
const finishTimeout = 20 * time.Second

// serveProvider is where providers send browsers back to. It is the one GET of this server that changes something, as
// OAuth has it; what protects it is the state, which is good once and only together with a cookie of this browser. What
// comes of it the page is told in the fragment, which no server or log ever sees.
func (s *Server) serveProvider(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // a HEAD, which is to change nothing
		notFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), finishTimeout)
	defer cancel()
	q := r.URL.Query()
	back, err := s.deps.Providers.FinishProvider(ctx, social.FinishCmd{
		Provider: r.PathValue("provider"), State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error"),
	})
	to := "/sign-in"
	fragment := url.Values{}
	switch out := back.Outcome.(type) {
	case webauth.SignedIn:
		to = back.ReturnTo
	case webauth.FactorRequired:
		var kinds []string
		for _, k := range out.Factors {
			kinds = append(kinds, string(k))
		}
		fragment.Set("flow", out.Flow)
		fragment.Set("factors", strings.Join(kinds, ","))
		fragment.Set("expires", out.ExpiresAt.UTC().Format(time.RFC3339))
	}
	if back.Linked != "" {
		to = "/security"
		fragment.Set("linked", back.Linked)
	}
	if err != nil {
		f := fault.From(err)
		noteError(r, f)
		fragment = url.Values{"error": {f.Code}}
	}
	if len(fragment) > 0 {
		to += "#" + fragment.Encode()
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
