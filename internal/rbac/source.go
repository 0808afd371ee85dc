package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// SourceRole is a role that something gives for a time: from nil for at once, until nil for ever. It has no name of its own, so
// that the package on whose behalf it is can call it by its own word.
type SourceRole = struct {
	Role        string // id
	From, Until *time.Time
}

// SetSource makes the roles that a member holds on behalf of something else, such as "plan:" and the id of a membership,
// exactly these; all parameters of a role are bound to [Any]. A role that is to come and go twice has a grant for each time.
// What is so already is not written; no roles take all back. It joins the caller's transaction and asks nobody's leave: other
// domains call it. After the commit they call [Service.Sync]. Cost: 2 reads and 1 for each role, and 2 reads and 3 writes when something differs.
//
// Errors: NOT_FOUND for a role, RBAC_CYCLE, RBAC_DEPTH, LAST_ADMIN.
func (s *Service) SetSource(ctx context.Context, member ref.Ref, source string, roles []SourceRole) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		want, err := t.sourceGrants(ctx, member, source, roles)
		if err != nil {
			return err
		}
		have, err := t.ofSource(ctx, source)
		if err != nil {
			return err
		}
		gone := slices.DeleteFunc(slices.Clone(have), func(h Grant) bool { return slices.ContainsFunc(want, h.sameHold) })
		if _, err := t.cascade(ctx, gone, Cascade); err != nil {
			return err
		}
		for _, g := range want {
			if i := slices.IndexFunc(have, g.sameHold); i < 0 {
				_, err = t.put(ctx, g, false)
			} else {
				err = t.retime(ctx, have[i], g.NotBefore, g.ExpiresAt)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ofSource reads the grants of a source, for all times.
func (t *turn) ofSource(ctx context.Context, source string) (all []Grant, err error) {
	for i := range maxSourceTimes {
		some, err := t.s.store.grantsOfSource(ctx, sourceTime(source, i))
		if err != nil || len(some) == 0 && i > 0 {
			return all, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// retime changes when a grant counts.
func (t *turn) retime(ctx context.Context, g Grant, from, until *time.Time) error {
	same := func(a, b *time.Time) bool { return a == nil && b == nil || a != nil && b != nil && a.Equal(*b) }
	if same(g.NotBefore, from) && same(g.ExpiresAt, until) {
		return nil
	}
	if from != nil || until != nil {
		if err := t.keepsAdmin(ctx, g); err != nil {
			return err
		}
	}
	g.NotBefore, g.ExpiresAt, g.Ended = from, until, false
	t.record(change{kind: kindGrantChanged, Grant: &g})
	return t.s.store.replaceGrant(ctx, g)
}

// maxSourceTimes is how often one source gives the same role, one time after the other.
const maxSourceTimes = 3

// sourceTime is the source of the grant for the time n, from 0, that a source gives a role.
func sourceTime(source string, n int) string {
	if n == 0 {
		return source
	}
	return fmt.Sprintf("%s/%d", source, n+1)
}

func (t *turn) sourceGrants(ctx context.Context, member ref.Ref, source string, roles []SourceRole) ([]Grant, error) {
	want := make([]Grant, len(roles))
	times := map[string]int{}
	for i, r := range roles {
		role, err := t.s.store.role(ctx, r.Role)
		if err != nil {
			return nil, err
		}
		g := t.grant(ctx, member, r.Role, sourceTime(source, times[r.Role]))
		g.Bind, g.NotBefore, g.ExpiresAt = AnyBindings(role.Params), r.From, r.Until
		times[r.Role]++
		want[i] = g
	}
	return want, nil
}

// sameHold reports whether two grants differ in their times at most.
func (g Grant) sameHold(o Grant) bool {
	return g.Role == o.Role && g.Bind == o.Bind && g.Source == o.Source
}

// AnyBindings binds each parameter to [Any].
func AnyBindings(params []Param) Bindings {
	m := map[string]string{}
	for _, p := range params {
		m[p.Name] = Any
	}
	return BindingsOf(m)
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
