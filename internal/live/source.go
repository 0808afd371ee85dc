package live

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

// follower is one subscriber of one source.
type follower struct {
	label  string
	sink   Sink
	after  string        // the cursor it brought
	every  time.Duration // the least time between two messages
	always bool          // each message brings the whole state
	source *source
	// owned by the source's goroutine
	seq    int64 // of the last message it took; 0 before the whole state
	begun  bool  // has taken a state before, from this source or another
	lagged bool  // a message was refused
	gone   bool  // left
	parks  int   // how often it waited for this node to hear of what it has seen
}

// order is what others ask of a source's goroutine.
type order struct {
	join, leave, ready *follower
	rested             *pace
	err                *fault.Error // with leave: why, told to the follower
}

// source runs one [Source] in one goroutine. Others only put things into its inbox.
type source struct {
	hub     *Hub
	channel Channel
	src     Source

	mu      sync.Mutex
	changes []any
	reach   uint64 // the furthest position of a change
	orders  []order
	anew    bool // load anew: changes were missed
	wake    chan struct{}

	// owned by the goroutine of run
	followers map[*follower]struct{} // those that are told at once
	parked    map[*follower]struct{} // those who have seen what this node has not heard of yet
	paces     map[time.Duration]*pace
	log       ring
	low, high uint64 // every change up to low is in the state, and none after high
	seq       int64
	loaded    bool
	made      map[form]*Frame // of the state as it is, made when first asked for
}

// form is what somebody is told of the state as it is.
type form struct {
	kind  Kind
	first int64 // the first of the numbers that are folded into it
}

func newSource(h *Hub, c Channel) *source {
	return &source{
		hub: h, channel: c, src: c.New(), wake: make(chan struct{}, 1), anew: true,
		followers: map[*follower]struct{}{}, parked: map[*follower]struct{}{}, paces: map[time.Duration]*pace{}, log: newRing(), made: map[form]*Frame{},
	}
}

func (s *source) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// offer queues a change. Past the bound the queue is dropped for one reload.
func (s *source) offer(change any, at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.changes) >= s.hub.cfg.Backlog {
		s.changes, s.anew = nil, true
	}
	s.reach = max(s.reach, at)
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
		changes = s.drain()
	}
	return changes, orders, anew
}

// drain takes the changes that wait, for a state that then holds none further than they reach. The caller holds the lock.
func (s *source) drain() (changes []any) {
	changes, s.changes = s.changes, nil
	s.high = max(s.high, s.reach)
	return changes
}

// run is the life of the source: until nobody has followed for a while, or the hub ends.
func (s *source) run(ctx context.Context) {
	idle := time.NewTimer(s.hub.cfg.Linger)
	defer idle.Stop()
	if c, ok := s.src.(Closer); ok {
		defer c.Close()
	}
	for armed := true; ; {
		select {
		case <-ctx.Done():
			s.hub.retire(s, true)
			return
		case <-idle.C:
			armed = false
			if !s.followed() && s.hub.retire(s, false) {
				return
			}
		case <-s.wake:
		}
		had := s.followed()
		if !s.step(ctx) {
			return
		}
		if !s.followed() && (had || !armed) { // also for who came and went while the source was about to end
			idle.Reset(s.hub.cfg.Linger)
			armed = true
		}
	}
}

// step does all that waits in the inbox. It reports false when the source has given up.
func (s *source) step(ctx context.Context) bool {
	told, _ := s.hub.cfg.Position() // before what was published is taken: so it holds all of that
	changes, orders, anew := s.take()
	if anew {
		if err := s.load(ctx); err != nil {
			s.fail(ctx, orders, err)
			return false
		}
		s.mu.Lock()
		changes = s.drain()
		s.mu.Unlock()
	}
	s.apply(changes)
	s.low = max(s.low, told)
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
	s.log.clear(s.seq)
	clear(s.made)
	if s.loaded {
		s.tell()
	}
	s.loaded = true
	return nil
}

func (s *source) loadOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.hub.cfg.LoadIn)
	defer cancel()
	if err := s.src.Load(ctx); err != nil {
		return err
	}
	present, err := s.hub.cfg.Present(ctx)
	s.high = max(s.high, present)
	return err
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
	if !ok || !s.followed() || !r.Due() {
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
	clear(s.made)
	s.log.add(s.frame(Delta, s.seq, s.seq, delta))
	s.tell()
}

// tell lets everybody catch up whose time it is.
func (s *source) tell() {
	for f := range s.followers {
		s.catchUp(f)
	}
	for _, p := range s.paces {
		s.pace(p)
	}
}

func (s *source) frame(kind Kind, first, seq int64, data any) *Frame {
	s.hub.frames.Add(1)
	return &Frame{Kind: kind, Seq: seq, FirstSeq: first, At: s.hub.now(), Data: data, Cursor: new(s.log.cursor(seq, s.high))}
}

