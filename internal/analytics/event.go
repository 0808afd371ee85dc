package analytics

import (
	"encoding/json"
	"math"
	"time"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/fault"
)

// Bounds of an event.
const (
	maxAhead     = 5 * time.Minute // how far the clock of a client may be ahead
	maxDims      = 16
	maxValues    = 8
	maxDimBytes  = 256
	maxMagnitude = 1e100 // so that no sum of values can leave the range of a double
)

// Consent says whether whom an event is about lets it be linked to them.
type Consent string

// The answers. Without one the sender vouches for it: that is Granted.
const (
	Granted Consent = "GRANTED"
	Denied  Consent = "DENIED" // it counts, and nothing stored of it points at anybody
)

// EventCmd is an event as a client brings it; see [Service.Track].
type EventCmd struct {
	ID      string         // 8 to 64 letters, digits, dots, dashes and underscores
	Name    string         // 1 to 64 of the same
	At      *time.Time     // from 1970 to 5 minutes from now; nil for now
	Actor   string         // whom it is about: formed as an id; empty for nobody known
	Session string         // formed as an id; empty for none
	Consent Consent        // empty for Granted
	Dims    map[string]any // at most 16 texts of at most 256 bytes, by names of 1 to 64 letters, digits and underscores
	Values  map[string]any // at most 8 finite numbers between -1e100 and 1e100, by such names
}

// event checks the command. The field of a refusal is relative to the event, such as "at".
func (c EventCmd) event(now time.Time, user string) (Event, *fault.Error) {
	e := Event{ID: c.ID, Name: c.Name, At: now, ReceivedAt: now}
	for _, id := range []struct{ field, text string }{{"id", c.ID}, {"actor", c.Actor}, {"session", c.Session}} {
		if !isID(id.text) && (id.text != "" || id.field == "id") {
			return e, ErrEvent.On(id.field).Saying("the %s of an event is 8 to 64 letters, digits, dots, dashes or underscores", id.field)
		}
	}
	switch c.Consent {
	case "", Granted:
		e.User, e.Actor, e.Session = user, c.Actor, c.Session
	case Denied:
	default:
		return e, ErrEvent.On("consent").Saying("consent is GRANTED or DENIED")
	}
	if !isName(c.Name, ".-") {
		return e, ErrEvent.On("name").Saying("an event name is 1 to 64 letters, digits, dots, dashes or underscores")
	}
	if c.Actor != "" && !isID(c.Actor) {
		return e, ErrEvent.On("actor").Saying("an actor is 8 to 64 letters, digits, dots, dashes or underscores")
	}
	if c.Session != "" && !isID(c.Session) {
		return e, ErrEvent.On("session").Saying("a session is 8 to 64 letters, digits, dots, dashes or underscores")
	}
	if c.At != nil {
		e.At = c.At.UTC().Truncate(time.Millisecond)
		if e.At.Unix() < 0 || e.At.After(now.Add(maxAhead)) {
			return e, ErrEvent.On("at").Saying("an event happened between 1970 and 5 minutes from now")
		}
	}
	var bad *fault.Error
	if e.Dims, bad = dims(c.Dims); bad != nil {
		return e, bad
	}
	e.Values, bad = values(c.Values)
	return e, bad
}

func dims(given map[string]any) (map[string]string, *fault.Error) {
	if len(given) == 0 {
		return nil, nil
	}
	if len(given) > maxDims {
		return nil, ErrEvent.On("dims").Saying("an event has at most %d dimensions", maxDims)
	}
	out := make(map[string]string, len(given))
	for k, v := range given {
		s, ok := v.(string)
		if !isName(k, "") {
			return nil, ErrEvent.On("dims").Saying("the name of a dimension is 1 to 64 letters, digits or underscores")
		}
		if !ok || len(s) > maxDimBytes || !utf8.ValidString(s) {
			return nil, ErrEvent.On("dims."+k).Saying("a dimension is a text of at most %d bytes", maxDimBytes)
		}
		out[k] = s
	}
	return out, nil
}

func values(given map[string]any) (map[string]float64, *fault.Error) {
	if len(given) == 0 {
		return nil, nil
	}
	if len(given) > maxValues {
		return nil, ErrEvent.On("values").Saying("an event has at most %d values", maxValues)
	}
	out := make(map[string]float64, len(given))
	for k, v := range given {
		f, ok := number(v)
		if !isName(k, "") {
			return nil, ErrEvent.On("values").Saying("the name of a value is 1 to 64 letters, digits or underscores")
		}
		if !ok || math.IsNaN(f) || math.Abs(f) > maxMagnitude {
			return nil, ErrEvent.On("values." + k).Saying("a value is a finite number between -1e100 and 1e100")
		}
		out[k] = f
	}
	return out, nil
}

// number takes the forms a number has in decoded JSON and in a GraphQL document.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	default:
		return 0, false
	}
}

// isID reports whether s is 8 to 64 letters, digits, dots, dashes and underscores.
func isID(s string) bool { return len(s) >= 8 && isName(s, ".-") }

// isName reports whether s is 1 to 64 letters, digits, underscores or characters of more.
func isName(s, more string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
		for j := 0; !letter && j < len(more); j++ {
			letter = c == more[j]
		}
		if !letter {
			return false
		}
	}
	return true
}
