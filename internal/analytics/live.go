package analytics

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

// MaxLiveRows bounds a live report: it keeps its rollups in memory, about 100 bytes each and 100 more for each 100 bytes of
// a sketch, so a source stays below some 10 MB. A day by the minute broken down into 50 values has at most 72,000.
const MaxLiveRows = 100_000

// topicTick is the topic on which live publishes the time once a second.
const topicTick = "tick"

func topicRollups(of slice) string {
	return "analytics.rollups:" + of.metric + ":" + string(of.res) + ":" + of.dim
}

// topicMetric is where it is told that the rollups of a metric are whole again, or its definition is another.
func topicMetric(metric string) string { return "analytics.metric:" + metric }

// ReportChannel opens a report to be followed live: what names it, what its source listens to, how the source is made,
// and whether the caller may go on following. The query must be by Last. All who may see the same share one source.
//
// Errors: FORBIDDEN, METRIC_UNKNOWN, DIMENSION_UNKNOWN, REPORT_RANGE, REPORT_UNAVAILABLE, BAD_USER_INPUT. The source's Load:
// the same, and REPORT_TOO_LARGE.
func (s *Service) ReportChannel(ctx context.Context, q Query) (
	key string, topics []string, newSource func() *ReportSource, allowed func(ctx context.Context) error, err error,
) {
	seen, err := s.visible(ctx, q.Metric)
	if err != nil {
		return "", nil, nil, nil, err
	}
	m, asked, alts, err := s.ask(ctx, q)
	if err != nil {
		return "", nil, nil, nil, err
	}
	if asked.Last == 0 {
		return "", nil, nil, nil, ErrRange.On("input.last").Saying("a live report is given by last")
	}
	cp, err := s.recent.checkpoint(ctx)
	if err != nil {
		return "", nil, nil, nil, err
	}
	p, err := s.planBy(ctx, cp, m, asked, alts, s.now())
	if err != nil {
		return "", nil, nil, nil, err
	}
	form, err := json.Marshal([]any{p.res, asked, alts}) // equal ones have one form: the query is checked
	if err != nil {
		return "", nil, nil, nil, err
	}
	key = "report:" + string(form)
	topics = []string{topicMetric(q.Metric), topicTick}
	if p.res == "" {
		topics = append(topics, topicFolded)
	} else {
		topics = append(topics, topicRollups(p.rows))
	}
	newSource = func() *ReportSource {
		return &ReportSource{q: asked, of: p.rows, now: s.now, read: func(ctx context.Context) (loaded, error) {
			return s.readLive(ctx, asked, alts, p.res)
		}}
	}
	allowed = func(ctx context.Context) error {
		now, err := s.visible(ctx, q.Metric)
		if err == nil && !slices.EqualFunc(now, seen, DimFilter.equal) {
			err = fault.ErrForbidden // other rows than those shown: who asks anew gets them
		}
		return err
	}
	return key, topics, newSource, allowed, nil
}

// loaded is what a live report begins with.
type loaded struct {
	grid    *grid
	exact   bool
	through *time.Time
	rows    []RollupChange
	report  *Report // in the place of rows, if it is made of the events
}

// readLive reads all that the report needs, and the rollups ahead of now: the window will come to them.
func (s *Service) readLive(ctx context.Context, q Query, alts []DimFilter, res resolution) (loaded, error) {
	m, err := s.metric(ctx, q.Metric)
	if err != nil {
		return loaded{}, err
	}
	if _, err := q.check(m); err != nil { // the metric may have lost the dimension since
		return loaded{}, err
	}
	p, through, err := s.plan(ctx, m, q, alts, s.now())
	switch {
	case err != nil:
		return loaded{}, err
	case p.res != res:
		return loaded{}, ErrGone.Saying("what this report is made of has changed: open it anew")
	}
	l := loaded{grid: p.grid, exact: p.whole, through: through}
	if p.res == "" {
		begin := s.now()
		report, err := s.fromEvents(ctx, p)
		report.Through = &begin
		l.report = &report
		return l, err
	}
	for _, span := range p.grid.spans() {
		of := p.rows
		if of.from, of.to = span[0], span[1]; of.to.Equal(p.grid.to()) {
			of.to = time.Time{}
		}
		err := s.store.eachRollup(ctx, of, MaxLiveRows-len(l.rows), func(d rollupDoc) error {
			l.rows = append(l.rows, d.change())
			return nil
		})
		if err != nil {
			return loaded{}, err
		}
	}
	return l, nil
}

