package live

import (
	"context"
	"slices"
	"sync"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// Stream is one subscriber's set of channels. Make it with [Hub.Open], then Start it, and Close it at the end.
type Stream struct {
	hub  *Hub
	ctx  context.Context //nolint:containedctx // who follows, for the re-check of rights; ends with the stream
	user string
	name name

	mu       sync.Mutex
	sink     Sink      // nil before Start
	waiting  []*member // for Start
	members  []*member
	isClosed bool
}

// name is what a stream is called by its session; the zero name is none.
type name struct{ credential, id string }

// member is one channel of a stream.
type member struct {
	Request
	channel Channel
	refused *fault.Error
	f       *follower // nil before Start and after the channel ended
	leave   func()    // nil unless the channel wants to hear of it
}

// Open checks each request for the actor of ctx. A refused one does not fail the stream: its channel will say so in a
// NOTICE. ctx must live as long as the stream. By the id, unless it is empty, the session can find the stream; see [Hub.Find].
// It takes the id from one before, which may be of a connection that is lost and not known to be.
//
// Errors: BAD_CHANNELS.
func (h *Hub) Open(ctx context.Context, id string, reqs []Request) (*Stream, error) {
	if len(reqs) == 0 {
		return nil, ErrChannels
	}
	who := actor.From(ctx)
	s := &Stream{hub: h, ctx: ctx, user: who.User}
	if id != "" {
		s.name = name{who.Credential(), id}
	}
	var err error
	if s.waiting, err = s.check(ctx, reqs); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.name != (name{}) {
		h.named[s.name] = s
	}
	return s, nil
}

// Find gives the stream that the session of ctx opened by this id on this node.
//
// Errors: LIVE_UNKNOWN.
func (h *Hub) Find(ctx context.Context, id string) (*Stream, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.named[name{actor.From(ctx).Credential(), id}]
	if s == nil {
		return nil, ErrUnknown
	}
	return s, nil
}

// check opens the channels of the requests, which must be good together with those that are followed.
func (s *Stream) check(ctx context.Context, reqs []Request) ([]*member, error) {
	followed := s.Labels()
	if len(followed)+len(reqs) > MaxChannels {
		return nil, ErrChannels
	}
	labels := map[string]struct{}{}
	for _, l := range followed {
		labels[l] = struct{}{}
	}
	opened := make([]*member, len(reqs))
	for i, r := range reqs {
		if _, twice := labels[r.Label]; twice {
			return nil, ErrChannels.Saying("two channels have the key %q", r.Label)
		}
		labels[r.Label] = struct{}{}
		opened[i] = &member{Request: r}
		var err error
		if opened[i].channel, err = r.Open(ctx); err != nil {
			opened[i].refused = fault.From(err)
		}
	}
	return opened, nil
}

// Start begins to deliver to sink: of each channel its snapshot first. It does not wait for them.
func (s *Stream) Start(sink Sink) {
	s.hub.mu.Lock()
	s.hub.streams[s] = struct{}{}
	s.hub.mu.Unlock()
	s.mu.Lock()
	s.sink = sink
	s.join(s.waiting)
	s.waiting = nil
	s.mu.Unlock()
	s.recheck() // a right that was lost since Open was not asked for again yet
}

// Add follows more channels. A refused one is told in a NOTICE, as by [Hub.Open]. It gives the labels of all that are followed.
//
// Errors: BAD_CHANNELS, LIVE_UNKNOWN.
func (s *Stream) Add(reqs []Request) ([]string, error) {
	opened, err := s.check(s.ctx, reqs)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.isClosed || s.sink == nil {
		s.mu.Unlock()
		return nil, ErrUnknown
	}
	for _, m := range opened {
		if len(s.members) >= MaxChannels || slices.ContainsFunc(s.members, func(o *member) bool { return o.Label == m.Label }) {
			s.mu.Unlock()
			return nil, ErrChannels // others were added meanwhile
		}
	}
	s.join(opened)
	s.mu.Unlock()
	s.recheck()
	return s.Labels(), nil
}

// Remove follows the channels of these labels no more, and gives the labels of the others.
func (s *Stream) Remove(labels []string) []string {
	s.mu.Lock()
	for _, m := range s.members {
		if slices.Contains(labels, m.Label) {
			m.end(nil)
		}
	}
	s.mu.Unlock()
	return s.Labels()
}

// Labels are those of the channels that are followed.
func (s *Stream) Labels() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = slices.DeleteFunc(s.members, func(m *member) bool { return m.f == nil })
	labels := make([]string, len(s.members))
	for i, m := range s.members {
		labels[i] = m.Label
	}
	return labels
}

// join begins with members. The caller holds the lock.
func (s *Stream) join(members []*member) {
	if s.isClosed {
		return
	}
	for _, m := range members {
		if m.refused != nil {
			s.sink.Deliver(m.Label, &Frame{Kind: Notice, Seq: 1, FirstSeq: 1, At: s.hub.now(), Err: m.refused})
			continue
		}
		m.f = &follower{label: m.Label, sink: s.sink, after: m.After, every: m.Every, always: m.Whole}
		if !s.hub.join(m.f, m.channel) {
			m.f = nil
			continue
		}
		if m.channel.Enter != nil {
			m.leave = m.channel.Enter()
		}
		s.members = append(s.members, m)
	}
}

// end follows a channel no more; err, if any, is told. The caller holds the lock of the stream.
func (m *member) end(err *fault.Error) {
	if m.f == nil {
		return
	}
	m.f.source.put(order{leave: m.f, err: err})
	m.f = nil
	if m.leave != nil {
		m.leave()
	}
}

// Ready tells that the sink takes messages again after it refused some: channels that lag catch up.
func (s *Stream) Ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if m.f != nil {
			m.f.source.put(order{ready: m.f})
		}
	}
}

// Close ends the stream. Nothing is delivered after the sources have heard of it, which may be a moment later.
func (s *Stream) Close() {
	s.hub.mu.Lock()
	delete(s.hub.streams, s)
	if s.hub.named[s.name] == s {
		delete(s.hub.named, s.name)
	}
	s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isClosed = true
	for _, m := range s.members {
		m.end(nil)
	}
}

// recheck ends the channels that may no longer be followed.
func (s *Stream) recheck() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if m.f == nil || m.channel.Allowed == nil {
			continue
		}
		if err := m.channel.Allowed(s.ctx); err != nil && s.ctx.Err() == nil {
			m.end(ErrEnded.Because(err))
		}
	}
}
