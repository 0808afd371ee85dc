package analytics

import (
	"context"
	"errors"
	"fmt"
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
	Rev      int64      `bson:"rev"`               // +1 with each write; the rev of the rollups written with it
	Fence    int64      `bson:"fence"`             // of the newest lease that took over; who has an older one cannot write
	StartAt  timestamp  `bson:"startAt"`           // the stream is followed from this time
	Token    bson.Raw   `bson:"token,omitempty"`   // resume after this instead, once there was a change
	Position timestamp  `bson:"position"`          // of the last change folded
	Rung     int64      `bson:"rung"`              // rings of the bell before StartAt, which the stream does not bring
	Settled  int64      `bson:"settled"`           // all that was stored before this ring is folded
	Through  *time.Time `bson:"through,omitempty"` // events stored up to here are folded, by the server's clock
	Metrics  []folded   `bson:"metrics"`           // metrics whose rollups are whole
}

// folded says that the rollups of one version of a metric are counted: from the stored events as of a time, and from the
// stream for the changes after it.
type folded struct {
	Key     string    `bson:"key"`
	Version int64     `bson:"v"`
	AsOf    timestamp `bson:"asOf"`
}

// of finds the entry of a metric, if its rollups are those of this version.
func (c checkpoint) of(m Metric) (folded, bool) {
	i := slices.IndexFunc(c.Metrics, func(f folded) bool { return f.Key == m.Key && f.Version == m.Version })
	if i < 0 {
		return folded{}, false
	}
	return c.Metrics[i], true
}

// with is the checkpoint with the entry of a metric replaced.
func (c checkpoint) with(f folded) checkpoint {
	c.Metrics = slices.DeleteFunc(slices.Clone(c.Metrics), func(o folded) bool { return o.Key == f.Key })
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

// move writes the next checkpoint over the one this folder knows, with the rollups that belong to it and whatever also
// does, all or nothing.
//
// Errors: errMoved.
func (m *mongoStore) move(ctx context.Context, from, to checkpoint, rows []mongo.WriteModel, also func(ctx context.Context) error) error {
	return m.db.InTx(ctx, func(ctx context.Context) error {
		ours := bson.D{{Key: "_id", Value: foldID}, {Key: "fence", Value: from.Fence}, {Key: "rev", Value: from.Rev}}
		res, err := m.checkpoints.ReplaceOne(ctx, ours, to)
		switch {
		case err != nil:
			return fmt.Errorf("move checkpoint: %w", store.Translate(err))
		case res.MatchedCount == 0:
			return errMoved
		}
		if len(rows) > 0 {
			if _, err := m.rollups.BulkWrite(ctx, rows, options.BulkWrite().SetOrdered(false)); err != nil {
				return fmt.Errorf("write rollups: %w", store.Translate(err))
			}
		}
		if also != nil {
			return also(ctx)
		}
		return nil
	})
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

// asOf runs fn with a context whose reads see the data as it was at one time; the zero time is now. The server keeps at
// least the last five minutes.
func (m *mongoStore) asOf(ctx context.Context, at timestamp, fn func(ctx context.Context) error) error {
	opts := options.Session().SetSnapshot(true)
	if !at.IsZero() {
		opts.SetSnapshotTime(at)
	}
	sess, err := m.db.Database().Client().StartSession(opts)
	if err != nil {
		return store.Translate(err)
	}
	defer sess.EndSession(context.WithoutCancel(ctx))
	return fn(mongo.NewSessionContext(ctx, sess))
}

// eachEvent reads the events of a name by time.
func (m *mongoStore) eachEvent(ctx context.Context, name string, fn func(Event) error) error {
	opts := options.Find().SetSort(bson.D{{Key: "name", Value: 1}, {Key: "at", Value: 1}}).SetBatchSize(5000)
	cur, err := m.events.Find(ctx, bson.D{store.Eq("name", name)}, opts)
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

// hasEvents reports whether any event is stored.
func (m *mongoStore) hasEvents(ctx context.Context) (bool, error) {
	err := m.events.FindOne(ctx, bson.D{}, options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, store.Translate(err)
}
