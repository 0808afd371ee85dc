package webauth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
)

// Facts come in the order of their commits, not of their ids, and some twice: when all have come, the source shows what a
// fresh Load shows, never more than it may, and no client was told a thing twice since the last whole list.
func TestSecurityEventsSourceEqualsFreshLoad(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.IntRange(1, 6).Draw(t, "first")
		var log []SecurityEvent
		read := func(context.Context) ([]SecurityEvent, error) {
			all := slices.SortedFunc(slices.Values(log), func(a, b SecurityEvent) int { return strings.Compare(b.ID, a.ID) })
			return all[:min(first, len(all))], nil
		}
		source := &SecurityEventsSource{first: first, read: read}
		var sent map[string]bool
		load := func() {
			if err := source.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			sent = map[string]bool{}
			for _, e := range shownEvents(source) {
				sent[e.ID] = true
			}
		}
		load()
		delivered := 0
		deliver := func() {
			before := slices.Clone(shownEvents(source))
			kept := shownEvents(source)
			delta := source.Apply(log[delivered])
			delivered++
			if !slices.Equal(before, kept) {
				t.Fatal("a list that was sent has changed")
			}
			if delta == nil {
				return
			}
			for _, e := range delta.(SecurityEventList).Events {
				if sent[e.ID] {
					t.Fatalf("%s is told twice", e.ID)
				}
				sent[e.ID] = true
			}
		}
		var held []string // ids made by a slow transaction
		t.Repeat(map[string]func(*rapid.T){
			"happens": func(*rapid.T) { log = append(log, SecurityEvent{ID: ref.NewID()}) },
			"begins":  func(*rapid.T) { held = append(held, ref.NewID()) },
			"commits": func(t *rapid.T) {
				if len(held) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				log = append(log, SecurityEvent{ID: held[i]})
				held = slices.Delete(held, i, i+1)
			},
			"is delivered": func(t *rapid.T) {
				if delivered == len(log) {
					t.Skip()
				}
				deliver()
			},
			"is delivered again": func(t *rapid.T) { delivered = max(0, delivered-rapid.IntRange(0, 9).Draw(t, "n")) },
			"load":               func(*rapid.T) { load() },
			"": func(t *rapid.T) {
				if len(shownEvents(source)) > first {
					t.Fatalf("shows %d of %d", len(shownEvents(source)), first)
				}
			},
		})
		for delivered < len(log) {
			deliver()
		}
		if want, _ := read(t.Context()); !slices.Equal(shownEvents(source), want) {
			t.Fatalf("folded %v; loaded %v", shownEvents(source), want)
		}
	})
}

// What cannot be read is an error of Load, and what was there before stays.
func TestOwnSourcesThatCannotLoad(t *testing.T) {
	t.Parallel()
	failing := false
	one, fact := session.Session{ID: "s", IdleUntil: time.Unix(9, 0), ExpiresAt: time.Unix(5, 0)}, SecurityEvent{ID: "e"}
	sessions := &SessionsSource{read: func(context.Context) ([]session.Session, error) {
		if failing {
			return nil, fault.ErrUnavailable
		}
		return []session.Session{one}, nil
	}}
	events := &SecurityEventsSource{first: 1, read: func(context.Context) ([]SecurityEvent, error) {
		if failing {
			return nil, fault.ErrUnavailable
		}
		return []SecurityEvent{fact}, nil
	}}
	if sessions.Apply(time.Unix(1<<40, 0)); sessions.Stale() {
		t.Error("a list without sessions has none that end")
	}
	for _, s := range []live.Source{sessions, events} {
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	failing = true
	sessions.Apply(time.Unix(7, 0)) // both ends count: the first of them
	for _, s := range []live.Source{sessions, events} {
		if err := s.Load(t.Context()); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("Load() = %v", err)
		}
	}
	if !sessions.Stale() || len(shownSessions(sessions)) != 1 || len(shownEvents(events)) != 1 {
		t.Error("what was known is forgotten, or no longer to be read anew")
	}
	if events.Apply("something else") != nil {
		t.Error("a foreign change gave a delta")
	}
}
