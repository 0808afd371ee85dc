package analytics

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// Bounds of a retention.
const maxPeriods = 60

// Period is the width of a cohort.
type Period string

// The periods.
const (
	PerDay   Period = "DAY"
	PerWeek  Period = "WEEK"
	PerMonth Period = "MONTH"
)

// RetentionQuery asks how many of those who began in a period came back in the periods after it.
type RetentionQuery struct {
	Start, Return Selector
	// Recurring puts an actor into the cohort of every period with a start event; else into the one of its first start
	// event of all that are stored.
	Recurring bool
	Period    Period
	Last      int // the last so many cohorts, 1 to 60, up to that of now; or From up to To, moved out to whole periods
	From, To  time.Time
	Periods   int     // how many periods after its own are looked at, 0 to 60
	TimeZone  string  // in which periods begin, an IANA name; empty for UTC
	WeekStart Weekday // day that weeks begin with; empty for MONDAY
}

// RetentionCell is what a cohort did in one period.
type RetentionCell struct {
	Period   int       // how many periods after that of the cohort
	At       time.Time // its begin
	Count    int64     // actors of the cohort with a returning event in it; in period 0, one after the start event
	Share    float64   // of the cohort; 0 of an empty one
	Complete bool      // whether the period is over
}

// Cohort is the actors that began in one period.
type Cohort struct {
	At    time.Time
	Size  int64
	Cells []RetentionCell // of the periods that have begun
}

// Retention is a computed retention.
type Retention struct {
	From, To time.Time // of the cohorts
	Cohorts  []Cohort
	Read     int // events read for it
}

// check refuses a query that is none and gives its canonical form.
//
// Errors: BAD_USER_INPUT, REPORT_RANGE.
func (q RetentionQuery) check() (RetentionQuery, error) {
	if err := q.Start.check("input.start"); err != nil {
		return q, err
	}
	if err := q.Return.check("input.return"); err != nil {
		return q, err
	}
	if q.Period != PerDay && q.Period != PerWeek && q.Period != PerMonth {
		return q, fault.ErrInput.On("input.period").Saying("there is no such period")
	}
	if q.WeekStart == "" || q.Period != PerWeek {
		q.WeekStart = Monday
	}
	if _, err := q.calendar(); err != nil {
		return q, err
	}
	if q.Periods < 0 || q.Periods > maxPeriods {
		return q, fault.ErrInput.On("input.periods").Saying("periods is between 0 and %d", maxPeriods)
	}
	refused := ErrRange.On("input.last").Saying("a retention has the last 1 to %d cohorts, or those from before to", maxPeriods)
	if q.Last != 0 {
		if q.Last < 0 || q.Last > maxPeriods || !q.From.IsZero() || !q.To.IsZero() {
			return q, refused
		}
		return q, nil
	}
	if q.From.IsZero() || q.To.IsZero() || !q.From.Before(q.To) || q.To.Sub(q.From) > maxPeriods*31*24*time.Hour {
		return q, refused
	}
	if cohorts, _ := q.periods(time.Time{}); cohorts > maxPeriods {
		return q, refused
	}
	return q, nil
}

func (q RetentionQuery) calendar() (calendar, error) {
	return newCalendar(Step(q.Period), q.TimeZone, q.WeekStart)
}

// periods are the begins of all periods looked at, and the end of the last; the first of them are those of the cohorts.
func (q RetentionQuery) periods(now time.Time) (cohorts int, begins []time.Time) {
	cal, err := q.calendar()
	if err != nil {
		cal = calendar{step: Day, zone: time.UTC} // cannot be: it was checked
	}
	first := cal.start(q.From)
	cohorts = q.Last
	if q.Last > 0 {
		first = cal.shift(cal.start(now), 1-q.Last)
	}
	for q.Last == 0 && cal.shift(first, cohorts).Before(q.To) {
		cohorts++
	}
	for n := range cohorts + q.Periods + 1 {
		begins = append(begins, cal.shift(first, n).UTC())
	}
	return cohorts, begins
}

// asOf changes when another period begins.
func (q RetentionQuery) asOf(now time.Time) [2]time.Time {
	_, begins := q.periods(now)
	begun := 0
	for begun < len(begins) && !begins[begun].After(now) {
		begun++
	}
	return [2]time.Time{begins[0], begins[max(begun-1, 0)]}
}

// reading is what has to be read: for first starts also all starts before the cohorts.
func (q RetentionQuery) reading(cohorts int, begins []time.Time, after string) reading {
	from, end := begins[0], begins[len(begins)-1]
	start := q.Start.in(from, begins[cohorts])
	if !q.Recurring {
		start.from = time.Time{}
	}
	return reading{unit: ByActor, after: after, any: []branch{start, q.Return.in(from, end)}, dims: dimsOf("", q.Start, q.Return)}
}

