package live

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table is the truth a source reads from, and board a source over it: a map of counters.
type table struct {
	mu    sync.Mutex
	rows  map[string]int
	loads int
	fail  error
}

type change struct {
	key   string
	value int // absolute: applying it twice changes nothing
}

func (t *table) set(h *Hub, key string, value int) {
	t.mu.Lock()
	defer t.mu.Unlock() // publishes in the order of the writes, as a change stream does
	t.rows[key] = value
	h.Publish("board", change{key, value})
}

func (t *table) read() (map[string]int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.loads++
	return maps.Clone(t.rows), t.fail
}

type board struct {
	t     *table
	rows  map[string]int
	delta map[string]int
}

func (b *board) Load(context.Context) (err error) { b.rows, err = b.t.read(); return err }

func (b *board) Apply(c any) any {
	ch, ok := c.(change)
	if !ok || b.rows[ch.key] >= ch.value { // values only grow: older changes tell nothing
		return nil
	}
	b.rows[ch.key] = ch.value
	if b.delta == nil {
		b.delta = map[string]int{}
	}
	b.delta[ch.key] = ch.value
	return nil
}

func (b *board) Flush() any {
	d := b.delta
	if b.delta = nil; d == nil {
		return nil
	}
	return d
}

func (b *board) Snapshot() any { return maps.Clone(b.rows) }

// client folds what it is sent and checks the contract as it goes.
type client struct {
	t       *testing.T
	mu      sync.Mutex
	full    bool
	state   map[string]int
	seq     int64
	cursor  string
	latest  bool
	kinds   []Kind
	notice  *fault.Error
	refused int
}

func (c *client) Deliver(_ string, f *Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full {
		c.refused++
		return false
	}
	c.kinds = append(c.kinds, f.Kind)
	switch f.Kind {
	case Notice:
		c.notice = f.Err
		return true
	case Delta:
		if f.FirstSeq != c.seq+1 || f.Seq < f.FirstSeq {
			c.t.Errorf("delta %d to %d after %d", f.FirstSeq, f.Seq, c.seq)
		}
		maps.Copy(c.state, f.Data.(map[string]int))
	case Resumed:
		if f.Seq != c.seq {
			c.t.Errorf("resumed at %d after %d", f.Seq, c.seq)
		}
	case Snapshot, Resync:
		if !c.latest && (f.Kind == Snapshot) != (c.seq == 0) {
			c.t.Errorf("%s at seq %d", f.Kind, c.seq)
		}
		c.state = maps.Clone(f.Data.(map[string]int))
	}
	c.seq, c.cursor = f.Seq, *f.Cursor
	return true
}

func (c *client) setFull(full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.full = full
}

func (c *client) sees(want map[string]int) func() bool {
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return maps.Equal(c.state, want)
	}
}

func (c *client) has(k Kind) func() bool {
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.Contains(c.kinds, k)
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func newHub(t *testing.T, cfg Config) *Hub {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	h := New(ctx, clock.System(), slog.New(slog.DiscardHandler), cfg)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Run()
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return h
}

func (t *table) request(label string, allowed func(context.Context) error) Request {
	return Request{Label: label, Open: func(context.Context) (Channel, error) {
		return Channel{
			Key: "board", Topics: []string{"board", TopicTick},
			New: func() Source { return &board{t: t} }, Allowed: allowed,
		}, nil
	}}
}

func follow(t *testing.T, h *Hub, user string, reqs ...Request) (*Stream, *client) {
	t.Helper()
	s, err := h.Open(actor.With(t.Context(), actor.Actor{User: user}), "", reqs)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t}
	s.Start(c)
	t.Cleanup(s.Close)
	return s, c
}

