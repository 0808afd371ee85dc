package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// CreateRole makes a role. Needs rbac.role.write, and every permission the role is to have. The event
// rbac.role.created commits with it. Cost: 2 reads, 3 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, BAD_USER_INPUT, UNKNOWN_PERMISSION with the permission in the
// details, RBAC_ESCALATION with those missing, ROLE_KEY_TAKEN, COMMIT_UNKNOWN.
func (s *Service) CreateRole(ctx context.Context, c CreateRoleCmd) (Role, error) {
	if err := s.Require(ctx, PermRoleWrite, ref.Ref{}); err != nil {
		return Role{}, err
	}
	r, err := c.role(ref.NewID(), s.now())
	if err != nil {
		return Role{}, err
	}
	if err := s.cat.known(r.Permissions); err != nil {
		return Role{}, err
	}
	err = s.write(ctx, func(ctx context.Context, t *turn) error {
		given := s.cat.of(r.Permissions)
		if err := t.authorize(ctx, PermRoleWrite, func(*policy) set { return given }); err != nil {
			return err
		}
		if _, err := s.store.roleByKey(ctx, r.Key); err == nil {
			return ErrKeyTaken.On("input.key")
		} else if !errors.Is(err, fault.ErrNotFound) {
			return err
		}
		if err := t.record(ctx, change{kind: kindRoleCreated, Role: &r}); err != nil {
			return err
		}
		return s.store.insertRole(ctx, r)
	})
	if err != nil {
		return Role{}, err
	}
	return r, nil
}

// Grant lets a user or a role hold a role. Needs rbac.grant.write, and every permission the role gives. If the member
// holds it already by a grant that lasts as long, that one is the answer; one that ends sooner is extended. The event
// rbac.grant.created or rbac.grant.extended commits with it. Cost: 3 reads, 3 writes, 1 commit; on a node that is behind
// 3 reads more.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, BAD_USER_INPUT, NOT_FOUND, RBAC_ESCALATION with the permissions
// missing, RBAC_CYCLE with the path of role keys, RBAC_DEPTH, COMMIT_UNKNOWN.
func (s *Service) Grant(ctx context.Context, c GrantCmd) (Grant, error) {
	if err := s.Require(ctx, PermGrantWrite, ref.Ref{}); err != nil {
		return Grant{}, err
	}
	if err := c.check(s.now()); err != nil {
		return Grant{}, err
	}
	var g Grant
	err := s.write(ctx, func(ctx context.Context, t *turn) error {
		if _, err := s.store.role(ctx, c.Role); err != nil {
			return blame(err, "input.role")
		}
		if err := s.memberExists(ctx, c.Member); err != nil {
			return blame(err, "input.member")
		}
		if err := t.authorize(ctx, PermGrantWrite, closureOf(c.Role)); err != nil {
			return err
		}
		g = t.grant(ctx, c.Member, c.Role, SourceManual)
		g.ExpiresAt = c.ExpiresAt
		var err error
		g, err = t.put(ctx, g)
		return err
	})
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

// Revoke takes a grant back: it counts no more when Revoke returns. Needs rbac.grant.write, and every permission the role
// gives. stillHeld tells whether the member has the role by another way. The event rbac.grant.revoked commits with it.
// Cost: 4 reads, 3 writes, 1 commit; on a node that is behind 3 reads more.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, RBAC_ESCALATION, LAST_ADMIN, COMMIT_UNKNOWN.
func (s *Service) Revoke(ctx context.Context, grantID string) (stillHeld bool, err error) {
	if err := s.Require(ctx, PermGrantWrite, ref.Ref{}); err != nil {
		return false, err
	}
	err = s.write(ctx, func(ctx context.Context, t *turn) error {
		g, err := s.store.grant(ctx, grantID)
		if err != nil {
			return err
		}
		if err := t.authorize(ctx, PermGrantWrite, closureOf(g.Role)); err != nil {
			return err
		}
		if err := t.drop(ctx, g); err != nil {
			return err
		}
		stillHeld, err = t.holds(ctx, g.Member, g.Role)
		return err
	})
	return stillHeld, err
}

// GrantDefault lets a new user hold the role member. It joins the caller's transaction and asks nobody's leave: flows
// call it. After the commit they call [Service.Sync]. Cost: 2 reads, 3 writes.
func (s *Service) GrantDefault(ctx context.Context, user string) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		r, err := s.store.roleByKey(ctx, RoleMember)
		if err != nil {
			return fmt.Errorf("the role %s, which bootstrap makes, is not there: %w", RoleMember, hide(err))
		}
		_, err = t.put(ctx, t.grant(ctx, ref.New(ref.User, user), r.ID, SourceDefault))
		return err
	})
}

// GrantSource lets a member hold a role on behalf of something else, such as "plan:" and the id of a membership. It joins
// the caller's transaction and asks nobody's leave: other domains call it. After the commit they call [Service.Sync].
// Cost: 2 reads, 3 writes.
//
// Errors: NOT_FOUND for the role, RBAC_CYCLE, RBAC_DEPTH.
func (s *Service) GrantSource(ctx context.Context, member ref.Ref, roleID, source string) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		if _, err := s.store.role(ctx, roleID); err != nil {
			return err
		}
		_, err := t.put(ctx, t.grant(ctx, member, roleID, source))
		return err
	})
}

