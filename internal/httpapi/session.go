package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/webauth"
)

// resolveSession finds out who is asking. A bearer token that is not good is an error, since its sender can do something
// about it; a cookie that is not good is cleared and the request goes on as nobody's, since a browser sends it unasked.
// It also gives sign-in and sign-out the way to set the cookie.
func (s *Server) resolveSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		ctx := r.Context()
		if r.Header.Get("Upgrade") == "" { // a socket has no headers to set any more
			ctx = webauth.WithTokenSink(ctx, func(token string) { s.sink(w, token) })
		}
		token, fromCookie := s.token(r)
		if token != "" {
			a, err := s.authenticate(ctx, token)
			switch {
			case err == nil:
				ctx = actor.With(ctx, a)
				noteActor(r, a)
			case errors.Is(err, session.ErrEnded) && fromCookie:
				s.cookies.set(w, "")
			default:
				writeError(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// sink sets the cookie of a new session; with no token it clears it, and what the pages have stored along with it.
func (s *Server) sink(w http.ResponseWriter, token string) {
	s.cookies.set(w, token)
	if token == "" {
		w.Header().Set("Clear-Site-Data", `"storage"`)
	}
}

func (s *Server) authenticate(ctx context.Context, token string) (actor.Actor, error) {
	found, err := s.deps.Sessions.Resolve(ctx, token)
	if err != nil {
		return actor.Actor{}, err
	}
	return actor.Actor{User: found.User, Session: found.ID}, nil
}

// token is the secret the request carries. A bearer token is sent on purpose, so it goes before the cookie.
func (s *Server) token(r *http.Request) (token string, fromCookie bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") && token != "" {
		return strings.TrimSpace(token), false
	}
	return s.cookies.get(r), true
}
