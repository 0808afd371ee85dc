package session

import (
	"context"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

// Elevate notes that the user has just proved again who they are, by these methods (RFC 8176 values with a space between),
// which join those proved before. It is for the caller's own session, or any for the system; what proof it takes is for the
// flow that calls it to decide. It joins the transaction of ctx; the event session.session.elevated commits with it and
// tells the other nodes. Whoever watches the session notices nothing. Cost: 1 read, 2 writes.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, NOT_FOUND for any session but the caller's, SESSION_ENDED.
func (s *Service) Elevate(ctx context.Context, id, methods string) (Session, error) {
	a, err := principal(ctx)
	switch {
	case err != nil:
		return Session{}, err
	case !a.System && a.Session != id:
		return Session{}, fault.ErrNotFound
	}
	now := s.now()
	var raised Session
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		found, ok, err := s.store.byID(ctx, id)
		switch {
		case err != nil:
			return err
		case !ok, found.Kind != Interactive:
			return fault.ErrNotFound
		case !found.Live(now):
			return ErrEnded
		}
		raised = found.elevated(now, methods)
		if err := s.store.elevate(ctx, raised); err != nil {
			return err
		}
		return s.events.Append(ctx, kindElevated, raised.Ref(), about{User: raised.User, Methods: methods})
	})
	if err != nil {
		return Session{}, err
	}
	if !store.InTransaction(ctx) { // else the change stream tells this node as well
		s.cache.refresh(id)
	}
	return raised, nil
}

// RequireFresh gives the session of ctx's actor if its last full proof of identity, at sign-in or by [Service.Elevate], is
// at most Config.Fresh old. Warm, leave is given without a read. It is refused only by what the database says, so that an
// elevation on another node, or in the transaction of ctx, counts at once: 1 read.
//
// Errors: REAUTH_REQUIRED; KEY_FORBIDDEN for a key, which can prove nothing; UNAUTHENTICATED for everybody else without a
// session, the system too; SESSION_ENDED.
func (s *Service) RequireFresh(ctx context.Context) (Session, error) {
	if actor.From(ctx).Key != "" {
		return Session{}, ErrKeyForbidden
	}
	found, cached, err := s.current(ctx)
	if err != nil || s.isFresh(found) {
		return found, err
	}
	if cached {
		r, ok, err := s.store.byID(ctx, found.ID)
		switch {
		case err != nil:
			return Session{}, err
		case !ok, !r.Live(s.now()):
			return Session{}, ErrEnded
		case s.isFresh(r.Session):
			return r.Session, nil
		}
	}
	return Session{}, ErrReauth
}

func (s *Service) isFresh(one Session) bool { return s.now().Sub(one.AuthAt) <= s.cfg.Fresh }
