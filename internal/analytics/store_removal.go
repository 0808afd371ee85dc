package analytics

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// goneDoc remembers the last version of a metric that was deleted. One of the same key goes on from there: with a version that was
// before, what is left of the older one would pass for its own.
type goneDoc struct {
	ID      string `bson:"_id"` // gonePrefix and metric
	Version int64  `bson:"v"`
}

const gonePrefix = "gone:"

// dropMetric deletes a definition.
func (m *mongoStore) dropMetric(ctx context.Context, v Metric) error {
	if _, err := m.metrics.DeleteOne(ctx, bson.D{{Key: "_id", Value: v.Key}}); err != nil {
		return fmt.Errorf("delete metric %s: %w", v.Key, store.Translate(err))
	}
	gone := goneDoc{gonePrefix + v.Key, v.Version}
	if _, err := m.checkpoints.ReplaceOne(ctx, bson.D{{Key: "_id", Value: gone.ID}}, gone, options.Replace().SetUpsert(true)); err != nil {
		return fmt.Errorf("remember metric %s: %w", v.Key, store.Translate(err))
	}
	return nil
}

// lastVersion is the last version of a metric that was deleted; 0 for one that never was there.
func (m *mongoStore) lastVersion(ctx context.Context, key string) (int64, error) {
	gone, err := store.FindByID[goneDoc](ctx, m.checkpoints, gonePrefix+key)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil
	}
	return gone.Version, err
}

// dropKeys deletes the key sets of a metric, by a range of _id.
func (m *mongoStore) dropKeys(ctx context.Context, metric string) error {
	prefix := keySetID{metric: metric}.String() // a metric's key has no colon, so no other's begins with it
	of := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: prefix[:len(prefix)-1] + ";"}}}}
	if _, err := m.checkpoints.DeleteMany(ctx, of); err != nil {
		return fmt.Errorf("delete key sets of %s: %w", metric, store.Translate(err))
	}
	return nil
}
