package analytics

import (
	"cmp"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// calendar cuts time into buckets as people in one place do: their days are 23 or 25 hours long when the clocks change.
type calendar struct {
	step  Step
	zone  *time.Location
	begin time.Weekday // of weeks
}

var weekdays = []Weekday{Sunday, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday} // as package time counts them

// newCalendar is that of a place by its name in the IANA database, empty for UTC.
//
// Errors: BAD_USER_INPUT.
func newCalendar(step Step, place string, week Weekday) (calendar, error) {
	loc, err := zone(place)
	if err != nil {
		return calendar{}, err
	}
	day := slices.Index(weekdays, cmp.Or(week, Monday))
	if day < 0 {
		return calendar{}, fault.ErrInput.On("input.weekStart").Saying("there is no such weekday")
	}
	return calendar{step: step, zone: loc, begin: time.Weekday(day)}, nil
}

func (q Query) calendar() (calendar, error) {
	return newCalendar(q.Step, q.TimeZone, q.WeekStart)
}

// start is the begin of the bucket that t is in.
func (c calendar) start(t time.Time) time.Time {
	t = t.In(c.zone)
	switch c.step {
	case Minute:
	case Hour: // not by time.Date: in autumn the same hour comes twice
		return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
	case Day:
		return c.midnight(t.Year(), t.Month(), t.Day())
	case Week:
		return c.midnight(t.Year(), t.Month(), t.Day()-(int(t.Weekday()-c.begin)+7)%7)
	case Month:
		return c.midnight(t.Year(), t.Month(), 1)
	case Quarter:
		return c.midnight(t.Year(), t.Month()-(t.Month()-1)%3, 1)
	case Year:
		return c.midnight(t.Year(), time.January, 1)
	}
	return t.Truncate(time.Minute)
}

// shift is the begin of the bucket n after the one that begins at start; n may be negative.
func (c calendar) shift(start time.Time, n int) time.Time {
	y, m, d := start.In(c.zone).Date()
	switch c.step {
	case Minute:
	case Hour:
		return start.Add(time.Duration(n) * time.Hour)
	case Day:
		return c.midnight(y, m, d+n)
	case Week:
		return c.midnight(y, m, d+7*n)
	case Month:
		return c.midnight(y, m+time.Month(n), 1)
	case Quarter:
		return c.midnight(y, m+time.Month(3*n), 1)
	case Year:
		return c.midnight(y+n, m, 1)
	}
	return start.Add(time.Duration(n) * time.Minute)
}

// midnight is when a day begins, or the next if a place has left it out. Where the clocks change at midnight, time.Date may
// give a time of the day before.
func (c calendar) midnight(y int, m time.Month, d int) time.Time {
	date := func(t time.Time) time.Time {
		y, m, d := t.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	t := time.Date(y, m, d, 0, 0, 0, 0, c.zone)
	for want := time.Date(y, m, d, 0, 0, 0, 0, time.UTC); date(t).Before(want); {
		t = t.Add(15 * time.Minute)
	}
	return t
}

// yearBefore is the begin of the bucket a year before the one that begins at start.
func (c calendar) yearBefore(start time.Time) time.Time {
	if c.step == Week {
		return c.shift(start, -52)
	}
	return c.start(start.In(c.zone).AddDate(-1, 0, 0))
}

// bounds are the begins of the buckets of the query and the end of the last: those of Last end with the one that now is in.
// There is one more than MaxBuckets+1 if the range is too long.
func (q Query) bounds(c calendar, now time.Time) []time.Time {
	if q.Last > 0 {
		last := c.start(now)
		all := make([]time.Time, q.Last+1)
		for i := range all {
			all[i] = c.shift(last, i-q.Last+1).UTC()
		}
		return all
	}
	all := []time.Time{c.start(q.From).UTC()}
	for end := all[0]; end.Before(q.To) && len(all) <= MaxBuckets+1; all = append(all, end) {
		end = c.shift(end, 1).UTC()
	}
	return all
}

// resolution is the width of rollups.
type resolution string

// The resolutions, and what a bucket of no rollups is.
const (
	byMinute resolution = "1m"
	byHour   resolution = "1h"
	byDay    resolution = "1d"
)

var resolutions = [...]resolution{byMinute, byHour, byDay}

func (r resolution) width() time.Duration {
	switch r {
	case byHour:
		return time.Hour
	case byDay:
		return 24 * time.Hour
	case byMinute:
	}
	return time.Minute
}

// start is the begin of the rollup that t is in, unix ms.
func (r resolution) start(t time.Time) int64 {
	ms, w := t.UnixMilli(), r.width().Milliseconds()
	return ms - ((ms%w)+w)%w
}

func (r resolution) source() Source {
	switch r {
	case byHour:
		return Rollup1h
	case byDay:
		return Rollup1d
	case byMinute:
	}
	return Rollup1m
}

// divides reports whether no rollup crosses any of the bounds.
func (r resolution) divides(bounds []time.Time) bool {
	return !slices.ContainsFunc(bounds, func(t time.Time) bool { return r.start(t) != t.UnixMilli() })
}
