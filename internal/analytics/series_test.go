package analytics

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// days makes a report by the day of numbers of events; the last is of the day that t0 is in.
func days(t *testing.T, q Query, counts ...int) Report {
	t.Helper()
	q.Step = Day
	q, err := q.check(Metric{Value: "v", Dimensions: []string{"d"}})
	if err != nil {
		t.Fatal(err)
	}
	cal, err := q.calendar()
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(newGrid(&q, cal, t0))
	for i, n := range counts {
		for v := range n {
			table.observe(t0.AddDate(0, 0, i-len(counts)+1), "", sample{value: float64(v + 1), measured: true})
		}
	}
	return table.report(&q, nil, Rollup1d, true)
}

func TestSeriesAreFilledAndSmoothed(t *testing.T) {
	t.Parallel()
	counts := []int{8, 4, 0, 2, 0, 3}
	for _, tc := range []struct {
		name string
		q    Query
		want string
	}{
		{"as they are", Query{Aggregate: Count, Last: 4}, "30 2, 01 -, 02 3"},
		{"zeros", Query{Aggregate: Count, Last: 4, Fill: FillZero}, "30 0, 31 2, 01 0, 02 3"},
		{"nulls", Query{Aggregate: Count, Last: 4, Fill: FillNull}, "30 -, 31 2, 01 -, 02 3"},
		{"the one before", Query{Aggregate: Count, Last: 4, Fill: FillPrevious}, "31 2, 01 2, 02 3"},
		{"a moving average looks back before the report", Query{Aggregate: Count, Last: 4, MovingAverage: 3}, "30 4, 31 2, 01 0.666667, 02 1.66667"},
		{"and leaves out what is not there", Query{Aggregate: Avg, Last: 4, MovingAverage: 2}, "30 2.5, 31 1.5, 01 1.5, 02 2"},
		{"cumulative", Query{Aggregate: Count, Last: 4, Cumulative: true}, "31 2, 02 5"},
		{"cumulative and filled", Query{Aggregate: Sum, Last: 4, Cumulative: true, Fill: FillPrevious}, "31 3, 01 3, 02 9"},
		{"the greatest so far", Query{Aggregate: Max, Last: 5, Cumulative: true}, "29 4, 31 4, 02 4"},
		{"a rate", Query{Aggregate: Rate, Last: 1}, "02 3.47222e-05"},
	} {
		var got []string
		for _, p := range days(t, tc.q, counts...).Points {
			v := "-"
			if p.Value != nil {
				v = strings.Fields(text(p))[1]
				v, _, _ = strings.Cut(v, "/")
			}
			got = append(got, p.At.Format("02 ")+v)
		}
		if tc.name == "as they are" {
			tc.want = "31 2, 02 3" // without Fill a day without events has no point
		}
		if s := strings.Join(got, ", "); s != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, s, tc.want)
		}
	}
}

func TestSeriesAreCompared(t *testing.T) {
	t.Parallel()
	r := days(t, Query{Aggregate: Count, Last: 3, Compare: ComparePeriod}, 8, 4, 0, 2, 0, 3)
	if got := strings.Join(texts(r.Compared), ", "); got != "31T00:00  8/8, 01T00:00  4/4" {
		t.Errorf("compared %s: those of three days before, at the days they are compared with", got)
	}
	if total := r.Totals[0]; *total.Value != 5 || *total.Compared != 12 {
		t.Errorf("total %g, compared %g; want 5 and 12", *total.Value, *total.Compared)
	}
	if r := days(t, Query{Aggregate: Count, Last: 3}, 1); r.Totals[0].Compared != nil || len(r.Compared) != 0 {
		t.Errorf("compared %v without being asked", r.Compared)
	}
}

