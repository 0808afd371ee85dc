package webauth

import (
	"context"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ticket"
)

// Requirement 44: a link by which somebody gets in for the first time works once, also from another browser.
func TestReq44EnrolmentLinksWorkOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	_, err := w.Invite(w.sys(), InviteCmd{Email: bob, Days: 1})
	w.must(err)
	c := registration(bob)
	c.Invitation = w.last(bob, "invitation").Link
	_, l := w.asked(w.ctx(), c)
	byLink := VerifyCmd{Entry: bearer, Token: l.Link, Password: goodPassword}
	w.in(w.VerifyEmail(w.ctx(), byLink))
	for _, ip := range []string{homeIP, "203.0.113.9"} {
		w.leaves("again from "+ip, func() {
			o, err := w.VerifyEmail(from(w.ctx(), ip), byLink)
			w.nobody("the link of the registration", o, err, ticket.ErrInvalid)
			_, err = w.Register(from(w.ctx(), ip), c)
			w.is("the link of the invitation", err, ErrInvitation)
		}, kindFailed)
	}
}

// Requirement 26: of twenty who show one mailed secret at once, one gets through.
func TestReq26OneSecretOneSuccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerNetwork: 1000, PerAccount: 1000}})
	in := w.person(ada)
	me := actor.From(w.as(in.Token))
	for _, tc := range []struct {
		name string
		ask  func(t *testing.T) func(i int) error
		lose []error
		once []string // facts there is one of
	}{
		{"verify", func(*testing.T) func(int) error {
			v, l := w.asked(w.ctx(), registration(bob))
			return func(i int) error {
				c := VerifyCmd{Entry: bearer, Flow: v.Flow, Code: l.Code}
				if i%2 == 1 {
					c = VerifyCmd{Entry: bearer, Token: l.Link, Password: goodPassword}
				}
				_, err := w.VerifyEmail(w.ctx(), c)
				return err
			}
		}, []error{ticket.ErrInvalid, account.ErrEmailTaken}, []string{"account.user.created", "session.session.started"}},
		{"confirm", func(*testing.T) func(int) error {
			_, err := w.AddEmail(actor.With(w.ctx(), me), spare, true)
			w.must(err)
			l := w.last(spare, "confirm_address")
			return func(int) error {
				_, err := w.ConfirmEmail(actor.With(w.ctx(), me), MailProof{Token: l.Link})
				return err
			}
		}, []error{ticket.ErrInvalid}, []string{"account.address.added"}},
		{"sign in by mail", func(*testing.T) func(int) error {
			m, err := w.RequestSignInMail(w.ctx(), ada)
			w.must(err)
			l := w.last(ada, "sign_in")
			return func(i int) error {
				_, err := w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, []MailProof{{Token: l.Link}, {Flow: m.Flow, Code: l.Code}}[i%2]})
				return err
			}
		}, []error{ticket.ErrInvalid}, []string{"session.session.started"}},
		{"reset", func(*testing.T) func(int) error {
			m, l := w.asksReset(ada)
			return func(i int) error {
				_, err := w.ResetPassword(w.ctx(), ResetCmd{[]MailProof{{Token: l.Link}, {Flow: m.Flow, Code: l.Code}}[i%2], newPassword})
				return err
			}
		}, []error{ticket.ErrInvalid}, []string{"account.password.set", kindResetDone}},
		{"invitation", func(*testing.T) func(int) error {
			_, err := w.Invite(w.sys(), InviteCmd{Email: "guest@example.org", Days: 1, Role: "host"})
			w.must(err)
			link := w.last("guest@example.org", "invitation").Link
			var flows []VerificationRequired
			var codes []string
			for range 20 {
				w.clock.Advance(time.Minute)
				c := registration("guest@example.org")
				c.Invitation = link
				v, l := w.asked(w.ctx(), c)
				flows, codes = append(flows, v), append(codes, l.Code)
			}
			return func(i int) error {
				_, err := w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Flow: flows[i].Flow, Code: codes[i]})
				return err
			}
		}, []error{ErrInvitation, account.ErrEmailTaken}, []string{kindInviteTaken, "account.user.created", "session.session.started"}},
	} {
		show := tc.ask(t)
		before := map[string]int{}
		for _, k := range tc.once {
			before[k] = len(w.told(k))
		}
		if won := w.race(20, show, tc.lose...); won != 1 {
			t.Errorf("%s: %d successes", tc.name, won)
		}
		for _, k := range tc.once {
			if n := len(w.told(k)) - before[k]; n != 1 {
				t.Errorf("%s: %d facts %s", tc.name, n, k)
			}
		}
	}
}

// secret is what a ticket gave to whom it was for.
type secret struct{ Flow, Code, Link string }

