package graph

import (
	"context"
	"fmt"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/session"
)

// Register is the resolver for the register field.
func (r *mutationResolver) Register(ctx context.Context, input model.RegisterInput) (*model.RegisterPayload, error) {
	panic(fmt.Errorf("not implemented: Register - register"))
}

// SignIn is the resolver for the signIn field.
func (r *mutationResolver) SignIn(ctx context.Context, input model.SignInInput) (*model.SignInPayload, error) {
	panic(fmt.Errorf("not implemented: SignIn - signIn"))
}

// SignOut is the resolver for the signOut field.
func (r *mutationResolver) SignOut(ctx context.Context) (*model.SignOutPayload, error) {
	panic(fmt.Errorf("not implemented: SignOut - signOut"))
}

// Me is the resolver for the me field.
func (r *queryResolver) Me(ctx context.Context) (*model.Viewer, error) {
	panic(fmt.Errorf("not implemented: Me - me"))
}

// Users is the resolver for the users field.
func (r *queryResolver) Users(ctx context.Context, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	panic(fmt.Errorf("not implemented: Users - users"))
}

// Current is the resolver for the current field.
func (r *sessionResolver) Current(ctx context.Context, obj *session.Session) (bool, error) {
	panic(fmt.Errorf("not implemented: Current - current"))
}

// Email is the resolver for the email field.
func (r *userResolver) Email(ctx context.Context, obj *account.User) (*string, error) {
	panic(fmt.Errorf("not implemented: Email - email"))
}

// Permissions is the resolver for the permissions field.
func (r *viewerResolver) Permissions(ctx context.Context, obj *model.Viewer) ([]string, error) {
	panic(fmt.Errorf("not implemented: Permissions - permissions"))
}

// Membership is the resolver for the membership field.
func (r *viewerResolver) Membership(ctx context.Context, obj *model.Viewer) (*plan.Membership, error) {
	panic(fmt.Errorf("not implemented: Membership - membership"))
}

// Entitlements is the resolver for the entitlements field.
func (r *viewerResolver) Entitlements(ctx context.Context, obj *model.Viewer) ([]plan.Entitlement, error) {
	panic(fmt.Errorf("not implemented: Entitlements - entitlements"))
}

// Session returns generated.SessionResolver implementation.
func (r *Resolver) Session() generated.SessionResolver { return &sessionResolver{r} }

// User returns generated.UserResolver implementation.
func (r *Resolver) User() generated.UserResolver { return &userResolver{r} }

// Viewer returns generated.ViewerResolver implementation.
func (r *Resolver) Viewer() generated.ViewerResolver { return &viewerResolver{r} }

type (
	sessionResolver struct{ *Resolver }
	userResolver    struct{ *Resolver }
	viewerResolver  struct{ *Resolver }
)
