package analytics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// Bounds of a funnel.
const (
	maxFunnelSteps  = 10
	maxFunnelWindow = 366 * 24 * time.Hour
)

// FunnelQuery asks how many units do the steps one after the other, the last within the window after the first. The first
// step happens in the span; the others may come after it.
type FunnelQuery struct {
	Steps         []Selector // 2 to 10
	Unit          Unit
	WindowSeconds int    // 1 to 366 days
	By            string // dimension of the first step to break down by; empty for the total alone
	Top           int    // groups to show, 1 to 50, those most entered first
	Span
}

// FunnelStep is one step of a funnel. Of those who came to it, some went on to the next one and the others dropped out;
// at the last step all have converted.
type FunnelStep struct {
	Event         string
	Entered       int64
	Converted     int64
	Dropped       int64
	MedianSeconds *float64 // from the step before, of those who entered; nil at the first step, and when nobody did
	P90Seconds    *float64
}

// FunnelGroup is the funnel of one value of the dimension.
type FunnelGroup struct {
	Key   string
	Steps []FunnelStep
}

// Funnel is a computed funnel.
type Funnel struct {
	From, To time.Time
	Steps    []FunnelStep
	Groups   []FunnelGroup // those most entered first; [KeyOther] is the last
	Read     int           // events read for it
}

// check refuses a query that is none and gives its canonical form.
//
// Errors: BAD_USER_INPUT, REPORT_RANGE.
func (q FunnelQuery) check() (FunnelQuery, error) {
	if len(q.Steps) < 2 || len(q.Steps) > maxFunnelSteps {
		return q, fault.ErrInput.On("input.steps").Saying("a funnel has 2 to %d steps", maxFunnelSteps)
	}
	for i, st := range q.Steps {
		if err := st.check(fmt.Sprintf("input.steps.%d", i)); err != nil {
			return q, err
		}
	}
	if q.Unit != ByActor && q.Unit != BySession {
		return q, fault.ErrInput.On("input.unit").Saying("there is no such unit")
	}
	if q.WindowSeconds < 1 || q.WindowSeconds > int(maxFunnelWindow/time.Second) {
		return q, fault.ErrInput.On("input.windowSeconds").Saying("the window is between 1 second and 366 days")
	}
	if q.By == "" {
		q.Top = maxTop // means nothing then: equal queries have one form
	}
	if err := cmp.Or(checkBy(q.By), checkTop(q.Top)); err != nil {
		return q, err
	}
	var err error
	q.Span, err = q.Span.check()
	return q, err
}

func (q FunnelQuery) window() time.Duration { return time.Duration(q.WindowSeconds) * time.Second }

// reading is what has to be read for the funnel.
func (q FunnelQuery) reading(from, to time.Time, after string) reading {
	r := reading{unit: q.Unit, after: after, dims: dimsOf(q.By, q.Steps...)}
	for _, st := range q.Steps { // the first one too: ranges that differ would be looked for one by one
		r.any = append(r.any, st.in(from, to.Add(q.window())))
	}
	return r
}

// Funnel computes a funnel. Cost: 1 read of the events of its steps, at most Config.JourneyRows.
//
// Errors: FORBIDDEN, BAD_USER_INPUT, REPORT_RANGE, REPORT_TOO_LARGE.
func (s *Service) Funnel(ctx context.Context, q FunnelQuery) (Funnel, error) {
	if err := s.mayRead(ctx); err != nil {
		return Funnel{}, err
	}
	q, err := q.check()
	if err != nil {
		return Funnel{}, err
	}
	return s.funnel(ctx, q)
}

func (s *Service) funnel(ctx context.Context, q FunnelQuery) (Funnel, error) {
	f := Funnel{}
	f.From, f.To = q.bounds(s.now())
	total, byKey := newTally(len(q.Steps)), map[string]*tally{}
	var err error
	f.Read, err = s.eachAttempt(ctx, q, "", func(_ string, a attempt) bool {
		total.count(a)
		if q.By != "" {
			if byKey[a.key] == nil {
				byKey[a.key] = newTally(len(q.Steps))
			}
			byKey[a.key].count(a)
		}
		return true
	})
	if err != nil {
		return Funnel{}, err
	}
	f.Steps, f.Groups = total.steps(q.Steps), groups(q, byKey)
	return f, nil
}

// eachAttempt gives the attempt that counts of each unit that has done the first step, by unit, while fn wants more.
func (s *Service) eachAttempt(ctx context.Context, q FunnelQuery, after string, fn func(unit string, a attempt) bool) (read int, err error) {
	from, to := q.bounds(s.now())
	run, unit, more := newFunnelRun(q, to), "", true
	end := func() bool {
		if more && len(run.best.at) > 0 {
			more = fn(unit, run.best)
		}
		run.reset()
		return more
	}
	read, err = s.journey(ctx, q.reading(from, to, after), func(m moment) bool {
		if m.unit != unit && !end() {
			return false
		}
		unit = m.unit
		run.step(m)
		return true
	})
	if err == nil {
		end()
	}
	return read, err
}

