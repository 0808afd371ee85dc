package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// TestReq60ReuseReachesOtherNodes: a copy shown on one node ends the sockets and requests of another.
func TestReq60ReuseReachesOtherNodes(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{Recheck: time.Hour})
	b := a.peer()
	a.follow(t)
	s, first := a.pair(t, "ada")
	cut, stop := a.Watch(s.ID)
	defer stop()
	next := a.mustRefresh(t, first.Refresh)
	a.mustResolve(t, next.Token)
	a.clock.Advance(time.Minute)
	if _, reused, err := b.refresh(t, first.Refresh); !errors.Is(err, ErrEnded) || !reused {
		t.Fatalf("Refresh() = %v, reused %t", err, reused)
	}
	storetest.Eventually(t, 5*time.Second, func() bool { return isClosed(cut) }, "the sockets on the other node are cut")
	a.refused(t, "the newest access token, on the other node", next.Token)
	for name, n := range map[string]node{"here": a, "there": b, "after a restart": a.peer()} {
		if _, again, err := n.refresh(t, next.Refresh); !errors.Is(err, ErrEnded) || again {
			t.Errorf("the newest refresh token %s: %v, reused %t", name, err, again)
		}
	}
}

// TestReq60ManyShowTheCopy: fifty at once after the window end the family once, with one fact, and get nothing.
func TestReq60ManyShowTheCopy(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{})
	b := a.peer()
	_, first := a.pair(t, "ada")
	next := a.mustRefresh(t, first.Refresh)
	a.clock.Advance(10*time.Second + time.Millisecond)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			n := a
			if i%2 == 0 {
				n = b
			}
			got, _, err := n.refresh(t, first.Refresh)
			if !errors.Is(err, ErrEnded) || !errors.Is(err, ErrKnown) || got != (Secrets{}) {
				t.Errorf("Refresh() = %v", err)
			}
		})
	}
	all.Wait()
	if facts := a.facts(t, kindEnded); len(facts) != 1 {
		t.Errorf("%d ends", len(facts))
	}
	a.refused(t, "the newest access token", next.Token)
}

// TestReq61ALongRace: tabs on two nodes go on refreshing, each with what it got last, and are never signed out.
func TestReq61ALongRace(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{})
	b := a.peer()
	_, secrets := a.pair(t, "ada")
	for round := range 3 {
		got := make([]Secrets, 20)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				n := a
				if i%2 == 0 {
					n = b
				}
				var err error
				if _, got[i], err = n.Refresh(t.Context(), secrets.Refresh, never(t)); err != nil {
					t.Errorf("round %d: Refresh() = %v", round, err)
					return
				}
				n.mustResolve(t, got[i].Token)
				n.mustResolve(t, secrets.Token) // the one before, for who is on the way
			})
		}
		all.Wait()
		for _, one := range got {
			if one != got[0] {
				t.Fatalf("round %d: two lineages", round)
			}
		}
		secrets = got[0]
		a.clock.Advance(14 * time.Minute)
	}
	if links, open := a.links(t), a.links(t, bson.E{Key: "spentAt", Value: nil}); links != 4 || open != 1 {
		t.Errorf("%d links, %d of them not used; want 4 and 1", links, open)
	}
}

// links counts the refresh tokens that match.
func (n node) links(t testing.TB, filter ...bson.E) int {
	t.Helper()
	return storetest.Count(t, n.db, refreshCollection, append(bson.D{}, filter...))
}

// TestReq61RevokeAllWins: of many refreshes and an end of everything at once nothing is left, on any node, whoever was first.
func TestReq61RevokeAllWins(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{})
	b := a.peer()
	for range 3 {
		_, first := a.pair(t, "ada")
		a.mustResolve(t, first.Token)
		var mu sync.Mutex
		given := map[Secrets]bool{first: true}
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				n := a
				if i%2 == 0 {
					n = b
				}
				if i == 10 {
					if _, err := a.EndAllOf(system(t), "ada"); err != nil {
						t.Errorf("EndAllOf() = %v", err)
					}
					return
				}
				_, next, err := n.Refresh(t.Context(), first.Refresh, never(t))
				if err != nil && !errors.Is(err, ErrKnown) {
					t.Errorf("Refresh() = %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				given[next] = true
			})
		}
		all.Wait()
		for one := range given {
			for name, n := range map[string]node{"this node": a, "a node that knows nothing": a.peer()} {
				n.refused(t, name, one.Token)
				if _, reused, err := n.refresh(t, one.Refresh); !errors.Is(err, ErrEnded) || reused {
					t.Errorf("%s: Refresh() = %v, reused %t", name, err, reused)
				}
			}
		}
		if len(given) > 3 { // the first, at most one successor, and nothing
			t.Errorf("%d secrets were given", len(given))
		}
	}
}

// TestReq61RenewBesideRefresh: of a refresh and new secrets at once the new secrets are good, whoever comes first, nothing else
// is, and nobody is taken for a thief.
func TestReq61RenewBesideRefresh(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	for range 5 {
		s, first := n.pair(t, "ada")
		var renewed Secrets
		next := make([]Secrets, 10)
		var all sync.WaitGroup
		all.Go(func() {
			var err error
			if _, renewed, err = n.Renew(in(t, s), s.ID); err != nil {
				t.Errorf("Renew() = %v", err)
			}
		})
		for i := range next {
			all.Go(func() {
				var err error
				if _, next[i], err = n.Refresh(t.Context(), first.Refresh, never(t)); err != nil && !errors.Is(err, ErrEnded) {
					t.Errorf("Refresh() = %v", err)
				}
			})
		}
		all.Wait()
		n.mustResolve(t, renewed.Token)
		n.refused(t, "the token before", first.Token)
		for _, one := range next {
			n.refused(t, "the token of the refresh beside", one.Token)
			if _, reused, err := n.refresh(t, one.Refresh); !errors.Is(err, ErrEnded) || reused {
				t.Errorf("the refresh token of the refresh beside: %v, reused %t", err, reused)
			}
		}
		n.mustRefresh(t, renewed.Refresh)
	}
}

