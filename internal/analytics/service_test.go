package analytics

import (
	"errors"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestTrackStoresEachIDOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := actor.With(t.Context(), actor.Actor{User: "u1"})
	got, err := w.Track(ctx, []EventCmd{flight("1", 0, "A", 1), flight("2", 0, "A", 1), flight("1", 0, "B", 9)})
	if want := (Tracked{Accepted: 2, Duplicates: 1}); err != nil || got != want {
		t.Fatalf("Track() = %+v, %v; want %+v", got, err, want)
	}
	got = w.track(t, flight("2", 0, "A", 1), flight("3", 0, "A", 1))
	if want := (Tracked{Accepted: 1, Duplicates: 1}); got != want {
		t.Errorf("Track() again = %+v, want %+v", got, want)
	}
	if n := storetest.Count(t, w.db, eventsCollection, bson.D{{Key: "user", Value: "u1"}, {Key: "dims.origin", Value: "A"}}); n != 2 {
		t.Errorf("%d events of u1 from A, want 2: the first of an id stays", n)
	}
}

func TestTrackStoresNothingOfABadBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := flight("2", 0, "A", 1)
	ahead := t0.AddDate(1, 0, 0)
	bad.At = &ahead
	_, err := w.Track(t.Context(), []EventCmd{flight("0", 0, "A", 1), flight("1", 0, "A", 1), bad})
	f := fault.From(err)
	if !errors.Is(err, ErrEvent) || f.Field != "input.events.2.at" || f.Details["index"] != 2 {
		t.Errorf("Track() = %v on %q with %v; want EVENT_INVALID on input.events.2.at", err, f.Field, f.Details)
	}
	if n := storetest.Count(t, w.db, eventsCollection); n != 0 {
		t.Errorf("%d events stored, want none of the batch", n)
	}
}

func TestTrackNeedsThePermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rights.only = []string{PermView}
	if _, err := w.Track(t.Context(), []EventCmd{{}}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("Track() = %v, want FORBIDDEN before anything else is looked at", err)
	}
}

// The same ids sent by ten callers at once: security.md, fault 18.
func TestParallelDuplicatesCountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.fold(t)
	const callers, n = 10, 200
	var sum Tracked
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			got, err := w.Track(t.Context(), flights("same", n))
			if err != nil {
				t.Errorf("Track() = %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum.Accepted += got.Accepted
			sum.Duplicates += got.Duplicates
		})
	}
	wg.Wait()
	if want := (Tracked{Accepted: n, Duplicates: n * (callers - 1)}); sum != want {
		t.Errorf("all calls together: %+v, want %+v", sum, want)
	}
	w.settle(t)
	r, err := w.Report(t.Context(), Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1})
	if err != nil || len(r.Points) != 1 || r.Points[0].Count != n {
		t.Errorf("Report() = %v, %v; want %d events", texts(r.Points), err, n)
	}
	w.mustVerify(t)
}

func TestTrackSaysWhenItFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// 2: the server fails every document without running it, BadValue; the driver does not retry it.
	off := storetest.FailPoint(t, w.db, bson.D{{Key: "times", Value: 1}}, bson.D{
		{Key: "failCommands", Value: bson.A{"insert"}}, {Key: "errorCode", Value: 2},
	})
	if _, err := w.Track(t.Context(), []EventCmd{flight("1", 0, "A", 1)}); err == nil {
		t.Error("Track() = nil though the server refused")
	}
	off()
	storetest.FailPoint(t, w.db, bson.D{{Key: "times", Value: 1}}, bson.D{
		{Key: "failCommands", Value: bson.A{"insert"}},
		{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "waiting for replication timed out"}}},
	})
	if _, err := w.Track(t.Context(), []EventCmd{flight("1", 0, "A", 1)}); err == nil {
		t.Error("Track() = nil though no majority has the event")
	}
	if got, want := w.track(t, flight("1", 0, "A", 1)), (Tracked{Duplicates: 1}); got != want {
		t.Errorf("Track() again = %+v, want %+v", got, want)
	}
}
