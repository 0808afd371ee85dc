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

// GrantDefault lets a new user hold the role member. It joins the caller's transaction and asks nobody's leave: flows
// call it. After the commit they call [Service.Sync]. Cost: 2 reads, 3 writes.
func (s *Service) GrantDefault(ctx context.Context, user string) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		r, err := s.store.roleByKey(ctx, RoleMember)
		if err != nil {
			return fmt.Errorf("the role %s, which bootstrap makes, is not there: %w", RoleMember, hide(err))
		}
		_, err = t.put(ctx, t.grant(ctx, ref.New(ref.User, user), r.ID, SourceDefault), false)
		return err
	})
}

// GrantSource lets a member hold a role on behalf of something else, such as "plan:" and the id of a membership; all
// parameters of the role are bound to [Any]. It joins the caller's transaction and asks nobody's leave: other domains call it.
// After the commit they call [Service.Sync]. Cost: 2 reads, 3 writes.
//
// Errors: NOT_FOUND for the role, RBAC_CYCLE, RBAC_DEPTH.
func (s *Service) GrantSource(ctx context.Context, member ref.Ref, roleID, source string) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		r, err := s.store.role(ctx, roleID)
		if err != nil {
			return err
		}
		g := t.grant(ctx, member, roleID, source)
		g.Bind = AnyBindings(r.Params)
		_, err = t.put(ctx, g, false)
		return err
	})
}

// AnyBindings binds each parameter to [Any].
func AnyBindings(params []Param) Bindings {
	m := map[string]string{}
	for _, p := range params {
		m[p.Name] = Any
	}
	return BindingsOf(m)
}

// RevokeSource takes back all that was granted on behalf of a source; nothing is no error. It joins the caller's
// transaction and asks nobody's leave. Cost: 2 reads and 1 write, and 1 read and 2 writes for each grant.
//
// Errors: LAST_ADMIN.
func (s *Service) RevokeSource(ctx context.Context, source string) error {
	return s.dropAll(ctx, func(ctx context.Context) ([]Grant, error) { return s.store.grantsOfSource(ctx, source) }, nil)
}

// ForgetUser takes back all that a user holds, whoever granted it. It joins the caller's transaction and asks
// nobody's leave: the flow that deletes an account calls it. Cost: 3 reads and 1 write, and 1 read and 2 writes for each grant.
//
// Errors: LAST_ADMIN.
func (s *Service) ForgetUser(ctx context.Context, user string) error {
	who := ref.New(ref.User, user)
	return s.dropAll(ctx,
		func(ctx context.Context) ([]Grant, error) { return s.store.grantsOf(ctx, who) },
		func(ctx context.Context) ([]ObjectGrant, error) { return s.store.objectGrantsOf(ctx, who) })
}

func (s *Service) dropAll(
	ctx context.Context, grants func(context.Context) ([]Grant, error), objects func(context.Context) ([]ObjectGrant, error),
) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		own, err := grants(ctx)
		if err != nil {
			return err
		}
		if _, err := t.cascade(ctx, own, Cascade); err != nil {
			return err
		}
		if objects == nil {
			return nil
		}
		alone, err := objects(ctx)
		if err != nil {
			return err
		}
		for _, o := range alone {
			if err := t.dropObject(ctx, o); err != nil {
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
	plain := slices.DeleteFunc(slices.Clone(spec.Permissions), func(i Instance) bool { return i == Every })
	if err := t.s.cat.known(plain, spec.Params); err != nil {
		return err
	}
	want, err := CreateRoleCmd{Key: spec.Key, Name: spec.Name, Description: spec.Description, Params: spec.Params, Permissions: spec.Permissions}.role(ref.NewID(), t.s.now())
	if err != nil {
		return err
	}
	have, err := t.s.store.roleByKey(ctx, spec.Key)
	if errors.Is(err, fault.ErrNotFound) {
		t.record(change{kind: kindRoleCreated, Role: &want})
		return t.s.store.insertRole(ctx, want)
	}
	if err != nil {
		return err
	}
	merged := normal(append(slices.Clone(have.Permissions), want.Permissions...))
	if slices.Equal(merged, have.Permissions) {
		return nil
	}
	have.Permissions = merged
	t.record(change{kind: kindRoleUpdated, Role: &have})
	return t.s.store.replaceRole(ctx, have)
}

func (t *turn) ensureIncludes(ctx context.Context, spec RoleSpec) error {
	member, err := t.s.store.roleByKey(ctx, spec.Key)
	if err != nil {
		return hide(err)
	}
	for _, instance := range spec.Includes {
		key, b := instance.Split()
		role, err := t.s.store.roleByKey(ctx, key)
		if err != nil {
			return fault.ErrNotFound.Saying("there is no role %s to include", key)
		}
		if err := checkBindings(b, role.Params, member.Params); err != nil {
			return err
		}
		g := t.grant(ctx, member.Ref(), role.ID, SourceBootstrap)
		g.Bind = b
		if _, err := t.put(ctx, g, false); err != nil {
			return err
		}
	}
	return nil
}
