package analytics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/clock"
)

// collection imitates the collection of rollups and the changes that its change stream brings.
type collection struct {
	rows map[rollupKey]stored
	rev  int64
	log  []RollupChange
}

type stored struct {
	cell cell
	rev  int64
}

// write puts a cell and logs what MongoDB would tell: all of it after an insert or a replace, else the changed fields.
func (c *collection) write(k rollupKey, v cell, replace bool) {
	c.rev++
	old, found := c.rows[k]
	ch := RollupChange{
		Metric: k.metric, res: k.res, Dim: k.dim, Key: k.key, At: time.UnixMilli(k.at).UTC(), Rev: c.rev, whole: !found || replace,
		n: &v.n, c: &v.c, sum: &v.sum, min: &v.min, max: &v.max, last: v.lastDoc(),
	}
	if !ch.whole {
		ch.n, ch.c = news(old.cell.n, v.n), news(old.cell.c, v.c)
		ch.sum, ch.min, ch.max = news(old.cell.sum, v.sum), news(old.cell.min, v.min), news(old.cell.max, v.max)
	}
	var err error
	if ch.uniques, err = uniquesBytes(v.uniques); err != nil {
		panic(err)
	}
	ch.spread = spreadBytes(v.spread)
	c.rows[k] = stored{v, c.rev}
	c.log = append(c.log, ch)
}

func news[T comparable](old, v T) *T {
	if old == v {
		return nil
	}
	return &v
}

func (c *collection) remove(k rollupKey) {
	delete(c.rows, k)
	c.log = append(c.log, RollupChange{Metric: k.metric, res: k.res, Dim: k.dim, Key: k.key, At: time.UnixMilli(k.at).UTC(), removed: true})
}

// read is what a source loads.
func (c *collection) read(q Query, of slice, now clock.Clock) func(context.Context) (loaded, error) {
	return func(context.Context) (loaded, error) {
		cal, err := q.calendar()
		l := loaded{grid: newGrid(&q, cal, now()), exact: true}
		for k, r := range c.rows {
			ch := RollupChange{
				Metric: k.metric, res: k.res, Dim: k.dim, Key: k.key, At: time.UnixMilli(k.at).UTC(), Rev: r.rev, whole: true,
				n: &r.cell.n, c: &r.cell.c, sum: &r.cell.sum, min: &r.cell.min, max: &r.cell.max, last: r.cell.lastDoc(), spread: spreadBytes(r.cell.spread),
			}
			if ch.uniques, err = uniquesBytes(r.cell.uniques); err != nil {
				return l, err
			}
			if of.holds(ch) {
				l.rows = append(l.rows, ch)
			}
		}
		return l, err
	}
}

// report computes the same report as it is computed once.
func (c *collection) report(q Query, of slice, now time.Time) Report {
	cal, err := q.calendar()
	if err != nil {
		panic(err)
	}
	t := newTable(newGrid(&q, cal, now))
	for k, r := range c.rows {
		if k.dim == of.dim && (of.keys == nil || slices.Contains(of.keys, k.key) != of.not) {
			t.add(time.UnixMilli(k.at).UTC(), q.group(k.key), r.cell)
		}
	}
	return t.report(&q, t.top(q.Top), of.res.source(), true)
}

// client folds what it is sent, by the rules that the schema states.
type client struct {
	from, to         time.Time
	points, compared map[string]Point
	totals           []Total
}

func (c *client) whole(r *Report) {
	c.from, c.to, c.points, c.compared, c.totals = r.From, r.To, map[string]Point{}, map[string]Point{}, r.Totals
	put(c.points, r.Points)
	put(c.compared, r.Compared)
}

func put(to map[string]Point, points []Point) {
	for _, p := range points {
		to[p.At.String()+p.Key] = p
	}
}