// attempt is a way into the funnel: the times of the steps it has done, unix ms, and the group of its first event.
type attempt struct {
	key string
	at  []int64
}

// funnelRun follows the events of one unit, in order. Each event that is the first step begins an attempt, and each
// attempt takes the first event after that which is its next step, if the window still holds. The attempt that counts is
// the one that comes furthest, the earliest of several.
//
// waiting[i] are the attempts that have done i+1 steps, by their begin, and every one of waiting[i+1] began before those:
// an event takes all of waiting[i] along, so who is left there came later.
type funnelRun struct {
	q       FunnelQuery
	window  int64 // ms
	to      int64 // no attempt begins from here on
	waiting [][]attempt
	best    attempt
}

func newFunnelRun(q FunnelQuery, to time.Time) *funnelRun {
	return &funnelRun{q: q, window: q.window().Milliseconds(), to: to.UnixMilli(), waiting: make([][]attempt, len(q.Steps))}
}

func (r *funnelRun) reset() {
	r.best = attempt{}
	for i := range r.waiting {
		r.waiting[i] = nil
	}
}

// step takes the next event. An event can be several steps: it is then one of each, of different attempts, so the later
// steps are looked at first.
func (r *funnelRun) step(m moment) {
	last := len(r.q.Steps) - 1
	if len(r.best.at) > last {
		return // nothing comes further, nor earlier
	}
	for i := last; i > 0; i-- {
		if len(r.waiting[i-1]) == 0 || !r.q.Steps[i].picks(m.name, m.dims) {
			continue
		}
		gone := r.alive(r.waiting[i-1], m.at)
		r.waiting[i-1] = nil
		for j := range gone {
			gone[j].at = append(gone[j].at, m.at)
		}
		if len(gone) > 0 && i+1 > len(r.best.at) {
			r.best = gone[0]
		}
		r.waiting[i] = append(r.alive(r.waiting[i], m.at), gone...)
	}
	if m.at < r.to && r.q.Steps[0].picks(m.name, m.dims) {
		a := attempt{key: r.key(m), at: []int64{m.at}}
		if len(r.best.at) == 0 {
			r.best = a
		}
		r.waiting[0] = append(r.alive(r.waiting[0], m.at), a)
	}
}

// alive are the attempts whose window still holds.
func (r *funnelRun) alive(all []attempt, now int64) []attempt {
	for len(all) > 0 && all[0].at[0] < now-r.window {
		all = all[1:]
	}
	return all
}

func (r *funnelRun) key(m moment) string {
	if v, ok := m.dims[r.q.By]; ok || r.q.By == "" {
		return v
	}
	return KeyNone
}

// tally counts attempts.
type tally struct {
	entered []int64   // by step
	took    [][]int64 // by step: ms since the step before
}

func newTally(steps int) *tally {
	return &tally{entered: make([]int64, steps), took: make([][]int64, steps)}
}

func (t *tally) count(a attempt) {
	for i, at := range a.at {
		if t.entered[i]++; i > 0 {
			t.took[i] = append(t.took[i], at-a.at[i-1])
		}
	}
}

func (t *tally) add(o *tally) {
	for i := range t.entered {
		t.entered[i] += o.entered[i]
		t.took[i] = append(t.took[i], o.took[i]...)
	}
}

func (t *tally) steps(of []Selector) []FunnelStep {
	steps := make([]FunnelStep, len(of))
	for i := range steps {
		next := t.entered[min(i+1, len(of)-1)]
		steps[i] = FunnelStep{Event: of[i].Event, Entered: t.entered[i], Converted: next, Dropped: t.entered[i] - next}
		slices.Sort(t.took[i])
		steps[i].MedianSeconds, steps[i].P90Seconds = quantile(t.took[i], 0.5), quantile(t.took[i], 0.9)
	}
	return steps
}

// quantile is the least of the sorted times that a share of them does not exceed, in seconds; nil when there is none.
func quantile(sorted []int64, share float64) *float64 {
	if len(sorted) == 0 {
		return nil
	}
	at := int(math.Ceil(share*float64(len(sorted)))) - 1
	return new(float64(sorted[at]) / 1000)
}

// groups are the groups most entered, ties by key, and the rest in one.
func groups(q FunnelQuery, byKey map[string]*tally) []FunnelGroup {
	keys := slices.SortedFunc(maps.Keys(byKey), func(a, b string) int {
		return cmp.Or(cmp.Compare(byKey[b].entered[0], byKey[a].entered[0]), cmp.Compare(a, b))
	})
	all := []FunnelGroup{}
	rest := newTally(len(q.Steps))
	for i, key := range keys {
		if i < q.Top {
			all = append(all, FunnelGroup{Key: key, Steps: byKey[key].steps(q.Steps)})
		} else {
			rest.add(byKey[key])
		}
	}
	if rest.entered[0] > 0 {
		all = append(all, FunnelGroup{Key: KeyOther, Steps: rest.steps(q.Steps)})
	}
	return all
}
