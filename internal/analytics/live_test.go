package analytics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func source(t *testing.T, q Query, c *collection, now clock.Clock) *ReportSource {
	t.Helper()
	q, err := q.check(delays)
	if err != nil {
		t.Fatal(err)
	}
	of := slice{metric: delays.Key, res: byMinute, dim: q.By}
	src := &ReportSource{q: q, of: of, now: now, read: c.read(q, of, now)}
	if err := src.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return src
}

func (r *ReportSource) after(change any) *ReportDelta {
	r.Apply(change)
	d, _ := r.Flush().(*ReportDelta)
	return d
}

func TestLiveReportTellsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	minute := func(back int) int64 {
		return t0.Truncate(time.Minute).Add(-time.Duration(back) * time.Minute).UnixMilli()
	}
	key := func(back int, k string) rollupKey {
		return rollupKey{metric: delays.Key, res: byMinute, dim: "origin", at: minute(back), key: k}
	}
	c := &collection{rows: map[rollupKey]stored{}}
	c.write(key(0, "A"), cell{n: 5}, false)
	c.write(key(1, "A"), cell{n: 5}, false)
	c.write(key(1, "B"), cell{n: 4}, false)
	c.write(key(2, "B"), cell{n: 2}, false)
	c.write(key(0, "C"), cell{n: 1}, false)
	now := clock.NewManual(t0)
	src := source(t, Query{Metric: delays.Key, Aggregate: Count, Step: Minute, Last: 3, By: "origin", Top: 2}, c, now.Now)
	apply := func(k rollupKey, n int64) *ReportDelta {
		t.Helper()
		c.write(k, cell{n: n}, false)
		return src.after(c.log[len(c.log)-1])
	}
	expect := func(what string, d *ReportDelta, points, dropped string) {
		t.Helper()
		if d == nil {
			t.Fatalf("%s: no delta", what)
		}
		if got := strings.Join(texts(d.Points), ", "); got != points || strings.Join(d.Dropped, " ") != dropped {
			t.Errorf("%s: %s; dropped %v; want %s; dropped %q", what, got, d.Dropped, points, dropped)
		}
	}
	d := apply(key(0, "A"), 6)
	expect("a shown key", d, "02T03:04 A 6/6", "")
	if len(d.Totals) != 2 || d.Totals[0].Key != "A" || d.Totals[0].Count != 11 {
		t.Errorf("totals %+v", d.Totals)
	}
	if d := src.after(c.log[len(c.log)-1]); d != nil {
		t.Errorf("the same again: %+v", d)
	}
	if d := apply(key(0, "C"), 3); d != nil {
		t.Errorf("a key that is not shown: %+v", d)
	}
	expect("a key that overtakes", apply(key(1, "C"), 4), "02T03:03 C 4/4, 02T03:04 C 3/3", "B")
	if d := apply(key(-1, "B"), 9); d != nil {
		t.Errorf("a minute ahead: %+v", d)
	}
	if d := apply(key(3, "A"), 9); d != nil {
		t.Errorf("a minute before the window: %+v", d)
	}
	if d := src.after(t0.Add(20 * time.Second)); d != nil {
		t.Errorf("a tick within the minute: %+v", d)
	}
	now.Advance(time.Minute)
	d = src.after(now.Now())
	expect("the next minute", d, "02T03:03 B 4/4, 02T03:05 B 9/9", "C")
	if !d.From.Equal(t0.Truncate(time.Minute).Add(-time.Minute)) || !d.To.Equal(t0.Truncate(time.Minute).Add(2*time.Minute)) {
		t.Errorf("the next minute: %v to %v", d.From, d.To)
	}
	now.Advance(time.Minute)
	d = apply(key(-2, "A"), 1) // comes before the tick: the window moves with it
	expect("a change of the next minute", d, "02T03:06 A 1/1", "")
	other := c.log[len(c.log)-1]
	other.Dim, other.Rev = "destination", other.Rev+1
	if d := src.after(other); d != nil {
		t.Errorf("a change of another dimension: %+v", d)
	}
	if d := src.after("nonsense"); d != nil || src.Stale() {
		t.Errorf("a foreign change: %+v, stale %v", d, src.Stale())
	}
}

