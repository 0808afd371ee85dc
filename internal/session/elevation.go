package session

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

// Elevate notes that the user has just proved again who they are, by these methods (RFC 8176 values with a space between),
// which join those proved before, and that it has shown so much. The session gets new secrets; those before are dead, so
// whoever has a copy of them gains nothing. It is for the caller's own session, or any for the system; what proof it takes
// is for the flow that calls it to decide. It joins the transaction of ctx; the event session.session.elevated commits with
// it and tells the other nodes. Whoever watches the session notices nothing. Cost: 1 read, 2 writes; 2 more writes with a
// refresh token.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN, NOT_FOUND for any session but the caller's,
// SESSION_ENDED.
func (s *Service) Elevate(ctx context.Context, id, methods string, level Level) (Session, Secrets, error) {
	return s.renew(ctx, id, kindElevated, func(one Session, now time.Time) (Session, about) {
		return one.elevated(now, methods, level), about{User: one.User, Methods: methods}
	})
}

// Renew gives a session new secrets; those before are dead. Otherwise it is [Service.Elevate], with the event
// session.session.renewed.
func (s *Service) Renew(ctx context.Context, id string) (Session, Secrets, error) {
	return s.renew(ctx, id, kindRenewed, func(one Session, _ time.Time) (Session, about) { return one, about{User: one.User} })
}

func (s *Service) renew(ctx context.Context, id, kind string, change func(Session, time.Time) (Session, about)) (Session, Secrets, error) {
	a, err := principal(ctx)
	switch {
	case err != nil:
		return Session{}, Secrets{}, err
	case !a.System && a.Session != id:
		return Session{}, Secrets{}, fault.ErrNotFound
	}
	now := s.now()
	var raised Session
	var secrets Secrets
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		found, ok, err := s.store.byID(ctx, id)
		switch {
		case err != nil:
			return err
		case !ok, found.Kind != Interactive:
			return fault.ErrNotFound
		case !s.limited(found.Session).Live(now):
			return ErrEnded
		}
		var fact about
		raised, fact = change(found.Session, now)
		if secrets, err = s.reissue(ctx, raised, found.Tokens.Until != nil, now); err != nil {
			return err
		}
		return s.events.Append(ctx, kind, raised.Ref(), fact)
	})
	if err != nil {
		return Session{}, Secrets{}, err
	}
	if !store.InTransaction(ctx) { // else the change stream, or the caller, tells this node as well
		s.cache.refresh(id)
	}
	return s.limited(raised), secrets, nil
}

// reissue replaces the secrets of a session in the transaction of ctx.
func (s *Service) reissue(ctx context.Context, one Session, refresh bool, now time.Time) (Secrets, error) {
	secrets, kept, next := s.issue(s.limited(one), refresh, now)
	if err := s.store.renew(ctx, one, kept); err != nil || !refresh {
		return secrets, err
	}
	if err := s.store.dropUnspent(ctx, one.ID); err != nil {
		return Secrets{}, err
	}
	return secrets, s.store.insertRefresh(ctx, newRefreshToken(next, one, now))
}

// Need is how recently, and by how much, somebody must have proved who they are.
type Need struct {
	Age   time.Duration // at most; zero means Config.Fresh
	Level Level         // at least
}

// Fresh is how old a proof may be where nobody says otherwise.
func (s *Service) Fresh() time.Duration { return s.cfg.Fresh }

// RequireFresh gives the session of ctx's actor if its last proof of identity, at sign-in or by [Service.Elevate], is as
// recent and as strong as needed. Warm, leave is given without a read. It is refused only by what the database says, so
// that an elevation on another node, or in the transaction of ctx, counts at once: 1 read.
//
// Errors: REAUTH_REQUIRED; KEY_FORBIDDEN for a key and IMPERSONATION_FORBIDDEN for who acts as somebody else, who can prove
// nothing; UNAUTHENTICATED for everybody else without a session, the system too; SESSION_ENDED.
func (s *Service) RequireFresh(ctx context.Context, n Need) (Session, error) {
	switch a := actor.From(ctx); {
	case a.Key != "":
		return Session{}, ErrKeyForbidden
	case a.Impersonator != "":
		return Session{}, ErrImpersonated
	}
	found, cached, err := s.current(ctx)
	if err != nil || s.meets(found, n) {
		return found, err
	}
	if cached {
		r, ok, err := s.store.byID(ctx, found.ID)
		switch {
		case err != nil:
			return Session{}, err
		case !ok, !s.limited(r.Session).Live(s.now()):
			return Session{}, ErrEnded
		case s.meets(r.Session, n):
			return s.limited(r.Session), nil
		}
	}
	return Session{}, ErrReauth
}

func (s *Service) meets(one Session, n Need) bool {
	age := n.Age
	if age == 0 {
		age = s.cfg.Fresh
	}
	return one.Impersonator == "" && one.Level >= n.Level && s.now().Sub(one.AuthAt) <= age
}
