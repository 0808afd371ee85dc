package throttle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// t0 is far ahead: the server deletes by its own clock what expired before now, each minute, also under a running test.
var t0 = time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)

// node is one process: a service on a database that others may share, and a clock to be moved.
type node struct {
	*Service
	db    *store.DB
	clock *clock.Manual
}

func setUp(t testing.TB) node {
	t.Helper()
	db := storetest.DB(t)
	cols := append(Collections(), event.Collections()...)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: cols}, false); err != nil {
		t.Fatal(err)
	}
	return newNode(db, clock.NewManual(t0))
}

func newNode(db *store.DB, c *clock.Manual) node {
	return node{New(db, event.NewLog(db, c.Now), c.Now), db, c}
}

// peer is another process on the same database, whose clock is off by that much.
func (n node) peer(off time.Duration) node { return newNode(n.db, clock.NewManual(n.now().Add(off))) }

// five at once and one each ten seconds.
var (
	byUser = Limit{Name: "test_user", Burst: 5, Every: 10 * time.Second}
	byIP   = Limit{Name: "test_ip", Burst: 3, Every: time.Minute}
)

func user(key string) Bucket { return Bucket{Limit: byUser, Key: key} }

func ip(key string) Bucket { return Bucket{Limit: byIP, Key: Network(key)} }

// takes takes until it is refused, at most limit times, and tells how often it was not.
func (n node) takes(t testing.TB, limit int, buckets ...Bucket) int {
	t.Helper()
	for i := range limit {
		switch err := n.Take(t.Context(), buckets...); {
		case errors.Is(err, ErrLimited):
			return i
		case err != nil:
			t.Fatalf("Take() = %v", err)
		}
	}
	return limit
}

// fill gives back what a bucket can hold.
func (n node) fill(ctx context.Context, b Bucket) error {
	for range b.Limit.Burst {
		if err := n.Refund(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (n node) mustTake(t testing.TB, times int, buckets ...Bucket) {
	t.Helper()
	if got := n.takes(t, times, buckets...); got != times {
		t.Fatalf("%d of %d were let through", got, times)
	}
}

// refused checks that the next attempt is, and gives the seconds it is told to wait.
func (n node) refused(t testing.TB, buckets ...Bucket) int {
	t.Helper()
	err := n.Take(t.Context(), buckets...)
	if !errors.Is(err, ErrLimited) {
		t.Fatalf("Take() = %v, want RATE_LIMITED", err)
	}
	seconds, ok := fault.From(err).Details["retryAfter"].(int)
	if !ok || seconds < 1 {
		t.Fatalf("retryAfter is %v", fault.From(err).Details["retryAfter"])
	}
	return seconds
}

func (n node) stored(t testing.TB, b Bucket) (record, bool) {
	t.Helper()
	found, err := store.Find[record](t.Context(), n.db.Collection(collection), bson.D{store.Eq("_id", b.id())})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return record{}, false
	}
	return found[0], true
}

func (n node) events(t testing.TB) []event.Event {
	t.Helper()
	all, err := store.Find[event.Event](t.Context(), n.db.Collection("events"), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// race runs f n times at once and tells how many of them were let through; the others must have been refused.
func race(t *testing.T, n int, f func(i int) error) int {
	t.Helper()
	var wg sync.WaitGroup
	var passed atomic.Int32
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			switch err := f(i); {
			case err == nil:
				passed.Add(1)
			case !errors.Is(err, ErrLimited):
				t.Errorf("Take() = %v", err)
			}
		})
	}
	close(begin)
	wg.Wait()
	return int(passed.Load())
}

// rolledBack runs f in a transaction that does not commit.
func (n node) rolledBack(t testing.TB, f func(ctx context.Context) error) {
	t.Helper()
	wrong := errors.New("the flow goes wrong later")
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := n.db.Collection("other").InsertOne(ctx, bson.D{}); err != nil { // the transaction has begun
			return err
		}
		if err := f(ctx); err != nil {
			return err
		}
		return wrong
	})
	if !errors.Is(err, wrong) || storetest.Count(t, n.db, "other") != 0 {
		t.Fatalf("InTx() = %v", err)
	}
}
