package session

import (
	"context"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

// SetRole notes the role that the caller has activated for their session, in the words of whoever decides what it means, or with
// "" that all they hold counts again. It ends with the session. The event session.role.activated or session.role.reset commits
// with it and tells the other nodes. Cost: 1 read, 2 writes, 1 commit; nothing to change: 1 read.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN, SESSION_ENDED.
func (s *Service) SetRole(ctx context.Context, role string) error {
	a, err := principal(ctx)
	switch {
	case err != nil:
		return err
	case a.Session == "":
		return fault.ErrUnauthenticated
	}
	changed := false
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		found, ok, err := s.store.byID(ctx, a.Session)
		switch {
		case err != nil:
			return err
		case !ok, !s.limited(found.Session).Live(s.now()):
			return ErrEnded
		}
		if changed = found.Role != role; !changed {
			return nil
		}
		if err := s.store.setRole(ctx, a.Session, role); err != nil {
			return err
		}
		kind := kindRoleActivated
		if role == "" {
			kind = kindRoleReset
		}
		return s.events.Append(ctx, kind, found.Ref(), about{User: found.User, Role: role})
	})
	if err == nil && changed && !store.InTransaction(ctx) {
		s.turned(a.Session)
	}
	return err
}

// OnRole registers a function to call, on every node, with the id of a session whose role is another now: who acts by it must
// ask anew as whom. It must not block. Only before serving.
func (s *Service) OnRole(fn func(session string)) { s.onRole = append(s.onRole, fn) }

func (s *Service) turned(id string) {
	s.cache.refresh(id)
	for _, fn := range s.onRole {
		fn(id)
	}
}
