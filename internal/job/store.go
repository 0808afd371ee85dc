package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	collection = "jobs"
	keep       = 30 * 24 * time.Hour // a job that ended
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		{Name: "due", Keys: []string{"state", "dueAt"}},
		{Name: "by", Keys: []string{"by.type", "by.id", "_id"}},
		{Name: "on", Keys: []string{"on.type", "on.id", "_id"}},
		{Name: "expiresAt", Keys: []string{"expiresAt"}, Expires: true},
	}}}
}

// errLost tells a manager that it no longer holds the job: it was cancelled, or the claim ran out.
var errLost = errors.New("job: no longer held")

func isLost(err error) bool { return errors.Is(err, errLost) }

type mongoStore struct{ jobs *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{db.Collection(collection)} }

// insert writes a new job, which is due at once: the epoch is before any server's now.
func (m *mongoStore) insert(ctx context.Context, j Job) error {
	_, err := m.jobs.InsertOne(ctx, struct {
		Job   `bson:",inline"`
		DueAt time.Time `bson:"dueAt"`
	}{j, time.UnixMilli(0)})
	return store.Wrap("insert job", err)
}

func (m *mongoStore) get(ctx context.Context, id string) (Job, error) {
	j, err := store.FindByID[Job](ctx, m.jobs, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return j, ErrNotFound
	}
	return j, err
}

func (m *mongoStore) byIDs(ctx context.Context, ids []string) (map[string]Job, error) {
	return store.FindByIDs(ctx, m.jobs, ids, func(j Job) string { return j.ID })
}

// list reads the newest first, without what a job was asked, where it is and what came of it: each may be large.
func (m *mongoStore) list(ctx context.Context, f Filter, w page.Window) ([]Job, error) {
	where := bson.D{}
	if !f.By.IsZero() {
		where = append(where, store.Points("by", f.By)...)
	}
	if !f.On.IsZero() {
		where = append(where, store.Points("on", f.On)...)
	}
	if f.key != "" {
		where = append(where, store.Eq("actor.key", f.key))
	}
	return store.FindPageWithout[Job](ctx, m.jobs, []string{"args", "cursor", "result"}, where, w, store.Key{Field: "_id", Desc: true})
}

// claim takes the job that has been due for the longest, of the kinds this node can do. Atomic: of many who ask, one gets it.
func (m *mongoStore) claim(ctx context.Context, kinds []string, now time.Time, d time.Duration) (j Job, found bool, err error) {
	raw, err := m.jobs.FindOneAndUpdate(ctx,
		bson.D{
			{Key: "state", Value: bson.D{{Key: "$in", Value: bson.A{Waiting, Running}}}},
			{Key: "kind", Value: bson.D{{Key: "$in", Value: kinds}}},
			{Key: "$expr", Value: bson.D{{Key: "$lte", Value: bson.A{"$dueAt", "$$NOW"}}}},
		},
		set(bson.D{
			{Key: "state", Value: Running},
			{Key: "dueAt", Value: in(d)},
			{Key: "fence", Value: bson.D{{Key: "$add", Value: bson.A{"$fence", int64(1)}}}},
			{Key: "startedAt", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$startedAt", now}}}},
		}),
		options.FindOneAndUpdate().SetSort(bson.D{{Key: "dueAt", Value: 1}}).SetReturnDocument(options.After)).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return j, false, nil
	case err != nil:
		return j, false, store.Wrap("claim job", err)
	}
	j, err = store.Decode[Job](raw)
	return j, err == nil, store.Wrap("claim job", err)
}

// backlog counts by the index of states; a new job is due since it was made.
func (m *mongoStore) backlog(ctx context.Context, since time.Time) (b Backlog, err error) {
	type group struct {
		Failed bool  `bson:"_id"`
		N      int   `bson:"n"`
		LateMs int64 `bson:"lateMs"`
	}
	due := bson.D{
		{Key: "state", Value: bson.D{{Key: "$in", Value: bson.A{Waiting, Running}}}},
		{Key: "$expr", Value: bson.D{{Key: "$lte", Value: bson.A{"$dueAt", "$$NOW"}}}},
	}
	failed := bson.D{store.Eq("state", Failed), {Key: "finishedAt", Value: bson.D{{Key: "$gte", Value: since}}}}
	late := bson.D{{Key: "$subtract", Value: bson.A{"$$NOW", bson.D{{Key: "$max", Value: bson.A{"$dueAt", "$createdAt"}}}}}}
	found, err := store.Aggregate[group](ctx, m.jobs, mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "$or", Value: bson.A{due, failed}}}}},
		{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{{Key: "$eq", Value: bson.A{"$state", Failed}}}},
			{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
			{Key: "lateMs", Value: bson.D{{Key: "$max", Value: late}}},
		}}},
	})
	for _, g := range found {
		if g.Failed {
			b.Failed = g.N
		} else {
			b.Due, b.Late = g.N, time.Duration(g.LateMs)*time.Millisecond
		}
	}
	return b, err
}

