package analytics

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// A range of _id is a range of time of one dimension of one metric, and nothing beside it.
func TestBetweenIsExact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	minute := t0.Truncate(time.Minute)
	at := func(metric, dim string, minutes int, key string) rollupDoc {
		k := rollupKey{metric: metric, res: byHour, dim: dim, at: minute.Add(time.Duration(minutes) * time.Minute).UnixMilli(), key: key}
		return rollupDoc{ID: k.id(), Cell: cellDoc{N: 1}}
	}
	storetest.Insert(
		t, w.db, rollupsCollection,
		at("m", "d", -1, "z"), at("m", "d", 0, ""), at("m", "d", 0, "a"), at("m", "d", 1, "\U0010ffff"), at("m", "d", 2, ""),
		at("m", "", 0, ""), at("m", "c", 1, "a"), at("m", "e", 0, "a"), at("l", "d", 0, "a"), at("n", "d", 0, "a"), at("m.d", "d", 0, "a"),
	)
	for _, tc := range []struct {
		dim      string
		from, to int // minutes; to 99 for no end
		want     string
	}{
		{"d", 0, 2, "0: 0:a 1:\U0010ffff"},
		{"d", -1, 0, "-1:z"},
		{"d", 1, 99, "1:\U0010ffff 2:"},
		{"d", 3, 99, ""},
		{"", -5, 99, "0:"},
		{"c", -5, 5, "1:a"},
	} {
		to := time.Time{}
		if tc.to != 99 {
			to = minute.Add(time.Duration(tc.to) * time.Minute)
		}
		docs, err := store.Find[rollupDoc](t.Context(), w.store.rollups, between("m", byHour, tc.dim, minute.Add(time.Duration(tc.from)*time.Minute), to))
		var got []string
		for _, d := range docs {
			got = append(got, fmt.Sprintf("%d:%s", int(d.ID.At.Sub(minute).Minutes()), d.ID.Key))
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); err != nil || s != tc.want {
			t.Errorf("%q from %d to %d: %q, %v; want %q", tc.dim, tc.from, tc.to, s, err, tc.want)
		}
	}
}

// Reports and recounts must go through an index: they are what grows with the data.
func TestQueriesUseAnIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, command := range map[string]bson.D{
		"report": {{Key: "find", Value: rollupsCollection}, {Key: "filter", Value: between("m", byHour, "d", t0, t0.Add(time.Hour))}},
		"live":   {{Key: "find", Value: rollupsCollection}, {Key: "filter", Value: between("m", byHour, "d", t0, time.Time{})}},
		"recount": {
			{Key: "find", Value: eventsCollection},
			{Key: "filter", Value: bson.D{store.Eq("name", "flight")}},
			{Key: "sort", Value: bson.D{{Key: "name", Value: 1}, {Key: "at", Value: 1}}},
		},
	} {
		plan, err := w.db.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: command}, {Key: "verbosity", Value: "queryPlanner"}}).Raw()
		if err != nil {
			t.Fatal(err)
		}
		s := plan.Lookup("queryPlanner", "winningPlan").String()
		if !strings.Contains(s, "IXSCAN") || strings.Contains(s, "COLLSCAN") || strings.Contains(s, `"SORT"`) {
			t.Errorf("%s: %s", name, s)
		}
	}
}

// What the documentation says an operation costs, it costs.
func TestCostInRoundTrips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	stop := w.fold(t)
	w.track(t, flights("a", 50)...)
	w.settle(t)
	stop()
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := Query{Metric: delays.Key, Aggregate: Avg, Step: Minute, Last: 60}
	by := q
	by.By = "origin"
	for _, tc := range []struct {
		name string
		do   func() error
		want int
	}{
		{"report", nil, 2},
		{"report by", nil, 3},
		{"metrics", nil, 0},
		{"track", nil, 1},
		{"define as it is", nil, 2}, // the read and the end of the transaction
	} {
		ctx, n := store.WithCounter(t.Context())
		var err error
		switch tc.name {
		case "report":
			_, err = w.Report(ctx, q)
		case "report by":
			_, err = w.Report(ctx, by)
		case "metrics":
			_, err = w.Metrics(ctx)
		case "track":
			_, err = w.Track(ctx, flights("b", 1000))
		case "define as it is":
			_, err = w.DefineMetric(ctx, delays)
		}
		if err != nil || n.Total() != tc.want {
			t.Errorf("%s: %d commands, %v; want %d", tc.name, n.Total(), err, tc.want)
		}
	}
}

func TestCellSurvivesTheStore(t *testing.T) {
	t.Parallel()
	for _, c := range []cell{
		{n: 1},
		{n: 2, c: 1, sum: 0, min: 0, max: 0, lastAt: 5}, // a zero is a number, not nothing
		{n: 3, c: 3, sum: -1.5, min: -2, max: 0, lastAt: 1_700_000_000_123, last: -2},
	} {
		doc, err := c.doc()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := bson.Marshal(rollupDoc{Cell: doc})
		if err != nil {
			t.Fatal(err)
		}
		d, err := store.Decode[rollupDoc](raw)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Cell.cell(); err != nil || got != c {
			t.Errorf("%+v came back as %+v, %v", c, got, err)
		}
		if _, err := bson.Raw(raw).LookupErr("min"); (err == nil) != (c.c > 0) {
			t.Errorf("%+v: min is stored %v, want it only with a value: the server's $min would take it", c, err == nil)
		}
	}
}

