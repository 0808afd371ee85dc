package analytics

import (
	"context"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
)

// Scan says which stored events are read one after the other: by the time they happened, then by their ids.
type Scan struct {
	Name     string      // of the events
	Where    []DimFilter // all must hold
	From, To time.Time   // of At, from and up to; zero for no bound
}

// Place is where a scan is: behind the event of that time and id. The zero Place is the beginning.
type Place struct {
	At time.Time
	ID string
}

// PlaceOf is the place behind an event.
func PlaceOf(e Event) Place { return Place{e.At, e.ID} }

// String is the place as a client can make it too, of any event it knows; empty for the beginning.
func (p Place) String() string {
	if p == (Place{}) {
		return ""
	}
	return p.At.UTC().Format(time.RFC3339Nano) + "," + p.ID
}

// ParsePlace reads what String writes.
//
// Errors: BAD_CURSOR.
func ParsePlace(text string) (Place, error) {
	if text == "" {
		return Place{}, nil
	}
	when, id, _ := strings.Cut(text, ",")
	at, err := time.Parse(time.RFC3339Nano, when)
	if err != nil || !isName(id, ".-") {
		return Place{}, page.ErrCursor
	}
	return Place{at.UTC(), id}, nil
}

// check refuses a scan that is none.
//
// Errors: BAD_USER_INPUT.
func (c Scan) check() error {
	if !isName(c.Name, ".-") {
		return fault.ErrInput.On("input.name").Saying("the events need a name")
	}
	return checkFilters(c.Where, "input.where")
}

// ScanEvents reads up to so many events behind a place. Cost: one read; a filter that few events pass reads many that do not,
// within the deadline of ctx.
//
// Errors: FORBIDDEN, BAD_USER_INPUT.
func (s *Service) ScanEvents(ctx context.Context, c Scan, behind Place, limit int) ([]Event, error) {
	if err := s.authz.Require(ctx, PermRead, ref.Ref{}); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return s.store.eventsBehind(ctx, c, behind, limit)
}

// CountEvents counts the events behind a place, up to a limit, or all with 0. Cost: one read of the index; of the events with
// a filter.
//
// Errors: FORBIDDEN, BAD_USER_INPUT.
func (s *Service) CountEvents(ctx context.Context, c Scan, behind Place, limit int64) (int64, error) {
	if err := s.authz.Require(ctx, PermRead, ref.Ref{}); err != nil {
		return 0, err
	}
	if err := c.check(); err != nil {
		return 0, err
	}
	return s.store.countBehind(ctx, c, behind, limit)
}
