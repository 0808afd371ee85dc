package analytics

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// RollupChange is a committed change of one rollup, as [Service.Follower] publishes it. Its counters are absolute. A
// change that is not whole carries only those that changed: whoever applies it must know the rollup as it was before, and
// does, for changes come in the order of Rev.
type RollupChange struct {
	Metric, Dim, Key string
	At               time.Time // begin of the rollup
	Rev              int64     // grows with every change of the rollup
	Through          *time.Time

	res            resolution
	whole, removed bool
	n, c           *int64
	sum, min, max  *float64
	last           *lastDoc
	uniques        []byte // as stored: many sources read one change, and even reading a sketch changes it
	spread         []byte
}

// metricChanged tells that the rollups of a metric are to be read anew.
type metricChanged struct{}

// holds reports whether the change is of one of these rollups.
func (s slice) holds(c RollupChange) bool {
	return c.Metric == s.metric && c.res == s.res && c.Dim == s.dim && (s.keys == nil || slices.Contains(s.keys, c.Key) != s.not)
}

// series is what a live report knows of one of its keys.
type series struct {
	rows  map[rowID]*rollupRow
	count int64 // events inside the window
	line  line
	dirty bool // line is older than the rows
}

// rowID tells apart the rollups of a series: several values of the dimension may be in it.
type rowID struct {
	at  int64 // unix ms
	key string
}

type rollupRow struct {
	rev  int64
	size int
	cell cell
}

// fold puts a rollup in its place, if it tells anything new.
func (r *ReportSource) fold(c RollupChange) {
	if c.At.Before(r.grid.first()) {
		return
	}
	key := r.q.group(c.Key)
	s := r.series[key]
	if s == nil {
		s = &series{rows: map[rowID]*rollupRow{}}
	}
	id := rowID{c.At.UnixMilli(), c.Key}
	row := s.rows[id]
	switch {
	case row != nil && c.Rev <= row.rev:
		return
	case row == nil && !c.whole:
		r.stale = true // a part of a rollup that was never seen whole
		return
	case row == nil:
		row = &rollupRow{}
		s.rows[id] = row
		r.series[key] = s
	}
	next, err := c.onto(row.cell, r.of.sketch)
	if err != nil {
		r.stale = true // reading it anew tells what is wrong
		return
	}
	before := row.cell.n
	row.rev, row.cell = c.Rev, next
	r.size -= row.size
	if row.size = 1; r.of.sketch {
		row.size += (len(c.uniques) + len(c.spread)) / 100
	}
	r.size += row.size
	if !c.At.Before(r.grid.from()) && c.At.Before(r.grid.to()) {
		s.count += row.cell.n - before
	}
	s.dirty = true
	if r.through == nil || c.Through != nil && c.Through.After(*r.through) {
		r.through = c.Through
	}
}

// onto is the cell after the change.
func (c RollupChange) onto(before cell, sketches bool) (cell, error) {
	if c.whole {
		before = cell{}
	}
	set(&before.n, c.n)
	set(&before.c, c.c)
	set(&before.sum, c.sum)
	set(&before.min, c.min)
	set(&before.max, c.max)
	if c.last != nil {
		before.lastAt, before.last = c.last.At.UnixMilli(), c.last.Value
	}
	if !sketches {
		return before, nil
	}
	given, err := cellDoc{Uniques: c.uniques, Spread: c.spread}.cell()
	before.uniques, before.spread = cmp.Or(given.uniques, before.uniques), cmp.Or(given.spread, before.spread)
	return before, err
}

func set[T any](to, v *T) {
	if v != nil {
		*to = *v
	}
}

// slide drops the rollups before first and counts the events in the window. It gives how much it dropped.
func (s *series) slide(g *grid, first time.Time) (dropped int) {
	s.count, s.dirty = 0, true
	begin, from, to := first.UnixMilli(), g.from().UnixMilli(), g.to().UnixMilli()
	for id, row := range s.rows {
		switch {
		case id.at < begin:
			dropped += row.size
			delete(s.rows, id)
		case id.at >= from && id.at < to:
			s.count += row.cell.n
		}
	}
	return dropped
}

// row puts the rollups into the buckets of the report.
func (s *series) row(g *grid) *row {
	r := newRow(g)
	for id, row := range s.rows {
		r.at(g, time.UnixMilli(id.at), func(to *cell) { to.add(row.cell) })
	}
	return r
}

// assemble makes the report of what is known. Only what has changed is computed.
func (r *ReportSource) assemble() *Report {
	shown := r.rank()
	var lines []line
	if r.q.By == "" {
		shown = []string{""}
	}
	for _, key := range shown {
		s := r.series[key]
		if s == nil {
			s = &series{rows: map[rowID]*rollupRow{}, dirty: true} // a total of nothing
			r.series[key] = s
		}
		if s.dirty {
			s.line, s.dirty = s.row(r.grid).line(&r.q, r.grid, key), false
		}
		lines = append(lines, s.line)
	}
	if r.q.Other {
		rest := newRow(r.grid)
		for key, s := range r.series {
			if !slices.Contains(shown, key) {
				rest.join(s.row(r.grid))
			}
		}
		lines = rest.others(lines, &r.q, r.grid)
	}
	next := newReport(&r.q, r.grid, lines, r.of.res.source(), r.exact)
	if r.exact {
		next.Through = r.through
	}
	return &next
}

// rank finds the keys to show: those with the most events, ties by name.
func (r *ReportSource) rank() []string {
	if r.q.By == "" {
		return nil
	}
	before := func(a, b string) int {
		return cmp.Or(cmp.Compare(r.series[b].count, r.series[a].count), strings.Compare(a, b))
	}
	top := make([]string, 0, r.q.Top+1)
	for key, s := range r.series {
		if s.count == 0 || len(top) == r.q.Top && before(key, top[len(top)-1]) > 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(top, key, before)
		if top = slices.Insert(top, i, key); len(top) > r.q.Top {
			top = top[:r.q.Top]
		}
	}
	if r.q.Other {
		top = slices.DeleteFunc(top, func(key string) bool { return key == Other })
	}
	return top
}