// The access token before is good for a moment on a node too that has not heard of the refresh, or of the session, and no
// longer there than anywhere.
func TestTheTokenBeforeOnOtherNodes(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{})
	warm, cold := a.peer(), a.peer()
	_, first := a.pair(t, "ada")
	warm.mustResolve(t, first.Token)
	next := a.mustRefresh(t, first.Refresh)
	until := t0.Add(10 * time.Second)
	if got := cold.mustResolve(t, first.Token); !got.TokenUntil.Equal(until) {
		t.Errorf("a node that knew nothing: good until %v, want %v", got.TokenUntil, until)
	}
	for range 2 {
		for _, n := range []node{a, warm, cold} {
			n.mustResolve(t, first.Token)
			n.mustResolve(t, next.Token)
		}
		a.clock.Advance(5*time.Second - time.Millisecond)
	}
	a.clock.Advance(2 * time.Millisecond)
	for name, n := range map[string]node{"where it was refreshed": a, "where it was known": warm, "elsewhere": cold} {
		n.refused(t, name, first.Token)
		n.mustResolve(t, next.Token)
	}
}

// TestReq65NoRefresh: once everything of a user has ended, or is deleted, no refresh token is good, and none is a reuse.
func TestReq65NoRefresh(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.Context, node) ([]string, error){
		"all ended": func(ctx context.Context, n node) ([]string, error) { return n.EndAllOf(ctx, "ada") },
		"deleted":   func(ctx context.Context, n node) ([]string, error) { return n.DeleteAllOf(ctx, "ada") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			_, first := n.pair(t, "ada")
			_, theirs := n.pair(t, "eve")
			next := n.mustRefresh(t, first.Refresh)
			if _, err := end(system(t), n); err != nil {
				t.Fatal(err)
			}
			for what, secret := range map[string]string{"used": first.Refresh, "unused": next.Refresh} {
				if _, reused, err := n.refresh(t, secret); !errors.Is(err, ErrEnded) || reused {
					t.Errorf("%s: Refresh() = %v, reused %t", what, err, reused)
				}
			}
			n.refused(t, "the access token before", first.Token)
			n.refused(t, "the access token", next.Token)
			if left := n.links(t, bson.E{Key: "user", Value: "ada"}); name == "deleted" && left != 0 {
				t.Errorf("%d refresh tokens left", left)
			}
			n.mustRefresh(t, theirs.Refresh)
		})
	}
}

// A reuse ends the session whatever becomes of a transaction around it.
func TestReuseJoinsNoTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, first := n.pair(t, "ada")
	n.mustRefresh(t, first.Refresh)
	n.clock.Advance(time.Minute)
	var told atomic.Int32
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		_, _, err := n.Refresh(ctx, first.Refresh, func(ctx context.Context, one Session) error {
			told.Add(1)
			if !store.InTransaction(ctx) || one.ID != s.ID {
				t.Errorf("told of %s, in a transaction %t", one.ID, store.InTransaction(ctx))
			}
			return nil
		})
		return err
	})
	if !errors.Is(err, ErrEnded) || told.Load() == 0 || n.stored(t, s.ID).EndedAt == nil || n.ended(t) != 1 {
		t.Errorf("Refresh() = %v, told %d times, %d ends", err, told.Load(), n.ended(t))
	}
}

// A refresh is a use: it moves the idle end as far as one does, is seen in the list, and drops no use that is not written yet.
func TestRefreshIsAUse(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Idle: time.Hour, Absolute: 24 * time.Hour, Access: 2 * time.Hour})
	s, secrets := n.pair(t, "ada")
	n.clock.Advance(30 * time.Minute)
	used := n.mustResolve(t, secrets.Token) // known here alone until the next tick
	n.mustRefresh(t, secrets.Refresh)
	got := n.stored(t, s.ID).Session
	if !got.LastSeenAt.Equal(n.now()) || !got.IdleUntil.Equal(n.now().Add(time.Hour)) || !got.ExpiresAt.Equal(s.ExpiresAt) {
		t.Errorf("after the refresh %+v", got)
	}
	if got.IdleUntil.Before(used.IdleUntil) {
		t.Errorf("the use before it is lost: %v, %v", got.IdleUntil, used.IdleUntil)
	}
	n.flush(t.Context())
	if n.stored(t, s.ID).Session != got {
		t.Error("an older use changed something")
	}
}

// What a refresh costs, as its comment says.
func TestRefreshCosts(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	_, first := n.pair(t, "ada")
	n.costs(t, "who comes first", first.Refresh, [3]int{2, 2, 1})
	n.costs(t, "who comes second", first.Refresh, [3]int{3, 0, 0})
}

func (n node) costs(t testing.TB, name, secret string, want [3]int) {
	t.Helper()
	ctx, count := store.WithCounter(t.Context())
	if _, _, err := n.Refresh(ctx, secret, never(t)); err != nil {
		t.Fatal(err)
	}
	if got := [3]int{count.Count("find"), count.Count("update"), count.Count("insert")}; got != want {
		t.Errorf("%s: %v finds, updates and inserts, want %v", name, got, want)
	}
}
