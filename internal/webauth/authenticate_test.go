package webauth

import (
	"testing"

	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/token"
)

// TestDeadCookieIsNoAttempt: a cookie comes unasked, so one that is dead is charged to nobody; the same secret sent on
// purpose is.
func TestDeadCookieIsNoAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerNetwork: 3}})
	dead, _ := token.New("bbs_")
	b := newJar()
	b.Set(SessionCookie, dead)
	for range 5 {
		_, _, err := w.Authenticate(WithBrowser(w.ctx(), b), dead)
		w.is("Authenticate of a dead cookie", err, session.ErrEnded)
	}
	for range 3 {
		_, _, err := w.Authenticate(w.ctx(), dead)
		w.is("Authenticate of a dead bearer token", err, session.ErrEnded)
	}
	_, _, err := w.Authenticate(w.ctx(), dead)
	w.is("the fourth", err, throttle.ErrLimited)
	_, _, err = w.Authenticate(WithBrowser(w.ctx(), b), dead)
	w.is("a cookie all the same", err, session.ErrEnded)
}
