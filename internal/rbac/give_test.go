package rbac

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// Who may let a plan give a role: whoever may give it for ever, to anybody and for all values.
func TestMayGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, p, pq, regional := w.admin(), w.role("pp", permP), w.role("pq", permP, permQ), w.regional()
	eu := w.role("eu", PermGrantWrite)
	w.give("root", admin)
	w.give("granter", w.role("granter", PermGrantWrite, permP))
	w.give("member", w.role("member", permP, permQ))
	w.give("binder", w.role("binder", PermGrantWrite, PermBind))
	w.give("regent", eu)
	w.hold(GrantCmd{Role: regional.ID, Member: user("regent"), Bind: BindingsOf(map[string]string{"region": "EU"})})
	w.hold(GrantCmd{Role: p.ID, Member: user("holder"), Admin: true})
	w.hold(GrantCmd{Role: p.ID, Member: user("soon"), Admin: true, ExpiresAt: at(time.Hour)})
	scoped := actor.With(t.Context(), actor.Actor{User: "root", Key: "k", Scope: actor.NewScope(PermGrantWrite, permP)})
	before, rev := storetest.Count(t, w.db, "grants"), w.Rev()
	for _, tc := range []struct {
		name    string
		ctx     context.Context
		role    string
		err     error
		missing []string
	}{
		{"the system", w.sys(), pq.ID, nil, nil},
		{"the system, admin", w.sys(), admin.ID, nil, nil},
		{"an administrator", w.as("root"), pq.ID, nil, nil},
		{"an administrator, admin", w.as("root"), admin.ID, nil, nil},
		{"an administrator, all regions", w.as("root"), regional.ID, nil, nil},
		{"a key of an administrator, within its scope", scoped, p.ID, nil, nil},
		{"a key of an administrator, beyond it", scoped, pq.ID, ErrEscalation, []string{permQ}},
		{"who holds what it gives", w.as("granter"), p.ID, nil, nil},
		{"who lacks a part", w.as("granter"), pq.ID, ErrEscalation, []string{permQ}},
		{"who holds it without the leave to grant", w.as("member"), pq.ID, fault.ErrForbidden, nil},
		{"who may bind", w.as("binder"), pq.ID, nil, nil},
		{"who holds it for one region", w.as("regent"), regional.ID, ErrEscalation, []string{"report.view(region=*)"}},
		{"who administers the role", w.as("holder"), p.ID, nil, nil},
		{"who administers another role", w.as("holder"), pq.ID, fault.ErrForbidden, nil},
		{"who administers it for a time", w.as("soon"), p.ID, ErrEscalation, []string{"pp"}},
		{"somebody", w.as("other"), p.ID, fault.ErrForbidden, nil},
		{"nobody", t.Context(), p.ID, fault.ErrUnauthenticated, nil},
		{"no such role", w.as("root"), "nowhere", fault.ErrNotFound, nil},
		{"no such role, the system", w.sys(), "nowhere", fault.ErrNotFound, nil},
	} {
		err := w.MayGrant(tc.ctx, tc.role)
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if tc.missing != nil {
			if got, _ := fault.From(err).Details["missing"].([]string); !slices.Equal(got, tc.missing) {
				t.Errorf("%s: missing %v", tc.name, got)
			}
		}
	}
	if n := storetest.Count(t, w.db, "grants"); n != before || w.Rev() != rev {
		t.Errorf("to ask has granted something: %d grants, revision %d", n, w.Rev())
	}
	// It joins the caller's transaction, and asks the policy there.
	w.must(w.db.InTx(w.as("granter"), func(ctx context.Context) error { return w.MayGrant(ctx, p.ID) }))
	deaf := w.node(w.db, fresh)
	g, err := w.GrantsOf(w.sys(), user("granter"))
	w.must(err)
	w.take(g[0])
	if err := deaf.MayGrant(w.as("granter"), p.ID); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("a node that has not heard of it: %v", err)
	}
}

func TestRoleIDAndKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("pp", permP)
	for _, ctx := range []context.Context{t.Context(), w.as("u"), w.sys()} { // it asks nobody's leave
		if id, err := w.RoleID(ctx, "pp"); err != nil || id != r.ID {
			t.Errorf("%s, %v", id, err)
		}
		if key, err := w.RoleKey(ctx, r.ID); err != nil || key != "pp" {
			t.Errorf("%s, %v", key, err)
		}
	}
	for _, key := range []string{"", "nowhere", r.ID, "PP"} {
		if id, err := w.RoleID(t.Context(), key); !errors.Is(err, fault.ErrNotFound) || id != "" {
			t.Errorf("%q: %q, %v", key, id, err)
		}
	}
	for _, id := range []string{"", "nowhere", "pp"} {
		if key, err := w.RoleKey(t.Context(), id); err != nil || key != "" {
			t.Errorf("%q: %q, %v", id, key, err)
		}
	}
	ctx, n := store.WithCounter(t.Context())
	if _, err := w.RoleKey(ctx, r.ID); err != nil || n.Total() != 1 {
		t.Errorf("%d commands, %v", n.Total(), err)
	}
}
