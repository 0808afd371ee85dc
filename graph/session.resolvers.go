package graph

import (
	"context"
	"strings"
	"time"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Client is the resolver for the client field.
func (r *deviceResolver) Client(ctx context.Context, obj *session.Device) (string, error) {
	return client(obj.UserAgent), nil
}

// RefreshSession is the resolver for the refreshSession field.
func (r *mutationResolver) RefreshSession(ctx context.Context, input model.RefreshSessionInput) (*model.RefreshSessionPayload, error) {
	v, err := r.Auth.Refresh(ctx, input.RefreshToken)
	if err != nil {
		return nil, err
	}
	return &model.RefreshSessionPayload{Session: v.Session, Token: v.Token, TokenExpiresAt: v.ExpiresAt, RefreshToken: v.Refresh}, nil
}

// Reauthenticate is the resolver for the reauthenticate field.
func (r *mutationResolver) Reauthenticate(ctx context.Context, input model.ReauthenticateInput) (*model.ReauthenticatePayload, error) {
	until, err := reauthenticate(ctx, input.Token)
	if err != nil {
		return nil, err
	}
	return &model.ReauthenticatePayload{ExpiresAt: until}, nil
}

// Impersonate is the resolver for the impersonate field.
func (r *mutationResolver) Impersonate(ctx context.Context, input model.ImpersonateInput) (*model.ImpersonatePayload, error) {
	v, err := r.Auth.Impersonate(ctx, webauth.ImpersonateCmd{
		Transport: webauth.Transport(input.Transport), User: idOf(ref.User, input.User), Reason: input.Reason, ReadOnly: input.ReadOnly,
	})
	if err != nil {
		return nil, err
	}
	return &model.ImpersonatePayload{User: v.User, Session: v.Session, Token: some(v.Token)}, nil
}

// StopImpersonating is the resolver for the stopImpersonating field.
func (r *mutationResolver) StopImpersonating(ctx context.Context) (*model.StopImpersonatingPayload, error) {
	v, err := r.Auth.StopImpersonating(ctx)
	if err != nil {
		return nil, err
	}
	return &model.StopImpersonatingPayload{User: v.User, Session: v.Session}, nil
}

// EndSession is the resolver for the endSession field.
func (r *mutationResolver) EndSession(ctx context.Context, input model.EndSessionInput) (*model.EndSessionPayload, error) {
	if err := r.Auth.EndSession(ctx, idOf(ref.Session, input.Session)); err != nil {
		return nil, err
	}
	return &model.EndSessionPayload{Session: input.Session}, nil
}

// EndOtherSessions is the resolver for the endOtherSessions field.
func (r *mutationResolver) EndOtherSessions(ctx context.Context) (*model.EndOtherSessionsPayload, error) {
	n, err := r.Auth.EndOtherSessions(ctx)
	if err != nil {
		return nil, err
	}
	return &model.EndOtherSessionsPayload{Ended: n}, nil
}

// RenameSession is the resolver for the renameSession field.
func (r *mutationResolver) RenameSession(ctx context.Context, input model.RenameSessionInput) (*model.RenameSessionPayload, error) {
	s, err := r.Sessions.Rename(ctx, idOf(ref.Session, input.Session), input.Label)
	if err != nil {
		return nil, err
	}
	return &model.RenameSessionPayload{Session: s}, nil
}

// ForgetDevice is the resolver for the forgetDevice field.
func (r *mutationResolver) ForgetDevice(ctx context.Context, input model.ForgetDeviceInput) (*model.ForgetDevicePayload, error) {
	if err := r.Auth.ForgetDevice(ctx, idOf(ref.Device, input.Device)); err != nil {
		return nil, err
	}
	return &model.ForgetDevicePayload{Device: input.Device}, nil
}

// StepUp is the resolver for the stepUp field.
func (r *queryResolver) StepUp(ctx context.Context) (*model.StepUp, error) {
	v, err := r.Auth.StepUp(ctx)
	if err != nil {
		return nil, err
	}
	return stepUp(v), nil
}

// MySessions is the resolver for the mySessions field.
func (r *queryResolver) MySessions(ctx context.Context, first *int, after *string, last *int, before *string) (*model.SessionConnection, error) {
	p, err := r.Auth.MySessions(ctx, pageArgs(first, after, last, before))
	return sessions(ctx, p, err)
}

// UserSessions is the resolver for the userSessions field.
func (r *queryResolver) UserSessions(ctx context.Context, user ref.Ref, first *int, after *string, last *int, before *string) (*model.SessionConnection, error) {
	p, err := r.Auth.SessionsOf(ctx, idOf(ref.User, user), pageArgs(first, after, last, before))
	return sessions(ctx, p, err)
}

// MyDevices is the resolver for the myDevices field.
func (r *queryResolver) MyDevices(ctx context.Context) ([]session.Device, error) {
	return r.Auth.MyDevices(ctx)
}

// MySecurityEvents is the resolver for the mySecurityEvents field.
func (r *queryResolver) MySecurityEvents(ctx context.Context, first *int, after *string, last *int, before *string) (*model.SecurityEventConnection, error) {
	p, err := r.Auth.MySecurityEvents(ctx, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	out := &model.SecurityEventConnection{Edges: []model.SecurityEventEdge{}, Nodes: []model.SecurityEvent{}, PageInfo: pageInfo(p)}
	for i, e := range p.Items {
		out.Nodes = append(out.Nodes, securityEvent(e))
		out.Edges = append(out.Edges, model.SecurityEventEdge{Cursor: p.Cursors[i], Node: out.Nodes[i]})
	}
	return out, nil
}

// Remembered is the resolver for the remembered field.
func (r *sessionResolver) Remembered(ctx context.Context, obj *session.Session) (bool, error) {
	return !obj.Brief, nil
}

// AuthenticatedAt is the resolver for the authenticatedAt field.
func (r *sessionResolver) AuthenticatedAt(ctx context.Context, obj *session.Session) (*time.Time, error) {
	if obj.AuthAt.IsZero() { // whoever acts as somebody else has proved nothing in this session
		return &obj.CreatedAt, nil
	}
	return &obj.AuthAt, nil
}

// Methods is the resolver for the methods field.
func (r *sessionResolver) Methods(ctx context.Context, obj *session.Session) ([]string, error) {
	return strings.Fields(obj.Methods), nil
}

// Label is the resolver for the label field.
func (r *sessionResolver) Label(ctx context.Context, obj *session.Session) (*string, error) {
	return some(obj.Label), nil
}

// Client is the resolver for the client field.
func (r *sessionResolver) Client(ctx context.Context, obj *session.Session) (string, error) {
	return client(obj.UserAgent), nil
}

// Place is the resolver for the place field.
func (r *sessionResolver) Place(ctx context.Context, obj *session.Session) (*string, error) {
	return some(r.Places.Of(obj.IP)), nil
}

// Current is the resolver for the current field.
func (r *sessionResolver) Current(ctx context.Context, obj *session.Session) (bool, error) {
	return justSignedIn(ctx) || obj.ID == actor.From(ctx).Session, nil
}

// Impersonated is the resolver for the impersonated field.
func (r *sessionResolver) Impersonated(ctx context.Context, obj *session.Session) (bool, error) {
	return obj.Impersonator != "", nil
}

// Device returns generated.DeviceResolver implementation.
func (r *Resolver) Device() generated.DeviceResolver { return &deviceResolver{r} }

// Session returns generated.SessionResolver implementation.
func (r *Resolver) Session() generated.SessionResolver { return &sessionResolver{r} }

type (
	deviceResolver  struct{ *Resolver }
	sessionResolver struct{ *Resolver }
)
