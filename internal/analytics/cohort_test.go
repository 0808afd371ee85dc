package analytics

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/fault"
)

func TestPeriods(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		q       RetentionQuery
		cohorts int
		begins  string
	}{
		{"days", RetentionQuery{Period: PerDay, Last: 2, Periods: 1}, 2, "2026-01-01T00:00:00Z 2026-01-02T00:00:00Z 2026-01-03T00:00:00Z 2026-01-04T00:00:00Z"},
		{"weeks", RetentionQuery{Period: PerWeek, Last: 1, Periods: 1, WeekStart: Monday}, 1, "2025-12-29T00:00:00Z 2026-01-05T00:00:00Z 2026-01-12T00:00:00Z"},
		{"weeks from Sunday", RetentionQuery{Period: PerWeek, Last: 1, WeekStart: Sunday}, 1, "2025-12-28T00:00:00Z 2026-01-04T00:00:00Z"},
		{"weeks from that Friday", RetentionQuery{Period: PerWeek, Last: 1, WeekStart: Friday}, 1, "2026-01-02T00:00:00Z 2026-01-09T00:00:00Z"},
		{"months", RetentionQuery{Period: PerMonth, Last: 2, Periods: 1}, 2, "2025-12-01T00:00:00Z 2026-01-01T00:00:00Z 2026-02-01T00:00:00Z 2026-03-01T00:00:00Z"},
		{
			"days over the change of the clock", RetentionQuery{
				Period: PerDay, TimeZone: "Europe/Berlin",
				From: time.Date(2025, 3, 29, 12, 0, 0, 0, time.UTC), To: time.Date(2025, 3, 30, 22, 0, 0, 0, time.UTC),
			}, 2, "2025-03-28T23:00:00Z 2025-03-29T23:00:00Z 2025-03-30T22:00:00Z",
		},
	} {
		cohorts, begins := tc.q.periods(t0)
		var got []string
		for _, b := range begins {
			got = append(got, b.Format(time.RFC3339))
		}
		if s := strings.Join(got, " "); cohorts != tc.cohorts || s != tc.begins {
			t.Errorf("%s: %d cohorts, %s; want %d, %s", tc.name, cohorts, s, tc.cohorts, tc.begins)
		}
	}
}

func TestRetentionCheck(t *testing.T) {
	t.Parallel()
	good := RetentionQuery{Start: Selector{Event: "a"}, Return: Selector{Event: "b"}, Period: PerDay, Last: 3, Periods: 3}
	for name, change := range map[string]func(q *RetentionQuery){
		"start.event":  func(q *RetentionQuery) { q.Start.Event = "" },
		"return.event": func(q *RetentionQuery) { q.Return.Event = "$" },
		"period":       func(q *RetentionQuery) { q.Period = "HOUR" },
		"periods":      func(q *RetentionQuery) { q.Periods = maxPeriods + 1 },
		"timeZone":     func(q *RetentionQuery) { q.TimeZone = "x" },
		"weekStart":    func(q *RetentionQuery) { q.Period, q.WeekStart = PerWeek, "TODAY" },
		"last":         func(q *RetentionQuery) { q.Last, q.From, q.To = 0, t0, t0.AddDate(0, 0, maxPeriods+1) },
	} {
		q := good
		change(&q)
		var fe *fault.Error
		if _, err := q.check(); !errors.As(err, &fe) || fe.Field != "input."+name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if q, err := good.check(); err != nil || q.WeekStart != Monday {
		t.Errorf("check() = %+v, %v", q, err)
	}
}

// matrix is a retention in a form that is easy to compare.
func (r Retention) matrix() string {
	var b strings.Builder
	for _, c := range r.Cohorts {
		fmt.Fprintf(&b, "%s %d:", c.At.Format("01-02"), c.Size)
		for _, cell := range c.Cells {
			fmt.Fprintf(&b, " %d", cell.Count)
			if !cell.Complete {
				b.WriteString("..")
			}
			if c.Size > 0 && cell.Share != float64(cell.Count)/float64(c.Size) {
				b.WriteString("(of what?)")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Whatever an actor does, it is in the cohorts and cells that the definition says, read word by word.
func TestReturnerIsTheDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		q, err := RetentionQuery{
			Start: Selector{Event: "a"}, Return: Selector{Event: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "return")},
			Recurring: rapid.Bool().Draw(t, "recurring"), Period: PerDay,
			From: t0, To: t0.AddDate(0, 0, rapid.IntRange(1, 3).Draw(t, "days")), Periods: rapid.IntRange(0, 3).Draw(t, "periods"),
		}.check()
		if err != nil {
			t.Fatal(err)
		}
		cohorts, begins := q.periods(t0)
		var events []moment
		at := begins[0].AddDate(0, 0, -1)
		for range rapid.IntRange(0, 8).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "hours")) * time.Hour)
			name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
			// Only what the reading brings: starts up to the last cohort, returns in the periods.
			isStart := name == q.Start.Event && at.Before(begins[cohorts]) && (!q.Recurring || !at.Before(begins[0]))
			isReturn := name == q.Return.Event && !at.Before(begins[0]) && at.Before(begins[len(begins)-1])
			if isStart || isReturn {
				events = append(events, moment{at: at.UnixMilli(), name: name})
			}
		}
		r := newReturner(q, cohorts, begins)
		for _, e := range events {
			r.step(e)
		}
		in := func(e moment, period int) bool {
			return e.at >= begins[period].UnixMilli() && e.at < begins[period+1].UnixMilli()
		}
		firstStart := slices.IndexFunc(events, func(e moment) bool { return e.name == q.Start.Event })
		any := false
		for c := range cohorts {
			start := slices.IndexFunc(events, func(e moment) bool { return e.name == q.Start.Event && in(e, c) })
			member := start >= 0 && (q.Recurring || start == firstStart)
			any = any || member
			if r.started[c] != member {
				t.Fatalf("cohort %d: %v, want %v", c, r.started[c], member)
			}
			if !member {
				continue
			}
			for k := range q.Periods + 1 {
				back := slices.ContainsFunc(events[start+1:], func(e moment) bool { return e.name == q.Return.Event && in(e, c+k) })
				if r.cameBack(c, k) != back {
					t.Fatalf("cohort %d, %d later: %v, want %v", c, k, r.cameBack(c, k), back)
				}
			}
		}
		if r.counts != any {
			t.Fatalf("counts: %v, want %v", r.counts, any)
		}
	})
}

