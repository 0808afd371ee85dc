package graph

import (
	"context"
	"strings"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
)

// Client is the resolver for the client field.
func (r *deviceResolver) Client(ctx context.Context, obj *session.Device) (string, error) {
	return client(obj.UserAgent), nil
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

// MySessions is the resolver for the mySessions field.
func (r *queryResolver) MySessions(ctx context.Context, first *int, after *string, last *int, before *string) (*model.SessionConnection, error) {
	return sessions(r.Auth.MySessions(ctx, pageArgs(first, after, last, before)))
}

// UserSessions is the resolver for the userSessions field.
func (r *queryResolver) UserSessions(ctx context.Context, user ref.Ref, first *int, after *string, last *int, before *string) (*model.SessionConnection, error) {
	return sessions(r.Auth.SessionsOf(ctx, idOf(ref.User, user), pageArgs(first, after, last, before)))
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

// Current is the resolver for the current field.
func (r *sessionResolver) Current(ctx context.Context, obj *session.Session) (bool, error) {
	return justSignedIn(ctx) || obj.ID == actor.From(ctx).Session, nil
}

// Device returns generated.DeviceResolver implementation.
func (r *Resolver) Device() generated.DeviceResolver { return &deviceResolver{r} }

// Session returns generated.SessionResolver implementation.
func (r *Resolver) Session() generated.SessionResolver { return &sessionResolver{r} }

type (
	deviceResolver  struct{ *Resolver }
	sessionResolver struct{ *Resolver }
)
