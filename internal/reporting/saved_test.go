package reporting

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestQueryOf(t *testing.T) {
	t.Parallel()
	whole := map[string]any{
		"metric": "flights.delay", "aggregate": "QUANTILE", "quantile": 0.95, "step": "DAY", "timeZone": "Europe/Berlin", "weekStart": "SUNDAY",
		"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "by": "origin", "top": int64(5), "other": true,
		"where": []any{map[string]any{"dimension": "origin", "in": []any{"LAX"}, "not": true}}, "fill": "ZERO", "compare": "PREVIOUS_YEAR",
		"movingAverage": int64(7), "cumulative": false,
	}
	want := analytics.Query{
		Metric: "flights.delay", Aggregate: analytics.Quantile, Quantile: 0.95, Step: analytics.Day, TimeZone: "Europe/Berlin", WeekStart: analytics.Sunday,
		From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), By: "origin", Top: 5, Other: true,
		Where: []analytics.DimFilter{{Dim: "origin", In: []string{"LAX"}, Not: true}}, Fill: analytics.FillZero, Compare: analytics.CompareYear, MovingAverage: 7,
	}
	if got, err := queryOf(registry.SavedReport{Kind: "LINE", Query: whole}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	short, err := queryOf(registry.SavedReport{Kind: "VALUE", Query: map[string]any{"metric": "m", "last": int64(3), "by": nil}})
	if err != nil || short.Aggregate != analytics.Count || short.Step != analytics.Minute || short.Last != 3 {
		t.Errorf("%+v, %v", short, err)
	}
	for name, tc := range map[string]struct {
		kind  string
		query map[string]any
		want  error
		says  string
	}{
		"misspelt":        {"LINE", map[string]any{"metrik": "m"}, ErrQuery, `unknown field "metrik"`},
		"a wrong type":    {"LINE", map[string]any{"last": "3"}, ErrQuery, "last"},
		"no time":         {"LINE", map[string]any{"from": "yesterday"}, ErrQuery, ""},
		"another kind":    {"PATHS", map[string]any{"metric": "m"}, ErrKind, ""},
		"no kind of ours": {"", nil, ErrKind, ""},
	} {
		if _, err := queryOf(registry.SavedReport{Kind: tc.kind, Query: tc.query}); !errors.Is(err, tc.want) || !strings.Contains(fault.From(err).Msg, tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunNeedsTheDocumentAndTheMetric(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	on := w.flights()
	ran, err := w.Report(w.person("bob"), on)
	if err != nil || ran.Saved.Title != "Flights" || len(ran.Report.Points) != 2 {
		t.Fatalf("%+v, %v", ran, err)
	}
	w.authz.deny("bob", analytics.PermView, true)
	if _, err := w.Report(w.person("bob"), on); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("without the metric: %v", err)
	}
	w.authz.deny("bob", analytics.PermView, false)
	w.authz.deny("bob", registry.PermRead, true)
	if _, err := w.Report(w.person("bob"), on); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("without the document: %v", err)
	}
	for _, other := range []ref.Ref{ref.New(ref.Report, ref.NewID()), w.board(on), ref.New(ref.User, "ada")} {
		if _, err := w.Report(w.person("ada"), other); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", other, err)
		}
	}
}

func TestTemplatesAreMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name := range templates {
		var wg sync.WaitGroup
		boards := make([]registry.Dashboard, 4)
		for i := range boards {
			wg.Go(func() {
				var err error
				if boards[i], err = w.FromTemplate(w.person("ada"), name); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, b := range boards {
			if b.ID == "" || b.ID != boards[0].ID || len(b.Tiles) != len(templates[name].tiles) {
				t.Errorf("%s: %s and %s, %d tiles", name, b.ID, boards[0].ID, len(b.Tiles))
			}
		}
		for _, on := range tilesOf(boards[0]) {
			if _, err := w.Report(w.person("ada"), on); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		other, err := w.FromTemplate(actor.With(t.Context(), actor.System()), name)
		if err != nil || other.ID == boards[0].ID {
			t.Errorf("%s: that of somebody else is %s, %v", name, other.ID, err)
		}
	}
	if n := storetest.Count(t, w.DB, "dashboards"); n != 2*len(templates) {
		t.Errorf("%d dashboards", n)
	}
	if _, err := w.FromTemplate(w.person("ada"), "NONE"); !errors.Is(err, ErrTemplate) {
		t.Errorf("no such template: %v", err)
	}
}
