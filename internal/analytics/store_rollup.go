package analytics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// rollupID orders the rollups as reports read them, so that a range of _id is a range of time of one dimension. The order
// of the fields is that of the comparison: it must never change.
type rollupID struct {
	Metric string     `bson:"m"`
	Res    resolution `bson:"r"`
	Dim    string     `bson:"d"`
	At     time.Time  `bson:"t"`
	Key    string     `bson:"k"`
}

func (k rollupKey) id() rollupID {
	return rollupID{Metric: k.metric, Res: k.res, Dim: k.dim, At: time.UnixMilli(k.at).UTC(), Key: k.key}
}

func (id rollupID) key() rollupKey {
	return rollupKey{metric: id.Metric, res: id.Res, dim: id.Dim, at: id.At.UnixMilli(), key: id.Key}
}

// cellDoc is a cell as stored. A metric that only counts has nothing but n. min, max and last are there if c is: the
// server's operators take an absent one for none, and would take a zero for a number.
type cellDoc struct {
	N       int64    `bson:"n"`
	C       int64    `bson:"c,omitempty"`
	Sum     float64  `bson:"sum,omitempty"`
	Min     *float64 `bson:"min,omitempty"`
	Max     *float64 `bson:"max,omitempty"`
	Last    *lastDoc `bson:"last,omitempty"`
	Uniques []byte   `bson:"uniq,omitempty"`
	Spread  []byte   `bson:"dd,omitempty"`
}

// lastDoc orders by time, then by value, as the server's $max compares it.
type lastDoc struct {
	At    time.Time `bson:"t"`
	Value float64   `bson:"v"`
}

func (d cellDoc) cell() (cell, error) {
	c := cell{n: d.N, c: d.C, sum: d.Sum}
	if d.Min != nil && d.Max != nil {
		c.min, c.max = *d.Min, *d.Max
	}
	if d.Last != nil {
		c.lastAt, c.last = d.Last.At.UnixMilli(), d.Last.Value
	}
	var err error
	if c.uniques, err = uniquesFrom(d.Uniques); err != nil {
		return c, fmt.Errorf("read uniques: %w", err)
	}
	if c.spread, err = spreadFrom(d.Spread); err != nil {
		return c, fmt.Errorf("read distribution: %w", err)
	}
	return c, nil
}

func (c cell) doc() (cellDoc, error) {
	d := cellDoc{N: c.n, C: c.c, Sum: c.sum, Spread: spreadBytes(c.spread)}
	if c.c > 0 {
		d.Min, d.Max, d.Last = &c.min, &c.max, c.lastDoc()
	}
	var err error
	d.Uniques, err = uniquesBytes(c.uniques)
	return d, err
}

func (c cell) lastDoc() *lastDoc { return &lastDoc{At: time.UnixMilli(c.lastAt).UTC(), Value: c.last} }

// rollupDoc is a document of the collection rollups.
type rollupDoc struct {
	ID      rollupID   `bson:"_id"`
	Cell    cellDoc    `bson:",inline"`
	Rev     int64      `bson:"rev"`               // of the checkpoint that wrote it last
	Through *time.Time `bson:"through,omitempty"` // of that checkpoint
}

// sketches reads the stored sketches of cells that have some.
func (m *mongoStore) sketches(ctx context.Context, rows rollups) (map[rollupKey]cellDoc, error) {
	var ids []rollupID
	for k, c := range rows {
		if c.uniques != nil || c.spread != nil {
			ids = append(ids, k.id())
		}
	}
	if len(ids) == 0 {
		return nil, nil //nolint:nilnil // none is a value here
	}
	docs, err := store.Find[rollupDoc](ctx, m.rollups, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}},
		options.Find().SetProjection(bson.D{{Key: "uniq", Value: 1}, {Key: "dd", Value: 1}}))
	stored := make(map[rollupKey]cellDoc, len(docs))
	for _, d := range docs {
		stored[d.ID.key()] = d.Cell
	}
	return stored, err
}

// added are the writes that count the cells on top of what is stored.
func added(rows rollups, sketches map[rollupKey]cellDoc, by checkpoint) ([]mongo.WriteModel, error) {
	models := make([]mongo.WriteModel, 0, len(rows))
	for k, c := range rows {
		set := bson.D{{Key: "rev", Value: by.Rev}, {Key: "through", Value: by.Through}}
		if c.uniques != nil || c.spread != nil {
			both, err := sketches[k].cell()
			if err != nil {
				return nil, err
			}
			both.add(cell{uniques: c.uniques, spread: c.spread})
			d, err := both.doc()
			if err != nil {
				return nil, err
			}
			if d.Uniques != nil {
				set = append(set, bson.E{Key: "uniq", Value: d.Uniques})
			}
			if d.Spread != nil {
				set = append(set, bson.E{Key: "dd", Value: d.Spread})
			}
		}
		inc := bson.D{{Key: "n", Value: c.n}}
		update := bson.D{{Key: "$set", Value: set}}
		if c.c > 0 {
			inc = append(inc, bson.E{Key: "c", Value: c.c}, bson.E{Key: "sum", Value: c.sum})
			update = append(update, bson.E{Key: "$min", Value: bson.D{{Key: "min", Value: c.min}}},
				bson.E{Key: "$max", Value: bson.D{{Key: "max", Value: c.max}, {Key: "last", Value: c.lastDoc()}}})
		}
		update = append(update, bson.E{Key: "$inc", Value: inc})
		models = append(models, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: k.id()}}).SetUpdate(update).SetUpsert(true))
	}
	return models, nil
}

