package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Owner is the resolver for the owner field.
func (r *accessKeyResolver) Owner(ctx context.Context, obj *session.Key) (*ref.Ref, error) {
	return new(ref.New(ref.User, obj.User)), nil
}

// CreateAccessKey is the resolver for the createAccessKey field.
func (r *mutationResolver) CreateAccessKey(ctx context.Context, input model.CreateAccessKeyInput) (*model.CreateAccessKeyPayload, error) {
	c := webauth.CreateKeyCmd{Name: input.Name, Scopes: input.Scopes, Days: input.Days}
	if input.ServiceAccount != nil {
		if c.Service = idOf(ref.User, *input.ServiceAccount); c.Service == "" {
			return nil, fault.ErrNotFound.On("input.serviceAccount")
		}
	}
	k, secret, err := r.Auth.CreateKey(ctx, c)
	if err != nil {
		return nil, err
	}
	return &model.CreateAccessKeyPayload{Key: k, Token: secret}, nil
}

// RevokeAccessKey is the resolver for the revokeAccessKey field.
func (r *mutationResolver) RevokeAccessKey(ctx context.Context, input model.RevokeAccessKeyInput) (*model.RevokeAccessKeyPayload, error) {
	k, err := r.Auth.RevokeKey(ctx, idOf(ref.Key, input.Key))
	if err != nil {
		return nil, err
	}
	return &model.RevokeAccessKeyPayload{Key: k}, nil
}

// CreateServiceAccount is the resolver for the createServiceAccount field.
func (r *mutationResolver) CreateServiceAccount(ctx context.Context, input model.CreateServiceAccountInput) (*model.UserPayload, error) {
	return userPayload(r.Auth.CreateServiceAccount(ctx, input.Name))
}

// MyAccessKeys is the resolver for the myAccessKeys field.
func (r *queryResolver) MyAccessKeys(ctx context.Context, first *int, after *string, last *int, before *string) (*model.AccessKeyConnection, error) {
	p, err := r.Auth.MyKeys(ctx, pageArgs(first, after, last, before))
	return accessKeys(ctx, p, err)
}

// ServiceAccounts is the resolver for the serviceAccounts field.
func (r *queryResolver) ServiceAccounts(ctx context.Context, first *int, after *string, last *int, before *string) (*model.UserConnection, error) {
	p, err := r.Accounts.Services(ctx, pageArgs(first, after, last, before))
	return users(ctx, p, err)
}

// ServiceAccessKeys is the resolver for the serviceAccessKeys field.
func (r *queryResolver) ServiceAccessKeys(ctx context.Context, serviceAccount ref.Ref, first *int, after *string, last *int, before *string) (*model.AccessKeyConnection, error) {
	p, err := r.Auth.KeysOfService(ctx, idOf(ref.User, serviceAccount), pageArgs(first, after, last, before))
	return accessKeys(ctx, p, err)
}

// AccessKey returns generated.AccessKeyResolver implementation.
func (r *Resolver) AccessKey() generated.AccessKeyResolver { return &accessKeyResolver{r} }

type accessKeyResolver struct{ *Resolver }
