package rbac

import (
	"context"
	"errors"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// MayGrant refuses who may not let somebody hold a role with all of its parameters bound to [Any], for ever: what other domains ask
// before something is to give that role. Cost: 1 read; on a node that is behind 5 reads more.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, RBAC_ESCALATION with what is missing.
func (s *Service) MayGrant(ctx context.Context, role string) error {
	if err := s.administers(ctx); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		t := &turn{s: s}
		r, err := s.store.role(ctx, role)
		if err != nil {
			return err
		}
		g := t.grant(ctx, ref.New(ref.User, ref.NewID()), role, SourceManual) // to whoever it may be
		g.Bind = AnyBindings(r.Params)
		_, err = t.mayGrant(ctx, g)
		return err
	})
}

// RoleID is the id of the role of that key. It asks nobody's leave: other domains call it.
//
// Errors: NOT_FOUND.
func (s *Service) RoleID(ctx context.Context, key string) (string, error) {
	r, err := s.store.roleByKey(ctx, key)
	return r.ID, err
}

// RoleKey is the key of the role of that id; empty for one that is no more. It asks nobody's leave: other domains call it.
func (s *Service) RoleKey(ctx context.Context, id string) (string, error) {
	r, err := s.store.role(ctx, id)
	if errors.Is(err, fault.ErrNotFound) {
		return "", nil
	}
	return r.Key, err
}
