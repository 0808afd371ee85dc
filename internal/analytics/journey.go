package analytics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // zones must be the same on every machine, also on one that has none

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// A journey is a question about the order of events: a funnel, retention or paths. It reads the stored events of each
// actor or session in the order they happened, never rollups.

// Unit is whose events are one journey.
type Unit string

// The units.
const (
	ByActor   Unit = "ACTOR"
	BySession Unit = "SESSION"
)

// Keys of groups that no event has as a value of its dimension by itself.
const (
	KeyOther = "$other" // the groups beyond the top
	KeyNone  = "$none"  // the events without the dimension
)

// Selector picks the events of a name for which all filters hold.
type Selector struct {
	Event string
	Where []DimFilter // at most 10
}

// Span is a range of time: either the last so many whole days up to and with today, or From up to To.
type Span struct {
	LastDays int // 1 to 1,100
	From, To time.Time
	TimeZone string // in which days begin, an IANA name; empty for UTC
}

const (
	maxDays    = 1100
	maxFilters = 10
	maxIn      = 100
)

func (s Selector) check(field string) error {
	if !isName(s.Event, ".-") {
		return fault.ErrInput.On(field + ".event").Saying("an event name is 1 to 64 letters, digits, dots, dashes or underscores")
	}
	return checkFilters(s.Where, field+".where")
}

func checkFilters(where []DimFilter, field string) error {
	if len(where) > maxFilters {
		return fault.ErrInput.On(field).Saying("there are at most %d filters", maxFilters)
	}
	for i, f := range where {
		if !isName(f.Dim, "") {
			return fault.ErrInput.On(fmt.Sprintf("%s.%d.dimension", field, i)).Saying("the name of a dimension is 1 to 64 letters, digits or underscores")
		}
		if len(f.In) == 0 || len(f.In) > maxIn {
			return fault.ErrInput.On(fmt.Sprintf("%s.%d.in", field, i)).Saying("a filter has 1 to %d values", maxIn)
		}
	}
	return nil
}

// picks reports whether the selector picks an event.
func (s Selector) picks(name string, dims map[string]string) bool {
	return s.Event == name && allHold(s.Where, dims)
}

// allHold reports whether the dimensions pass all filters.
func allHold(where []DimFilter, dims map[string]string) bool {
	return !slices.ContainsFunc(where, func(f DimFilter) bool {
		v, ok := dims[f.Dim]
		return (ok && slices.Contains(f.In, v)) == f.Not
	})
}

// dims are the dimensions the selectors look at, and one more if it is not empty.
func dimsOf(by string, all ...Selector) (dims []string) {
	for _, s := range all {
		for _, f := range s.Where {
			dims = append(dims, f.Dim)
		}
	}
	if by != "" {
		dims = append(dims, by)
	}
	slices.Sort(dims)
	return slices.Compact(dims)
}

// check refuses a range that is none and gives its canonical form.
func (s Span) check() (Span, error) {
	if _, err := zone(s.TimeZone); err != nil {
		return s, err
	}
	if s.LastDays != 0 {
		if s.LastDays < 0 || s.LastDays > maxDays || !s.From.IsZero() || !s.To.IsZero() {
			return s, ErrRange.On("input.lastDays").Saying("a range is either the last 1 to %d days, or from before to", maxDays)
		}
		return s, nil
	}
	if s.From.IsZero() || s.To.IsZero() || !s.From.Before(s.To) {
		return s, ErrRange.On("input.from").Saying("a range is either the last 1 to %d days, or from before to", maxDays)
	}
	s.From, s.To, s.TimeZone = s.From.UTC(), s.To.UTC(), ""
	return s, nil
}

