package analytics

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/store/storetest"
)

// vega is the folder of the real tables.
const vega = "../../web/node_modules/vega-datasets/data/"

func readReal(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join(vega, name))
	if os.IsNotExist(err) {
		t.Skipf("no %s: scripts/packages web brings the real tables", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// fact is one row of a file, read without the code under test.
type fact struct {
	at     time.Time
	dims   map[string]string
	value  float64
	unique string
}

// straight counts facts one by one.
type straight struct {
	values []float64
	seen   map[string]struct{}
	sum    float64
	last   fact
}

func count(facts []fact, group func(fact) string) map[string]*straight {
	all := map[string]*straight{}
	for _, f := range facts {
		s := all[group(f)]
		if s == nil {
			s = &straight{seen: map[string]struct{}{}}
			all[group(f)] = s
		}
		s.values = append(s.values, f.value)
		s.sum += f.value
		s.seen[f.unique] = struct{}{}
		if c := f.at.Compare(s.last.at); c > 0 || c == 0 && f.value > s.last.value {
			s.last = f
		}
	}
	for _, s := range all {
		slices.Sort(s.values)
	}
	return all
}

// is checks a number of a report: exact aggregates to the last bit but for the order of adding, estimates within 1 %. (A
// quantile is one of the two values beside q (n-1): DDSketch rounds that down, and up among negative ones.)
func (s *straight) is(t *testing.T, what string, q Query, got *float64, width time.Duration) {
	t.Helper()
	n := float64(len(s.values))
	var want, slack float64
	switch q.Aggregate {
	case Count:
		want = n
	case Sum:
		want, slack = s.sum, 1e-9
	case Avg:
		want, slack = s.sum/n, 1e-9
	case Min:
		want = s.values[0]
	case Max:
		want = s.values[len(s.values)-1]
	case Last:
		want = s.last.value
	case Rate:
		want, slack = n/width.Seconds(), 1e-12
	case Unique:
		want, slack = float64(len(s.seen)), 0.01
	case Quantile:
		rank := q.Quantile * (n - 1)
		want, slack = s.values[int(math.Floor(rank))], 0.01
		if up := s.values[int(math.Ceil(rank))]; got != nil && math.Abs(*got-up) < math.Abs(*got-want) {
			want = up
		}
	}
	if got == nil || math.Abs(*got-want) > slack*max(math.Abs(want), 1) {
		t.Errorf("%s: %s %g = %v, want %g", what, q.Aggregate, q.Quantile, value(got), want)
	}
}

func value(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

var everyAggregate = []Query{
	{Aggregate: Count},
	{Aggregate: Sum},
	{Aggregate: Avg},
	{Aggregate: Min},
	{Aggregate: Max},
	{Aggregate: Last},
	{Aggregate: Rate},
	{Aggregate: Unique},
	{Aggregate: Quantile, Quantile: 0.25},
	{Aggregate: Quantile, Quantile: 0.5},
	{Aggregate: Quantile, Quantile: 0.95},
	{Aggregate: Quantile, Quantile: 1},
}

// same compares a report by buckets and keys with a straight count.
func (w world) sameAs(t *testing.T, q Query, facts []fact, from Source) Report {
	t.Helper()
	r, err := w.Report(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	if r.Source != from || r.Approximate != (q.Aggregate == Unique || q.Aggregate == Quantile) {
		t.Errorf("%+v: from %s, approximate %v; want from %s", q, r.Source, r.Approximate, from)
	}
	cal, err := r.Query.calendar()
	if err != nil {
		t.Fatal(err)
	}
	facts = slices.DeleteFunc(slices.Clone(facts), func(f fact) bool { return f.at.Before(r.From) || !f.at.Before(r.To) })
	shown := map[string]bool{}
	for _, total := range r.Totals {
		shown[total.Key] = true
	}
	key := func(f fact) string {
		k, ok := f.dims[q.By]
		if q.By != "" && (!ok || !shown[k]) {
			k = Other
		}
		return k
	}
	buckets := count(facts, func(f fact) string { return cal.start(f.at).UTC().String() + key(f) })
	for _, p := range r.Points {
		s := buckets[p.At.UTC().String()+p.Key]
		if s == nil || int64(len(s.values)) != p.Count {
			t.Fatalf("%+v: %s: not what the file says", q, text(p))
		}
		s.is(t, fmt.Sprintf("%s %s", p.At, p.Key), q, p.Value, cal.shift(p.At, 1).Sub(p.At))
		delete(buckets, p.At.UTC().String()+p.Key)
	}
	totals := count(facts, key)
	for _, total := range r.Totals {
		if s := totals[total.Key]; s == nil || int64(len(s.values)) != total.Count {
			t.Fatalf("%+v: total of %q is of %d events, not what the file says", q, total.Key, total.Count)
		} else {
			s.is(t, "total of "+total.Key, q, total.Value, r.To.Sub(r.From))
		}
	}
	if len(buckets) > 0 && q.By == "" || q.Other && len(buckets) > 0 {
		t.Errorf("%+v: %d buckets of the file are missing", q, len(buckets))
	}
	return r
}

// All of the flights of 2001, loaded as old history: every aggregate of every bucket is what a straight count says.
func TestFlightsOf2001(t *testing.T) {
	t.Parallel()
	file := readReal(t, "flights-20k.json")
	var rows []struct {
		Date, Origin, Destination string
		Delay                     float64
	}
	if err := json.NewDecoder(file).Decode(&rows); err != nil {
		t.Fatal(err)
	}
	var facts []fact
	for _, r := range rows {
		at, err := time.Parse("2006/01/02 15:04", r.Date)
		if err != nil {
			t.Fatal(err)
		}
		dims := map[string]string{"origin": r.Origin, "destination": r.Destination}
		facts = append(facts, fact{at: at, dims: dims, value: r.Delay, unique: r.Destination})
	}
	w := worldOn(t, storetest.DB(t), Config{})
	w.define(t, Metric{Key: "flights", Event: "flight", Value: "delay", Unique: "destination", Quantiles: true, Dimensions: []string{"origin"}})
	w.fold(t)
	if _, err := file.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	done, err := w.Ingest(t.Context(), IngestCmd{File: file, Mapping: flightRows})
	if err != nil || done.Accepted != int64(len(rows)) {
		t.Fatalf("Ingest() = %+v, %v; want %d events", done, err, len(rows))
	}
	w.settle(t)
	first, last := facts[0].at, facts[len(facts)-1].at
	for i, q := range everyAggregate {
		q.Metric, q.From, q.To, q.Step = "flights", first, last.Add(time.Second), Month
		w.sameAs(t, q, facts, Rollup1d)
		if i%4 == 3 { // MIN, UNIQUE and the last quantile: for the time it takes
			q.Step, q.By, q.Top, q.Other = Week, "origin", 50, true
			w.sameAs(t, q, facts, Rollup1d)
		}
	}
	// No rollup of such old events tells these apart.
	zone := Query{Metric: "flights", Aggregate: Unique, From: first, To: last, Step: Week, TimeZone: "America/New_York"}
	w.sameAs(t, zone, facts, Events)
	hours := Query{Metric: "flights", Aggregate: Quantile, Quantile: 0.9, From: first, To: first.AddDate(0, 1, 0), Step: Hour}
	w.sameAs(t, hours, facts, Events)
	// An independent look at one filter, from rollups and from events.
	q := Query{Metric: "flights", Aggregate: Count, Step: Year, From: first, To: last, Where: []DimFilter{{Dim: "origin", In: []string{"SFO", "LAX"}}}}
	west := slices.DeleteFunc(slices.Clone(facts), func(f fact) bool { return f.dims["origin"] != "SFO" && f.dims["origin"] != "LAX" })
	w.sameAs(t, q, west, Rollup1d)
	q.Where = append(q.Where, DimFilter{Dim: "destination", In: []string{"SAN"}, Not: true})
	w.sameAs(t, q, slices.DeleteFunc(west, func(f fact) bool { return f.dims["destination"] == "SAN" }), Events)
	w.mustVerify(t)
}

// All bird strikes: columns with many values, some rows without a cost, and a cap on the values that are told apart.
func TestBirdStrikes(t *testing.T) {
	t.Parallel()
	rows, err := csv.NewReader(readReal(t, "birdstrikes.csv")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	w := worldOn(t, storetest.DB(t), Config{})
	const keys = 30
	m := Metric{
		Key: "strikes", Event: "bird.strike", Value: "cost", Unique: "species", Quantiles: true,
		Dimensions: []string{"airline", "size"}, MaxKeys: keys,
	}
	w.define(t, m)
	w.fold(t)
	var facts []fact
	var cmds []EventCmd
	for i, r := range rows[1:] {
		at, err := time.Parse("2006-01-02", r[3])
		if err != nil {
			t.Fatal(err)
		}
		cost, err := strconv.ParseFloat(r[12], 64)
		if err != nil {
			t.Fatal(err)
		}
		f := fact{at: at, value: cost, unique: r[8], dims: map[string]string{"airline": r[4], "state": r[5], "size": r[7], "time": r[9]}}
		facts = append(facts, f)
		c := EventCmd{ID: fmt.Sprintf("strike-%d", i), Name: "bird.strike", At: &f.at, Dims: map[string]any{"species": f.unique}, Values: map[string]any{"cost": cost}}
		for k, v := range f.dims {
			c.Dims[k] = v
		}
		cmds = append(cmds, c)
	}
	for batch := range slices.Chunk(cmds, MaxBatch) {
		w.track(t, batch...)
	}
	w.settle(t)
	slices.SortFunc(facts, func(a, b fact) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	first, last := facts[0].at, facts[len(facts)-1].at
	for i, q := range everyAggregate {
		q.Metric, q.From, q.To, q.Step = m.Key, first, last.Add(time.Second), Year
		if i%4 == 3 {
			q.By, q.Top = "size", 50
		}
		w.sameAs(t, q, facts, Rollup1d)
	}
	// Values beyond the cap have one number together: no event is lost, and no total is wrong.
	q := Query{Metric: m.Key, Aggregate: Count, Step: Year, From: first, To: last.Add(time.Second), By: "airline", Top: 50, Other: true}
	r := w.sameAs(t, q, facts, Rollup1d)
	if n := len(r.Totals); n != keys+1 || r.Totals[n-1].Key != Other || r.Totals[n-1].Count == 0 {
		t.Errorf("%d totals, the last %+v; want the %d values and the others", n, r.Totals[n-1], keys)
	}
	// One of the others is told apart from the events.
	other := ""
	for _, f := range facts {
		if !slices.ContainsFunc(r.Totals, func(t Total) bool { return t.Key == f.dims["airline"] }) {
			other = f.dims["airline"]
			break
		}
	}
	q.By, q.Other, q.Where = "", false, []DimFilter{{Dim: "airline", In: []string{other}}}
	w.sameAs(t, q, slices.DeleteFunc(slices.Clone(facts), func(f fact) bool { return f.dims["airline"] != other }), Events)
	if err := w.Rebuild(t.Context()); err != nil { // in the order of time, not of arrival: the same values keep their own numbers
		t.Fatal(err)
	}
	w.mustVerify(t)
	q.Where = nil
	q.By, q.Other = "airline", true
	if again := w.sameAs(t, q, facts, Rollup1d); !slices.EqualFunc(r.Totals, again.Totals, Total.equal) {
		t.Errorf("totals %+v after a rebuild, %+v before", again.Totals, r.Totals)
	}
}
