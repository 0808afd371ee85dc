package analytics

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// departure is a flight of the real table as an event: about its airport, with a session for each day of an airport.
type departure struct {
	id, airport, day string
	at               time.Time
	dims             map[string]string // destination, and late: yes or no
}

// departures reads the real table, in the order of time.
func departures(t *testing.T, table string) []departure {
	t.Helper()
	raw, err := os.ReadFile("../../web/node_modules/vega-datasets/data/" + table)
	if err != nil {
		t.Skip("the tables are not there: npm ci in web/: ", err)
	}
	var rows []struct {
		Date, Origin, Destination string
		Delay                     float64
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	all := make([]departure, len(rows))
	for i, r := range rows {
		at, err := time.Parse("2006/01/02 15:04", r.Date)
		if err != nil {
			t.Fatal(err)
		}
		late := "no"
		if r.Delay > 15 {
			late = "yes"
		}
		id := "departure-" + strconv.Itoa(1_000_000+i) // of one width, so that ids order as numbers do
		all[i] = departure{id, "airport-" + r.Origin, r.Date[:10], at, map[string]string{"destination": r.Destination, "late": late}}
	}
	slices.SortStableFunc(all, func(a, b departure) int { return a.at.Compare(b.at) })
	return all
}

// session is that of the day of the airport.
func (d departure) session() string { return d.airport + "-" + d.day[5:7] + d.day[8:] }

// insert stores departures as events named departed.
func insertDepartures(t *testing.T, w world, all []departure) {
	t.Helper()
	for chunk := range slices.Chunk(all, MaxBatch) {
		batch := make([]Event, len(chunk))
		for i, d := range chunk {
			batch[i] = Event{ID: d.id, Name: "departed", At: d.at, ReceivedAt: t0, Actor: d.airport, Session: d.session(), Dims: d.dims}
		}
		if _, err := w.store.insertEvents(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
}

// only is the filter of one value.
func only(dim, value string) []DimFilter { return []DimFilter{{Dim: dim, In: []string{value}}} }

// days2001 is the range of the table.
var days2001 = Span{From: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2001, 4, 1, 0, 0, 0, 0, time.UTC)}

func TestSpan(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		in       Span
		from, to string
		err      error
	}{
		{"days of UTC", Span{LastDays: 2}, "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", nil},
		{"days elsewhere", Span{LastDays: 1, TimeZone: "America/New_York"}, "2026-01-01T05:00:00Z", "2026-01-02T05:00:00Z", nil},
		{"from and to", Span{From: t0, To: t0.Add(time.Minute)}, "2026-01-02T03:04:30Z", "2026-01-02T03:05:30Z", nil},
		{"nothing", Span{}, "", "", ErrRange},
		{"both", Span{LastDays: 1, From: t0, To: t0.Add(1)}, "", "", ErrRange},
		{"backward", Span{From: t0, To: t0}, "", "", ErrRange},
		{"too long", Span{LastDays: maxDays + 1}, "", "", ErrRange},
		{"no such zone", Span{LastDays: 1, TimeZone: "Mars/Olympus"}, "", "", fault.ErrInput},
		{"the zone of the server", Span{LastDays: 1, TimeZone: "Local"}, "", "", fault.ErrInput},
	} {
		s, err := tc.in.check()
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
		if from, to := s.bounds(t0); err == nil && (from.Format(time.RFC3339) != tc.from || to.Format(time.RFC3339) != tc.to) {
			t.Errorf("%s: %v to %v, want %s to %s", tc.name, from, to, tc.from, tc.to)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	dims := map[string]string{"a": "1", "empty": ""}
	for _, tc := range []struct {
		where []DimFilter
		want  bool
	}{
		{nil, true},
		{only("a", "1"), true},
		{only("a", "2"), false},
		{only("b", "1"), false},
		{only("empty", ""), true},
		{only("b", ""), false},
		{[]DimFilter{{Dim: "a", In: []string{"2", "3"}, Not: true}}, true},
		{[]DimFilter{{Dim: "a", In: []string{"2", "1"}, Not: true}}, false},
		{[]DimFilter{{Dim: "b", In: []string{"1"}, Not: true}}, true},
		{append(only("a", "1"), only("empty", "x")...), false},
	} {
		if got := allHold(tc.where, dims); got != tc.want {
			t.Errorf("%+v holds: %v", tc.where, got)
		}
	}
	for name, s := range map[string]Selector{
		"no name":          {},
		"an operator":      {Event: "x", Where: only("$where", "1")},
		"a path":           {Event: "x", Where: only("a.b", "1")},
		"no values":        {Event: "x", Where: []DimFilter{{Dim: "a"}}},
		"too many values":  {Event: "x", Where: []DimFilter{{Dim: "a", In: make([]string, maxIn+1)}}},
		"too many filters": {Event: "x", Where: slices.Repeat(only("a", "1"), maxFilters+1)},
	} {
		if err := s.check("input.start"); !errors.Is(err, fault.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A journey that costs too much says so, and what it may cost; one that waits for others ends with its context.
func TestJourneysAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.track(t, EventCmd{ID: "event-00" + strconv.Itoa(i), Name: "a", Actor: "actor-000" + strconv.Itoa(i)})
	}
	q := FunnelQuery{Steps: []Selector{{Event: "a"}, {Event: "b"}}, Unit: ByActor, WindowSeconds: 60, Span: Span{LastDays: 1}}
	w.cfg.JourneyRows = 5
	if f, err := w.Funnel(t.Context(), q); err != nil || f.Read != 5 || f.Steps[0].Entered != 5 {
		t.Errorf("within the budget: %+v, %v", f, err)
	}
	w.cfg.JourneyRows = 4
	var fe *fault.Error
	if _, err := w.Funnel(t.Context(), q); !errors.As(err, &fe) || !errors.Is(err, ErrTooLarge) || fe.Details["budget"] != 4 {
		t.Errorf("over the budget: %v", err)
	}
	w.cfg.JourneyRows, w.cfg.JourneyIn = 5, time.Second
	for range cap(w.journeys) {
		w.journeys <- struct{}{}
	}
	if _, err := w.Funnel(t.Context(), q); !errors.As(err, &fe) || !errors.Is(err, ErrTooLarge) || fe.Details["seconds"] != 1 {
		t.Errorf("over the time: %v", err)
	}
	w.rights.only = []string{PermView}
	if _, err := w.Funnel(t.Context(), q); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("without the right: %v", err)
	}
}
