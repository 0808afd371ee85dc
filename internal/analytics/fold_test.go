package analytics

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// The folder is killed over and over while several clients track: security.md, fault 23.
func TestFoldIsExactWhateverDiesWhen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.define(t, Metric{Key: "flights", Event: "flight"})
	const trackers, batches, size = 3, 25, 60
	var wg sync.WaitGroup
	for tr := range trackers {
		wg.Go(func() {
			for b := range batches {
				w.track(t, flights(fmt.Sprintf("%d-%d", tr, b), size)...)
			}
		})
	}
	tracked := make(chan struct{})
	go func() { wg.Wait(); close(tracked) }()
	kills := 0
	for going := true; going; kills++ {
		stop := w.fold(t)
		clock.Sleep(t.Context(), rand.N(30*time.Millisecond)) // any moment is as good as another
		stop()
		select {
		case <-tracked:
			going = false
		default:
		}
	}
	w.fold(t)
	v := w.mustVerify(t)
	r, err := w.Report(t.Context(), Query{Metric: "flights", Aggregate: Count, Step: Day, Last: 1})
	if err != nil || len(r.Points) != 1 || r.Points[0].Count != trackers*batches*size || !r.Exact {
		t.Errorf("Report() = %v, %v; want %d events", texts(r.Points), err, trackers*batches*size)
	}
	t.Logf("%d kills, %d rollups compared", kills, v.Rollups)
}

// Two nodes fold: one works, and the other takes over when the first one's lease ends.
func TestOneFoldsAtATime(t *testing.T) {
	t.Parallel()
	a := newWorld(t)
	b := worldOn(t, a.db, quick)
	a.define(t, delays)
	fence := func() int64 {
		cp, err := a.store.checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return cp.Fence
	}
	stopA := a.fold(t)
	a.settle(t)
	first := fence()
	b.fold(t)
	a.track(t, flights("a", 100)...)
	clock.Sleep(t.Context(), 2*quick.LeaseTTL) // long enough for b to take the lease, if it could
	a.settle(t)
	if fence() != first {
		t.Errorf("fence = %d, want %d still: the first holder is alive", fence(), first)
	}
	stopA()
	a.track(t, flights("b", 100)...)
	b.settle(t)
	if fence() <= first {
		t.Errorf("fence = %d, want a higher one than %d: the second took over", fence(), first)
	}
	b.mustVerify(t)
}

// A holder that slept past its lease wakes up and wants to commit: it must not.
func TestFolderThatLostItsLeaseCannotWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	asleep := &folder{s: w.Service, fence: 1, rows: rollups{}}
	var err error
	if asleep.cp, err = w.store.claim(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := asleep.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	awake := &folder{s: w.Service, fence: 2, rows: rollups{}}
	if awake.cp, err = w.store.claim(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	asleep.rows.observe(&delays, &Event{At: t0}, folded{}, keySets{})
	if err := asleep.move(t.Context(), asleep.cp.next(), write{add: asleep.rows}); !errors.Is(err, errMoved) {
		t.Errorf("commit of the old holder = %v, want errMoved", err)
	}
	if n := storetest.Count(t, w.db, rollupsCollection); n != 0 {
		t.Errorf("%d rollups written by the old holder", n)
	}
	if _, err := w.store.claim(t.Context(), 1); !errors.Is(err, errFenced) {
		t.Errorf("claim of the old holder = %v, want errFenced", err)
	}
	awake.rows.observe(&delays, &Event{At: t0}, folded{}, keySets{})
	if err := awake.move(t.Context(), awake.cp.next(), write{add: awake.rows}); err != nil {
		t.Errorf("commit of the new holder = %v", err)
	}
	if err := awake.move(t.Context(), checkpoint{ID: foldID}, write{}); err != nil {
		t.Fatal(err)
	}
	awake.cp.Rev = 77 // not what is stored: a commit whose answer was lost, say
	if err := awake.move(t.Context(), awake.cp.next(), write{add: awake.rows}); !errors.Is(err, errMoved) {
		t.Errorf("commit over another rev = %v, want errMoved", err)
	}
}

func TestFoldSurvivesFailingCommits(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]bson.D{
		"write refused":         {{Key: "failCommands", Value: bson.A{"update"}}, {Key: "errorCode", Value: 11601}},
		"transaction aborted":   {{Key: "failCommands", Value: bson.A{"update"}}, {Key: "errorCode", Value: 251}, {Key: "errorLabels", Value: bson.A{"TransientTransactionError"}}},
		"connection cut":        {{Key: "failCommands", Value: bson.A{"update"}}, {Key: "closeConnection", Value: true}},
		"commit refused":        {{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "errorCode", Value: 251}, {Key: "errorLabels", Value: bson.A{"TransientTransactionError"}}},
		"commit too slow":       {{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "errorCode", Value: 50}},
		"answer of commit lost": {{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "closeConnection", Value: true}},
		"stream cut":            {{Key: "failCommands", Value: bson.A{"getMore"}}, {Key: "closeConnection", Value: true}},
		"stream refused":        {{Key: "failCommands", Value: bson.A{"getMore", "aggregate"}}, {Key: "errorCode", Value: 11601}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.define(t, delays)
			w.fold(t)
			w.settle(t)
			off := storetest.FailPoint(t, w.db, bson.D{{Key: "times", Value: 6}}, data)
			clients := worldOn(t, storetest.Open(t, w.db.Database().Name()), quick) // whose connections do not fail
			for i := range 20 {
				clients.track(t, flights(strconv.Itoa(i), 20)...)
			}
			clients.settle(t)
			off()
			w.mustVerify(t)
			r, err := w.Report(t.Context(), Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1})
			if err != nil || len(r.Points) != 1 || r.Points[0].Count != 400 {
				t.Errorf("Report() = %v, %v; want 400 events", texts(r.Points), err)
			}
		})
	}
}

