package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/ref"
)

// Owner is the resolver for the owner field.
func (r *eventSourceResolver) Owner(ctx context.Context, obj *analytics.EventSource) (*ref.Ref, error) {
	if obj.Owner == "" {
		return nil, nil //nolint:nilnil // nobody's plan
	}
	return new(ref.New(ref.User, obj.Owner)), nil
}

// CreateEventSource is the resolver for the createEventSource field.
func (r *mutationResolver) CreateEventSource(ctx context.Context, input model.CreateEventSourceInput) (*model.CreateEventSourcePayload, error) {
	e, key, err := r.Analytics.CreateSource(ctx, analytics.SourceCmd{Name: &input.Name, Events: input.Events, Origins: input.Origins})
	if err != nil {
		return nil, err
	}
	return &model.CreateEventSourcePayload{Source: e, Key: key}, nil
}

// UpdateEventSource is the resolver for the updateEventSource field.
func (r *mutationResolver) UpdateEventSource(ctx context.Context, input model.UpdateEventSourceInput) (*model.UpdateEventSourcePayload, error) {
	e, err := r.Analytics.UpdateSource(ctx, idOf(ref.EventSource, input.Source), analytics.SourceCmd{
		Name: input.Name, Events: input.Events, Origins: input.Origins, Disabled: input.Disabled,
	})
	if err != nil {
		return nil, err
	}
	return &model.UpdateEventSourcePayload{Source: e}, nil
}

// RotateEventSource is the resolver for the rotateEventSource field.
func (r *mutationResolver) RotateEventSource(ctx context.Context, input model.RotateEventSourceInput) (*model.RotateEventSourcePayload, error) {
	e, key, err := r.Analytics.RotateSource(ctx, idOf(ref.EventSource, input.Source))
	if err != nil {
		return nil, err
	}
	return &model.RotateEventSourcePayload{Source: e, Key: key}, nil
}

// DeleteEventSource is the resolver for the deleteEventSource field.
func (r *mutationResolver) DeleteEventSource(ctx context.Context, input model.DeleteEventSourceInput) (*model.DeleteEventSourcePayload, error) {
	if err := r.Analytics.DeleteSource(ctx, idOf(ref.EventSource, input.Source)); err != nil {
		return nil, err
	}
	return &model.DeleteEventSourcePayload{Source: input.Source}, nil
}

// DefineEventType is the resolver for the defineEventType field.
func (r *mutationResolver) DefineEventType(ctx context.Context, input model.DefineEventTypeInput) (*model.DefineEventTypePayload, error) {
	t, err := r.Analytics.DefineEventType(ctx, analytics.EventType{
		Name: input.Name, Description: input.Description, Dims: input.Dims, Values: input.Values,
		Strict: input.Strict, RetentionDays: input.RetentionDays,
	})
	if err != nil {
		return nil, err
	}
	return &model.DefineEventTypePayload{Name: t.Name}, nil
}

// EventSources is the resolver for the eventSources field.
func (r *queryResolver) EventSources(ctx context.Context) ([]analytics.EventSource, error) {
	return r.Analytics.EventSources(ctx)
}

// EventTypes is the resolver for the eventTypes field.
func (r *queryResolver) EventTypes(ctx context.Context) ([]analytics.Named, error) {
	return r.Analytics.EventTypes(ctx)
}

// EventSource returns generated.EventSourceResolver implementation.
func (r *Resolver) EventSource() generated.EventSourceResolver { return &eventSourceResolver{r} }

type eventSourceResolver struct{ *Resolver }
