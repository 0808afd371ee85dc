package analytics

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// watchEvents opens a stream of the events that are stored from now on, or after a token.
//
// Errors: errHistory.
func (m *mongoStore) watchEvents(ctx context.Context, after bson.Raw) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, streamCall)
	defer cancel()
	opts := options.ChangeStream().SetMaxAwaitTime(streamAwait)
	if after != nil {
		opts.SetResumeAfter(after)
	}
	cs, err := m.events.Watch(ctx, mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "operationType", Value: "insert"}}}}}, opts)
	switch {
	case store.IsHistoryLost(err), isBadToken(err):
		return nil, fmt.Errorf("%w: %w", errHistory, err)
	case err != nil:
		return nil, fmt.Errorf("open stream of events: %w", store.Translate(err))
	}
	return &stream{cs}, nil
}
