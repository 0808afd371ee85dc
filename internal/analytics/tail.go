package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
)

// MaxTail is how many events a tail shows.
const MaxTail = 100

const (
	tailPace  = 100 * time.Millisecond // least time between two looks at what a tail has gathered
	tailPause = 500 * time.Millisecond // after the stream was cut
)

// EventTail is what a tail tells: the last events, or those that are new, the newest first.
type EventTail struct {
	Events  []Event
	Skipped int // events that passed the filter since the message before and are not told: there were too many
}

// tailNews tells a tail that events wait for it.
type tailNews struct{ lost bool }

// eventTail is what the tails of this node share: one change stream of the stored events, open only while somebody
// follows a tail.
type eventTail struct {
	mu     sync.Mutex
	subs   map[*tailSub]struct{}
	wake   chan struct{} // somebody came
	open   chan struct{} // closed while the stream is open: what is stored from then on is heard of
	isOpen bool
}

// tailSub is one tail: what passes its filter waits in a bounded queue.
type tailSub struct {
	filter EventFilter
	topic  string
	most   int

	mu      sync.Mutex
	queue   []Event
	skipped int
	told    bool // the news of what is in the queue is on its way
}

func newEventTail() *eventTail {
	return &eventTail{subs: map[*tailSub]struct{}{}, wake: make(chan struct{}, 1), open: make(chan struct{})}
}

// join adds a tail and waits until the stream is open.
func (t *eventTail) join(ctx context.Context, s *tailSub) error {
	t.mu.Lock()
	t.subs[s] = struct{}{}
	open := t.open
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
	select {
	case <-open:
		return nil
	case <-ctx.Done():
		return ctxError(ctx)
	}
}

func (t *eventTail) leave(s *tailSub) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subs, s)
}

// opened tells those who wait that the stream is open.
func (t *eventTail) opened() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.isOpen {
		close(t.open)
		t.isOpen = true
	}
}

// cut makes those who join wait for the next stream.
func (t *eventTail) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut()
}

// idle reports whether nobody follows a tail. The stream then counts as cut already, so that nobody joins one that is
// about to end.
func (t *eventTail) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.subs) > 0 {
		return false
	}
	t.shut()
	return true
}

func (t *eventTail) shut() {
	if t.isOpen {
		t.open, t.isOpen = make(chan struct{}), false
	}
}

// all are the tails of now.
func (t *eventTail) all() []*tailSub {
	t.mu.Lock()
	defer t.mu.Unlock()
	subs := make([]*tailSub, 0, len(t.subs))
	for s := range t.subs {
		subs = append(subs, s)
	}
	return subs
}

// offer queues an event that passes the filter; of too many the oldest are skipped.
func (s *tailSub) offer(e Event) {
	if !s.filter.holds(e) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == s.most {
		s.queue = slices.Delete(s.queue, 0, 1)
		s.skipped++
	}
	s.queue = append(s.queue, e)
}

// news reports whether events wait that were not told of yet.
func (s *tailSub) news() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := len(s.queue) > 0 && !s.told
	s.told = s.told || fresh
	return fresh
}

// take empties the queue.
func (s *tailSub) take() (events []Event, skipped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, skipped = s.queue, s.skipped
	s.queue, s.skipped, s.told = nil, 0, false
	return events, skipped
}

// Tail feeds the event tails of this node until ctx ends: while somebody follows one, and only then, it follows the change
// stream of the stored events. Run it once on every node that serves live channels.
func (s *Service) Tail(ctx context.Context, publish func(topic string, change any)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.tail.wake:
		}
		var token []byte
		for !s.tail.idle() && ctx.Err() == nil {
			err := s.feed(ctx, &token, publish)
			if err == nil || ctx.Err() != nil {
				continue
			}
			s.cfg.Log.WarnContext(ctx, "event_tail_cut", "error", err.Error())
			if errors.Is(err, errHistory) {
				token = nil
				for _, sub := range s.tail.all() {
					publish(sub.topic, tailNews{lost: true})
				}
			}
			clock.Sleep(ctx, tailPause)
		}
	}
}

