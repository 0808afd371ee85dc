package analytics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// Every event the filter lets through is on exactly one page, in order, however many share a time.
func TestExplorerPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	var all []Event
	for i := range 300 {
		at := t0.Add(-time.Duration(rnd.IntN(40)) * time.Second)
		all = append(all, Event{
			ID: fmt.Sprintf("event-%03d-%d", rnd.IntN(1000), i), Name: pick("a", "b", "c"), At: at, ReceivedAt: t0,
			Actor: pick("", "actor-001", "actor-002"), Session: pick("", "session-1", "session-2"), Dims: map[string]string{"d": pick("x", "y")},
		})
	}
	if _, err := w.store.insertEvents(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b Event) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) })
	for name, f := range map[string]EventFilter{
		"all":       {},
		"names":     {Names: []string{"c", "a"}},
		"actor":     {Actor: "actor-001"},
		"session":   {Session: "session-2", Names: []string{"b"}},
		"dimension": {Where: only("d", "x"), Actor: "actor-002"},
		"but not":   {Where: []DimFilter{{Dim: "d", In: []string{"x"}, Not: true}}},
		"range":     {From: t0.Add(-20 * time.Second), To: t0.Add(-10 * time.Second)},
		"nothing":   {Names: []string{"none"}},
	} {
		var want, got []string
		for _, e := range all {
			if f.holds(e) {
				want = append(want, e.ID)
			}
		}
		size := 7
		args := page.Args{First: &size}
		for more := true; more; {
			p, err := w.Events(t.Context(), f, args)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range p.Items {
				got = append(got, e.ID)
			}
			if more = p.HasNext; more {
				args.After = &p.Cursors[len(p.Cursors)-1]
			}
		}
		backward := page.Args{Last: &size}
		var back []string
		for more := true; more; {
			p, err := w.Events(t.Context(), f, backward)
			if err != nil {
				t.Fatal(err)
			}
			page := make([]string, len(p.Items))
			for i, e := range p.Items {
				page[i] = e.ID
			}
			back = append(page, back...)
			if more = p.HasPrevious; more {
				backward.Before = &p.Cursors[0]
			}
		}
		if !slices.Equal(back, want) {
			t.Errorf("%s, backward: %d events\n%v\nwant %d\n%v", name, len(back), back, len(want), want)
		}
		if !slices.Equal(got, want) || len(want) == 0 && name != "nothing" {
			t.Errorf("%s: %d events\n%v\nwant %d\n%v", name, len(got), got, len(want), want)
		}
	}
	for cursor, want := range map[string]error{
		"x":                            page.ErrCursor,
		page.Cursor{"a", "b"}.Encode(): page.ErrCursor,
		page.Cursor{"2026-01-02T03:04:05Z", "x"}.Encode(): nil,
	} {
		if _, err := w.Events(t.Context(), EventFilter{}, page.Args{After: &cursor}); !errors.Is(err, want) {
			t.Errorf("after %q: %v, want %v", cursor, err, want)
		}
	}
	w.rights.only = []string{PermView}
	if _, err := w.Events(t.Context(), EventFilter{}, page.Args{}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("without the right: %v", err)
	}
}

// The newest events come out of an index, whatever the filter is: reading all of them to sort them would not end.
func TestExplorerUsesAnIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.track(t, flights("a", 20)...)
	for name, filter := range map[string]bson.D{
		"all": EventFilter{}.query([]string{"flight", "other"}), "one name": EventFilter{}.query([]string{"flight"}),
		"actor": EventFilter{Actor: "actor-001"}.query(nil), "range": EventFilter{From: t0, To: t0}.query([]string{"flight", "other"}),
	} {
		command := bson.D{{Key: "find", Value: eventsCollection}, {Key: "filter", Value: filter}, {Key: "sort", Value: bson.D{{Key: "at", Value: -1}}}, {Key: "limit", Value: 10}}
		plan, err := w.db.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: command}, {Key: "verbosity", Value: "queryPlanner"}}).Raw()
		if err != nil {
			t.Fatal(err)
		}
		s := plan.Lookup("queryPlanner", "winningPlan").String()
		if !strings.Contains(s, "IXSCAN") || strings.Contains(s, "COLLSCAN") || strings.Contains(s, `"SORT"`) {
			t.Errorf("%s: %s", name, s)
		}
	}
}

