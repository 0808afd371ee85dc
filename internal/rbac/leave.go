package rbac

import (
	"context"
	"slices"

	"github.com/backendbook/backendbook/internal/ref"
)

// Grantable is the role of that key, if the caller may grant it now. For flows that grant it later, such as an invitation:
// [Service.Grant] decides again then.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, RBAC_ESCALATION with the permissions missing.
func (s *Service) Grantable(ctx context.Context, key string) (Role, error) {
	if err := s.Require(ctx, PermGrantWrite, ref.Ref{}); err != nil {
		return Role{}, err
	}
	var r Role
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) { // a turn that writes nothing, for its view of the policy
		if r, err = s.store.roleByKey(ctx, key); err != nil {
			return err
		}
		return t.authorize(ctx, PermGrantWrite, closureOf(r.ID))
	})
	if err != nil {
		return Role{}, err
	}
	return r, nil
}

// HoldsAny reports whether the user holds one of the roles now, by whatever way. Unknown keys are held by nobody. It looks
// into memory, and it is asked what a role obliges to: a node that has lost sight of the policy says yes.
func (s *Service) HoldsAny(user string, keys []string) bool {
	if user == "" || len(keys) == 0 {
		return false
	}
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil {
		return true
	}
	return slices.ContainsFunc(p.people.of(user), func(h hold) bool {
		return now < h.until && slices.ContainsFunc(keys, func(key string) bool {
			row, ok := p.graph.keys[key]
			return ok && p.graph.reaches(h.role, row, now)
		})
	})
}

// MayLeave refuses a user without whom nobody would administer the server. Cost: two reads.
//
// Errors: LAST_ADMIN.
func (s *Service) MayLeave(ctx context.Context, user string) error {
	r, err := s.store.roleByKey(ctx, RoleAdmin)
	if err != nil {
		return hide(err)
	}
	own, err := s.store.grantsOf(ctx, ref.New(ref.User, user))
	if err != nil {
		return err
	}
	for _, g := range own {
		if g.Role != r.ID {
			continue
		}
		switch others, err := s.store.heldForEver(ctx, r.ID, g.ID); {
		case err != nil:
			return err
		case !others:
			return ErrLastAdmin
		}
	}
	return nil
}

// ForgetUser takes back all that a user holds, whoever granted it. It joins the caller's transaction and asks
// nobody's leave: the flow that deletes an account calls it. Cost: 1 read, and 1 read and 3 writes for each grant.
//
// Errors: LAST_ADMIN.
func (s *Service) ForgetUser(ctx context.Context, user string) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		own, err := s.store.grantsOf(ctx, ref.New(ref.User, user))
		if err != nil {
			return err
		}
		for _, g := range own {
			if err := t.drop(ctx, g); err != nil {
				return err
			}
		}
		return nil
	})
}
