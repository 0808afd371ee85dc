package analytics

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// t0 is the time of most tests: in the middle of a minute.
var t0 = time.Date(2026, 1, 2, 3, 4, 30, 0, time.UTC)

// rights allows what it lists; nil allows everything.
type rights struct {
	mu      sync.Mutex
	only    []string
	refused int
}

func (r *rights) Require(ctx context.Context, permission string, _ ref.Ref) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.only == nil || actor.From(ctx).System || slices.Contains(r.only, permission) {
		return nil
	}
	r.refused++
	return fault.ErrForbidden
}

func (r *rights) Scope(ctx context.Context, permission, _ string) (predicate.Filter, error) {
	if r.Require(ctx, permission, ref.Ref{}) != nil {
		return predicate.None(), nil //nolint:nilerr // a refusal is a filter
	}
	return predicate.All(), nil
}

// world is a database with this package's collections, and a clock that stands at t0.
type world struct {
	*Service
	db     *store.DB
	clock  *clock.Manual
	rights *rights
}

// quick makes the folder's waits and lots short.
var quick = Config{
	FlushEvery: 5 * time.Millisecond, FlushRows: 30, LeaseTTL: time.Second, IdleEvery: 50 * time.Millisecond, RecountFor: time.Millisecond,
}

func newWorld(t testing.TB) world {
	t.Helper()
	return worldOn(t, storetest.DB(t), quick)
}

func worldOn(t testing.TB, db *store.DB, cfg Config) world {
	t.Helper()
	if _, bench := t.(*testing.B); !bench {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	plan := store.Plan{Collections: append(Collections(), event.Collections()...)}
	if _, err := db.Migrate(context.Background(), plan, false); err != nil {
		t.Fatal(err)
	}
	w := world{db: db, clock: clock.NewManual(t0), rights: &rights{}}
	w.Service = New(db, event.NewLog(db, w.clock.Now), w.clock.Now, w.rights, cfg)
	return w
}

// fold runs a folder until the test ends or the returned function is called.
func (w world) fold(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Fold(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

// settle waits until all that was stored is folded.
func (w world) settle(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.Settled(ctx); err != nil {
		t.Fatalf("Settled() = %v", err)
	}
}

// mustVerify fails the test if a rollup is not what its events say.
func (w world) mustVerify(t testing.TB) Verification {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	v, err := w.Verify(ctx)
	if err != nil {
		t.Fatalf("Verify() = %v", err)
	}
	all, err := w.store.allMetrics(ctx)
	if err != nil || v.Metrics != len(all) {
		t.Fatalf("Verify() compared %d metrics of %d, %v", v.Metrics, len(all), err)
	}
	if v.Differing > 0 {
		t.Fatalf("%d of %d rollups differ from a recount, such as %+v", v.Differing, v.Rollups, v.Differences[0])
	}
	return v
}

func (w world) define(t testing.TB, m Metric) Metric {
	t.Helper()
	m, err := w.DefineMetric(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (w world) track(t testing.TB, cmds ...EventCmd) Tracked {
	t.Helper()
	done, err := w.Track(context.Background(), cmds)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// delays is the metric of most tests.
var delays = Metric{Key: "flights.delay", Event: "flight", Value: "delay", Dimensions: []string{"origin", "destination"}}

// flight is an event some time before t0.
func flight(id string, before time.Duration, origin string, delay float64) EventCmd {
	at := t0.Add(-before)
	return EventCmd{
		ID: "flight-" + id, Name: "flight", At: &at,
		Dims: map[string]any{"origin": origin, "destination": "SFO"}, Values: map[string]any{"delay": delay},
	}
}

// flights are n events that differ, with ids from a prefix.
func flights(prefix string, n int) []EventCmd {
	cmds := make([]EventCmd, n)
	for i := range cmds {
		cmds[i] = flight(fmt.Sprintf("%s-%d", prefix, i), time.Duration(i%7)*time.Minute, string(rune('A'+i%5)), float64(i%11)-3)
	}
	return cmds
}

// text is a point in a form that is easy to compare and read.
func text(p Point) string {
	v := "-"
	if p.Value != nil {
		v = fmt.Sprintf("%.6g", *p.Value)
	}
	return fmt.Sprintf("%s %s %s/%d", p.At.UTC().Format("02T15:04"), p.Key, v, p.Count)
}

func texts(points []Point) []string {
	all := make([]string, len(points))
	for i, p := range points {
		all[i] = text(p)
	}
	return all
}