func (c *client) delta(d *ReportDelta) {
	c.from, c.to = d.From, d.To
	for _, list := range []map[string]Point{c.points, c.compared} {
		for at, p := range list {
			if p.At.Before(d.From) || slices.Contains(d.Dropped, p.Key) {
				delete(list, at)
			}
		}
	}
	put(c.points, d.Points)
	put(c.compared, d.Compared)
	if d.Totals != nil {
		c.totals = d.Totals
	}
}

func (c *client) texts() []string { return texts(listed(c.points)) }

func listed(points map[string]Point) []Point {
	return slices.SortedFunc(maps.Values(points), byTimeThenKey)
}

// whole is everything of a report as text.
func whole(from, to time.Time, points, compared []Point, totals []Total) string {
	parts := slices.Concat([]string{from.String(), to.String()}, texts(points), []string{"|"}, texts(compared), []string{"|"})
	for _, t := range totals {
		value, other := "-", "-"
		if t.Value != nil {
			value = fmt.Sprintf("%.6g", *t.Value)
		}
		if t.Compared != nil {
			other = fmt.Sprintf("%.6g", *t.Compared)
		}
		parts = append(parts, fmt.Sprintf("%s %s/%d %s", t.Key, value, t.Count, other))
	}
	return strings.Join(parts, ", ")
}

var seen = Metric{
	Key: "flights.seen", Event: "flight", Value: "delay", Unique: UniqueActor, Quantiles: true, Dimensions: []string{"origin"},
}

// anyQuery draws a live report.
func anyQuery(t *rapid.T) (Query, slice) {
	q := Query{
		Metric:    seen.Key,
		Aggregate: rapid.SampledFrom([]Aggregate{Count, Sum, Avg, Min, Max, Last, Rate, Unique, Quantile}).Draw(t, "aggregate"),
		Step:      rapid.SampledFrom([]Step{Minute, Minute, Hour, Day, Week}).Draw(t, "step"),
		TimeZone:  rapid.SampledFrom([]string{"", "Europe/Berlin", "Asia/Kolkata"}).Draw(t, "zone"),
		Last:      rapid.IntRange(1, 4).Draw(t, "last"),
		By:        rapid.SampledFrom([]string{"", "origin"}).Draw(t, "by"),
		Top:       rapid.IntRange(1, 3).Draw(t, "top"),
		Other:     rapid.Bool().Draw(t, "other"),
		Fill:      rapid.SampledFrom(fills).Draw(t, "fill"),
		Compare:   rapid.SampledFrom(compares).Draw(t, "compare"),
	}
	switch rapid.IntRange(0, 3).Draw(t, "more") {
	case 0:
		q.MovingAverage = rapid.IntRange(2, 3).Draw(t, "average")
	case 1:
		q.Cumulative = q.Aggregate != Rate
	case 2:
		q.Where = []DimFilter{{Dim: "origin", In: []string{"A", "B"}, Not: q.By != "" && rapid.Bool().Draw(t, "not")}}
	}
	if q.Aggregate == Quantile {
		q.Quantile = 0.5
	}
	q, err := q.check(seen)
	if err != nil {
		t.Fatal(err)
	}
	dim, keys, not, _ := q.oneDimension()
	return q, slice{metric: seen.Key, res: byMinute, dim: dim, keys: keys, not: not, sketch: q.Aggregate == Unique || q.Aggregate == Quantile}
}

