package analytics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

const (
	eventsCollection      = "analytics_events"
	metricsCollection     = "metrics"
	rollupsCollection     = "rollups"
	checkpointsCollection = "analytics_checkpoints"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{
		{Name: eventsCollection, Indexes: []store.Index{
			{Name: "name_time_id", Keys: []string{"name", "at", "_id"}},
			{Name: "user", Keys: []string{"user"}, Partial: bson.D{{Key: "user", Value: bson.D{{Key: "$exists", Value: true}}}}}, // of those to be erased
			{Name: "actor_time", Keys: []string{"actor", "at"}, Partial: bson.D{{Key: "actor", Value: bson.D{{Key: "$exists", Value: true}}}}},
		}},
		{Name: metricsCollection},
		{Name: rollupsCollection},
		{Name: checkpointsCollection},
		{Name: sourcesCollection},
		{Name: typesCollection},
	}
}

// timestamp is a time of the cluster: every write has its own, and they order as the writes do.
type timestamp = bson.Timestamp

// mongoStore holds all queries of this package.
type mongoStore struct {
	db                                    *store.DB
	events, metrics, rollups, checkpoints *mongo.Collection
	sources, types                        *mongo.Collection
}

func newStore(db *store.DB) *mongoStore {
	return &mongoStore{
		db: db, events: db.Collection(eventsCollection), metrics: db.Collection(metricsCollection),
		rollups: db.Collection(rollupsCollection), checkpoints: db.Collection(checkpointsCollection),
		sources: db.Collection(sourcesCollection), types: db.Collection(typesCollection),
	}
}

// insertEvents stores events in one write and counts those that were there already.
func (m *mongoStore) insertEvents(ctx context.Context, batch []Event) (Tracked, error) {
	_, err := m.events.InsertMany(ctx, batch, options.InsertMany().SetOrdered(false))
	if err == nil {
		return Tracked{Accepted: len(batch)}, nil
	}
	var refused mongo.BulkWriteException
	if !errors.As(err, &refused) || refused.WriteConcernError != nil {
		return Tracked{}, fmt.Errorf("store events: %w", store.Translate(err))
	}
	for _, w := range refused.WriteErrors {
		if !store.IsDuplicate(w.WriteError) {
			// Not the whole exception: it quotes the documents.
			return Tracked{}, fmt.Errorf("store events: error %d on one of them", w.Code)
		}
	}
	dup := len(refused.WriteErrors)
	return Tracked{Accepted: len(batch) - dup, Duplicates: dup}, nil
}

// newestAt is when the newest event of some names happened.
func (m *mongoStore) newestAt(ctx context.Context, names []string) (time.Time, error) {
	newest, err := store.Find[Event](ctx, m.events, bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: names}}}},
		options.Find().SetSort(bson.D{{Key: "at", Value: -1}}).SetLimit(1))
	if err != nil || len(newest) == 0 {
		return time.Time{}, err
	}
	return newest[0].At, nil
}

// metric reads one definition.
//
// Errors: METRIC_UNKNOWN.
func (m *mongoStore) metric(ctx context.Context, key string) (Metric, error) {
	v, err := store.FindByID[Metric](ctx, m.metrics, key)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return v, ErrMetric
	}
	return v.filled(), err
}

func (m *mongoStore) allMetrics(ctx context.Context) ([]Metric, error) {
	all, err := store.Find[Metric](ctx, m.metrics, bson.D{})
	for i, v := range all {
		all[i] = v.filled()
	}
	return all, err
}

func (m *mongoStore) metricsByKey(ctx context.Context) (map[string]Metric, error) {
	all, err := m.allMetrics(ctx)
	byKey := make(map[string]Metric, len(all))
	for _, v := range all {
		byKey[v.Key] = v
	}
	return byKey, err
}

// putMetric writes a definition over the one before. Two who do it at once meet in a write conflict of their transactions.
func (m *mongoStore) putMetric(ctx context.Context, v Metric) error {
	_, err := m.metrics.ReplaceOne(ctx, bson.D{{Key: "_id", Value: v.Key}}, v, options.Replace().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("put metric %s: %w", v.Key, store.Translate(err))
	}
	return nil
}
