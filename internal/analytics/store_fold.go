package analytics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

const (
	foldID   = "fold"
	settleID = "settle"
)

// checkpoint is the place the folder has come to. It is written only together with the rollups it speaks of.
type checkpoint struct {
	ID       string     `bson:"_id"`
	Format   int        `bson:"format"`            // of the rollups: foldFormat, or they are counted anew
	Rev      int64      `bson:"rev"`               // +1 with each write; the rev of the rollups written with it
	Fence    int64      `bson:"fence"`             // of the newest lease that took over; who has an older one cannot write
	StartAt  timestamp  `bson:"startAt"`           // the stream is followed from this time
	Token    bson.Raw   `bson:"token,omitempty"`   // resume after this instead, once there was a change
	Position timestamp  `bson:"position"`          // of the last change folded
	Rung     int64      `bson:"rung"`              // rings of the bell before StartAt, which the stream does not bring
	Settled  int64      `bson:"settled"`           // all that was stored before this ring is folded
	Through  *time.Time `bson:"through,omitempty"` // events stored up to here are folded, by the server's clock
	Metrics  []folded   `bson:"metrics"`           // metrics whose rollups are whole, or were
	Pruned   []pruned   `bson:"pruned,omitempty"`  // names whose events are no longer all there
}

// foldFormat is +1 with each change of what a rollup is.
const foldFormat = 2

// folded says that the rollups of one version of a metric are counted: from the stored events as of a time, and from the
// stream for the changes after it.
type folded struct {
	Key     string    `bson:"key"`
	Version int64     `bson:"v"` // 0: they are to be counted anew
	Basis   int64     `bson:"basis"`
	AsOf    timestamp `bson:"asOf"`
	Parts   []part    `bson:"parts,omitempty"` // by Before: events that were counted as of an earlier time than AsOf
	// Rollups of events before these times are not kept.
	MinuteFrom time.Time `bson:"minuteFrom"`
	HourFrom   time.Time `bson:"hourFrom"`
}

// part says that the events which happened before a time, but for those of the parts before, were counted as of another.
type part struct {
	Before time.Time `bson:"before"`
	AsOf   timestamp `bson:"asOf"`
}

// has reports whether an event that happened at a time, and was stored at another, is among those counted from the store.
func (f folded) has(at time.Time, stored timestamp) bool {
	asOf := f.AsOf
	if i := slices.IndexFunc(f.Parts, func(p part) bool { return at.Before(p.Before) }); i >= 0 {
		asOf = f.Parts[i].AsOf
	}
	return !stored.After(asOf)
}

// since is the begin of the first rollup of a resolution that is kept, unix ms.
func (f folded) since(r resolution) int64 {
	switch r {
	case byMinute:
		return f.MinuteFrom.UnixMilli()
	case byHour:
		return f.HourFrom.UnixMilli()
	case byDay:
	}
	return math.MinInt64
}

// pruned says that the events of a name that happened before a time, the begin of a day, are deleted. Their rollups stay.
type pruned struct {
	Name   string    `bson:"name"`
	Before time.Time `bson:"before"`
}

// eventsSince is from when on the events of a name are there; the zero time if all are.
func (c checkpoint) eventsSince(name string) time.Time {
	for _, p := range c.Pruned {
		if p.Name == name {
			return p.Before.UTC()
		}
	}
	return time.Time{}
}

// entry is what is known of the rollups of a metric, of whatever version.
func (c checkpoint) entry(key string) (folded, bool) {
	i := slices.IndexFunc(c.Metrics, func(f folded) bool { return f.Key == key })
	if i < 0 {
		return folded{}, false
	}
	return c.Metrics[i], true
}

// of finds the entry of a metric, if its rollups are those of this version.
func (c checkpoint) of(m Metric) (folded, bool) {
	f, ok := c.entry(m.Key)
	if !ok || f.Version != m.Version {
		return folded{}, false
	}
	return f, true
}

// anew are the entries of metrics that all have to be counted again.
func anew(all []folded) []folded {
	next := make([]folded, len(all))
	for i, f := range all {
		next[i] = f
		next[i].Version = 0
	}
	return next
}

// with is the checkpoint with the entry of a metric replaced.
func (c checkpoint) with(f folded) checkpoint {
	c = c.without(f.Key)
	c.Metrics = append(c.Metrics, f)
	return c
}

// errFenced: another folder has taken over. errMoved: the checkpoint is not the one this folder wrote last: a commit
// whose answer was lost went through, or another folder has taken over.
var (
	errFenced = errors.New("analytics: another folder has taken over")
	errMoved  = errors.New("analytics: the checkpoint has moved")
)

