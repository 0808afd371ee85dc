package webauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/ticket"
)

// A sign-in that wants one more factor and an elevation are the same attempt with another end: a ticket that remembers
// what is proved, to which one more proof is shown.

// goOn reads an attempt of one of the kinds.
func (s *Service) goOn(ctx context.Context, flow string, kinds ...ticket.Kind) (t ticket.Ticket, b begun, err error) {
	for _, k := range kinds {
		if t, err = s.Tickets.Peek(ctx, k, flow); err == nil {
			return t, b, t.Decode(&b)
		}
	}
	return t, b, err
}

// Challenge prepares a factor of an attempt: options for the browser's passkey, or nil and a mail with a code.
//
// Errors: TICKET_INVALID, RATE_LIMITED, BAD_USER_INPUT for a factor that needs none or is not wanted.
func (s *Service) Challenge(ctx context.Context, flow string, kind FactorKind) (options []byte, err error) {
	t, b, err := s.goOn(ctx, flow, kindSignIn, kindElevate)
	if err != nil {
		return nil, err
	}
	u, err := s.Accounts.ByID(ctx, b.User)
	if err != nil {
		return nil, err
	}
	if err := s.wants(ctx, t, u, kind); err != nil {
		return nil, err
	}
	switch kind { //nolint:exhaustive // the others need no preparation
	case Passkey:
		if b.Passkey, options, err = s.Factors.BeginAssertion(ctx, u.ID); err != nil {
			return nil, err
		}
		return options, s.Tickets.Amend(ctx, t, b)
	case EmailCode:
		if err := s.mayMail(ctx, u.EmailKey()); err != nil {
			return nil, err
		}
		return nil, s.db.InTx(ctx, func(ctx context.Context) error {
			again, err := s.Tickets.Renew(ctx, t.Kind, flow)
			if err != nil {
				return err
			}
			data := secrets(u.Name, again, attemptTTL)
			delete(data, "Link") // it is an answer to this client, not a way in by itself
			return s.send(ctx, u.Email(), u.Locale, "factor_code", data)
		})
	default:
		return nil, fault.ErrInput.Saying("this factor needs no challenge").On("input.factor")
	}
}

// wants refuses a kind of proof that the attempt cannot use. What it can is asked for anew each time: a factor that was
// removed meanwhile is of no use.
func (s *Service) wants(ctx context.Context, t ticket.Ticket, u account.User, kind FactorKind) error {
	ask := s.second
	if t.Kind == kindElevate {
		ask = s.strongest
	}
	kinds, err := ask(ctx, u)
	if err != nil {
		return err
	}
	if !slices.Contains(kinds, kind) {
		return fault.ErrInput.Saying("this factor is of no use here").On("input.proof")
	}
	return nil
}

// strongest is what an elevation wants: second factors, or without any what proves the identity otherwise.
func (s *Service) strongest(ctx context.Context, u account.User) ([]FactorKind, error) {
	kinds, err := s.second(ctx, u)
	if err == nil && len(kinds) == 0 {
		kinds = first(u)
	}
	return kinds, err
}

// first is what proves the identity of a user without second factors.
func first(u account.User) []FactorKind {
	switch {
	case u.HasPassword:
		return []FactorKind{Password}
	case u.Email() != "":
		return []FactorKind{EmailCode}
	default:
		return nil
	}
}

