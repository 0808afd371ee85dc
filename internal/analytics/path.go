package analytics

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// Bounds of paths.
const (
	maxDepth     = 5
	maxPathNames = 50
)

// Direction is the way paths are followed.
type Direction string

// The directions.
const (
	After  Direction = "AFTER"
	Before Direction = "BEFORE"
)

// What stands in a path for a session without a further event.
const (
	PathStart = "$start"
	PathEnd   = "$end"
)

// PathsQuery asks what sessions do after, or did before, their first event of a kind.
type PathsQuery struct {
	Anchor    Selector
	Direction Direction
	Depth     int      // 1 to 5
	Top       int      // links to show of each level, 1 to 50
	Events    []string // names that are steps, at most 50; empty for all
	By        string   // dimension that tells events of one name apart, such as the page; empty for none
	Span
}

// PathLink is that sessions went from one step to another.
type PathLink struct {
	From, To string // name of the event, with By "name: value" where it has the dimension; or [PathStart] or [PathEnd]
	Sessions int64
	Share    float64 // of all sessions with the anchor
}

// PathLevel are the links so many steps away from the anchor.
type PathLevel struct {
	Level int        // 1 is next to the anchor
	Links []PathLink // those of the most sessions first
	Other int64      // sessions whose link is not among them
}

// Paths are computed paths.
type Paths struct {
	From, To time.Time
	Sessions int64 // with the anchor
	Levels   []PathLevel
	Read     int // events read for it
}

// check refuses a query that is none and gives its canonical form.
//
// Errors: BAD_USER_INPUT, REPORT_RANGE.
func (q PathsQuery) check() (PathsQuery, error) {
	if err := q.Anchor.check("input.anchor"); err != nil {
		return q, err
	}
	if q.Direction != After && q.Direction != Before {
		return q, fault.ErrInput.On("input.direction").Saying("there is no such direction")
	}
	if q.Depth < 1 || q.Depth > maxDepth {
		return q, fault.ErrInput.On("input.depth").Saying("depth is between 1 and %d", maxDepth)
	}
	if len(q.Events) > maxPathNames || slices.ContainsFunc(q.Events, func(n string) bool { return !isName(n, ".-") }) {
		return q, fault.ErrInput.On("input.events").Saying("there are at most %d names of events", maxPathNames)
	}
	q.Events = slices.Compact(slices.Sorted(slices.Values(q.Events)))
	if err := cmp.Or(checkBy(q.By), checkTop(q.Top)); err != nil {
		return q, err
	}
	var err error
	q.Span, err = q.Span.check()
	return q, err
}

// Paths computes paths. Cost: 1 read of all events of sessions in the range, or of those named, at most
// Config.JourneyRows, and one of the names if none are given.
//
// Errors: FORBIDDEN, BAD_USER_INPUT, REPORT_RANGE, REPORT_TOO_LARGE.
func (s *Service) Paths(ctx context.Context, q PathsQuery) (Paths, error) {
	if err := s.mayRead(ctx); err != nil {
		return Paths{}, err
	}
	q, err := q.check()
	if err != nil {
		return Paths{}, err
	}
	return s.paths(ctx, q)
}

func (s *Service) paths(ctx context.Context, q PathsQuery) (Paths, error) {
	from, to := q.bounds(s.now())
	names := q.Events
	if len(names) == 0 {
		var err error
		if names, err = s.store.names(ctx); err != nil {
			return Paths{}, err
		}
	}
	r := reading{unit: BySession, any: []branch{{names: names, from: from, to: to}}, dims: dimsOf(q.By, q.Anchor)}
	if !slices.Contains(names, q.Anchor.Event) {
		r.any = append(r.any, q.Anchor.in(from, to))
	}
	run := newPathRun(q)
	read, err := s.journey(ctx, r, func(m moment) bool {
		run.step(m)
		return true
	})
	if err != nil {
		return Paths{}, err
	}
	run.end()
	return Paths{From: from, To: to, Sessions: run.sessions, Levels: run.levels(), Read: read}, nil
}

// pathRun follows sessions one after the other, each in order. Steps of one name that follow one another are one step.
type pathRun struct {
	q        PathsQuery
	sessions int64
	edges    []map[[2]string]int64 // by level from 0

	session string
	steps   []string // the last steps before the anchor; from the anchor on: it and those after
	found   bool
}

func newPathRun(q PathsQuery) *pathRun {
	r := &pathRun{q: q, edges: make([]map[[2]string]int64, q.Depth)}
	for i := range r.edges {
		r.edges[i] = map[[2]string]int64{}
	}
	return r
}

func (r *pathRun) step(m moment) {
	if m.unit != r.session {
		r.end()
		r.session, r.steps, r.found = m.unit, r.steps[:0], false
	}
	if r.found && (r.q.Direction == Before || len(r.steps) > r.q.Depth) {
		return
	}
	label := m.name
	if v, ok := m.dims[r.q.By]; ok && r.q.By != "" {
		label += ": " + v
	}
	anchor := !r.found && r.q.Anchor.picks(m.name, m.dims)
	if anchor && r.q.Direction == After {
		r.steps = r.steps[:0]
	}
	r.found = r.found || anchor
	if n := len(r.steps); n > 0 && r.steps[n-1] == label {
		return
	}
	if r.steps = append(r.steps, label); len(r.steps) > r.q.Depth+1 {
		r.steps = slices.Delete(r.steps, 0, 1)
	}
}

// end counts the links of the session.
func (r *pathRun) end() {
	if !r.found {
		return
	}
	r.sessions++
	steps := r.steps
	if len(steps) <= r.q.Depth { // all of the session is known, up to its end or its begin
		if r.q.Direction == After {
			steps = append(steps, PathEnd)
		} else {
			steps = slices.Insert(steps, 0, PathStart)
		}
	}
	for i := range len(steps) - 1 {
		level := i
		if r.q.Direction == Before {
			level = len(steps) - 2 - i
		}
		r.edges[level][[2]string{steps[i], steps[i+1]}]++
	}
	r.found = false
}

func (r *pathRun) levels() []PathLevel {
	levels := make([]PathLevel, len(r.edges))
	for i, edges := range r.edges {
		l := PathLevel{Level: i + 1, Links: []PathLink{}}
		keys := slices.SortedFunc(maps.Keys(edges), func(a, b [2]string) int {
			return cmp.Or(cmp.Compare(edges[b], edges[a]), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
		})
		for j, k := range keys {
			if n := edges[k]; j < r.q.Top {
				l.Links = append(l.Links, PathLink{From: k[0], To: k[1], Sessions: n, Share: float64(n) / float64(r.sessions)})
			} else {
				l.Other += n
			}
		}
		levels[i] = l
	}
	return levels
}
