package analytics

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/ref"
)

// Bounds of a live report: it keeps its rollups by the minute in memory, about 100 bytes each, so a source stays below
// some 10 MB. A day by the hour broken down into 50 values has at most 72,000.
const (
	MaxLiveRows = 100_000
	MaxLiveKeys = 10_000 // values of the dimension, shown or not
)

// topicTick is the topic on which live publishes the time once a second.
const topicTick = "tick"

func topicRollups(metric, dim string) string { return "analytics.rollups:" + metric + ":" + dim }

// topicMetric is where it is told that the rollups of a metric are whole again, or its definition is another.
func topicMetric(metric string) string { return "analytics.metric:" + metric }

// ReportChannel opens a report to be followed live: what names it, what its source listens to, how the source is made,
// and whether the caller may go on following. The query must be by Last. All who may see reports share one source.
//
// Errors: FORBIDDEN, METRIC_UNKNOWN, DIMENSION_UNKNOWN, REPORT_RANGE, BAD_USER_INPUT. The source's Load: the same, and
// REPORT_TOO_LARGE.
func (s *Service) ReportChannel(ctx context.Context, q Query) (
	key string, topics []string, newSource func() *ReportSource, allowed func(ctx context.Context) error, err error,
) {
	allowed = func(ctx context.Context) error {
		return s.authz.Require(ctx, PermView, ref.New(ref.Metric, q.Metric))
	}
	if err := allowed(ctx); err != nil {
		return "", nil, nil, nil, err
	}
	m, err := s.metric(ctx, q.Metric)
	if err != nil {
		return "", nil, nil, nil, err
	}
	if q.Last == 0 {
		return "", nil, nil, nil, ErrRange.On("input.last").Saying("a live report is given by last")
	}
	if q, err = q.check(m); err != nil {
		return "", nil, nil, nil, err
	}
	key = fmt.Sprintf("report:%s:%s:%s:%d:%s:%d", q.Metric, q.Aggregate, q.Step, q.Last, q.By, q.Top)
	topics = []string{topicRollups(q.Metric, q.By), topicMetric(q.Metric), topicTick}
	newSource = func() *ReportSource { return &ReportSource{q: q, now: s.now, read: s.readLive} }
	return key, topics, newSource, allowed, nil
}

// loaded is what a live report begins with.
type loaded struct {
	rows    []RollupChange
	exact   bool
	through *time.Time
}

// readLive reads all rollups from a time on, also those ahead of now: the window will come to them.
func (s *Service) readLive(ctx context.Context, q Query, from time.Time) (loaded, error) {
	m, err := s.metric(ctx, q.Metric)
	if err != nil {
		return loaded{}, err
	}
	if _, err := q.check(m); err != nil { // the metric may have lost the dimension since
		return loaded{}, err
	}
	var l loaded
	if l.exact, l.through, err = s.folded(ctx, m); err != nil {
		return loaded{}, err
	}
	docs, err := s.store.minutes(ctx, q.Metric, q.By, from, MaxLiveRows+1)
	if err != nil {
		return loaded{}, err
	}
	if len(docs) > MaxLiveRows {
		return loaded{}, ErrTooLarge
	}
	l.rows = make([]RollupChange, len(docs))
	for i, d := range docs {
		l.rows[i] = d.change()
	}
	return l, nil
}

// ReportSource computes a live report. It satisfies live.Source, live.Staler and live.Merger, and belongs to the
// goroutine that calls it. Create it with [Service.ReportChannel].
type ReportSource struct {
	q    Query
	now  clock.Clock
	read func(ctx context.Context, q Query, from time.Time) (loaded, error)

	from, to time.Time
	series   map[string]*series  // by value of the dimension; "" for the total
	rows     int                 // minutes in all series
	shown    map[string]struct{} // keys among the top; the total is always shown
	through  *time.Time          // shared with what was sent: replaced, never changed
	exact    bool
	stale    bool
}

// Load reads the state as of now. Cost: 2 reads.
func (r *ReportSource) Load(ctx context.Context) error {
	from, to := r.q.window(r.now())
	l, err := r.read(ctx, r.q, from)
	if err != nil {
		return err
	}
	r.from, r.to, r.exact, r.through, r.stale = from, to, l.exact, l.through, false
	r.series, r.rows, r.shown = map[string]*series{}, 0, map[string]struct{}{}
	for _, row := range l.rows {
		r.fold(row)
	}
	if r.tooLarge() {
		return ErrTooLarge
	}
	r.rank()
	return nil
}

// Stale reports that the state no longer suffices: a rollup was removed, the metric changed, or there is too much of it.
func (r *ReportSource) Stale() bool { return r.stale }

func (r *ReportSource) tooLarge() bool { return r.rows > MaxLiveRows || len(r.series) > MaxLiveKeys }

// Apply folds a [RollupChange], the time of a tick or the news that the metric changed, and gives the *[ReportDelta], or
// nil when there is nothing to tell.
func (r *ReportSource) Apply(change any) any {
	switch c := change.(type) {
	case time.Time:
		return r.tell(r.slide(c), nil)
	case RollupChange:
		if c.Metric != r.q.Metric || c.Dim != r.q.By {
			return nil
		}
		if c.removed {
			r.stale = true // rare: only after a change of the definition, or of the stored events
			return nil
		}
		known := r.to
		r.slide(r.now()) // a change may come before the tick that makes room for it
		b := r.fold(c)
		r.stale = r.stale || r.tooLarge()
		return r.tell(known, b)
	case metricChanged:
		r.stale = true
	}
	return nil
}