// Whatever changes come, however late or often, a live report is the report as it is computed once; so is what a client
// makes of its deltas.
func TestLiveReportIsTheReport(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		q, of := anyQuery(t)
		c := &collection{rows: map[rollupKey]stored{}}
		now := clock.NewManual(t0)
		src := &ReportSource{q: q, of: of, now: now.Now, read: c.read(q, of, now.Now)}
		var cl client
		told := 0 // of c.log
		load := func() {
			if err := src.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			cl.whole(src.Snapshot().(*Report))
		}
		flush := func() {
			if d := src.Flush(); d != nil {
				cl.delta(d.(*ReportDelta))
			}
			if src.Stale() {
				load()
			}
		}
		apply := func(change any) {
			if d := src.Apply(change); d != nil {
				t.Fatalf("Apply() = %+v: Flush tells", d)
			}
			if rapid.Bool().Draw(t, "flush") {
				flush()
			}
		}
		anyKey := func() rollupKey {
			k := rollupKey{metric: seen.Key, res: byMinute, dim: of.dim}
			if of.dim != "" {
				k.key = rapid.SampledFrom([]string{"A", "B", "C", "D", "E"}).Draw(t, "key")
			}
			back := time.Duration(rapid.IntRange(-2, 8).Draw(t, "minutes back")) * time.Minute
			switch rapid.IntRange(0, 3).Draw(t, "far") {
			case 0:
				back *= 60
			case 1:
				back *= 60 * 24
			case 2:
				back += 365 * 24 * time.Hour
			}
			k.at = now.Now().Add(-back).Truncate(time.Minute).UnixMilli()
			return k
		}
		some := func() (rollupKey, bool) {
			all := slices.SortedFunc(maps.Keys(c.rows), rollupKey.compare) // rapid wants the same choice from the same seed
			if len(all) == 0 {
				return rollupKey{}, false
			}
			return rapid.SampledFrom(all).Draw(t, "stored"), true
		}
		load()
		t.Repeat(map[string]func(*rapid.T){
			"flush": func(t *rapid.T) {
				for range rapid.IntRange(1, 4).Draw(t, "events") {
					k := anyKey()
					var v cell
					v.add(c.rows[k].cell)
					v.observe(sample{
						at: k.at, value: float64(rapid.IntRange(-3, 3).Draw(t, "value")), measured: rapid.IntRange(0, 3).Draw(t, "measured") > 0,
						unique: []byte{byte(rapid.IntRange(0, 20).Draw(t, "actor"))}, spread: true,
					})
					c.write(k, v, false)
				}
			},
			"recount": func(t *rapid.T) {
				if k, ok := some(); ok {
					c.write(k, cell{n: 2, c: 1, sum: 1, min: 1, max: 1, last: 1, lastAt: k.at}, true)
				}
			},
			"remove": func(t *rapid.T) {
				if k, ok := some(); ok && rapid.IntRange(0, 3).Draw(t, "seldom") == 0 {
					c.remove(k)
				}
			},
			"tell": func(t *rapid.T) {
				for n := rapid.IntRange(1, 5).Draw(t, "changes"); n > 0 && told < len(c.log); n-- {
					apply(c.log[told])
					told++
				}
			},
			"tell again": func(t *rapid.T) { // from an earlier point, in order
				told -= rapid.IntRange(0, min(told, 6)).Draw(t, "back")
			},
			"load": func(*rapid.T) { load() }, // sees changes that are told later
			"time": func(t *rapid.T) {
				now.Advance(time.Duration(rapid.IntRange(1, 150).Draw(t, "seconds")) * time.Second)
			},
			"leap": func(t *rapid.T) {
				now.Advance(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour)
			},
			"tick": func(*rapid.T) { apply(now.Now()) },
			"": func(t *rapid.T) {
				if t.Failed() || rapid.IntRange(0, 9).Draw(t, "look") > 0 {
					return
				}
				for ; told < len(c.log); told++ {
					apply(c.log[told])
				}
				src.Apply(now.Now())
				flush()
				r := c.report(q, of, now.Now())
				want := whole(r.From, r.To, r.Points, r.Compared, r.Totals)
				s := src.Snapshot().(*Report)
				if got := whole(s.From, s.To, s.Points, s.Compared, s.Totals); got != want {
					t.Fatalf("%+v\nsource\n got %s\nwant %s", q, got, want)
				}
				if got := whole(cl.from, cl.to, listed(cl.points), listed(cl.compared), cl.totals); got != want {
					t.Fatalf("%+v\nclient\n got %s\nwant %s", q, got, want)
				}
			},
		})
	})
}