// checkpoint reads the place of the folder; the zero checkpoint before there was one.
func (m *mongoStore) checkpoint(ctx context.Context) (checkpoint, error) {
	cp, err := store.FindByID[checkpoint](ctx, m.checkpoints, foldID)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return checkpoint{}, nil
	}
	return cp, err
}

// claim reads the checkpoint and shuts out all folders with an older lease.
//
// Errors: errFenced.
func (m *mongoStore) claim(ctx context.Context, fence int64) (checkpoint, error) {
	free := bson.D{{Key: "_id", Value: foldID}, {Key: "fence", Value: bson.D{{Key: "$lte", Value: fence}}}}
	update := bson.D{
		{Key: "$set", Value: bson.D{{Key: "fence", Value: fence}}},
		{Key: "$setOnInsert", Value: bson.D{{Key: "rev", Value: int64(0)}}},
	}
	raw, err := m.checkpoints.FindOneAndUpdate(ctx, free, update,
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	switch {
	case store.IsDuplicate(err): // the filter did not match, and the upsert met the existing _id
		return checkpoint{}, errFenced
	case err != nil:
		return checkpoint{}, fmt.Errorf("claim checkpoint: %w", store.Translate(err))
	}
	return store.Decode[checkpoint](raw)
}

// move writes the next checkpoint over the one this folder knows, with the rollups and keys that belong to it and whatever
// also does, all or nothing.
//
// Errors: errMoved.
func (m *mongoStore) move(ctx context.Context, from, to checkpoint, w write, keys keySets) error {
	return m.db.InTx(ctx, func(ctx context.Context) error {
		ours := bson.D{{Key: "_id", Value: foldID}, {Key: "fence", Value: from.Fence}, {Key: "rev", Value: from.Rev}}
		res, err := m.checkpoints.ReplaceOne(ctx, ours, to)
		switch {
		case err != nil:
			return fmt.Errorf("move checkpoint: %w", store.Translate(err))
		case res.MatchedCount == 0:
			return errMoved
		}
		rows, err := m.rows(ctx, w, to)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			if _, err := m.rollups.BulkWrite(ctx, rows, options.BulkWrite().SetOrdered(false)); err != nil {
				return fmt.Errorf("write rollups: %w", store.Translate(err))
			}
		}
		if err := m.putKeys(ctx, keys); err != nil {
			return err
		}
		if w.also != nil {
			return w.also(ctx)
		}
		return nil
	})
}

// rows are the writes of rollups. Sketches cannot be joined by the server: those stored are read and joined here, which is
// safe because nobody else writes them.
func (m *mongoStore) rows(ctx context.Context, w write, by checkpoint) ([]mongo.WriteModel, error) {
	stored, err := m.sketches(ctx, w.add)
	if err != nil {
		return nil, err
	}
	added, err := added(w.add, stored, by)
	if err != nil {
		return nil, err
	}
	replaced, err := replaced(w.replace, by)
	if err != nil {
		return nil, err
	}
	rows := slices.Concat(added, replaced)
	if len(w.remove) > 0 {
		rows = append(rows, removed(w.remove)...)
	}
	return rows, nil
}

// keySetDoc is a [keySet] as stored.
type keySetDoc struct {
	ID     string   `bson:"_id"` // keysPrefix, metric and dimension
	Metric string   `bson:"metric"`
	Dim    string   `bson:"dim"`
	Basis  int64    `bson:"basis"`
	Keys   []string `bson:"keys"`
}

const keysPrefix = "keys:"

func (id keySetID) String() string { return keysPrefix + id.metric + ":" + id.dim }

// keySets reads all of them. Cost: one range of _id.
func (m *mongoStore) keySets(ctx context.Context) (keySets, error) {
	docs, err := store.Find[keySetDoc](ctx, m.checkpoints, bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: keysPrefix}, {Key: "$lt", Value: "keys;"}, // the character after the colon
	}}})
	all := make(keySets, len(docs))
	for _, d := range docs {
		set := &keySet{basis: d.Basis, has: make(map[string]struct{}, len(d.Keys))}
		for _, k := range d.Keys {
			set.has[k] = struct{}{}
		}
		all[keySetID{d.Metric, d.Dim}] = set
	}
	return all, err
}

// keySet reads one; its keys are nil if there is none.
func (m *mongoStore) keySet(ctx context.Context, metric, dim string) (keySetDoc, error) {
	doc, err := store.FindByID[keySetDoc](ctx, m.checkpoints, keySetID{metric, dim}.String())
	if errors.Is(err, mongo.ErrNoDocuments) {
		return keySetDoc{}, nil
	}
	return doc, err
}

