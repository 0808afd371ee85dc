package analytics

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"time"
)

// grid is the buckets of a report and those it needs besides: the ones before it that a moving average looks back to, and
// the ones of the time it is compared with.
type grid struct {
	cal    calendar
	bounds []time.Time // of the lead and the buckets; one more than there are of them
	lead   int         // buckets before the first that is shown
	other  []time.Time // the same for the time compared with; nil if there is none
	apart  bool        // the two have buckets between them that nobody needs
}

func newGrid(q *Query, cal calendar, now time.Time) *grid {
	shown := q.bounds(cal, now)
	g := &grid{cal: cal, lead: max(0, q.MovingAverage-1)}
	n := len(shown) - 1
	for i := g.lead; i > 0; i-- {
		g.bounds = append(g.bounds, cal.shift(shown[0], -i).UTC())
	}
	g.bounds = append(g.bounds, shown...)
	for i := range g.bounds {
		switch q.Compare {
		case ComparePeriod:
			g.other = append(g.other, cal.shift(shown[0], i-g.lead-n).UTC())
		case CompareYear:
			g.other, g.apart = append(g.other, cal.yearBefore(g.bounds[i]).UTC()), true
		case CompareNone, "":
		}
	}
	return g
}

func (g *grid) from() time.Time { return g.bounds[g.lead] }
func (g *grid) to() time.Time   { return g.bounds[len(g.bounds)-1] }

// first is the begin of all that is needed.
func (g *grid) first() time.Time {
	if g.other != nil && g.other[0].Before(g.bounds[0]) {
		return g.other[0]
	}
	return g.bounds[0]
}

// all are all bounds.
func (g *grid) all() []time.Time { return slices.Concat(g.bounds, g.other) }

// spans are the times that are needed, without what lies between.
func (g *grid) spans() [][2]time.Time {
	if g.other == nil {
		return [][2]time.Time{{g.bounds[0], g.to()}}
	}
	end := g.other[len(g.other)-1]
	if g.apart && end.Before(g.bounds[0]) {
		return [][2]time.Time{{g.other[0], end}, {g.bounds[0], g.to()}}
	}
	return [][2]time.Time{{g.first(), g.to()}}
}

// bucketOf is the place of the bucket that t is in; -1 if it is in none.
func bucketOf(bounds []time.Time, t time.Time) int {
	i := sort.Search(len(bounds), func(i int) bool { return bounds[i].After(t) }) - 1
	if i == len(bounds)-1 {
		return -1
	}
	return i
}

// row is the buckets of one key.
type row struct {
	cells, other []*cell // nil where there are no events
	count        int64   // of events in the buckets shown
}

func newRow(g *grid) *row {
	r := &row{cells: make([]*cell, len(g.bounds)-1)}
	if g.other != nil {
		r.other = make([]*cell, len(g.other)-1)
	}
	return r
}

// at calls fn with the cells that count what happened at t: up to two, if the times compared overlap.
func (r *row) at(g *grid, t time.Time, fn func(*cell)) {
	touch := func(cells []*cell, i int) {
		if cells[i] == nil {
			cells[i] = &cell{}
		}
		fn(cells[i])
	}
	if i := bucketOf(g.bounds, t); i >= 0 {
		before := int64(0)
		if r.cells[i] != nil {
			before = r.cells[i].n
		}
		touch(r.cells, i)
		if i >= g.lead {
			r.count += r.cells[i].n - before
		}
	}
	if r.other != nil {
		if i := bucketOf(g.other, t); i >= 0 {
			touch(r.other, i)
		}
	}
}

// join counts all of o too.
func (r *row) join(o *row) {
	for i, c := range o.cells {
		r.cells[i] = joined(r.cells[i], c)
	}
	for i, c := range o.other {
		r.other[i] = joined(r.other[i], c)
	}
	r.count += o.count
}

func joined(a, b *cell) *cell {
	if b == nil {
		return a
	}
	if a == nil {
		a = &cell{}
	}
	a.add(*b)
	return a
}

// line is what a report shows of one key.
type line struct {
	points, compared []Point
	total            Total
}

// line makes the numbers of the row.
func (r *row) line(q *Query, g *grid, key string) line {
	var l line
	all := &cell{}
	l.points = q.points(g, g.bounds, r.cells, key, all)
	l.total = Total{Key: key, Value: all.value(q, g.to().Sub(g.from())), Count: all.n}
	if r.other != nil {
		all := &cell{}
		l.compared = q.points(g, g.other, r.other, key, all)
		l.total.Compared = all.value(q, g.other[len(g.other)-1].Sub(g.other[g.lead]))
	}
	return l
}

