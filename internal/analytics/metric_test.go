package analytics

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMetricIsChecked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 65)
	for _, tc := range []struct {
		name  string
		m     Metric
		field string // refused; empty for accepted
	}{
		{"counts events", Metric{Key: "sign-ups", Event: "user.signed-up"}, ""},
		{"all of it", Metric{Key: "a.b_1", Event: "E", Value: "v", Dimensions: []string{"a", "b", "c", "d", "e", "f", "g", "H"}}, ""},
		{"no key", Metric{Event: "e"}, "input.key"},
		{"short key", Metric{Key: "k", Event: "e"}, "input.key"},
		{"long key", Metric{Key: long, Event: "e"}, "input.key"},
		{"upper case key", Metric{Key: "KK", Event: "e"}, "input.key"},
		{"no event", Metric{Key: "kk"}, "input.event"},
		{"odd value", Metric{Key: "kk", Event: "e", Value: "a.b"}, "input.value"},
		{"17 dimensions", Metric{Key: "kk", Event: "e", Dimensions: strings.Split("abcdefghijklmnopq", "")}, "input.dimensions"},
		{"odd unique", Metric{Key: "kk", Event: "e", Unique: "a.b"}, "input.unique"},
		{"quantiles of nothing", Metric{Key: "kk", Event: "e", Quantiles: true}, "input.quantiles"},
		{"too many keys", Metric{Key: "kk", Event: "e", MaxKeys: 5001}, "input.maxKeys"},
		{"kept for a negative time", Metric{Key: "kk", Event: "e", HourDays: -1}, "input.minuteDays"},
		{"a filter of nothing", Metric{Key: "kk", Event: "e", Where: []DimFilter{{Dim: "a"}}}, "input.where.0.in"},
		{"dimension twice", Metric{Key: "kk", Event: "e", Dimensions: []string{"a", "a"}}, "input.dimensions"},
		{"odd dimension", Metric{Key: "kk", Event: "e", Dimensions: []string{"$a"}}, "input.dimensions"},
	} {
		err := tc.m.check()
		if tc.field == "" && err != nil || tc.field != "" && (!errors.Is(err, ErrDefine) || fault.From(err).Field != tc.field) {
			t.Errorf("%s: %v, want a refusal of %q", tc.name, err, tc.field)
		}
	}
}

func TestDefineMetric(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	facts := func() int { return storetest.Count(t, w.db, "events", bson.D{{Key: "kind", Value: eventDefined}}) }
	if m := w.define(t, delays); m.Version != 1 || facts() != 1 {
		t.Errorf("version %d after %d facts, want 1 and 1", m.Version, facts())
	}
	if m := w.define(t, delays); m.Version != 1 || facts() != 1 {
		t.Errorf("defined as it is: version %d after %d facts, want 1 and 1", m.Version, facts())
	}
	other := delays
	other.Dimensions = []string{"origin"}
	if m := w.define(t, other); m.Version != 2 || facts() != 2 {
		t.Errorf("changed: version %d after %d facts, want 2 and 2", m.Version, facts())
	}
	if err := w.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := w.Metrics(t.Context())
	if err != nil || len(all) != 1 || all[0].Version != 3 || !slices.Equal(all[0].Dimensions, other.Dimensions) {
		t.Errorf("after Rebuild: %+v, %v; want version 3", all, err)
	}
	if _, err := w.DefineMetric(t.Context(), Metric{Key: "kk"}); !errors.Is(err, ErrDefine) {
		t.Errorf("a bad metric: %v, want METRIC_INVALID", err)
	}
	w.rights.only = []string{PermTrack}
	for name, do := range map[string]func() error{
		"DefineMetric": func() error { _, err := w.DefineMetric(t.Context(), delays); return err },
		"Rebuild":      func() error { return w.Rebuild(t.Context()) },
		"Verify":       func() error { _, err := w.Verify(t.Context()); return err },
		"Metrics":      func() error { _, err := w.Metrics(t.Context()); return err },
		"Report":       func() error { _, err := w.Report(t.Context(), Query{}); return err },
		"Ingest": func() error {
			w.rights.only = []string{PermView}
			_, err := w.Ingest(t.Context(), IngestCmd{})
			return err
		},
	} {
		if err := do(); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("%s without the permission: %v, want FORBIDDEN", name, err)
		}
		w.rights.only = []string{PermTrack}
	}
}

func TestMetricsAreKeptUntilOneChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.Insert(t, w.db, metricsCollection, Metric{Key: "a.behind", Event: "e"}) // another node's
	keys := func() (out []string) {
		all, err := w.Metrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			out = append(out, m.Key)
		}
		return out
	}
	if got := keys(); !slices.Equal(got, []string{delays.Key}) {
		t.Errorf("metrics = %v, want what was loaded", got)
	}
	f := w.Follower(func(string, any) {})
	f.OnEvent(t.Context(), event.Event{Kind: "plan.membership.changed"}, bson.Timestamp{})
	if got := keys(); len(got) != 1 {
		t.Errorf("metrics = %v: forgotten for a fact of somebody else", got)
	}
	f.OnEvent(t.Context(), event.Event{Kind: eventDefined}, bson.Timestamp{})
	if got := keys(); !slices.Equal(got, []string{"a.behind", delays.Key}) {
		t.Errorf("metrics = %v, want both, by key", got)
	}
	storetest.Insert(t, w.db, metricsCollection, Metric{Key: "third", Event: "e"})
	f.OnLost(t.Context())
	if got := keys(); len(got) != 3 {
		t.Errorf("metrics = %v, want all 3 after changes were missed", got)
	}
}

// A read that began before a change must not be kept after it.
func TestMetricsReadDuringAChangeAreNotKept(t *testing.T) {
	t.Parallel()
	var c *cached[map[string]Metric]
	answers := []map[string]Metric{{"old": {Key: "old"}}, {"new": {Key: "new"}}}
	c = &cached[map[string]Metric]{read: func(context.Context) (map[string]Metric, error) {
		a := answers[0]
		answers = answers[1:]
		if a["old"].Key == "old" {
			c.forget() // the news comes while the answer is on its way
		}
		return a, nil
	}}
	_, _ = c.get(t.Context())
	if got, _ := c.get(t.Context()); got["new"].Key == "" {
		t.Errorf("get() = %v, want what was read after the change", got)
	}
}
