package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/trace"
)

// TestExplain: the way of the slowest read is told rightly, in and out of a transaction, and without its values.
func TestExplain(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	c := db.Collection("things")
	if _, err := c.Indexes().CreateMany(t.Context(), []mongo.IndexModel{
		{Keys: bson.D{{Key: "a", Value: 1}, {Key: "b", Value: -1}}}, {Keys: bson.D{{Key: "words", Value: "text"}}},
	}); err != nil {
		t.Fatal(err)
	}
	storetest.Insert(t, db, "things", bson.M{"_id": "secret", "a": "secret", "b": 2, "c": 3})
	for _, tc := range []struct {
		name   string
		filter bson.D
		want   string
	}{
		{"by an index", bson.D{{Key: "a", Value: "secret"}}, "IXSCAN { a: 1, b: -1 }"},
		{"by none", bson.D{{Key: "c", Value: "secret"}}, "COLLSCAN"},
		{"everything", bson.D{}, "COLLSCAN"},
		{"either", bson.D{{Key: "$or", Value: bson.A{bson.M{"a": "secret"}, bson.M{"_id": "secret"}}}}, "IXSCAN { _id: 1 }, IXSCAN { a: 1, b: -1 }"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			find := func(ctx context.Context) error {
				_, err := store.Find[bson.M](ctx, c, tc.filter, options.Find().SetSort(bson.D{{Key: "z", Value: 1}}))
				return err
			}
			aggregate := func(ctx context.Context) error {
				_, err := store.Aggregate[bson.M](ctx, c, mongo.Pipeline{{{Key: "$match", Value: tc.filter}}, {{Key: "$group", Value: bson.D{{Key: "_id", Value: "$z"}}}}})
				return err
			}
			for name, read := range map[string]func(context.Context) error{"find": find, "aggregate": aggregate} {
				slowest := slowestOf(t, read)
				if slowest.Name != name || slowest.Collection != "things" || slowest.Took <= 0 {
					t.Fatalf("%s: %+v", name, slowest)
				}
				if got, err := db.Explain(t.Context(), slowest); err != nil || got != tc.want {
					t.Errorf("%s: %q, %v; want %q", name, got, err, tc.want)
				}
			}
			var slowest trace.Command
			if err := db.InTx(t.Context(), func(ctx context.Context) error {
				ctx, work := trace.Watch(ctx)
				defer func() { slowest, _ = work.Slowest() }()
				return find(ctx)
			}); err != nil {
				t.Fatal(err)
			}
			if got, err := db.Explain(t.Context(), slowest); err != nil || got != tc.want {
				t.Errorf("in a transaction: %q, %v", got, err)
			}
		})
	}
	slowest := slowestOf(t, func(ctx context.Context) error {
		_, err := c.InsertOne(ctx, bson.M{"_id": "another"})
		return err
	})
	if _, err := db.Explain(t.Context(), slowest); !errors.Is(err, store.ErrNotExplained) || slowest.Name != "insert" || len(slowest.Body) != 0 {
		t.Errorf("a write: %v %+v", err, slowest)
	}
}

// slowestOf is the slowest command of a call, whoever else watches.
func slowestOf(t *testing.T, call func(ctx context.Context) error) trace.Command {
	t.Helper()
	ctx, outer := trace.Watch(t.Context())
	ctx, work := trace.Watch(ctx)
	if err := call(ctx); err != nil {
		t.Fatal(err)
	}
	slowest, ok := work.Slowest()
	if !ok || work.Total() == 0 || outer.Total() != work.Total() || outer.Took() != work.Took() {
		t.Fatalf("%+v, and outside %d of %d commands", slowest, outer.Total(), work.Total())
	}
	return slowest
}

// TestWorkIsListed: a list tells each command with its collection and no body, and stays in bounds.
func TestWorkIsListed(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	many := make([]any, 250)
	for i := range many {
		many[i] = bson.M{"pad": strings.Repeat("x", 10)}
	}
	storetest.Insert(t, db, "many", many...)
	ctx, work := trace.Watch(t.Context())
	work.List(time.Now())
	if _, err := store.Find[bson.M](ctx, db.Collection("many"), bson.D{}, options.Find().SetBatchSize(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Find[bson.M](ctx, db.Collection("many"), bson.D{{Key: "$nonsense", Value: 1}}); err == nil {
		t.Fatal("nonsense was found")
	}
	list := work.Listed()
	if len(list) != 200 || list[0].Name != "find" || list[1].Name != "getMore" || work.Count("getMore") < 249 {
		t.Fatalf("%d listed, %d sent", len(list), work.Total())
	}
	for i, c := range list {
		if c.Collection != "many" || c.Body != nil || c.Failed || c.Took <= 0 || i > 0 && c.At+c.Took < list[i-1].At {
			t.Fatalf("%d: %+v", i, c)
		}
	}
}
