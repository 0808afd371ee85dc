package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/bag"
)

// SetSessionData is the resolver for the setSessionData field.
func (r *mutationResolver) SetSessionData(ctx context.Context, input model.SetSessionDataInput) (*model.SetSessionDataPayload, error) {
	d, err := r.Auth.Keep(ctx, setCmd(input))
	if err != nil {
		return nil, err
	}
	return &model.SetSessionDataPayload{Datum: datum(d)}, nil
}

// RemoveSessionData is the resolver for the removeSessionData field.
func (r *mutationResolver) RemoveSessionData(ctx context.Context, input model.RemoveSessionDataInput) (*model.RemoveSessionDataPayload, error) {
	if err := r.Bag.Remove(ctx, input.Key); err != nil {
		return nil, err
	}
	return &model.RemoveSessionDataPayload{Key: input.Key}, nil
}

// TakeFlashMessages is the resolver for the takeFlashMessages field.
func (r *mutationResolver) TakeFlashMessages(ctx context.Context) (*model.TakeFlashMessagesPayload, error) {
	taken, err := r.Bag.Take(ctx)
	if err != nil {
		return nil, err
	}
	out := &model.TakeFlashMessagesPayload{Messages: make([]bag.Message, 0, len(taken))}
	out.Messages = append(out.Messages, taken...)
	return out, nil
}

// SessionData is the resolver for the sessionData field.
func (r *queryResolver) SessionData(ctx context.Context, keys []string) ([]model.SessionDatum, error) {
	kept, err := r.Bag.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := make([]model.SessionDatum, len(kept))
	for i, d := range kept {
		out[i] = datum(d)
	}
	return out, nil
}
