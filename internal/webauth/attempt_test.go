package webauth

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

// wrong tries a wrong password of somebody n times from an address and counts those that were looked at.
func (w *world) wrong(s *Service, n int, ip, identifier string) (looked int) {
	w.t.Helper()
	for range n {
		o, err := s.SignIn(from(w.t.Context(), ip), w.password(identifier, newPassword))
		switch {
		case o != nil:
			w.t.Fatal("a wrong password let somebody in")
		case errors.Is(err, account.ErrCredentials):
			looked++
		case !errors.Is(err, throttle.ErrLimited):
			w.t.Fatalf("SignIn() = %v", err)
		}
	}
	return looked
}

// Requirement 16: a hundred fields of one document are a hundred attempts, for the account by all its names, and for the
// network.
func TestReq16AttemptsAreCountedOneByOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	_, err := w.Create(w.sys(), account.CreateCmd{Email: ada, Name: "Ada", Password: goodPassword, Username: "ada"})
	w.must(err)
	var looked atomic.Int32
	w.race(100, func(i int) error { // per account, whoever asks
		c := w.password([]string{ada, "ada", "ADA@Example.org", "Ada"}[i%4], newPassword)
		_, err := w.SignIn(from(w.t.Context(), fmt.Sprintf("198.51.100.%d", i)), c)
		if errors.Is(err, account.ErrCredentials) {
			looked.Add(1)
		}
		return err
	}, account.ErrCredentials, throttle.ErrLimited)
	if looked.Load() != 10 {
		t.Errorf("%d wrong passwords for one account were looked at, want 10", looked.Load())
	}
	looked.Store(0)
	w.race(100, func(i int) error { // per network: all addresses of one customer
		_, err := w.SignIn(from(w.t.Context(), fmt.Sprintf("2001:db8:1:2::%x", i)), w.password(fmt.Sprintf("eve%d@example.org", i), newPassword))
		if errors.Is(err, account.ErrCredentials) {
			looked.Add(1)
		}
		return err
	}, account.ErrCredentials, throttle.ErrLimited)
	if looked.Load() != 50 {
		t.Errorf("%d wrong passwords from one network were looked at, want 50", looked.Load())
	}
	if n := w.wrong(w.Service, 1, "2001:db8:1:3::1", "eve@example.org"); n != 1 {
		t.Error("the neighbour's network is refused as well")
	}
	if n := w.wrong(w.Service, 60, "", "mallory@example.org"); n != 10 { // no address known: nobody shares a bucket for it
		t.Errorf("%d wrong passwords from nowhere were looked at, want 10", n)
	}
	if n := w.wrong(w.Service, 1, "", "trudy@example.org"); n != 1 {
		t.Error("those whose address is not known are refused together")
	}
	a, _ := w.addApp(w.as(w.person(bob).Token))
	half := w.halfway(bob)
	looked.Store(0)
	w.race(100, func(i int) error {
		_, err := w.CompleteSignIn(from(w.t.Context(), fmt.Sprintf("198.51.100.%d", i)), CompleteCmd{bearer, half.Flow, Proof{TOTP: fmt.Sprintf("%06d", i)}})
		if errors.Is(err, factor.ErrCode) {
			looked.Add(1)
		}
		return err
	}, factor.ErrCode, throttle.ErrLimited)
	if looked.Load() != 10 {
		t.Errorf("%d wrong codes for one account were looked at, want 10", looked.Load())
	}
	o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.shows(a.secret)}})
	w.nobody("after that the right one", o, err, throttle.ErrLimited)
}

// Requirement 17: who signs in to an account of their own gets back what that cost, and nothing of what guesses have cost.
func TestReq17OwnSuccessesClearNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerNetwork: 6}})
	w.made(ada)
	w.made("mallory@example.org")
	for i := range 6 {
		if n := w.wrong(w.Service, 1, homeIP, fmt.Sprintf("victim%d@example.org", i)); n != 1 {
			t.Fatalf("guess %d was not looked at", i)
		}
		if i < 5 {
			w.signIn("mallory@example.org")
		}
	}
	o, err := w.SignIn(w.ctx(), w.password("mallory@example.org", goodPassword))
	w.nobody("the network is used up", o, err, throttle.ErrLimited)
	for range 100 { // and who knows the password signs in as often as they like
		w.in(w.SignIn(from(w.ctx(), "203.0.113.9"), w.password(ada, goodPassword)))
	}
	if n := w.wrong(w.Service, 20, "203.0.113.9", ada); n != 6 {
		t.Errorf("%d guesses after a hundred successes, want 6", n)
	}
}

