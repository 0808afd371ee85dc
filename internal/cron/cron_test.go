package cron

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "five fields",
		"* * * *":                 "five fields",
		"* * * * * *":             "five fields",
		"60 * * * *":              `minute is 0 to 59, not "60"`,
		"* 24 * * *":              "hour is 0 to 23",
		"* * 0 * *":               "day of the month is 1 to 31",
		"* * * 13 *":              "month is 1 to 12",
		"* * * foo *":             "month is 1 to 12",
		"* * * * 8":               "day of the week is 0 to 7",
		"*/0 * * * *":             "a step of 1 to 59",
		"*/x * * * *":             "a step of 1 to 59",
		"9-5 * * * *":             "ends before it begins",
		"1,,2 * * * *":            "minute is 0 to 59",
		"+1 * * * *":              "minute is 0 to 59",
		"- * * * *":               "minute is 0 to 59",
		"0 0 31 2 *":              "no day is ever like this",
		"0 0 31 4,6,9,11 *":       "no day is ever like this",
		"@daily":                  "five fields",
		strings.Repeat("1,", 200): "five fields",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want %q", text, err, want)
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ cron, zone, after, want string }{
		{"* * * * *", "UTC", "2026-01-02T03:04:05Z", "2026-01-02T03:05:00Z"},
		{"0 8 * * MON-FRI", "UTC", "2026-01-02T08:00:00Z", "2026-01-05T08:00:00Z"}, // a Friday, on the dot
		{"0 8 * * *", "Europe/Berlin", "2026-01-02T08:00:00Z", "2026-01-03T07:00:00Z"},
		{"0 8 * * *", "Europe/Berlin", "2026-07-02T08:00:00Z", "2026-07-03T06:00:00Z"},
		{"*/20 9-17/4 * * *", "UTC", "2026-01-02T09:40:00Z", "2026-01-02T13:00:00Z"},
		{"5/20 * * * *", "UTC", "2026-01-02T09:26:00Z", "2026-01-02T09:45:00Z"},
		{"0 0 1,15 * FRI", "UTC", "2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z"},       // either
		{"0 0 */2 * FRI", "UTC", "2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z"},        // a star: both
		{"0 0 29 feb *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},         // 2100 has none
		{"0 0 * * 7", "UTC", "2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z"},            // Sunday by its other number
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"}, // 02:30 is skipped: 03:00 at once
		{"30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"}, // 02:30 comes twice: the first
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"},      // asked in the second pass
		{"0 12 * * *", "Pacific/Apia", "2011-12-30T00:00:00Z", "2011-12-30T10:00:00Z"},       // a whole day is skipped
		{"15 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z"},  // midnight is skipped
		{"0 1 * * *", "Australia/Lord_Howe", "2026-04-04T10:00:00Z", "2026-04-04T14:00:00Z"}, // half an hour back
	} {
		s, err := Parse(tc.cron)
		if err != nil {
			t.Fatal(err)
		}
		after, err := time.Parse(time.RFC3339, tc.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Next(after, zone(t, tc.zone)).Format(time.RFC3339); got != tc.want {
			t.Errorf("%q in %s after %s: %s, want %s", tc.cron, tc.zone, tc.after, got, tc.want)
		}
	}
}

// dstDays are days around which clocks are changed, each in its own way.
var dstDays = []struct{ zone, day string }{
	{"Europe/Berlin", "2026-03-29"},
	{"Europe/Berlin", "2026-10-25"},
	{"America/New_York", "2026-03-08"},
	{"America/New_York", "2026-11-01"},
	{"Australia/Lord_Howe", "2026-04-05"},
	{"Australia/Lord_Howe", "2026-10-04"},
	{"America/Sao_Paulo", "2018-11-04"},
	{"America/Sao_Paulo", "2018-02-18"},
	{"Pacific/Apia", "2011-12-30"},
	{"Africa/Casablanca", "2026-02-15"},
	{"UTC", "2026-01-01"},
}

// On the days around a change of the clock, every minute of the wall clock that a schedule names is due exactly once: those
// that are shown, when they are shown first, and those that are skipped, at the end of the gap. The test walks through the
// minutes of the instants, which knows nothing of how [Schedule.Next] searches.
func TestEveryWallMinuteIsDueOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SampledFrom(dstDays).Draw(t, "day")
		z, err := time.LoadLocation(at.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, err := time.Parse(time.DateOnly, at.day)
		if err != nil {
			t.Fatal(err)
		}
		minute := rapid.SampledFrom([]string{"*", "0", "30", "*/15", "7,59"}).Draw(t, "minute")
		hour := rapid.SampledFrom([]string{"*", "0", "1", "2", "0-3", "*/2", "23"}).Draw(t, "hour")
		s, err := Parse(minute + " " + hour + " * * *")
		if err != nil {
			t.Fatal(err)
		}
		from, to := day.Add(-48*time.Hour), day.Add(72*time.Hour)
		want := walk(s, from, to, z)
		var got []time.Time
		for d := s.Next(from, z); d.Before(to); d = s.Next(d, z) {
			got = append(got, d)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("due %v\nwant %v", got, want)
		}
		cut := from.Add(time.Duration(rapid.IntRange(1, 119*60).Draw(t, "until")) * time.Minute)
		var last time.Time
		for _, d := range want {
			if !d.After(cut) {
				last = d
			}
		}
		if l := s.Latest(from, cut, z); !l.Equal(last) {
			t.Fatalf("the latest up to %s is %s, want %s", cut, l, last)
		}
	})
}

// walk finds the due times by looking at each minute after from and before to.
func walk(s Schedule, from, to time.Time, z *time.Location) (due []time.Time) {
	const minute = time.Minute
	named := func(wall time.Time) bool {
		return s.onDay(wall.Year(), wall.Month(), wall.Day()) && s.hours&(1<<wall.Hour()) != 0 && s.minutes&(1<<wall.Minute()) != 0
	}
	strip := func(t time.Time) time.Time { // the wall clock as if it were UTC, so that it can be counted on
		t = t.In(z)
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	}
	shown := strip(from) // the furthest the clock has been
	for at := from.Add(minute); at.Before(to); at = at.Add(minute) {
		found := false
		for wall := shown.Add(minute); !wall.After(strip(at)); wall = wall.Add(minute) {
			found = found || named(wall)
			shown = wall
		}
		if found {
			due = append(due, at)
		}
	}
	return due
}

func TestLatestAfterALongTime(t *testing.T) {
	t.Parallel()
	every, err := Parse("* * * * *")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2036, 1, 2, 3, 4, 5, 0, time.UTC)
	if got := every.Latest(now.AddDate(-10, 0, 0), now, time.UTC); !got.Equal(now.Truncate(time.Minute)) {
		t.Errorf("the latest minute is %s", got)
	}
	yearly, err := Parse("0 0 1 6 *")
	if err != nil {
		t.Fatal(err)
	}
	if got := yearly.Latest(now.AddDate(-10, 0, 0), now, time.UTC); got.Format(time.DateOnly) != "2035-06-01" {
		t.Errorf("the latest first of June is %s", got)
	}
	if got := yearly.Latest(now.AddDate(0, -1, 0), now, time.UTC); !got.IsZero() {
		t.Errorf("there is none, and it says %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"* * * * *", "*/15 8-18 1,15 JAN-MAR mon", "0 0 29 2 *", "9-5 , / - *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		if err == nil && !s.Next(now, time.UTC).After(now) {
			t.Errorf("%q is never due", text)
		}
	})
}