// The checkpoint's token means nothing to the server any more: everything is counted anew, and clients lose nothing.
func TestLostHistoryIsRecounted(t *testing.T) {
	t.Parallel()
	garbage, err := bson.Marshal(bson.D{{Key: "_data", Value: "zz"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(t *testing.T, w world){
		"garbage": func(t *testing.T, w world) {
			_, err := w.store.checkpoints.UpdateByID(t.Context(), foldID, bson.D{{Key: "$set", Value: bson.D{{Key: "token", Value: bson.Raw(garbage)}}}})
			if err != nil {
				t.Fatal(err)
			}
		},
		"too old": func(t *testing.T, w world) { // as the server tells it, once the stream is open
			storetest.FailPoint(t, w.db, bson.D{{Key: "times", Value: 1}}, bson.D{
				{Key: "failCommands", Value: bson.A{"getMore"}},
				{Key: "errorCode", Value: 286},
				{Key: "errorLabels", Value: bson.A{"NonResumableChangeStreamError"}},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.define(t, delays)
			stop := w.fold(t)
			w.track(t, flights("before", 100)...)
			w.settle(t)
			stop()
			w.track(t, flights("between", 100)...)
			spoil(t, w)
			spoiled := rollupKey{metric: delays.Key, at: t0.Truncate(time.Minute).UnixMilli()}
			if _, err := w.store.rollups.UpdateByID(t.Context(), spoiled.id(), bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: 12345}}}}); err != nil {
				t.Fatal(err)
			}
			w.fold(t)
			w.track(t, flights("after", 100)...)
			w.mustVerify(t)
			r, err := w.Report(t.Context(), Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1})
			if err != nil || len(r.Points) != 1 || r.Points[0].Count != 300 {
				t.Errorf("Report() = %v, %v; want 300 events", texts(r.Points), err)
			}
		})
	}
}

// A checkpoint that was dropped altogether: the rollups of before must not outlive their recount, nor be counted twice.
func TestLostCheckpointIsRecounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	stop := w.fold(t)
	w.track(t, flights("before", 50)...)
	w.settle(t)
	stop()
	before, err := w.store.checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.checkpoints.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.fold(t)
	w.mustVerify(t)
	if after, err := w.store.checkpoint(t.Context()); err != nil || after.Rev <= before.Rev {
		t.Errorf("rev %d after %d, %v: live reports would take new numbers for old ones", after.Rev, before.Rev, err)
	}
}

func TestMetricDefinedLaterCountsWhatWasStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fold(t)
	w.track(t, flights("before", 100)...)
	w.settle(t)
	w.define(t, delays)
	var wg sync.WaitGroup
	for i := range 5 { // while it is recounted
		wg.Go(func() { w.track(t, flights(fmt.Sprintf("during-%d", i), 40)...) })
	}
	wg.Wait()
	w.settle(t)
	q := Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1}
	r, err := w.Report(t.Context(), q)
	if err != nil || len(r.Points) != 1 || r.Points[0].Count != 300 || !r.Exact || r.Through == nil {
		t.Errorf("Report() = %v, exact %v, %v; want 300 events", texts(r.Points), r.Exact, err)
	}
	if n := storetest.Count(t, w.db, "events", bson.D{{Key: "kind", Value: eventFolded}, {Key: "on.id", Value: delays.Key}}); n != 1 {
		t.Errorf("%d facts of a whole metric, want 1", n)
	}
	w.mustVerify(t)

	// Another definition: what the old one counted goes.
	w.define(t, Metric{Key: delays.Key, Event: "flight", Dimensions: []string{"destination"}})
	w.mustVerify(t)
	if n := storetest.Count(t, w.db, rollupsCollection, bson.D{{Key: "_id.d", Value: "origin"}}); n != 0 {
		t.Errorf("%d rollups by a dimension the metric no longer has", n)
	}
	// And one of other events.
	w.define(t, Metric{Key: delays.Key, Event: "train"})
	w.settle(t)
	if n := storetest.Count(t, w.db, rollupsCollection); n != 0 {
		t.Errorf("%d rollups of events the metric no longer counts", n)
	}
}