// replaced are the writes that put the cells in the place of what is stored.
func replaced(rows rollups, by checkpoint) ([]mongo.WriteModel, error) {
	models := make([]mongo.WriteModel, 0, len(rows))
	for k, c := range rows {
		d, err := c.doc()
		if err != nil {
			return nil, err
		}
		doc := rollupDoc{ID: k.id(), Cell: d, Rev: by.Rev, Through: by.Through}
		models = append(models, mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: doc.ID}}).SetReplacement(doc).SetUpsert(true))
	}
	return models, nil
}

// rawID is a rollupID as stored, perhaps of an older format.
type rawID = bson.RawValue

// removed are the writes that delete rollups.
func removed(ids []rawID) []mongo.WriteModel {
	return []mongo.WriteModel{mongo.NewDeleteManyModel().SetFilter(bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})}
}

// between matches the rollups of one dimension of a metric from one time, up to another if that is not zero.
func between(metric string, res resolution, dim string, from, to time.Time) bson.D {
	at := func(t any) bson.D {
		return bson.D{{Key: "m", Value: metric}, {Key: "r", Value: res}, {Key: "d", Value: dim}, {Key: "t", Value: t}}
	}
	begin, end := at(from), at(bson.MaxKey{})
	if from.IsZero() {
		begin = at(bson.MinKey{})
	}
	if !to.IsZero() {
		end = at(to)
	}
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: begin}, {Key: "$lt", Value: end}}}}
}

// slice is which rollups a report reads.
type slice struct {
	metric string
	res    resolution
	dim    string
	from   time.Time
	to     time.Time // zero for all from then on
	keys   []string  // values of the dimension; nil for all
	not    bool      // all but keys
	sketch bool      // with sketches
}

func (s slice) match() bson.D {
	match := between(s.metric, s.res, s.dim, s.from, s.to)
	if s.keys != nil {
		op := "$in"
		if s.not {
			op = "$nin"
		}
		match = append(match, bson.E{Key: "_id.k", Value: bson.D{{Key: op, Value: s.keys}}})
	}
	return match
}

// top are the values of the dimension with the most events, ties by name. One scan of the range.
func (m *mongoStore) top(ctx context.Context, of slice, n int) ([]string, error) {
	type row struct {
		Key string `bson:"_id"`
	}
	rows, err := store.Aggregate[row](ctx, m.rollups, bson.A{
		bson.D{{Key: "$match", Value: of.match()}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$_id.k"}, {Key: "n", Value: bson.D{{Key: "$sum", Value: "$n"}}}}}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "n", Value: -1}, {Key: "_id", Value: 1}}}},
		bson.D{{Key: "$limit", Value: n}},
	})
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.Key
	}
	return keys, err
}

// eachRollup reads rollups, at most limit. One scan of the range.
//
// Errors: REPORT_TOO_LARGE.
func (m *mongoStore) eachRollup(ctx context.Context, of slice, limit int, fn func(rollupDoc) error) error {
	opts := options.Find().SetBatchSize(5000).SetLimit(int64(limit) + 1)
	if !of.sketch {
		opts.SetProjection(bson.D{{Key: "uniq", Value: 0}, {Key: "dd", Value: 0}})
	}
	cur, err := m.rollups.Find(ctx, of.match(), opts)
	if err != nil {
		return fmt.Errorf("read rollups: %w", store.Translate(err))
	}
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	for n := 0; cur.Next(ctx); n++ {
		if n == limit {
			return ErrTooLarge.With("limit", limit)
		}
		doc, err := store.Decode[rollupDoc](cur.Current)
		if err != nil {
			return fmt.Errorf("decode rollup: %w", err)
		}
		if err := fn(doc); err != nil {
			return err
		}
	}
	return store.Translate(cur.Err())
}

// eachStored reads the rollups of the keys of made.
func (m *mongoStore) eachStored(ctx context.Context, made rollups, fn func(rollupKey, cell)) error {
	for lot := range slices.Chunk(slices.Collect(maps.Keys(made)), 1000) {
		ids := make([]rollupID, len(lot))
		for i, k := range lot {
			ids[i] = k.id()
		}
		docs, err := store.Find[rollupDoc](ctx, m.rollups, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
		if err != nil {
			return err
		}
		for _, d := range docs {
			c, err := d.Cell.cell()
			if err != nil {
				return err
			}
			fn(d.ID.key(), c)
		}
	}
	return nil
}

// outdated says which rollups of a metric a recount leaves over: those written last before rev, but for those of its
// dimensions before until.
type outdated struct {
	metric *Metric
	rev    int64
	until  time.Time
}

func (o outdated) match() bson.D {
	match := bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: bson.D{{Key: "m", Value: o.metric.Key}}},
		{Key: "$lt", Value: bson.D{{Key: "m", Value: o.metric.Key}, {Key: "r", Value: bson.MaxKey{}}}},
	}}, {Key: "rev", Value: bson.D{{Key: "$lt", Value: o.rev}}}}
	if o.until.IsZero() {
		return match
	}
	return append(match, bson.E{Key: "$or", Value: bson.A{
		bson.D{{Key: "_id.t", Value: bson.D{{Key: "$gte", Value: o.until}}}},
		bson.D{{Key: "_id.d", Value: bson.D{{Key: "$nin", Value: append([]string{""}, o.metric.Dimensions...)}}}},
	}})
}

// outdated gives them, in lots.
func (m *mongoStore) outdated(ctx context.Context, which outdated, lot func([]rawID) error) error {
	cur, err := m.rollups.Find(ctx, which.match(), options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return fmt.Errorf("find outdated rollups: %w", store.Translate(err))
	}
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	const size = 1000
	ids := make([]rawID, 0, size)
	for cur.Next(ctx) {
		id := cur.Current.Lookup("_id")
		id.Value = slices.Clone(id.Value) // the cursor's memory is used again
		if ids = append(ids, id); len(ids) == size {
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
