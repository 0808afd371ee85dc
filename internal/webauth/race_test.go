package webauth

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
)

// Requirements 13 and 28: a password that is no more lets nobody in, however close the two were.
func TestReq28APasswordOfBeforeLetsNobodyIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.made(ada)
	var between atomic.Pointer[func()] // runs after the password was compared, before anybody is let in
	w.Accounts = account.New(w.db, w.Events, func() time.Time {
		if f := between.Swap(nil); f != nil {
			(*f)()
		}
		return w.clock.Now()
	}, w.roles, account.Config{Cost: account.Cost{MemoryKiB: 64, Passes: 1, Threads: 1}, HashWait: time.Minute})
	_, l := w.asksReset(ada)
	reset := func() {
		_, err := w.node(Config{}).ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
		w.must(err)
	}
	between.Store(&reset)
	o, err := w.SignIn(w.ctx(), w.password(ada, goodPassword))
	w.nobody("the password of before", o, err, account.ErrCredentials)
	if done, ok := o.(SignedIn); ok && w.live(done.Token) {
		t.Error("a session begun with it outlives the reset")
	}
	w.in(w.SignIn(w.ctx(), w.password(ada, newPassword)))
}
