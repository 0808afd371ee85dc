package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// Requirement 64: what ends on one node is over on the others, for requests and for sockets.
func TestEndedOnAnotherNode(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{})
	b := a.peer()
	b.follow(t)
	s, token := a.warm(t, "ada")
	b.mustResolve(t, token)
	gone, stop := b.Watch(s.ID)
	defer stop()
	if err := a.End(as(t, "ada"), s.ID); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Fatal("the watch on the other node goes on")
	}
	if _, err := b.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
		t.Errorf("Resolve() on the other node = %v", err)
	}
}

// An event that never comes keeps nothing alive for longer than Recheck.
func TestLostEvent(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Tick: fast})
	n.run(t)
	s, token := n.warm(t, "ada")
	gone, stop := n.Watch(s.ID)
	defer stop()
	n.endUnheard(t, s.ID)
	n.mustResolve(t, token) // not known yet: this is why there are events
	n.clock.Advance(5 * time.Second)
	if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
		t.Errorf("Resolve() 5 s later = %v", err)
	}
	storetest.Eventually(t, 5*time.Second, func() bool { return isClosed(gone) }, "the watch is closed")
}

func TestLostHistory(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Tick: fast})
	n.run(t)
	s, token := n.warm(t, "ada")
	live, liveToken := n.warm(t, "ada")
	gone, stop := n.Watch(s.ID)
	defer stop()
	goesOn, stopToo := n.Watch(live.ID)
	defer stopToo()
	n.endUnheard(t, s.ID)
	n.Follower().OnLost(t.Context())
	if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
		t.Errorf("Resolve() = %v", err)
	}
	storetest.Eventually(t, 5*time.Second, func() bool { return isClosed(gone) }, "the watch is closed")
	n.mustResolve(t, liveToken)
	if isClosed(goesOn) {
		t.Error("a live session was cut off")
	}
}

func TestWatchAtExpiry(t *testing.T) {
	t.Parallel()
	cfg := Config{Idle: time.Hour, Absolute: 3 * time.Hour, Tick: fast}
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		n := setUp(t, cfg)
		n.run(t)
		s, token := n.warm(t, "ada")
		gone, stop := n.Watch(s.ID)
		defer stop()
		n.clock.Advance(59 * time.Minute)
		n.mustResolve(t, token) // extends it
		n.clock.Advance(59 * time.Minute)
		due := func() bool {
			n.cache.mu.Lock()
			defer n.cache.mu.Unlock()
			return n.cache.watches[s.ID].checkedAt.Equal(n.now())
		}
		storetest.Eventually(t, 5*time.Second, due, "the watch was looked at after its first end")
		if isClosed(gone) {
			t.Fatal("a session in use was cut off")
		}
		n.clock.Advance(time.Minute)
		storetest.Eventually(t, 5*time.Second, func() bool { return isClosed(gone) }, "the watch is closed")
	})
	t.Run("absolute", func(t *testing.T) {
		t.Parallel()
		n := setUp(t, cfg)
		n.run(t)
		s, token := n.warm(t, "ada")
		gone, stop := n.Watch(s.ID)
		defer stop()
		for range 4 {
			n.clock.Advance(44 * time.Minute)
			n.mustResolve(t, token)
		}
		n.clock.Advance(4 * time.Minute)
		storetest.Eventually(t, 5*time.Second, func() bool { return isClosed(gone) }, "the watch is closed")
	})
	t.Run("without a database", func(t *testing.T) {
		t.Parallel()
		n := setUp(t, cfg)
		s, _ := n.warm(t, "ada")
		other := n.clock.Now().Add(24 * time.Hour)
		gone, stop := n.Watch(s.ID)
		defer stop()
		longer := session1("longer") // known to last, and not to be confirmed now
		longer.IdleUntil, longer.ExpiresAt = other, other
		n.cache.put(&entry{known{longer, []pass{{digest: digest{9}}}}, t0})
		goesOn, stopToo := n.Watch("longer")
		defer stopToo()
		n.clock.Advance(2 * time.Hour)
		n.sweep(unreachable(t))
		if !isClosed(gone) || isClosed(goesOn) {
			t.Errorf("past its end: closed %v; not past it: closed %v", isClosed(gone), isClosed(goesOn))
		}
	})
}