// Through the database, over all flights of the real table: which airports that had a late flight in a week of New York
// had one to Chicago in the weeks after.
func TestRetentionOfRealFlights(t *testing.T) {
	t.Parallel()
	all := departures(t, "flights-20k.json")
	w := newWorld(t)
	w.clock.Advance(time.Date(2001, 2, 21, 12, 0, 0, 0, time.UTC).Sub(t0)) // back to a Wednesday
	insertDepartures(t, w, all)
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	q := RetentionQuery{
		Start: Selector{Event: "departed", Where: only("late", "yes")}, Return: Selector{Event: "departed", Where: only("destination", "ORD")},
		Period: PerWeek, WeekStart: Sunday, TimeZone: "America/New_York", Last: 5, Periods: 4,
	}
	for _, recurring := range []bool{false, true} {
		q.Recurring = recurring
		got, err := w.Retention(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		// The sets of airports by the day a week begins with, walking back to the Sunday before.
		starts, firsts, backs := map[string]map[string]time.Time{}, map[string]time.Time{}, map[string]map[string][]time.Time{}
		for _, d := range all {
			day := d.at.In(zone)
			for day.Weekday() != time.Sunday {
				day = day.Add(-24 * time.Hour) // no clock is changed in these months
			}
			week := day.Format("01-02")
			if d.dims["late"] == "yes" {
				if _, ok := firsts[d.airport]; !ok {
					firsts[d.airport] = d.at
				}
				if starts[week] == nil {
					starts[week] = map[string]time.Time{}
				}
				if _, ok := starts[week][d.airport]; !ok && (recurring || firsts[d.airport].Equal(d.at)) {
					starts[week][d.airport] = d.at
				}
			}
			if d.dims["destination"] == "ORD" {
				if backs[week] == nil {
					backs[week] = map[string][]time.Time{}
				}
				backs[week][d.airport] = append(backs[week][d.airport], d.at)
			}
		}
		weeks := []string{"01-21", "01-28", "02-04", "02-11", "02-18"}
		var want strings.Builder
		for i, week := range weeks {
			fmt.Fprintf(&want, "%s %d:", week, len(starts[week]))
			for k := i; k < len(weeks); k++ {
				n := 0
				for airport, start := range starts[week] {
					if slices.ContainsFunc(backs[weeks[k]][airport], func(at time.Time) bool { return k > i || at.After(start) }) {
						n++
					}
				}
				fmt.Fprintf(&want, " %d", n)
				if weeks[k] == "02-18" {
					want.WriteString("..") // the week of now
				}
			}
			want.WriteString("\n")
		}
		if m := got.matrix(); m != want.String() {
			t.Errorf("recurring %v:\n%sstraight from the file:\n%s", recurring, m, want.String())
		}
		if last := got.Cohorts[4]; len(last.Cells) != 1 || recurring && got.Cohorts[0].Cells[4].Count < 20 {
			t.Errorf("recurring %v: no matrix worth a test:\n%s", recurring, got.matrix())
		}
	}
}
