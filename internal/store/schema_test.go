package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestLease(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	ctx := t.Context()
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := db.TryLease(ctx, "race", time.Minute); err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrLeaseHeld) {
				t.Errorf("TryLease() = %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d processes hold one lease", won.Load())
	}

	first, err := db.TryLease(ctx, "l", 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Renew(ctx); err != nil {
		t.Errorf("Renew() = %v", err)
	}
	var second *store.Lease
	storetest.Eventually(t, 10*time.Second, func() bool {
		second, err = db.TryLease(ctx, "l", time.Minute)
		return err == nil
	}, "an expired lease can be taken")
	if second.Fence() <= first.Fence() {
		t.Errorf("fence %d after %d", second.Fence(), first.Fence())
	}
	if err := first.Renew(ctx); !errors.Is(err, store.ErrLeaseHeld) {
		t.Errorf("the old holder renewed: %v", err)
	}
	if err := first.Release(ctx); err != nil {
		t.Errorf("releasing a lost lease is no error: %v", err)
	}
	if _, err := db.TryLease(ctx, "l", time.Minute); !errors.Is(err, store.ErrLeaseHeld) {
		t.Errorf("the old holder released the new one's lease: %v", err)
	}
	if err := second.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := db.TryLease(ctx, "l", time.Minute); err != nil {
		t.Errorf("a released lease is held: %v", err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	ctx := t.Context()
	var runs atomic.Int32
	fail := true
	plan := store.Plan{
		Collections: []store.Collection{{Name: "c", Indexes: []store.Index{
			{Name: "k_newest", Keys: []string{"k", "-_id"}},
			{Name: "n_once", Keys: []string{"n"}, Unique: true, Partial: bson.D{{Key: "n", Value: bson.D{{Key: "$gt", Value: 0}}}}},
		}}},
		Migrations: []store.Migration{
			{ID: "0002_second", Up: func(ctx context.Context, db *store.DB) error {
				if fail {
					return errors.New("died half-way")
				}
				runs.Add(1)
				return nil
			}},
			{ID: "0001_first", Up: func(context.Context, *store.DB) error { runs.Add(1); return nil }},
		},
	}
	r, err := db.Migrate(ctx, plan, true)
	if err != nil || len(r.Created) != 3 || fmt.Sprint(r.Applied) != "[0001_first 0002_second]" || runs.Load() != 0 {
		t.Fatalf("a dry run did %+v, %v, ran %d", r, err, runs.Load())
	}
	if _, err = db.Migrate(ctx, plan, false); err == nil {
		t.Fatal("a failed migration was not reported")
	}
	fail = false
	var wg sync.WaitGroup
	for range 3 { // three servers start at once
		wg.Go(func() {
			if _, err := db.Migrate(ctx, plan, false); err != nil {
				t.Errorf("Migrate() = %v", err)
			}
		})
	}
	wg.Wait()
	if runs.Load() != 2 {
		t.Errorf("2 migrations ran %d times", runs.Load())
	}
	storetest.Insert(t, db, "c", row{ID: "a", N: 1}, row{ID: "b"}, row{ID: "c"})
	if _, err := db.Collection("c").InsertOne(ctx, row{ID: "d", N: 1}); !store.DuplicateOf(err, "n_once") {
		t.Errorf("the unique index is not there: %v", err)
	}
	plan.Collections[0].Indexes[0].Keys = []string{"k"}
	plan.Collections[0].Indexes = plan.Collections[0].Indexes[:1]
	r, err = db.Migrate(ctx, plan, false)
	if err != nil || len(r.Warnings) != 2 || len(r.Created) != 0 {
		t.Errorf("a differing and an undeclared index: %+v, %v", r, err)
	}
}

// TestIndexesTakeTheirTime: an index of a large collection takes longer than a request may.
func TestIndexesTakeTheirTime(t *testing.T) {
	t.Parallel()
	name := ref.NewID()
	storetest.Open(t, "bb_test_"+name) // drops it at the end
	db, err := store.Open(t.Context(), store.Config{
		URI: storetest.URI(t), Database: "bb_test_" + name, AppName: name, Timeout: 2 * time.Second, StartWait: time.Minute,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	storetest.Name(t, db, name)
	off := storetest.FailPoint(t, db, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"createIndexes"}}, {Key: "blockConnection", Value: true}, {Key: "blockTimeMS", Value: 2500},
	})
	defer off()
	plan := store.Plan{Collections: []store.Collection{{Name: "large", Indexes: []store.Index{{Name: "key", Keys: []string{"key"}}}}}}
	if r, err := db.Migrate(t.Context(), plan, false); err != nil {
		t.Errorf("%+v %v", r, err)
	}
}
