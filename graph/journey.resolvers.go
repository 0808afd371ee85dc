package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/ref"
)

// User is the resolver for the user field.
func (r *eventResolver) User(ctx context.Context, obj *analytics.Event) (*ref.Ref, error) {
	if obj.User == "" {
		return nil, nil //nolint:nilnil // nobody was signed in
	}
	return new(ref.New(ref.User, obj.User)), nil
}

// Dims is the resolver for the dims field.
func (r *eventResolver) Dims(ctx context.Context, obj *analytics.Event) (map[string]any, error) {
	return jsonOf(obj.Dims), nil
}

// Values is the resolver for the values field.
func (r *eventResolver) Values(ctx context.Context, obj *analytics.Event) (map[string]any, error) {
	return jsonOf(obj.Values), nil
}

// Funnel is the resolver for the funnel field.
func (r *queryResolver) Funnel(ctx context.Context, input analytics.FunnelQuery) (*analytics.Funnel, error) {
	return orNil(r.Analytics.Funnel(ctx, input))
}

// Retention is the resolver for the retention field.
func (r *queryResolver) Retention(ctx context.Context, input analytics.RetentionQuery) (*analytics.Retention, error) {
	return orNil(r.Analytics.Retention(ctx, input))
}

// Paths is the resolver for the paths field.
func (r *queryResolver) Paths(ctx context.Context, input analytics.PathsQuery) (*analytics.Paths, error) {
	return orNil(r.Analytics.Paths(ctx, input))
}

// Behind is the resolver for the behind field.
func (r *queryResolver) Behind(ctx context.Context, input analytics.BehindQuery, first *int, after *string, last *int, before *string) (*model.BehindConnection, error) {
	p, err := r.Analytics.Behind(ctx, input, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.BehindConnection{
		Edges: edges(ctx, p, func(cursor string, b analytics.Behind) model.BehindEdge {
			return model.BehindEdge{Cursor: cursor, Node: b}
		}),
		Nodes: p.Items, PageInfo: pageInfo(p),
	}, nil
}

// Events is the resolver for the events field.
func (r *queryResolver) Events(ctx context.Context, filter *analytics.EventFilter, first *int, after *string, last *int, before *string) (*model.EventConnection, error) {
	p, err := r.Analytics.Events(ctx, eventFilter(filter), pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.EventConnection{
		Edges: edges(ctx, p, func(cursor string, e analytics.Event) model.EventEdge {
			return model.EventEdge{Cursor: cursor, Node: e}
		}),
		Nodes: p.Items, PageInfo: pageInfo(p),
	}, nil
}

// Event returns generated.EventResolver implementation.
func (r *Resolver) Event() generated.EventResolver { return &eventResolver{r} }

type eventResolver struct{ *Resolver }
