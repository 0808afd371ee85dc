package live

import (
	"context"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

// follower is one subscriber of one source.
type follower struct {
	label  string
	sink   Sink
	source *source
	// owned by the source's goroutine
	begun  bool // has taken the whole state once
	lagged bool // a message was refused
	gone   bool // left
}

// order is what others ask of a source's goroutine.
type order struct {
	join, leave, ready *follower
	err                *fault.Error // with leave: why, told to the follower
}

// source runs one [Source] in one goroutine. Others only put things into its inbox.
type source struct {
	hub     *Hub
	channel Channel
	src     Source

	mu      sync.Mutex
	changes []any
	orders  []order
	anew    bool // load anew: changes were missed
	wake    chan struct{}

	// owned by the goroutine of run
	followers map[*follower]struct{}
	seq       int64
	loaded    bool
	snapshot  *Frame // of the state as it is, made when first asked for
	resync    *Frame
}

func newSource(h *Hub, c Channel) *source {
	return &source{
		hub: h, channel: c, src: c.New(), wake: make(chan struct{}, 1), anew: true,
		followers: map[*follower]struct{}{},
	}
}

func (s *source) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// offer queues a change. Past the bound the queue is dropped for one reload.
func (s *source) offer(change any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.changes) >= s.hub.cfg.Backlog {
		s.changes, s.anew = nil, true
	}
	if s.changes = append(s.changes, change); len(s.changes) == 1 {
		s.nudge()
	}
}

func (s *source) reload() {
	s.mu.Lock()
	s.anew, s.changes = true, nil
	s.mu.Unlock()
	s.nudge()
}

func (s *source) put(o order) {
	s.mu.Lock()
	s.orders = append(s.orders, o)
	s.mu.Unlock()
	s.nudge()
}

func (s *source) join(f *follower) { s.put(order{join: f}) }

func (s *source) hasJoins() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		if o.join != nil {
			return true
		}
	}
	return false
}

// take empties the inbox. When the state must be loaded anew, changes stay queued: they may be newer than the load.
func (s *source) take() (changes []any, orders []order, anew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	orders, anew = s.orders, s.anew
	s.orders, s.anew = nil, false
	if !anew {
		changes, s.changes = s.changes, nil
	}
	return changes, orders, anew
}

// run is the life of the source: until nobody has followed for a while, or the hub ends.
func (s *source) run(ctx context.Context) {
	idle := time.NewTimer(s.hub.cfg.Linger)
	defer idle.Stop()
	if c, ok := s.src.(Closer); ok {
		defer c.Close()
	}
	for {
		select {
		case <-ctx.Done():
			s.hub.retire(s, true)
			return
		case <-idle.C:
			if len(s.followers) == 0 && s.hub.retire(s, false) {
				return
			}
		case <-s.wake:
		}
		had := len(s.followers) > 0
		if !s.step(ctx) {
			return
		}
		if had && len(s.followers) == 0 {
			idle.Reset(s.hub.cfg.Linger)
		}
	}
}

// step does all that waits in the inbox. It reports false when the source has given up.
func (s *source) step(ctx context.Context) bool {
	changes, orders, anew := s.take()
	if anew {
		if err := s.load(ctx); err != nil {
			s.fail(ctx, orders, err)
			return false
		}
		s.mu.Lock()
		changes, s.changes = s.changes, nil
		s.mu.Unlock()
	}
	s.apply(changes)
	for _, o := range orders {
		s.obey(o)
	}
	s.refresh(ctx)
	if st, ok := s.src.(Staler); ok && st.Stale() {
		s.mu.Lock()
		s.anew = true
		s.mu.Unlock()
		s.nudge()
	}
	return true
}

const loadTries = 4

// load reads the state, trying again for a while, and begins anew with all followers.
func (s *source) load(ctx context.Context) error {
	var err error
	for try, pause := 0, 100*time.Millisecond; try < loadTries; try, pause = try+1, pause*3 {
		if try > 0 && !clock.Sleep(ctx, pause) {
			return ctx.Err()
		}
		if err = s.loadOnce(ctx); err == nil {
			break
		}
		s.hub.log.WarnContext(ctx, "live_load_failed", "channel", s.channel.Key, "try", try+1, "error", err.Error())
		if fault.From(err).Kind == fault.Invalid {
			break // such as a report that is too large: to try again would cost as much and change nothing
		}
	}
	if err != nil {
		return err
	}
	s.seq++
	s.snapshot, s.resync = nil, nil
	if s.loaded {
		for f := range s.followers {
			s.deliverWhole(f)
		}
	}
	s.loaded = true
	return nil
}

