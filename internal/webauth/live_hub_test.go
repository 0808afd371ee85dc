package webauth

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// screen is a client: what it was sent, folded.
type screen struct {
	mu       sync.Mutex
	sessions []session.Session
	events   []SecurityEvent
	problems []string
}

// Deliver implements live.Sink.
func (s *screen) Deliver(label string, f *live.Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch v := f.Data.(type) {
	case SessionList:
		if s.sessions = v.Sessions; f.Kind == live.Delta {
			s.problems = append(s.problems, "sessions by a delta")
		}
	case SecurityEventList:
		if f.Kind != live.Delta {
			s.events = slices.Clone(v.Events)
			break
		}
		for _, e := range v.Events {
			if slices.Contains(s.events, e) {
				s.problems = append(s.problems, e.ID+" told twice")
			}
			s.events = append(s.events, e)
		}
		slices.SortFunc(s.events, func(a, b SecurityEvent) int { return strings.Compare(b.ID, a.ID) })
	default:
		s.problems = append(s.problems, label+" says "+string(f.Kind))
	}
	return true
}

// opened is a request for a channel of one's own.
func opened[S live.Source](label string, open func(context.Context, int) (string, []string, func() S, func(context.Context) error, error)) live.Request {
	return live.Request{Label: label, Open: func(ctx context.Context) (live.Channel, error) {
		key, topics, source, allowed, err := open(ctx, page.MaxSize)
		return live.Channel{Key: key, Topics: topics, New: func() live.Source { return source() }, Allowed: allowed}, err
	}}
}

// TestReq63FollowedByMany: thirty people sign in and out at once, each of them follows their own on another node through its
// change stream, and in the end every screen shows what its owner reads, and nothing of anybody else.
func TestReq63FollowedByMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	node := w.node(w.opts.Config)
	life, stop := context.WithCancel(t.Context())
	defer stop()
	hub := live.New(life, w.clock.Now, slog.New(slog.DiscardHandler), live.Config{})
	tail := event.NewTail(w.db, w.clock.Now, w.Log)
	tail.Follow(node.Follower(hub.Publish))
	done, err := tail.Start(life)
	w.must(err)
	var running sync.WaitGroup
	running.Go(hub.Run)
	running.Go(func() { <-done })
	defer func() { stop(); running.Wait() }()

	const people = 30
	who, screens := make([]SignedIn, people), make([]*screen, people)
	for i := range who {
		who[i] = w.in(w.SignInAnonymously(from(t.Context(), fmt.Sprintf("192.0.2.%d", i+1)), bearer))
		screens[i] = &screen{}
		stream, err := hub.Open(w.as(who[i].Token), "", []live.Request{
			opened("sessions", node.MySessionsChannel), opened("events", node.MySecurityEventsChannel),
		})
		w.must(err)
		stream.Start(screens[i])
		defer stream.Close()
	}
	w.race(people, func(i int) error {
		ctx := w.as(who[i].Token)
		var last session.Session
		for range 3 {
			one, _, err := w.Sessions.Start(w.ctx(), session.StartCmd{User: who[i].User.ID, Methods: "pwd"})
			if err != nil {
				return err
			}
			if _, err := w.Sessions.Rename(ctx, one.ID, "Phone"); err != nil {
				return err
			}
			last = one
		}
		return w.EndSession(ctx, last.ID)
	})
	for i, s := range screens {
		ctx := w.as(who[i].Token)
		sessions, err := w.MySessions(ctx, page.Args{First: new(page.MaxSize)})
		w.must(err)
		events, err := w.MySecurityEvents(ctx, page.Args{First: new(page.MaxSize)})
		w.must(err)
		storetest.Eventually(t, 30*time.Second, func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, p := range s.problems {
				t.Error(p)
			}
			s.problems = nil
			return reflect.DeepEqual(s.sessions, sessions.Items) && reflect.DeepEqual(s.events, events.Items)
		}, "a screen shows what its owner reads")
		if len(sessions.Items) != 3 || len(events.Items) < 7 {
			t.Errorf("%d sessions, %d events", len(sessions.Items), len(events.Items))
		}
	}
}
