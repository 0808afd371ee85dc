package throttle

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/store/storetest"
)

// A hundred attempts at once are a hundred attempts: as aliases of one document, over two processes, on a bucket that does
// not exist yet.
func TestReq16AHundredAtOnce(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	nodes := [2]node{n, n.peer(0)}
	net := Bucket{Limit: Limit{Name: "wide", Burst: 50, Every: time.Minute}, Key: "192.0.2.7"}
	passed := race(t, 100, func(i int) error { return nodes[i%2].Take(t.Context(), net, user("ada")) })
	if passed != 5 {
		t.Errorf("%d of a hundred passed, want the 5 of the account", passed)
	}
	if got := n.takes(t, 99, net); got != 45 {
		t.Errorf("the network has %d left: those that the account refused were not given back, want 45", got)
	}
	told := map[string]int{}
	for _, e := range n.events(t) {
		told[e.Data.Lookup("limit").StringValue()]++
	}
	// The account refuses from the sixth on. What the network refuses, while those that the account will refuse hold some of
	// it, depends on chance; but it tells of it once, and again only after one of the five, and after those just above.
	if told[byUser.Name] != 1 || told["wide"] > 1+5+1 {
		t.Errorf("events by limit: %v", told)
	}
}

// The last attempt, by twenty at once: one gets it, whoever asks.
func TestTheLastOneRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	nodes := [2]node{n, n.peer(0)}
	ada := user("ada")
	n.mustTake(t, 4, ada)
	if passed := race(t, 20, func(i int) error { return nodes[i%2].Take(t.Context(), ada) }); passed != 1 {
		t.Errorf("%d of twenty passed", passed)
	}
	if got := len(n.events(t)); got != 1 {
		t.Errorf("%d events", got)
	}
}

// The same inside transactions that are rolled back: each attempt counts.
func TestRolledBackRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada := user("ada")
	var mu sync.Mutex
	passed := 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			n.db.InTx(t.Context(), func(ctx context.Context) error { //nolint:errcheck // it never commits
				if err := n.Take(ctx, ada); err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				passed++
				return context.Canceled
			})
		})
	}
	wg.Wait()
	if passed != 5 {
		t.Errorf("%d of twenty passed", passed)
	}
}

// Twenty who are refused at once, for the first time: one event.
func TestFirstRefusalRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	nodes := [2]node{n, n.peer(0)}
	ada := user("ada")
	n.mustTake(t, 5, ada)
	if passed := race(t, 20, func(i int) error { return nodes[i%2].Take(t.Context(), ada) }); passed != 0 {
		t.Errorf("%d passed", passed)
	}
	if got := len(n.events(t)); got != 1 {
		t.Errorf("%d events for twenty refusals", got)
	}
}

// Refunds that come at once never give more than the burst.
func TestRefundRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada := user("ada")
	n.mustTake(t, 3, ada)
	race(t, 20, func(int) error { return n.Refund(t.Context(), ada) })
	if got := n.takes(t, 9, ada); got != 5 {
		t.Errorf("%d after twenty refunds of three attempts", got)
	}
}

func TestReq21CountersHoldOverNodesAndRestarts(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada := user("ada")
	other := newNode(storetest.Open(t, n.db.Database().Name()), n.clock) // a process with connections of its own
	n.mustTake(t, 3, ada)
	other.mustTake(t, 2, ada)
	n.refused(t, ada)
	other.refused(t, ada)
	restarted := n.peer(0)
	restarted.refused(t, ada)
	if got := len(n.events(t)); got != 1 {
		t.Errorf("%d events: nodes share the mark too", got)
	}
	if err := other.Refund(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	n.mustTake(t, 1, ada)
}

// A node that is ahead makes the others wait longer; it never makes them let more through.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ahead, behind := n.peer(20*time.Second), n.peer(-20*time.Second)
	ada := user("ada")
	ahead.mustTake(t, 5, ada)
	if wait := n.refused(t, ada); wait != 30 {
		t.Errorf("the right clock waits %d, want 30", wait)
	}
	if wait := behind.refused(t, ada); wait != 50 {
		t.Errorf("the slow clock waits %d, want 50", wait)
	}
	// Over four minutes, whoever is asked and however the clocks differ: burst, pace, and once the difference.
	nodes, passed := []node{n, ahead, behind}, 5
	for range 24 {
		for _, one := range nodes {
			one.clock.Advance(10 * time.Second)
			passed += one.takes(t, 9, ada)
		}
	}
	if most := 5 + 24 + 2; passed > most {
		t.Errorf("%d passed in four minutes, of at most %d", passed, most)
	}
	if passed < 24 {
		t.Errorf("only %d passed in four minutes", passed)
	}
}