// Retention computes a retention. Cost: 1 read of the events it is about, at most Config.JourneyRows.
//
// Errors: FORBIDDEN, BAD_USER_INPUT, REPORT_RANGE, REPORT_TOO_LARGE.
func (s *Service) Retention(ctx context.Context, q RetentionQuery) (Retention, error) {
	if err := s.mayRead(ctx); err != nil {
		return Retention{}, err
	}
	q, err := q.check()
	if err != nil {
		return Retention{}, err
	}
	return s.retention(ctx, q)
}

func (s *Service) retention(ctx context.Context, q RetentionQuery) (Retention, error) {
	now := s.now()
	cohorts, begins := q.periods(now)
	sizes, counts := make([]int64, cohorts), make([][]int64, cohorts)
	for c := range counts {
		counts[c] = make([]int64, q.Periods+1)
	}
	read, err := s.eachReturner(ctx, q, now, "", func(r *returner) bool {
		for c := range cohorts {
			if !r.started[c] {
				continue
			}
			sizes[c]++
			for k := range counts[c] {
				if r.cameBack(c, k) {
					counts[c][k]++
				}
			}
		}
		return true
	})
	if err != nil {
		return Retention{}, err
	}
	out := Retention{From: begins[0], To: begins[cohorts], Read: read}
	for c := range cohorts {
		co := Cohort{At: begins[c], Size: sizes[c], Cells: []RetentionCell{}}
		for k := 0; k <= q.Periods && !begins[c+k].After(now); k++ {
			cell := RetentionCell{Period: k, At: begins[c+k], Count: counts[c][k], Complete: !begins[c+k+1].After(now)}
			if co.Size > 0 {
				cell.Share = float64(cell.Count) / float64(co.Size)
			}
			co.Cells = append(co.Cells, cell)
		}
		out.Cohorts = append(out.Cohorts, co)
	}
	return out, nil
}

// eachReturner gives what each actor did that is in a cohort, by actor, while fn wants more.
func (s *Service) eachReturner(ctx context.Context, q RetentionQuery, now time.Time, after string, fn func(*returner) bool) (read int, err error) {
	cohorts, begins := q.periods(now)
	r, more := newReturner(q, cohorts, begins), true
	end := func() bool {
		if more && r.counts {
			more = fn(r)
		}
		return more
	}
	read, err = s.journey(ctx, q.reading(cohorts, begins, after), func(m moment) bool {
		if m.unit != r.actor {
			if !end() {
				return false
			}
			r.reset(m.unit)
		}
		r.step(m)
		return true
	})
	if err == nil {
		end()
	}
	return read, err
}

// returner follows the events of one actor, in order.
type returner struct {
	q       RetentionQuery
	cohorts int
	begins  []int64 // of the periods, and the end of the last; unix ms

	actor       string
	begun       bool  // has a start event, perhaps before the cohorts
	counts      bool  // is in a cohort
	now         int   // the period come to; -1 before the first
	first, last int64 // times of the first and last event in the periods
	events      int64
	started     []bool // by period: is in its cohort
	stayed      []bool // by period: came back in it after the start event in it
	returned    []bool // by period: came back in it
}

func newReturner(q RetentionQuery, cohorts int, begins []time.Time) *returner {
	r := &returner{q: q, cohorts: cohorts}
	for _, b := range begins {
		r.begins = append(r.begins, b.UnixMilli())
	}
	n := len(begins) - 1
	r.started, r.stayed, r.returned = make([]bool, n), make([]bool, n), make([]bool, n)
	r.reset("")
	return r
}

func (r *returner) reset(actor string) {
	r.actor, r.begun, r.counts, r.now, r.events = actor, false, false, -1, 0
	clear(r.started)
	clear(r.stayed)
	clear(r.returned)
}

// step takes the next event. One that is both has to come after another start to be a return to it.
func (r *returner) step(m moment) {
	for r.now+1 < len(r.begins) && m.at >= r.begins[r.now+1] {
		r.now++
	}
	if r.now >= 0 {
		if r.events++; r.events == 1 {
			r.first = m.at
		}
		r.last = m.at
		if r.q.Return.picks(m.name, m.dims) {
			r.returned[r.now] = true
			r.stayed[r.now] = r.stayed[r.now] || r.started[r.now]
		}
	}
	if !r.q.Start.picks(m.name, m.dims) {
		return
	}
	if r.now >= 0 && r.now < r.cohorts && (r.q.Recurring || !r.begun) {
		r.started[r.now], r.counts = true, true
	}
	r.begun = true
}

// cameBack reports whether the actor, being in a cohort, came back so many periods later.
func (r *returner) cameBack(cohort, later int) bool {
	if later == 0 {
		return r.stayed[cohort]
	}
	return r.returned[cohort+later]
}