// Requirement 26: the secret of one kind is nothing to every other flow, and still good for its own afterwards.
func TestReq26KindsAreNotTakenForOneAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerNetwork: 10_000, PerAccount: 10_000}})
	in := w.person(ada)
	me := actor.From(w.as(in.Token))
	a, _ := w.addApp(w.as(in.Token))
	mailed := func(m MailSent, err error, to, template string) secret {
		w.must(err)
		l := w.last(to, template)
		return secret{m.Flow, l.Code, l.Link}
	}
	secrets := map[ticket.Kind]secret{}
	v, l := w.asked(w.ctx(), registration(bob))
	secrets[kindRegister] = secret{v.Flow, l.Code, l.Link}
	m, err := w.RequestSignInMail(w.ctx(), ada)
	secrets[kindSignInMail] = mailed(m, err, ada, "sign_in")
	m, err = w.RequestPasswordReset(w.ctx(), ada)
	secrets[kindReset] = mailed(m, err, ada, "reset_password")
	m, err = w.AddEmail(w.as(in.Token), spare, false)
	secrets[kindAddress] = mailed(m, err, spare, "confirm_address")
	secrets[kindSignIn] = secret{Flow: w.halfway(ada).Flow, Code: "123456"}
	up, err := w.Elevate(w.as(in.Token))
	w.must(err)
	secrets[kindElevate] = secret{Flow: up.Flow, Code: "123456"}
	_, err = w.Invite(w.sys(), InviteCmd{Email: "guest@example.org", Days: 1})
	w.must(err)
	secrets[kindInvitation] = secret{Link: w.last("guest@example.org", "invitation").Link}
	flow, _, err := w.BeginPasskeySignIn(w.ctx())
	w.must(err)
	secrets["passkey-check"] = secret{Flow: flow, Code: "123456"}
	flow, _, err = w.BeginPasskey(w.as(in.Token))
	w.must(err)
	secrets["passkey-add"] = secret{Flow: flow, Code: "123456"}

	type use func(ctx context.Context, s secret) error
	proofs := func(fn func(ctx context.Context, p MailProof) error) use {
		return func(ctx context.Context, s secret) error {
			var err error
			for _, p := range []MailProof{
				{Token: s.Flow}, {Flow: s.Link, Code: s.Code}, {Flow: s.Flow, Token: s.Link}, {Token: s.Link}, {Flow: s.Flow, Code: s.Code},
			} {
				if err = fn(ctx, p); err == nil {
					return nil
				}
			}
			return err
		}
	}
	flows := map[string]struct {
		takes []ticket.Kind
		use   use
		err   error
	}{
		"VerifyEmail": {[]ticket.Kind{kindRegister}, proofs(func(ctx context.Context, p MailProof) error {
			_, err := w.VerifyEmail(ctx, VerifyCmd{Entry: bearer, Flow: p.Flow, Code: p.Code, Token: p.Token, Password: goodPassword})
			return err
		}), ticket.ErrInvalid},
		"ResendVerification": {[]ticket.Kind{kindRegister}, func(ctx context.Context, s secret) error { _, err := w.ResendVerification(ctx, s.Flow); return err }, ticket.ErrInvalid},
		"SignInWithMail": {[]ticket.Kind{kindSignInMail}, proofs(func(ctx context.Context, p MailProof) error {
			_, err := w.SignInWithMail(ctx, SignInMailCmd{bearer, p})
			return err
		}), ticket.ErrInvalid},
		"ResetPassword": {[]ticket.Kind{kindReset}, proofs(func(ctx context.Context, p MailProof) error {
			_, err := w.ResetPassword(ctx, ResetCmd{p, newPassword})
			return err
		}), ticket.ErrInvalid},
		"ConfirmEmail": {[]ticket.Kind{kindAddress}, proofs(func(ctx context.Context, p MailProof) error {
			_, err := w.ConfirmEmail(ctx, p)
			return err
		}), ticket.ErrInvalid},
		"Challenge": {[]ticket.Kind{kindSignIn, kindElevate}, func(ctx context.Context, s secret) error {
			_, err := w.Challenge(ctx, s.Flow, EmailCode)
			return err
		}, ticket.ErrInvalid},
		"CompleteSignIn": {[]ticket.Kind{kindSignIn}, func(ctx context.Context, s secret) error {
			_, err := w.CompleteSignIn(ctx, CompleteCmd{bearer, s.Flow, Proof{TOTP: w.shows(a.secret)}})
			return err
		}, ticket.ErrInvalid},
		"CompleteElevation": {[]ticket.Kind{kindElevate}, func(ctx context.Context, s secret) error {
			_, err := w.CompleteElevation(ctx, s.Flow, Proof{TOTP: w.shows(a.secret)})
			return err
		}, ticket.ErrInvalid},
		"Register": {[]ticket.Kind{kindInvitation}, func(ctx context.Context, s secret) error {
			c := registration("guest@example.org")
			if c.Invitation = s.Link; s.Link == "" {
				c.Invitation = s.Flow
			}
			_, err := w.Register(ctx, c)
			return err
		}, ErrInvitation},
		"Authenticate": {nil, func(ctx context.Context, s secret) error {
			_, _, err := w.Authenticate(ctx, s.Flow+s.Link)
			return err
		}, nil},
	}
	for name, f := range flows {
		for kind, s := range secrets {
			takes := false
			for _, k := range f.takes {
				takes = takes || k == kind
			}
			if takes {
				continue
			}
			err := f.use(actor.With(w.ctx(), me), s)
			if err == nil {
				t.Errorf("%s takes a secret of the kind %s", name, kind)
			}
			if f.err != nil {
				w.is(name+" of "+string(kind), err, f.err)
			}
		}
	}
	w.clock.Advance(30 * time.Second)
	for _, name := range []string{"CompleteElevation", "ConfirmEmail", "Register", "VerifyEmail", "CompleteSignIn", "SignInWithMail", "ResetPassword"} {
		f := flows[name]
		if name == "CompleteSignIn" {
			w.clock.Advance(30 * time.Second)
		}
		ctx := w.ctx()
		if name == "CompleteElevation" || name == "ConfirmEmail" {
			ctx = actor.With(ctx, me)
		}
		if name == "SignInWithMail" { // with a second factor it leads to the wish for it, which is as good
			_, err := w.SignInWithMail(ctx, SignInMailCmd{bearer, MailProof{Token: secrets[kindSignInMail].Link}})
			w.must(err)
			continue
		}
		if err := f.use(ctx, secrets[f.takes[0]]); err != nil {
			t.Errorf("%s of its own secret, after all that: %v", name, err)
		}
	}
}
