package session

import (
	"context"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

// End ends a session: the caller's own, or any for the system; who acts as somebody else may end that very session. Ending
// one twice is no error. The impersonations begun from it end with it. The event session.session.ended commits with each;
// once End has returned, this node refuses the tokens and everybody who watches has been told. Inside a caller's
// transaction that is the caller's to see to, by [Service.Forget] after the commit. Keys end by [Service.RevokeKey]. Cost:
// 2 reads, 2 writes.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN, NOT_FOUND, also for a session of somebody else.
func (s *Service) End(ctx context.Context, id string) error {
	a := actor.From(ctx)
	if a.Impersonator == "" || a.Session != id {
		if _, err := principal(ctx); err != nil {
			return err
		}
	}
	var ended []string
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		found, ok, err := s.store.byID(ctx, id)
		switch {
		case err != nil:
			return err
		case !ok, found.Kind != Interactive, !a.System && found.User != a.User:
			return fault.ErrNotFound
		}
		ended, err = s.endWith(ctx, found.Session, "")
		return err
	})
	if err == nil {
		s.told(ctx, ended...)
	}
	return err
}

// EndAllOf ends every session of a user, those in which they act as others and those in which others act as them too, and
// revokes every key, as [Service.End] does, and gives their ids. Users may for themselves, the system for anybody. Cost: 2
// reads, and 2 writes for each, in one transaction.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN, FORBIDDEN.
func (s *Service) EndAllOf(ctx context.Context, user string) ([]string, error) {
	return s.endEach(ctx, user, func(Session) bool { return true })
}

// EndOthersOf ends the sessions of a user but for the one to keep and what was begun from it, and no keys; otherwise it is
// [Service.EndAllOf].
func (s *Service) EndOthersOf(ctx context.Context, user, keep string) ([]string, error) {
	return s.endEach(ctx, user, func(one Session) bool {
		return one.Kind == Interactive && one.ID != keep && one.Parent != keep
	})
}

func (s *Service) endEach(ctx context.Context, user string, which func(Session) bool) ([]string, error) {
	a, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if !a.System && a.User != user {
		return nil, fault.ErrForbidden
	}
	var ended []string
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		ended = nil
		open, err := s.store.openOf(ctx, user, s.now())
		if err != nil {
			return err
		}
		acting, err := s.store.impersonationsBy(ctx, user, s.now())
		if err != nil {
			return err
		}
		for _, one := range append(open, acting...) {
			if !which(one) || slices.Contains(ended, one.ID) { // in both, for who acts as themself
				continue
			}
			if _, err := s.end(ctx, one, ""); err != nil {
				return err
			}
			ended = append(ended, one.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.told(ctx, ended...)
	return ended, nil
}

// DeleteAllOf ends what is open as [Service.EndAllOf] does, and then deletes every trace of a user from this package's
// collections: sessions, refresh tokens, keys and devices. It gives the ids of what it ended. The log keeps its facts.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN, FORBIDDEN.
func (s *Service) DeleteAllOf(ctx context.Context, user string) ([]string, error) {
	var ended []string
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if ended, err = s.EndAllOf(ctx, user); err != nil {
			return err
		}
		return s.store.deleteOf(ctx, user)
	})
	if err != nil {
		return nil, err
	}
	s.told(ctx, ended...)
	return ended, nil
}

// endWith ends a session and the impersonations begun from it, and gives the ids of all of them.
func (s *Service) endWith(ctx context.Context, one Session, reason string) ([]string, error) {
	if _, err := s.end(ctx, one, reason); err != nil {
		return nil, err
	}
	ended := []string{one.ID}
	acting, err := s.store.impersonationsBy(ctx, one.User, s.now())
	if err != nil {
		return nil, err
	}
	for _, child := range acting {
		if child.Parent != one.ID {
			continue
		}
		if _, err := s.end(ctx, child, reason); err != nil {
			return nil, err
		}
		ended = append(ended, child.ID)
	}
	return ended, nil
}

// end writes the end and its event, with the reason if there is one to tell. It gives the time of the end: an earlier one, if it had ended before.
func (s *Service) end(ctx context.Context, one Session, reason string) (time.Time, error) {
	if one.EndedAt != nil {
		return *one.EndedAt, nil
	}
	now, kind := s.now(), kindEnded
	if one.Kind == KindKey {
		kind = kindKeyRevoked
	}
	if err := s.store.end(ctx, one.ID, now); err != nil {
		return now, err
	}
	return now, s.events.Append(ctx, kind, one.Ref(), about{User: one.User, Reason: reason})
}

// told makes this node act on ends that have committed. Inside a transaction they have not.
func (s *Service) told(ctx context.Context, ids ...string) {
	if !store.InTransaction(ctx) {
		s.cache.forget(ids...)
	}
}

// Forget makes this node act on the end of sessions and keys at once: for flows that ended them in a transaction of their
// own, after its commit. It must not be told of a session that goes on: whoever watches that one would be cut off.
func (s *Service) Forget(ids ...string) { s.cache.forget(ids...) }

// Refreshed makes this node read a session anew that goes on with other secrets: for flows that renewed it in a
// transaction of their own, after its commit. Those who watch it notice nothing.
func (s *Service) Refreshed(id string) { s.cache.refresh(id) }
