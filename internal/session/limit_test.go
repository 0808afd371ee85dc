package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// evicted are the ids of those that had to make room, as the log tells, oldest first.
func (n node) evicted(t testing.TB) []string {
	t.Helper()
	ids := []string{}
	for _, e := range n.facts(t, "session.session.ended") {
		if a := data[about](t, e); a.Reason == "limit" {
			if a != (about{User: "ada", Reason: "limit"}) {
				t.Errorf("the event says %+v", a)
			}
			ids = append(ids, e.On.ID)
		}
	}
	return ids
}

func TestReq66TheLeastRecentlyUsedEnds(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{MaxSessions: 3})
	first, firstToken := n.warm(t, "ada")
	n.clock.Advance(time.Hour)
	second, secondToken := n.warm(t, "ada")
	n.clock.Advance(time.Hour)
	third, _ := n.start(t, "ada")
	n.start(t, "eve")
	_, key := n.mint(t, "ada", "plan.read") // takes no place
	n.clock.Advance(time.Hour)
	n.mustResolve(t, firstToken)
	n.flush(t.Context()) // the first is the one used last
	gone, stop := n.Watch(second.ID)
	defer stop()
	goesOn, stopToo := n.Watch(first.ID)
	defer stopToo()

	var out []string
	fourth, _, err := n.Start(t.Context(), StartCmd{User: "ada", Methods: "pwd", Evicted: &out})
	if err != nil || !slices.Equal(out, []string{second.ID}) || !slices.Equal(n.evicted(t), out) {
		t.Fatalf("Start() = %v, it ended %v, and the events say %v; want %s", err, out, n.evicted(t), second.ID)
	}
	if _, err := n.Resolve(t.Context(), secondToken); !errors.Is(err, ErrEnded) || !isClosed(gone) || isClosed(goesOn) {
		t.Errorf("the one that ended: %v, told %v; one that goes on was told %v", err, isClosed(gone), isClosed(goesOn))
	}
	if got := n.list(t, "ada"); !slices.Equal(got, []string{fourth.ID, third.ID, first.ID}) {
		t.Errorf("live: %v", got)
	}
	if len(n.list(t, "eve")) != 1 {
		t.Error("somebody else's ended")
	}
	n.mustResolve(t, key)
}

// However many sign in at once, on whatever nodes, and also for the very first time.
func TestReq66StartsAtOnceNeverPassTheCap(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{MaxSessions: 3})
	nodes := []node{n, n.peer()}
	for range 2 { // the second time there is something to end at once
		before := len(n.evicted(t))
		kept := len(n.list(t, "ada"))
		var mu sync.Mutex
		var all []string
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				var out []string
				_, _, err := nodes[i%2].Start(t.Context(), StartCmd{User: "ada", Methods: "pwd", Evicted: &out})
				if err != nil {
					t.Errorf("Start() = %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, out...)
			})
		}
		wg.Wait()
		told := n.evicted(t)[before:]
		slices.Sort(all)
		slices.Sort(told)
		if live := n.list(t, "ada"); len(live) != 3 || len(told) != 17+kept || !slices.Equal(all, told) {
			t.Errorf("%d live, %d ended, %d given to the callers; want 3, %d", len(live), len(told), len(all), 17+kept)
		}
	}
}

// Sessions that are over leave their place: no live one ends for them.
func TestSessionsThatAreOverTakeNoPlace(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{MaxSessions: 3, Idle: time.Hour})
	n.start(t, "ada")
	n.start(t, "ada")
	n.clock.Advance(time.Hour) // both are
	one, _ := n.start(t, "ada")
	two, _ := n.start(t, "ada")
	for range 10 {
		s, _ := n.start(t, "ada")
		if err := n.End(as(t, "ada"), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	if live := n.list(t, "ada"); !slices.Equal(live, []string{two.ID, one.ID}) || len(n.evicted(t)) != 0 {
		t.Errorf("live: %v, want %s and %s", live, two.ID, one.ID)
	}
}

// The cap holds for sessions that no start has counted, and after it was lowered: all that are too many end.
func TestReq66ALowerCap(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]bool{"lowered": false, "never counted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			var ids []string
			for range 6 {
				s, _ := n.start(t, "ada")
				ids = append(ids, s.ID)
				n.clock.Advance(time.Minute)
			}
			if forget {
				if _, err := n.db.Collection(ownerCollection).DeleteMany(t.Context(), bson.D{}); err != nil {
					t.Fatal(err)
				}
			}
			strict := newNode(n.db, n.clock, Config{MaxSessions: 2})
			s, _ := strict.start(t, "ada")
			if live := n.list(t, "ada"); !slices.Equal(live, []string{s.ID, ids[5]}) || !slices.Equal(n.evicted(t), ids[:5]) {
				t.Errorf("live: %v, ended %v of %v", live, n.evicted(t), ids)
			}
		})
	}
}

// One place: whoever signs in leaves every other device.
func TestOneSessionAtATime(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{MaxSessions: 1})
	for range 3 {
		s, _ := n.start(t, "ada")
		if live := n.list(t, "ada"); !slices.Equal(live, []string{s.ID}) {
			t.Errorf("live: %v, want %s", live, s.ID)
		}
	}
}

func TestStartCountsOnlyNearTheCap(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{MaxSessions: 10})
	for i := range 25 {
		ctx, count := store.WithCounter(t.Context())
		if _, _, err := n.Start(ctx, StartCmd{User: "ada"}); err != nil {
			t.Fatal(err)
		}
		// The first time, and when the bound is 11, where all are live, and so from then on: then one ends, for which there is
		// another find.
		want := 0
		if i == 0 {
			want = 1
		} else if i >= 10 {
			want = 2
		}
		if count.Count("find") != want || count.Count("findAndModify") != 1 {
			t.Errorf("start %d: %v finds, want %v", i, count.Count("find"), want)
		}
	}
}

// Who signs in and out again is counted once in a while: after a count of none, when ten have begun.
func TestStartCountsSeldomWhenSessionsEnd(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{MaxSessions: 10})
	ctx, count := store.WithCounter(system(t))
	for range 31 {
		s, _, err := n.Start(ctx, StartCmd{User: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.End(system(t), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := count.Count("find"); got != 4 { // starts 1, 11, 21 and 31
		t.Errorf("31 starts counted %d times", got)
	}
}

func TestEvictionInsideATransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{MaxSessions: 1})
	s, token := n.warm(t, "ada")
	gone, stop := n.Watch(s.ID)
	defer stop()
	wrong := errors.New("the flow goes wrong later")
	var out []string
	flow := func(result error) error {
		return n.db.InTx(t.Context(), func(ctx context.Context) error {
			if _, _, err := n.Start(ctx, StartCmd{User: "ada", Evicted: &out}); err != nil {
				return err
			}
			if isClosed(gone) || !slices.Equal(out, []string{s.ID}) {
				t.Errorf("before the commit: told %v, given %v", isClosed(gone), out)
			}
			return result
		})
	}
	if err := flow(wrong); !errors.Is(err, wrong) || len(n.evicted(t)) != 0 || storetest.Count(t, n.db, collection) != 1 {
		t.Errorf("rolled back: %v, ended %v", err, n.evicted(t))
	}
	n.mustResolve(t, token)
	if err := flow(nil); err != nil {
		t.Fatal(err)
	}
	n.Forget(out...)
	if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) || !isClosed(gone) {
		t.Errorf("committed: %v, told %v", err, isClosed(gone))
	}
}
