package analytics

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Buckets are those of the place, also where the clocks change.
func TestBuckets(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, zone string
		step       Step
		week       Weekday
		from, to   string
		want       string // begins and the end
	}{
		{"a day of 23 hours", "Europe/Berlin", Day, "", "2026-03-28T12:00:00Z", "2026-03-29T22:00:00Z", "27T23 28T23 29T22"},
		{"a day of 25 hours", "Europe/Berlin", Day, "", "2026-10-25T00:00:00Z", "2026-10-26T00:00:00Z", "24T22 25T23 26T23"},
		{"the hour that is left out", "Europe/Berlin", Hour, "", "2026-03-29T00:30:00Z", "2026-03-29T03:00:00Z", "29T00 29T01 29T02 29T03"},
		{"the hour that comes twice", "Europe/Berlin", Hour, "", "2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z", "25T00 25T01 25T02 25T03"},
		{"hours that begin at half past", "Asia/Kolkata", Hour, "", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "31T23:30 01T00:30 01T01:30"},
		{"a midnight that is left out", "America/Sao_Paulo", Day, "", "2018-11-03T12:00:00Z", "2018-11-05T00:00:00Z", "03T03 04T03 05T02"},
		{"a midnight that comes twice", "America/Sao_Paulo", Day, "", "2019-02-16T12:00:00Z", "2019-02-17T12:00:00Z", "16T02 17T03 18T03"},
		{"a day that was left out", "Pacific/Apia", Day, "", "2011-12-30T00:00:00Z", "2011-12-31T12:00:00Z", "29T10 30T10 31T10 01T10"},
		{"weeks", "UTC", Week, "", "2026-01-01T00:00:00Z", "2026-01-12T00:00:00Z", "29T00 05T00 12T00"},
		{"weeks from Sunday on", "UTC", Week, Sunday, "2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z", "04T00 11T00"},
		{"months", "Europe/Berlin", Month, "", "2026-02-28T23:00:00Z", "2026-04-01T00:00:00Z", "28T23 31T22 30T22"},
		{"quarters", "UTC", Quarter, "", "2026-02-01T00:00:00Z", "2026-04-01T00:00:01Z", "01T00 01T00 01T00"},
		{"years", "UTC", Year, "", "2024-02-29T00:00:00Z", "2025-01-01T00:00:00Z", "01T00 01T00"},
	} {
		q := Query{Step: tc.step, TimeZone: tc.zone, WeekStart: tc.week, From: at(t, tc.from), To: at(t, tc.to)}
		if q.WeekStart == "" {
			q.WeekStart = Monday
		}
		cal, err := q.calendar()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, b := range q.bounds(cal, t0) {
			got = append(got, strings.TrimSuffix(b.Format("02T15:04"), ":00"))
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, s, tc.want)
		}
	}
}

// Whatever the place and the time, every instant is in exactly one bucket, and buckets follow one another.
func TestBucketsCoverTime(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "America/St_Johns", "Africa/Cairo", "Asia/Gaza"}
	rapid.Check(t, func(t *rapid.T) {
		q := Query{
			Step: rapid.SampledFrom(steps).Draw(t, "step"), TimeZone: rapid.SampledFrom(zones).Draw(t, "zone"),
			WeekStart: rapid.SampledFrom(weekdays).Draw(t, "week"),
		}
		cal, err := q.calendar()
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(rapid.Int64Range(0, 2_000_000_000).Draw(t, "at"), 0)
		start := cal.start(at)
		next := cal.shift(start, 1)
		if start.After(at) || !next.After(at) {
			t.Fatalf("%s is not between %s and %s", at, start, next)
		}
		if !cal.start(start).Equal(start) || !cal.start(next).Equal(next) || !cal.shift(next, -1).Equal(start) {
			t.Fatalf("the bucket from %s to %s is not between those beside it", start, next)
		}
	})
}

func TestTimesCompared(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		q       Query
		other   string // begin and end
		average int
		first   string // of the lead
	}{
		{"the days before", Query{Step: Day, Last: 7, Compare: ComparePeriod}, "2025-12-20 2025-12-27", 0, "2025-12-20"},
		{"a year before", Query{Step: Day, Last: 7, Compare: CompareYear}, "2024-12-27 2025-01-03", 0, "2024-12-27"},
		{"52 weeks before", Query{Step: Week, Last: 1, Compare: CompareYear}, "2024-12-30 2025-01-06", 0, "2024-12-30"},
		{"months before", Query{Step: Month, Last: 2, Compare: ComparePeriod}, "2025-10-01 2025-12-01", 0, "2025-10-01"},
		{"with a moving average", Query{Step: Day, Last: 2, Compare: ComparePeriod, MovingAverage: 3}, "2025-12-28 2026-01-01", 0, "2025-12-28"},
	} {
		tc.q.WeekStart = Monday
		cal, err := tc.q.calendar()
		if err != nil {
			t.Fatal(err)
		}
		g := newGrid(&tc.q, cal, t0)
		if got := g.other[0].Format(time.DateOnly) + " " + g.other[len(g.other)-1].Format(time.DateOnly); got != tc.other || len(g.other) != len(g.bounds) {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.other)
		}
		if got := g.first().Format(time.DateOnly); got != tc.first {
			t.Errorf("%s: begins with %s, want %s", tc.name, got, tc.first)
		}
	}
}
