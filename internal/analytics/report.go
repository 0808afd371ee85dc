package analytics

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

const (
	defaultTop = 10
	maxTop     = 50
	maxAverage = 100

	maxReportRows = 500_000 // that one report may read
)

var (
	steps    = []Step{Minute, Hour, Day, Week, Month, Quarter, Year}
	fills    = []Fill{FillNone, FillZero, FillNull, FillPrevious}
	compares = []Compare{CompareNone, ComparePeriod, CompareYear}
)

// check refuses a query the metric cannot answer and gives its canonical form: equal queries have one.
//
// Errors: BAD_USER_INPUT, DIMENSION_UNKNOWN, REPORT_RANGE.
func (q Query) check(m Metric) (Query, error) {
	q.WeekStart, q.Fill, q.Compare = cmp.Or(q.WeekStart, Monday), cmp.Or(q.Fill, FillNone), cmp.Or(q.Compare, CompareNone)
	q.TimeZone = cmp.Or(q.TimeZone, "UTC")
	if err := q.checkAggregate(m); err != nil {
		return q, err
	}
	bad := func(field, why string, args ...any) (Query, error) {
		return q, fault.ErrInput.On("input."+field).Saying(why, args...)
	}
	cal, err := q.calendar()
	if err != nil {
		return q, err
	}
	switch {
	case !slices.Contains(steps, q.Step):
		return bad("step", "there is no such step")
	case !slices.Contains(fills, q.Fill):
		return bad("fill", "there is no such fill")
	case !slices.Contains(compares, q.Compare):
		return bad("compare", "there is no such time to compare with")
	case q.MovingAverage != 0 && (q.MovingAverage < 2 || q.MovingAverage > maxAverage):
		return bad("movingAverage", "a moving average is over 2 to %d buckets", maxAverage)
	case q.Cumulative && (q.MovingAverage != 0 || q.Aggregate == Rate):
		return bad("cumulative", "a cumulative report has no moving average, and no rate")
	case q.By != "" && !slices.Contains(m.Dimensions, q.By):
		return q, ErrDimension.On("input.by")
	}
	if err := checkFilters(q.Where, "input.where"); err != nil {
		return q, err
	}
	if q.Top = cmp.Or(q.Top, defaultTop); q.Top < 1 || q.Top > maxTop {
		return bad("top", "top is between 1 and %d", maxTop)
	}
	if q.By == "" {
		q.Top, q.Other = 0, false // mean nothing then
	}
	if q.Step != Week {
		q.WeekStart = Monday
	}
	return q, q.checkRange(cal)
}

func (q Query) checkAggregate(m Metric) error {
	bad := func(why string) error { return fault.ErrInput.On("input.aggregate").Saying("%s", why) }
	switch q.Aggregate {
	case Sum, Avg, Min, Max, Last:
		if m.Value == "" {
			return bad("the metric only counts events: it has no value to aggregate")
		}
	case Unique:
		if m.Unique == "" {
			return bad("the metric does not count what is unique")
		}
	case Quantile:
		if !m.Quantiles {
			return bad("the metric does not keep the distribution of a value")
		}
		if !(q.Quantile >= 0 && q.Quantile <= 1) {
			return fault.ErrInput.On("input.quantile").Saying("a quantile is between 0 and 1")
		}
	case Count, Rate:
	default:
		return bad("there is no such aggregate")
	}
	if q.Aggregate != Quantile && q.Quantile != 0 {
		return fault.ErrInput.On("input.quantile").Saying("only QUANTILE has one")
	}
	return nil
}

func (q Query) checkRange(cal calendar) error {
	if q.Last != 0 {
		if q.Last < 0 || q.Last > MaxBuckets || !q.From.IsZero() || !q.To.IsZero() {
			return ErrRange.On("input.last")
		}
		return nil
	}
	if q.From.IsZero() || q.To.IsZero() || !q.From.Before(q.To) || len(q.bounds(cal, time.Time{})) > MaxBuckets+1 {
		return ErrRange.On("input.from")
	}
	return nil
}

// plan is how a report is made.
type plan struct {
	q     Query
	m     Metric
	grid  *grid
	res   resolution  // of the rollups; empty: from the events
	whole bool        // the rollups are all there
	rows  slice       // with res
	alts  []DimFilter // any of these must hold too: what the viewer may see; only without res
	since time.Time   // events of before are not there
}

