package live

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

// TopicTick is published once a second with the time: for sources whose state moves with the clock.
const TopicTick = "tick"

// Config tunes the hub. Zero values mean the defaults written beside them.
type Config struct {
	Linger  time.Duration // a source without followers is kept this long, for those who reconnect; default 10 s
	Backlog int           // changes that may wait for one source before it is loaded anew instead; default 10,000
	LoadIn  time.Duration // bound on one Source.Load; default 10 s

	// Position is how far the publisher is: every change up to told was published, and none after telling. The numbers mean
	// the same on every node. Nil when there is one node alone.
	Position func() (told, telling uint64)
	// Present is a position that no change is after which a Load before it can have seen.
	Present func(ctx context.Context) (uint64, error)
}

// Hub runs the sources of this node and brings subscribers and sources together.
type Hub struct {
	log *slog.Logger
	now clock.Clock
	cfg Config

	mu      sync.Mutex
	sources map[string]*source              // by Channel.Key
	topics  map[string]map[*source]struct{} // who hears of what
	streams map[*Stream]struct{}
	named   map[name]*Stream // those that have an id
	ctx     context.Context  //nolint:containedctx // the life of the hub: sources live as long, not as any subscriber
	closed  bool
	running sync.WaitGroup

	recheck chan []string // users whose rights changed; nil for everybody

	frames, lagged, merged, resyncs, resumed atomic.Int64
}

// Stats counts what a hub does, for metrics.
type Stats struct {
	Sources, Streams int   // now
	Frames           int64 // made since the start
	Lagged           int64 // times a subscriber could not take a message
	Merged           int64 // messages that told several changes as one
	Resumed          int64 // channels that went on where they had been
	Resyncs          int64 // times a subscriber had to begin again
}

// New makes a hub whose sources live until ctx ends. Call [Hub.Run] to keep it going.
func New(ctx context.Context, now clock.Clock, log *slog.Logger, cfg Config) *Hub {
	if cfg.Linger == 0 {
		cfg.Linger = 10 * time.Second
	}
	if cfg.Backlog == 0 {
		cfg.Backlog = 10_000
	}
	if cfg.LoadIn == 0 {
		cfg.LoadIn = 10 * time.Second
	}
	if cfg.Position == nil {
		cfg.Position = func() (told, telling uint64) { return 0, 0 }
	}
	if cfg.Present == nil {
		cfg.Present = func(context.Context) (uint64, error) { return 0, nil }
	}
	return &Hub{
		log: log, now: now, cfg: cfg, ctx: ctx,
		sources: map[string]*source{}, topics: map[string]map[*source]struct{}{}, streams: map[*Stream]struct{}{}, named: map[name]*Stream{},
		recheck: make(chan []string, 64),
	}
}

// Publish offers a committed change to every source that listens to the topic. It never waits.
func (h *Hub) Publish(topic string, change any) {
	_, at := h.cfg.Position()
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.topics[topic] {
		s.offer(change, at)
	}
}

// Resync makes every source load anew and every subscriber begin again: changes were missed.
func (h *Hub) Resync() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sources {
		s.reload()
	}
}

// Recheck asks again whether these users, or everybody for nil, may follow what they follow. It never waits: when
// too many changes of rights are pending, everybody is asked again.
func (h *Hub) Recheck(users []string) {
	select {
	case h.recheck <- users:
	default:
		select { // full: one question to everybody takes the place of an older, narrower one
		case <-h.recheck:
		default:
		}
		select {
		case h.recheck <- nil:
		default:
		}
	}
}

// Run ticks the clock and re-checks rights, those that end with time once a second, until the context of New ends, then waits for all sources to end.
func (h *Hub) Run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			h.mu.Lock()
			h.closed = true
			h.mu.Unlock()
			h.running.Wait()
			return
		case <-tick.C:
			h.Publish(TopicTick, h.now())
			h.ask(nil)
		case users := <-h.recheck:
			h.ask(users)
		}
	}
}

func (h *Hub) ask(users []string) {
	for _, s := range h.following(users) {
		s.recheck()
	}
}

// Stats tells what the hub is doing.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{
		Sources: len(h.sources), Streams: len(h.streams), Frames: h.frames.Load(), Lagged: h.lagged.Load(),
		Merged: h.merged.Load(), Resumed: h.resumed.Load(), Resyncs: h.resyncs.Load(),
	}
}

// following are the streams of these users, or all for nil.
func (h *Hub) following(users []string) []*Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []*Stream
	for s := range h.streams {
		if users == nil || slices.Contains(users, s.user) {
			found = append(found, s)
		}
	}
	return found
}

// join adds a follower to the source of its channel, starting the source if nobody follows it yet. It reports false when the
// hub has ended.
func (h *Hub) join(f *follower, c Channel) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.ctx.Err() != nil {
		return false
	}
	s := h.sources[c.Key]
	if s == nil {
		s = newSource(h, c)
		h.sources[c.Key] = s
		for _, t := range c.Topics {
			if h.topics[t] == nil {
				h.topics[t] = map[*source]struct{}{}
			}
			h.topics[t][s] = struct{}{}
		}
		h.running.Add(1)
		go func() {
			defer h.running.Done()
			s.run(h.ctx)
		}()
	}
	f.source = s
	s.put(order{join: f})
	return true
}

// retire forgets a source that nobody follows. It reports false when somebody joined meanwhile: joins happen under the
// same lock, so none can be lost.
func (h *Hub) retire(s *source, force bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !force && s.hasJoins() {
		return false
	}
	if h.sources[s.channel.Key] == s {
		delete(h.sources, s.channel.Key)
	}
	for _, t := range s.channel.Topics {
		delete(h.topics[t], s)
		if len(h.topics[t]) == 0 {
			delete(h.topics, t)
		}
	}
	return true
}