// points are the values of the buckets between bounds, which may be those compared with, and adds up what is in those
// shown.
func (q *Query) points(g *grid, bounds []time.Time, cells []*cell, key string, all *cell) []Point {
	var points []Point
	var previous *float64
	window := make([]*float64, 0, len(cells))
	for i, c := range cells {
		width := bounds[i+1].Sub(bounds[i])
		if c != nil && i >= g.lead {
			all.add(*c)
		}
		var v *float64
		var n int64
		if c != nil {
			v, n = c.value(q, width), c.n
		}
		if q.MovingAverage > 0 {
			window = append(window, q.orZero(v))
			v = mean(window[max(0, len(window)-q.MovingAverage):])
		}
		if i < g.lead {
			continue
		}
		if q.Cumulative && all.n > 0 {
			v = all.value(q, width)
		}
		at := g.bounds[i]
		switch {
		case c != nil, q.MovingAverage > 0 && v != nil, q.Cumulative && q.Fill != FillNone && v != nil:
		case q.Fill == FillZero:
			v = new(float64)
		case q.Fill == FillNull:
		case q.Fill == FillPrevious && previous != nil:
			v = previous
		default:
			continue
		}
		if v != nil {
			previous = v
		}
		points = append(points, Point{At: at, Key: key, Value: v, Count: n})
	}
	return points
}

// orZero is what a bucket counts for in a moving average.
func (q *Query) orZero(v *float64) *float64 {
	switch q.Aggregate {
	case Count, Sum, Rate, Unique:
		if v == nil {
			return new(float64)
		}
	case Avg, Min, Max, Last, Quantile:
	}
	return v
}

func mean(values []*float64) *float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if v != nil {
			sum, n = sum+*v, n+1
		}
	}
	if n == 0 {
		return nil
	}
	sum /= float64(n)
	return &sum
}

// others adds the line of all that is not shown, if there is anything.
func (r *row) others(lines []line, q *Query, g *grid) []line {
	some := func(c *cell) bool { return c != nil }
	if !slices.ContainsFunc(r.cells, some) && !slices.ContainsFunc(r.other, some) {
		return lines
	}
	return append(lines, r.line(q, g, Other))
}

// table is the rows of a report.
type table struct {
	grid *grid
	rows map[string]*row
}

func newTable(g *grid) *table { return &table{grid: g, rows: map[string]*row{}} }

func (t *table) row(key string) *row {
	r := t.rows[key]
	if r == nil {
		r = newRow(t.grid)
		t.rows[key] = r
	}
	return r
}

func (t *table) add(at time.Time, key string, c cell) {
	t.row(key).at(t.grid, at, func(to *cell) { to.add(c) })
}

func (t *table) observe(at time.Time, key string, s sample) {
	t.row(key).at(t.grid, at, func(to *cell) { to.observe(s) })
}

// top are the keys with the most events, ties by name.
func (t *table) top(n int) []string {
	keys := make([]string, 0, len(t.rows))
	for k, r := range t.rows {
		if r.count > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(t.rows[b].count, t.rows[a].count), strings.Compare(a, b))
	})
	return keys[:min(n, len(keys))]
}

// report shows the keys, and the others as one if the query asks for it. A total always has a line.
func (t *table) report(q *Query, shown []string, from Source, exact bool) Report {
	var lines []line
	if q.By == "" {
		lines = append(lines, t.row("").line(q, t.grid, ""))
	}
	for _, key := range shown {
		if key != Other || !q.Other {
			lines = append(lines, t.row(key).line(q, t.grid, key))
		}
	}
	if q.Other {
		rest := newRow(t.grid)
		for key, r := range t.rows {
			if key == Other || !slices.Contains(shown, key) {
				rest.join(r)
			}
		}
		lines = rest.others(lines, q, t.grid)
	}
	return newReport(q, t.grid, lines, from, exact)
}

func newReport(q *Query, g *grid, lines []line, from Source, exact bool) Report {
	r := Report{Query: *q, From: g.from(), To: g.to(), Points: []Point{}, Compared: []Point{}, Totals: []Total{}, Source: from, Exact: exact}
	switch q.Aggregate {
	case Unique:
		r.Approximate, r.Error = true, uniqueError
	case Quantile:
		r.Approximate, r.Error = true, quantileError
	case Count, Sum, Avg, Min, Max, Last, Rate:
	}
	for _, l := range lines {
		r.Points, r.Compared, r.Totals = append(r.Points, l.points...), append(r.Compared, l.compared...), append(r.Totals, l.total)
	}
	slices.SortFunc(r.Points, byTimeThenKey)
	slices.SortFunc(r.Compared, byTimeThenKey)
	return r
}

func byTimeThenKey(a, b Point) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}
