package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// acting is a request of who acts as somebody else.
func acting(t testing.TB, one Session) context.Context {
	return actor.With(t.Context(), actor.Actor{User: one.User, Session: one.ID, Impersonator: one.Impersonator, ReadOnly: one.ReadOnly})
}

func (n node) impersonate(t testing.TB, by Session, park bool) (Session, string) {
	t.Helper()
	one, secrets, err := n.Impersonate(in(t, by), ImpersonateCmd{User: "uma", Reason: "a ticket", ReadOnly: true, Park: park})
	if err != nil {
		t.Fatal(err)
	}
	return one, secrets.Token
}

func TestReq71Impersonate(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{MaxSessions: 1})
	n.warm(t, "uma")
	own, secret := n.warm(t, "ada")
	one, token := n.impersonate(t, own, false)
	want := Session{
		ID: one.ID, User: "uma", CreatedAt: t0, LastSeenAt: t0, IdleUntil: t0.Add(15 * time.Minute), ExpiresAt: t0.Add(time.Hour), Brief: true,
		IdleFor: 15 * time.Minute, Impersonator: "ada", Parent: own.ID, Reason: "a ticket", ReadOnly: true,
	}
	if one != want || n.mustResolve(t, token) != want {
		t.Errorf("Impersonate() = %+v\nwant %+v", one, want)
	}
	n.mustResolve(t, secret)
	if n.ended(t) != 0 {
		t.Error("it took the user's only place")
	}
	facts := n.facts(t, kindImpersonated)
	if len(facts) != 1 || data[impersonated](t, facts[0]) != (impersonated{"uma", "ada", "a ticket", true}) || facts[0].Actor.User != "ada" {
		t.Errorf("facts: %+v", facts)
	}
	for range 4 {
		n.clock.Advance(14 * time.Minute)
		n.mustResolve(t, token)
	}
	n.clock.Advance(4 * time.Minute)
	n.refused(t, "after an hour", token)
}

// TestReq71Refused: what nobody can do in the place of another, nesting among it.
func TestReq71Refused(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	other, _ := n.warm(t, "uma")
	own, _ := n.warm(t, "ada")
	one, _ := n.impersonate(t, own, false)
	ctx := acting(t, one)
	for what, do := range map[string]func() error{
		"act as a third":      func() error { _, _, err := n.Impersonate(ctx, ImpersonateCmd{User: "bob"}); return err },
		"end another session": func() error { return n.End(ctx, other.ID) },
		"end all":             func() error { _, err := n.EndAllOf(ctx, "uma"); return err },
		"end others":          func() error { _, err := n.EndOthersOf(ctx, "uma", one.ID); return err },
		"rename":              func() error { _, err := n.Rename(ctx, other.ID, "x"); return err },
		"elevate":             func() error { _, _, err := n.Elevate(ctx, one.ID, "pwd", FullProof); return err },
		"renew":               func() error { _, _, err := n.Renew(ctx, one.ID); return err },
		"mint a key": func() error {
			_, _, err := n.MintKey(ctx, MintCmd{User: "uma", Name: "k", Scopes: []string{"a.b.c"}})
			return err
		},
		"be fresh":              func() error { _, err := n.RequireFresh(ctx, Need{}); return err },
		"be fresh for anything": func() error { _, err := n.RequireFresh(ctx, Need{Age: 1 << 60}); return err },
	} {
		if err := do(); !errors.Is(err, ErrImpersonated) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, ctx := range map[string]context.Context{"a key": with(t, Key{ID: "k", User: "ada"}), "nobody": t.Context(), "no session": as(t, "ada"), "the system": system(t)} {
		if _, _, err := n.Impersonate(ctx, ImpersonateCmd{User: "uma"}); err == nil {
			t.Errorf("%s acts as somebody", what)
		}
	}
	if err := n.End(ctx, one.ID); err != nil {
		t.Errorf("to be oneself again: %v", err)
	}
	if _, err := n.Impersonations(in(t, own)); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("Impersonations() for anybody: %v", err)
	}
}

