package analytics

import (
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// Permissions of this package.
const (
	PermTrack  = "analytics.event.track"
	PermView   = "analytics.report.view"
	PermRows   = "analytics.row.view"
	PermManage = "analytics.metric.manage"
	PermRead   = "analytics.event.read"
	PermSource = "analytics.source.manage"
)

// Permissions says what each permission of this package allows.
func Permissions() map[string]string {
	return map[string]string{
		PermTrack:             "Store events.",
		PermView + "(metric)": "See metrics and reports, also live.",

		PermRows + "(dimension,metric,value)": "See reports of a metric as if there were only the events with this value of a dimension.",

		PermManage: "Define metrics, and check or rebuild their rollups.",
		PermRead:   "See single events and those they are about, also live, and export them: the event explorer, funnels, retention and paths.",
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
	ErrTooLarge  = fault.Define(fault.Invalid, "REPORT_TOO_LARGE", "the report would have to read too much: shorten it, or break it down by less")
	ErrGone      = fault.Define(fault.Invalid, "REPORT_UNAVAILABLE", "what this report needs is no longer kept: ask for a coarser step or a later time")
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
	Key        string      `bson:"_id"`
	Event      string      `bson:"event"`
	Value      string      `bson:"value,omitempty"`
	Unique     string      `bson:"unique,omitempty"`    // what [Unique] counts: "actor", "session", "user" or a dimension of the events; empty for nothing
	Quantiles  bool        `bson:"quantiles,omitempty"` // whether the distribution of the value is kept, for [Quantile]
	Where      []DimFilter `bson:"where,omitempty"`     // only events like this
	Dimensions []string    `bson:"dimensions"`          // at most 16
	MaxKeys    int         `bson:"maxKeys"`             // values of one dimension that have rollups of their own, 1 to 5,000; zero means 1,000
	// How long rollups by the minute and by the hour are kept; those by the day are for ever. Zero means 7 and 400 days.
	MinuteDays int   `bson:"minuteDays"`
	HourDays   int   `bson:"hourDays"`
	Version    int64 `bson:"v"`     // +1 with each change; rollups are computed anew for each version
	Basis      int64 `bson:"basis"` // the version since which the same events are counted in the same way
}

// Other is the key under which the events are counted whose value of a dimension came after MaxKeys others, and the rest
// beyond the top of a report.
const Other = "$other"

// DimFilter selects events by one dimension: the value is one of In or, with Not, none of them or not there.
type DimFilter struct {
	Dim string   `bson:"dim"           json:"dimension"`
	In  []string `bson:"in"            json:"in"`
	Not bool     `bson:"not,omitempty" json:"not"`
}

// Aggregate is how the events of a bucket become one number.
type Aggregate string

// The aggregates.
const (
	Count    Aggregate = "COUNT"
	Sum      Aggregate = "SUM"
	Avg      Aggregate = "AVG"
	Min      Aggregate = "MIN"
	Max      Aggregate = "MAX"
	Last     Aggregate = "LAST"     // the value of the latest event; of two at the same time the greater
	Rate     Aggregate = "RATE"     // events a second, over the whole bucket
	Unique   Aggregate = "UNIQUE"   // how many different ones, by HyperLogLog
	Quantile Aggregate = "QUANTILE" // of the value, by DDSketch
)

// The errors of what is not exact: one standard deviation of a HyperLogLog of 2^14 registers, and the bound of a DDSketch.
const (
	uniqueError   = 0.0081
	quantileError = 0.01
)

// Step is the width of the buckets of a report.
type Step string

// The steps.
const (
	Minute  Step = "MINUTE"
	Hour    Step = "HOUR"
	Day     Step = "DAY"
	Week    Step = "WEEK"
	Month   Step = "MONTH"
	Quarter Step = "QUARTER"
	Year    Step = "YEAR"
)

// Weekday is the day a week begins with.
type Weekday string

// The days a week can begin with.
const (
	Monday    Weekday = "MONDAY"
	Tuesday   Weekday = "TUESDAY"
	Wednesday Weekday = "WEDNESDAY"
	Thursday  Weekday = "THURSDAY"
	Friday    Weekday = "FRIDAY"
	Saturday  Weekday = "SATURDAY"
	Sunday    Weekday = "SUNDAY"
)

// Fill is what a report shows for a bucket without events.
type Fill string

// The fills.
const (
	FillNone     Fill = "NONE"     // no point
	FillZero     Fill = "ZERO"     // 0
	FillNull     Fill = "NULL"     // a point without a value
	FillPrevious Fill = "PREVIOUS" // the value of the bucket before
)

// Compare is the other time a report shows beside its own.
type Compare string

// The times to compare with.
const (
	CompareNone   Compare = "NONE"
	ComparePeriod Compare = "PREVIOUS_PERIOD" // as many buckets right before
	CompareYear   Compare = "PREVIOUS_YEAR"   // the same dates a year before; with weeks 52 weeks before
)

// MaxBuckets is how many buckets a report may have.
const MaxBuckets = 1500

// Query is what a report is to show. Either Last is given, or From and To.
type Query struct {
	Metric    string
	Aggregate Aggregate
	Quantile  float64 // with QUANTILE: 0 to 1, such as 0.95
	Step      Step
	TimeZone  string  // whose days, weeks and hours: a name of the IANA database; empty for UTC
	WeekStart Weekday // empty for MONDAY
	Last      int     // the last so many buckets up to now
	From, To  time.Time
	By        string // dimension to break down by; empty for the total
	Top       int    // values of the dimension to show, 1 to 50, those with the most events first; 0 means 10
	Other     bool   // with By: show what the others have in common as [Other]
	Where     []DimFilter
	Fill      Fill    // empty for NONE
	Compare   Compare // empty for NONE
	// MovingAverage makes each value the mean of those of so many buckets up to it, 2 to 100; 0 for none. A bucket without
	// events counts as 0 in a COUNT, SUM, RATE or UNIQUE, and not at all otherwise.
	MovingAverage int
	// Cumulative makes each value that of all events from the begin of the report on. Not together with MovingAverage, nor
	// with RATE.
	Cumulative bool
}

// Point is one number of a report.
type Point struct {
	At    time.Time // begin of the bucket; of a compared one that of the bucket it is compared with
	Key   string    // value of the dimension; empty for the total
	Value *float64  // nil where no event carried the value
	Count int64
}

// Total is the number of all buckets together.
type Total struct {
	Key      string
	Value    *float64
	Count    int64
	Compared *float64 // of the time compared with
}

// Source is what a report was computed from.
type Source string

// The sources.
const (
	Rollup1m Source = "ROLLUP_1M"
	Rollup1h Source = "ROLLUP_1H"
	Rollup1d Source = "ROLLUP_1D"
	Events   Source = "EVENTS" // the stored events themselves
)

// Report is a computed report.
type Report struct {
	Query       Query
	From, To    time.Time
	Points      []Point // by time, then by key
	Compared    []Point // the same for the time compared with
	Totals      []Total // of each key, those with the most events first, OTHER last
	Source      Source
	Exact       bool       // false only while the rollups of the metric are computed anew
	Approximate bool       // the values are estimates, off by Error
	Error       float64    // as a share of the value: see uniqueError and quantileError; 0 when not Approximate
	Through     *time.Time // events stored up to here are in the numbers; nil before the first, and while not exact
}

// ReportDelta is what changed in a live report since the message before. To apply it: forget the points of the dropped
// keys and those before From, then put each point in the place of the one of the same At and Key; the same for Compared.
type ReportDelta struct {
	From, To time.Time
	Points   []Point // by time, then by key
	Compared []Point
	Dropped  []string // keys no longer among the top, or told anew; a key that comes in, or in again, has all of its points in Points
	Totals   []Total  // all of them, if any has changed; nil otherwise
	Through  *time.Time
}

// Metric is the key of the metric shown.
func (r Report) Metric() string { return r.Query.Metric }

// Aggregate is how the events of a bucket became one number.
func (r Report) Aggregate() Aggregate { return r.Query.Aggregate }

// Step is the width of a bucket.
func (r Report) Step() Step { return r.Query.Step }
