package live

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
)

// mergingBoard is a board that can tell several changes as one.
type mergingBoard struct{ board }

func (*mergingBoard) Merge(older, newer any) any {
	m := maps.Clone(older.(map[string]int))
	maps.Copy(m, newer.(map[string]int))
	return m
}

func (t *table) merging(r Request) Request {
	r.Open = func(context.Context) (Channel, error) {
		return Channel{Key: "merging", Topics: []string{"board"}, New: func() Source { return &mergingBoard{board{t: t}} }}, nil
	}
	return r
}

// again follows as a client that was away: with what it knew and its cursor.
func again(t *testing.T, h *Hub, before *client, r Request) *client {
	t.Helper()
	r.After = before.cursor
	s, err := h.Open(actor.With(t.Context(), actor.Actor{User: "u"}), "", []Request{r})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, state: maps.Clone(before.state), seq: before.seq}
	s.Start(c)
	t.Cleanup(s.Close)
	return c
}

func TestResumeTellsExactlyTheGap(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(*table) Request{
		"one by one": func(tab *table) Request { return tab.request("x", nil) },
		"merged":     func(tab *table) Request { return tab.merging(Request{Label: "x"}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, tab := newHub(t, Config{Linger: time.Hour}), &table{rows: map[string]int{"a": 1}}
			s, c := follow(t, h, "u", of(tab))
			_, other := follow(t, h, "u", of(tab))
			eventually(t, "snapshot", c.sees(map[string]int{"a": 1}))
			s.Close()
			want := map[string]int{"a": 1}
			for i := range 5 {
				want["b"] = i + 1
				tab.set(h, "b", i+1)
				eventually(t, "the other is told", other.sees(want))
			}
			back := again(t, h, c, of(tab))
			eventually(t, "the gap", back.sees(want))
			back.mu.Lock()
			defer back.mu.Unlock()
			deltas := int(other.seq - c.seq)
			if name == "merged" {
				deltas = 1
			}
			if want := append([]Kind{Resumed}, slices.Repeat([]Kind{Delta}, deltas)...); !slices.Equal(back.kinds, want) {
				t.Errorf("told as %v, want %v", back.kinds, want)
			}
			if tab.loads != 1 {
				t.Errorf("%d loads: who comes back costs the database nothing", tab.loads)
			}
		})
	}
}

func TestResumeWithoutAGapSaysSo(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{Linger: time.Hour}), &table{rows: map[string]int{"a": 1}}
	s, c := follow(t, h, "u", tab.request("x", nil))
	eventually(t, "snapshot", c.has(Snapshot))
	s.Close()
	back := again(t, h, c, tab.request("x", nil))
	eventually(t, "it goes on", back.has(Resumed))
	tab.set(h, "b", 2)
	eventually(t, "what is new", back.sees(map[string]int{"a": 1, "b": 2}))
	if back.has(Resync)() || h.Stats().Resumed != 1 {
		t.Errorf("told as %v, %+v", back.kinds, h.Stats())
	}
}

// TestResumeOfWhatIsNotKnown: a cursor of another source, of what is forgotten or of nothing leads to the whole state.
func TestResumeOfWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	far, tab := newHub(t, Config{}), &table{rows: map[string]int{"a": 1}}
	_, there := follow(t, far, "u", tab.request("x", nil))
	h := newHub(t, Config{})
	_, here := follow(t, h, "u", tab.request("x", nil))
	eventually(t, "snapshots", func() bool { return there.has(Snapshot)() && here.has(Snapshot)() })
	s := h.sources["board"]
	for name, cursor := range map[string]string{
		"of another node": there.cursor, "of the future": s.log.cursor(99, 0), "of nothing": "?", "cut": here.cursor[:8],
		"of before the beginning": s.log.cursor(0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			back := again(t, h, &client{cursor: cursor, seq: 7, state: map[string]int{"old": 1}}, tab.request("x", nil))
			eventually(t, "the whole state", back.sees(map[string]int{"a": 1}))
			if !slices.Equal(back.kinds, []Kind{Resync}) {
				t.Errorf("told as %v", back.kinds)
			}
		})
	}
}

