package webauth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/bag"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/ticket"
)

// Every way of signing in ends here: what was proved is weighed against what the account asks for, and leads to a session
// or to the wish for one more factor. Until then there is no session at all, so nothing but going on with the attempt is
// possible: there is no half-way state another field or path could mistake for a sign-in.

// begun is the data of an attempt that wants one more factor.
type begun struct {
	User    string `bson:"user"`
	Methods string `bson:"methods"`           // proved so far, space-separated; empty for an elevation
	Session string `bson:"session,omitempty"` // the one to elevate
	Passkey string `bson:"passkey,omitempty"` // flow of the passkey challenge, once there is one
}

// step is what must commit together with the result of a proof, such as spending the ticket it came with.
type step func(ctx context.Context) error

// admit lets a user in who has proved something by method, or says what else is wanted. proof commits with whatever it
// leads to.
//
// Errors: ACCOUNT_DISABLED.
func (s *Service) admit(ctx context.Context, u account.User, method string, in Entry, proof step) (Outcome, error) {
	if u.DisabledAt != nil {
		return nil, account.ErrDisabled
	}
	wanted, err := s.second(ctx, u)
	if err != nil {
		return nil, err
	}
	switch {
	case method == methodPasskey: // whose holder was verified: two factors in one
		return outcomeOf(s.enter(ctx, u.ID, proved{method, session.TwoFactors}, in, proof))
	case len(wanted) == 0:
		return outcomeOf(s.enter(ctx, u.ID, proved{method, session.FullProof}, in, proof))
	}
	d, known, err := s.Sessions.Recognize(ctx, u.ID, in.device(ctx))
	if err != nil {
		return nil, err
	}
	if known && d.Trusted(s.now()) { // good for a session, and for no sensitive field
		return outcomeOf(s.enter(ctx, u.ID, proved{method, session.AnyProof}, in, proof))
	}
	var t ticket.Issued
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if err := proof(ctx); err != nil {
			return err
		}
		if _, err := s.Accounts.Admit(ctx, u.ID); err != nil { // so that a reset beside it voids the attempt or is seen by it
			return err
		}
		t, err = s.Tickets.Issue(ctx, ticket.Request{
			Kind: kindSignIn, Subject: u.ID, TTL: attemptTTL, Mailed: true, Data: begun{User: u.ID, Methods: method},
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return FactorRequired{Flow: t.Flow, Factors: wanted, ExpiresAt: t.ExpiresAt}, nil
}

// outcomeOf is a session as an outcome; there is none beside an error.
func outcomeOf(done SignedIn, err error) (Outcome, error) {
	if err != nil {
		return nil, err
	}
	return done, nil
}

// second is the kinds of second factor the user has now, by what is stored and not by any summary of it; none for an
// account without second factors. Cost: 1 or 2 reads.
func (s *Service) second(ctx context.Context, u account.User) ([]FactorKind, error) {
	all, err := s.Factors.Of(ctx, u.ID)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	var kinds []FactorKind
	if slices.ContainsFunc(all, func(f factor.Factor) bool { return f.Kind == factor.Passkey }) {
		kinds = append(kinds, Passkey)
	}
	if slices.ContainsFunc(all, func(f factor.Factor) bool { return f.Kind == factor.TOTP }) {
		kinds = append(kinds, TOTP)
	}
	left, err := s.Factors.RecoveryLeft(ctx, u.ID)
	if left > 0 {
		kinds = append(kinds, Recovery)
	}
	return kinds, err
}

// nothing is the proof that needs no step.
func nothing(context.Context) error { return nil }

// proved is what somebody has shown to come in.
type proved struct {
	methods string // RFC 8176, with a space between
	level   session.Level
}

// enter begins a session of a user, in one transaction with the proof, which may make the user; with the end of the session
// the request came with; with what the visitor has kept here; and with bringing the account back if it was asleep. In the
// log it is the user who did it all.
//
// Errors: ACCOUNT_DISABLED, SESSION_LIMIT, and those of the proof.
func (s *Service) enter(ctx context.Context, user string, p proved, in Entry, proof step) (SignedIn, error) {
	var done SignedIn
	var gone []string // sessions that make room for this one
	before := actor.From(ctx)
	old := before.Session
	shown := in.device(ctx)
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.end(ctx, old); err != nil {
			return err
		}
		ctx = actor.With(ctx, actor.Actor{User: user})
		if err := proof(ctx); err != nil {
			return err
		}
		if done.User, err = s.Accounts.Admit(ctx, user); err != nil {
			return err
		}
		if done.User, done.Restored, err = s.wake(ctx, done.User); err != nil {
			return err
		}
		var d session.Device
		if d, done.Device, err = s.meet(ctx, done.User, shown, p.methods); err != nil {
			return err
		}
		if in.Trust {
			if d, done.Device, err = s.trust(ctx, d); err != nil {
				return err
			}
		}
		policy, err := s.policyOf(ctx, user)
		if err != nil {
			return err
		}
		done.Session, done.Secrets, err = s.Sessions.Start(ctx, session.StartCmd{
			User: user, Methods: p.methods, Level: p.level, Device: d.ID, Brief: !in.Remember, Refresh: in.Transport == Bearer,
			Policy: policy, Evicted: &gone,
		})
		if err != nil {
			return err
		}
		return s.bring(ctx, before, done)
	})
	if err != nil {
		return SignedIn{}, err
	}
	if old != "" {
		gone = append(gone, old)
	}
	if len(gone) > 0 {
		s.Sessions.Forget(gone...)
	}
	return done.hand(ctx, in.Transport), nil
}

