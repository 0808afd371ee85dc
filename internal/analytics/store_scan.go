package analytics

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// behind matches the events of a scan after a place: those of the same time with a greater id, and those of a later time. Each of the
// two is a range of the index name_time_id, and the server merges them in its order.
func (c Scan) behind(p Place) bson.D {
	if p == (Place{}) || p.At.Before(c.From) {
		return happened(c.Name, c.From, c.To, c.Where)
	}
	next := p.At.Truncate(time.Millisecond).Add(time.Millisecond) // times are stored in milliseconds
	later := happened(c.Name, next, c.To, c.Where)
	if !c.To.IsZero() && !p.At.Before(c.To) {
		return later // which are none
	}
	same := append(happened(c.Name, p.At, next, c.Where), bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: p.ID}}})
	return bson.D{{Key: "$or", Value: bson.A{same, later}}}
}

func (m *mongoStore) eventsBehind(ctx context.Context, c Scan, p Place, limit int) ([]Event, error) {
	return store.Find[Event](ctx, m.events, c.behind(p), options.Find().
		SetSort(bson.D{{Key: "at", Value: 1}, {Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetBatchSize(int32(limit))) //nolint:gosec // of a page
}

func (m *mongoStore) countBehind(ctx context.Context, c Scan, p Place, limit int64) (int64, error) {
	opts := options.Count()
	if limit > 0 {
		opts.SetLimit(limit)
	}
	n, err := m.events.CountDocuments(ctx, c.behind(p), opts)
	return n, store.Wrap("count events", err)
}
