package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
)

// Reason is the resolver for the reason field.
func (r *decisionResolver) Reason(ctx context.Context, obj *rbac.Decision) (string, error) {
	return string(obj.Reason), nil
}

// Readers is the resolver for the readers field.
func (r *fieldRuleResolver) Readers(ctx context.Context, obj *rbac.FieldRule) ([]ref.Ref, error) {
	return refsOrNil(obj.Readers), nil
}

// Writers is the resolver for the writers field.
func (r *fieldRuleResolver) Writers(ctx context.Context, obj *rbac.FieldRule) ([]ref.Ref, error) {
	return refsOrNil(obj.Writers), nil
}

// Role is the resolver for the role field.
func (r *grantResolver) Role(ctx context.Context, obj *rbac.Grant) (*rbac.Role, error) {
	role, err := loader.Role(ctx, obj.Role)
	if err == nil && role == nil {
		return nil, fault.ErrNotFound
	}
	return role, err
}

// Bindings is the resolver for the bindings field.
func (r *grantResolver) Bindings(ctx context.Context, obj *rbac.Grant) (string, error) {
	return string(obj.Bind), nil
}

// Via is the resolver for the via field.
func (r *grantResolver) Via(ctx context.Context, obj *rbac.Grant) (*ref.Ref, error) {
	if obj.Via == "" {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return new(ref.New(ref.Grant, obj.Via)), nil
}

// CreateRole is the resolver for the createRole field.
func (r *mutationResolver) CreateRole(ctx context.Context, input model.CreateRoleInput) (*model.CreateRolePayload, error) {
	role, err := r.Rights.CreateRole(ctx, createRoleCmd(input))
	if err != nil {
		return nil, err
	}
	return &model.CreateRolePayload{Role: role, Rev: int(r.Rights.Rev())}, nil
}

// UpdateRole is the resolver for the updateRole field.
func (r *mutationResolver) UpdateRole(ctx context.Context, input model.UpdateRoleInput) (*model.UpdateRolePayload, error) {
	role, err := r.Rights.UpdateRole(ctx, updateRoleCmd(input))
	if err != nil {
		return nil, err
	}
	return &model.UpdateRolePayload{Role: role, Rev: int(r.Rights.Rev())}, nil
}

// DeleteRole is the resolver for the deleteRole field.
func (r *mutationResolver) DeleteRole(ctx context.Context, input model.DeleteRoleInput) (*model.DeleteRolePayload, error) {
	gone, err := r.Rights.DeleteRole(ctx, idOf(ref.Role, input.Role), input.Mode)
	if err != nil {
		return nil, err
	}
	return &model.DeleteRolePayload{Role: input.Role, Grants: grantRefs(gone), Rev: int(r.Rights.Rev())}, nil
}

// GrantRole is the resolver for the grantRole field.
func (r *mutationResolver) GrantRole(ctx context.Context, input model.GrantRoleInput) (*model.GrantRolePayload, error) {
	g, err := r.Rights.Grant(ctx, grantCmd(input))
	if err != nil {
		return nil, err
	}
	return &model.GrantRolePayload{Grant: g, Rev: int(r.Rights.Rev())}, nil
}

// SetGrantOptions is the resolver for the setGrantOptions field.
func (r *mutationResolver) SetGrantOptions(ctx context.Context, input model.SetGrantOptionsInput) (*model.SetGrantOptionsPayload, error) {
	g, err := r.Rights.SetGrantOptions(ctx, optionsCmd(input))
	if err != nil {
		return nil, err
	}
	return &model.SetGrantOptionsPayload{Grant: g, Rev: int(r.Rights.Rev())}, nil
}

// RevokeGrant is the resolver for the revokeGrant field.
func (r *mutationResolver) RevokeGrant(ctx context.Context, input model.RevokeGrantInput) (*model.RevokeGrantPayload, error) {
	gone, err := r.Rights.Revoke(ctx, idOf(ref.Grant, input.Grant), input.Mode)
	if err != nil {
		return nil, err
	}
	return &model.RevokeGrantPayload{
		Grant: input.Grant, Revoked: grantRefs(gone.Grants), StillHeld: len(gone.StillHeld) > 0, StillHeldVia: grantRefs(gone.StillHeld),
		Rev: int(gone.Rev),
	}, nil
}

// ActivateRole is the resolver for the activateRole field.
func (r *mutationResolver) ActivateRole(ctx context.Context, input model.ActivateRoleInput) (*model.ActivateRolePayload, error) {
	id, bind := idOf(ref.Role, input.Role), toBindings(input.Bindings)
	if err := r.Auth.ActivateRole(ctx, id, bind); err != nil {
		return nil, err
	}
	me := actor.From(ctx)
	me.Role = string(rbac.InstanceOf(id, bind))
	role, _, ok := r.Rights.Active(actor.With(ctx, me))
	if !ok {
		return nil, rbac.ErrNotSettable // the chain was lost in this moment
	}
	return &model.ActivateRolePayload{ActiveRole: model.ActiveRole{Role: role, Bindings: string(bind)}}, nil
}

// ResetRole is the resolver for the resetRole field.
func (r *mutationResolver) ResetRole(ctx context.Context) (*model.ResetRolePayload, error) {
	if err := r.Auth.ResetRole(ctx); err != nil {
		return nil, err
	}
	me := actor.From(ctx)
	me.Role = ""
	return &model.ResetRolePayload{Permissions: r.Rights.PermissionsOf(actor.With(ctx, me))}, nil
}

// RequestObjectGrant is the resolver for the requestObjectGrant field.
func (r *mutationResolver) RequestObjectGrant(ctx context.Context, input model.RequestObjectGrantInput) (*model.RequestObjectGrantPayload, error) {
	o, err := r.Rights.RequestObject(ctx, rbac.ObjectGrantCmd{
		Permission: input.Permission, On: input.On, Reason: input.Reason, ExpiresAt: input.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	return &model.RequestObjectGrantPayload{ObjectGrant: o}, nil
}

// GrantObject is the resolver for the grantObject field.
func (r *mutationResolver) GrantObject(ctx context.Context, input model.GrantObjectInput) (*model.GrantObjectPayload, error) {
	o, err := r.Rights.GrantObject(ctx, rbac.ObjectGrantCmd{
		Subject: input.Subject, Permission: input.Permission, On: input.On, Reason: input.Reason, ExpiresAt: input.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	return &model.GrantObjectPayload{ObjectGrant: o}, nil
}

// ApproveObjectGrant is the resolver for the approveObjectGrant field.
func (r *mutationResolver) ApproveObjectGrant(ctx context.Context, input model.ApproveObjectGrantInput) (*model.ApproveObjectGrantPayload, error) {
	o, err := r.Rights.ApproveObject(ctx, idOf(ref.ObjectGrant, input.ObjectGrant))
	if err != nil {
		return nil, err
	}
	return &model.ApproveObjectGrantPayload{ObjectGrant: o}, nil
}

// RevokeObjectGrant is the resolver for the revokeObjectGrant field.
func (r *mutationResolver) RevokeObjectGrant(ctx context.Context, input model.RevokeObjectGrantInput) (*model.RevokeObjectGrantPayload, error) {
	if err := r.Rights.RevokeObject(ctx, idOf(ref.ObjectGrant, input.ObjectGrant)); err != nil {
		return nil, err
	}
	return &model.RevokeObjectGrantPayload{ObjectGrant: input.ObjectGrant}, nil
}

// SetPredicate is the resolver for the setPredicate field.
func (r *mutationResolver) SetPredicate(ctx context.Context, input model.SetPredicateInput) (*model.SetPredicatePayload, error) {
	p, err := r.Rights.SetPredicate(ctx, rbac.PredicateCmd{
		Permission: input.Permission, Name: input.Name, Expression: input.Expression, Description: input.Description,
	})
	if err != nil {
		return nil, err
	}
	return &model.SetPredicatePayload{Predicate: p}, nil
}

// RemovePredicate is the resolver for the removePredicate field.
func (r *mutationResolver) RemovePredicate(ctx context.Context, input model.RemovePredicateInput) (*model.RemovePredicatePayload, error) {
	if err := r.Rights.RemovePredicate(ctx, idOf(ref.Predicate, input.Predicate)); err != nil {
		return nil, err
	}
	return &model.RemovePredicatePayload{Predicate: input.Predicate}, nil
}

// SetFieldRule is the resolver for the setFieldRule field.
func (r *mutationResolver) SetFieldRule(ctx context.Context, input model.SetFieldRuleInput) (*model.SetFieldRulePayload, error) {
	f, err := r.Rights.SetField(ctx, rbac.FieldCmd{
		On: input.On, Path: input.Path, Readers: idsOf(ref.Role, input.Readers), Writers: idsOf(ref.Role, input.Writers),
	})
	if err != nil {
		return nil, err
	}
	return &model.SetFieldRulePayload{FieldRule: f}, nil
}

// Can is the resolver for the can field.
func (r *queryResolver) Can(ctx context.Context, checks []model.CheckInput, user *ref.Ref, atLeastRev *int) ([]rbac.Decision, error) {
	asked, err := toChecks(checks)
	if err != nil {
		return nil, err
	}
	if err := r.await(ctx, atLeastRev); err != nil {
		return nil, err
	}
	if user == nil {
		return r.Rights.Can(ctx, asked), nil
	}
	return r.Rights.CanAs(ctx, idOf(ref.User, *user), asked)
}

// Explain is the resolver for the explain field.
func (r *queryResolver) Explain(ctx context.Context, user ref.Ref, check model.CheckInput, atLeastRev *int) (*model.Explanation, error) {
	if err := r.await(ctx, atLeastRev); err != nil {
		return nil, err
	}
	e, err := r.Rights.Explain(ctx, idOf(ref.User, user), toCheck(check))
	if err != nil {
		return nil, err
	}
	return explanation(e), nil
}

// WhoCan is the resolver for the whoCan field.
func (r *queryResolver) WhoCan(ctx context.Context, check model.CheckInput, limit int, after *string) (*model.Holders, error) {
	if limit < 1 || limit > rbac.MaxWho {
		return nil, fault.ErrInput.On("limit").Saying("1 to %d users are named at once", rbac.MaxWho)
	}
	from, err := cursorOf(after)
	if err != nil {
		return nil, err
	}
	found, err := r.Rights.WhoCan(ctx, toCheck(check), limit, from)
	if err != nil {
		return nil, err
	}
	return holders(found, after == nil), nil
}

// WhatCan is the resolver for the whatCan field.
func (r *queryResolver) WhatCan(ctx context.Context, user ref.Ref, on ref.Ref) ([]string, error) {
	return r.Rights.WhatCan(ctx, idOf(ref.User, user), on)
}

// PermissionsOf is the resolver for the permissionsOf field.
func (r *queryResolver) PermissionsOf(ctx context.Context, user ref.Ref) ([]string, error) {
	all, err := r.Rights.RightsOf(ctx, idOf(ref.User, user))
	return asStrings(all), err
}

// SimulatePolicy is the resolver for the simulatePolicy field.
func (r *queryResolver) SimulatePolicy(ctx context.Context, changes []model.PolicyChangeInput) (*model.Simulation, error) {
	s, err := r.Rights.Simulate(ctx, toOps(changes))
	if err != nil {
		return nil, err
	}
	out := &model.Simulation{Diffs: make([]model.PolicyDiff, len(s.Diffs)), Complete: s.Complete, Rev: int(s.Rev)}
	for i, d := range s.Diffs {
		out.Diffs[i] = model.PolicyDiff{User: ref.New(ref.User, d.User), Gains: asStrings(d.Gains), Loses: asStrings(d.Loses)}
	}
	return out, nil
}

// Roles is the resolver for the roles field.
func (r *queryResolver) Roles(ctx context.Context, first *int, after *string, last *int, before *string) (*model.RoleConnection, error) {
	p, err := r.Rights.List(ctx, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.RoleConnection{
		Nodes: p.Items, PageInfo: pageInfo(p),
		Edges: edges(ctx, p, func(cursor string, node rbac.Role) model.RoleEdge {
			return model.RoleEdge{Cursor: cursor, Node: node}
		}),
	}, nil
}

// RoleEdges is the resolver for the roleEdges field.
func (r *queryResolver) RoleEdges(ctx context.Context) ([]rbac.Grant, error) {
	return r.Rights.Edges(ctx)
}

// Permissions is the resolver for the permissions field.
func (r *queryResolver) Permissions(ctx context.Context) ([]rbac.Permission, error) {
	return r.Rights.Catalogue(ctx)
}

// Grants is the resolver for the grants field.
func (r *queryResolver) Grants(ctx context.Context, member ref.Ref) ([]rbac.Grant, error) {
	return r.Rights.GrantsOf(ctx, member)
}

// MyGrants is the resolver for the myGrants field.
func (r *queryResolver) MyGrants(ctx context.Context) ([]rbac.Grant, error) {
	return r.Rights.MyGrants(ctx)
}

// ObjectGrants is the resolver for the objectGrants field.
func (r *queryResolver) ObjectGrants(ctx context.Context, on ref.Ref) ([]rbac.ObjectGrant, error) {
	return r.Rights.ObjectGrants(ctx, on)
}

// Predicates is the resolver for the predicates field.
func (r *queryResolver) Predicates(ctx context.Context) ([]rbac.Predicate, error) {
	return r.Rights.Predicates(ctx)
}

// FieldRules is the resolver for the fieldRules field.
func (r *queryResolver) FieldRules(ctx context.Context, on ref.Ref) ([]rbac.FieldRule, error) {
	return r.Rights.FieldRules(ctx, on)
}

// Permissions is the resolver for the permissions field.
func (r *roleResolver) Permissions(ctx context.Context, obj *rbac.Role) ([]string, error) {
	return asStrings(obj.Permissions), nil
}

// EffectivePermissions is the resolver for the effectivePermissions field.
func (r *roleResolver) EffectivePermissions(ctx context.Context, obj *rbac.Role) ([]string, error) {
	return r.Rights.Effective(obj.ID), nil
}

// Includes is the resolver for the includes field.
func (r *roleResolver) Includes(ctx context.Context, obj *rbac.Role) ([]rbac.Role, error) {
	return r.Rights.Includes(obj.ID), nil
}

// Decision returns generated.DecisionResolver implementation.
func (r *Resolver) Decision() generated.DecisionResolver { return &decisionResolver{r} }

// FieldRule returns generated.FieldRuleResolver implementation.
func (r *Resolver) FieldRule() generated.FieldRuleResolver { return &fieldRuleResolver{r} }

// Grant returns generated.GrantResolver implementation.
func (r *Resolver) Grant() generated.GrantResolver { return &grantResolver{r} }

// Role returns generated.RoleResolver implementation.
func (r *Resolver) Role() generated.RoleResolver { return &roleResolver{r} }

type (
	decisionResolver  struct{ *Resolver }
	fieldRuleResolver struct{ *Resolver }
	grantResolver     struct{ *Resolver }
	roleResolver      struct{ *Resolver }
)