func TestUntilOf(t *testing.T) {
	t.Parallel()
	var policy laws
	n := setUp(t, Config{Idle: time.Hour, Absolute: 90 * time.Minute, Limit: policy.limit})
	s, secret := n.warm(t, "ada")
	is := func(when string, want time.Time) {
		t.Helper()
		if got, known := n.UntilOf(s.ID); known == want.IsZero() || !got.Equal(want) {
			t.Errorf("%s: UntilOf() = %v, %t; want %v", when, got, known, want)
		}
	}
	is("nobody watches", time.Time{})
	_, stop := n.Watch(s.ID)
	is("idle from now on", t0.Add(time.Hour))
	n.clock.Advance(20 * time.Minute)
	n.mustResolve(t, secret)
	n.sweep(t.Context())
	is("used", t0.Add(80*time.Minute))
	n.clock.Advance(20 * time.Minute)
	n.mustResolve(t, secret)
	n.sweep(t.Context())
	is("used again", t0.Add(90*time.Minute))
	policy.set("ada", Policy{Absolute: time.Hour})
	n.clock.Advance(5 * time.Second)
	n.sweep(t.Context())
	is("under a policy that is new", t0.Add(time.Hour))
	stop()
	is("nobody watches any more", time.Time{})
	cold := n.peer()
	_, stop = cold.Watch(s.ID)
	defer stop()
	if got, known := cold.UntilOf(s.ID); known {
		t.Errorf("on a node that has not looked yet: %v", got)
	}
	cold.sweep(t.Context())
	if got, known := cold.UntilOf(s.ID); !known || got.After(t0.Add(time.Hour)) {
		t.Errorf("on a node that has looked: %v, %t", got, known)
	}
}

