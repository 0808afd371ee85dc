package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ctx  func(testing.TB) context.Context
		id   string
		err  error
	}{
		{"own", func(t testing.TB) context.Context { return as(t, "ada") }, "", nil},
		{"by the system", system, "", nil},
		{"somebody else's", func(t testing.TB) context.Context { return as(t, "eve") }, "", fault.ErrNotFound},
		{"unknown", func(t testing.TB) context.Context { return as(t, "ada") }, "nothing", fault.ErrNotFound},
		{"by nobody", func(t testing.TB) context.Context { return t.Context() }, "", fault.ErrUnauthenticated},
		{"by a key", func(t testing.TB) context.Context { return with(t, Key{ID: "k1", User: "ada"}) }, "", ErrKeyForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			s, token := n.warm(t, "ada")
			_, other := n.warm(t, "ada")
			gone, stop := n.Watch(s.ID)
			defer stop()
			id := s.ID
			if tc.id != "" {
				id = tc.id
			}
			for range 2 { // the second time is no error and no second fact
				if err := n.End(tc.ctx(t), id); !errors.Is(err, tc.err) {
					t.Fatalf("End() = %v, want %v", err, tc.err)
				}
			}
			_, err := n.Resolve(t.Context(), token)
			want := tc.err == nil
			if errors.Is(err, ErrEnded) != want || isClosed(gone) != want || (n.ended(t) == 1) != want {
				t.Errorf("Resolve() = %v, watch closed %v, %d events; want ended: %v", err, isClosed(gone), n.ended(t), want)
			}
			n.mustResolve(t, other)
		})
	}
}

func TestEndInsideATransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	gone, stop := n.Watch(s.ID)
	defer stop()
	wrong := errors.New("the flow goes wrong later")
	flow := func(result error) error {
		return n.db.InTx(as(t, "ada"), func(ctx context.Context) error {
			if err := n.End(ctx, s.ID); err != nil {
				return err
			}
			if isClosed(gone) {
				t.Error("told before the commit")
			}
			return result
		})
	}
	if err := flow(wrong); !errors.Is(err, wrong) || isClosed(gone) || n.ended(t) != 0 {
		t.Errorf("rolled back: %v, and %d events", err, n.ended(t))
	}
	n.mustResolve(t, token)
	if err := flow(nil); err != nil {
		t.Fatal(err)
	}
	n.Forget(s.ID)
	if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) || !isClosed(gone) || n.ended(t) != 1 {
		t.Errorf("committed: %v, and %d events", err, n.ended(t))
	}
}

func TestEndAllOf(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Absolute: time.Hour})
	n.start(t, "ada")
	n.clock.Advance(time.Hour) // that one is over by itself
	var tokens []string
	var gone []<-chan struct{}
	for range 3 {
		s, token := n.warm(t, "ada")
		c, stop := n.Watch(s.ID)
		defer stop()
		tokens, gone = append(tokens, token), append(gone, c)
	}
	already, _ := n.start(t, "ada")
	if err := n.End(as(t, "ada"), already.ID); err != nil {
		t.Fatal(err)
	}
	_, others := n.warm(t, "eve")
	key, secret := n.mint(t, "ada", "plan.read")
	n.mustResolve(t, secret)
	c, stop := n.Watch(key.ID)
	defer stop()
	tokens, gone = append(tokens, secret), append(gone, c)

	for _, end := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := n.EndAllOf(ctx, "ada"); return err },
		func(ctx context.Context) error { _, err := n.EndOthersOf(ctx, "ada", ""); return err },
		func(ctx context.Context) error { _, err := n.DeleteAllOf(ctx, "ada"); return err },
	} {
		if err := end(t.Context()); !errors.Is(err, fault.ErrUnauthenticated) {
			t.Errorf("nobody: %v", err)
		}
		if err := end(as(t, "eve")); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("somebody else: %v", err)
		}
		if err := end(with(t, key)); !errors.Is(err, ErrKeyForbidden) {
			t.Errorf("a key: %v", err)
		}
	}
	ids, err := n.EndAllOf(as(t, "ada"), "ada")
	if err != nil || len(ids) != 4 || n.ended(t) != 4 || len(n.facts(t, "session.key.revoked")) != 1 {
		t.Fatalf("EndAllOf() = %v, %v, and %d events", ids, err, n.ended(t))
	}
	for i, token := range tokens {
		if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) || !isClosed(gone[i]) {
			t.Errorf("session %d goes on: %v", i, err)
		}
	}
	n.mustResolve(t, others)
	if ids, err := n.EndAllOf(system(t), "ada"); err != nil || len(ids) != 0 || n.ended(t) != 4 {
		t.Errorf("a second time: %v, %v", ids, err)
	}
}

