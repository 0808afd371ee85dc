package graph

import (
	"context"

	"github.com/backendbook/backendbook/internal/presence"
)

// SystemHealth is the resolver for the systemHealth field.
func (r *queryResolver) SystemHealth(ctx context.Context) ([]presence.Node, error) {
	return r.Presence.Nodes(ctx)
}