// bounds is the range as of now.
func (s Span) bounds(now time.Time) (from, to time.Time) {
	if s.LastDays == 0 {
		return s.From, s.To
	}
	loc, err := zone(s.TimeZone)
	if err != nil {
		loc = time.UTC // cannot be: it was checked
	}
	y, m, d := now.In(loc).Date()
	return time.Date(y, m, d-s.LastDays+1, 0, 0, 0, 0, loc).UTC(), time.Date(y, m, d+1, 0, 0, 0, 0, loc).UTC()
}

// asOf is the range as of now: a journey is another when it moves.
func (s Span) asOf(now time.Time) [2]time.Time {
	from, to := s.bounds(now)
	return [2]time.Time{from, to}
}

// zone finds a time zone by its IANA name; the empty name is UTC.
//
// Errors: BAD_USER_INPUT.
func zone(name string) (*time.Location, error) {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fault.ErrInput.On("input.timeZone").Saying("there is no such time zone")
	}
	return loc, nil
}

// checkBy refuses what is no name of a dimension; empty is none.
func checkBy(by string) error {
	if by != "" && !isName(by, "") {
		return fault.ErrInput.On("input.by").Saying("the name of a dimension is 1 to 64 letters, digits or underscores")
	}
	return nil
}

func checkTop(top int) error {
	if top < 1 || top > maxTop {
		return fault.ErrInput.On("input.top").Saying("top is between 1 and %d", maxTop)
	}
	return nil
}

// moment is an event as a journey meets it.
type moment struct {
	id   string
	unit string // the actor or the session
	at   int64  // unix ms
	name string
	dims map[string]string // those that were asked for
}

// reading says which events a journey reads.
type reading struct {
	unit  Unit
	after string // only units after this one
	any   []branch
	dims  []string
}

// branch is one kind of events in a range; a zero from is no begin.
type branch struct {
	names    []string
	where    []DimFilter
	from, to time.Time
}

func (s Selector) in(from, to time.Time) branch {
	return branch{names: []string{s.Event}, where: s.Where, from: from, to: to}
}

// journey reads the events of a journey, unit by unit, each in the order of time, those of one millisecond in the order of
// their ids; until fn wants no more. It waits until fewer than Config.Journeys others are read on this node. The number
// of events read is at most Config.JourneyRows.
// Cost: 1 read; of sessions also a sort on the server.
//
// Errors: REPORT_TOO_LARGE with the detail budget or seconds.
func (s *Service) journey(ctx context.Context, r reading, fn func(moment) (more bool)) (read int, err error) {
	return s.reading(ctx, func(ctx context.Context, most int) (int, error) { return s.store.eachMoment(ctx, r, most, fn) })
}

// reading bounds a reading of events: how many of them go on at a time, how long one takes, and how much it reads. do gives
// how many events it has read, one more than most if there were more.
func (s *Service) reading(ctx context.Context, do func(ctx context.Context, most int) (int, error)) (read int, err error) {
	theirs, bounded := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.JourneyIn)
	defer cancel()
	ours, _ := ctx.Deadline()
	select {
	case s.journeys <- struct{}{}:
		defer func() { <-s.journeys }()
		read, err = do(ctx, s.cfg.JourneyRows)
	case <-ctx.Done():
		err = ctxError(ctx)
	}
	if errors.Is(err, fault.ErrTimeout) && (!bounded || ours.Before(theirs)) {
		seconds := int(s.cfg.JourneyIn / time.Second)
		err = ErrTooLarge.Saying("the events were not read within %d s: shorten the range, or choose rarer events", seconds).
			With("seconds", seconds).Because(err)
	}
	if err == nil && read > s.cfg.JourneyRows {
		err = ErrTooLarge.Saying("more than %d events would have to be read: shorten the range, or choose rarer events", s.cfg.JourneyRows).
			With("budget", s.cfg.JourneyRows)
	}
	return read, err
}

// mayRead is the check of rights of everything that shows single events or those they are about.
func (s *Service) mayRead(ctx context.Context) error {
	return s.authz.Require(ctx, PermRead, ref.Ref{})
}
