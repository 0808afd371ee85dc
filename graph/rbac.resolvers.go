package graph

import (
	"context"
	"fmt"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/rbac"
)

// Reason is the resolver for the reason field.
func (r *decisionResolver) Reason(ctx context.Context, obj *rbac.Decision) (string, error) {
	panic(fmt.Errorf("not implemented: Reason - reason"))
}

// Role is the resolver for the role field.
func (r *grantResolver) Role(ctx context.Context, obj *rbac.Grant) (*rbac.Role, error) {
	panic(fmt.Errorf("not implemented: Role - role"))
}

// CreateRole is the resolver for the createRole field.
func (r *mutationResolver) CreateRole(ctx context.Context, input model.CreateRoleInput) (*model.CreateRolePayload, error) {
	panic(fmt.Errorf("not implemented: CreateRole - createRole"))
}

// GrantRole is the resolver for the grantRole field.
func (r *mutationResolver) GrantRole(ctx context.Context, input model.GrantRoleInput) (*model.GrantRolePayload, error) {
	panic(fmt.Errorf("not implemented: GrantRole - grantRole"))
}

// RevokeGrant is the resolver for the revokeGrant field.
func (r *mutationResolver) RevokeGrant(ctx context.Context, input model.RevokeGrantInput) (*model.RevokeGrantPayload, error) {
	panic(fmt.Errorf("not implemented: RevokeGrant - revokeGrant"))
}

// Can is the resolver for the can field.
func (r *queryResolver) Can(ctx context.Context, checks []model.CheckInput) ([]rbac.Decision, error) {
	panic(fmt.Errorf("not implemented: Can - can"))
}

// Roles is the resolver for the roles field.
func (r *queryResolver) Roles(ctx context.Context, first *int, after *string, last *int, before *string) (*model.RoleConnection, error) {
	panic(fmt.Errorf("not implemented: Roles - roles"))
}

// Permissions is the resolver for the permissions field.
func (r *queryResolver) Permissions(ctx context.Context) ([]rbac.Permission, error) {
	panic(fmt.Errorf("not implemented: Permissions - permissions"))
}

// EffectivePermissions is the resolver for the effectivePermissions field.
func (r *roleResolver) EffectivePermissions(ctx context.Context, obj *rbac.Role) ([]string, error) {
	panic(fmt.Errorf("not implemented: EffectivePermissions - effectivePermissions"))
}

// Includes is the resolver for the includes field.
func (r *roleResolver) Includes(ctx context.Context, obj *rbac.Role) ([]rbac.Role, error) {
	panic(fmt.Errorf("not implemented: Includes - includes"))
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
