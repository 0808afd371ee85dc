package analytics

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
)

// query matches the events the filter lets through, by the index of the actor or that of the names.
func (f EventFilter) query(names []string) bson.D {
	q := filters(f.Where)
	if len(names) > 0 {
		q = append(q, bson.E{Key: "name", Value: bson.D{{Key: "$in", Value: names}}})
	}
	if f.Actor != "" {
		q = append(q, store.Eq("actor", f.Actor))
	}
	if f.Session != "" {
		q = append(q, store.Eq("session", f.Session))
	}
	return append(q, during(f.From, f.To)...)
}

// newest reads the window w of the events, by time and then by id, falling: one more than asked, for [page.Fold]. The
// indexes end with the time, so the first read finds out in the index how far in time the page reaches, and the second
// sorts the events of that range by id as well.
//
// Errors: BAD_CURSOR.
func (m *mongoStore) newest(ctx context.Context, f EventFilter, w page.Window) ([]Event, error) {
	names := f.Names
	if len(names) == 0 && f.Actor == "" {
		// The server merges the ranges of all names: the same as an index by time alone, which every insert would pay for.
		var err error
		if names, err = m.names(ctx); err != nil || len(names) == 0 {
			return []Event{}, err
		}
	}
	and := bson.A{f.query(names)}
	for op, c := range map[string]page.Cursor{"$lt": w.After, "$gt": w.Before} {
		if c == nil {
			continue
		}
		at, id, err := placeOf(c)
		if err != nil {
			return nil, err
		}
		and = append(and, bson.D{{Key: "at", Value: bson.D{{Key: op + "e", Value: at}}}}, bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: "at", Value: bson.D{{Key: op, Value: at}}}},
			bson.D{{Key: "_id", Value: bson.D{{Key: op, Value: id}}}},
		}}})
	}
	dir, reach := -1, "$gte"
	if w.Backward {
		dir, reach = 1, "$lte"
	}
	type when struct {
		At time.Time `bson:"at"`
	}
	n := int64(w.Size) + 1
	times, err := store.Find[when](ctx, m.events, bson.D{{Key: "$and", Value: and}}, options.Find().
		SetSort(bson.D{{Key: "at", Value: dir}}).SetLimit(n).SetProjection(bson.D{{Key: "at", Value: 1}, {Key: "_id", Value: 0}}))
	if err != nil || len(times) == 0 {
		return []Event{}, err
	}
	and = append(and, bson.D{{Key: "at", Value: bson.D{{Key: reach, Value: times[len(times)-1].At}}}})
	return store.Find[Event](ctx, m.events, bson.D{{Key: "$and", Value: and}}, options.Find().
		SetSort(bson.D{{Key: "at", Value: dir}, {Key: "_id", Value: dir}}).SetLimit(n))
}
