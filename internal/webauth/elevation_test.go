package webauth

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

// An elevation takes the strongest that the account has, and makes the session good for sensitive fields again.
func TestElevateWithEachFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	type proving func(ctx context.Context, flow string) Proof
	withPassword := func() (SignedIn, proving) {
		return w.person("pwd@example.org"), func(context.Context, string) Proof { return Proof{Password: goodPassword} }
	}
	withMail := func() (SignedIn, proving) {
		c := registration("mail@example.org")
		c.Password = ""
		v, l := w.asked(w.ctx(), c)
		return w.verify(w.ctx(), v, l), func(ctx context.Context, flow string) Proof {
			w.leaves("Challenge()", func() {
				if options, err := w.Challenge(ctx, flow, EmailCode); options != nil || err != nil {
					t.Errorf("Challenge() = %s, %v", options, err)
				}
			}, "", "factor_code mail@example.org")
			l := w.last("mail@example.org", "factor_code")
			if l.Link != "" {
				t.Errorf("the mail with the code has the link %s", l.Link)
			}
			return Proof{EmailCode: l.Code}
		}
	}
	withApp := func() (SignedIn, proving) {
		in := w.person("otp@example.org")
		a, _ := w.addApp(w.as(in.Token))
		return in, func(context.Context, string) Proof { return Proof{TOTP: w.shows(a.secret)} }
	}
	withKey := func() (SignedIn, proving) {
		in, k := w.person("hwk@example.org"), newKey()
		w.addKey(w.as(in.Token), k)
		return in, func(ctx context.Context, flow string) Proof { return w.answered(ctx, flow, k) }
	}
	withRecovery := func() (SignedIn, proving) {
		in := w.person("kba@example.org")
		_, codes := w.addApp(w.as(in.Token))
		return in, func(context.Context, string) Proof { return Proof{Recovery: codes[0]} }
	}
	for _, tc := range []struct {
		name    string
		make    func() (SignedIn, proving)
		wanted  string
		methods string
		facts   string
		mails   []string
	}{
		{"password", withPassword, "[PASSWORD]", "mail pwd", "session.session.elevated", nil},
		{"mail", withMail, "[EMAIL_CODE]", "mail", "session.session.elevated", nil},
		{"app", withApp, "[TOTP RECOVERY_CODE]", "mail otp", "session.session.elevated", nil},
		{"passkey", withKey, "[PASSKEY RECOVERY_CODE]", "mail hwk", "session.session.elevated", nil},
		{
			"recovery code", withRecovery, "[TOTP RECOVERY_CODE]", "mail kba",
			"factor.recovery_code.used session.session.elevated",
			[]string{"notice_recovery_used kba@example.org"},
		},
	} {
		in, proof := tc.make()
		me := w.as(in.Token)
		w.stale()
		_, err := w.BeginTOTP(me)
		w.is(tc.name+": too long after the sign-in", err, session.ErrReauth)
		up, err := w.Elevate(me)
		if err != nil || fmt.Sprint(up.Factors) != tc.wanted || !up.ExpiresAt.Equal(w.clock.Now().Add(10*time.Minute)) {
			t.Errorf("%s: Elevate() wants %v until %s, %v", tc.name, up.Factors, up.ExpiresAt, err)
		}
		p := proof(me, up.Flow)
		w.leaves(tc.name, func() {
			s, err := w.CompleteElevation(me, up.Flow, p)
			if err != nil || s.Session.ID != in.Session.ID || s.Session.Methods != tc.methods || !s.Session.AuthAt.Equal(w.clock.Now()) {
				t.Errorf("%s: CompleteElevation() = %+v, %v", tc.name, s, err)
			}
		}, tc.facts, tc.mails...)
		if _, err := w.BeginTOTP(me); err != nil {
			t.Errorf("%s: after the elevation: %v", tc.name, err)
		}
		_, err = w.CompleteElevation(me, up.Flow, p)
		w.is(tc.name+": the attempt again", err, ticket.ErrInvalid)
		w.clock.Advance(5 * time.Minute)
		if _, err := w.BeginTOTP(me); err != nil {
			t.Errorf("%s: five minutes after: %v", tc.name, err)
		}
		w.clock.Advance(time.Millisecond)
		_, err = w.BeginTOTP(me)
		w.is(tc.name+": longer than five minutes after", err, session.ErrReauth)
	}
}

func TestElevationRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	me := w.as(in.Token)
	other := w.as(w.signIn(ada).Token)
	bobs := w.as(w.person(bob).Token)
	w.stale()
	up, err := w.Elevate(me)
	w.must(err)
	for name, tc := range map[string]struct {
		ctx   context.Context
		flow  string
		proof Proof
		err   error
	}{
		"wrong password":         {me, up.Flow, Proof{Password: newPassword}, account.ErrCredentials},
		"no proof":               {me, up.Flow, Proof{}, fault.ErrInput},
		"a factor one has not":   {me, up.Flow, Proof{TOTP: "123456"}, fault.ErrInput},
		"a mail nobody asked of": {me, up.Flow, Proof{EmailCode: "123456"}, fault.ErrInput},
		"another session":        {other, up.Flow, Proof{Password: goodPassword}, ticket.ErrInvalid},
		"another user":           {bobs, up.Flow, Proof{Password: goodPassword}, ticket.ErrInvalid},
		"an unknown attempt":     {me, "bbf_made-up", Proof{Password: goodPassword}, ticket.ErrInvalid},
	} {
		_, err := w.CompleteElevation(tc.ctx, tc.flow, tc.proof)
		w.is(name, err, tc.err)
	}
	for range 15 { // no guess, and not counted as one
		_, err = w.CompleteElevation(me, up.Flow, Proof{TOTP: "123456"})
		w.is("a factor one has not", err, fault.ErrInput)
	}
	if n := len(w.told(kindFailed)); n != 1 {
		t.Errorf("%d facts of failures; only the wrong password is one", n)
	}
	_, err = w.BeginTOTP(me)
	w.is("after all that", err, session.ErrReauth)
	o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, up.Flow, Proof{Password: goodPassword}})
	w.nobody("an elevation as a sign-in", o, err, ticket.ErrInvalid)
	won := w.race(20, func(int) error {
		_, err := w.CompleteElevation(me, up.Flow, Proof{Password: goodPassword})
		return err
	}, ticket.ErrInvalid, throttle.ErrLimited)
	if won != 1 || len(w.told("session.session.elevated")) != 1 {
		t.Errorf("one attempt elevated %d times", won)
	}
	up, err = w.Elevate(me)
	w.must(err)
	_, err = w.SignOut(me)
	w.must(err)
	_, err = w.CompleteElevation(me, up.Flow, Proof{Password: goodPassword})
	w.is("a session that has ended", err, session.ErrEnded)
}

// The second factor outranks the password: whoever knows the password alone elevates nothing.
func TestElevationTakesTheStrongest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	me := w.as(in.Token)
	up, err := w.Elevate(me)
	w.must(err)
	w.addApp(me)
	_, err = w.CompleteElevation(me, up.Flow, Proof{Password: goodPassword}) // also in an attempt that began before
	w.is("the password", err, fault.ErrInput)
	_, err = w.Challenge(me, up.Flow, EmailCode)
	w.is("a mail", err, fault.ErrInput)
}

func TestChallengeRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := registration(ada)
	c.Password = ""
	v, l := w.asked(w.ctx(), c)
	me := w.as(w.verify(w.ctx(), v, l).Token)
	up, err := w.Elevate(me)
	w.must(err)
	_, err = w.Challenge(me, "bbf_made-up", EmailCode)
	w.is("an unknown attempt", err, ticket.ErrInvalid)
	for _, k := range []FactorKind{Password, TOTP, Recovery, Passkey, "PIGEON", ""} {
		_, err = w.Challenge(me, up.Flow, k)
		w.is("the factor "+string(k), err, fault.ErrInput)
	}
	var codes []string
	for range 4 { // the registration was the fifth mail
		_, err = w.Challenge(me, up.Flow, EmailCode)
		w.must(err)
		codes = append(codes, w.last(ada, "factor_code").Code)
	}
	_, err = w.Challenge(me, up.Flow, EmailCode)
	w.is("a mail too many", err, throttle.ErrLimited)
	_, err = w.CompleteElevation(me, up.Flow, Proof{EmailCode: codes[2]})
	w.is("the code before the last", err, ticket.ErrInvalid)
	for range 4 {
		_, err = w.CompleteElevation(me, up.Flow, Proof{EmailCode: otherThan(codes[3])})
		w.is("a guess", err, ticket.ErrInvalid)
	}
	_, err = w.CompleteElevation(me, up.Flow, Proof{EmailCode: codes[3]})
	w.is("the right code after five wrong ones", err, ticket.ErrInvalid)
	a, _ := w.addApp(me)
	up, err = w.Elevate(me)
	w.must(err)
	_, err = w.Challenge(me, up.Flow, TOTP)
	w.is("a factor that needs no challenge", err, fault.ErrInput)
	_, err = w.CompleteElevation(me, up.Flow, Proof{TOTP: w.next(a)})
	w.must(err)
}

// Requirement 41: the challenge of a passkey is good once, for the attempt it was made for, and for five minutes.
func TestReq41PasskeyChallenges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerAccount: 100}})
	in := w.person(ada)
	me, k := w.as(in.Token), newKey()
	w.addKey(me, k)
	complete := func(flow string, p Proof) (Outcome, error) {
		return w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, flow, p})
	}
	first, second := w.halfway(ada), w.halfway(ada)
	p := w.answered(w.ctx(), first.Flow, k)
	o, err := complete(second.Flow, p)
	w.nobody("in an attempt without a challenge", o, err, factor.ErrPasskey)
	w.answered(w.ctx(), second.Flow, k)
	o, err = complete(second.Flow, p)
	w.nobody("in an attempt with another challenge", o, err, factor.ErrPasskey)
	newer := w.answered(w.ctx(), first.Flow, k)
	o, err = complete(first.Flow, p)
	w.nobody("the answer to the challenge before", o, err, factor.ErrPasskey)
	o, err = complete(first.Flow, newer)
	w.nobody("a challenge that was spent on a wrong answer", o, err, factor.ErrPasskey)
	p = w.answered(w.ctx(), first.Flow, k)
	w.in(complete(first.Flow, p))
	o, err = complete(first.Flow, p)
	w.nobody("again", o, err, ticket.ErrInvalid)
	third := w.halfway(ada)
	p = w.answered(w.ctx(), third.Flow, k)
	before := w.count("sessions")
	won := w.race(20, func(int) error { _, err := complete(third.Flow, p); return err }, factor.ErrPasskey, ticket.ErrInvalid)
	if n := w.count("sessions") - before; won != 1 || n != 1 {
		t.Errorf("twenty answers at once: %d successes, %d sessions", won, n)
	}
	fourth := w.halfway(ada)
	p = w.answered(w.ctx(), fourth.Flow, k)
	w.clock.Advance(5 * time.Minute)
	o, err = complete(fourth.Flow, p)
	w.nobody("five minutes later", o, err, factor.ErrPasskey)
	flow, options, err := w.BeginPasskeySignIn(w.ctx()) // the challenge of nobody in particular is none of an attempt, and the other way round
	w.must(err)
	o, err = complete(fourth.Flow, Proof{Passkey: k.get(t, options)})
	w.nobody("the answer to a sign-in without a name", o, err, factor.ErrPasskey)
	p = w.answered(w.ctx(), fourth.Flow, k)
	o, err = w.SignInWithPasskey(w.ctx(), PasskeyCmd{bearer, flow, p.Passkey})
	w.nobody("the answer of an attempt as a sign-in", o, err, factor.ErrPasskey)
	bobs := w.as(w.person(bob).Token)
	w.addKey(bobs, newKey())
	half := w.halfway(bob)
	options, err = w.Challenge(w.ctx(), half.Flow, Passkey)
	w.must(err)
	o, err = complete(half.Flow, Proof{Passkey: k.get(t, options)})
	w.nobody("somebody else's passkey", o, err, factor.ErrPasskey)
}
