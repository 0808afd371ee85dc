package analytics

import (
	"context"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
)

// EventFilter says which events are to be seen: those for which all that is given holds.
type EventFilter struct {
	Names    []string // any of these, at most 50
	Actor    string
	Session  string
	Where    []DimFilter // at most 5
	From, To time.Time   // of At, from and up to
}

// check refuses a filter that is none and gives its canonical form.
func (f EventFilter) check() (EventFilter, error) {
	if len(f.Names) > maxPathNames {
		return f, fault.ErrInput.On("filter.names").Saying("there are at most %d names", maxPathNames)
	}
	f.Names = slices.Compact(slices.Sorted(slices.Values(f.Names)))
	f.From, f.To = f.From.UTC(), f.To.UTC()
	return f, checkFilters(f.Where, "filter.where")
}

// holds reports whether the filter lets an event through.
func (f EventFilter) holds(e Event) bool {
	return (len(f.Names) == 0 || slices.Contains(f.Names, e.Name)) &&
		(f.Actor == "" || f.Actor == e.Actor) && (f.Session == "" || f.Session == e.Session) &&
		(f.From.IsZero() || !e.At.Before(f.From)) && (f.To.IsZero() || e.At.Before(f.To)) && allHold(f.Where, e.Dims)
}

// Events lists the stored events that the filter lets through, those that happened last first. Cost: 2 reads, and one more
// for the names if the filter has neither names nor an actor. A filter that few events pass reads many that do not,
// within the deadline of ctx.
//
// Errors: FORBIDDEN, BAD_USER_INPUT, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Events(ctx context.Context, f EventFilter, args page.Args) (page.Page[Event], error) {
	var none page.Page[Event]
	if err := s.mayRead(ctx); err != nil {
		return none, err
	}
	f, err := f.check()
	if err != nil {
		return none, err
	}
	w, err := args.Check(2)
	if err != nil {
		return none, err
	}
	found, err := s.store.newest(ctx, f, w)
	if err != nil {
		return none, err
	}
	return page.Fold(w, found, func(e Event) page.Cursor { return page.Cursor{e.At.UTC().Format(time.RFC3339Nano), e.ID} }), nil
}

// placeOf is the time and the id a cursor stands for.
//
// Errors: BAD_CURSOR.
func placeOf(c page.Cursor) (at time.Time, id any, err error) {
	text, _ := c[0].(string)
	if at, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return at, nil, page.ErrCursor
	}
	return at, c[1], nil
}
