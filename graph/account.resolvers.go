package graph

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/webauth"
)

// UpdateMe is the resolver for the updateMe field.
func (r *mutationResolver) UpdateMe(ctx context.Context, input model.UpdateMeInput) (*model.UpdateMePayload, error) {
	u, err := r.Auth.UpdateMe(ctx, webauth.UpdateCmd{Name: input.Name, Username: input.Username, Locale: input.Locale, AcceptTerms: input.AcceptTerms})
	if err != nil {
		return nil, err
	}
	return &model.UpdateMePayload{User: u}, nil
}

// DisableUser is the resolver for the disableUser field.
func (r *mutationResolver) DisableUser(ctx context.Context, input model.DisableUserInput) (*model.UserPayload, error) {
	return userPayload(r.Auth.DisableUser(ctx, idOf(ref.User, input.User)))
}

// EnableUser is the resolver for the enableUser field.
func (r *mutationResolver) EnableUser(ctx context.Context, input model.EnableUserInput) (*model.UserPayload, error) {
	return userPayload(r.Auth.EnableUser(ctx, idOf(ref.User, input.User)))
}

// SignOutUser is the resolver for the signOutUser field.
func (r *mutationResolver) SignOutUser(ctx context.Context, input model.SignOutUserInput) (*model.UserPayload, error) {
	return userPayload(r.Auth.SignOutUser(ctx, idOf(ref.User, input.User)))
}

// StartPasswordReset is the resolver for the startPasswordReset field.
func (r *mutationResolver) StartPasswordReset(ctx context.Context, input model.StartPasswordResetInput) (*model.UserPayload, error) {
	return userPayload(r.Auth.StartPasswordReset(ctx, idOf(ref.User, input.User)))
}

// Me is the resolver for the me field.
func (r *queryResolver) Me(ctx context.Context) (*model.Viewer, error) {
	a := actor.From(ctx)
	if a.User == "" || a.Credential() == "" {
		return nil, nil
	}
	u, err := loader.User(ctx, a.User)
	if err != nil || u == nil {
		return nil, err
	}
	if a.Key != "" {
		return viewer(u, nil), nil
	}
	s, err := r.Sessions.Current(ctx)
	if err != nil {
		return nil, err
	}
	return viewer(u, &s), nil
}

// Users is the resolver for the users field.
func (r *queryResolver) Users(ctx context.Context, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	p, err := r.Accounts.List(ctx, pageArgs(first, after, last, before))
	return users(ctx, p, err)
}

// MyData is the resolver for the myData field.
func (r *queryResolver) MyData(ctx context.Context) (map[string]any, error) {
	return r.Auth.MyData(ctx)
}

// Kind is the resolver for the kind field.
func (r *userResolver) Kind(ctx context.Context, obj *account.User) (model.UserKind, error) {
	switch obj.Kind {
	case account.KindAnonymous:
		return model.UserKindAnonymous, nil
	case account.KindService:
		return model.UserKindService, nil
	case account.KindPerson:
	}
	return model.UserKindPerson, nil
}

// Username is the resolver for the username field.
func (r *userResolver) Username(ctx context.Context, obj *account.User) (*string, error) {
	return some(obj.Username), nil
}

// Email is the resolver for the email field.
func (r *userResolver) Email(ctx context.Context, obj *account.User) (*string, error) {
	email, err := r.Accounts.EmailOf(asReader(ctx, obj), *obj)
	return some(email), err
}

// DisabledAt is the resolver for the disabledAt field.
func (r *userResolver) DisabledAt(ctx context.Context, obj *account.User) (*time.Time, error) {
	if ok, err := r.Accounts.MaySee(asReader(ctx, obj), *obj); !ok {
		return nil, err
	}
	return obj.DisabledAt, nil
}

// ImpersonatedBy is the resolver for the impersonatedBy field.
func (r *viewerResolver) ImpersonatedBy(ctx context.Context, obj *model.Viewer) (*model.Impersonation, error) {
	i, is, err := r.Auth.Impersonated(ctx)
	if err != nil || !is {
		return nil, err
	}
	return &model.Impersonation{By: i.By, Reason: i.Reason, ReadOnly: i.ReadOnly, ExpiresAt: i.ExpiresAt}, nil
}

// FactorRequired is the resolver for the factorRequired field.
func (r *viewerResolver) FactorRequired(ctx context.Context, obj *model.Viewer) (bool, error) {
	if obj.Session == nil || !r.Auth.FactorNeeded(obj.User.ID) {
		return false, nil
	}
	have, err := r.Auth.MyFactors(ctx)
	return len(have.Items) == 0, err
}

// ActiveRole is the resolver for the activeRole field.
func (r *viewerResolver) ActiveRole(ctx context.Context, obj *model.Viewer) (*model.ActiveRole, error) {
	role, bind, ok := r.Rights.Active(ctx)
	if !ok {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return &model.ActiveRole{Role: role, Bindings: string(bind)}, nil
}

// Permissions is the resolver for the permissions field.
func (r *viewerResolver) Permissions(ctx context.Context, obj *model.Viewer) ([]string, error) {
	return r.Rights.PermissionsOf(ctx), nil
}

// Membership is the resolver for the membership field.
func (r *viewerResolver) Membership(ctx context.Context, obj *model.Viewer) (*plan.Place, error) {
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

// User returns generated.UserResolver implementation.
func (r *Resolver) User() generated.UserResolver { return &userResolver{r} }

// Viewer returns generated.ViewerResolver implementation.
func (r *Resolver) Viewer() generated.ViewerResolver { return &viewerResolver{r} }

type (
	userResolver   struct{ *Resolver }
	viewerResolver struct{ *Resolver }
)