// A report reads the coarsest rollups that can answer it, else the events: the same numbers.
func TestPlannerTakesTheCoarsest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, Metric{Key: "mm", Event: "flight", Value: "delay", Dimensions: []string{"origin", "destination"}})
	w.fold(t)
	w.track(t, flights("a", 100)...)
	w.settle(t)
	a := []DimFilter{{Dim: "origin", In: []string{"A"}}}
	for _, tc := range []struct {
		name string
		q    Query
		want Source
	}{
		{"a day", Query{Step: Day}, Rollup1d},
		{"a month", Query{Step: Month}, Rollup1d},
		{"a day elsewhere", Query{Step: Day, TimeZone: "Europe/Berlin"}, Rollup1h},
		{"a day half an hour off", Query{Step: Day, TimeZone: "Asia/Kolkata"}, Rollup1m},
		{"an hour", Query{Step: Hour}, Rollup1h},
		{"one origin", Query{Step: Hour, Where: a}, Rollup1h},
		{"one origin by origin", Query{Step: Hour, Where: a, By: "origin"}, Rollup1h},
		{"one origin by destination", Query{Step: Hour, Where: a, By: "destination"}, Events},
		{"all but one by origin", Query{Step: Day, By: "origin", Where: []DimFilter{{Dim: "origin", In: []string{"A"}, Not: true}}}, Rollup1d},
		{"all but one", Query{Step: Day, Where: []DimFilter{{Dim: "origin", In: []string{"A"}, Not: true}}}, Events},
		{"two filters", Query{Step: Day, Where: append(a, DimFilter{Dim: "destination", In: []string{"SFO"}})}, Events},
		{"a minute no longer kept", Query{Step: Minute, From: t0.AddDate(0, 0, -9), To: t0.AddDate(0, 0, -9).Add(time.Hour)}, Events},
	} {
		tc.q.Metric, tc.q.Aggregate = "mm", Sum
		if tc.q.From.IsZero() {
			tc.q.Last = 3
		}
		r, err := w.Report(t.Context(), tc.q)
		if err != nil || r.Source != tc.want {
			t.Errorf("%s: from %s, %v; want from %s", tc.name, r.Source, err, tc.want)
		}
		m, q, _, err := w.ask(t.Context(), tc.q)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := w.plan(t.Context(), m, q, nil, w.now())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := w.fromEvents(t.Context(), p)
		if err != nil || !slices.Equal(texts(raw.Points), texts(r.Points)) || !slices.EqualFunc(raw.Totals, r.Totals, Total.equal) {
			t.Errorf("%s: %v from %s, %v from the events, %v", tc.name, texts(r.Points), r.Source, texts(raw.Points), err)
		}
	}
}

// rowRights lets somebody see rows only.
type rowRights struct {
	rights
	scope predicate.Filter
}

func (r *rowRights) Require(ctx context.Context, permission string, on ref.Ref) error {
	if permission == PermView {
		return fault.ErrForbidden
	}
	return r.rights.Require(ctx, permission, on)
}

func (r *rowRights) Scope(_ context.Context, permission, _ string) (predicate.Filter, error) {
	if permission == PermRows {
		return r.scope, nil
	}
	return predicate.None(), nil
}

func TestWhoSeesRowsSeesNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.fold(t)
	w.track(t, flights("a", 100)...)
	w.settle(t)
	everything := Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1, By: "origin"}
	is := func(d, v string) predicate.Filter {
		return predicate.And(predicate.Eq("dimension", d), predicate.Eq("value", v))
	}
	onlyHere := func(f predicate.Filter) predicate.Filter { return predicate.And(predicate.Eq("id", delays.Key), f) }
	for _, tc := range []struct {
		name  string
		scope predicate.Filter
		want  string // keys and counts by origin
		err   error
	}{
		{"nothing", predicate.None(), "", fault.ErrForbidden},
		{"one", onlyHere(is("origin", "A")), "A:20", nil},
		{"two", predicate.Or(onlyHere(is("origin", "A")), is("origin", "C")), "A:20 C:20", nil},
		{"of another metric", predicate.And(predicate.Eq("id", "other"), is("origin", "A")), "", fault.ErrForbidden},
		{"of another dimension too", predicate.Or(is("origin", "A"), is("destination", "OAK")), "A:20", nil},
		{"none there is", is("origin", "nowhere"), "", nil},
	} {
		who := &rowRights{scope: tc.scope}
		s := New(w.db, w.events, w.clock.Now, who, quick)
		r, err := s.Report(t.Context(), everything)
		var got []string
		for _, p := range r.Points {
			got = append(got, p.Key+":"+value(p.Value))
		}
		if out := strings.Join(got, " "); out != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: %q, %v; want %q, %v", tc.name, out, err, tc.want, tc.err)
		}
		// A filter of one's own does not widen it, and a total counts no other rows.
		own := everything
		own.By, own.Where = "", []DimFilter{{Dim: "origin", In: []string{"B"}}}
		if r, err := s.Report(t.Context(), own); !errors.Is(err, tc.err) || len(r.Points) > 0 {
			t.Errorf("%s: %v of another row, %v", tc.name, texts(r.Points), err)
		}
	}
	one, two := &rowRights{scope: is("origin", "A")}, &rowRights{scope: is("origin", "B")}
	keyOf := func(who Authorizer) (string, func(context.Context) error) {
		key, _, _, allowed, err := New(w.db, w.events, w.clock.Now, who, quick).ReportChannel(t.Context(), everything)
		if err != nil {
			t.Fatal(err)
		}
		return key, allowed
	}
	a, allowed := keyOf(one)
	if b, _ := keyOf(two); a == b {
		t.Error("two who see different rows share a channel")
	}
	if err := allowed(t.Context()); err != nil {
		t.Errorf("allowed() = %v", err)
	}
	one.scope = predicate.Or(is("origin", "A"), is("origin", "B"))
	if err := allowed(t.Context()); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("allowed() = %v after the rows are others", err)
	}
}

