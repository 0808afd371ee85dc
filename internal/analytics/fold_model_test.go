package analytics

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

// definitions are what the metric of TestFoldIsExactWhateverIsDefined is changed to and fro.
var definitions = []Metric{
	{Key: "moving", Event: "flight"},
	{Key: "moving", Event: "flight", Value: "delay"},
	{Key: "moving", Event: "flight", Value: "delay", Dimensions: []string{"origin"}},
	{Key: "moving", Event: "flight", Dimensions: []string{"destination", "origin"}},
	{Key: "moving", Event: "flight", Value: "delay", Unique: "origin", Quantiles: true, Dimensions: []string{"origin"}, MaxKeys: 2},
	{Key: "moving", Event: "flight", Unique: "origin", Where: []DimFilter{{Dim: "origin", In: []string{"B"}, Not: true}}},
	{Key: "moving", Event: "train"},
}

// Clients track while an operator defines, redefines and rebuilds, and two folders die and take over in turn. At every
// stop the rollups are what a recount of the events says.
func TestFoldIsExactWhateverIsDefined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes := []world{w, worldOn(t, w.db, quick)}
	w.define(t, delays)
	accepted := 0
	for round := range 4 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for tr := range 2 {
			wg.Go(func() {
				for b := range 8 {
					// Half of the ids come in two batches.
					done := w.track(t, flights(fmt.Sprintf("%d-%d", round, (b+tr)/2), 30)...)
					mu.Lock()
					accepted += done.Accepted
					mu.Unlock()
				}
			})
		}
		wg.Go(func() {
			for range 3 {
				nodes[rand.N(2)].define(t, definitions[rand.N(len(definitions))])
				if rand.N(3) == 0 {
					if err := w.Rebuild(t.Context()); err != nil {
						t.Error(err)
					}
				}
				clock.Sleep(t.Context(), rand.N(10*time.Millisecond))
			}
		})
		for range 6 {
			stop := nodes[rand.N(2)].fold(t)
			clock.Sleep(t.Context(), rand.N(40*time.Millisecond))
			stop()
		}
		wg.Wait()
		stop := nodes[round%2].fold(t)
		w.mustVerify(t)
		r, err := w.Report(t.Context(), Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1})
		if err != nil || len(r.Points) != 1 || r.Points[0].Count != int64(accepted) {
			t.Fatalf("round %d: Report() = %v, %v; want the %d events that were accepted", round, texts(r.Points), err, accepted)
		}
		stop()
	}
}

// The folder that has most to do at once: a backlog larger than a lot, with more rollups than one commit holds.
func TestBacklogIsFoldedInLots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	stop := w.fold(t)
	w.settle(t)
	stop()
	before, err := w.store.checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		cmds := make([]EventCmd, 500)
		for j := range cmds {
			cmds[j] = flight(fmt.Sprintf("%d-%d", i, j), time.Duration(j)*time.Second, strconv.Itoa(j), float64(i))
		}
		w.track(t, cmds...)
	}
	w.fold(t)
	v := w.mustVerify(t)
	after, err := w.store.checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Each event has rollups of its own, at most 9 in all; a commit of 30 rollups holds 4 events or a few more.
	if commits := after.Rev - before.Rev; commits < v.Rollups/int64(quick.FlushRows+9) {
		t.Errorf("%d commits for %d rollups: more than %d in one", commits, v.Rollups, quick.FlushRows)
	}
}

func TestCheckpointKnowsItsMetrics(t *testing.T) {
	t.Parallel()
	var c checkpoint
	if _, ok := c.of(delays); ok {
		t.Error("an empty checkpoint has a metric")
	}
	one := c.with(folded{Key: "a", Version: 1, AsOf: timestamp{T: 1}}).with(folded{Key: "b", Version: 1, AsOf: timestamp{T: 2}})
	two := one.with(folded{Key: "a", Version: 2, AsOf: timestamp{T: 3}})
	for _, tc := range []struct {
		c    checkpoint
		m    Metric
		want uint32 // seconds of AsOf; 0 for none
	}{
		{one, Metric{Key: "a", Version: 1}, 1},
		{one, Metric{Key: "a", Version: 2}, 0}, // defined anew and not counted yet
		{one, Metric{Key: "b", Version: 1}, 2},
		{one, Metric{Key: "c", Version: 1}, 0},
		{two, Metric{Key: "a", Version: 2}, 3},
		{two, Metric{Key: "a", Version: 1}, 0},
		{two, Metric{Key: "b", Version: 1}, 2},
	} {
		f, ok := tc.c.of(tc.m)
		if f.AsOf.T != tc.want || ok != (tc.want > 0) {
			t.Errorf("of(%s, %d) = %+v, %v; want as of %d", tc.m.Key, tc.m.Version, f, ok, tc.want)
		}
	}
	if len(one.Metrics) != 2 || len(two.Metrics) != 2 || len(c.Metrics) != 0 {
		t.Errorf("%d, %d and %d entries: with() must replace in a copy", len(c.Metrics), len(one.Metrics), len(two.Metrics))
	}
	if n := one.next(); n.Rev != one.Rev+1 || n.Position != one.Position {
		t.Errorf("next() = %+v", n)
	}
}

// What the stream brings from before a recount is in the recount, and must not be counted again.
func TestFolderLeavesOutWhatARecountHas(t *testing.T) {
	t.Parallel()
	m := Metric{Key: "flights", Event: "flight", Version: 1}
	unfolded := Metric{Key: "fresh", Event: "flight", Version: 1}
	f := &folder{rows: rollups{}, defs: map[string][]*Metric{"flight": {&m, &unfolded}}, keys: keySets{}}
	f.cp = f.cp.with(folded{Key: m.Key, Version: 1, AsOf: timestamp{T: 10, I: 5}})
	event := func(name string) *Event { return &Event{Name: name, At: t0} }
	f.observe(change{event: event("flight"), at: timestamp{T: 10, I: 4}, wall: t0})
	f.observe(change{event: event("flight"), at: timestamp{T: 10, I: 5}, wall: t0.Add(time.Second)})
	if len(f.rows) != 0 {
		t.Errorf("%d rollups of events the recount has seen", len(f.rows))
	}
	f.observe(change{event: event("flight"), at: timestamp{T: 10, I: 6}, wall: t0.Add(-time.Minute)})
	f.observe(change{event: event("train"), at: timestamp{T: 10, I: 7}})
	f.observe(change{ring: 3, at: timestamp{T: 10, I: 8}})
	f.observe(change{ring: 2, at: timestamp{T: 10, I: 8}}) // heard again
	f.observe(change{metric: true, at: timestamp{T: 11}})
	c := f.rows[rollupKey{metric: m.Key, res: byMinute, at: t0.Truncate(time.Minute).UnixMilli()}]
	if len(f.rows) != len(resolutions) || c == nil || c.n != 1 {
		t.Errorf("rollups = %v, want one event of %s", f.rows, m.Key)
	}
	if f.at != (timestamp{T: 11}) || !f.through.Equal(t0.Add(time.Second)) || f.rung != 3 || !f.redefined {
		t.Errorf("place %v, through %v, rung %d, redefined %v", f.at, f.through, f.rung, f.redefined)
	}
}
