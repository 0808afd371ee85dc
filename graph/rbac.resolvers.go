package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
)

// Reason is the resolver for the reason field.
func (r *decisionResolver) Reason(ctx context.Context, obj *rbac.Decision) (string, error) {
	return string(obj.Reason), nil
}

// Role is the resolver for the role field.
func (r *grantResolver) Role(ctx context.Context, obj *rbac.Grant) (*rbac.Role, error) {
	role, err := loader.Role(ctx, obj.Role)
	if err == nil && role == nil {
		return nil, fault.ErrNotFound
	}
	return role, err
}

// CreateRole is the resolver for the createRole field.
func (r *mutationResolver) CreateRole(ctx context.Context, input model.CreateRoleInput) (*model.CreateRolePayload, error) {
	role, err := r.Rights.CreateRole(ctx, rbac.CreateRoleCmd{
		Key: input.Key, Name: input.Name, Description: input.Description, Permissions: input.Permissions,
	})
	if err != nil {
		return nil, err
	}
	return &model.CreateRolePayload{Role: role}, nil
}

// GrantRole is the resolver for the grantRole field.
func (r *mutationResolver) GrantRole(ctx context.Context, input model.GrantRoleInput) (*model.GrantRolePayload, error) {
	g, err := r.Rights.Grant(ctx, rbac.GrantCmd{Role: idOf(ref.Role, input.Role), Member: input.Member, ExpiresAt: input.ExpiresAt})
	if err != nil {
		return nil, err
	}
	return &model.GrantRolePayload{Grant: g}, nil
}

// RevokeGrant is the resolver for the revokeGrant field.
func (r *mutationResolver) RevokeGrant(ctx context.Context, input model.RevokeGrantInput) (*model.RevokeGrantPayload, error) {
	held, err := r.Rights.Revoke(ctx, idOf(ref.Grant, input.Grant))
	if err != nil {
		return nil, err
	}
	return &model.RevokeGrantPayload{Grant: input.Grant, StillHeld: held}, nil
}

// Can is the resolver for the can field.
func (r *queryResolver) Can(ctx context.Context, checks []model.CheckInput) ([]rbac.Decision, error) {
	asked, err := toChecks(checks)
	if err != nil {
		return nil, err
	}
	return r.Rights.Can(ctx, asked), nil
}

// Roles is the resolver for the roles field.
func (r *queryResolver) Roles(ctx context.Context, first *int, after *string, last *int, before *string) (*model.RoleConnection, error) {
	p, err := r.Rights.List(ctx, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.RoleConnection{
		Nodes: p.Items, PageInfo: pageInfo(p),
		Edges: edges(p, func(cursor string, node rbac.Role) model.RoleEdge {
			return model.RoleEdge{Cursor: cursor, Node: node}
		}),
	}, nil
}

// Permissions is the resolver for the permissions field.
func (r *queryResolver) Permissions(ctx context.Context) ([]rbac.Permission, error) {
	return r.Rights.Catalogue(ctx)
}

// Grants is the resolver for the grants field.
func (r *queryResolver) Grants(ctx context.Context, member ref.Ref) ([]rbac.Grant, error) {
	return r.Rights.GrantsOf(ctx, member)
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

// Grant returns generated.GrantResolver implementation.
func (r *Resolver) Grant() generated.GrantResolver { return &grantResolver{r} }

// Role returns generated.RoleResolver implementation.
func (r *Resolver) Role() generated.RoleResolver { return &roleResolver{r} }

type (
	decisionResolver struct{ *Resolver }
	grantResolver    struct{ *Resolver }
	roleResolver     struct{ *Resolver }
)