// plan finds what a checked query can be answered from: the coarsest rollups that no bucket cuts, that are kept, and that
// tell apart what the filters do; else the events.
//
// Errors: REPORT_UNAVAILABLE.
func (s *Service) plan(ctx context.Context, m Metric, q Query, alts []DimFilter, now time.Time) (plan, *time.Time, error) {
	cp, err := s.store.checkpoint(ctx)
	if err != nil {
		return plan{}, nil, err
	}
	p, err := s.planBy(ctx, cp, m, q, alts, now)
	return p, cp.Through, err
}

// planBy is plan by a checkpoint.
func (s *Service) planBy(ctx context.Context, cp checkpoint, m Metric, q Query, alts []DimFilter, now time.Time) (plan, error) {
	cal, err := q.calendar()
	if err != nil {
		return plan{}, err // it has been checked
	}
	p := plan{q: q, m: m, grid: newGrid(&q, cal, now), alts: alts}
	done, whole := cp.of(m)
	if !whole {
		done, _ = cp.entry(m.Key)
	}
	p.whole, p.since = whole, cp.eventsSince(m.Event)
	dim, keys, not, ok := q.oneDimension()
	if ok && len(keys) > 0 {
		if ok, err = s.ownRollups(ctx, m, dim, keys); err != nil {
			return plan{}, err
		}
	}
	if ok && len(alts) == 0 {
		first := p.grid.first().UnixMilli()
		for _, r := range slices.Backward(resolutions[:]) {
			if r.divides(p.grid.all()) && done.since(r) <= first {
				p.res = r
				p.rows = slice{metric: m.Key, res: r, dim: dim, keys: keys, not: not, sketch: q.Aggregate == Unique || q.Aggregate == Quantile}
				break
			}
		}
	}
	if p.res == "" && p.since.After(p.grid.first()) {
		return plan{}, ErrGone.With("since", p.since)
	}
	return p, nil
}

// oneDimension is the dimension whose rollups tell all filters and the breakdown apart, and the values to take or, with
// not, to leave out; nil for all. ok is false when there are two.
func (q Query) oneDimension() (dim string, keys []string, not, ok bool) {
	dim = q.By
	for _, f := range q.Where {
		switch {
		case dim == "":
			dim = f.Dim
		case dim != f.Dim:
			return "", nil, false, false
		}
	}
	switch len(q.Where) {
	case 0:
		return dim, nil, false, true
	case 1:
		f := q.Where[0]
		// Rollups by a dimension have no events without it, which a negated filter lets pass.
		return dim, f.In, f.Not, !f.Not || q.By == dim
	}
	return "", nil, false, false
}

// ownRollups reports whether rollups tell these values of a dimension from all others.
func (s *Service) ownRollups(ctx context.Context, m Metric, dim string, keys []string) (bool, error) {
	if !slices.Contains(m.Dimensions, dim) || slices.Contains(keys, Other) {
		return false, nil
	}
	set, err := s.store.keySet(ctx, m.Key, dim)
	if err != nil || len(set.Keys) < m.MaxKeys {
		return err == nil, err
	}
	return !slices.ContainsFunc(keys, func(k string) bool { return !slices.Contains(set.Keys, k) }), nil
}

// Report computes a report, from rollups wherever they suffice; see [Report.Source]. Cost: 2 reads, 3 with a breakdown,
// one more with filters; they read the rollups of the range, one for each of their widths and each value of the dimension, within
// the deadline of ctx. From the events: 2 reads and all events of the range.
//
// Errors: FORBIDDEN, METRIC_UNKNOWN, DIMENSION_UNKNOWN, REPORT_RANGE, REPORT_TOO_LARGE, REPORT_UNAVAILABLE, BAD_USER_INPUT.
func (s *Service) Report(ctx context.Context, q Query) (Report, error) {
	m, q, alts, err := s.ask(ctx, q)
	if err != nil {
		return Report{}, err
	}
	return s.report(ctx, m, q, alts)
}

// ask checks a query, and who asks.
func (s *Service) ask(ctx context.Context, q Query) (Metric, Query, []DimFilter, error) {
	rows, err := s.visible(ctx, q.Metric)
	if err != nil {
		return Metric{}, q, nil, err
	}
	m, err := s.metric(ctx, q.Metric)
	if err != nil {
		return Metric{}, q, nil, err
	}
	if q, err = q.check(m); err != nil {
		return Metric{}, q, nil, err
	}
	if len(rows) == 1 { // one more filter, and perhaps one that rollups know
		q.Where, rows = append(slices.Clone(q.Where), rows...), nil
	}
	return m, q, rows, nil
}