func TestSnapshotThenDeltas(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{"a": 1}}
	_, c1 := follow(t, h, "u1", tab.request("x", nil))
	eventually(t, "snapshot", c1.sees(map[string]int{"a": 1}))
	tab.set(h, "b", 2)
	eventually(t, "delta", c1.sees(map[string]int{"a": 1, "b": 2}))
	_, c2 := follow(t, h, "u2", tab.request("other name", nil))
	eventually(t, "late snapshot", c2.sees(map[string]int{"a": 1, "b": 2}))
	if tab.loads != 1 || h.Stats().Sources != 1 || h.Stats().Streams != 2 {
		t.Errorf("loads %d, %+v: equal channels must share one source", tab.loads, h.Stats())
	}
	if c1.seq != c2.seq {
		t.Errorf("seq %d and %d: frames are shared, so must be their numbers", c1.seq, c2.seq)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{}}
	many := make([]Request, MaxChannels+1)
	for i := range many {
		many[i] = tab.request(strconv.Itoa(i), nil)
	}
	for name, reqs := range map[string][]Request{
		"none": nil, "too many": many, "same key twice": {tab.request("x", nil), tab.request("x", nil)},
	} {
		if _, err := h.Open(t.Context(), "", reqs); !errors.Is(err, ErrChannels) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusedChannelIsANotice(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{"a": 1}}
	_, bad := follow(t, h, "u", Request{Label: "no", Open: func(context.Context) (Channel, error) { return Channel{}, fault.ErrForbidden }})
	eventually(t, "notice", bad.has(Notice))
	if !errors.Is(bad.notice, fault.ErrForbidden) {
		t.Errorf("notice says %v", bad.notice)
	}
	refused := Request{Label: "no", Open: func(context.Context) (Channel, error) { return Channel{}, fault.ErrForbidden }}
	_, both := follow(t, h, "u", refused, tab.request("yes", nil))
	eventually(t, "the other channel", both.has(Snapshot))
}

// TestSlowSubscriber: one who cannot take messages is left alone, then told exactly what it missed, or begins again when that
// is not known any more.
func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	t.Run("a few", func(t *testing.T) { t.Parallel(); testSlowSubscriber(t, 50, false) })
	t.Run("too many", func(t *testing.T) { t.Parallel(); testSlowSubscriber(t, ringLength+1, true) })
}

func testSlowSubscriber(t *testing.T, missed int, again bool) {
	t.Helper()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{}}
	slow, c := follow(t, h, "slow", tab.request("x", nil))
	_, quick := follow(t, h, "quick", tab.request("x", nil))
	eventually(t, "snapshots", func() bool { return c.has(Snapshot)() && quick.has(Snapshot)() })
	c.setFull(true)
	want := map[string]int{}
	for i := range missed {
		tab.set(h, "k"+strconv.Itoa(i), i+1)
		want["k"+strconv.Itoa(i)] = i + 1
		eventually(t, "the quick one is told", quick.sees(want)) // one message for each
	}
	c.mu.Lock()
	if c.refused != 1 {
		t.Errorf("offered %d times while full: a lagging subscriber must be left alone", c.refused)
	}
	c.mu.Unlock()
	c.setFull(false)
	slow.Ready()
	eventually(t, "it catches up", c.sees(want))
	tab.set(h, "last", 99)
	want["last"] = 99
	eventually(t, "deltas go on", c.sees(want))
	if c.has(Resync)() != again {
		t.Errorf("told as %v", c.kinds)
	}
}

func TestRecheckEndsOnlyWhoLostTheRight(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{}}
	var mu sync.Mutex
	lost := map[string]bool{}
	allowed := func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if lost[actor.From(ctx).User] {
			return fault.ErrForbidden
		}
		return nil
	}
	_, a := follow(t, h, "a", tab.request("x", allowed))
	_, b := follow(t, h, "b", tab.request("x", allowed))
	eventually(t, "snapshots", func() bool { return a.has(Snapshot)() && b.has(Snapshot)() })
	mu.Lock()
	lost["a"] = true
	mu.Unlock()
	h.Recheck([]string{"b"})
	h.Recheck([]string{"a"})
	eventually(t, "notice", a.has(Notice))
	if !errors.Is(a.notice, ErrEnded) {
		t.Errorf("notice says %v", a.notice)
	}
	tab.set(h, "k", 1)
	eventually(t, "b goes on", b.sees(map[string]int{"k": 1}))
	if a.sees(map[string]int{"k": 1})() {
		t.Error("a saw what happened after its right ended")
	}
	mu.Lock()
	lost["b"] = true
	mu.Unlock()
	h.Recheck(nil)
	eventually(t, "everybody is asked", b.has(Notice))
}

