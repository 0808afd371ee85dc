package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
)

// idOf is the id that r points at if it points at an object of that type, else "", which is the id of nothing.
func idOf(typ string, r ref.Ref) string {
	if r.Type != typ {
		return ""
	}
	return r.ID
}

// toChecks are the questions of `can`.
func toChecks(in []model.CheckInput) ([]rbac.Check, error) {
	if len(in) > rbac.MaxChecks {
		return nil, fault.ErrInput.On("checks").Saying("at most %d questions can be asked at once", rbac.MaxChecks)
	}
	checks := make([]rbac.Check, len(in))
	for i, c := range in {
		checks[i] = toCheck(c)
	}
	return checks, nil
}

func toCheck(in model.CheckInput) rbac.Check {
	c := rbac.Check{Permission: in.Permission, Args: map[string]string{}}
	if in.On != nil {
		c.On = *in.On
	}
	for _, a := range in.Args {
		c.Args[a.Name] = a.Value
	}
	return c
}

// await makes sure that the policy in force is of that revision at least; nil for any.
func (r *Resolver) await(ctx context.Context, rev *int) error {
	if rev == nil {
		return nil
	}
	return r.Rights.Await(ctx, int64(*rev))
}

func toBindings(in []model.ArgInput) rbac.Bindings {
	m := make(map[string]string, len(in))
	for _, a := range in {
		m[a.Name] = a.Value
	}
	return rbac.BindingsOf(m)
}

func toInstances(in []string) []rbac.Instance {
	all := make([]rbac.Instance, len(in))
	for i, s := range in {
		all[i] = rbac.Instance(s)
	}
	return all
}

func asStrings(in []rbac.Instance) []string {
	all := make([]string, len(in))
	for i, s := range in {
		all[i] = string(s)
	}
	return all
}

func createRoleCmd(in model.CreateRoleInput) rbac.CreateRoleCmd {
	c := rbac.CreateRoleCmd{Key: in.Key, Name: in.Name, Description: in.Description, Permissions: toInstances(in.Permissions)}
	for _, p := range in.Params {
		c.Params = append(c.Params, rbac.Param{Name: p.Name, Type: p.Type, Values: p.Values})
	}
	return c
}

func updateRoleCmd(in model.UpdateRoleInput) rbac.UpdateRoleCmd {
	return rbac.UpdateRoleCmd{
		Role: idOf(ref.Role, in.Role), Name: in.Name, Description: in.Description, Add: toInstances(in.Add), Remove: toInstances(in.Remove),
	}
}

func grantCmd(in model.GrantRoleInput) rbac.GrantCmd {
	return rbac.GrantCmd{
		Role: idOf(ref.Role, in.Role), Member: in.Member, Bind: toBindings(in.Bindings), NoInherit: !in.Inherit, NoSet: !in.Set, Admin: in.Admin,
		NotBefore: in.NotBefore, ExpiresAt: in.ExpiresAt, Reason: in.Reason,
	}
}

func optionsCmd(in model.SetGrantOptionsInput) rbac.OptionsCmd {
	return rbac.OptionsCmd{Grant: idOf(ref.Grant, in.Grant), NoInherit: !in.Inherit, NoSet: !in.Set, Admin: in.Admin, Mode: in.Mode}
}

func toOps(in []model.PolicyChangeInput) []rbac.Op {
	ops := make([]rbac.Op, len(in))
	for i, c := range in {
		op := &ops[i]
		switch {
		case c.GrantRole != nil:
			op.Grant = new(grantCmd(*c.GrantRole))
		case c.RevokeGrant != nil:
			op.Revoke = idOf(ref.Grant, *c.RevokeGrant)
		case c.SetGrantOptions != nil:
			op.Options = new(optionsCmd(*c.SetGrantOptions))
		case c.CreateRole != nil:
			op.CreateRole = new(createRoleCmd(*c.CreateRole))
		case c.UpdateRole != nil:
			op.UpdateRole = new(updateRoleCmd(*c.UpdateRole))
		case c.DeleteRole != nil:
			op.DeleteRole = idOf(ref.Role, *c.DeleteRole)
		}
	}
	return ops
}

// grantRefs are the global ids of grants.
func grantRefs(ids []string) []ref.Ref { return refsOf(ref.Grant, ids) }

func refsOf(typ string, ids []string) []ref.Ref {
	refs := make([]ref.Ref, len(ids))
	for i, id := range ids {
		refs[i] = ref.New(typ, id)
	}
	return refs
}

// idsOf are the ids of objects of a type; nil stays nil.
func idsOf(typ string, refs []ref.Ref) []string {
	if refs == nil {
		return nil
	}
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = idOf(typ, r)
	}
	return ids
}

// explanation is an answer in the words of the schema.
func explanation(e rbac.Explanation) *model.Explanation {
	out := &model.Explanation{
		Decision: e.Decision, Text: e.Text(), SupportingGrants: e.Supporting, Missing: append([]string{}, e.Missing...),
		Path: make([]model.ExplainStep, len(e.Path)), Predicates: make([]model.PredicateVerdict, len(e.Predicates)), Roles: make([]string, len(e.Roles)),
	}
	for i, s := range e.Path {
		out.Path[i] = model.ExplainStep{Grant: ref.New(ref.Grant, s.Grant), Role: string(rbac.InstanceOf(s.Role.Key, s.Bind))}
	}
	for i, v := range e.Predicates {
		out.Predicates[i] = model.PredicateVerdict{Name: v.Name, Expression: v.Expression, Outcome: model.PredicateOutcome(v.Outcome.String())}
	}
	for i, r := range e.Roles {
		out.Roles[i] = r.Key
	}
	if e.Object != "" {
		out.ObjectGrant = new(ref.New(ref.ObjectGrant, e.Object))
	}
	return out
}

// refsOrNil are the global ids of roles; nil stays nil.
func refsOrNil(ids []string) []ref.Ref {
	if ids == nil {
		return nil
	}
	return refsOf(ref.Role, ids)
}

// cursorOf is the id in the cursor of a list of users; empty without one.
func cursorOf(after *string) (string, error) {
	if after == nil {
		return "", nil
	}
	c, err := page.Decode(*after, 1)
	if err != nil {
		return "", err
	}
	id, ok := c[0].(string)
	if !ok {
		return "", page.ErrCursor
	}
	return id, nil
}

// holders is one page of the users who may do something; the first or a later one.
func holders(found rbac.Holders, first bool) *model.Holders {
	out := &model.Holders{Users: refsOf(ref.User, found.Users), Complete: found.Complete && first, Rev: int(found.Rev)}
	if !found.Complete {
		out.EndCursor = new(page.Cursor{found.Users[len(found.Users)-1]}.Encode())
	}
	return out
}
