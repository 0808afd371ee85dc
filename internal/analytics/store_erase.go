package analytics

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// eventsOf reads some of the events that are about a user or were sent by them.
func (m *mongoStore) eventsOf(ctx context.Context, user string, limit int64) ([]Event, error) {
	return store.Find[Event](ctx, m.events, bson.D{{Key: "$or", Value: bson.A{
		bson.D{store.Eq("actor", user)}, bson.D{store.Eq("user", user)},
	}}}, options.Find().SetLimit(limit).SetProjection(bson.D{
		{Key: "name", Value: 1}, {Key: "actor", Value: 1}, {Key: "session", Value: 1}, {Key: "user", Value: 1},
	}))
}

// rename writes who events point at. Those it is given never lose one of the three, so what is empty was not there.
func (m *mongoStore) rename(ctx context.Context, all []Event) error {
	models := make([]mongo.WriteModel, len(all))
	for i, e := range all {
		var set bson.D
		for _, f := range []bson.E{{Key: "actor", Value: e.Actor}, {Key: "session", Value: e.Session}, {Key: "user", Value: e.User}} {
			if f.Value != "" {
				set = append(set, f)
			}
		}
		models[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: e.ID}}).SetUpdate(bson.D{{Key: "$set", Value: set}})
	}
	if _, err := m.events.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("rename in events: %w", store.Translate(err))
	}
	return nil
}
