package analytics

import "time"

// DimFilter holds for an event whose dimension has one of the values; with Not, for one whose has not, or that lacks it.
type DimFilter struct {
	Dim string
	In  []string // 1 to 100
	Not bool
}

// Weekday is a day that weeks may begin with.
type Weekday string

// The weekdays.
const (
	Monday    Weekday = "MONDAY"
	Tuesday   Weekday = "TUESDAY"
	Wednesday Weekday = "WEDNESDAY"
	Thursday  Weekday = "THURSDAY"
	Friday    Weekday = "FRIDAY"
	Saturday  Weekday = "SATURDAY"
	Sunday    Weekday = "SUNDAY"
)

var weekdays = map[Weekday]time.Weekday{
	Monday: time.Monday, Tuesday: time.Tuesday, Wednesday: time.Wednesday, Thursday: time.Thursday,
	Friday: time.Friday, Saturday: time.Saturday, Sunday: time.Sunday,
}
