package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/token"
	"github.com/backendbook/backendbook/internal/webauth"
)

// ErrTokenInURL refuses a secret where logs, histories and referrers would keep it.
var ErrTokenInURL = fault.Define(fault.Invalid, "TOKEN_IN_URL", "a token does not belong into an address: send it in the header Authorization")

// resolveSession finds out who is asking. A bearer token that is not good is an error, since its sender can do something
// about it; with a cookie that is not good the request goes on as nobody's, since a browser sends it unasked. Such a cookie
// is left alone: a browser sends several requests at once, and the answer to one that left before the session got a new
// secret would take that away again. It also gives the flows the way to the browser's cookies.
func (s *Server) resolveSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if hasToken(r.URL) {
			writeError(w, r, ErrTokenInURL)
			return
		}
		ctx := r.Context()
		if r.Header.Get("Upgrade") == "" { // a socket has no headers to set any more
			ctx = webauth.WithBrowser(ctx, browser{s.cookies, w, r})
		}
		token, fromCookie := s.token(r)
		if token != "" {
			a, err := s.authenticate(ctx, r, token)
			if err == nil && fromCookie && a.Key != "" {
				err = session.ErrEnded // a key is for programs: a browser would send it along with whatever a page asks for
			}
			switch {
			case err == nil:
				ctx = actor.With(ctx, a)
				noteActor(r, a)
			case !fromCookie || !errors.Is(err, session.ErrEnded):
				writeError(w, r, err)
				return
			}
		}
		if actor.From(ctx).IsAnonymous() {
			ctx = actor.With(ctx, actor.Actor{Visitor: webauth.Visitor(s.cookies.get(r, webauth.VisitorCookie))})
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// authTime bounds the search for who is asking: the deadlines of operations begin after it.
const authTime = 5 * time.Second

// authenticate finds out who is asking, in that time or in the time that the client has.
func (s *Server) authenticate(ctx context.Context, r *http.Request, token string) (actor.Actor, error) {
	if s.deps.Down != nil {
		if err := s.deps.Down(); err != nil {
			return actor.Actor{}, err
		}
	}
	most := authTime
	if wait, ok := clock.ParseWait(r.Header.Get("X-Request-Timeout")); ok {
		most = min(most, wait)
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	a, _, err := s.deps.Authenticate(ctx, token)
	return a, err
}

// secretPrefixes begin the secrets that let somebody in by themselves.
var secretPrefixes = []string{"bbs_", "bbr_", "bbk_"}

// hasToken reports whether an address carries a secret as RFC 6750 would have it, or one of ours. Ours are whole words: the
// codes of other providers are long enough to have the same letters somewhere inside.
func hasToken(u *url.URL) bool {
	q, err := url.QueryUnescape(u.RawQuery)
	if err != nil {
		q = u.RawQuery
	}
	words := strings.FieldsFunc(q, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
	})
	return strings.Contains(q, "access_token=") || slices.ContainsFunc(words, func(w string) bool {
		return slices.ContainsFunc(secretPrefixes, func(prefix string) bool { return strings.HasPrefix(w, prefix) })
	})
}

// token is the secret the request carries. A bearer token is sent on purpose, so it goes before the cookie.
func (s *Server) token(r *http.Request) (secret string, fromCookie bool) {
	if secret, ok := token.Bearer(r.Header.Get("Authorization")); ok {
		return secret, false
	}
	return s.cookies.get(r, webauth.SessionCookie), true
}
