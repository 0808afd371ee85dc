package analytics

import (
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// Permissions of this package.
const (
	PermTrack  = "analytics.event.track"
	PermView   = "analytics.report.view"
	PermManage = "analytics.metric.manage"
	PermSource = "analytics.source.manage"
)

// Permissions says what each permission of this package allows.
func Permissions() map[string]string {
	return map[string]string{
		PermTrack:             "Store events.",
		PermView + "(metric)": "See metrics and reports, also live.",

		PermManage: "Define metrics, and check or rebuild their rollups.",
		PermSource: "Manage ingest keys and the types of events.",
	}
}

// Errors of events and reports.
var (
	ErrEvent     = fault.Define(fault.Invalid, "EVENT_INVALID", "the event is not valid")
	ErrTooOld    = fault.Define(fault.Invalid, "EVENT_TOO_OLD", "events of this name are not kept for so long")
	ErrType      = fault.Define(fault.Invalid, "EVENT_TYPE_INVALID", "the event type is not valid")
	ErrSource    = fault.Define(fault.Invalid, "EVENT_SOURCE_INVALID", "the event source is not valid")
	ErrKey       = fault.Define(fault.Unauthenticated, "INGEST_KEY_INVALID", "there is no such ingest key, or it is disabled")
	ErrOrigin    = fault.Define(fault.Forbidden, "ORIGIN_REFUSED", "the ingest key is not for pages of this origin")
	ErrMetric    = fault.Define(fault.Invalid, "METRIC_UNKNOWN", "there is no such metric")
	ErrDimension = fault.Define(fault.Invalid, "DIMENSION_UNKNOWN", "the metric has no such dimension")
	ErrRange     = fault.Define(fault.Invalid, "REPORT_RANGE", "a report needs either last, or from before to, and at most 1,500 buckets")
	ErrTooLarge  = fault.Define(fault.Invalid, "REPORT_TOO_LARGE", "the report has too many numbers to be followed live: shorten it, or break it down by less")
	ErrDefine    = fault.Define(fault.Invalid, "METRIC_INVALID", "the metric is not valid")
	ErrFile      = fault.Define(fault.Invalid, "INGEST_INVALID", "the file cannot be read as events")
)

// MaxBatch is how many events one call may bring.
const MaxBatch = 1000

// FeatureEvents is the plan feature that counts the events a user, or an ingest key of theirs, stores.
const FeatureEvents = "analytics.events"

// Event is a fact of the product that is counted: immutable, stored once by its client-made id.
type Event struct {
	ID         string             `bson:"_id"`
	Name       string             `bson:"name"`
	At         time.Time          `bson:"at"`
	ReceivedAt time.Time          `bson:"receivedAt"`
	User       string             `bson:"user,omitempty"`    // who sent it; empty without consent
	Actor      string             `bson:"actor,omitempty"`   // whom it is about: id of a user, or one made by the client; empty without consent
	Session    string             `bson:"session,omitempty"` // the client's own session; empty without consent
	Source     string             `bson:"source,omitempty"`  // id of the ingest key that brought it; empty for signed-in senders
	Dims       map[string]string  `bson:"dims,omitempty"`
	Values     map[string]float64 `bson:"values,omitempty"`
}

// Metric says what is counted or measured: the events of one name, optionally one value of theirs, and the dimensions
// that rollups are kept for.
type Metric struct {
	Key        string   `bson:"_id"`
	Event      string   `bson:"event"`
	Value      string   `bson:"value,omitempty"`
	Dimensions []string `bson:"dimensions"`
	Version    int64    `bson:"v"` // +1 with each change; rollups are computed anew for each version
}

// Aggregate is how the events of a bucket become one number.
type Aggregate string

// The aggregates.
const (
	Count Aggregate = "COUNT"
	Sum   Aggregate = "SUM"
	Avg   Aggregate = "AVG"
	Min   Aggregate = "MIN"
	Max   Aggregate = "MAX"
)

// Step is the width of the buckets of a report.
type Step string

// The steps. Hours and days are those of UTC.
const (
	Minute Step = "MINUTE"
	Hour   Step = "HOUR"
	Day    Step = "DAY"
)

// Duration is the width of the bucket.
func (s Step) Duration() time.Duration {
	switch s {
	case Hour:
		return time.Hour
	case Day:
		return 24 * time.Hour
	case Minute:
	}
	return time.Minute
}

// MaxBuckets is how many buckets a report may have.
const MaxBuckets = 1500

// Query is what a report is to show. Either Last is given, or From and To.
type Query struct {
	Metric    string
	Aggregate Aggregate
	Step      Step
	Last      int // the last so many buckets up to now
	From, To  time.Time
	By        string // dimension to break down by; empty for the total
	Top       int    // values of the dimension to show, 1 to 50, those with the most events first; 0 means 10
}

// Point is one number of a report.
type Point struct {
	At    time.Time
	Key   string   // value of the dimension; empty for the total
	Value *float64 // nil where no event carried the value
	Count int64
}

// Source is what a report was computed from.
type Source string

// Rollup1m are the rollups by the minute.
const Rollup1m Source = "ROLLUP_1M"

// Report is a computed report.
type Report struct {
	Query    Query
	From, To time.Time
	Points   []Point // not empty ones, by time, then by key
	Source   Source
	Exact    bool       // false only while the rollups of the metric are computed anew
	Through  *time.Time // events stored up to here are in the numbers; nil before the first, and while not exact
}

// ReportDelta is what changed in a live report since the message before. To apply it: forget the points of the dropped
// keys and those before From, then put each point in the place of the one of the same At and Key.
type ReportDelta struct {
	From, To time.Time
	Points   []Point  // by time, then by key
	Dropped  []string // keys no longer among the top; a key that comes in has all of its points in Points
	Through  *time.Time
}

// Metric is the key of the metric shown.
func (r Report) Metric() string { return r.Query.Metric }

// Aggregate is how the events of a bucket became one number.
func (r Report) Aggregate() Aggregate { return r.Query.Aggregate }

// Step is the width of a bucket.
func (r Report) Step() Step { return r.Query.Step }