func (s *source) loadOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.hub.cfg.LoadIn)
	defer cancel()
	return s.src.Load(ctx)
}

// apply folds changes and sends what they did.
func (s *source) apply(changes []any) {
	for _, c := range changes {
		s.send(s.src.Apply(c))
	}
	if f, ok := s.src.(Flusher); ok && len(changes) > 0 {
		s.send(f.Flush())
	}
}

// refresh lets a source that is due compute its state anew. Who has just joined need not wait for it.
func (s *source) refresh(ctx context.Context) {
	r, ok := s.src.(Refresher)
	if !ok || len(s.followers) == 0 || !r.Due() {
		return
	}
	call, cancel := context.WithTimeout(ctx, s.hub.cfg.LoadIn)
	defer cancel()
	delta, err := r.Refresh(call)
	if err != nil {
		s.hub.log.WarnContext(ctx, "live_refresh_failed", "channel", s.channel.Key, "error", err.Error())
		return
	}
	s.send(delta)
}

func (s *source) send(delta any) {
	if delta == nil {
		return
	}
	s.seq++
	s.snapshot, s.resync = nil, nil
	f := &Frame{Kind: Delta, Seq: s.seq, FirstSeq: s.seq, At: s.hub.now(), Data: delta}
	s.hub.frames.Add(1)
	for fo := range s.followers {
		s.deliver(fo, f)
	}
}

// whole is the state as a SNAPSHOT or a RESYNC; made once for each state, however many ask.
func (s *source) whole(again bool) *Frame {
	f := &s.snapshot
	kind := Snapshot
	if again {
		f, kind = &s.resync, Resync
	}
	if *f == nil {
		*f = &Frame{Kind: kind, Seq: s.seq, FirstSeq: s.seq, At: s.hub.now(), Data: s.src.Snapshot()}
		s.hub.frames.Add(1)
	}
	return *f
}

// deliver hands a frame to a follower. One that lags gets nothing but the whole state.
func (s *source) deliver(f *follower, frame *Frame) {
	if f.lagged && frame.Kind == Delta {
		return
	}
	if f.lagged = !f.sink.Deliver(f.label, frame); f.lagged {
		s.hub.lagged.Add(1)
	}
}

// deliverWhole begins, or begins anew.
func (s *source) deliverWhole(f *follower) {
	s.deliver(f, s.whole(f.begun))
	f.begun = f.begun || !f.lagged
}

func (s *source) obey(o order) {
	switch {
	case o.join != nil:
		if !o.join.gone {
			s.followers[o.join] = struct{}{}
			s.deliverWhole(o.join)
		}
	case o.ready != nil:
		if o.ready.lagged && !o.ready.gone {
			s.deliverWhole(o.ready)
		}
	case o.leave != nil:
		if o.leave.gone {
			return
		}
		o.leave.gone = true
		delete(s.followers, o.leave)
		if o.err != nil {
			o.leave.sink.Deliver(o.leave.label, s.notice(o.err))
		}
	}
}

func (s *source) notice(err *fault.Error) *Frame {
	return &Frame{Kind: Notice, Seq: s.seq + 1, FirstSeq: s.seq + 1, At: s.hub.now(), Err: err}
}

// fail ends the source: nobody can follow what cannot be read. Subscribers are told, and may try again.
func (s *source) fail(ctx context.Context, orders []order, err error) {
	s.hub.retire(s, true)
	if ctx.Err() != nil {
		return
	}
	f := fault.From(err)
	s.hub.log.ErrorContext(ctx, "live_source_failed", "channel", s.channel.Key, "code", f.Code, "error", err.Error())
	_, late, _ := s.take() // no more can come: the hub has forgotten this source
	for _, o := range append(orders, late...) {
		if o.join != nil {
			s.followers[o.join] = struct{}{}
		}
	}
	for fo := range s.followers {
		fo.gone = true
		fo.sink.Deliver(fo.label, s.notice(f))
	}
}