// A snapshot is shared with followers: what happens later must not change it.
func TestSnapshotsDoNotChange(t *testing.T) {
	t.Parallel()
	k := rollupKey{metric: delays.Key, res: byMinute, at: t0.Truncate(time.Minute).UnixMilli()}
	c := &collection{rows: map[rollupKey]stored{}}
	c.write(k, cell{n: 5}, false)
	src := source(t, Query{Metric: delays.Key, Aggregate: Count, Step: Hour, Last: 1}, c, clock.NewManual(t0).Now)
	before := src.Snapshot().(*Report)
	c.write(k, cell{n: 6}, false)
	d := src.after(c.log[1])
	c.write(k, cell{n: 7}, false)
	src.after(c.log[2])
	if text(before.Points[0]) != "02T03:00  5/5" || text(d.Points[0]) != "02T03:00  6/6" {
		t.Errorf("sent before: %v and %v", texts(before.Points), texts(d.Points))
	}
	empty := source(t, Query{Metric: delays.Key, Aggregate: Count, Step: Hour, Last: 1}, &collection{}, clock.NewManual(t0).Now)
	if r := empty.Snapshot().(*Report); r.Points == nil || len(r.Points) != 0 {
		t.Errorf("an empty report has points %v, want an empty list, not null", r.Points)
	}
}

func TestLiveReportKnowsWhenItIsStale(t *testing.T) {
	t.Parallel()
	k := rollupKey{metric: delays.Key, res: byMinute, at: t0.Truncate(time.Minute).UnixMilli()}
	n := int64(3)
	at := time.UnixMilli(k.at).UTC()
	for name, change := range map[string]any{
		"a rollup was removed":          RollupChange{Metric: delays.Key, res: byMinute, At: at, removed: true},
		"a part of one never seen":      RollupChange{Metric: delays.Key, res: byMinute, At: at.Add(-time.Minute), Rev: 99, n: &n},
		"a sketch that is none":         RollupChange{Metric: delays.Key, res: byMinute, At: at, Rev: 99, n: &n, uniques: []byte{9}},
		"the metric was changed":        metricChanged{},
		"more rollups than are allowed": nil,
	} {
		c := &collection{rows: map[rollupKey]stored{}}
		c.write(k, cell{n: 5}, false)
		src := source(t, Query{Metric: delays.Key, Aggregate: Count, Step: Hour, Last: 1}, c, clock.NewManual(t0).Now)
		src.of.sketch = true
		if change == nil {
			src.size = MaxLiveRows
			change = RollupChange{Metric: delays.Key, res: byMinute, At: at.Add(-time.Minute), Rev: 99, n: &n, whole: true}
		}
		if src.Stale() {
			t.Errorf("%s: stale before", name)
		}
		if src.Apply(change); !src.Stale() {
			t.Errorf("%s: not stale", name)
		}
		if err := src.Load(t.Context()); err != nil || src.Stale() {
			t.Errorf("%s: Load() = %v, stale %v; want it fresh", name, err, src.Stale())
		}
	}
	c := &collection{rows: map[rollupKey]stored{}}
	src := source(t, Query{Metric: delays.Key, Aggregate: Count, Step: Minute, Last: 1}, c, clock.NewManual(t0).Now)
	if src.Apply(RollupChange{Metric: delays.Key, res: byMinute, At: at.Add(-time.Hour), removed: true}); src.Stale() {
		t.Error("stale because an old rollup was let go")
	}
}

// What is made of sketches is told with the tick, not with each change.
func TestSketchesAreToldOnceASecond(t *testing.T) {
	t.Parallel()
	k := rollupKey{metric: delays.Key, res: byMinute, at: t0.Truncate(time.Minute).UnixMilli()}
	c := &collection{rows: map[rollupKey]stored{}}
	c.write(k, cell{n: 5}, false)
	src := source(t, Query{Metric: delays.Key, Aggregate: Count, Step: Hour, Last: 1}, c, clock.NewManual(t0).Now)
	src.of.sketch = true
	c.write(k, cell{n: 6}, false)
	if d := src.after(c.log[1]); d != nil {
		t.Errorf("told at once: %+v", d)
	}
	if d := src.after(t0); d == nil || d.Points[0].Count != 6 {
		t.Errorf("with the tick: %+v", d)
	}
}

