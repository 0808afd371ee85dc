package session

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
)

func TestStrictest(t *testing.T) {
	t.Parallel()
	a := Policy{Idle: time.Hour, Absolute: 3 * time.Hour, Max: 5}
	b := Policy{Idle: 2 * time.Hour, Brief: time.Hour, Max: 3, Refuse: true}
	want := Policy{Idle: time.Hour, Absolute: 3 * time.Hour, Brief: time.Hour, Max: 3, Refuse: true}
	if got := a.Strictest(b); got != want || b.Strictest(a) != want {
		t.Errorf("Strictest() = %+v", got)
	}
	if got := a.Strictest(Policy{}); got != a {
		t.Errorf("with no policy: %+v", got)
	}
}

// TestReq62LifetimesByPolicy: what a session is allowed at its start.
func TestReq62LifetimesByPolicy(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, tc := range []struct {
		name       string
		brief      bool
		policy     Policy
		idle, last time.Duration
	}{
		{"no policy", false, Policy{}, 14 * day, 30 * day},
		{"for the day", true, Policy{}, 12 * time.Hour, 12 * time.Hour},
		{"a policy", false, Policy{Idle: time.Hour, Absolute: day}, time.Hour, day},
		{"a policy that allows more", false, Policy{Idle: 365 * day, Absolute: 365 * day}, 14 * day, 30 * day},
		{"a policy for the day", true, Policy{Brief: time.Hour}, time.Hour, time.Hour},
		{"an absolute end before that of the day", true, Policy{Absolute: 2 * time.Hour}, 2 * time.Hour, 2 * time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			s, secrets, err := n.Start(t.Context(), StartCmd{User: "ada", Brief: tc.brief, Policy: tc.policy})
			if err != nil {
				t.Fatal(err)
			}
			if s.IdleUntil.Sub(t0) != tc.idle || s.ExpiresAt.Sub(t0) != tc.last {
				t.Errorf("idle end after %v, latest after %v", s.IdleUntil.Sub(t0), s.ExpiresAt.Sub(t0))
			}
			n.clock.Advance(tc.idle - time.Millisecond)
			used := n.mustResolve(t, secrets.Token)
			if left := used.IdleUntil.Sub(n.now()); left != min(tc.idle, tc.last-tc.idle+time.Millisecond) {
				t.Errorf("after a use the idle end is %v away", left)
			}
			n.clock.Advance(used.IdleUntil.Sub(n.now()))
			n.refused(t, "at its end", secrets.Token)
		})
	}
}

// A policy that becomes stricter holds for the sessions there are: at the next read, in lists, and for those that are watched.
func TestLimitHoldsAtOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var now Policy
	set := func(p Policy) {
		mu.Lock()
		defer mu.Unlock()
		now = p
	}
	n := setUp(t, Config{Limit: func(user string) Policy {
		mu.Lock()
		defer mu.Unlock()
		if user == "ada" {
			return now
		}
		return Policy{}
	}, Tick: fast})
	n.run(t)
	s, secret := n.warm(t, "ada")
	_, other := n.warm(t, "bob")
	ended, stop := n.Watch(s.ID)
	defer stop()
	n.clock.Advance(2 * time.Hour)
	n.mustResolve(t, secret)
	set(Policy{Absolute: time.Hour})
	n.clock.Advance(5 * time.Second) // what is known is asked again
	n.refused(t, "too old by a policy that is new", secret)
	n.mustResolve(t, other)
	if p, err := n.ListOf(t.Context(), "ada", page.Args{}); err != nil || len(p.Items) != 0 {
		t.Errorf("listed: %+v, %v", p.Items, err)
	}
	<-ended
	set(Policy{})
	n.clock.Advance(5 * time.Second)
	n.mustResolve(t, secret) // nobody has ended it
}

// TestReq66Refuse: a policy may rather refuse than end the oldest.
func TestReq66Refuse(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	cmd := StartCmd{User: "ada", Policy: Policy{Max: 2, Refuse: true}}
	first, _, err := n.Start(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = n.Start(t.Context(), cmd); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.Start(t.Context(), cmd); !errors.Is(err, ErrLimit) {
		t.Errorf("the third: %v", err)
	}
	if n.ended(t) != 0 || len(n.facts(t, kindStarted)) != 2 {
		t.Error("a refusal leaves facts")
	}
	if err := n.End(in(t, first), first.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.Start(t.Context(), cmd); err != nil {
		t.Errorf("with a place free: %v", err)
	}
	many := StartCmd{User: "bob", Policy: Policy{Max: 3, Refuse: true}}
	var in, out int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, _, err := n.Start(t.Context(), many)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				in++
			case errors.Is(err, ErrLimit):
				out++
			default:
				t.Errorf("Start() = %v", err)
			}
		})
	}
	all.Wait()
	if in != 3 || out != 17 {
		t.Errorf("%d came in and %d were refused at once", in, out)
	}
}

// A reconnect storm: 1,000 sockets of 50 sessions ask on a node that knows none of them; each session is read once.
func TestReconnectStorm(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	secrets := make([]string, 50)
	for i := range secrets {
		_, secrets[i] = n.start(t, "ada")
	}
	cold := n.peer()
	ctx, count := store.WithCounter(t.Context())
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			if _, err := cold.Resolve(ctx, secrets[i%len(secrets)]); err != nil {
				t.Errorf("Resolve() = %v", err)
			}
		})
	}
	all.Wait()
	if count.Total() > len(secrets) {
		t.Errorf("%d reads for %d sessions", count.Total(), len(secrets))
	}
}
