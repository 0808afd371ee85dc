package analytics

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

func TestQueryIsChecked(t *testing.T) {
	t.Parallel()
	m := Metric{Key: "k", Event: "e", Value: "v", Dimensions: []string{"d"}}
	ok := Query{Metric: "k", Aggregate: Count, Step: Minute, Last: 10}
	ranged := func(from, to time.Time, s Step) Query {
		return Query{Metric: "k", Aggregate: Count, Step: s, From: from, To: to}
	}
	for _, tc := range []struct {
		name string
		q    Query
		err  error
	}{
		{"last", ok, nil},
		{"the longest", Query{Aggregate: Max, Step: Day, Last: 1500, By: "d", Top: 50}, nil},
		{"too many buckets", Query{Aggregate: Count, Step: Day, Last: 1501}, ErrRange},
		{"negative", Query{Aggregate: Count, Step: Day, Last: -1}, ErrRange},
		{"neither", Query{Aggregate: Count, Step: Day}, ErrRange},
		{"both", Query{Aggregate: Count, Step: Day, Last: 1, From: t0, To: t0.Add(time.Hour)}, ErrRange},
		{"only from", ranged(t0, time.Time{}, Hour), ErrRange},
		{"only to", ranged(time.Time{}, t0, Hour), ErrRange},
		{"backwards", ranged(t0, t0.Add(-1), Hour), ErrRange},
		{"empty", ranged(t0, t0, Hour), ErrRange},
		{"one instant", ranged(t0, t0.Add(time.Millisecond), Hour), nil},
		{"1500 minutes", ranged(t0.Truncate(time.Minute), t0.Truncate(time.Minute).Add(1500*time.Minute), Minute), nil},
		{"1500 minutes in 1501 buckets", ranged(t0, t0.Add(1500*time.Minute), Minute), ErrRange},
		{"all of time", ranged(time.Unix(0, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), Day), ErrRange},
		{"no aggregate", Query{Step: Day, Last: 1}, fault.ErrInput},
		{"no step", Query{Aggregate: Count, Last: 1}, fault.ErrInput},
		{"odd step", Query{Aggregate: Count, Step: "FORTNIGHT", Last: 1}, fault.ErrInput},
		{"no such zone", Query{Aggregate: Count, Step: Day, Last: 1, TimeZone: "Mars/Olympus"}, fault.ErrInput},
		{"the zone of the server", Query{Aggregate: Count, Step: Day, Last: 1, TimeZone: "Local"}, fault.ErrInput},
		{"no such day", Query{Aggregate: Count, Step: Week, Last: 1, WeekStart: "FUNDAY"}, fault.ErrInput},
		{"no such fill", Query{Aggregate: Count, Step: Day, Last: 1, Fill: "LINEAR"}, fault.ErrInput},
		{"nothing to compare with", Query{Aggregate: Count, Step: Day, Last: 1, Compare: "TOMORROW"}, fault.ErrInput},
		{"an average of one", Query{Aggregate: Count, Step: Day, Last: 1, MovingAverage: 1}, fault.ErrInput},
		{"a cumulative rate", Query{Aggregate: Rate, Step: Day, Last: 1, Cumulative: true}, fault.ErrInput},
		{"uniques of none", Query{Aggregate: Unique, Step: Day, Last: 1}, fault.ErrInput},
		{"quantiles of none", Query{Aggregate: Quantile, Quantile: 0.5, Step: Day, Last: 1}, fault.ErrInput},
		{"a quantile of a count", Query{Aggregate: Count, Quantile: 0.5, Step: Day, Last: 1}, fault.ErrInput},
		{"a filter without values", Query{Aggregate: Count, Step: Day, Last: 1, Where: []DimFilter{{Dim: "d"}}}, fault.ErrInput},
		{"top too many", Query{Aggregate: Count, Step: Day, Last: 1, By: "d", Top: 51}, fault.ErrInput},
		{"top negative", Query{Aggregate: Count, Step: Day, Last: 1, Top: -1}, fault.ErrInput},
		{"unknown dimension", Query{Aggregate: Count, Step: Day, Last: 1, By: "e"}, ErrDimension},
	} {
		if _, err := tc.q.check(m); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
	}
	for _, agg := range []Aggregate{Sum, Avg, Min, Max} {
		if _, err := (Query{Aggregate: agg, Step: Day, Last: 1}).check(Metric{Event: "e"}); !errors.Is(err, fault.ErrInput) {
			t.Errorf("%s of a metric without value: %v, want BAD_USER_INPUT", agg, err)
		}
	}
	total, _ := Query{Aggregate: Count, Step: Day, Last: 1, Top: 7}.check(m)
	byD, _ := Query{Aggregate: Count, Step: Day, Last: 1, By: "d"}.check(m)
	if total.Top != 0 || byD.Top != 10 {
		t.Errorf("top of a total = %d, of a breakdown = %d; want 0 and the default 10", total.Top, byD.Top)
	}
}

