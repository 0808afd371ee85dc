package rbac

import (
	"context"
	"slices"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
)

// Grantable is the role of that key, if the caller may grant it now. For flows that grant it later, such as an invitation:
// [Service.Grant] decides again then. A role with parameters is granted for any values of them.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, RBAC_ESCALATION with what is missing.
func (s *Service) Grantable(ctx context.Context, key string) (Role, error) {
	if err := s.administers(ctx); err != nil {
		return Role{}, err
	}
	var r Role
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) { // a turn that writes nothing, for its view of the policy
		if r, err = s.store.roleByKey(ctx, key); err != nil {
			return err
		}
		g := t.grant(ctx, ref.New(ref.User, actor.From(ctx).User), r.ID, SourceManual)
		g.Bind = AnyBindings(r.Params)
		_, err = t.mayGrant(ctx, g)
		return err
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
	who := p.people.of(user)
	ids := []string{}
	for _, key := range keys {
		if row, ok := p.graph.keys[key]; ok {
			ids = append(ids, p.graph.nodes[row].role.ID)
		}
	}
	return p.holdsAny(&who, ids, now)
}

// MayLeave refuses a user without whom nobody who can sign in would administer the server. Cost: three reads.
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
	now := s.now()
	if !slices.ContainsFunc(own, func(g Grant) bool { return g.Role == r.ID && g.unconditional(now) }) {
		return nil
	}
	return s.othersAdminister(ctx, r.ID, func(other Grant) bool { return other.Member.ID != user })
}
