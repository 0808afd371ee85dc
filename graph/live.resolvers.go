package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/live"
)

// Live is the resolver for the live field.
func (r *subscriptionResolver) Live(ctx context.Context, channels []model.ChannelInput) (<-chan *live.Message, error) {
	reqs := make([]live.Request, len(channels))
	for i, c := range channels {
		open, err := r.family(c)
		if err != nil {
			return nil, err
		}
		reqs[i] = live.Request{Label: c.Key, Open: open}
	}
	return subscribe(ctx, r.Lives, reqs)
}