// putKeys stores the keys that are fresh.
func (m *mongoStore) putKeys(ctx context.Context, keys keySets) error {
	var writes []mongo.WriteModel
	for id, set := range keys {
		if len(set.fresh) == 0 {
			continue
		}
		update := bson.D{{Key: "$push", Value: bson.D{{Key: "keys", Value: bson.D{{Key: "$each", Value: set.fresh}}}}}}
		if set.renewed {
			update = bson.D{{Key: "$set", Value: bson.D{
				{Key: "metric", Value: id.metric}, {Key: "dim", Value: id.dim}, {Key: "basis", Value: set.basis}, {Key: "keys", Value: set.fresh},
			}}}
		}
		writes = append(writes, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: id.String()}}).SetUpdate(update).SetUpsert(true))
	}
	if len(writes) == 0 {
		return nil
	}
	if _, err := m.checkpoints.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("store keys: %w", store.Translate(err))
	}
	return nil
}

// ring tells the folder to write its checkpoint as soon as it has folded all that was stored before, and gives the number
// of the ring it will then have heard.
func (m *mongoStore) ring(ctx context.Context) (int64, error) {
	raw, err := m.checkpoints.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: settleID}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(1)}}}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	if err != nil {
		return 0, fmt.Errorf("ring: %w", store.Translate(err))
	}
	n, _ := raw.Lookup("n").AsInt64OK()
	return n, nil
}

// rings is the number of the last ring.
func (m *mongoStore) rings(ctx context.Context) (int64, error) {
	type bell struct {
		N int64 `bson:"n"`
	}
	b, err := store.FindByID[bell](ctx, m.checkpoints, settleID)
	if errors.Is(err, mongo.ErrNoDocuments) {
		err = nil
	}
	return b.N, err
}

// eachEvent reads the events of a name by time, from a time on and up to another, if they are not zero, that pass the
// filters.
func (m *mongoStore) eachEvent(ctx context.Context, name string, from, to time.Time, where []DimFilter, fn func(Event) error) error {
	opts := options.Find().SetSort(bson.D{{Key: "name", Value: 1}, {Key: "at", Value: 1}}).SetBatchSize(5000)
	cur, err := m.events.Find(ctx, happened(name, from, to, where), opts)
	if err != nil {
		return fmt.Errorf("read events: %w", store.Translate(err))
	}
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	for cur.Next(ctx) {
		e, err := store.Decode[Event](cur.Current)
		if err != nil {
			continue // not one of ours: the stream skips it too, and says so
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	if err := cur.Err(); err != nil {
		return fmt.Errorf("read events: %w", store.Translate(err))
	}
	return nil
}

// happened matches the events of a name.
func happened(name string, from, to time.Time, where []DimFilter) bson.D {
	return slices.Concat(bson.D{store.Eq("name", name)}, during(from, to), filters(where))
}

// during matches a range of time, from one up to another; zero times are no bound.
func during(from, to time.Time) bson.D {
	var at bson.D
	if !from.IsZero() {
		at = append(at, bson.E{Key: "$gte", Value: from})
	}
	if !to.IsZero() {
		at = append(at, bson.E{Key: "$lt", Value: to})
	}
	if at == nil {
		return nil
	}
	return bson.D{{Key: "at", Value: at}}
}

// dropEvents deletes the events of a name before a time, up to a number of them, and tells how many it deleted.
func (m *mongoStore) dropEvents(ctx context.Context, name string, before time.Time, limit int) (int64, error) {
	type row struct {
		ID string `bson:"_id"`
	}
	rows, err := store.Find[row](ctx, m.events, happened(name, time.Time{}, before, nil),
		options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)))
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	res, err := m.events.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return 0, fmt.Errorf("delete events: %w", store.Translate(err))
	}
	return res.DeletedCount, nil
}

// dropRollups deletes the rollups of one dimension of a metric before a time.
func (m *mongoStore) dropRollups(ctx context.Context, metric string, res resolution, dim string, before time.Time) error {
	if _, err := m.rollups.DeleteMany(ctx, between(metric, res, dim, time.Time{}, before)); err != nil {
		return fmt.Errorf("delete rollups: %w", store.Translate(err))
	}
	return nil
}

// hasEvents reports whether any event is stored.
func (m *mongoStore) hasEvents(ctx context.Context) (bool, error) {
	err := m.events.FindOne(ctx, bson.D{}, options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, store.Translate(err)
}