// Journeys find their events by an index too; those of actors need no sort when many of the stored events count.
func TestJourneysUseAnIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := FunnelQuery{Steps: []Selector{{Event: "flight"}, {Event: "train", Where: only("d", "x")}}, WindowSeconds: 60}
	for _, q.Unit = range []Unit{ByActor, BySession} {
		command := bson.D{
			{Key: "aggregate", Value: eventsCollection},
			{Key: "pipeline", Value: q.reading(t0, t0.Add(time.Hour), "").pipeline(10)},
			{Key: "cursor", Value: bson.D{}},
		}
		plan, err := w.db.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: command}, {Key: "verbosity", Value: "queryPlanner"}}).Raw()
		if err != nil {
			t.Fatal(err)
		}
		if s := plan.String(); !strings.Contains(s, "IXSCAN") || strings.Contains(s, "COLLSCAN") {
			t.Errorf("by %s: %s", q.Unit, s)
		}
	}
}

// follow runs the tail of a node and a source on it, as the hub does.
type follow struct {
	t     *testing.T
	mu    sync.Mutex
	inbox []any
	src   *TailSource
	seen  []string // ids a client would show, the newest first
	lost  int
}

func (w world) tails(t *testing.T, f EventFilter, last int) *follow {
	t.Helper()
	_, topics, newSource, _, err := w.TailChannel(t.Context(), f, last)
	if err != nil {
		t.Fatal(err)
	}
	fo := &follow{t: t, src: newSource()}
	w.runTail(t, func(topic string, change any) {
		fo.mu.Lock()
		defer fo.mu.Unlock()
		if topic == topics[0] {
			fo.inbox = append(fo.inbox, change)
		}
	})
	fo.load()
	return fo
}

func (w world) runTail(t *testing.T, publish func(string, any)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Tail(ctx, publish)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func (f *follow) load() {
	f.t.Helper()
	if err := f.src.Load(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.seen, f.lost = nil, 0
	for _, e := range f.src.Snapshot().(*EventTail).Events {
		f.seen = append(f.seen, e.ID)
	}
}

// step applies what was published.
func (f *follow) step() {
	f.mu.Lock()
	inbox := f.inbox
	f.inbox = nil
	f.mu.Unlock()
	for _, c := range inbox {
		if d, ok := f.src.Apply(c).(*EventTail); ok {
			f.lost += d.Skipped
			for _, e := range slices.Backward(d.Events) {
				f.seen = slices.Insert(f.seen, 0, e.ID)
			}
		}
	}
}

func (f *follow) until(what string, cond func() bool) {
	f.t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if f.step(); time.Now().After(end) {
			f.t.Fatalf("never: %s; seen %v, %d lost", what, f.seen, f.lost)
		}
	}
}

// openNow reports whether the stream is open.
func (t *eventTail) openNow() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isOpen
}

func TestTailFollowsWhatIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := t0.Add(-time.Hour)
	e := func(id, name string) EventCmd {
		at = at.Add(time.Second)
		when := at
		return EventCmd{ID: "event-" + id, Name: name, At: &when}
	}
	w.track(t, e("001", "a"), e("002", "b"), e("003", "a"), e("004", "a"))
	f := w.tails(t, EventFilter{Names: []string{"a"}}, 2)
	if !slices.Equal(f.seen, []string{"event-004", "event-003"}) {
		t.Fatalf("it begins with %v", f.seen)
	}
	old := e("005", "a")
	old.At = new(t0.AddDate(-20, 0, 0)) // stored now, whenever it happened
	w.track(t, e("006", "b"), old)
	w.track(t, e("007", "a"))
	f.until("the new ones", func() bool { return slices.Contains(f.seen, "event-007") })
	if want := []string{"event-007", "event-005", "event-004", "event-003"}; !slices.Equal(f.seen, want) || f.lost != 0 {
		t.Errorf("seen %v, %d lost; want %v", f.seen, f.lost, want)
	}
	if s := f.src.Snapshot().(*EventTail); len(s.Events) != 2 || s.Events[0].ID != "event-007" || s.Events[1].ID != "event-005" {
		t.Errorf("who comes now begins with %+v", s.Events)
	}
	f.src.Close()
	f.until("the stream is closed when nobody follows", func() bool { return !w.tail.openNow() })
	w.track(t, e("008", "a"))
	f.load() // follows again: what happened between is in the state, what comes is told
	w.track(t, e("009", "a"))
	f.until("again", func() bool { return len(f.seen) > 0 && f.seen[0] == "event-009" })
	if f.seen[1] != "event-008" {
		t.Errorf("seen %v", f.seen)
	}
}

