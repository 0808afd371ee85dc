package analytics

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// rollupID orders the rollups as reports read them, so that a range of _id is a range of time of one dimension. The order
// of the fields is that of the comparison: it must never change.
type rollupID struct {
	Metric string    `bson:"m"`
	Dim    string    `bson:"d"`
	At     time.Time `bson:"t"`
	Key    string    `bson:"k"`
}

func (k rollupKey) id() rollupID {
	return rollupID{Metric: k.metric, Dim: k.dim, At: time.UnixMilli(k.at).UTC(), Key: k.key}
}

func (id rollupID) key() rollupKey {
	return rollupKey{metric: id.Metric, dim: id.Dim, at: id.At.UnixMilli(), key: id.Key}
}

// cellDoc is a cell as stored. A metric that only counts has nothing but n. min and max are there if c is: the server's
// operators take an absent one for none, and would take a zero for a number.
type cellDoc struct {
	N   int64    `bson:"n"`
	C   int64    `bson:"c,omitempty"`
	Sum float64  `bson:"sum,omitempty"`
	Min *float64 `bson:"min,omitempty"`
	Max *float64 `bson:"max,omitempty"`
}

func (d cellDoc) cell() cell {
	c := cell{n: d.N, c: d.C, sum: d.Sum}
	if d.Min != nil && d.Max != nil {
		c.min, c.max = *d.Min, *d.Max
	}
	return c
}

func (c cell) doc() cellDoc {
	d := cellDoc{N: c.n, C: c.c, Sum: c.sum}
	if c.c > 0 {
		d.Min, d.Max = &c.min, &c.max
	}
	return d
}

// rollupDoc is a document of the collection rollups.
type rollupDoc struct {
	ID      rollupID   `bson:"_id"`
	Cell    cellDoc    `bson:",inline"`
	Rev     int64      `bson:"rev"`               // of the checkpoint that wrote it last
	Through *time.Time `bson:"through,omitempty"` // of that checkpoint
}

// added are the writes that count the cells on top of what is stored.
func added(rows rollups, by checkpoint) []mongo.WriteModel {
	set := bson.D{{Key: "rev", Value: by.Rev}, {Key: "through", Value: by.Through}}
	models := make([]mongo.WriteModel, 0, len(rows))
	for k, c := range rows {
		inc := bson.D{{Key: "n", Value: c.n}}
		update := bson.D{{Key: "$set", Value: set}}
		if c.c > 0 {
			inc = append(inc, bson.E{Key: "c", Value: c.c}, bson.E{Key: "sum", Value: c.sum})
			update = append(update, bson.E{Key: "$min", Value: bson.D{{Key: "min", Value: c.min}}},
				bson.E{Key: "$max", Value: bson.D{{Key: "max", Value: c.max}}})
		}
		update = append(update, bson.E{Key: "$inc", Value: inc})
		models = append(models, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: k.id()}}).SetUpdate(update).SetUpsert(true))
	}
	return models
}

// replaced are the writes that put the cells in the place of what is stored.
func replaced(rows rollups, by checkpoint) []mongo.WriteModel {
	models := make([]mongo.WriteModel, 0, len(rows))
	for k, c := range rows {
		doc := rollupDoc{ID: k.id(), Cell: c.doc(), Rev: by.Rev, Through: by.Through}
		models = append(models, mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: doc.ID}}).SetReplacement(doc).SetUpsert(true))
	}
	return models
}

// removed are the writes that delete rollups.
func removed(ids []rollupID) []mongo.WriteModel {
	return []mongo.WriteModel{mongo.NewDeleteManyModel().SetFilter(bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})}
}

// between matches the rollups of one dimension of a metric from one time, up to another if that is not zero.
func between(metric, dim string, from, to time.Time) bson.D {
	at := func(t any) bson.D {
		return bson.D{{Key: "m", Value: metric}, {Key: "d", Value: dim}, {Key: "t", Value: t}}
	}
	end := at(bson.MaxKey{})
	if !to.IsZero() {
		end = at(to)
	}
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: at(from)}, {Key: "$lt", Value: end}}}}
}