func TestRightLostBetweenOpenAndStart(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{}}
	s, err := h.Open(t.Context(), "", []Request{tab.request("x", func(context.Context) error { return fault.ErrForbidden })})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t}
	s.Start(c)
	defer s.Close()
	eventually(t, "notice", c.has(Notice))
}

func TestLoadFailureIsToldAndForgotten(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{}, fail: fault.ErrUnavailable}
	_, c := follow(t, h, "u", tab.request("x", nil))
	eventually(t, "notice", c.has(Notice))
	if !errors.Is(c.notice, fault.ErrUnavailable) || tab.loads != loadTries {
		t.Errorf("notice %v after %d loads", c.notice, tab.loads)
	}
	eventually(t, "the source is gone", func() bool { return h.Stats().Sources == 0 })
	tab.mu.Lock()
	tab.fail = nil
	tab.mu.Unlock()
	_, again := follow(t, h, "u", tab.request("x", nil))
	eventually(t, "a new try works", again.has(Snapshot))
}

func TestResyncAfterLoss(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{}), &table{rows: map[string]int{}}
	_, c := follow(t, h, "u", tab.request("x", nil))
	eventually(t, "snapshot", c.has(Snapshot))
	tab.mu.Lock()
	tab.rows["missed"] = 1 // nobody published it
	tab.mu.Unlock()
	h.Resync()
	eventually(t, "resync", c.sees(map[string]int{"missed": 1}))
	if !c.has(Resync)() {
		t.Errorf("told as %v", c.kinds)
	}
}

func TestLingerDespiteTraffic(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{Linger: 300 * time.Millisecond}), &table{rows: map[string]int{}}
	s, c := follow(t, h, "u", tab.request("x", nil))
	eventually(t, "snapshot", c.has(Snapshot))
	s.Close()
	s2, c2 := follow(t, h, "u", tab.request("x", nil))
	eventually(t, "snapshot", c2.has(Snapshot))
	if tab.loads != 1 {
		t.Errorf("a reconnect cost %d loads", tab.loads)
	}
	s2.Close()
	n := 0
	eventually(t, "the source ends although changes keep coming", func() bool {
		n++
		tab.set(h, "k", n)
		return h.Stats().Sources == 0
	})
}

// TestNothingIsLost has subscribers come, go and stall while changes pour in: in the end everybody sees the truth.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	h, tab := newHub(t, Config{Backlog: 20, Linger: time.Millisecond}), &table{rows: map[string]int{}}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Add(1)
	go func() {
		defer wg.Done()
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
				tab.set(h, "k"+strconv.Itoa(rand.IntN(30)), i)
			}
		}
	}()
	clients := make([]*client, 20)
	streams := make([]*Stream, len(clients))
	for i := range clients {
		for range rand.IntN(4) { // some come and go first
			s, c := follow(t, h, "u", tab.request("x", nil))
			eventually(t, "snapshot", c.has(Snapshot))
			s.Close()
		}
		streams[i], clients[i] = follow(t, h, "u", tab.request("x", nil))
		if i%3 == 0 {
			clients[i].setFull(true)
		}
	}
	eventually(t, "some lag", func() bool { return h.Stats().Lagged > 3 })
	close(stop)
	wg.Wait()
	for i, c := range clients {
		c.setFull(false)
		streams[i].Ready()
	}
	want, _ := tab.read()
	for i, c := range clients {
		eventually(t, "client "+strconv.Itoa(i)+" sees the truth", c.sees(want))
	}
}

func TestEncodedIsSharedByForm(t *testing.T) {
	t.Parallel()
	f, n := &Frame{}, 0
	enc := func() []byte { n++; return []byte("x") }
	f.Encoded("a", enc)
	f.Encoded("a", enc)
	f.Encoded("b", enc)
	if n != 2 {
		t.Errorf("encoded %d times for 2 forms", n)
	}
	f.Encoded("nil", func() []byte { n++; return nil })
	f.Encoded("nil", func() []byte { n++; return nil })
	if n != 4 {
		t.Error("a form that could not be encoded was kept")
	}
	for i := range 2 * maxEncoded {
		f.Encoded("user "+strconv.Itoa(i), enc)
	}
	if len(f.encoded) > maxEncoded {
		t.Errorf("a frame keeps %d forms", len(f.encoded))
	}
}