func TestEndOthersOf(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	keep, keptToken := n.warm(t, "ada")
	other, token := n.warm(t, "ada")
	_, key := n.mint(t, "ada", "plan.read")
	_, theirs := n.warm(t, "eve")
	gone, stop := n.Watch(other.ID)
	defer stop()
	goesOn, stopToo := n.Watch(keep.ID)
	defer stopToo()
	ids, err := n.EndOthersOf(in(t, keep), "ada", keep.ID)
	if err != nil || len(ids) != 1 || ids[0] != other.ID || n.ended(t) != 1 {
		t.Fatalf("EndOthersOf() = %v, %v, and %d events", ids, err, n.ended(t))
	}
	if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) || !isClosed(gone) || isClosed(goesOn) {
		t.Errorf("the other one: %v, told %v; the kept one told %v", err, isClosed(gone), isClosed(goesOn))
	}
	for _, secret := range []string{keptToken, key, theirs} {
		n.mustResolve(t, secret)
	}
}

func TestDeleteAllOf(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	_, key := n.mint(t, "ada", "plan.read")
	n.mustResolve(t, key)
	over, _ := n.start(t, "ada")
	if err := n.End(as(t, "ada"), over.ID); err != nil {
		t.Fatal(err)
	}
	_, device, _, err := n.Remember(t.Context(), "ada", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := n.Remember(t.Context(), "eve", device); err != nil {
		t.Fatal(err)
	}
	_, theirs := n.warm(t, "eve")
	_, theirKey := n.mint(t, "eve", "plan.read")
	gone, stop := n.Watch(s.ID)
	defer stop()

	var ended []string
	err = n.db.InTx(system(t), func(ctx context.Context) (err error) {
		ended, err = n.DeleteAllOf(ctx, "ada")
		if isClosed(gone) {
			t.Error("told before the commit")
		}
		return err
	})
	if err != nil || len(ended) != 2 {
		t.Fatalf("DeleteAllOf() = %v, %v", ended, err)
	}
	n.Forget(ended...)
	for _, secret := range []string{token, key} {
		if _, err := n.Resolve(t.Context(), secret); !errors.Is(err, ErrEnded) || !isClosed(gone) {
			t.Errorf("Resolve() = %v", err)
		}
	}
	for coll, field := range map[string]string{collection: "user", deviceCollection: "user", ownerCollection: "_id"} {
		mine := storetest.Count(t, n.db, coll, bson.D{{Key: field, Value: "ada"}})
		if others := storetest.Count(t, n.db, coll); mine != 0 || others == 0 {
			t.Errorf("%s: %d of the user's left, %d of others", coll, mine, others)
		}
	}
	n.mustResolve(t, theirs)
	n.mustResolve(t, theirKey)
	if n.ended(t) != 2 || len(n.facts(t, "session.key.revoked")) != 1 {
		t.Error("what was open ended without a fact: other nodes would not hear of it")
	}
}

// Of twenty who end one session at once one does it: one fact.
func TestEndRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := n.End(as(t, "ada"), s.ID); err != nil {
				t.Errorf("End() = %v", err)
			}
			if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
				t.Errorf("after the end: %v", err)
			}
		})
		wg.Go(func() { _, _ = n.Resolve(t.Context(), token) })
	}
	wg.Wait()
	if n.ended(t) != 1 {
		t.Errorf("%d events", n.ended(t))
	}
}
