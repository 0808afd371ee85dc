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
	At               time.Time // begin of the minute
	Rev              int64     // grows with every change of the rollup
	Through          *time.Time

	whole, removed bool
	n, c           *int64
	sum, min, max  *float64
}

// metricChanged tells that the rollups of a metric are to be read anew.
type metricChanged struct{}

// series is what a live report knows of one value of the dimension.
type series struct {
	buckets map[int64]*bucket // by begin, unix ms; those ahead of the window too
	count   int64             // events inside the window
}

// bucket is one bucket and the minutes in it. Its cell is always added up from the minutes, so it does not drift.
type bucket struct {
	cell    cell
	minutes []minute // by time
}

type minute struct {
	at   int64 // unix ms
	rev  int64
	cell cell
}

// put outcomes.
type put int

const (
	putOld     put = iota // known already
	putUnknown            // a part of a rollup that was never seen whole
	putNew                // another minute
	putChanged
)

// put takes a change of a minute in the bucket that begins at at; inside tells whether the window holds that bucket.
func (s *series) put(at int64, inside bool, c RollupChange) put {
	b := s.buckets[at]
	if b == nil {
		b = &bucket{}
	}
	t := c.At.UnixMilli()
	i, found := slices.BinarySearchFunc(b.minutes, t, func(m minute, t int64) int { return cmp.Compare(m.at, t) })
	outcome := putChanged
	switch {
	case found && c.Rev <= b.minutes[i].rev:
		return putOld
	case !found && !c.whole:
		return putUnknown
	case !found:
		outcome = putNew
		b.minutes = slices.Insert(b.minutes, i, minute{at: t})
		s.buckets[at] = b
	}
	b.minutes[i].rev = c.Rev
	b.minutes[i].cell = c.onto(b.minutes[i].cell)
	before := b.cell.n
	b.cell = cell{}
	for _, m := range b.minutes {
		b.cell.add(m.cell)
	}
	if inside {
		s.count += b.cell.n - before
	}
	return outcome
}

// onto is the cell after the change.
func (c RollupChange) onto(before cell) cell {
	if c.whole {
		before = cell{}
	}
	set(&before.n, c.n)
	set(&before.c, c.c)
	set(&before.sum, c.sum)
	set(&before.min, c.min)
	set(&before.max, c.max)
	return before
}

func set[T any](to, v *T) {
	if v != nil {
		*to = *v
	}
}

// slide drops the buckets before from and counts the events up to to. It gives how many minutes were dropped.
func (s *series) slide(from, to int64) (dropped int) {
	s.count = 0
	for at, b := range s.buckets {
		switch {
		case at < from:
			dropped += len(b.minutes)
			delete(s.buckets, at)
		case at < to:
			s.count += b.cell.n
		}
	}
	return dropped
}

func (s *series) point(at int64, key string, agg Aggregate) Point {
	return s.buckets[at].cell.point(time.UnixMilli(at).UTC(), key, agg)
}

// isShown reports whether the points of a key are in the report.
func (r *ReportSource) isShown(key string) bool {
	if r.q.By == "" {
		return true
	}
	_, ok := r.shown[key]
	return ok
}

// before is the order of keys: those with more events first, then by name.
func (r *ReportSource) before(a, b string) int {
	return cmp.Or(cmp.Compare(r.series[b].count, r.series[a].count), strings.Compare(a, b))
}

// rank finds the top anew among all keys.
func (r *ReportSource) rank() (entered, dropped []string) {
	if r.q.By == "" {
		return nil, nil
	}
	top := make([]string, 0, r.q.Top+1)
	for key, s := range r.series {
		if s.count == 0 || len(top) == r.q.Top && r.before(key, top[len(top)-1]) > 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(top, key, r.before)
		if top = slices.Insert(top, i, key); len(top) > r.q.Top {
			top = top[:r.q.Top]
		}
	}
	old := r.shown
	r.shown = make(map[string]struct{}, len(top))
	for _, key := range top {
		r.shown[key] = struct{}{}
		if _, ok := old[key]; !ok {
			entered = append(entered, key)
		}
	}
	for key := range old {
		if _, ok := r.shown[key]; !ok {
			dropped = append(dropped, key)
		}
	}
	return entered, dropped
}

// rise lets a key into the top if it has come to belong there. No other key has changed, and this one has not lost events.
func (r *ReportSource) rise(key string) (entered, dropped []string) {
	if _, ok := r.shown[key]; ok || r.series[key].count == 0 {
		return nil, nil
	}
	if len(r.shown) == r.q.Top {
		worst, first := "", true
		for k := range r.shown {
			if first || r.before(k, worst) > 0 {
				worst, first = k, false
			}
		}
		if r.before(key, worst) > 0 {
			return nil, nil
		}
		delete(r.shown, worst)
		dropped = []string{worst}
	}
	r.shown[key] = struct{}{}
	return []string{key}, dropped
}