func window(t testing.TB, q Query, now time.Time) (from, to time.Time) {
	t.Helper()
	cal, err := q.calendar()
	if err != nil {
		t.Fatal(err)
	}
	g := newGrid(&q, cal, now)
	return g.from(), g.to()
}

func TestWindow(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		v, err := time.Parse("2006-01-02T15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct {
		q        Query
		from, to string
	}{
		{Query{Step: Minute, Last: 1}, "2026-01-02T03:04:00", "2026-01-02T03:05:00"},
		{Query{Step: Minute, Last: 60}, "2026-01-02T02:05:00", "2026-01-02T03:05:00"},
		{Query{Step: Hour, Last: 2}, "2026-01-02T02:00:00", "2026-01-02T04:00:00"},
		{Query{Step: Day, Last: 2}, "2026-01-01T00:00:00", "2026-01-03T00:00:00"},
		{Query{Step: Hour, From: at("2026-01-01T10:20:30"), To: at("2026-01-01T12:00:00")}, "2026-01-01T10:00:00", "2026-01-01T12:00:00"},
		{Query{Step: Hour, From: at("2026-01-01T10:20:30"), To: at("2026-01-01T12:00:01")}, "2026-01-01T10:00:00", "2026-01-01T13:00:00"},
		{Query{Step: Day, From: at("2026-01-01T23:00:00").In(time.FixedZone("", -7200)), To: at("2026-01-01T23:30:00")}, "2026-01-01T00:00:00", "2026-01-02T00:00:00"},
	} {
		from, to := window(t, tc.q, t0)
		if !from.Equal(at(tc.from)) || !to.Equal(at(tc.to)) {
			t.Errorf("window of %+v = %v to %v, want %s to %s", tc.q, from, to, tc.from, tc.to)
		}
	}
	if from, to := window(t, Query{Step: Minute, Last: 1}, at("2026-01-02T03:04:00")); !from.Equal(at("2026-01-02T03:04:00")) || !to.Equal(at("2026-01-02T03:05:00")) {
		t.Errorf("window at the begin of a minute = %v to %v, want that minute", from, to)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.define(t, Metric{Key: "flights.plain", Event: "flight"})
	w.fold(t)
	unmeasured := flight("none", 2*time.Minute, "C", 0)
	unmeasured.Values = nil
	nowhere := flight("nowhere", time.Hour, "", 50)
	delete(nowhere.Dims, "origin")
	w.track(
		t,
		flight("a1", 0, "A", 10), flight("a2", 0, "A", -4), flight("a3", time.Minute, "A", 6),
		flight("b1", 0, "B", 100), flight("b2", 2*time.Hour, "B", 1),
		unmeasured, nowhere,
		flight("old", 24*time.Hour, "D", 1),
	)
	w.settle(t)
	q := func(agg Aggregate, s Step, last int, by string, top int) Query {
		return Query{Metric: delays.Key, Aggregate: agg, Step: s, Last: last, By: by, Top: top}
	}
	plain := q(Count, Hour, 1, "", 0)
	plain.Metric = "flights.plain"
	for _, tc := range []struct {
		q    Query
		want string
	}{
		{q(Count, Minute, 3, "", 0), "02T03:02  1/1, 02T03:03  1/1, 02T03:04  3/3"},
		{q(Sum, Minute, 3, "", 0), "02T03:02  -/1, 02T03:03  6/1, 02T03:04  106/3"},
		{q(Avg, Hour, 2, "", 0), "02T02:00  50/1, 02T03:00  28/5"}, // of the four that have the value
		{q(Min, Hour, 1, "", 0), "02T03:00  -4/5"},
		{q(Max, Day, 2, "", 0), "01T00:00  1/1, 02T00:00  100/7"},
		{q(Count, Day, 1, "origin", 10), "02T00:00 A 3/3, 02T00:00 B 2/2, 02T00:00 C 1/1"},
		{q(Sum, Hour, 3, "origin", 2), "02T01:00 B 1/1, 02T03:00 A 12/3, 02T03:00 B 100/1"},
		{q(Avg, Day, 2, "origin", 3), "02T00:00 A 4/3, 02T00:00 B 50.5/2, 02T00:00 C -/1"}, // C before D by name
		{q(Count, Day, 1, "destination", 1), "02T00:00 SFO 7/7"},
		{plain, "02T03:00  5/5"},
		{Query{Metric: delays.Key, Aggregate: Count, Step: Day, From: t0.AddDate(-1, 0, 0), To: t0.AddDate(0, 0, -1)}, "01T00:00  1/1"},
		{Query{Metric: delays.Key, Aggregate: Count, Step: Day, From: t0.AddDate(-2, 0, 0), To: t0.AddDate(-1, 0, 0)}, ""},
		{Query{Metric: delays.Key, Aggregate: Count, Step: Day, From: t0.AddDate(-2, 0, 0), To: t0.AddDate(-1, 0, 0), By: "origin"}, ""},
	} {
		r, err := w.Report(t.Context(), tc.q)
		if got := strings.Join(texts(r.Points), ", "); err != nil || got != tc.want {
			t.Errorf("%+v\n got %s, %v\nwant %s", tc.q, got, err, tc.want)
		}
		if r.Points == nil || r.Source != sourceOf(tc.q.Step) || !r.Exact || r.Through == nil {
			t.Errorf("%+v: %+v is incomplete", tc.q, r)
		}
	}
	for _, tc := range []struct {
		q   Query
		err error
	}{
		{Query{Metric: "none", Aggregate: Count, Step: Day, Last: 1}, ErrMetric},
		{Query{Metric: "$ne", Aggregate: Count, Step: Day, Last: 1}, ErrMetric},
		{q(Count, Day, 1, "carrier", 1), ErrDimension},
		{q(Count, Day, 0, "", 0), ErrRange},
	} {
		if _, err := w.Report(t.Context(), tc.q); !errors.Is(err, tc.err) {
			t.Errorf("Report(%+v) = %v, want %v", tc.q, err, tc.err)
		}
	}
}

func sourceOf(s Step) Source {
	switch s {
	case Minute:
		return Rollup1m
	case Hour:
		return Rollup1h
	case Day, Week, Month, Quarter, Year:
	}
	return Rollup1d
}

// While rollups are computed anew a report must not claim to be exact.
func TestReportSaysWhenItIsNotWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.track(t, flights("a", 10)...)
	q := Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1}
	if r, err := w.Report(t.Context(), q); err != nil || r.Exact || r.Through != nil {
		t.Errorf("before anything was folded: exact %v, through %v, %v", r.Exact, r.Through, err)
	}
	stop := w.fold(t)
	w.settle(t)
	stop()
	if r, err := w.Report(t.Context(), q); err != nil || !r.Exact || r.Through == nil {
		t.Errorf("folded: exact %v, through %v, %v", r.Exact, r.Through, err)
	}
	if err := w.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := w.Report(t.Context(), q); err != nil || r.Exact || len(r.Points) != 1 {
		t.Errorf("to be rebuilt: exact %v, %v, %v; want the old numbers, not exact", r.Exact, texts(r.Points), err)
	}
}

// What a report says it holds, it holds: its Through is never ahead of its numbers.
func TestThroughIsNotAheadOfTheNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.fold(t)
	var last time.Time
	for i := range 10 {
		w.track(t, flights(strconv.Itoa(i), 10)...)
		w.settle(t)
		r, err := w.Report(t.Context(), Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1})
		if err != nil || len(r.Points) != 1 || r.Points[0].Count != int64(10*(i+1)) {
			t.Fatalf("Report() = %v, %v; want %d events", texts(r.Points), err, 10*(i+1))
		}
		if r.Through == nil || r.Through.Before(last) {
			t.Fatalf("through %v after %v", r.Through, last)
		}
		last = *r.Through
	}
}

func TestMetricsAreSorted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, k := range []string{"mc", "ma", "mb"} {
		w.define(t, Metric{Key: k, Event: "e"})
	}
	all, err := w.Metrics(t.Context())
	if err != nil || !slices.IsSortedFunc(all, func(a, b Metric) int { return strings.Compare(a.Key, b.Key) }) || len(all) != 3 {
		t.Errorf("Metrics() = %+v, %v", all, err)
	}
}
