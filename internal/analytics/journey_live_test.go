package analytics

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestJourneyIsDue(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(t0)
	cost, n := time.Duration(0), int64(1)
	var fails error
	j := &JourneySource[Funnel]{
		now: now.Now, asOf: Span{LastDays: 1}.asOf,
		compute: func(context.Context) (Funnel, error) {
			now.Advance(cost)
			return Funnel{Steps: []FunnelStep{{Entered: n}}}, fails
		},
		same: func(a, b Funnel) bool { return a.Steps[0] == b.Steps[0] },
	}
	tick := func(d time.Duration) bool {
		now.Advance(d)
		if got := j.Apply(now.Now()); got != nil {
			t.Errorf("a tick told %v", got)
		}
		return j.Due()
	}
	refresh := func() any {
		t.Helper()
		d, err := j.Refresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if err := j.Load(t.Context()); err != nil || tick(time.Minute) {
		t.Fatalf("due without a new event, %v", err)
	}
	if j.Apply(folderMoved{}); !j.Due() {
		t.Error("not due at the first event after a pause")
	}
	if d := refresh(); d != nil {
		t.Errorf("told %+v, which is as it was", d)
	}
	j.Apply(folderMoved{})
	if j.Due() || tick(900*time.Millisecond) || !tick(100*time.Millisecond) {
		t.Error("not once in a second")
	}
	n, cost = 2, 3*time.Second
	snapshot := j.Snapshot().(*Funnel)
	if d, ok := refresh().(*Funnel); !ok || d.Steps[0].Entered != 2 || snapshot.Steps[0].Entered != 1 {
		t.Errorf("told %+v; the snapshot of before is %+v", d, snapshot)
	}
	if j.Apply(folderMoved{}); tick(29*time.Second) || !tick(time.Second) {
		t.Error("one that takes 3 s is not computed once in 30 s")
	}
	fails, cost = errors.New("away"), 0
	if _, err := j.Refresh(t.Context()); !errors.Is(err, fails) || j.Snapshot().(*Funnel).Steps[0].Entered != 2 {
		t.Errorf("an error: %v, %+v; want the state as it was", err, j.Snapshot())
	}
	if fails = nil; !tick(time.Second) {
		t.Error("not tried again after an error")
	}
	if refresh(); tick(20 * time.Hour) {
		t.Error("due within the day")
	}
	if !tick(2 * time.Hour) {
		t.Error("not due on the next day, whose range is another")
	}
}

func TestRetentionMovesOnWithThePeriods(t *testing.T) {
	t.Parallel()
	q := RetentionQuery{Period: PerWeek, WeekStart: Monday, From: t0, To: t0.AddDate(0, 0, 7), Periods: 2}
	monday := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	if q.asOf(t0) != q.asOf(monday.Add(-1)) || q.asOf(monday) == q.asOf(monday.Add(-1)) {
		t.Error("the answer of a fixed range has another cell when a week begins")
	}
	if late := monday.AddDate(1, 0, 0); q.asOf(late) != q.asOf(late.AddDate(0, 0, 7)) {
		t.Error("it does not change any more when all its periods are over")
	}
}

func TestJourneyChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	funnel := FunnelQuery{Steps: []Selector{{Event: "a"}, {Event: "b"}}, Unit: ByActor, WindowSeconds: 1, Span: Span{LastDays: 1}}
	key, topics, newSource, allowed, err := w.FunnelChannel(t.Context(), funnel)
	if err != nil || len(topics) != 2 || allowed(t.Context()) != nil {
		t.Fatalf("FunnelChannel() = %q, %v, %v", key, topics, err)
	}
	if src := newSource(); src.Load(t.Context()) != nil || len(src.Snapshot().(*Funnel).Steps) != 2 {
		t.Errorf("it begins with %+v", src.Snapshot())
	}
	funnel.WindowSeconds = 2
	if other, _, _, _, _ := w.FunnelChannel(t.Context(), funnel); other == key {
		t.Errorf("funnels that differ share %q", key)
	}
	retention := RetentionQuery{Start: Selector{Event: "a"}, Return: Selector{Event: "b"}, Period: PerDay, Last: 2}
	if _, _, newSource, _, err := w.RetentionChannel(t.Context(), retention); err != nil {
		t.Error(err)
	} else if src := newSource(); src.Load(t.Context()) != nil || len(src.Snapshot().(*Retention).Cohorts) != 2 {
		t.Errorf("it begins with %+v", src.Snapshot())
	}
	paths := PathsQuery{Anchor: Selector{Event: "a"}, Direction: After, Depth: 2, Top: 5, Span: Span{LastDays: 1}}
	if _, _, newSource, _, err := w.PathsChannel(t.Context(), paths); err != nil {
		t.Error(err)
	} else if src := newSource(); src.Load(t.Context()) != nil || len(src.Snapshot().(*Paths).Levels) != 2 {
		t.Errorf("it begins with %+v", src.Snapshot())
	}
	funnel.Steps = nil
	if _, _, _, _, err := w.FunnelChannel(t.Context(), funnel); !errors.Is(err, fault.ErrInput) {
		t.Errorf("of no steps: %v", err)
	}
	w.rights.only = []string{PermView}
	if _, _, _, _, err := w.FunnelChannel(t.Context(), funnel); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("without the right: %v", err)
	}
	if err := allowed(t.Context()); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("allowed() = %v after the right was taken", err)
	}
}

// Events that are stored are heard of, whether a metric counts them or not; a folder that only notes its place is not.
func TestFolderFollower(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var moved atomic.Int64
	tail := event.NewTail(w.db, clock.System(), slog.New(slog.DiscardHandler))
	tail.Follow(w.FolderFollower(func(topic string, change any) {
		if _, ok := change.(folderMoved); ok && topic == topicFolded {
			moved.Add(1)
		}
	}))
	ctx, cancel := context.WithCancel(context.Background())
	done, err := tail.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-done
	})
	w.fold(t)
	for _, id := range []string{"event-001", "event-002"} {
		before := moved.Load()
		w.track(t, EventCmd{ID: id, Name: "uncounted"})
		storetest.Eventually(t, 10*time.Second, func() bool { return moved.Load() > before }, "an event is heard of")
	}
	before := moved.Load()
	rev := func() int64 {
		cp, err := w.store.checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return cp.Rev
	}
	from := rev()
	storetest.Eventually(t, 10*time.Second, func() bool { return rev() > from+2 }, "the folder notes its place")
	if n := moved.Load() - before; n > 0 {
		t.Errorf("%d times without an event", n)
	}
}