// held reads the job if it is held by that fence still.
func (m *mongoStore) held(ctx context.Context, id string, fence int64) (Job, error) {
	j, err := store.FindOne[Job](ctx, m.jobs, mine(id, fence))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return j, errLost
	}
	return j, err
}

// save writes how far the job is, and extends the claim by d unless it has ended.
func (m *mongoStore) save(ctx context.Context, j Job, d time.Duration) error {
	fields := bson.D{
		literal("cursor", j.Cursor), literal("result", j.Result),
		{Key: "done", Value: j.Done},
		{Key: "total", Value: j.Total},
		{Key: "state", Value: j.State},
		{Key: "updatedAt", Value: j.UpdatedAt},
		{Key: "tries", Value: 0},
		{Key: "dueAt", Value: in(d)},
		literal("error", ""), literal("code", ""),
	}
	return m.update(ctx, j, append(fields, end(j)...))
}

// fail writes down why a try failed. The job is due again after wait, for any node, unless it has ended.
func (m *mongoStore) fail(ctx context.Context, j Job, f *fault.Error, wait time.Duration) error {
	fields := bson.D{
		{Key: "state", Value: j.State},
		{Key: "updatedAt", Value: j.UpdatedAt},
		{Key: "tries", Value: j.Tries},
		{Key: "dueAt", Value: in(wait)},
		literal("error", f.Msg), literal("code", f.Code),
	}
	return m.update(ctx, j, append(fields, end(j)...))
}

// release lets any node have the job at once.
func (m *mongoStore) release(ctx context.Context, j Job) error {
	return m.update(ctx, j, bson.D{{Key: "dueAt", Value: "$$NOW"}})
}

func (m *mongoStore) update(ctx context.Context, j Job, fields bson.D) error {
	res, err := m.jobs.UpdateOne(ctx, mine(j.ID, j.Fence), set(fields))
	switch {
	case err != nil:
		return fmt.Errorf("save job %s: %w", j.ID, store.Translate(err))
	case res.MatchedCount == 0:
		return errLost
	}
	return nil
}

// cancel ends a job that has not ended. It reports false when there is none.
func (m *mongoStore) cancel(ctx context.Context, id string, now time.Time) (bool, error) {
	res, err := m.jobs.UpdateOne(ctx,
		bson.D{store.Eq("_id", id), {Key: "state", Value: bson.D{{Key: "$in", Value: bson.A{Waiting, Running}}}}},
		set(append(end(Job{FinishedAt: &now}), bson.E{Key: "state", Value: Canceled}, bson.E{Key: "updatedAt", Value: now})))
	if err != nil {
		return false, store.Wrap("cancel job", err)
	}
	return res.MatchedCount == 1, nil
}

// mine matches the job while that fence holds it.
func mine(id string, fence int64) bson.D {
	return bson.D{store.Eq("_id", id), store.Eq("fence", fence), store.Eq("state", Running)}
}

func set(fields bson.D) bson.A { return bson.A{bson.D{{Key: "$set", Value: fields}}} }

// literal sets a field to what must not be read as an expression.
func literal(field string, value any) bson.E {
	return bson.E{Key: field, Value: bson.D{{Key: "$literal", Value: value}}}
}

// in is d from now by the server's clock.
func in(d time.Duration) bson.D {
	return bson.D{{Key: "$add", Value: bson.A{"$$NOW", d.Milliseconds()}}}
}

// end is what is written of the end of a job; nothing when it has not ended.
func end(j Job) bson.D {
	if j.FinishedAt == nil {
		return nil
	}
	return bson.D{{Key: "finishedAt", Value: *j.FinishedAt}, {Key: "expiresAt", Value: j.FinishedAt.Add(keep)}}
}