// What is no longer kept goes, and what was counted of it stays, whatever is rebuilt.
func TestPruningKeepsWhatWasCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := Metric{Key: "mm", Event: "flight", Value: "delay", Unique: "origin", Quantiles: true, Dimensions: []string{"origin"}, MinuteDays: 1, HourDays: 3}
	w.define(t, m)
	w.keep = func(context.Context) (map[string]int, error) { return map[string]int{"flight": 5}, nil }
	stop := w.fold(t)
	for d := range 8 {
		for _, c := range flights(string(rune('a'+d))+"-day", 20) {
			at := c.At.AddDate(0, 0, -d)
			c.At = &at
			w.track(t, c)
		}
	}
	w.settle(t)
	stop()
	all := Query{Metric: "mm", Aggregate: Sum, Step: Day, Last: 20, By: "origin"}
	before, err := w.Report(t.Context(), all)
	if err != nil || len(before.Points) == 0 {
		t.Fatal(before, err)
	}
	w.clock.Advance(48 * time.Hour)
	all.Last += 2
	stop = w.fold(t)
	w.settle(t)
	storetest.Eventually(t, 20*time.Second, func() bool {
		return storetest.Count(t, w.db, eventsCollection) == 80 // those of t0 and the three days before
	}, "events older than 5 days are gone")
	check := func(when string) {
		t.Helper()
		r, err := w.Report(t.Context(), all)
		if err != nil || !slices.Equal(texts(r.Points), texts(before.Points)) {
			t.Errorf("%s: %v, %v; want %v", when, texts(r.Points), err, texts(before.Points))
		}
	}
	check("pruned")
	for _, res := range []resolution{byMinute, byHour} {
		if n := storetest.Count(t, w.db, rollupsCollection, bson.D{{Key: "_id.r", Value: res}, {Key: "_id.t", Value: bson.D{{Key: "$lt", Value: t0.AddDate(0, 0, -2)}}}}); n != 0 {
			t.Errorf("%d rollups of %s are older than they are kept", n, res)
		}
	}
	w.mustVerify(t)
	if err := w.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settle(t)
	check("rebuilt")
	m.Dimensions = append(m.Dimensions, "destination") // broken down by more: the same events count
	w.define(t, m)
	w.settle(t)
	check("with another dimension")
	if _, err := w.Report(t.Context(), Query{Metric: "mm", Aggregate: Sum, Step: Hour, From: t0.AddDate(0, 0, -6), To: t0}); !errors.Is(err, ErrGone) {
		t.Errorf("Report() = %v of hours and events that are gone, want REPORT_UNAVAILABLE", err)
	}
	stop()
	if _, err := w.db.Collection(checkpointsCollection).UpdateByID(t.Context(), foldID, bson.D{{Key: "$set", Value: bson.D{{Key: "token", Value: bson.D{{Key: "_data", Value: "00"}}}}}}); err != nil {
		t.Fatal(err)
	}
	w.fold(t)
	w.settle(t)
	check("after a lost history")
	m.Value = "" // something else is counted: what was counted of before is worth nothing
	m.Quantiles = false
	w.define(t, m)
	w.settle(t)
	all.Aggregate = Count
	if r, err := w.Report(t.Context(), all); err != nil || len(r.Points) == 0 || r.Points[0].At.Before(t0.AddDate(0, 0, -4)) {
		t.Errorf("counted anew: %v, %v; want nothing of events that are gone", texts(r.Points), err)
	}
	w.mustVerify(t)
}