// A recount commits in lots, and a rollup that one lot writes must be whole by then.
func TestRecountInLots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 4 * MaxBatch / 800 {
		cmds := make([]EventCmd, 800)
		for j := range cmds { // each minute has 800 origins, some of them twice, and one destination
			cmds[j] = flight(fmt.Sprintf("%d-%d", i, j), time.Duration(i)*time.Minute, strconv.Itoa(j%750), float64(j))
		}
		w.track(t, cmds...)
	}
	w.define(t, delays)
	w.fold(t)
	if v := w.mustVerify(t); v.Rollups != 7*752 { // of 5 minutes, an hour and a day
		t.Errorf("%d rollups, want %d", v.Rollups, 7*752)
	}
}

func TestRebuildRepairs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.fold(t)
	w.track(t, flights("a", 100)...)
	w.settle(t)
	first := rollupKey{metric: delays.Key, res: byMinute, at: t0.Truncate(time.Minute).UnixMilli()}
	_, err := w.store.rollups.UpdateByID(t.Context(), first.id(), bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	byOrigin := bson.D{{Key: "_id.d", Value: "origin"}, {Key: "_id.k", Value: "A"}}
	gone, err := w.store.rollups.DeleteMany(t.Context(), byOrigin)
	if err != nil || gone.DeletedCount == 0 {
		t.Fatal(gone, err)
	}
	made := rollupKey{metric: delays.Key, res: byDay, dim: "origin", at: 0, key: "nowhere"}
	storetest.Insert(t, w.db, rollupsCollection, rollupDoc{ID: made.id(), Cell: cellDoc{N: 3}})
	v, err := w.Verify(t.Context())
	if want := gone.DeletedCount + 2; err != nil || v.Differing != want || int64(len(v.Differences)) != want {
		t.Fatalf("Verify() = %d differ, %v; want %d: one wrong, one too many, and those deleted", v.Differing, err, want)
	}
	if err := w.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.mustVerify(t)
}

func TestSettledEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	if err := w.Settled(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Settled() = %v without a folder, want the end of the context", err)
	}
}

// A folder without work must keep its place fresh, or a quiet weekend would end in a recount.
func TestIdleFolderKeepsItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fold(t)
	w.settle(t)
	before, err := w.store.checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	storetest.Eventually(t, 20*time.Second, func() bool {
		storetest.Insert(t, w.db, "something_else", bson.D{})
		now, err := w.store.checkpoint(t.Context())
		return err == nil && string(now.Token) != string(before.Token)
	}, "the token of an idle folder moves")
}

// A document that another program put among the events is no reason to stop.
func TestForeignEventIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, Metric{Key: "flights", Event: "flight"})
	w.fold(t)
	w.settle(t)
	storetest.Insert(t, w.db, eventsCollection, bson.D{{Key: "_id", Value: "foreign-1"}, {Key: "name", Value: "flight"}, {Key: "at", Value: "yesterday"}})
	w.track(t, flights("a", 10)...)
	w.settle(t)
	count := func() int64 {
		r, err := w.Report(t.Context(), Query{Metric: "flights", Aggregate: Count, Step: Day, Last: 1})
		if err != nil || len(r.Points) != 1 {
			t.Fatalf("Report() = %v, %v", texts(r.Points), err)
		}
		return r.Points[0].Count
	}
	if n := count(); n != 10 {
		t.Errorf("%d events, want 10", n)
	}
	if err := w.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settle(t)
	if n := count(); n != 10 {
		t.Errorf("%d events after a recount, want 10", n)
	}
}

// A dead holder's lease runs out; the next one goes on.
func TestFoldTakesOverFromTheDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	if _, err := w.db.TryLease(t.Context(), foldLease, time.Second); err != nil { // and then it dies
		t.Fatal(err)
	}
	w.fold(t)
	w.track(t, flights("a", 10)...)
	if _, err := w.db.TryLease(t.Context(), foldLease, time.Second); !errors.Is(err, store.ErrLeaseHeld) {
		t.Fatalf("TryLease() = %v, want LEASE_HELD", err)
	}
	w.mustVerify(t)
}

// The server forgets what was: a recount that takes longer reads in parts, and events that come meanwhile are counted once,
// whichever part they belong to.
func TestRecountInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.RecountFor = time.Nanosecond // a part for each moment
	w.track(t, flights("before", 60)...)
	w.define(t, delays)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { w.track(t, flights(fmt.Sprintf("during-%d", i), 60)...) })
	}
	w.fold(t)
	wg.Wait()
	w.mustVerify(t)
	cp, err := w.store.checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if done, ok := cp.of(Metric{Key: delays.Key, Version: 1}); !ok || len(done.Parts) != 6 {
		t.Errorf("%+v, %v: want a part for each of 7 moments, the last in AsOf", done, ok)
	}
	r, err := w.Report(t.Context(), Query{Metric: delays.Key, Aggregate: Count, Step: Day, Last: 1})
	if err != nil || len(r.Points) != 1 || r.Points[0].Count != 540 {
		t.Errorf("Report() = %v, %v; want 540 events", texts(r.Points), err)
	}
}