// prove checks one proof of an attempt. Recovery codes are used up by it, whatever comes after.
//
// Errors: TICKET_INVALID, BAD_CREDENTIALS, FACTOR_CODE_INVALID, PASSKEY_INVALID, RATE_LIMITED, TOO_BUSY, BAD_USER_INPUT.
func (s *Service) prove(ctx context.Context, t ticket.Ticket, b begun, u account.User, flow, device string, p Proof) error {
	kind := p.kind()
	try, err := s.attempt(ctx, at(u), device)
	if err != nil {
		return err
	}
	if err := s.wants(ctx, t, u, kind); err != nil {
		try.right(ctx) // not a guess
		return err
	}
	switch kind {
	case TOTP:
		_, err = s.Factors.CheckTOTP(ctx, u.ID, p.TOTP)
	case Recovery:
		err = s.recover(ctx, u, p.Recovery)
	case Passkey:
		_, err = s.Factors.CheckAssertion(ctx, u.ID, b.Passkey, p.Passkey)
	case EmailCode:
		_, err = s.Tickets.Verify(ctx, t.Kind, ticket.Proof{Flow: flow, Code: p.EmailCode})
	case Password:
		err = s.Accounts.CheckPassword(ctx, u.ID, p.Password)
	}
	if try.settle(ctx, err) != nil {
		s.failed(ctx, u.Ref(), methods[kind], err)
	}
	return err
}

// recover uses a recovery code up and tells its owner.
func (s *Service) recover(ctx context.Context, u account.User, code string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		left, err := s.Factors.UseRecoveryCode(ctx, u.ID, code)
		if err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_recovery_used", map[string]any{"Left": left})
	})
}

// CompleteCmd goes on with an attempt.
type CompleteCmd struct {
	Entry
	Flow  string
	Proof Proof
}

// CompleteSignIn lets somebody in who shows the second factor.
//
// Errors: those of the proof; TICKET_INVALID, ACCOUNT_DISABLED.
func (s *Service) CompleteSignIn(ctx context.Context, c CompleteCmd) (Outcome, error) {
	if err := c.Transport.check(ctx); err != nil {
		return nil, err
	}
	t, b, err := s.goOn(ctx, c.Flow, kindSignIn)
	if err != nil {
		return nil, err
	}
	u, err := s.Accounts.ByID(ctx, b.User)
	if err != nil {
		return nil, err
	}
	if err := s.prove(ctx, t, b, u, c.Flow, c.device(ctx), c.Proof); err != nil {
		return nil, err
	}
	both := proved{b.Methods + " " + methods[c.Proof.kind()], session.TwoFactors}
	return outcomeOf(s.enter(ctx, u.ID, both, c.Entry, func(ctx context.Context) error { return s.Tickets.Spend(ctx, t) }))
}

// Elevate begins to prove once more who somebody is: by the strongest that the account has.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED.
func (s *Service) Elevate(ctx context.Context) (FactorRequired, error) {
	u, err := s.me(ctx)
	if err != nil {
		return FactorRequired{}, err
	}
	kinds, err := s.strongest(ctx, u)
	if err != nil {
		return FactorRequired{}, err
	}
	t, err := s.Tickets.Issue(ctx, ticket.Request{
		Kind: kindElevate, Subject: u.ID, TTL: attemptTTL, Mailed: true, Data: begun{User: u.ID, Session: actor.From(ctx).Session},
	})
	if err != nil {
		return FactorRequired{}, err
	}
	return FactorRequired{Flow: t.Flow, Factors: kinds, ExpiresAt: t.ExpiresAt}, nil
}

// Renewed is a session whose secrets are new: those before are dead. Who came by cookie has got them as one.
type Renewed struct {
	Session session.Session
	session.Secrets
}

// CompleteElevation makes the session of the request good for sensitive fields, for some minutes. Whoever has got hold of
// its secret before gets nothing of that: the session has new ones from then on.
//
// Errors: those of the proof; UNAUTHENTICATED, KEY_FORBIDDEN, TICKET_INVALID, also in another session than that which began.
func (s *Service) CompleteElevation(ctx context.Context, flow string, p Proof) (Renewed, error) {
	u, err := s.me(ctx)
	if err != nil {
		return Renewed{}, err
	}
	t, b, err := s.goOn(ctx, flow, kindElevate)
	if err != nil {
		return Renewed{}, err
	}
	id := actor.From(ctx).Session
	if b.User != u.ID || b.Session != id {
		return Renewed{}, ticket.ErrInvalid
	}
	if err := s.prove(ctx, t, b, u, flow, Entry{Transport: InCookie}.device(ctx), p); err != nil {
		return Renewed{}, err
	}
	if err := s.Tickets.Spend(ctx, t); err != nil {
		return Renewed{}, err
	}
	one, secrets, err := s.Sessions.Elevate(ctx, id, methods[p.kind()], levelOf(p.kind()))
	if err != nil {
		return Renewed{}, err
	}
	return Renewed{one, give(ctx, one, secrets)}, nil
}