func TestLiveReportIsBounded(t *testing.T) {
	t.Parallel()
	c := &collection{rows: map[rollupKey]stored{}}
	for i := range MaxLiveRows + 1 {
		k := rollupKey{metric: delays.Key, res: byMinute, dim: "origin", at: t0.Truncate(time.Minute).UnixMilli(), key: strconv.Itoa(i)}
		c.rows[k] = stored{cell: cell{n: 1}, rev: 1}
	}
	q := Query{Metric: delays.Key, Aggregate: Count, Step: Minute, Last: 1, By: "origin", Top: 1}
	now, of := clock.NewManual(t0).Now, slice{metric: delays.Key, res: byMinute, dim: "origin"}
	src := &ReportSource{q: q, of: of, now: now, read: c.read(q, of, now)}
	if err := src.Load(t.Context()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Load() = %v with %d rollups, want REPORT_TOO_LARGE", err, MaxLiveRows+1)
	}
}

func TestReportChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	q := Query{Metric: delays.Key, Aggregate: Sum, Step: Minute, Last: 5, By: "origin"}
	key, topics, newSource, allowed, err := w.ReportChannel(t.Context(), q)
	if err != nil || len(topics) != 3 || newSource() == nil || allowed(t.Context()) != nil {
		t.Fatalf("ReportChannel() = %q, %v, %v", key, topics, err)
	}
	same := q
	same.Top = 10 // the default, said aloud
	if k, _, _, _, _ := w.ReportChannel(t.Context(), same); k != key {
		t.Errorf("keys %q and %q of equal queries differ", k, key)
	}
	keys := map[string]Query{key: q}
	for _, other := range []Query{
		{Metric: delays.Key, Aggregate: Avg, Step: Minute, Last: 5, By: "origin"},
		{Metric: delays.Key, Aggregate: Sum, Step: Hour, Last: 5, By: "origin"},
		{Metric: delays.Key, Aggregate: Sum, Step: Minute, Last: 6, By: "origin"},
		{Metric: delays.Key, Aggregate: Sum, Step: Minute, Last: 5, By: "destination"},
		{Metric: delays.Key, Aggregate: Sum, Step: Minute, Last: 5},
		{Metric: delays.Key, Aggregate: Sum, Step: Minute, Last: 5, By: "origin", Top: 3},
	} {
		k, _, _, _, err := w.ReportChannel(t.Context(), other)
		if first, taken := keys[k]; taken || err != nil {
			t.Errorf("%+v and %+v share the key %q, %v", first, other, k, err)
		}
		keys[k] = other
	}
	for _, tc := range []struct {
		q   Query
		err error
	}{
		{Query{Metric: "none", Aggregate: Sum, Step: Minute, Last: 5}, ErrMetric},
		{Query{Metric: delays.Key, Aggregate: Sum, Step: Minute, From: t0, To: t0.Add(time.Hour)}, ErrRange},
		{Query{Metric: delays.Key, Aggregate: Sum, Step: Minute, Last: 5, By: "none"}, ErrDimension},
	} {
		if _, _, _, _, err := w.ReportChannel(t.Context(), tc.q); !errors.Is(err, tc.err) {
			t.Errorf("ReportChannel(%+v) = %v, want %v", tc.q, err, tc.err)
		}
	}
	w.rights.only = []string{PermTrack}
	if _, _, _, _, err := w.ReportChannel(t.Context(), q); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("ReportChannel() without the permission = %v", err)
	}
	if err := allowed(t.Context()); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("allowed() = %v after the permission was taken", err)
	}
}

// channel runs a source as the hub does, fed by the change stream of a node.
type channel struct {
	mu    sync.Mutex
	src   *ReportSource
	inbox []any
	cl    client
}

func (c *channel) publish(topics []string) func(string, any) {
	return func(topic string, change any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if slices.Contains(topics, topic) {
			c.inbox = append(c.inbox, change)
		}
	}
}

func (c *channel) step(t *testing.T) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, change := range c.inbox {
		c.src.Apply(change)
	}
	if d, ok := c.src.Flush().(*ReportDelta); ok {
		c.cl.delta(d)
	}
	if c.inbox = nil; c.src.Stale() {
		if err := c.src.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.cl.whole(c.src.Snapshot().(*Report))
	}
	return c.cl.texts()
}