func TestPaceFoldsWhatChangesBetween(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{}}
	r := tab.merging(Request{Label: "x", Every: 50 * time.Millisecond})
	_, paced := follow(t, h, "u", r)
	_, whole := follow(t, h, "u", tab.merging(Request{Label: "x", Every: time.Hour, Whole: true}))
	whole.mu.Lock()
	whole.latest = true
	whole.mu.Unlock()
	_, quick := follow(t, h, "u", tab.merging(Request{Label: "x"}))
	eventually(t, "snapshots", func() bool { return paced.has(Snapshot)() && quick.has(Snapshot)() && whole.has(Snapshot)() })
	want := map[string]int{}
	for i := range 200 {
		want["k"] = i + 1
		tab.set(h, "k", i+1)
		eventually(t, "one message for each", quick.sees(want))
	}
	eventually(t, "the last state", paced.sees(want))
	paced.mu.Lock()
	defer paced.mu.Unlock()
	if n := len(paced.kinds); n > 100 {
		t.Errorf("%d messages for 200 changes", n)
	}
	eventually(t, "the first change at once", whole.sees(map[string]int{"k": 1}))
	if !slices.Equal(whole.kinds, []Kind{Snapshot, Snapshot}) {
		t.Errorf("each in whole, and no more than its pace: %v", whole.kinds)
	}
}

// deaf takes everything.
type deaf struct{}

func (deaf) Deliver(string, *Frame) bool { return true }

func TestChannelsAreAddedAndRemoved(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{"a": 1}}
	me := actor.With(t.Context(), actor.Actor{User: "u", Session: "s1"})
	lost, err := h.Open(me, "mine", []Request{tab.request("x", nil)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.Open(me, "mine", []Request{tab.request("x", nil)})
	if err != nil {
		t.Fatal(err)
	}
	lost.Close() // the later one keeps the id
	if _, err := h.Find(actor.With(t.Context(), actor.Actor{User: "u", Session: "s2"}), "mine"); !errors.Is(err, ErrUnknown) {
		t.Errorf("another session finds it: %v", err)
	}
	if found, err := h.Find(me, "mine"); err != nil || found != s {
		t.Fatalf("found %v, %v", found, err)
	}
	if _, err := s.Add([]Request{tab.request("early", nil)}); !errors.Is(err, ErrUnknown) {
		t.Errorf("before the start: %v", err)
	}
	s.Start(deaf{})
	entered := 0
	add := tab.merging(Request{Label: "y"})
	open := add.Open
	add.Open = func(ctx context.Context) (Channel, error) {
		c, err := open(ctx)
		c.Enter = func() func() { entered++; return func() { entered-- } }
		return c, err
	}
	if _, err := s.Add([]Request{tab.request("x", nil)}); !errors.Is(err, ErrChannels) {
		t.Errorf("a key twice: %v", err)
	}
	if now, err := s.Add([]Request{add}); err != nil || !slices.Equal(now, []string{"x", "y"}) || entered != 1 {
		t.Fatalf("%v, %v, entered %d", now, err, entered)
	}
	eventually(t, "two sources", func() bool { return h.Stats().Sources == 2 })
	if now := s.Remove([]string{"y", "never"}); !slices.Equal(now, []string{"x"}) || entered != 0 {
		t.Errorf("%v, entered %d", now, entered)
	}
	many := make([]Request, MaxChannels)
	for i := range many {
		many[i] = tab.request(strconv.Itoa(i), nil)
	}
	if _, err := s.Add(many); !errors.Is(err, ErrChannels) {
		t.Errorf("too many: %v", err)
	}
	s.Close()
	if _, err := h.Find(me, "mine"); !errors.Is(err, ErrUnknown) {
		t.Errorf("after its end: %v", err)
	}
}
