package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Register is the resolver for the register field.
func (r *mutationResolver) Register(ctx context.Context, input model.RegisterInput) (*model.RegisterPayload, error) {
	in, err := r.Auth.Register(ctx, webauth.RegisterCmd{
		Email: input.Email, Password: input.Password, Name: input.Name, Transport: transport(input.Transport),
	})
	if err != nil {
		return nil, err
	}
	return &model.RegisterPayload{Result: signedIn(in)}, nil
}

// SignIn is the resolver for the signIn field.
func (r *mutationResolver) SignIn(ctx context.Context, input model.SignInInput) (*model.SignInPayload, error) {
	in, err := r.Auth.SignIn(ctx, webauth.SignInCmd{Email: input.Email, Password: input.Password, Transport: transport(input.Transport)})
	if err != nil {
		return nil, err
	}
	return &model.SignInPayload{Result: signedIn(in)}, nil
}

// SignOut is the resolver for the signOut field.
func (r *mutationResolver) SignOut(ctx context.Context) (*model.SignOutPayload, error) {
	ended, err := r.Auth.SignOut(ctx)
	if err != nil {
		return nil, err
	}
	return &model.SignOutPayload{Ended: ended}, nil
}

// Me is the resolver for the me field.
func (r *queryResolver) Me(ctx context.Context) (*model.Viewer, error) {
	a := actor.From(ctx)
	if a.User == "" || a.Session == "" {
		return nil, nil
	}
	s, err := r.Sessions.Current(ctx)
	if err != nil {
		return nil, err
	}
	u, err := loader.User(ctx, a.User)
	if err != nil || u == nil {
		return nil, err
	}
	return &model.Viewer{User: u, Session: &s}, nil
}

// Users is the resolver for the users field.
func (r *queryResolver) Users(ctx context.Context, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	p, err := r.Accounts.List(ctx, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.UserConnection{
		Edges: edges(p, func(cursor string, u account.User) model.UserEdge { return model.UserEdge{Cursor: cursor, Node: u} }),
		Nodes: p.Items, PageInfo: pageInfo(p),
	}, nil
}

// Current is the resolver for the current field.
func (r *sessionResolver) Current(ctx context.Context, obj *session.Session) (bool, error) {
	return justSignedIn(ctx) || obj.ID == actor.From(ctx).Session, nil
}

// Email is the resolver for the email field.
func (r *userResolver) Email(ctx context.Context, obj *account.User) (*string, error) {
	email, err := r.Accounts.EmailOf(asReader(ctx, obj), *obj)
	if err != nil || email == "" {
		return nil, err
	}
	return &email, nil
}

// Permissions is the resolver for the permissions field.
func (r *viewerResolver) Permissions(ctx context.Context, obj *model.Viewer) ([]string, error) {
	return r.Rights.PermissionsOf(ctx), nil
}

// Membership is the resolver for the membership field.
func (r *viewerResolver) Membership(ctx context.Context, obj *model.Viewer) (*plan.Membership, error) {
	m, err := r.Plans.MembershipOf(ctx, obj.User.Ref())
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// Entitlements is the resolver for the entitlements field.
func (r *viewerResolver) Entitlements(ctx context.Context, obj *model.Viewer) ([]plan.Entitlement, error) {
	return r.Plans.Entitlements(ctx, obj.User.Ref())
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
