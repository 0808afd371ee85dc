package plan

import (
	"strings"
	"time"
	_ "time/tzdata" // zones must be the same on every machine, also on one that has none
)

// Every is the length of a period.
type Every struct {
	N    int  `bson:"n" yaml:"n"`
	Unit Unit `bson:"unit" yaml:"unit"`
}

// Unit is of what a period is made.
type Unit string

// The units of periods.
const (
	Day   Unit = "DAY"
	Month Unit = "MONTH"
	Year  Unit = "YEAR"
)

// monthly is the period of who pays nothing.
var monthly = Every{1, Month}

func (e Every) ok() bool {
	most := map[Unit]int{Day: maxDays, Month: maxDays / 30, Year: maxDays / 365}[e.Unit]
	return e.N >= 1 && e.N <= most
}

// String is the length in words, such as "3 months".
func (e Every) String() string {
	unit := strings.ToLower(string(e.Unit))
	if e.N == 1 {
		return unit
	}
	return itoa(int64(e.N)) + " " + unit + "s"
}

// bound is the end of period n (the begin of period n+1) of those that began at anchor. All are computed from the anchor,
// never from one another, so a month that began on the 31st ends on the last day of a short month and on the 31st of the next
// long one. Days, months and years are those of the zone, so a bound keeps its time of day across a change of summer time.
func (e Every) bound(anchor time.Time, n int, zone *time.Location) time.Time {
	a := anchor.In(zone)
	y, m, d := a.Date()
	switch e.Unit {
	case Day:
		d += n * e.N
	case Month:
		m += time.Month(n * e.N)
	case Year:
		y += n * e.N
	}
	if e.Unit != Day {
		first := time.Date(y, m, 1, 0, 0, 0, 0, zone)
		y, m = first.Year(), first.Month()
		d = min(d, time.Date(y, m+1, 0, 0, 0, 0, 0, zone).Day())
	}
	return time.Date(y, m, d, a.Hour(), a.Minute(), a.Second(), a.Nanosecond(), zone).UTC()
}

// around is the period that holds t: from <= t < until.
func (e Every) around(anchor, t time.Time, zone *time.Location) (from, until time.Time) {
	length := e.bound(anchor, 1, zone).Sub(anchor)
	n := int(t.Sub(anchor) / max(length, time.Hour)) // near it; the loops step to it
	for e.bound(anchor, n, zone).After(t) {
		n--
	}
	for !e.bound(anchor, n+1, zone).After(t) {
		n++
	}
	return e.bound(anchor, n, zone), e.bound(anchor, n+1, zone)
}

// monthAround is the calendar month that holds t.
func monthAround(t time.Time, zone *time.Location) (from, until time.Time) {
	y, m, _ := t.In(zone).Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, zone).UTC(), time.Date(y, m+1, 1, 0, 0, 0, 0, zone).UTC()
}

// zoneOf is the zone of that IANA name, UTC for one that is not known here.
func zoneOf(name string) *time.Location {
	if z, err := time.LoadLocation(name); err == nil && name != "Local" {
		return z
	}
	return time.UTC
}