// sums are the accumulators that join cells.
func sums() bson.D {
	return bson.D{
		{Key: "n", Value: bson.D{{Key: "$sum", Value: "$n"}}},
		{Key: "c", Value: bson.D{{Key: "$sum", Value: "$c"}}},
		{Key: "sum", Value: bson.D{{Key: "$sum", Value: "$sum"}}},
		{Key: "min", Value: bson.D{{Key: "$min", Value: "$min"}}},
		{Key: "max", Value: bson.D{{Key: "$max", Value: "$max"}}},
	}
}

// top are the values of the dimension with the most events, ties by name. One scan of the range.
func (m *mongoStore) top(ctx context.Context, q Query, from, to time.Time) ([]string, error) {
	type row struct {
		Key string `bson:"_id"`
	}
	rows, err := store.Aggregate[row](ctx, m.rollups, bson.A{
		bson.D{{Key: "$match", Value: between(q.Metric, q.By, from, to)}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$_id.k"}, {Key: "n", Value: bson.D{{Key: "$sum", Value: "$n"}}}}}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "n", Value: -1}, {Key: "_id", Value: 1}}}},
		bson.D{{Key: "$limit", Value: q.Top}},
	})
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.Key
	}
	return keys, err
}

// cells joins the minutes of the range into the buckets of the query, by time, then by key. keys limits the values of
// the dimension; it is ignored for the total. One scan of the range.
func (m *mongoStore) cells(ctx context.Context, q Query, from, to time.Time, keys []string) ([]Point, error) {
	match := between(q.Metric, q.By, from, to)
	if q.By != "" {
		match = append(match, bson.E{Key: "_id.k", Value: bson.D{{Key: "$in", Value: keys}}})
	}
	bucket := bson.D{{Key: "$dateTrunc", Value: bson.D{{Key: "date", Value: "$_id.t"}, {Key: "unit", Value: q.Step.unit()}}}}
	group := append(bson.D{{Key: "_id", Value: bson.D{{Key: "t", Value: bucket}, {Key: "k", Value: "$_id.k"}}}}, sums()...)
	type row struct {
		ID struct {
			At  time.Time `bson:"t"`
			Key string    `bson:"k"`
		} `bson:"_id"`
		Cell cellDoc `bson:",inline"`
	}
	rows, err := store.Aggregate[row](ctx, m.rollups, bson.A{
		bson.D{{Key: "$match", Value: match}},
		bson.D{{Key: "$group", Value: group}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
	})
	points := make([]Point, len(rows))
	for i, r := range rows {
		points[i] = r.Cell.cell().point(r.ID.At.UTC(), r.ID.Key, q.Aggregate)
	}
	return points, err
}

func (s Step) unit() string {
	switch s {
	case Hour:
		return "hour"
	case Day:
		return "day"
	case Minute:
	}
	return "minute"
}

// minutes reads the rollups of a dimension from a time on, up to limit. One scan of the range.
func (m *mongoStore) minutes(ctx context.Context, metric, dim string, from time.Time, limit int) ([]rollupDoc, error) {
	return store.Find[rollupDoc](ctx, m.rollups, between(metric, dim, from, time.Time{}), options.Find().SetLimit(int64(limit)))
}

// outdated gives the rollups of a metric last written before a rev, in lots.
func (m *mongoStore) outdated(ctx context.Context, metric string, rev int64, lot func([]rollupID) error) error {
	all := bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: bson.D{{Key: "m", Value: metric}}},
		{Key: "$lt", Value: bson.D{{Key: "m", Value: metric}, {Key: "d", Value: bson.MaxKey{}}}},
	}}, {Key: "rev", Value: bson.D{{Key: "$lt", Value: rev}}}}
	cur, err := m.rollups.Find(ctx, all, options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return fmt.Errorf("find outdated rollups: %w", store.Translate(err))
	}
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	const size = 1000
	ids := make([]rollupID, 0, size)
	for cur.Next(ctx) {
		doc, err := store.Decode[rollupDoc](cur.Current)
		if err != nil {
			return fmt.Errorf("decode rollup: %w", err)
		}
		if ids = append(ids, doc.ID); len(ids) == size {
			if err := lot(ids); err != nil {
				return err
			}
			ids = ids[:0]
		}
	}
	if err := cur.Err(); err != nil {
		return fmt.Errorf("find outdated rollups: %w", store.Translate(err))
	}
	if len(ids) > 0 {
		return lot(ids)
	}
	return nil
}
