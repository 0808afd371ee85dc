package reporting

import (
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/ref"
)

// Condition is what an alert watches for.
type Condition string

// The conditions.
const (
	Above  Condition = "ABOVE"
	Below  Condition = "BELOW"
	Absent Condition = "ABSENT" // no event at all
)

// State is how an alert stands.
type State string

// The states.
const (
	OK      State = "OK"
	Pending State = "PENDING" // the condition holds, but not yet for long enough
	Firing  State = "FIRING"
)

// Alert watches the newest bucket of a saved report that has ended. Of a report with a breakdown it looks at the greatest value
// (ABOVE) or the least (BELOW).
type Alert struct {
	ID          string     `bson:"_id"`
	Owner       string     `bson:"owner"` // id of the user whose rights it looks with
	On          ref.Ref    `bson:"on"`    // a saved report
	Condition   Condition  `bson:"condition"`
	Threshold   float64    `bson:"threshold"`
	Recover     float64    `bson:"recover"`    // an alert that fires is over when the value is back at this: the space between is for a value that swings
	For         int        `bson:"for"`        // looks in a row for which the condition has to hold
	Recipients  []string   `bson:"recipients"` // ids of users
	State       State      `bson:"state"`
	Since       time.Time  `bson:"since"`           // of the state
	Value       *float64   `bson:"value,omitempty"` // at the last look; nil when there was none
	Streak      int        `bson:"streak"`          // looks in a row for which the condition has held
	EvaluatedAt *time.Time `bson:"evaluatedAt,omitempty"`
	Paused      bool       `bson:"paused"`
	Reason      string     `bson:"reason,omitempty"` // why the server has paused it
	DueAt       *time.Time `bson:"dueAt,omitempty"`
	CreatedAt   time.Time  `bson:"createdAt"`
	Version     int64      `bson:"v"`
}

// Ref is the alert as a reference.
func (a Alert) Ref() ref.Ref { return ref.New(ref.Alert, a.ID) }

// maxFor is how many looks an alert may wait.
const maxFor = 100

// check refuses what could not work.
//
// Errors: ALERT_INVALID.
func (a Alert) check() error {
	bad := func(field, why string, args ...any) error { return ErrAlert.Saying(why, args...).On("input." + field) }
	switch {
	case !slices.Contains([]Condition{Above, Below, Absent}, a.Condition):
		return bad("condition", "there is no such condition")
	case a.Condition == Above && a.Recover > a.Threshold:
		return bad("recover", "an alert above a threshold is over at or below it")
	case a.Condition == Below && a.Recover < a.Threshold:
		return bad("recover", "an alert below a threshold is over at or above it")
	case a.For < 1 || a.For > maxFor:
		return bad("for", "an alert waits for 1 to %d looks", maxFor)
	}
	return nil
}

// observe is the alert after a look at the value. Without a value nothing can be told, and nothing changes.
func (a Alert) observe(value *float64, now time.Time) Alert {
	a.Value, a.EvaluatedAt = value, &now
	a.Version++
	if value == nil {
		return a
	}
	state := a.State
	switch holds := a.holds(*value); {
	case a.State == Firing && !a.over(*value):
	case !holds:
		state, a.Streak = OK, 0
	default:
		state = Pending
		if a.Streak++; a.Streak >= a.For {
			state = Firing
		}
	}
	if state != a.State {
		a.State, a.Since = state, now
	}
	return a
}

func (a Alert) holds(v float64) bool {
	switch a.Condition {
	case Above:
		return v > a.Threshold
	case Below:
		return v < a.Threshold
	case Absent:
	}
	return v == 0 // events
}

// over reports whether an alert that fires has come to its end.
func (a Alert) over(v float64) bool {
	switch a.Condition {
	case Above:
		return v <= a.Recover
	case Below:
		return v >= a.Recover
	case Absent:
	}
	return v > 0
}

// watched is the query that an alert needs of a report: the bucket that now is in and the one before, all of it filled in, for
// what is not there counts as well.
func watched(q analytics.Query) analytics.Query {
	if q.MovingAverage == 0 && !q.Cumulative {
		q.Last = 2
	}
	q.Last = max(q.Last, 2)
	q.Compare, q.Fill = analytics.CompareNone, analytics.FillNull
	switch q.Aggregate { //nolint:exhaustive // the rest have no value without events
	case analytics.Count, analytics.Sum, analytics.Rate, analytics.Unique:
		q.Fill = analytics.FillZero
	}
	return q
}

// reading is what an alert looks at in a report that was made for it; nil when there is no value.
func (a Alert) reading(r analytics.Report, now time.Time) *float64 {
	var at time.Time // the newest bucket that is followed by another, which now is in
	var newest time.Time
	for _, p := range r.Points {
		if p.At.After(newest) {
			at, newest = newest, p.At
		}
	}
	if !r.To.After(now) {
		at = newest
	}
	var value *float64
	events := 0.0
	for _, p := range r.Points {
		if !p.At.Equal(at) {
			continue
		}
		events += float64(p.Count)
		if p.Value != nil && (value == nil || a.Condition == Above && *p.Value > *value || a.Condition == Below && *p.Value < *value) {
			value = p.Value
		}
	}
	if a.Condition == Absent {
		return &events
	}
	return value
}