// A minute whose only value was 0, then one above: a least value taken for absent would come out wrong.
func TestZeroIsALeastValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.fold(t)
	q := Query{Metric: delays.Key, Aggregate: Min, Step: Minute, Last: 1}
	for i, v := range []float64{0, 5} {
		w.track(t, flight(fmt.Sprint("z", i), 0, "A", v))
		w.settle(t)
		if err := w.Rebuild(t.Context()); err != nil { // stored as the recount writes it, too
			t.Fatal(err)
		}
		w.mustVerify(t)
	}
	r, err := w.Report(t.Context(), q)
	if err != nil || len(r.Points) != 1 || text(r.Points[0]) != "02T03:04  0/2" {
		t.Errorf("Report() = %v, %v; want the least to be 0", texts(r.Points), err)
	}
}

func TestRollupChangeOfEveryKind(t *testing.T) {
	t.Parallel()
	k := rollupKey{metric: "m", res: byDay, dim: "d", at: t0.Truncate(time.Minute).UnixMilli(), key: "a"}
	raw := func(v any) bson.Raw {
		b, err := bson.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	id := bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw(k.id())}
	doc, err := cell{n: 3, c: 1, sum: 2, min: 2, max: 2, lastAt: 5, last: 2}.doc()
	if err != nil {
		t.Fatal(err)
	}
	whole := raw(rollupDoc{ID: k.id(), Cell: doc, Rev: 7, Through: &t0})
	for _, tc := range []struct {
		name   string
		c      event.Change
		before cell
		want   cell
		rev    int64
	}{
		{"insert", event.Change{Op: "insert", Key: id, Doc: whole}, cell{}, cell{n: 3, c: 1, sum: 2, min: 2, max: 2, lastAt: 5, last: 2}, 7},
		{"replace", event.Change{Op: "replace", Key: id, Doc: whole}, cell{n: 9, c: 9, min: -1}, cell{n: 3, c: 1, sum: 2, min: 2, max: 2, lastAt: 5, last: 2}, 7},
		{
			"update",
			event.Change{Op: "update", Key: id, Updated: raw(bson.D{{Key: "n", Value: 4}, {Key: "max", Value: 8.0}, {Key: "rev", Value: 9}})},
			cell{n: 3, c: 1, sum: 2, min: 2, max: 2},
			cell{n: 4, c: 1, sum: 2, min: 2, max: 8},
			9,
		},
		{
			"update of none measured",
			event.Change{Op: "update", Key: id, Updated: raw(bson.D{{Key: "n", Value: int64(4)}, {Key: "rev", Value: int64(9)}, {Key: "through", Value: nil}})},
			cell{n: 3},
			cell{n: 4},
			9,
		},
	} {
		got, err := rollupChange(tc.c)
		after, bad := got.onto(tc.before, true)
		if err != nil || bad != nil || after != tc.want || got.Rev != tc.rev || got.removed {
			t.Errorf("%s: %+v, %v; want %+v at rev %d", tc.name, got, err, tc.want, tc.rev)
		}
		if got.res != byDay || got.Metric != "m" || got.Dim != "d" || got.Key != "a" || got.At.UnixMilli() != k.at {
			t.Errorf("%s: of %+v, want %+v", tc.name, got, k)
		}
	}
	if got, err := rollupChange(event.Change{Op: "delete", Key: id}); err != nil || !got.removed || got.Key != "a" {
		t.Errorf("delete: %+v, %v", got, err)
	}
	if _, err := rollupChange(event.Change{Op: "drop"}); err == nil {
		t.Error("a change of no rollup was read")
	}
}

// The follower is fed by other programs' writes too: it must not fall over them, nor publish them.
func TestFollowerLeavesOutWhatItCannotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	published := 0
	f := w.Follower(func(string, any) { published++ })
	foreign, err := bson.Marshal(bson.D{{Key: "_id", Value: 5}})
	if err != nil {
		t.Fatal(err)
	}
	f.OnChange(t.Context(), event.Change{Op: "insert", Doc: foreign})
	f.OnChange(t.Context(), event.Change{Op: "drop"})
	if published != 0 {
		t.Errorf("%d changes published", published)
	}
	if f.Collection != rollupsCollection || f.Name == "" {
		t.Errorf("follower %q follows %q", f.Name, f.Collection)
	}
}

func TestMetricCacheIsSafe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				if i == 0 {
					w.metrics.forget()
				} else if m, err := w.metric(t.Context(), delays.Key); err != nil || m.Key != delays.Key {
					t.Errorf("metric() = %+v, %v", m, err)
				}
			}
		})
	}
	wg.Wait()
}