// levelOf is how much the proof of an elevation shows: a second factor is asked for where there is one, of somebody whose
// session has shown the first.
func levelOf(k FactorKind) session.Level {
	if k == Password || k == EmailCode {
		return session.FullProof
	}
	return session.TwoFactors
}

// StepUp is what somebody has proved about who they are, and what they could prove now.
type StepUp struct {
	Level      session.Level
	At         time.Time
	FreshUntil time.Time    // for what wants a proof of the usual age
	Factors    []FactorKind // that Elevate would accept
}

// StepUp tells it of the session of the request. Cost: 2 or 3 reads.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN.
func (s *Service) StepUp(ctx context.Context) (StepUp, error) {
	user, err := whose(ctx)
	if err != nil {
		return StepUp{}, err
	}
	one, err := s.Sessions.Current(ctx)
	if err != nil {
		return StepUp{}, err
	}
	out := StepUp{Level: one.Level, At: one.AuthAt, FreshUntil: one.AuthAt.Add(s.Sessions.Fresh())}
	if one.Impersonator != "" {
		return out, nil // there is nothing they could prove
	}
	u, err := s.Accounts.ByID(ctx, user)
	if err != nil || u.Kind != account.KindPerson {
		return out, err
	}
	out.Factors, err = s.strongest(ctx, u)
	return out, err
}

// RequireFresh gives the session of ctx's actor if its last proof is as recent and as strong as it must be. Who is asked for
// two factors and has but one is told so: no elevation would help them. Cost: see [session.Service.RequireFresh].
//
// Errors: those of it; FACTOR_NEEDED.
func (s *Service) RequireFresh(ctx context.Context, n session.Need) (session.Session, error) {
	one, err := s.Sessions.RequireFresh(ctx, n)
	if n.Level < session.TwoFactors || !errors.Is(err, session.ErrReauth) {
		return one, err
	}
	all, looked := s.Factors.Of(ctx, actor.From(ctx).User)
	if looked == nil && len(all) == 0 {
		err = ErrFactorNeeded
	}
	return one, err
}

// whose is the id of the person of the request, who may be a guest, or somebody who acts as them.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN.
func whose(ctx context.Context) (user string, err error) {
	switch a := actor.From(ctx); {
	case a.IsAnonymous() || a.System:
		return "", fault.ErrUnauthenticated
	case !a.IsPerson():
		return "", session.ErrKeyForbidden
	default:
		return a.User, nil
	}
}

// self is whose, for what nobody may do in the place of another.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN.
func self(ctx context.Context) (user string, err error) {
	if user, err = whose(ctx); err == nil && !actor.From(ctx).IsSelf() {
		err = session.ErrImpersonated
	}
	return user, err
}

// me is the person of the request, who is no guest.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN, EMAIL_UNVERIFIED.
func (s *Service) me(ctx context.Context) (account.User, error) {
	user, err := self(ctx)
	if err != nil {
		return account.User{}, err
	}
	u, err := s.Accounts.ByID(ctx, user)
	if err == nil && u.Kind != account.KindPerson {
		err = ErrUnverified
	}
	return u, err
}

// meFresh is me, who has proved a moment ago who they are.
//
// Errors: those of me, REAUTH_REQUIRED.
func (s *Service) meFresh(ctx context.Context) (account.User, error) {
	u, err := s.me(ctx)
	if err != nil {
		return u, err
	}
	_, err = s.Sessions.RequireFresh(ctx, session.Need{Level: session.FullProof})
	return u, err
}
