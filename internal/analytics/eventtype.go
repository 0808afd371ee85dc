package analytics

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// The bounds of event types.
const (
	maxDescription = 1000      // bytes
	maxRetention   = 100 * 366 // days
	maxTypes       = 1000      // definitions
	maxNames       = 1000      // names of stored events that are listed
	maxStored      = 1000      // events of a name that are counted for the list
	day            = 24 * time.Hour
)

// EventType says what is known of the events of one name. Events of other names are stored all the same.
type EventType struct {
	Name          string   `bson:"_id"`
	Description   string   `bson:"description,omitempty"`
	Dims          []string `bson:"dims"`          // names of their dimensions
	Values        []string `bson:"values"`        // names of their values
	Strict        bool     `bson:"strict"`        // events with other dimensions or values are refused
	RetentionDays int      `bson:"retentionDays"` // older events are refused, and removed; 0 for none
}

// Named is what there is of one name of events.
type Named struct {
	EventType

	Known  bool       // it was defined; otherwise it is only the name of stored events
	Stored int64      // how many are stored, counted up to 1,000
	LastAt *time.Time // when the newest of them happened; nil for none
}

// checked is the definition in its normal form.
//
// Errors: EVENT_TYPE_INVALID.
func (t EventType) checked() (EventType, error) {
	t.Description = strings.TrimSpace(t.Description)
	switch {
	case !isName(t.Name, ".-"):
		return t, ErrType.On("input.name").Saying("an event name is 1 to 64 letters, digits, dots, dashes or underscores")
	case len(t.Description) > maxDescription || !utf8.ValidString(t.Description):
		return t, ErrType.On("input.description").Saying("a description has at most %d bytes", maxDescription)
	case t.RetentionDays < 0 || t.RetentionDays > maxRetention:
		return t, ErrType.On("input.retentionDays").Saying("events are kept for 1 to %d days, or with 0 for ever", maxRetention)
	}
	for field, list := range map[string]struct {
		names *[]string
		most  int
	}{"input.dims": {&t.Dims, maxDims}, "input.values": {&t.Values, maxValues}} {
		sorted := slices.Compact(slices.Sorted(slices.Values(*list.names)))
		if len(sorted) > list.most || slices.ContainsFunc(sorted, func(n string) bool { return !isName(n, "") }) {
			return t, ErrType.On(field).Saying("at most %d names of 1 to 64 letters, digits or underscores", list.most)
		}
		*list.names = append([]string{}, sorted...) // stored as an empty list, not as null
	}
	return t, nil
}

func (t EventType) equal(o EventType) bool {
	return t.Name == o.Name && t.Description == o.Description && slices.Equal(t.Dims, o.Dims) && slices.Equal(t.Values, o.Values) &&
		t.Strict == o.Strict && t.RetentionDays == o.RetentionDays
}

// check refuses an event that its type does not take. The zero type takes all.
func (t EventType) check(e Event, now time.Time) *fault.Error {
	if t.RetentionDays > 0 && e.At.Before(now.Add(-time.Duration(t.RetentionDays)*day)) {
		return ErrTooOld.On("at").Saying("events of this name are kept for %d days", t.RetentionDays)
	}
	if !t.Strict {
		return nil
	}
	for name := range e.Dims {
		if !slices.Contains(t.Dims, name) {
			return ErrEvent.On("dims." + name).Saying("events of this name have no such dimension")
		}
	}
	for name := range e.Values {
		if !slices.Contains(t.Values, name) {
			return ErrEvent.On("values." + name).Saying("events of this name have no such value")
		}
	}
	return nil
}

const (
	typePrefix  = "analytics.type."
	typeDefined = typePrefix + "defined"
)

type typeChange struct {
	Before *EventType `bson:"before"`
	After  EventType  `bson:"after"`
}

// DefineEventType says what is known of the events of a name, or changes it; saying the same again changes nothing. Events
// that are stored already stay as they are. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: FORBIDDEN, EVENT_TYPE_INVALID.
func (s *Service) DefineEventType(ctx context.Context, t EventType) (EventType, error) {
	if err := s.authz.Require(ctx, PermSource, ref.Ref{}); err != nil {
		return t, err
	}
	t, err := t.checked()
	if err != nil {
		return t, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		all, err := s.store.eventTypes(ctx)
		if err != nil {
			return err
		}
		cur, known := all[t.Name]
		switch {
		case known && cur.equal(t):
			return nil
		case !known && len(all) >= maxTypes:
			return ErrType.Saying("there are at most %d event types", maxTypes)
		}
		if err := s.store.putEventType(ctx, t); err != nil {
			return err
		}
		change := typeChange{After: t}
		if known {
			change.Before = &cur
		}
		return s.events.Append(ctx, typeDefined, ref.New(ref.EventType, t.Name), change)
	})
	s.types.forget()
	return t, err
}

// EventTypes lists the event types, and the names of stored events that are none, by name: at most 1,000 of the latter.
// Cost: 1 aggregation that reads up to 1,000 entries of the index for each name.
//
// Errors: FORBIDDEN.
func (s *Service) EventTypes(ctx context.Context) ([]Named, error) {
	if err := s.authz.Require(ctx, PermSource, ref.Ref{}); err != nil {
		return nil, err
	}
	known, err := s.types.get(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := s.store.named(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]Named, len(known)+len(seen))
	for _, n := range seen {
		n.EventType = EventType{Name: n.Name, Dims: []string{}, Values: []string{}}
		all[n.Name] = n
	}
	for name, t := range known {
		n := all[name]
		n.EventType, n.Known = t, true
		all[name] = n
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Named) int { return cmp.Compare(a.Name, b.Name) }), nil
}

// retentions is for how many days the events of a name are kept, for those that are not kept for ever.
func (s *Service) retentions(ctx context.Context) (map[string]int, error) {
	types, err := s.types.get(ctx)
	days := map[string]int{}
	for name, t := range types {
		if t.RetentionDays > 0 {
			days[name] = t.RetentionDays
		}
	}
	return days, err
}