// A network that has used up its attempts takes nothing of the account it is at: its owner elsewhere is not slowed down.
func TestUsedUpNetworkTakesNothingOfTheAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerNetwork: 2, PerAccount: 1}})
	w.made(ada)
	if n := w.wrong(w.Service, 1, "203.0.113.9", "eve@example.org") + w.wrong(w.Service, 1, "203.0.113.9", "trudy@example.org"); n != 2 {
		t.Fatal(n)
	}
	stop := make(chan struct{})
	hammer := make(chan struct{})
	go func() {
		defer close(hammer)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = w.SignIn(from(t.Context(), "203.0.113.9"), w.password(ada, newPassword))
			}
		}
	}()
	for i := range 40 {
		if _, err := w.SignIn(from(w.ctx(), fmt.Sprintf("198.51.100.%d", i)), w.password(ada, goodPassword)); err != nil {
			t.Errorf("the owner is refused: %v", err)
		}
	}
	close(stop)
	<-hammer
}

// Requirement 19: a thousand wrong passwords from everywhere keep strangers out, and not the owner on a known device.
func TestReq19TheOwnerStillComesIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.made(ada)
	device, j := w.signIn(ada).Device, newJar()
	w.in(w.SignIn(w.asking(j), SignInCmd{Entry{Transport: InCookie}, ada, goodPassword}))
	var looked atomic.Int32
	w.race(20, func(i int) error {
		for j := range 50 {
			_, err := w.SignIn(from(w.t.Context(), fmt.Sprintf("198.51.%d.%d", i, j)), w.password(ada, newPassword))
			if errors.Is(err, account.ErrCredentials) {
				looked.Add(1)
			} else if !errors.Is(err, throttle.ErrLimited) {
				return err
			}
		}
		return nil
	})
	if looked.Load() != 10 {
		t.Errorf("%d of 1000 guesses were looked at, want 10", looked.Load())
	}
	o, err := w.SignIn(w.ctx(), w.password(ada, goodPassword))
	w.nobody("from an unknown device, the right password", o, err, throttle.ErrLimited)
	c := w.password(ada, goodPassword)
	c.Device = device
	w.in(w.SignIn(w.ctx(), c))
	w.in(w.SignIn(w.asking(j), SignInCmd{Entry{Transport: InCookie}, ada, goodPassword}))
	w.clock.Advance(15 * time.Minute) // and without one it takes a while, not an operator
	w.signIn(ada)
	c.Password = newPassword // a stolen device has its own count, which does not touch the owner's others
	for range 10 {
		_, err := w.SignIn(w.ctx(), c)
		w.is("a guess on the device", err, account.ErrCredentials)
	}
	_, err = w.SignIn(w.ctx(), c)
	w.is("one too many", err, throttle.ErrLimited)
	w.signIn(ada)
	other := w.password(bob, goodPassword)
	other.Device = device
	w.made(bob)
	if n := w.wrong(w.Service, 10, "203.0.113.9", bob); n != 10 {
		t.Fatal(n)
	}
	o, err = w.SignIn(w.ctx(), other)
	w.nobody("somebody else's device", o, err, throttle.ErrLimited)
}