// report computes a checked query.
func (s *Service) report(ctx context.Context, m Metric, q Query, alts []DimFilter) (Report, error) {
	p, through, err := s.plan(ctx, m, q, alts, s.now()) // reads the checkpoint first: the numbers then hold at least that
	if err != nil {
		return Report{}, err
	}
	var r Report
	if p.res == "" {
		r, err = s.fromEvents(ctx, p)
	} else {
		r, err = s.fromRollups(ctx, p)
	}
	if err != nil {
		return Report{}, err
	}
	if p.res == "" {
		now := s.now()
		r.Through = &now
	} else if p.whole {
		r.Through = through
	}
	return r, nil
}

func (s *Service) fromRollups(ctx context.Context, p plan) (Report, error) {
	t := newTable(p.grid)
	var shown []string
	if p.q.By != "" {
		of := p.rows
		of.from, of.to = p.grid.from(), p.grid.to()
		var err error
		if shown, err = s.store.top(ctx, of, p.q.Top); err != nil {
			return Report{}, err
		}
		if !p.q.Other && !p.rows.not {
			p.rows.keys = shown
		}
	}
	left := maxReportRows
	for _, span := range p.grid.spans() {
		of := p.rows
		of.from, of.to = span[0], span[1]
		err := s.store.eachRollup(ctx, of, left, func(d rollupDoc) error {
			left--
			c, err := d.Cell.cell()
			if err != nil {
				return err
			}
			t.add(d.ID.At, p.q.group(d.ID.Key), c)
			return nil
		})
		if err != nil {
			return Report{}, err
		}
	}
	return t.report(&p.q, shown, p.res.source(), p.whole), nil
}

// group is the key in the report under which a value of the dimension is counted.
func (q *Query) group(key string) string {
	if q.By == "" {
		return ""
	}
	return key
}

// errBudget ends a reading of events.
var errBudget = errors.New("analytics: the budget is spent")

func (s *Service) fromEvents(ctx context.Context, p plan) (Report, error) {
	t := newTable(p.grid)
	where := slices.Concat(p.m.Where, p.q.Where)
	_, err := s.reading(ctx, func(ctx context.Context, most int) (read int, err error) {
		for _, span := range p.grid.spans() {
			err := s.store.eachEvent(ctx, p.m.Event, span[0], span[1], where, func(e Event) error {
				if read++; read > most {
					return errBudget
				}
				p.observe(t, &e)
				return nil
			})
			if err != nil && !errors.Is(err, errBudget) {
				return read, err
			}
		}
		return read, nil
	})
	if err != nil {
		return Report{}, err
	}
	return t.report(&p.q, t.top(p.q.Top), Events, true), nil
}

// observe counts an event that has passed the filters.
func (p *plan) observe(t *table, e *Event) {
	key, ok := e.Dims[p.q.By]
	if p.q.By != "" && !ok || !anyAllows(p.alts, e.Dims) {
		return
	}
	v := sample{at: e.At.UnixMilli(), spread: p.q.Aggregate == Quantile}
	if p.q.Aggregate == Unique {
		v.unique = p.m.unique(e)
	}
	v.value, v.measured = e.Values[p.m.Value]
	t.observe(e.At, key, v)
}

// anyAllows reports whether the dimensions pass one of the filters, or there is none.
func anyAllows(alts []DimFilter, dims map[string]string) bool {
	return len(alts) == 0 || slices.ContainsFunc(alts, func(f DimFilter) bool { return allHold([]DimFilter{f}, dims) })
}

// visible is what of a metric the caller may see: all of it if there is no filter, else the rows that pass one of them.
//
// Errors: FORBIDDEN.
func (s *Service) visible(ctx context.Context, metric string) ([]DimFilter, error) {
	refused := s.authz.Require(ctx, PermView, ref.New(ref.Metric, metric))
	if refused == nil {
		return nil, nil
	}
	sc, err := s.authz.Scope(ctx, PermRows, ref.Metric)
	if err != nil {
		return nil, err
	}
	rows := rowFilters(sc, metric)
	if len(rows) == 0 {
		return nil, refused
	}
	return rows, nil
}