// feed hands out what the stream brings until nobody follows a tail. token is where it has come to.
func (s *Service) feed(ctx context.Context, token *[]byte, publish func(string, any)) error {
	in, err := s.store.watchEvents(ctx, *token)
	if err != nil {
		return err
	}
	defer in.close(ctx)
	*token = in.token()
	s.tail.opened()
	defer s.tail.cut()
	pace := time.NewTicker(tailPace)
	defer pace.Stop()
	for !s.tail.idle() && ctx.Err() == nil {
		subs := s.tail.all()
		for more := true; more; more = in.more() {
			c, ok, err := in.next(ctx)
			switch {
			case errors.Is(err, errForeign): // the folder logs it
			case err != nil:
				return err
			case ok && c.event != nil:
				for _, sub := range subs {
					sub.offer(*c.event)
				}
			}
		}
		*token = in.token()
		for _, sub := range subs {
			if sub.news() {
				publish(sub.topic, tailNews{})
			}
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// TailChannel opens a tail: the last events the filter lets through, by the time they happened, then each that is stored,
// whenever it happened. All who follow the same on a node share one source.
//
// Errors: FORBIDDEN, BAD_USER_INPUT.
func (s *Service) TailChannel(ctx context.Context, f EventFilter, last int) (
	key string, topics []string, newSource func() *TailSource, allowed func(ctx context.Context) error, err error,
) {
	if err := s.mayRead(ctx); err != nil {
		return "", nil, nil, nil, err
	}
	if f, err = f.check(); err != nil {
		return "", nil, nil, nil, err
	}
	if last < 1 || last > MaxTail {
		return "", nil, nil, nil, fault.ErrInput.On("last").Saying("last is between 1 and %d", MaxTail)
	}
	form, err := json.Marshal(struct {
		F    EventFilter
		Last int
	}{f, last})
	if err != nil {
		return "", nil, nil, nil, err
	}
	key = "events:" + string(form)
	newSource = func() *TailSource {
		return &TailSource{sub: &tailSub{filter: f, topic: key, most: last}, tail: s.tail, read: func(ctx context.Context) ([]Event, error) {
			found, err := s.store.newest(ctx, f, page.Window{Size: last})
			return found[:min(len(found), last)], err
		}}
	}
	return key, []string{key}, newSource, s.mayRead, nil
}

// TailSource is a followed tail. It satisfies live.Source, live.Staler, live.Merger and live.Closer, and belongs to the
// goroutine that calls it. Create it with [Service.TailChannel].
type TailSource struct {
	sub  *tailSub
	tail *eventTail
	read func(ctx context.Context) ([]Event, error)

	events []Event // the last, the newest first
	stale  bool
}

// Load joins the stream, forgets what has gathered and then reads the last events: what is in both is told once. Cost: 2 reads, 3 without names.
func (t *TailSource) Load(ctx context.Context) error {
	if err := t.tail.join(ctx, t.sub); err != nil {
		return err
	}
	t.sub.take()
	var err error
	t.events, err = t.read(ctx)
	t.stale = false
	return err
}

// Stale reports that events were missed.
func (t *TailSource) Stale() bool { return t.stale }

// Apply takes what has gathered and gives it as an *[EventTail].
func (t *TailSource) Apply(change any) any {
	news, ok := change.(tailNews)
	if !ok {
		return nil
	}
	if news.lost {
		t.stale = true
		return nil
	}
	came, skipped := t.sub.take()
	fresh := make([]Event, 0, len(came))
	for _, e := range slices.Backward(came) {
		if !slices.ContainsFunc(t.events, func(o Event) bool { return o.ID == e.ID }) {
			fresh = append(fresh, e)
		}
	}
	if len(fresh) == 0 && skipped == 0 {
		return nil
	}
	t.events = t.last(fresh, t.events)
	return &EventTail{Events: fresh, Skipped: skipped}
}

// last are the newest of two lists, of which the first is the newer one.
func (t *TailSource) last(newer, older []Event) []Event {
	all := slices.Concat(newer, older)
	return all[:min(len(all), t.sub.most)]
}

// Snapshot is the last events, as an *[EventTail].
func (t *TailSource) Snapshot() any { return &EventTail{Events: t.events} }

// Merge is one delta with the effect of two.
func (t *TailSource) Merge(older, newer any) any {
	a, okA := older.(*EventTail)
	b, okB := newer.(*EventTail)
	if !okA || !okB {
		return newer // cannot be: the hub gives what Apply gave
	}
	m := &EventTail{Events: t.last(b.Events, a.Events), Skipped: a.Skipped + b.Skipped}
	m.Skipped += len(a.Events) + len(b.Events) - len(m.Events)
	return m
}

// Close leaves the stream.
func (t *TailSource) Close() { t.tail.leave(t.sub) }