// RevokeSource takes back all that was granted on behalf of a source; nothing is no error. It joins the caller's
// transaction and asks nobody's leave. Cost: 1 read, and 1 read and 3 writes for each grant.
//
// Errors: LAST_ADMIN.
func (s *Service) RevokeSource(ctx context.Context, source string) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		all, err := s.store.grantsOfSource(ctx, source)
		if err != nil {
			return err
		}
		for _, g := range all {
			if err := t.drop(ctx, g); err != nil {
				return err
			}
		}
		return nil
	})
}

// Ensure makes the roles that are missing, gives those that are there the permissions they lack, and lets them include
// what they are to include; it takes nothing away. A second call changes nothing. Only the system may: it is how
// bootstrap and seeds begin. Roles may include one another in any order.
//
// Errors: FORBIDDEN, BAD_USER_INPUT, UNKNOWN_PERMISSION, NOT_FOUND for a role to include, RBAC_CYCLE, RBAC_DEPTH.
func (s *Service) Ensure(ctx context.Context, specs []RoleSpec) error {
	if !actor.From(ctx).System {
		return fault.ErrForbidden
	}
	for _, spec := range specs {
		if err := s.cat.known(slices.DeleteFunc(slices.Clone(spec.Permissions), func(k string) bool { return k == Every })); err != nil {
			return err
		}
	}
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		for _, spec := range specs {
			if err := t.ensureRole(ctx, spec); err != nil {
				return fmt.Errorf("role %s: %w", spec.Key, err)
			}
		}
		for _, spec := range specs {
			if err := t.ensureIncludes(ctx, spec); err != nil {
				return fmt.Errorf("role %s: %w", spec.Key, err)
			}
		}
		return nil
	})
}

func (t *turn) ensureRole(ctx context.Context, spec RoleSpec) error {
	want, err := CreateRoleCmd{spec.Key, spec.Name, spec.Description, spec.Permissions}.role(ref.NewID(), t.s.now())
	if err != nil {
		return err
	}
	have, err := t.s.store.roleByKey(ctx, spec.Key)
	if errors.Is(err, fault.ErrNotFound) {
		if err := t.record(ctx, change{kind: kindRoleCreated, Role: &want}); err != nil {
			return err
		}
		return t.s.store.insertRole(ctx, want)
	}
	if err != nil {
		return err
	}
	merged := canonical(append(slices.Clone(have.Permissions), want.Permissions...))
	if slices.Equal(merged, have.Permissions) {
		return nil
	}
	have.Permissions = merged
	if err := t.record(ctx, change{kind: kindRoleUpdated, Role: &have}); err != nil {
		return err
	}
	return t.s.store.setPermissions(ctx, have)
}

func (t *turn) ensureIncludes(ctx context.Context, spec RoleSpec) error {
	p, err := t.policy(ctx)
	if err != nil {
		return err
	}
	for _, key := range spec.Includes {
		row, ok := p.graph.keys[key]
		if !ok {
			return fault.ErrNotFound.Saying("there is no role %s to include", key)
		}
		member := p.graph.roles[p.graph.keys[spec.Key]].Ref()
		if _, err := t.put(ctx, t.grant(ctx, member, p.graph.roles[row].ID, SourceBootstrap)); err != nil {
			return err
		}
	}
	return nil
}

// memberExists refuses a member that is not there, as far as this package can know.
func (s *Service) memberExists(ctx context.Context, member ref.Ref) error {
	if member.Type == ref.Role {
		_, err := s.store.role(ctx, member.ID)
		return err
	}
	if s.cfg.UserExists == nil {
		return nil
	}
	ok, err := s.cfg.UserExists(ctx, member.ID)
	if err == nil && !ok {
		return fault.ErrNotFound
	}
	return err
}

// holds reports whether the member has the role by any way, after the changes of this turn.
func (t *turn) holds(ctx context.Context, member ref.Ref, role string) (bool, error) {
	own, err := t.s.store.grantsOf(ctx, member)
	if err != nil {
		return false, err
	}
	p, err := t.policy(ctx)
	if err != nil {
		return false, err
	}
	at := t.s.now()
	return slices.ContainsFunc(own, func(g Grant) bool {
		return (g.ExpiresAt == nil || at.Before(*g.ExpiresAt)) &&
			p.graph.reaches(p.graph.rows[g.Role], p.graph.rows[role], at.UnixMilli())
	}), nil
}

// blame puts the input field on a NOT_FOUND.
func blame(err error, field string) error {
	if errors.Is(err, fault.ErrNotFound) {
		return fault.ErrNotFound.On(field)
	}
	return err
}

// hide makes a NOT_FOUND of ours an internal error: the client asked for nothing that is not there.
func hide(err error) error {
	if errors.Is(err, fault.ErrNotFound) {
		return fault.ErrInternal.Because(err)
	}
	return err
}