// bring takes along what somebody has kept here before they signed in, as a visitor or as a guest, and greets them.
func (s *Service) bring(ctx context.Context, before actor.Actor, done SignedIn) error {
	m := bag.MergeCmd{Visitor: before.Visitor, User: done.User.ID, Session: done.Session.ID}
	if before.User != "" && before.User != done.User.ID {
		u, err := s.Accounts.ByID(ctx, before.User)
		if err != nil {
			return err
		}
		if u.Kind == account.KindAnonymous {
			m.FromUser = u.ID
		}
	}
	if m.Visitor != "" || m.FromUser != "" {
		if err := s.Bag.Merge(ctx, m); err != nil {
			return err
		}
	}
	if !done.Restored {
		return nil
	}
	return s.Bag.FlashTo(ctx, done.Session.ID, bag.Message{
		Level: "success", Code: "account.restored", Text: "Welcome back: your account is active again.",
	})
}

// hand gives the secrets to the client by its transport.
func (s SignedIn) hand(ctx context.Context, t Transport) SignedIn {
	if t == InCookie {
		b := browserFrom(ctx)
		s.Secrets = keep(b, s.Session, s.Secrets)
		b.Set(DeviceCookie, s.Device)
		s.Device = ""
		if b.Get(VisitorCookie) != "" {
			b.Set(VisitorCookie, "")
		}
	}
	return s
}

// keep puts the secret of a session into the browser's cookie, and nowhere else.
func keep(b Browser, one session.Session, secrets session.Secrets) session.Secrets {
	if one.Brief {
		b.SetBrief(SessionCookie, secrets.Token)
	} else {
		b.Set(SessionCookie, secrets.Token)
	}
	return session.Secrets{}
}

// give is keep for a session that goes on with new secrets: who came by cookie gets them so, everybody else in the answer.
func give(ctx context.Context, one session.Session, secrets session.Secrets) session.Secrets {
	if secrets.Refresh == "" {
		if b := browserFrom(ctx); b != nil {
			return keep(b, one, secrets)
		}
	}
	return secrets
}

// wake brings an account back that its owner has put to sleep or is about to delete: whoever signs in wants it.
func (s *Service) wake(ctx context.Context, u account.User) (account.User, bool, error) {
	if u.DeactivatedAt == nil && u.DeleteAfter == nil {
		return u, false, nil
	}
	u, err := s.Accounts.Reactivate(ctx, u.ID)
	if err != nil {
		return u, false, err
	}
	return u, true, s.notify(ctx, u, "notice_restored", nil)
}

// meet remembers the device, and tells the owner of one that is new. The first one of a new account is no news.
func (s *Service) meet(ctx context.Context, u account.User, shown, methods string) (session.Device, string, error) {
	d, secret, isNew, err := s.Sessions.Remember(ctx, u.ID, shown)
	if err != nil || !isNew || strings.HasPrefix(methods, methodGuest) || s.now().Sub(u.CreatedAt) < registerTTL/24 {
		return d, secret, err
	}
	return d, secret, s.notify(ctx, u, "notice_new_device", nil)
}

// trust lets a device stand in for the second factor. It becomes a new one, with a new secret: the one it has shown may
// have been planted by somebody who knows it.
func (s *Service) trust(ctx context.Context, d session.Device) (session.Device, string, error) {
	if err := s.Sessions.ForgetDevice(ctx, d.User, d.ID); err != nil {
		return d, "", err
	}
	d, secret, _, err := s.Sessions.Remember(ctx, d.User, "")
	if err != nil {
		return d, "", err
	}
	return d, secret, s.Sessions.Trust(ctx, d.User, d.ID, s.now().Add(trustTTL))
}

// SignOut ends the session of the request and clears the cookie. It reports whether there was a session: signing out
// twice is no error. Who acts as somebody else by cookie is signed out as themself too: their own session has no secret
// meanwhile, and would only lie about.
func (s *Service) SignOut(ctx context.Context) (bool, error) {
	a := actor.From(ctx)
	id, who := a.Session, ctx
	if a.Impersonator != "" {
		switch one, err := s.Sessions.Current(ctx); {
		case err != nil:
			return false, err
		case one.Parked:
			id, who = one.Parent, actor.With(ctx, actor.System())
		}
	}
	if err := s.end(who, id); err != nil {
		return false, err
	}
	if b := browserFrom(ctx); b != nil {
		b.Set(SessionCookie, "")
	}
	return id != "", nil
}

// end ends the session of the request, if it has one. That it is gone already is no error.
func (s *Service) end(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	if err := s.Sessions.End(ctx, id); err != nil && !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	return nil
}
