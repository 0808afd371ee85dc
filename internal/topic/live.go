package topic

import (
	"context"
	"slices"
	"strconv"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// gone says that a topic was deleted.
type gone struct{}

func topicOf(key string) string { return "topic:" + key }

// MessageList is messages of a topic, the oldest first: the last ones as a snapshot, the new ones as a delta.
type MessageList struct{ Messages []Message }

// Channel tells how the caller can follow a topic, beginning with its last messages.
//
// Errors: FORBIDDEN, BAD_USER_INPUT; TOPIC_UNKNOWN when it is loaded.
func (s *Service) Channel(ctx context.Context, key string, last int) (
	source string, topics []string, newSource func() *Source, allowed func(ctx context.Context) error, err error,
) {
	allowed = func(ctx context.Context) error { return s.authz.Require(ctx, PermFollow, ref.New(ref.Topic, key)) }
	if err := allowed(ctx); err != nil {
		return "", nil, nil, nil, err
	}
	if last < 0 || last > MaxHistory {
		return "", nil, nil, nil, fault.ErrInput.On("last").Saying("last is between 0 and %d", MaxHistory)
	}
	newSource = func() *Source {
		return &Source{now: s.now, asked: last, read: func(ctx context.Context) (Topic, []Message, error) {
			return s.store.latest(ctx, key, last, s.now())
		}}
	}
	return topicOf(key) + ":" + strconv.Itoa(last), []string{topicOf(key)}, newSource, allowed, nil
}

// Source computes the messages of a topic. It satisfies live.Source, live.Staler and live.Merger, and is used by one goroutine.
type Source struct {
	now   clock.Clock
	read  func(ctx context.Context) (Topic, []Message, error)
	asked int // how many are shown at most

	most     int       // of these the topic keeps
	messages []Message // the last, the oldest first
	last     int64     // number of the last that was told
	stale    bool
}

// Load reads the last messages. Cost: two finds.
func (s *Source) Load(ctx context.Context) error {
	t, found, err := s.read(ctx)
	s.messages, s.most, s.last, s.stale = found, min(s.asked, t.History), t.Last, err != nil
	return err
}

// Apply takes a [Message] and gives it as a [MessageList], or nil when it was told before.
func (s *Source) Apply(change any) any {
	switch c := change.(type) {
	case gone:
		s.stale = true
	case Message:
		if c.Number <= s.last {
			return nil
		}
		if c.Number != s.last+1 { // cannot be, as they commit in order: but if it were, somebody would miss one
			s.stale = true
			return nil
		}
		s.last = c.Number
		all := append(slices.Clone(s.messages), c) // the list before may have been sent
		s.messages = all[max(0, len(all)-s.most):]
		return MessageList{[]Message{c}}
	}
	return nil
}

// Snapshot is the [MessageList] of those that are still kept.
func (s *Source) Snapshot() any {
	now := s.now()
	kept := slices.IndexFunc(s.messages, func(m Message) bool { return now.Before(m.Until) })
	if kept < 0 {
		return MessageList{}
	}
	return MessageList{s.messages[kept:]}
}

// Merge gives the messages of two lists as one.
func (s *Source) Merge(older, newer any) any {
	a, _ := older.(MessageList)
	b, _ := newer.(MessageList)
	return MessageList{slices.Concat(a.Messages, b.Messages)}
}

// Stale reports that the messages are to be read anew.
func (s *Source) Stale() bool { return s.stale }
