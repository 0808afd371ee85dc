package analytics

import (
	"context"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

const (
	defaultTop = 10
	maxTop     = 50
)

// check refuses a query the metric cannot answer and gives its canonical form.
//
// Errors: BAD_USER_INPUT, DIMENSION_UNKNOWN, REPORT_RANGE.
func (q Query) check(m Metric) (Query, error) {
	switch q.Aggregate {
	case Count:
	case Sum, Avg, Min, Max:
		if m.Value == "" {
			return q, fault.ErrInput.On("input.aggregate").Saying("the metric only counts events: it has no value to aggregate")
		}
	default:
		return q, fault.ErrInput.On("input.aggregate").Saying("there is no such aggregate")
	}
	if q.Step != Minute && q.Step != Hour && q.Step != Day {
		return q, fault.ErrInput.On("input.step").Saying("there is no such step")
	}
	if q.By != "" && !slices.Contains(m.Dimensions, q.By) {
		return q, ErrDimension.On("input.by")
	}
	if q.Top == 0 {
		q.Top = defaultTop
	}
	if q.Top < 1 || q.Top > maxTop {
		return q, fault.ErrInput.On("input.top").Saying("top is between 1 and %d", maxTop)
	}
	if q.By == "" {
		q.Top = 0 // means nothing then: equal queries have one form
	}
	if q.Last != 0 {
		if q.Last < 0 || q.Last > MaxBuckets || !q.From.IsZero() || !q.To.IsZero() {
			return q, ErrRange.On("input.last")
		}
		return q, nil
	}
	from, to := q.window(time.Time{})
	if q.From.IsZero() || q.To.IsZero() || !q.From.Before(q.To) || to.Sub(from) > MaxBuckets*q.Step.Duration() {
		return q, ErrRange.On("input.from")
	}
	return q, nil
}

// window is the range of whole buckets the query covers: those of Last end with the one that now is in.
func (q Query) window(now time.Time) (from, to time.Time) {
	d := q.Step.Duration() // hours and days of UTC: Truncate counts from a midnight
	if q.Last > 0 {
		to = now.UTC().Truncate(d).Add(d)
		return to.Add(-time.Duration(q.Last) * d), to
	}
	from, to = q.From.UTC().Truncate(d), q.To.UTC().Truncate(d)
	if to.Before(q.To) {
		to = to.Add(d)
	}
	return from, to
}

// Report computes a report from the rollups by the minute. Cost: 2 reads, 3 with a breakdown; each reads the rollups
// of the range, one for each minute and value of the dimension, within the deadline of ctx.
//
// Errors: FORBIDDEN, METRIC_UNKNOWN, DIMENSION_UNKNOWN, REPORT_RANGE, BAD_USER_INPUT.
func (s *Service) Report(ctx context.Context, q Query) (Report, error) {
	if err := s.authz.Require(ctx, PermView, ref.New(ref.Metric, q.Metric)); err != nil {
		return Report{}, err
	}
	m, err := s.metric(ctx, q.Metric)
	if err != nil {
		return Report{}, err
	}
	if q, err = q.check(m); err != nil {
		return Report{}, err
	}
	r := Report{Query: q, Source: Rollup1m}
	r.From, r.To = q.window(s.now())
	if r.Exact, r.Through, err = s.folded(ctx, m); err != nil { // first: the numbers then hold at least that
		return Report{}, err
	}
	var keys []string
	if q.By != "" {
		if keys, err = s.store.top(ctx, q, r.From, r.To); err != nil {
			return Report{}, err
		}
	}
	if r.Points, err = s.store.cells(ctx, q, r.From, r.To, keys); err != nil {
		return Report{}, err
	}
	return r, nil
}

// folded tells whether the rollups of a metric are whole, and up to when.
func (s *Service) folded(ctx context.Context, m Metric) (whole bool, through *time.Time, err error) {
	cp, err := s.store.checkpoint(ctx)
	if err != nil {
		return false, nil, err
	}
	if _, ok := cp.of(m); !ok {
		return false, nil, nil
	}
	return true, cp.Through, nil
}