// ReportSource computes a live report. It satisfies live.Source, live.Staler and live.Flusher, and live.Refresher for a
// report that no rollups answer. It belongs to the goroutine that calls it. Create it with [Service.ReportChannel].
type ReportSource struct {
	q    Query
	of   slice // the rollups it is made of; without a resolution it is made of the events
	now  clock.Clock
	read func(ctx context.Context) (loaded, error)

	grid    *grid
	series  map[string]*series // by key of the report
	size    int                // see MaxLiveRows
	through *time.Time         // shared with what was sent: replaced, never changed
	exact   bool
	told    *Report // what followers have; never changed
	stale   bool
	ticked  bool // since it was told

	reread reread // of what is read from the events
}

// Load reads the state as of now. Cost: 2 reads; from the events all of those in its range.
func (r *ReportSource) Load(ctx context.Context) error {
	r.reread.begin(r.now())
	l, err := r.read(ctx)
	r.reread.end(r.now(), err)
	if err != nil {
		return err
	}
	r.grid, r.exact, r.through, r.stale, r.ticked = l.grid, l.exact, l.through, false, false
	if r.told = l.report; r.told != nil {
		return nil
	}
	r.series, r.size = map[string]*series{}, 0
	for _, row := range l.rows {
		r.fold(row)
	}
	if err := r.tooLarge(); err != nil {
		return err
	}
	r.told = r.assemble()
	return nil
}

func (r *ReportSource) tooLarge() error {
	if r.size > MaxLiveRows {
		return ErrTooLarge.With("limit", MaxLiveRows)
	}
	return nil
}

// Stale reports that the state no longer suffices: a rollup was removed, the metric changed, or there is too much of it.
func (r *ReportSource) Stale() bool { return r.stale }

// Apply folds a [RollupChange], the time of a tick or the news that the metric changed. What it did is told by Flush.
func (r *ReportSource) Apply(change any) any {
	switch c := change.(type) {
	case time.Time:
		r.ticked = true
		r.reread.behind = r.reread.behind || !r.now().Before(r.grid.to())
	case folderMoved:
		r.reread.behind = true
	case metricChanged:
		r.stale = true
	case RollupChange:
		switch {
		case r.of.res == "" || !r.of.holds(c):
		case c.removed: // rare: when old ones are let go, and after a change of the definition
			r.stale = r.stale || !c.At.Before(r.grid.first())
		default:
			r.fold(c)
			r.stale = r.stale || r.tooLarge() != nil
		}
	}
	return nil
}

// Flush gives the *[ReportDelta] of what was applied since, or nil when there is nothing to tell. What is made of sketches
// is told once a second: an estimate costs more than a counter.
func (r *ReportSource) Flush() any {
	if r.stale || r.of.res == "" || r.of.sketch && !r.ticked {
		return nil
	}
	r.ticked = false
	if now := r.now(); !now.Before(r.grid.to()) {
		if r.slide(now); r.stale {
			return nil
		}
	}
	return r.tell(r.assemble())
}

// slide moves the window up to now. It never moves back.
func (r *ReportSource) slide(now time.Time) {
	r.grid = newGrid(&r.q, r.grid.cal, now)
	if r.grid.apart {
		r.stale = true // a bucket of a year ago has come in, which is not in memory
		return
	}
	first := r.grid.first()
	for key, s := range r.series {
		r.size -= s.slide(r.grid, first)
		if len(s.rows) == 0 {
			delete(r.series, key)
		}
	}
}

// tell gives the difference to what was told before.
func (r *ReportSource) tell(next *Report) any {
	before := r.told
	r.told = next
	if d := difference(before, next); d != nil {
		return d
	}
	return nil
}