// as gives the state as it is in a form; made once for each state, however many ask.
func (s *source) as(kind Kind, first int64) *Frame {
	f := form{kind, first}
	if s.made[f] == nil {
		s.made[f] = s.frame(kind, first, s.seq, s.src.Snapshot())
	}
	return s.made[f]
}

// catchUp tells a follower what it has not been told: the messages it missed, one with the effect of all of them if the
// source can, or the whole state. One that lags is left alone until it is ready.
func (s *source) catchUp(f *follower) {
	switch missed, known := s.log.since(f.seq); {
	case f.lagged || f.seq == s.seq:
	case f.seq == 0 || !known:
		kind := Snapshot
		if f.begun && !f.always {
			kind = Resync
		}
		s.deliver(f, s.as(kind, s.seq))
	case f.always:
		s.deliver(f, s.as(Snapshot, f.seq+1))
	case len(missed) > 1:
		s.deliverMerged(f, missed)
	default:
		s.deliver(f, missed[0])
	}
}

// deliverMerged tells what several messages told. It is made once for all who missed the same.
func (s *source) deliverMerged(f *follower, missed []*Frame) {
	m, ok := s.src.(Merger)
	if !ok {
		for _, frame := range missed {
			if s.deliver(f, frame); f.lagged {
				return
			}
		}
		return
	}
	key := form{Delta, f.seq + 1}
	if s.made[key] == nil {
		data := missed[0].Data
		for _, frame := range missed[1:] {
			data = m.Merge(data, frame.Data)
		}
		s.made[key] = s.frame(Delta, key.first, s.seq, data)
	}
	s.hub.merged.Add(1)
	s.deliver(f, s.made[key])
}

// deliver hands a frame to a follower.
func (s *source) deliver(f *follower, frame *Frame) {
	if f.lagged = !f.sink.Deliver(f.label, frame); f.lagged {
		s.hub.lagged.Add(1)
		return
	}
	f.seq, f.begun = frame.Seq, true
	if frame.Kind == Resync {
		s.hub.resyncs.Add(1)
	}
}

func (s *source) obey(o order) {
	switch {
	case o.join != nil:
		if !o.join.gone {
			s.enter(o.join)
		}
	case o.ready != nil:
		if o.ready.lagged && !o.ready.gone {
			o.ready.lagged = false
			s.catchUp(o.ready)
		}
	case o.rested != nil:
		o.rested.rests = false
		s.pace(o.rested)
	case o.leave != nil:
		if o.leave.gone {
			return
		}
		s.leave(o.leave)
		if o.err != nil {
			o.leave.sink.Deliver(o.leave.label, s.notice(o.err))
		}
	}
}

// enter begins with a follower, where it has been before if that is known.
func (s *source) enter(f *follower) {
	if s.park(f) {
		return
	}
	if f.every == 0 {
		s.followers[f] = struct{}{}
	} else {
		s.paced(f)
	}
	if f.begun = f.after != ""; f.begun {
		if seq, ok := s.log.position(f.after); ok {
			s.hub.resumed.Add(1)
			s.deliver(f, &Frame{Kind: Resumed, Seq: seq, FirstSeq: seq, At: s.hub.now(), Cursor: &f.after})
		}
	}
	s.catchUp(f)
}

// How long a follower that comes from another node waits at most for this one to come as far.
const (
	parkPause = 20 * time.Millisecond
	parkTimes = 100
)

// park lets a follower wait that comes from another node, or from before a restart, and may have seen changes that this node
// has not heard of yet: time must not go back for it. It reports false when there is nothing to wait for, or no longer.
func (s *source) park(f *follower) bool {
	delete(s.parked, f)
	if s.log.seen(f.after) <= s.low || f.parks >= parkTimes {
		return false
	}
	f.parks++
	s.parked[f] = struct{}{}
	time.AfterFunc(parkPause, func() { s.put(order{join: f}) })
	return true
}

func (s *source) leave(f *follower) {
	f.gone = true
	delete(s.followers, f)
	delete(s.parked, f)
	if p := s.paces[f.every]; p != nil {
		delete(p.followers, f)
		if len(p.followers) == 0 {
			p.timer.Stop()
			delete(s.paces, f.every)
		}
	}
}

func (s *source) followed() bool { return len(s.followers)+len(s.paces)+len(s.parked) > 0 }

// all are the followers of every pace.
func (s *source) all() []*follower {
	list := slices.AppendSeq(slices.Collect(maps.Keys(s.followers)), maps.Keys(s.parked))
	for _, p := range s.paces {
		list = slices.AppendSeq(list, maps.Keys(p.followers))
	}
	return list
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
	followers := s.all()
	for _, o := range append(orders, late...) {
		if o.join != nil {
			followers = append(followers, o.join)
		}
	}
	for _, fo := range followers {
		s.leave(fo)
		fo.sink.Deliver(fo.label, s.notice(f))
	}
}