// Requirement 20: every way in charges the same count, so none is a way around another.
func TestReq20AllWaysShareTheCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerNetwork: 1, PerAccount: 100}})
	in := w.person(ada)
	_, _ = w.addApp(w.as(in.Token))
	k := newKey()
	w.addKey(w.as(in.Token), k)
	half := w.halfway(ada)
	reset, err := w.RequestPasswordReset(w.ctx(), ada)
	w.must(err)
	mailed, err := w.RequestSignInMail(w.ctx(), ada)
	w.must(err)
	v, _ := w.asked(w.ctx(), registration(bob))
	up, err := w.Elevate(w.as(in.Token))
	w.must(err)
	complete := func(p Proof) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := w.CompleteSignIn(ctx, CompleteCmd{bearer, half.Flow, p})
			return err
		}
	}
	me := actor.From(w.as(in.Token))
	ways := []struct {
		name string
		try  func(ctx context.Context) error
		err  error
	}{
		{"password", func(ctx context.Context) error { _, err := w.SignIn(ctx, w.password(ada, newPassword)); return err }, account.ErrCredentials},
		{"app", complete(Proof{TOTP: "000000"}), factor.ErrCode},
		{"recovery code", complete(Proof{Recovery: "AAAAA-AAAAA"}), factor.ErrCode},
		{"passkey as second factor", complete(Proof{Passkey: []byte("{}")}), factor.ErrPasskey},
		{"passkey alone", func(ctx context.Context) error {
			_, err := w.SignInWithPasskey(ctx, PasskeyCmd{bearer, "bbf_made-up", []byte("{}")})
			return err
		}, factor.ErrPasskey},
		{"mail code", func(ctx context.Context) error {
			_, err := w.SignInWithMail(ctx, SignInMailCmd{bearer, MailProof{Flow: mailed.Flow, Code: "00000"}})
			return err
		}, ticket.ErrInvalid},
		{"reset code", func(ctx context.Context) error {
			_, err := w.ResetPassword(ctx, ResetCmd{MailProof{Flow: reset.Flow, Code: "00000"}, newPassword})
			return err
		}, ticket.ErrInvalid},
		{"verification", func(ctx context.Context) error {
			_, err := w.VerifyEmail(ctx, VerifyCmd{Entry: bearer, Flow: v.Flow, Code: "00000"})
			return err
		}, ticket.ErrInvalid},
		{"key or session", func(ctx context.Context) error { _, _, err := w.Authenticate(ctx, "bbk_made-up"); return err }, session.ErrEnded},
		{"elevation", func(ctx context.Context) error {
			_, err := w.CompleteElevation(actor.With(ctx, me), up.Flow, Proof{TOTP: "000000"})
			return err
		}, factor.ErrCode},
		{"new password", func(ctx context.Context) error {
			_, _, err := w.ChangePassword(actor.With(ctx, me), ChangePasswordCmd{newPassword, goodPassword})
			return err
		}, account.ErrCredentials},
		{"new address", func(ctx context.Context) error {
			_, err := w.ConfirmEmail(actor.With(ctx, me), MailProof{Token: "bbl_made-up"})
			return err
		}, ticket.ErrInvalid},
	}
	for i, one := range ways {
		next := ways[(i+1)%len(ways)]
		ctx := from(w.t.Context(), fmt.Sprintf("198.51.100.%d", i))
		w.is(one.name, one.try(ctx), one.err)
		w.is(next.name+" after "+one.name, next.try(ctx), throttle.ErrLimited)
		w.is(one.name+" again", one.try(ctx), throttle.ErrLimited)
	}
	if _, _, err := w.Authenticate(from(w.ctx(), "198.51.100.0"), in.Token); err != nil { // a good secret is no attempt
		t.Errorf("a good secret from a network that has used up its attempts: %v", err)
	}
}

// Requirement 21: what one process counts the others know, and it is not forgotten by a restart.
func TestReq21CountsAreShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.made(ada)
	nodes := []*Service{w.Service, w.node(Config{})}
	looked := 0
	for i := range 20 {
		looked += w.wrong(nodes[i%2], 1, fmt.Sprintf("198.51.100.%d", i), ada)
	}
	if looked != 10 {
		t.Errorf("%d guesses at two nodes, want 10", looked)
	}
	if n := w.wrong(w.node(Config{}), 5, "203.0.113.9", ada); n != 0 {
		t.Errorf("%d guesses at one that has just started", n)
	}
}

// Requirement 22: a limit tells its code, how long to wait, and the log once.
func TestReq22LimitsTellHowLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	u := w.made(ada)
	if n := w.wrong(w.Service, 10, homeIP, ada); n != 10 {
		t.Fatal(n)
	}
	w.leaves("three refusals", func() {
		for range 3 {
			_, err := w.SignIn(w.ctx(), w.password(ada, newPassword))
			if f := fault.From(err); f.Code != "RATE_LIMITED" || f.Details["retryAfter"] != 90 {
				t.Errorf("SignIn() = %v with %v", err, f.Details)
			}
		}
	}, "throttle.limit.reached")
	if e := w.told("throttle.limit.reached")[0]; e.On != u.Ref() || e.IP != homeIP {
		t.Errorf("told on %v from %s", e.On, e.IP)
	}
	w.clock.Advance(89 * time.Second)
	_, err := w.SignIn(w.ctx(), w.password(ada, goodPassword))
	w.is("a second too early", err, throttle.ErrLimited)
	w.clock.Advance(time.Second)
	w.signIn(ada)
}

// Who is turned away because the server is busy has not tried.
func TestTooBusyIsNoAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{
		Config:  Config{PerAccount: 5, PerNetwork: 5},
		hashing: account.Config{HashSlots: 1, HashWait: time.Nanosecond, Cost: account.Cost{MemoryKiB: 32 << 10, Passes: 1, Threads: 1}},
	})
	w.made(ada)
	busy := 0
	for busy == 0 {
		var n atomic.Int32
		w.race(5, func(int) error {
			_, err := w.SignIn(w.ctx(), w.password(ada, goodPassword))
			if errors.Is(err, account.ErrTooBusy) {
				n.Add(1)
			}
			return err
		}, account.ErrTooBusy)
		busy = int(n.Load())
	}
	if n := len(w.told(kindFailed)); n != 0 {
		t.Errorf("%d facts of failures", n)
	}
	if n := w.wrong(w.Service, 6, homeIP, ada); n != 5 {
		t.Errorf("%d guesses after that, want 5", n)
	}
}