// Merge gives one *[ReportDelta] with the effect of two.
func (r *ReportSource) Merge(older, newer any) any {
	a, okA := older.(*ReportDelta)
	b, okB := newer.(*ReportDelta)
	if !okA || !okB {
		return newer // cannot be: the hub gives what Flush and Refresh gave
	}
	m := *b
	m.Points, m.Compared = b.over(a.Points, b.Points), b.over(a.Compared, b.Compared)
	m.Dropped = slices.Compact(slices.Sorted(slices.Values(slices.Concat(a.Dropped, b.Dropped))))
	if m.Totals == nil {
		m.Totals = a.Totals
	}
	return &m
}

// over gives the points before that the delta leaves, with the new ones in their places.
func (d *ReportDelta) over(before, news []Point) []Point {
	all := make([]Point, 0, len(before)+len(news))
	for _, p := range before {
		_, again := slices.BinarySearchFunc(news, p, byTimeThenKey)
		if !again && !p.At.Before(d.From) && !slices.Contains(d.Dropped, p.Key) {
			all = append(all, p)
		}
	}
	all = append(all, news...)
	slices.SortFunc(all, byTimeThenKey)
	return all
}

// Snapshot is the whole report, as a *[Report].
func (r *ReportSource) Snapshot() any { return r.told }

// Due reports whether the events are to be read again.
func (r *ReportSource) Due() bool { return r.of.res == "" && r.reread.due(r.now()) }

// Refresh reads the events again and gives the *[ReportDelta].
func (r *ReportSource) Refresh(ctx context.Context) (any, error) {
	before := r.told
	if err := r.Load(ctx); err != nil {
		return nil, err
	}
	if d := difference(before, r.told); d != nil {
		return d, nil
	}
	return nil, nil //nolint:nilnil // there is nothing to tell
}

// difference is what makes the older report the newer one; nil if only Through differs.
func difference(older, newer *Report) *ReportDelta {
	d := &ReportDelta{From: newer.From, To: newer.To, Through: newer.Through}
	drop := map[string]struct{}{}
	for _, t := range older.Totals {
		if !slices.ContainsFunc(newer.Totals, func(o Total) bool { return o.Key == t.Key }) {
			drop[t.Key] = struct{}{}
		}
	}
	vanished(older.Points, newer.Points, newer.From, drop)
	vanished(older.Compared, newer.Compared, newer.From, drop)
	d.Points, d.Compared = changed(older.Points, newer.Points, drop), changed(older.Compared, newer.Compared, drop)
	d.Dropped = slices.Sorted(maps.Keys(drop))
	if !slices.EqualFunc(older.Totals, newer.Totals, Total.equal) {
		d.Totals = newer.Totals
	}
	if older.To.Equal(newer.To) && len(d.Points) == 0 && len(d.Compared) == 0 && len(d.Dropped) == 0 && d.Totals == nil {
		return nil
	}
	return d
}

// vanished adds the keys that have lost a point: one that was filled in from a bucket that has slid out.
func vanished(older, newer []Point, from time.Time, keys map[string]struct{}) {
	for _, p := range older {
		for len(newer) > 0 && byTimeThenKey(newer[0], p) < 0 {
			newer = newer[1:]
		}
		if !p.At.Before(from) && (len(newer) == 0 || byTimeThenKey(newer[0], p) != 0) {
			keys[p.Key] = struct{}{}
		}
	}
}

// changed are the newer points that are not among the older, and all of the keys that are told anew. Both are by time,
// then by key.
func changed(older, newer []Point, anew map[string]struct{}) []Point {
	points := []Point{}
	for _, p := range newer {
		for len(older) > 0 && byTimeThenKey(older[0], p) < 0 {
			older = older[1:]
		}
		if _, all := anew[p.Key]; all || len(older) == 0 || !older[0].equal(p) {
			points = append(points, p)
		}
	}
	return points
}

func (p Point) equal(o Point) bool {
	return p.At.Equal(o.At) && p.Key == o.Key && p.Count == o.Count && sameValue(p.Value, o.Value)
}

func (t Total) equal(o Total) bool {
	return t.Key == o.Key && t.Count == o.Count && sameValue(t.Value, o.Value) && sameValue(t.Compared, o.Compared)
}

func sameValue(a, b *float64) bool { return a == b || a != nil && b != nil && *a == *b }
