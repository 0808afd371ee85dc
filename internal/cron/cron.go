// Package cron reads schedules of five fields, as crontab has them, and tells when they are due in a time zone.
//
// A field is `*`, a number, a name (JAN, MON), a range `1-5`, a step `*/15` or `8-18/2`, or a list of these by commas:
// minute 0-59, hour 0-23, day of the month 1-31, month 1-12, day of the week 0-7, where 0 and 7 are Sunday. When both days
// are restricted, a day that matches either is meant, as in every cron.
//
// A schedule names times of a wall clock. Where the clock is put forward, a time that it skips is due at the first instant
// after the gap; where it is put back, a time that comes twice is due the first time alone. So each time of the wall clock
// is due exactly once. (github.com/robfig/cron leaves out what is skipped, which is a daily report less each year.)
package cron

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Schedule is when something is due. The zero Schedule is never due; make one with [Parse].
type Schedule struct {
	minutes, hours, days, months, weekdays uint64 // a bit for each value
	anyDay, anyWeekday                     bool   // the field began with a star
}

// field is what one of the five may hold.
type field struct {
	name        string
	least, most int
	names       []string // of least and what follows
}

var fields = [5]field{
	{name: "minute", most: 59},
	{name: "hour", most: 23},
	{name: "day of the month", least: 1, most: 31},
	{name: "month", least: 1, most: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of the week", most: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// Parse reads a schedule. The error says which field is wrong and is fit to be shown. One that can never be due, such as 31
// February, is an error too.
func Parse(text string) (Schedule, error) {
	parts := strings.Fields(text)
	if len(parts) != len(fields) || len(text) > 200 {
		return Schedule{}, errors.New("a schedule has five fields: minute, hour, day of the month, month, day of the week")
	}
	var sets [len(fields)]uint64
	for i, f := range fields {
		var err error
		if sets[i], err = f.parse(strings.ToLower(parts[i])); err != nil {
			return Schedule{}, err
		}
	}
	s := Schedule{
		minutes: sets[0], hours: sets[1], days: sets[2], months: sets[3], weekdays: (sets[4] | sets[4]>>7) & (1<<7 - 1),
		anyDay: parts[2][0] == '*', anyWeekday: parts[4][0] == '*',
	}
	if s.Next(time.Unix(0, 0), time.UTC).IsZero() {
		return Schedule{}, errors.New("no day is ever like this")
	}
	return s, nil
}

func (f field) parse(text string) (set uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		from, to, ranged := strings.Cut(span, "-")
		low, high := f.least, f.most
		if span != "*" {
			if low, err = f.value(from); err != nil {
				return 0, err
			}
			switch high = low; {
			case ranged:
				if high, err = f.value(to); err != nil {
					return 0, err
				}
			case stepped: // 5/15 is 5-59/15
				high = f.most
			}
		}
		by := 1
		if stepped {
			if by, err = strconv.Atoi(step); err != nil || by < 1 || by > f.most {
				return 0, fmt.Errorf("the %s has a step of 1 to %d, not %q", f.name, f.most, step)
			}
		}
		if low > high {
			return 0, fmt.Errorf("the range %q of the %s ends before it begins", span, f.name)
		}
		for v := low; v <= high; v += by {
			set |= 1 << v
		}
	}
	return set, nil
}

func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if text == name {
			return f.least + i, nil
		}
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < f.least || v > f.most || text[0] == '+' {
		return 0, fmt.Errorf("the %s is %d to %d, not %q", f.name, f.least, f.most, text)
	}
	return v, nil
}

// horizon is how many days ahead a schedule is looked for: 29 February skips 2100, so it can be eight years away, and
// those that fall on one day of the week are not wanted, for either will do.
const horizon = 8*366 + 1

// Next is the first time after t that the schedule is due in a zone; the zero time when it never is.
func (s Schedule) Next(t time.Time, zone *time.Location) time.Time {
	wall := t.In(zone)
	year, month, day := wall.Date()
	from := wall.Hour()*60 + wall.Minute()
	for range horizon {
		if s.onDay(year, month, day) {
			for m := s.nextMinute(from); m >= 0; m = s.nextMinute(m + 1) {
				if at := instant(year, month, day, m, zone); at.After(t) {
					return at.UTC()
				}
			}
		}
		year, month, day = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC).Date()
		from = 0
	}
	return time.Time{}
}

// Latest is the last time after the one and not after the other that the schedule is due; the zero time when there is none.
// It looks back from until, so a long time without a look costs no more than a short one.
func (s Schedule) Latest(after, until time.Time, zone *time.Location) (latest time.Time) {
	for back := time.Hour; ; back *= 2 {
		from := until.Add(-back)
		if from.Before(after) {
			from = after
		}
		for at := s.Next(from, zone); !at.IsZero() && !at.After(until); at = s.Next(at, zone) {
			latest = at
		}
		if !latest.IsZero() || from.Equal(after) {
			return latest
		}
	}
}

func (s Schedule) onDay(year int, month time.Month, day int) bool {
	if s.months&(1<<month) == 0 {
		return false
	}
	byDay := s.days&(1<<day) != 0
	byWeekday := s.weekdays&(1<<time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()) != 0
	if s.anyDay || s.anyWeekday {
		return byDay && byWeekday
	}
	return byDay || byWeekday
}

// nextMinute is the first minute of a day, from one on, that the schedule names; -1 when there is none.
func (s Schedule) nextMinute(from int) int {
	for hour := from / 60; hour < 24; hour++ {
		if s.hours&(1<<hour) == 0 {
			continue
		}
		first := max(from-hour*60, 0)
		if rest := s.minutes >> first; rest != 0 {
			return hour*60 + first + bits.TrailingZeros64(rest)
		}
	}
	return -1
}

// farEast bounds how far any zone is from UTC.
const farEast = 26 * time.Hour

// instant is when the wall clock of a zone shows a minute of a day for the first time, or has passed it. Time zones are
// walked in order, for [time.Date] leaves open what it does with times that are skipped or come twice.
func instant(year int, month time.Month, day, minute int, zone *time.Location) time.Time {
	naive := time.Date(year, month, day, 0, minute, 0, 0, time.UTC)
	for at := naive.Add(-farEast).In(zone); ; {
		begin, end := at.ZoneBounds()
		_, offset := at.Zone()
		exact := naive.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || exact.Before(end) {
			if exact.Before(begin) {
				return begin
			}
			return exact
		}
		at = end
	}
}
