package analytics

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
)

// Behind is an actor, or a session, behind a number.
type Behind struct {
	ID          string
	First, Last time.Time // of the events that put it there
	Events      int64     // how many they are
}

// BehindQuery names a number: exactly one of the fields is given.
type BehindQuery struct {
	Point     *BehindPoint
	Funnel    *BehindFunnel
	Retention *BehindRetention
}

// BehindPoint is a number of a report: the events of a metric in a bucket.
type BehindPoint struct {
	Metric   string
	From, To time.Time // of the bucket
	By, Key  string    // dimension and its value; empty for the total
}

// BehindFunnel is who came to a step of a funnel or, with Dropped, came there and no further.
type BehindFunnel struct {
	Funnel  FunnelQuery
	Step    int // from 1
	Dropped bool
	Key     *string // only of this group; nil for all
}

// BehindRetention is who is in a cohort and came back so many periods later; without a Period all of the cohort.
type BehindRetention struct {
	Retention RetentionQuery
	Cohort    time.Time // its begin
	Period    *int
}

// Behind lists the actors behind a number, or the sessions of a funnel by session, by their ids. Cost: as
// the question the number answers, which is asked again with each page.
//
// Errors: FORBIDDEN, METRIC_UNKNOWN, DIMENSION_UNKNOWN, BAD_USER_INPUT, REPORT_RANGE, REPORT_TOO_LARGE, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Behind(ctx context.Context, q BehindQuery, args page.Args) (page.Page[Behind], error) {
	var none page.Page[Behind]
	if err := s.mayRead(ctx); err != nil {
		return none, err
	}
	w, err := args.Check(1)
	if err != nil {
		return none, err
	}
	l := &listing{most: w.Size + 1, backward: w.Backward}
	if w.After != nil {
		l.after, _ = w.After[0].(string)
	}
	if w.Before != nil {
		l.before, _ = w.Before[0].(string)
	}
	switch {
	case q.Point != nil && q.Funnel == nil && q.Retention == nil:
		err = s.behindPoint(ctx, *q.Point, l)
	case q.Funnel != nil && q.Point == nil && q.Retention == nil:
		err = s.behindFunnel(ctx, *q.Funnel, l)
	case q.Retention != nil && q.Point == nil && q.Funnel == nil:
		err = s.behindRetention(ctx, *q.Retention, l)
	default:
		err = fault.ErrInput.On("input").Saying("exactly one number is named")
	}
	if err != nil {
		return none, err
	}
	if w.Backward {
		slices.Reverse(l.found)
	}
	return page.Fold(w, l.found, func(b Behind) page.Cursor { return page.Cursor{b.ID} }), nil
}

// listing collects a page of those after and before a place, in the order of their ids; backward the last of them.
type listing struct {
	after, before string // empty for none
	backward      bool
	most          int
	found         []Behind
}

func (l *listing) add(id string, first, last, events int64) (more bool) {
	if l.before != "" && id >= l.before {
		return false
	}
	if l.backward && len(l.found) == l.most {
		l.found = slices.Delete(l.found, 0, 1)
	}
	l.found = append(l.found, Behind{ID: id, First: time.UnixMilli(first).UTC(), Last: time.UnixMilli(last).UTC(), Events: events})
	return l.backward || len(l.found) < l.most
}

func (s *Service) behindPoint(ctx context.Context, p BehindPoint, l *listing) error {
	if err := s.authz.Require(ctx, PermView, ref.New(ref.Metric, p.Metric)); err != nil {
		return err
	}
	m, err := s.metric(ctx, p.Metric)
	if err != nil {
		return within("input.point", err)
	}
	if !p.From.Before(p.To) {
		return ErrRange.On("input.point.from").Saying("from is before to")
	}
	b := Selector{Event: m.Event, Where: m.Where}.in(p.From, p.To)
	if p.By != "" {
		if !slices.Contains(m.Dimensions, p.By) {
			return ErrDimension.On("input.point.by")
		}
		b.where = []DimFilter{{Dim: p.By, In: []string{p.Key}}}
	}
	var of string
	var first, last, events int64
	_, err = s.journey(ctx, reading{unit: ByActor, after: l.after, any: []branch{b}}, func(m moment) bool {
		if m.unit != of {
			if events > 0 && !l.add(of, first, last, events) {
				events = 0
				return false
			}
			of, first, events = m.unit, m.at, 0
		}
		last, events = m.at, events+1
		return true
	})
	if err == nil && events > 0 {
		l.add(of, first, last, events)
	}
	return err
}

func (s *Service) behindFunnel(ctx context.Context, b BehindFunnel, l *listing) error {
	q, err := b.Funnel.check()
	if err != nil {
		return within("input.funnel.funnel", err)
	}
	if b.Step < 1 || b.Step > len(q.Steps) {
		return fault.ErrInput.On("input.funnel.step").Saying("the funnel has the steps 1 to %d", len(q.Steps))
	}
	if b.Key != nil && (q.By == "" || *b.Key == KeyOther) {
		return fault.ErrInput.On("input.funnel.key").Saying("a key names one group of a funnel that is broken down")
	}
	_, err = s.eachAttempt(ctx, q, l.after, func(unit string, a attempt) bool {
		done := len(a.at)
		if done < b.Step || b.Dropped && (done > b.Step || done == len(q.Steps)) || b.Key != nil && a.key != *b.Key {
			return true
		}
		return l.add(unit, a.at[0], a.at[done-1], int64(done))
	})
	return err
}

func (s *Service) behindRetention(ctx context.Context, b BehindRetention, l *listing) error {
	q, err := b.Retention.check()
	if err != nil {
		return within("input.retention.retention", err)
	}
	if b.Period != nil && (*b.Period < 0 || *b.Period > q.Periods) {
		return fault.ErrInput.On("input.retention.period").Saying("the retention has the periods 0 to %d", q.Periods)
	}
	now := s.now()
	cohorts, begins := q.periods(now)
	cohort := slices.IndexFunc(begins[:cohorts], b.Cohort.Equal)
	if cohort < 0 {
		return fault.ErrInput.On("input.retention.cohort").Saying("no cohort of the retention begins then")
	}
	_, err = s.eachReturner(ctx, q, now, l.after, func(r *returner) bool {
		if !r.started[cohort] || b.Period != nil && !r.cameBack(cohort, *b.Period) {
			return true
		}
		return l.add(r.actor, r.first, r.last, r.events)
	})
	return err
}

// within puts the field of a refusal into the input that holds the question.
func within(place string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	if field, ok := strings.CutPrefix(f.Field, "input."); ok {
		return f.On(place + "." + field)
	}
	return err
}
