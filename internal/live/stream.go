package live

import (
	"context"
	"sync"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// Stream is one subscriber's set of channels. Make it with [Hub.Open], then Start it, and Close it at the end.
type Stream struct {
	hub  *Hub
	ctx  context.Context //nolint:containedctx // who follows, for the re-check of rights; ends with the stream
	user string
	sink Sink

	mu       sync.Mutex
	members  []*member
	isClosed bool
}

// member is one channel of a stream.
type member struct {
	label   string
	channel Channel
	refused *fault.Error
	f       *follower // nil before Start and after the channel ended
}

// Open checks each request for the actor of ctx. A refused one does not fail the stream: its channel will say so in a
// NOTICE. ctx must live as long as the stream.
//
// Errors: BAD_CHANNELS.
func (h *Hub) Open(ctx context.Context, reqs []Request) (*Stream, error) {
	if len(reqs) == 0 || len(reqs) > MaxChannels {
		return nil, ErrChannels
	}
	s := &Stream{hub: h, ctx: ctx, user: actor.From(ctx).User}
	labels := map[string]struct{}{}
	for _, r := range reqs {
		if _, twice := labels[r.Label]; twice {
			return nil, ErrChannels.Saying("two channels have the key %q", r.Label)
		}
		labels[r.Label] = struct{}{}
		m := &member{label: r.Label}
		c, err := r.Open(ctx)
		if err == nil {
			m.channel = c
		} else {
			m.refused = fault.From(err)
		}
		s.members = append(s.members, m)
	}
	return s, nil
}

// Start begins to deliver to sink: of each channel its snapshot first. It does not wait for them.
func (s *Stream) Start(sink Sink) {
	s.hub.mu.Lock()
	s.hub.streams[s] = struct{}{}
	s.hub.mu.Unlock()
	s.join(sink)
	s.recheck() // a right that was lost since Open was not asked for again yet
}

func (s *Stream) join(sink Sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sink = sink
	for _, m := range s.members {
		if s.isClosed {
			return
		}
		if m.refused != nil {
			sink.Deliver(m.label, &Frame{Kind: Notice, Seq: 1, FirstSeq: 1, At: s.hub.now(), Err: m.refused})
			continue
		}
		m.f = &follower{label: m.label, sink: sink}
		s.hub.join(m.f, m.channel)
	}
}

// Ready tells that the sink takes messages again after it refused some: channels that lag go on with a RESYNC.
func (s *Stream) Ready() { s.each(func(m *member) { m.f.source.put(order{ready: m.f}) }) }

// Close ends the stream. Nothing is delivered after the sources have heard of it, which may be a moment later.
func (s *Stream) Close() {
	s.hub.mu.Lock()
	delete(s.hub.streams, s)
	s.hub.mu.Unlock()
	s.each(func(m *member) { m.f.source.put(order{leave: m.f}) })
	s.mu.Lock()
	s.isClosed = true
	s.mu.Unlock()
}

// recheck ends the channels that may no longer be followed.
func (s *Stream) recheck() {
	s.each(func(m *member) {
		if m.channel.Allowed == nil {
			return
		}
		if err := m.channel.Allowed(s.ctx); err != nil && s.ctx.Err() == nil {
			m.f.source.put(order{leave: m.f, err: ErrEnded.Because(err)})
			m.f = nil
		}
	})
}

// each calls do for every channel that is being followed.
func (s *Stream) each(do func(*member)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return
	}
	for _, m := range s.members {
		if m.f != nil && m.f.source != nil {
			do(m)
		}
	}
}
