package analytics

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestEventTypeIsChecked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		typ   EventType
		field string
	}{
		"the least":           {EventType{Name: "x"}, ""},
		"no name":             {EventType{}, "input.name"},
		"long description":    {EventType{Name: "x", Description: strings.Repeat("d", 1001)}, "input.description"},
		"odd dimension":       {EventType{Name: "x", Dims: []string{"a.b"}}, "input.dims"},
		"17 dimensions":       {EventType{Name: "x", Dims: strings.Split("abcdefghijklmnopq", "")}, "input.dims"},
		"9 values":            {EventType{Name: "x", Values: strings.Split("abcdefghi", "")}, "input.values"},
		"twice is once":       {EventType{Name: "x", Values: strings.Split("abcdefgha", "")}, ""},
		"negative retention":  {EventType{Name: "x", RetentionDays: -1}, "input.retentionDays"},
		"longest retention":   {EventType{Name: "x", RetentionDays: 36600}, ""},
		"too long to be true": {EventType{Name: "x", RetentionDays: 36601}, "input.retentionDays"},
	} {
		_, err := tc.typ.checked()
		if f := fault.From(err); (err == nil) != (tc.field == "") || err != nil && (!errors.Is(err, ErrType) || f.Field != tc.field) {
			t.Errorf("%s: %v on %q, want %q", name, err, f.Field, tc.field)
		}
	}
}

func (w world) defineType(t testing.TB, typ EventType) {
	t.Helper()
	if _, err := w.DefineEventType(t.Context(), typ); err != nil {
		t.Fatal(err)
	}
}

func TestStrictTypesRefuseWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.defineType(t, EventType{Name: "flight", Dims: []string{"origin", "destination"}, Values: []string{"delay"}})
	odd := flight("odd", 0, "A", 1)
	odd.Dims["gate"] = "7"
	w.track(t, odd) // a type that is not strict only describes
	w.defineType(t, EventType{Name: "flight", Dims: []string{"origin", "destination"}, Values: []string{"delay"}, Strict: true})
	w.track(t, flight("1", 0, "A", 1))
	for field, cmd := range map[string]EventCmd{
		"dims.gate":     {ID: "flight-2", Name: "flight", Dims: map[string]any{"gate": "7"}},
		"values.height": {ID: "flight-3", Name: "flight", Values: map[string]any{"height": 7}},
	} {
		_, err := w.Track(t.Context(), []EventCmd{cmd})
		if f := fault.From(err); !errors.Is(err, ErrEvent) || f.Field != "input.events.0."+field {
			t.Errorf("Track() = %v on %q, want %s", err, f.Field, field)
		}
	}
	w.track(t, EventCmd{ID: "another-1", Name: "another", Dims: map[string]any{"gate": "7"}}) // nobody has said anything of it
}

func TestEventsPastTheirRetentionAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.defineType(t, EventType{Name: "flight", RetentionDays: 30})
	w.track(t, flight("young", 30*24*time.Hour, "A", 1))
	_, err := w.Track(t.Context(), []EventCmd{flight("old", 30*24*time.Hour+time.Millisecond, "A", 1)})
	if f := fault.From(err); !errors.Is(err, ErrTooOld) || f.Field != "input.events.0.at" {
		t.Errorf("Track() = %v on %q, want EVENT_TOO_OLD", err, f.Field)
	}
	w.defineType(t, EventType{Name: "forever"})
	if got, err := w.retentions(t.Context()); err != nil || fmt.Sprint(got) != "map[flight:30]" {
		t.Errorf("retentions() = %v, %v", got, err)
	}
}

func TestEventTypesListsWhatIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.defineType(t, EventType{Name: "empty", Description: "Nothing yet."})
	w.defineType(t, EventType{Name: "flight"})
	w.track(t, flights("a", 1000)...)
	w.track(t, flights("b", 1000)...)
	w.track(t, EventCmd{ID: "stranger-1", Name: "stranger"})
	all, err := w.EventTypes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range all {
		last := "never"
		if n.LastAt != nil {
			last = n.LastAt.Format(time.TimeOnly)
		}
		got = append(got, fmt.Sprint(n.Name, n.Known, n.Stored, last))
	}
	want := []string{"empty true0never", "flight true100003:04:30", "stranger false103:04:30"}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], " ", "")
	}
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], " ", "")
	}
	if !slices.Equal(got, want) {
		t.Errorf("EventTypes() = %q, want %q", got, want)
	}
	// The list must not read the whole index.
	var plan bson.M
	err = w.db.Database().RunCommand(t.Context(), bson.D{
		{Key: "explain", Value: bson.D{
			{Key: "aggregate", Value: eventsCollection},
			{Key: "cursor", Value: bson.D{}},
			{Key: "pipeline", Value: namesPipeline()},
		}},
	}).Decode(&plan)
	if err != nil || !strings.Contains(fmt.Sprint(plan), "DISTINCT_SCAN") {
		t.Errorf("the plan is %v, %v", plan, err)
	}
}

func TestDefiningATypeIsAFact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		w.defineType(t, EventType{Name: "x", Dims: []string{"b", "a", "b"}})
	}
	w.defineType(t, EventType{Name: "x", Strict: true})
	if n := storetest.Count(t, w.db, "events", bson.D{{Key: "kind", Value: "analytics.type.defined"}, {Key: "on.id", Value: "x"}}); n != 2 {
		t.Errorf("%d facts, want 2: saying the same again changes nothing", n)
	}
	w.rights.only = []string{PermManage}
	if _, err := w.DefineEventType(t.Context(), EventType{}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("DefineEventType() = %v", err)
	}
	if _, err := w.EventTypes(t.Context()); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("EventTypes() = %v", err)
	}
}
