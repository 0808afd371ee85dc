package reporting

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	schedulesCollection = "report_schedules"
	alertsCollection    = "report_alerts"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	indexes := []store.Index{
		{Name: "owner_newest", Keys: []string{"owner", "-_id"}},
		{Name: "due", Keys: []string{"dueAt"}},
	}
	return []store.Collection{{Name: schedulesCollection, Indexes: indexes}, {Name: alertsCollection, Indexes: indexes}}
}

// mongoStore is all this package says to MongoDB.
type mongoStore struct {
	schedules kept[Schedule]
	alerts    kept[Alert]
}

func newStore(db *store.DB) *mongoStore {
	return &mongoStore{
		schedules: kept[Schedule]{db.Collection(schedulesCollection), Schedule.Ref},
		alerts:    kept[Alert]{db.Collection(alertsCollection), Alert.Ref},
	}
}

// kept is a collection of what has an owner, a version and a time when somebody has to look at it.
type kept[T any] struct {
	rows *mongo.Collection
	of   func(T) ref.Ref
}

// get reads one.
//
// Errors: NOT_FOUND.
func (t kept[T]) get(ctx context.Context, id string) (T, error) {
	v, err := store.FindByID[T](ctx, t.rows, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		err = fault.ErrNotFound
	}
	return v, err
}

func (t kept[T]) insert(ctx context.Context, v T) error {
	_, err := t.rows.InsertOne(ctx, v)
	return store.Wrap("insert "+t.of(v).String(), err)
}

// replace writes v over the stored version before it, and reports false when that is not there any more.
func (t kept[T]) replace(ctx context.Context, v T, before int64) (bool, error) {
	res, err := t.rows.ReplaceOne(ctx, bson.D{store.Eq("_id", t.of(v).ID), store.Eq("v", before)}, v)
	if err != nil {
		return false, store.Wrap("replace "+t.of(v).String(), err)
	}
	return res.MatchedCount == 1, nil
}

func (t kept[T]) remove(ctx context.Context, id string) error {
	_, err := t.rows.DeleteOne(ctx, bson.D{store.Eq("_id", id)})
	return store.Wrap("delete "+t.rows.Name(), err)
}

// due reads those that have been due for the longest. One find by index.
func (t kept[T]) due(ctx context.Context, now time.Time, n int64) ([]T, error) {
	return store.Find[T](ctx, t.rows, bson.D{{Key: "dueAt", Value: bson.D{{Key: "$lte", Value: now}}}},
		options.Find().SetSort(bson.D{{Key: "dueAt", Value: 1}}).SetLimit(n))
}

// owned filters by the owner; "" is everybody.
func owned(owner string) bson.D {
	if owner == "" {
		return bson.D{}
	}
	return bson.D{store.Eq("owner", owner)}
}

func (t kept[T]) count(ctx context.Context, owner string) (int64, error) {
	n, err := t.rows.CountDocuments(ctx, owned(owner))
	return n, store.Wrap("count "+t.rows.Name(), err)
}

// page reads those of an owner, the newest first. One find by index.
func (t kept[T]) page(ctx context.Context, owner string, args page.Args) (page.Page[T], error) {
	w, err := args.Check(1)
	if err != nil {
		return page.Page[T]{}, err
	}
	read, err := store.FindPage[T](ctx, t.rows, owned(owner), w, store.Key{Field: "_id", Desc: true})
	if err != nil {
		return page.Page[T]{}, err
	}
	return page.Fold(w, read, func(v T) page.Cursor { return page.Cursor{t.of(v).ID} }), nil
}

// newest reads the newest of an owner. One find by index.
func (t kept[T]) newest(ctx context.Context, owner string, n int64) ([]T, error) {
	return store.Find[T](ctx, t.rows, owned(owner), options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(n))
}