// More than fits is skipped and counted, never silently.
func TestTailCountsWhatItSkips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.tails(t, EventFilter{}, 5)
	w.track(t, flights("a", 200)...)
	f.until("all of them", func() bool { return len(f.seen)+f.lost == 200 })
	if f.lost == 0 {
		t.Errorf("%d seen, none skipped of a queue of 5", len(f.seen))
	}
}

func TestTailQueue(t *testing.T) {
	t.Parallel()
	s := &tailSub{most: 2, filter: EventFilter{Names: []string{"a"}}}
	if s.news() {
		t.Error("news of nothing")
	}
	for _, id := range []string{"1", "2", "3"} {
		s.offer(Event{ID: id, Name: "a"})
		s.offer(Event{ID: id, Name: "b"})
	}
	if !s.news() || s.news() {
		t.Error("news are told once")
	}
	if events, skipped := s.take(); len(events) != 2 || events[0].ID != "2" || skipped != 1 {
		t.Errorf("took %v, %d skipped", events, skipped)
	}
	if s.offer(Event{ID: "4", Name: "a"}); !s.news() {
		t.Error("no news after the queue was taken")
	}
}

// A message that joins two shows as many events as one may, and counts the others.
func TestTailDeltasAreMerged(t *testing.T) {
	t.Parallel()
	src := &TailSource{sub: &tailSub{most: 3}}
	ev := func(ids ...string) (all []Event) {
		for _, id := range ids {
			all = append(all, Event{ID: id})
		}
		return all
	}
	m := src.Merge(&EventTail{Events: ev("2", "1"), Skipped: 4}, &EventTail{Events: ev("4", "3"), Skipped: 1}).(*EventTail)
	if len(m.Events) != 3 || m.Events[0].ID != "4" || m.Events[2].ID != "2" || m.Skipped != 6 {
		t.Errorf("merged: %+v", m)
	}
	if src.Apply("nonsense") != nil || src.Stale() {
		t.Error("a foreign change tells something")
	}
	if src.Apply(tailNews{lost: true}) != nil || !src.Stale() {
		t.Error("what was lost is not read anew")
	}
}

// Through a stream that is cut nothing is lost.
func TestTailGoesOnAfterACut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.tails(t, EventFilter{}, MaxTail)
	w.track(t, flights("a", 3)...)
	f.until("the first", func() bool { return len(f.seen) == 3 })
	restore := storetest.CutStreams(t, w.db)
	f.until("the cut", func() bool { return !w.tail.openNow() })
	w.track(t, flights("b", 4)...)
	restore()
	f.until("the others", func() bool { return len(f.seen) == 7 })
}

func TestTailChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, topics, newSource, allowed, err := w.TailChannel(t.Context(), EventFilter{Names: []string{"b", "a"}}, 5)
	if err != nil || len(topics) != 1 || newSource() == nil || allowed(t.Context()) != nil {
		t.Fatalf("TailChannel() = %q, %v, %v", key, topics, err)
	}
	if same, _, _, _, _ := w.TailChannel(t.Context(), EventFilter{Names: []string{"a", "b", "a"}}, 5); same != key {
		t.Errorf("keys %q and %q of equal filters differ", key, same)
	}
	if other, _, _, _, _ := w.TailChannel(t.Context(), EventFilter{Names: []string{"a", "b"}}, 6); other == key {
		t.Errorf("filters that differ share %q", key)
	}
	for _, last := range []int{0, MaxTail + 1} {
		if _, _, _, _, err := w.TailChannel(t.Context(), EventFilter{}, last); !errors.Is(err, fault.ErrInput) {
			t.Errorf("the last %d: %v", last, err)
		}
	}
	w.rights.only = []string{PermView}
	if _, _, _, _, err := w.TailChannel(t.Context(), EventFilter{}, 5); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("without the right: %v", err)
	}
	if err := allowed(t.Context()); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("allowed() = %v after the right was taken", err)
	}
}
