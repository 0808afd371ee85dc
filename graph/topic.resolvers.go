package graph

import (
	"context"
	"math"
	"time"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/topic"
)

// DefineTopic is the resolver for the defineTopic field.
func (r *mutationResolver) DefineTopic(ctx context.Context, input model.DefineTopicInput) (*model.DefineTopicPayload, error) {
	t, err := r.Topics.Define(ctx, topic.DefineCmd{
		Key: input.Key, History: input.History, Lifetime: time.Duration(min(max(input.LifetimeSeconds, 0), math.MaxInt32)) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return &model.DefineTopicPayload{Topic: t}, nil
}

// DeleteTopic is the resolver for the deleteTopic field.
func (r *mutationResolver) DeleteTopic(ctx context.Context, input model.DeleteTopicInput) (*model.DeleteTopicPayload, error) {
	if err := r.Topics.Delete(ctx, input.Key); err != nil {
		return nil, err
	}
	return &model.DeleteTopicPayload{Key: input.Key}, nil
}

// Publish is the resolver for the publish field.
func (r *mutationResolver) Publish(ctx context.Context, input model.PublishInput) (*model.PublishPayload, error) {
	m, err := r.Topics.Publish(ctx, input.Topic, input.Data)
	if err != nil {
		return nil, err
	}
	return &model.PublishPayload{Message: m}, nil
}

// Topics is the resolver for the topics field.
func (r *queryResolver) Topics(ctx context.Context) ([]topic.Topic, error) {
	return r.Resolver.Topics.Topics(ctx)
}
