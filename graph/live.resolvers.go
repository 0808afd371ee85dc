package graph

import (
	"context"
	"fmt"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/live"
)

// Live is the resolver for the live field.
func (r *subscriptionResolver) Live(ctx context.Context, channels []model.ChannelInput) (<-chan *live.Message, error) {
	panic(fmt.Errorf("not implemented: Live - live"))
}