// The first end counts: by being ended, by idleness, by age.
func TestEndOfASession(t *testing.T) {
	t.Parallel()
	s := Session{IdleUntil: t0.Add(time.Hour), ExpiresAt: t0.Add(2 * time.Hour)}
	late, over := s, s
	late.IdleUntil = t0.Add(3 * time.Hour)
	over.EndedAt = &t0
	for want, one := range map[time.Time]Session{t0.Add(time.Hour): s, t0.Add(2 * time.Hour): late, t0: over} {
		if got := end(one); !got.Equal(want) {
			t.Errorf("end(%+v) = %v, want %v", one, got, want)
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, _ := n.warm(t, "ada")
	first, stopFirst := n.Watch(s.ID)
	second, stopSecond := n.Watch(s.ID)
	stopFirst()
	stopFirst() // and nothing more
	if err := n.End(as(t, "ada"), s.ID); err != nil {
		t.Fatal(err)
	}
	if !isClosed(second) {
		t.Error("who still watched was not told")
	}
	_ = first
	stopSecond()
	if len(n.cache.watches) != 0 {
		t.Errorf("watches left: %v", n.cache.watches)
	}
}

// Between the answer of Resolve and Watch the session may have ended.
func TestWatchAfterTheEnd(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, _ := n.warm(t, "ada")
	if err := n.End(as(t, "ada"), s.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{s.ID, "nothing"} {
		gone, stop := n.Watch(id)
		n.sweep(t.Context())
		if !isClosed(gone) {
			t.Errorf("watching %s after its end goes on", id)
		}
		stop()
	}
}

func TestStopAfterTheEndLeavesANewWatchAlone(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	_, stopOld := n.Watch("s1")
	n.Forget("s1")
	again, stop := n.Watch("s1")
	defer stop()
	stopOld()
	n.Forget("s1")
	if !isClosed(again) {
		t.Error("the stop of an older watch took this one away")
	}
}

func TestUsesAreWrittenInBatches(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	ctx, count := store.WithCounter(t.Context())
	var ids, tokens []string
	for range 10 {
		s, token := n.warm(t, "ada")
		ids, tokens = append(ids, s.ID), append(tokens, token)
	}
	n.clock.Advance(59 * time.Second)
	for _, token := range tokens {
		n.mustResolve(t, token)
	}
	if n.flush(ctx); count.Total() != 0 {
		t.Errorf("%d commands for uses within the minute", count.Total())
	}
	n.clock.Advance(time.Second)
	for range 3 {
		for _, token := range tokens {
			if got := n.mustResolve(t, token); got.LastSeenAt != n.now() {
				t.Errorf("last seen %v", got.LastSeenAt)
			}
		}
	}
	n.flush(ctx)
	if n.flush(ctx); count.Count("update") != 1 || count.Total() != 1 {
		t.Errorf("%d commands for ten sessions", count.Total())
	}
	for _, id := range ids {
		if r := n.stored(t, id); r.LastSeenAt != t0.Add(time.Minute) || r.IdleUntil != t0.Add(time.Minute+n.cfg.Idle) {
			t.Errorf("stored: %+v", r)
		}
	}
}

func TestAUseRevivesNothing(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	n.endUnheard(t, s.ID)
	before := n.stored(t, s.ID)
	n.cache.use(s, t0.Add(time.Hour))
	n.flush(t.Context())
	if after := n.stored(t, s.ID); !after.IdleUntil.Equal(before.IdleUntil) || after.EndedAt == nil {
		t.Errorf("an ended session was written to: %+v", after)
	}
	n.clock.Advance(5 * time.Second)
	if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
		t.Errorf("Resolve() = %v", err)
	}
}

// Two nodes see the same session: the later use counts, in whatever order they write.
func TestUsesOfTwoNodes(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{})
	b := a.peer()
	s, token := a.warm(t, "ada")
	b.mustResolve(t, token)
	a.clock.Advance(time.Minute)
	a.mustResolve(t, token)
	a.clock.Advance(time.Minute)
	b.mustResolve(t, token)
	b.flush(t.Context())
	a.flush(t.Context())
	if r := a.stored(t, s.ID); r.LastSeenAt != t0.Add(2*time.Minute) {
		t.Errorf("last seen %v", r.LastSeenAt)
	}
}

func TestAFailedFlushIsTriedAgain(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	n.clock.Advance(time.Minute)
	n.mustResolve(t, token)
	n.flush(unreachable(t))
	if r := n.stored(t, s.ID); r.LastSeenAt != t0 {
		t.Fatal("it was written although the database could not be reached")
	}
	n.flush(t.Context())
	if r := n.stored(t, s.ID); r.LastSeenAt != t0.Add(time.Minute) {
		t.Errorf("last seen %v", r.LastSeenAt)
	}
}

func TestRunWritesTheLastUses(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Tick: time.Hour})
	s, token := n.warm(t, "ada")
	n.clock.Advance(time.Minute)
	n.mustResolve(t, token)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.Run(ctx)
	if r := n.stored(t, s.ID); r.LastSeenAt != t0.Add(time.Minute) {
		t.Errorf("last seen %v", r.LastSeenAt)
	}
}

// Not parallel: it counts the goroutines of the process.
func TestWatchesLeakNothing(t *testing.T) {
	n := setUp(t, Config{Tick: fast})
	s, token := n.warm(t, "ada")
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { n.Run(ctx) })
	for range 100 {
		_, stop := n.Watch(s.ID)
		stop()
		n.Watch(s.ID) // never stopped
		n.mustResolve(t, token)
	}
	if err := n.End(as(t, "ada"), s.ID); err != nil {
		t.Fatal(err)
	}
	cancel()
	wg.Wait()
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology.(*pool).maintain"))
	if c := n.cache; len(c.watches)+len(c.flights)+len(c.byID)+len(c.uses) != 0 {
		t.Errorf("left in memory: %d watches, %d flights, %d sessions, %d uses", len(c.watches), len(c.flights), len(c.byID), len(c.uses))
	}
}
