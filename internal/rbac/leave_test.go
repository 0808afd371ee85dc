package rbac

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// TestReq55KeyNeedsScopeAndOwner: the rights of an access key are its scopes and the current rights of its owner, both.
func TestReq55KeyNeedsScopeAndOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("pq", permP, permQ)
	g := w.give("u", r)
	key := actor.With(t.Context(), actor.Actor{User: "u", Key: "k", Scope: actor.NewScope(permP, permR)})
	for perm, want := range map[string]Reason{permP: Allowed, permQ: OutOfScope, permR: NoPath} {
		if d := w.Can(key, []Check{{Permission: perm}})[0]; d.Reason != want || d.Allowed != (want == Allowed) {
			t.Errorf("%s: %+v, want %s", perm, d, want)
		}
	}
	if got := w.PermissionsOf(key); len(got) != 1 || got[0] != permP {
		t.Errorf("PermissionsOf() = %v", got)
	}
	w.take(g)
	if err := w.Require(key, permP, ref.Ref{}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("its owner has lost the right, and Require() = %v", err)
	}
}

// TestKeyGrantsWithinScope: a key that may grant cannot grant what is beyond its scope, though its owner could.
func TestKeyGrantsWithinScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.give("root", w.admin())
	p, q := w.role("pp", permP), w.role("qq", permQ)
	key := actor.With(t.Context(), actor.Actor{User: "root", Key: "k", Scope: actor.NewScope(PermGrantWrite, permP)})
	if _, err := w.Grant(key, GrantCmd{Role: q.ID, Member: ref.New(ref.User, "v")}); !errors.Is(err, ErrEscalation) {
		t.Errorf("beyond the scope: %v", err)
	}
	if _, err := w.Grant(key, GrantCmd{Role: p.ID, Member: ref.New(ref.User, "v")}); err != nil {
		t.Errorf("within the scope: %v", err)
	}
}

func TestGrantable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.give("root", w.admin())
	w.give("granter", w.role("granter", PermGrantWrite, permP))
	p := w.role("pp", permP)
	w.role("qq", permQ)
	for _, tc := range []struct {
		user, key string
		err       error
	}{
		{"root", "qq", nil},
		{"granter", "pp", nil},
		{"granter", "qq", ErrEscalation},
		{"granter", "ghost", fault.ErrNotFound},
		{"nobody", "pp", fault.ErrForbidden},
	} {
		r, err := w.Grantable(w.as(tc.user), tc.key)
		if !errors.Is(err, tc.err) || (err == nil && r.Key != tc.key) {
			t.Errorf("Grantable(%s, %s) = %v, %v; want %v", tc.user, tc.key, r.Key, err, tc.err)
		}
	}
	if n := w.events(kindGrantCreated); n != 2 || p.Key != "pp" {
		t.Errorf("asking has granted something: %d grants", n)
	}
}

func TestHoldsAny(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.diamond() // where u holds d, and a by two ways
	for _, tc := range []struct {
		user string
		keys []string
		want bool
	}{
		{"u", []string{d.d.Key}, true},
		{"u", []string{"ghost", d.a.Key}, true},
		{"u", []string{"ghost"}, false},
		{"u", nil, false},
		{"v", []string{d.d.Key}, false},
		{"", []string{d.d.Key}, false},
	} {
		if got := w.HoldsAny(tc.user, tc.keys); got != tc.want {
			t.Errorf("HoldsAny(%q, %v) = %t", tc.user, tc.keys, got)
		}
	}
}

// TestHoldsAnyOfALostPolicy: what a role obliges to is not forgotten because a node cannot see it.
func TestHoldsAnyOfALostPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	blind := New(w.db, event.NewLog(w.db, w.clock.Now), w.clock.Now, testCatalogue(), fresh, slog.New(slog.DiscardHandler), Config{}) // not loaded
	if !blind.HoldsAny("u", []string{"admin"}) || blind.HoldsAny("u", nil) {
		t.Error("a node that has no policy says that nothing is asked of anybody")
	}
}

func TestLeaving(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, p := w.admin(), w.role("pp", permP)
	w.give("root", admin)
	w.give("root", p)
	if err := w.MayLeave(t.Context(), "root"); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("the last administrator: %v", err)
	}
	if err := w.ForgetUser(t.Context(), "root"); !errors.Is(err, ErrLastAdmin) || !w.HoldsAny("root", []string{"pp"}) {
		t.Errorf("the last administrator was forgotten: %v", err)
	}
	w.give("heir", admin)
	w.cfg.UsersLive = func(_ context.Context, ids []string) ([]string, error) {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "heir" }), nil
	}
	if err := w.MayLeave(t.Context(), "root"); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("the other one cannot sign in: %v", err)
	}
	w.cfg.UsersLive = nil
	second := w.hold(GrantCmd{Role: admin.ID, Member: user("root"), NoInherit: true})
	w.take(second)
	if err := w.MayLeave(t.Context(), "nobody"); err != nil {
		t.Errorf("who is none: %v", err)
	}
	if err := w.MayLeave(t.Context(), "root"); err != nil {
		t.Errorf("one of two: %v", err)
	}
	if err := w.ForgetUser(t.Context(), "root"); err != nil || w.HoldsAny("root", []string{"pp", admin.Key}) {
		t.Errorf("ForgetUser() = %v", err)
	}
	if n := w.events(kindGrantRevoked); n != 2 {
		t.Errorf("%d grants were revoked", n)
	}
}