// TestReq72EndsWithItsParent: whatever ends the session it was begun from ends it too, and so does whatever ends all of the
// impersonator's or all of the user's sessions.
func TestReq72EndsWithItsParent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end  func(n node, own Session, t testing.TB) ([]string, error)
		gone bool
	}{
		"the parent ends":            {func(n node, own Session, t testing.TB) ([]string, error) { return nil, n.End(in(t, own), own.ID) }, true},
		"all of the impersonator's":  {func(n node, _ Session, t testing.TB) ([]string, error) { return n.EndAllOf(system(t), "ada") }, true},
		"all of the user's":          {func(n node, _ Session, t testing.TB) ([]string, error) { return n.EndAllOf(system(t), "uma") }, true},
		"the impersonator is purged": {func(n node, _ Session, t testing.TB) ([]string, error) { return n.DeleteAllOf(system(t), "ada") }, true},
		"the impersonator's others": {func(n node, own Session, t testing.TB) ([]string, error) {
			return n.EndOthersOf(system(t), "ada", own.ID)
		}, false},
		"others of the impersonator, kept another": {func(n node, _ Session, t testing.TB) ([]string, error) {
			return n.EndOthersOf(system(t), "ada", "another")
		}, true},
		"somebody else's": {func(n node, _ Session, t testing.TB) ([]string, error) { return n.EndAllOf(system(t), "bob") }, false},
		"a place is needed": {func(n node, _ Session, t testing.TB) ([]string, error) {
			var gone []string
			_, _, err := n.Start(t.Context(), StartCmd{User: "ada", Policy: Policy{Max: 1}, Evicted: &gone})
			return gone, err
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			own, _ := n.warm(t, "ada")
			one, token := n.impersonate(t, own, false)
			n.mustResolve(t, token)
			cut, stop := n.Watch(one.ID)
			defer stop()
			ids, err := tc.end(n, own, t)
			if err != nil {
				t.Fatal(err)
			}
			if isClosed(cut) != tc.gone || ids != nil && slices.Contains(ids, one.ID) != tc.gone {
				t.Errorf("cut %t, ended %v", isClosed(cut), ids)
			}
			if _, err := n.Resolve(t.Context(), token); (err != nil) != tc.gone {
				t.Errorf("Resolve() = %v", err)
			}
			left, err := n.Impersonations(system(t))
			if err != nil || (len(left) == 0) != tc.gone {
				t.Errorf("Impersonations() = %+v, %v", left, err)
			}
		})
	}
}

// With its token put away the parent goes on, and nobody can show it until it gets another.
func TestPark(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	own, secret := n.warm(t, "ada")
	goesOn, stop := n.Watch(own.ID)
	defer stop()
	one, _ := n.impersonate(t, own, true)
	n.refused(t, "the token that was put away", secret)
	if !one.Parked || isClosed(goesOn) {
		t.Errorf("parked %t, the parent ended %t", one.Parked, isClosed(goesOn))
	}
	_, secrets, err := n.Renew(system(t), own.ID)
	if err != nil || n.mustResolve(t, secrets.Token).ID != own.ID {
		t.Errorf("Renew() = %v", err)
	}
	n.refused(t, "the token that was put away, later", secret)
}

// An impersonation that begins while its parent ends is never left over.
func TestImpersonateRacesTheEnd(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	for range 10 {
		own, _ := n.warm(t, "ada")
		done := make(chan error, 1)
		go func() { done <- n.End(in(t, own), own.ID) }()
		_, secrets, err := n.Impersonate(in(t, own), ImpersonateCmd{User: "uma"})
		if ended := <-done; ended != nil {
			t.Fatal(ended)
		}
		if err == nil {
			n.refused(t, "an orphan", secrets.Token)
		} else if !errors.Is(err, ErrEnded) {
			t.Errorf("Impersonate() = %v", err)
		}
	}
}
