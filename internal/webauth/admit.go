package webauth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
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
	if len(wanted) == 0 || method == methodPasskey { // a passkey whose holder was verified is two factors in one
		return outcomeOf(s.enter(ctx, u.ID, method, in, proof))
	}
	d, known, err := s.Sessions.Recognize(ctx, u.ID, in.device(ctx))
	if err != nil {
		return nil, err
	}
	if known && d.Trusted(s.now()) {
		return outcomeOf(s.enter(ctx, u.ID, method, in, proof))
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

// enter begins a session of a user, in one transaction with the proof, which may make the user; with the end of the session
// the request came with; and with bringing the account back if it was asleep. In the log it is the user who did it all.
//
// Errors: ACCOUNT_DISABLED, and those of the proof.
func (s *Service) enter(ctx context.Context, user string, methods string, in Entry, proof step) (SignedIn, error) {
	var done SignedIn
	var gone []string // sessions that make room for this one
	old := actor.From(ctx).Session
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
		if d, done.Device, err = s.meet(ctx, done.User, shown, methods); err != nil {
			return err
		}
		if in.Trust {
			if d, done.Device, err = s.trust(ctx, d); err != nil {
				return err
			}
		}
		done.Session, done.Token, err = s.Sessions.Start(ctx, session.StartCmd{User: user, Methods: methods, Device: d.ID, Evicted: &gone})
		return err
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

// hand gives the secrets to the client by its transport.
func (s SignedIn) hand(ctx context.Context, t Transport) SignedIn {
	if t == InCookie {
		b := browserFrom(ctx)
		b.Set(SessionCookie, s.Token)
		b.Set(DeviceCookie, s.Device)
		s.Token, s.Device = "", ""
	}
	return s
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
// twice is no error.
func (s *Service) SignOut(ctx context.Context) (bool, error) {
	id := actor.From(ctx).Session
	if err := s.end(ctx, id); err != nil {
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
