package analytics

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// ofMetric matches the rollups of a metric.
func ofMetric(key string) bson.D { return bson.D{{Key: "_id.m", Value: key}} }

// TestDeleteMetric: definition, rollups and key sets go, whatever the folder's life; those of others stay, and a later metric of the
// same key counts as if there had been none.
func TestDeleteMetric(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.fold(t)
	other := delays
	other.Key, other.Dimensions = "flights.delay.not", []string{"origin"}
	w.define(t, delays)
	w.define(t, other)
	var cmds []EventCmd
	for i, c := range flights("a", 900) { // so that there are rollups for more than one lot
		at := c.At.Add(-time.Duration(i) * time.Minute)
		c.At = &at
		cmds = append(cmds, c)
	}
	w.track(t, cmds...)
	w.settle(t)
	if n := storetest.Count(t, w.db, rollupsCollection, ofMetric(delays.Key)); n < 2001 {
		t.Fatalf("only %d rollups to remove", n)
	}
	kept := storetest.Count(t, w.db, rollupsCollection, ofMetric(other.Key))
	stop()

	if err := w.DeleteMetric(t.Context(), DeleteMetricCmd{Key: delays.Key}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Report(t.Context(), Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1}); !errors.Is(err, ErrMetric) {
		t.Errorf("Report() = %v", err)
	}
	if err := w.DeleteMetric(t.Context(), DeleteMetricCmd{Key: delays.Key}); !errors.Is(err, ErrMetric) {
		t.Errorf("deleted again: %v", err)
	}
	stop = w.fold(t) // and dies soon
	storetest.Eventually(t, 20*time.Second, func() bool {
		return storetest.Count(t, w.db, rollupsCollection, ofMetric(delays.Key)) < 2001
	}, "some rollups are gone")
	stop()
	w.fold(t)
	w.settle(t)
	keys := func(of string) int {
		return storetest.Count(t, w.db, checkpointsCollection, bson.D{{Key: "metric", Value: of}})
	}
	if n := storetest.Count(t, w.db, rollupsCollection, ofMetric(delays.Key)); n != 0 || keys(delays.Key) != 0 {
		t.Errorf("%d rollups and %d key sets are left", n, keys(delays.Key))
	}
	if n := storetest.Count(t, w.db, rollupsCollection, ofMetric(other.Key)); n != kept || keys(other.Key) != 1 {
		t.Errorf("the other metric has %d rollups of %d, and %d key sets", n, kept, keys(other.Key))
	}
	w.track(t, flights("b", 20)...)
	w.settle(t)
	w.mustVerify(t)

	again := delays
	again.Value, again.MaxKeys = "", 2
	if m := w.define(t, again); m.Version != 2 {
		t.Errorf("defined anew: version %d", m.Version)
	}
	w.settle(t)
	w.mustVerify(t)
}

// A metric that is deleted and defined anew, as another one, before a folder has seen either: nothing of the first one is left.
func TestDeleteMetricAndDefineItAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.fold(t)
	w.define(t, delays)
	w.track(t, flights("a", 40)...)
	w.settle(t)
	stop()
	if err := w.DeleteMetric(t.Context(), DeleteMetricCmd{Key: delays.Key}); err != nil {
		t.Fatal(err)
	}
	w.define(t, Metric{Key: delays.Key, Event: "landing", Dimensions: delays.Dimensions})
	w.fold(t)
	w.settle(t)
	w.mustVerify(t)
	if n := storetest.Count(t, w.db, rollupsCollection); n != 0 {
		t.Errorf("%d rollups of no event", n)
	}
}

func TestDeleteMetricIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	used, rule := errors.New("used"), errors.New("rule")
	var told []string
	w.OnDelete(
		func(_ context.Context, metric string) error { told = append(told, "used "+metric); return used },
		func(_ context.Context, on ref.Ref, label string) error {
			told = append(told, on.String()+" "+label)
			return rule
		})
	if err := w.DeleteMetric(t.Context(), DeleteMetricCmd{Key: delays.Key}); !errors.Is(err, used) {
		t.Errorf("DeleteMetric() = %v", err)
	}
	if err := w.DeleteMetric(t.Context(), DeleteMetricCmd{Key: delays.Key, Force: true}); !errors.Is(err, rule) {
		t.Errorf("DeleteMetric() = %v", err)
	}
	if want := []string{"used flights.delay", "metric:flights.delay flights.delay"}; !slices.Equal(told, want) {
		t.Errorf("told %q", strings.Join(told, ", "))
	}
	w.rights.only = []string{PermView}
	if err := w.DeleteMetric(t.Context(), DeleteMetricCmd{Key: delays.Key, Force: true}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("DeleteMetric() = %v", err)
	}
	if n := storetest.Count(t, w.db, metricsCollection); n != 1 {
		t.Errorf("%d metrics are left", n)
	}
}