// From track to a client, over the real database, the folder and the change stream of another connection; and what the
// client ends with is what a report says.
func TestLiveReportEndToEnd(t *testing.T) {
	t.Parallel()
	for _, q := range []Query{
		{Metric: delays.Key, Aggregate: Avg, Step: Minute, Last: 10},
		{Metric: delays.Key, Aggregate: Max, Step: Hour, Last: 2, By: "origin", Top: 2},
		{Metric: delays.Key, Aggregate: Sum, Step: Minute, Last: 4, By: "origin", Top: 3},
	} {
		t.Run(fmt.Sprintf("%s %s %s", q.Aggregate, q.Step, q.By), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.define(t, delays)
			w.fold(t)
			w.track(t, flights("before", 50)...)
			w.settle(t)
			_, topics, newSource, _, err := w.ReportChannel(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			c := &channel{src: newSource()}
			tail := event.NewTail(w.db, clock.System(), slog.New(slog.DiscardHandler))
			tail.Follow(w.Follower(c.publish(topics)))
			ctx, cancel := context.WithCancel(t.Context())
			done, err := tail.Start(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { cancel(); <-done }()
			w.track(t, flights("meanwhile", 50)...) // told after the load that has seen it, perhaps
			if err := c.src.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.cl.whole(c.src.Snapshot().(*Report))
			agree := func(when string) {
				t.Helper()
				w.settle(t)
				var want, got []string
				storetest.Eventually(t, 20*time.Second, func() bool {
					r, err := w.Report(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					want, got = texts(r.Points), c.step(t)
					return slices.Equal(want, got) && len(got) > 0
				}, when+": the client shows what the report says")
			}
			for i := range 8 {
				w.track(t, flights(strconv.Itoa(i), 40)...)
				c.step(t)
			}
			agree("after many events")
			if err := w.Rebuild(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.track(t, flights("rebuilt", 40)...)
			agree("after a rebuild")
			storetest.Eventually(t, 20*time.Second, func() bool {
				c.step(t)
				r := c.src.Snapshot().(*Report)
				return r.Exact && r.Through != nil
			}, "the source learns that the metric is whole again")
		})
	}
}

// What the folder writes must reach a source whole or as a part of what it knows: see RollupChange.
func TestFollowerReadsWhatTheFolderWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	var mu sync.Mutex
	var got []RollupChange
	tail := event.NewTail(w.db, clock.System(), slog.New(slog.DiscardHandler))
	tail.Follow(w.Follower(func(topic string, change any) {
		mu.Lock()
		defer mu.Unlock()
		if c, ok := change.(RollupChange); ok && topic == topicRollups(slice{metric: delays.Key, res: byMinute}) {
			got = append(got, c)
		}
	}))
	ctx, cancel := context.WithCancel(t.Context())
	done, err := tail.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); <-done }()
	count := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == n }
	}
	w.fold(t)
	w.settle(t) // else the first event may be counted from the store, as of no time of the stream
	w.track(t, flight("1", 0, "A", 5))
	storetest.Eventually(t, 20*time.Second, count(1), "a change for the first event")
	w.track(t, flight("2", 0, "A", 7))
	storetest.Eventually(t, 20*time.Second, count(2), "a change for the second event")
	if _, err := w.store.rollups.DeleteMany(t.Context(), between(delays.Key, byMinute, "", t0.AddDate(-1, 0, 0), time.Time{})); err != nil {
		t.Fatal(err)
	}
	storetest.Eventually(t, 20*time.Second, count(3), "a change for the removal")
	mu.Lock()
	defer mu.Unlock()
	first, second, third := got[0], got[1], got[2]
	at := t0.UnixMilli()
	one, _ := first.onto(cell{}, true)
	if !first.whole || !first.At.Equal(t0.Truncate(time.Minute)) || one != (cell{n: 1, c: 1, sum: 5, min: 5, max: 5, lastAt: at, last: 5}) || first.Through == nil {
		t.Errorf("first = %+v", first)
	}
	two, _ := second.onto(one, true)
	if second.whole || second.min != nil || two != (cell{n: 2, c: 2, sum: 12, min: 5, max: 7, lastAt: at, last: 7}) || second.Rev <= first.Rev {
		t.Errorf("second = %+v, want the changed counters alone and a higher rev", second)
	}
	if !third.removed || !third.At.Equal(first.At) {
		t.Errorf("third = %+v, want a removal", third)
	}
}
