package event

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func open(t *testing.T) (*store.DB, *Log) {
	t.Helper()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: Collections()}, false); err != nil {
		t.Fatal(err)
	}
	return db, NewLog(db, clock.System())
}

// inbox collects what a follower is told.
type inbox struct {
	mu      sync.Mutex
	kinds   []string
	changes []Change
	lost    int
}

func (b *inbox) follower(coll string) Follower {
	return Follower{
		Name: "test", Collection: coll,
		OnEvent: func(_ context.Context, e Event, _ bson.Timestamp) {
			b.mu.Lock()
			b.kinds = append(b.kinds, e.Kind)
			b.mu.Unlock()
		},
		OnChange: func(_ context.Context, c Change) { b.mu.Lock(); b.changes = append(b.changes, c); b.mu.Unlock() },
		OnLost:   func(context.Context) { b.mu.Lock(); b.lost++; b.mu.Unlock() },
	}
}

func (b *inbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.kinds) + len(b.changes)
}

func start(t *testing.T, db *store.DB, followers ...Follower) *Tail {
	t.Helper()
	tail := NewTail(db, clock.System(), slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, f := range followers {
		tail.Follow(f)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done, err := tail.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return tail
}

func appendOne(t *testing.T, db *store.DB, log *Log, kind string) {
	t.Helper()
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		return log.Append(ctx, kind, ref.New(ref.User, "u1"), bson.D{{Key: "n", Value: 1}})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAppendNeedsATransaction(t *testing.T) {
	t.Parallel()
	db, log := open(t)
	if err := log.Append(t.Context(), "a.b.c", ref.New(ref.User, "u"), nil); err == nil {
		t.Error("a fact outside a transaction may survive the change it tells of")
	}
	if n := storetest.Count(t, db, collection); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestAppendSaysWhoAndWhy(t *testing.T) {
	t.Parallel()
	db, log := open(t)
	ctx := actor.With(t.Context(), actor.Actor{User: "admin", Impersonator: "root", Session: "s"})
	ctx = actor.WithRequest(ctx, actor.Request{ID: "r1", IP: "192.0.2.1"})
	on := ref.New(ref.User, "u1")
	for i := range 3 {
		err := db.InTx(ctx, func(ctx context.Context) error {
			return log.Append(ctx, "test.thing.done", on, bson.D{{Key: "n", Value: i}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	size := 2
	p, err := log.On(ctx, on, page.Args{First: &size})
	if err != nil || len(p.Items) != 2 || !p.HasNext {
		t.Fatalf("On() = %+v, %v", p, err)
	}
	e := p.Items[0]
	want := Actor{User: "admin", Impersonator: "root", Session: "s"}
	if e.Actor != want || e.RequestID != "r1" || e.IP != "192.0.2.1" || e.On != on || e.Data.Lookup("n").Int32() != 2 {
		t.Errorf("newest event: %+v", e)
	}
	if other, _ := log.On(ctx, ref.New(ref.User, "u2"), page.Args{}); len(other.Items) != 0 {
		t.Error("events of another subject")
	}
}

func TestTailDeliversInCommitOrder(t *testing.T) {
	t.Parallel()
	db, log := open(t)
	var a, b inbox
	start(t, db, a.follower("rollups"), b.follower(""))
	storetest.Insert(t, db, "rollups", bson.D{{Key: "_id", Value: "r"}, {Key: "n", Value: 1}})
	if _, err := db.Collection("rollups").UpdateByID(t.Context(), "r", bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 41}}}}); err != nil {
		t.Fatal(err)
	}
	storetest.Insert(t, db, "nobody_follows_this", bson.D{{Key: "_id", Value: 1}})
	_ = db.InTx(t.Context(), func(ctx context.Context) error { // never commits
		_ = log.Append(ctx, "rolled.back", ref.New(ref.User, "u"), nil)
		return context.Canceled
	})
	for i := range 5 {
		appendOne(t, db, log, strconv.Itoa(i))
	}
	storetest.Eventually(t, 10*time.Second, func() bool { return a.len() == 7 && b.len() == 5 }, "all is delivered")
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, k := range a.kinds {
		if k != strconv.Itoa(i) {
			t.Errorf("order: %v", a.kinds)
		}
	}
	ins, upd := a.changes[0], a.changes[1]
	if ins.Op != "insert" || ins.Doc.Lookup("n").Int32() != 1 || upd.Op != "update" || upd.Updated.Lookup("n").Int32() != 42 ||
		upd.Key.StringValue() != "r" || upd.At.Compare(ins.At) <= 0 {
		t.Errorf("changes: %+v", a.changes)
	}
}

func TestTailResumesWithoutGap(t *testing.T) {
	t.Parallel()
	db, log := open(t)
	var in inbox
	tail := start(t, db, in.follower(""))
	appendOne(t, db, log, "0")
	storetest.Eventually(t, 10*time.Second, func() bool { return in.len() == 1 }, "the first event")
	off := storetest.FailPoint(t, db, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"getMore", "aggregate"}}, {Key: "errorCode", Value: 2},
	})
	for i := 1; i < 20; i++ {
		appendOne(t, db, log, strconv.Itoa(i))
	}
	storetest.Eventually(t, 10*time.Second, func() bool { return tail.Lag() > 400*time.Millisecond }, "the cut shows as lag")
	off()
	storetest.Eventually(t, 20*time.Second, func() bool { return in.len() >= 20 }, "what was missed comes")
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, k := range in.kinds {
		if k != strconv.Itoa(i) {
			t.Fatalf("gap, repetition or disorder: %v", in.kinds)
		}
	}
	if in.lost != 0 || tail.Lag() > 5*time.Second {
		t.Errorf("lost %d, lag %v", in.lost, tail.Lag())
	}
}

func TestTailTellsLostHistory(t *testing.T) {
	t.Parallel()
	db, log := open(t)
	var in inbox
	tail := start(t, db, in.follower(""))
	storetest.FailPoint(t, db, bson.D{{Key: "times", Value: 1}}, bson.D{
		{Key: "failCommands", Value: bson.A{"getMore"}},
		{Key: "errorCode", Value: 286},
		{Key: "errorLabels", Value: bson.A{"NonResumableChangeStreamError"}},
	})
	storetest.Eventually(t, 10*time.Second, func() bool { in.mu.Lock(); defer in.mu.Unlock(); return in.lost == 1 }, "the loss is told")
	appendOne(t, db, log, "after")
	storetest.Eventually(t, 10*time.Second, func() bool { return in.len() == 1 }, "it goes on")
	if tail.Lost() != 1 {
		t.Errorf("Lost() = %d", tail.Lost())
	}
}

func TestLagOfATailThatNeverStarted(t *testing.T) {
	t.Parallel()
	if lag := NewTail(nil, clock.System(), slog.New(slog.DiscardHandler)).Lag(); lag < time.Hour {
		t.Errorf("Lag() = %v: it must look cut", lag)
	}
}

func TestSinceReadsInTheOrderOfIDs(t *testing.T) {
	t.Parallel()
	db, log := open(t)
	begin := time.Now()
	for i := range 5 {
		if err := db.InTx(t.Context(), func(ctx context.Context) error {
			return log.Append(ctx, "test.thing.done", ref.New(ref.User, strconv.Itoa(i)), nil)
		}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(from time.Time, after string, n int) (got string, last string) {
		t.Helper()
		found, err := log.Since(t.Context(), from, after, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			got, last = got+e.On.ID, e.ID
		}
		return got, last
	}
	got, last := read(begin, "", 3)
	rest, _ := read(begin, last, 3)
	if got != "012" || rest != "34" {
		t.Errorf("pages %q and %q", got, rest)
	}
	if all, _ := read(time.Time{}, "", 10); all != "01234" {
		t.Errorf("from the begin: %q", all)
	}
	if none, _ := read(time.Now().Add(time.Minute), "", 10); none != "" {
		t.Errorf("from the future: %q", none)
	}
}