// slide moves the window up to now and gives where it ended before. It never moves back.
func (r *ReportSource) slide(now time.Time) (known time.Time) {
	known = r.to
	from, to := r.q.window(now)
	if !to.After(r.to) {
		return known
	}
	r.from, r.to = from, to
	for key, s := range r.series {
		r.rows -= s.slide(from.UnixMilli(), to.UnixMilli())
		if len(s.buckets) == 0 {
			delete(r.series, key)
		}
	}
	return known
}

// touched is the bucket a change fell into.
type touched struct {
	key string
	at  int64 // begin of the bucket, unix ms
	was int64 // events the key had in the window
}

// fold puts a rollup in its place and gives the bucket it changed, or nil when it told nothing new.
func (r *ReportSource) fold(c RollupChange) *touched {
	if c.At.Before(r.from) {
		return nil
	}
	s := r.series[c.Key]
	if s == nil {
		s = &series{buckets: map[int64]*bucket{}}
	}
	b := &touched{key: c.Key, at: c.At.Truncate(r.q.Step.Duration()).UnixMilli(), was: s.count}
	switch s.put(b.at, b.at < r.to.UnixMilli(), c) {
	case putOld:
		return nil
	case putUnknown:
		r.stale = true
		return nil
	case putNew:
		r.series[c.Key] = s
		r.rows++
	case putChanged:
	}
	if r.through == nil || c.Through != nil && c.Through.After(*r.through) {
		r.through = c.Through
	}
	return b
}

// tell makes the delta of what changed since the window ended at known: the bucket b, if any, and what slid in and out.
func (r *ReportSource) tell(known time.Time, b *touched) any {
	moved := !known.Equal(r.to)
	var entered, dropped []string
	if b != nil && b.at >= r.to.UnixMilli() {
		b = nil // ahead of the window: shown when it comes there
	}
	switch {
	case r.q.By == "":
	case moved || b != nil && r.series[b.key].count < b.was:
		entered, dropped = r.rank()
	case b != nil:
		entered, dropped = r.rise(b.key)
	}
	var points []Point
	for _, key := range entered {
		points = r.points(points, key, r.from, r.to)
	}
	if moved {
		for key := range r.series {
			if r.isShown(key) && !slices.Contains(entered, key) {
				points = r.points(points, key, known, r.to)
			}
		}
	}
	if b != nil && r.isShown(b.key) && !slices.Contains(entered, b.key) && (!moved || b.at < known.UnixMilli()) {
		points = append(points, r.series[b.key].point(b.at, b.key, r.q.Aggregate))
	}
	if !moved && len(points) == 0 && len(dropped) == 0 {
		return nil
	}
	slices.SortFunc(points, byTimeThenKey)
	slices.Sort(dropped)
	return &ReportDelta{From: r.from, To: r.to, Points: points, Dropped: dropped, Through: r.told()}
}

// told is Through as followers are told it.
func (r *ReportSource) told() *time.Time {
	if !r.exact {
		return nil
	}
	return r.through
}

// points appends the points of a series in a range.
func (r *ReportSource) points(to []Point, key string, from, until time.Time) []Point {
	s, first, last := r.series[key], from.UnixMilli(), until.UnixMilli()
	for at := range s.buckets {
		if at >= first && at < last {
			to = append(to, s.point(at, key, r.q.Aggregate))
		}
	}
	return to
}

func byTimeThenKey(a, b Point) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}

// Snapshot is the whole report, as a *[Report].
func (r *ReportSource) Snapshot() any {
	points := []Point{}
	for key := range r.series {
		if r.isShown(key) {
			points = r.points(points, key, r.from, r.to)
		}
	}
	slices.SortFunc(points, byTimeThenKey)
	return &Report{Query: r.q, From: r.from, To: r.to, Points: points, Source: Rollup1m, Exact: r.exact, Through: r.told()}
}

// Merge is one delta with the effect of two.
func (r *ReportSource) Merge(older, newer any) any {
	a, okA := older.(*ReportDelta)
	b, okB := newer.(*ReportDelta)
	if !okA || !okB {
		return newer // cannot be: the hub gives what Apply gave
	}
	type place struct {
		at  int64
		key string
	}
	replaced := make(map[place]struct{}, len(b.Points))
	for _, p := range b.Points {
		replaced[place{p.At.UnixMilli(), p.Key}] = struct{}{}
	}
	m := &ReportDelta{From: b.From, To: b.To, Points: slices.Clone(b.Points), Dropped: slices.Clone(b.Dropped), Through: b.Through}
	for _, p := range a.Points {
		_, again := replaced[place{p.At.UnixMilli(), p.Key}]
		if !again && !p.At.Before(b.From) && !slices.Contains(b.Dropped, p.Key) {
			m.Points = append(m.Points, p)
		}
	}
	for _, key := range a.Dropped { // also one that came back: its points of before are to be forgotten all the same
		if !slices.Contains(m.Dropped, key) {
			m.Dropped = append(m.Dropped, key)
		}
	}
	slices.SortFunc(m.Points, byTimeThenKey)
	slices.Sort(m.Dropped)
	return m
}
