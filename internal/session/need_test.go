package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/store"
)

// TestReq70Need: a proof must be as young and as strong as the one who asks wants it.
func TestReq70Need(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Fresh: 5 * time.Minute})
	if n.Fresh() != 5*time.Minute {
		t.Errorf("Fresh() = %v", n.Fresh())
	}
	sessions := map[Level]Session{}
	for _, level := range []Level{AnyProof, FullProof, TwoFactors} {
		s, secrets, err := n.Start(t.Context(), StartCmd{User: "ada", Methods: "pwd", Level: level})
		if err != nil || s.Level != level || n.mustResolve(t, secrets.Token).Level != level || n.stored(t, s.ID).Level != level {
			t.Fatalf("Start() = %+v, %v", s, err)
		}
		sessions[level] = s
	}
	n.clock.Advance(2 * time.Minute)
	for _, tc := range []struct {
		name string
		has  Level
		need Need
		err  error
	}{
		{"anything", AnyProof, Need{}, nil},
		{"a full proof of one that was not", AnyProof, Need{Level: FullProof}, ErrReauth},
		{"two factors of one that was not", FullProof, Need{Level: TwoFactors}, ErrReauth},
		{"just as strong", FullProof, Need{Level: FullProof}, nil},
		{"stronger than asked for", TwoFactors, Need{Level: FullProof}, nil},
		{"as old as may be", FullProof, Need{Age: 2 * time.Minute}, nil},
		{"younger", FullProof, Need{Age: 2*time.Minute - time.Millisecond}, ErrReauth},
		{"strong, and younger", TwoFactors, Need{Age: time.Minute, Level: TwoFactors}, ErrReauth},
		{"older than elsewhere", FullProof, Need{Age: time.Hour, Level: FullProof}, nil},
	} {
		ctx := in(t, sessions[tc.has])
		for where, one := range map[string]node{"warm": n, "cold": n.peer()} {
			if got, err := one.RequireFresh(ctx, tc.need); !errors.Is(err, tc.err) || (err == nil) != (got.ID != "") {
				t.Errorf("%s, %s: RequireFresh() = %q, %v; want %v", tc.name, where, got.ID, err, tc.err)
			}
		}
	}
}

// The level is that of the newest proof: a weaker one takes away what a stronger one has shown, and every one is told.
func TestReq70LevelOfTheLastProof(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, _ := n.warm(t, "ada")
	for _, step := range []struct {
		methods string
		level   Level
		want    string
	}{{"otp", TwoFactors, "pwd otp"}, {"pwd", AnyProof, "pwd otp"}, {"hwk", FullProof, "pwd otp hwk"}} {
		n.clock.Advance(10 * time.Second) // no use to be noted
		got, secrets, err := n.Elevate(in(t, s), s.ID, step.methods, step.level)
		if err != nil || got.Level != step.level || got.Methods != step.want || !got.AuthAt.Equal(n.now()) {
			t.Fatalf("Elevate() = %+v, %v", got, err)
		}
		if now := n.mustResolve(t, secrets.Token); now != got || n.stored(t, s.ID).Session != got {
			t.Errorf("afterwards %+v", now)
		}
		for _, level := range []Level{AnyProof, FullProof, TwoFactors} {
			if _, err := n.RequireFresh(in(t, s), Need{Level: level}); (err == nil) != (level <= step.level) {
				t.Errorf("proved %d, asked for %d: %v", step.level, level, err)
			}
		}
	}
}

// A node whose memory knows a weaker proof asks the database before it refuses, and refuses by that alone.
func TestReq70StrongerOnAnotherNode(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{Recheck: time.Hour})
	b := a.peer() // hears nothing
	s, token := a.warm(t, "ada")
	b.mustResolve(t, token)
	ctx, count := store.WithCounter(in(t, s))
	if _, err := b.RequireFresh(ctx, Need{Level: TwoFactors}); !errors.Is(err, ErrReauth) || count.Total() != 1 {
		t.Fatalf("RequireFresh() = %v, %d reads", err, count.Total())
	}
	if _, _, err := a.Elevate(in(t, s), s.ID, "otp", TwoFactors); err != nil {
		t.Fatal(err)
	}
	if got, err := b.RequireFresh(in(t, s), Need{Level: TwoFactors}); err != nil || got.Level != TwoFactors {
		t.Errorf("RequireFresh() = %+v, %v", got, err)
	}
}

// TestReq59OfManyRenewalsOneIsGood: however many there are at once, the last one counts and every other token is dead.
func TestReq59OfManyRenewalsOneIsGood(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{})
	nodes := []node{a, a.peer()}
	s, first := a.pair(t, "ada")
	got := make([]Secrets, 20)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			n := nodes[i%2]
			var err error
			if i%3 == 0 {
				_, got[i], err = n.Elevate(in(t, s), s.ID, "otp", TwoFactors)
			} else {
				_, got[i], err = n.Renew(in(t, s), s.ID)
			}
			if err != nil {
				t.Errorf("Renew() = %v", err)
			}
		})
	}
	all.Wait()
	cold, good := a.peer(), 0
	for _, one := range append(got, first) {
		_, resolved := cold.Resolve(t.Context(), one.Token)
		_, err := cold.store.refreshToken(t.Context(), digestOf(t, one.Refresh))
		if (resolved == nil) != (err == nil) {
			t.Errorf("of one pair a token is good and the other is not: %v, %v", resolved, err)
		}
		if resolved == nil {
			good++
		}
	}
	if good != 1 || a.links(t) != 1 {
		t.Errorf("%d tokens are good, %d refresh tokens are left", good, a.links(t))
	}
}

// TestReq59RenewInsideATransaction: the flow tells this node after its commit; until then the token before is good, and with a
// rollback it stays so.
func TestReq59RenewInsideATransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, first := n.pair(t, "ada")
	n.mustResolve(t, first.Token)
	goesOn, stop := n.Watch(s.ID)
	defer stop()
	wrong := errors.New("the flow goes wrong later")
	var made Secrets
	flow := func(result error) error {
		return n.db.InTx(in(t, s), func(ctx context.Context) (err error) {
			if _, made, err = n.Renew(ctx, s.ID); err != nil {
				return err
			}
			n.mustResolve(t, first.Token)
			return result
		})
	}
	if err := flow(wrong); !errors.Is(err, wrong) || len(n.facts(t, kindRenewed)) != 0 || n.links(t) != 1 {
		t.Errorf("rolled back: %v", err)
	}
	n.refused(t, "what was rolled back", made.Token)
	n.mustResolve(t, first.Token)
	if err := flow(nil); err != nil {
		t.Fatal(err)
	}
	n.Refreshed(s.ID)
	n.refused(t, "the token before", first.Token)
	if _, reused, err := n.refresh(t, first.Refresh); !errors.Is(err, ErrEnded) || reused {
		t.Errorf("the refresh token before: %v, reused %t", err, reused)
	}
	if n.mustResolve(t, made.Token).ID != s.ID || isClosed(goesOn) || len(n.facts(t, kindRenewed)) != 1 {
		t.Error("the session does not go on")
	}
}