// clockwork is a source that is computed anew when it is due.
type clockwork struct {
	board
	due    bool
	fails  error
	closed chan struct{}
}

func (c *clockwork) Apply(change any) any {
	c.due = change == "due"
	return c.board.Apply(change)
}

func (c *clockwork) Due() bool { return c.due }

func (c *clockwork) Refresh(ctx context.Context) (any, error) {
	c.due = false
	if _, bounded := ctx.Deadline(); !bounded {
		return nil, errors.New("without a deadline")
	}
	if c.fails != nil {
		return nil, c.fails
	}
	rows, _ := c.t.read()
	if maps.Equal(rows, c.rows) {
		return nil, nil //nolint:nilnil // there is nothing to tell
	}
	c.rows = rows
	return maps.Clone(rows), nil
}

func (c *clockwork) Close() { close(c.closed) }

func TestSourceIsRefreshedWhenDueAndClosedAtTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	h := New(ctx, clock.System(), slog.New(slog.DiscardHandler), Config{Linger: time.Millisecond})
	defer func() {
		cancel()
		h.Run()
	}()
	tab := &table{rows: map[string]int{"a": 1}}
	src := &clockwork{board: board{t: tab}, closed: make(chan struct{})}
	cl := &client{t: t}
	s, err := h.Open(t.Context(), "", []Request{{Label: "x", Open: func(context.Context) (Channel, error) {
		return Channel{Key: "clockwork", Topics: []string{"board"}, New: func() Source { return src }}, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(cl)
	eventually(t, "the snapshot", cl.sees(map[string]int{"a": 1}))
	loads := func() int {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		return tab.loads
	}
	tab.mu.Lock()
	tab.rows["a"] = 2
	tab.mu.Unlock()
	h.Publish("board", "not due")
	h.Publish("board", "due")
	eventually(t, "what was computed anew", cl.sees(map[string]int{"a": 2}))
	before := loads()
	h.Publish("board", "due") // and nothing has changed
	eventually(t, "computed again", func() bool { return loads() == before+1 })
	tab.set(h, "a", 3)
	eventually(t, "an ordinary change", cl.sees(map[string]int{"a": 3}))
	cl.mu.Lock()
	if cl.seq != 3 {
		t.Errorf("seq %d: want the snapshot, what was computed anew, and the change", cl.seq)
	}
	cl.mu.Unlock()
	s.Close()
	<-src.closed
}

func TestRefreshThatFailsLeavesTheState(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	h := New(ctx, clock.System(), slog.New(slog.DiscardHandler), Config{})
	defer func() {
		cancel()
		h.Run()
	}()
	tab := &table{rows: map[string]int{"a": 1}}
	src := &clockwork{board: board{t: tab}, fails: errors.New("away"), closed: make(chan struct{})}
	cl := &client{t: t}
	s, err := h.Open(t.Context(), "", []Request{{Label: "x", Open: func(context.Context) (Channel, error) {
		return Channel{Key: "clockwork", Topics: []string{"board"}, New: func() Source { return src }}, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Start(cl)
	h.Publish("board", "due")
	tab.set(h, "b", 2)
	eventually(t, "the channel goes on", cl.sees(map[string]int{"a": 1, "b": 2}))
	if cl.has(Notice)() || cl.has(Resync)() {
		t.Errorf("kinds %v", cl.kinds)
	}
}

func TestLoadThatIsRefusedIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	h := New(ctx, clock.System(), slog.New(slog.DiscardHandler), Config{})
	defer func() {
		cancel()
		h.Run()
	}()
	tab := &table{fail: fault.ErrInput}
	cl := &client{t: t}
	s, err := h.Open(t.Context(), "", []Request{{Label: "x", Open: func(context.Context) (Channel, error) {
		return Channel{Key: "refused", New: func() Source { return &board{t: tab} }}, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Start(cl)
	eventually(t, "the refusal", cl.has(Notice))
	if tab.loads != 1 || !errors.Is(cl.notice, fault.ErrInput) {
		t.Errorf("%d loads, then %v", tab.loads, cl.notice)
	}
}
