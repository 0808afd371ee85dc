package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestGolden31WhoCan(t *testing.T) {
	t.Parallel()
	cat, roles := map[string]string{permP: "p", PermRoleRead: "r"}, []Role{{ID: "r", Key: "rr", Permissions: []Instance{permP}}}
	grants := make([]Grant, 0, 2600)
	for i := range 2600 {
		g := Grant{ID: strconv.Itoa(i), Member: user(fmt.Sprintf("u%04d", i)), Role: "r"}
		if i >= 2500 {
			g.ExpiresAt = new(t0)
		}
		grants = append(grants, g)
	}
	s := Compiled(cat, roles, grants, func() time.Time { return t0 })
	ctx := actor.With(t.Context(), actor.System())
	var all []string
	after := ""
	for page := range 3 {
		got, err := s.WhoCan(ctx, Check{Permission: permP}, 1000, after)
		if err != nil || got.Complete != (page == 2) || got.Rev != 1 {
			t.Fatalf("page %d: complete %v, %v", page, got.Complete, err)
		}
		all = append(all, got.Users...)
		after = got.Users[len(got.Users)-1]
	}
	if len(all) != 2500 || !slices.IsSorted(all) || len(slices.Compact(all)) != 2500 {
		t.Errorf("%d users", len(all))
	}
	if _, err := s.WhoCan(actor.With(t.Context(), actor.Actor{User: "u0001"}), Check{Permission: permP}, 1, ""); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("anybody: %v", err)
	}
}

func TestGolden32Simulate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.diamond()
	w.give("bystander", w.role("zz", permQ))
	rev, events := w.Rev(), storetest.Count(t, w.db, "events")
	got, err := w.Simulate(w.sys(), []Op{{Revoke: x.db.ID}, {Revoke: x.dc.ID}})
	if err != nil || !got.Complete || got.Rev != rev || len(got.Diffs) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if d := got.Diffs[0]; d.User != "u" || !slices.Equal(d.Loses, []Instance{permP}) || len(d.Gains) != 0 {
		t.Errorf("%+v", d)
	}
	got, err = w.Simulate(w.sys(), []Op{
		{CreateRole: &CreateRoleCmd{Key: "new", Name: "New", Permissions: []Instance{permR}}},
		{UpdateRole: &UpdateRoleCmd{Role: x.a.ID, Add: []Instance{permQ}, Remove: []Instance{permP}}},
		{Grant: &GrantCmd{Role: x.a.ID, Member: user("fresh")}},
		{Options: &OptionsCmd{Grant: x.ud.ID, NoInherit: true}},
	})
	if err != nil || len(got.Diffs) != 2 || got.Diffs[0].User != "fresh" || !slices.Equal(got.Diffs[0].Gains, []Instance{permQ}) || !slices.Equal(got.Diffs[1].Loses, []Instance{permP}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := w.Simulate(w.sys(), []Op{{Revoke: x.ud.ID}}); err != nil || len(got.Diffs) != 1 || !slices.Equal(got.Diffs[0].Loses, []Instance{permP}) {
		t.Errorf("all that somebody holds: %+v, %v", got, err)
	}
	if got, err := w.Simulate(w.sys(), []Op{{DeleteRole: x.a.ID}}); err != nil || len(got.Diffs) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, tc := range map[string]struct {
		ctx context.Context
		op  Op
		err error
	}{
		"a cycle": {w.sys(), Op{Grant: &GrantCmd{Role: x.d.ID, Member: x.a.Ref()}}, ErrCycle}, "nothing": {w.sys(), Op{}, fault.ErrInput},
		"anybody": {w.as("u"), Op{Revoke: x.db.ID}, fault.ErrForbidden},
	} {
		if _, err := w.Simulate(tc.ctx, []Op{tc.op}); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Simulate(w.sys(), nil); !errors.Is(err, fault.ErrInput) {
		t.Errorf("no change: %v", err)
	}
	stored, err := w.store.revision(t.Context())
	w.must(err)
	if w.Rev() != rev || stored != rev || storetest.Count(t, w.db, "events") != events || storetest.Count(t, w.db, "roles") != 5 {
		t.Error("a simulation left a trace")
	}
	want(t, w.Service, "u", permP, Allowed)
}

func TestGolden33AtLeastRev(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr", permP)
	g := w.give("u", r)
	b := w.node(w.db, fresh)
	gone, err := w.Revoke(w.sys(), g.ID, Restrict)
	w.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.Await(ctx, gone.Rev); !errors.Is(err, ErrRevTimeout) {
		t.Errorf("a node that hears nothing: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- b.Await(t.Context(), gone.Rev) }()
	if !b.step([]change{{kind: kindGrantRevoked, Rev: gone.Rev, Grant: &g}}) {
		t.Fatal("does not fit")
	}
	w.must(<-done)
	want(t, b, "u", permP, NoPath)
	w.must(b.Await(t.Context(), 1))
}

func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr", permP)
	ends := t0.Add(time.Minute)
	g := w.hold(GrantCmd{Role: r.ID, Member: user("u"), ExpiresAt: &ends})
	var told [][]string
	w.OnChange(func(users []string) { told = append(told, users) })
	sweep := func(want int) {
		t.Helper()
		if n, err := w.Sweep(t.Context()); err != nil || n != want {
			t.Errorf("told of %d, %v; want %d", n, err, want)
		}
	}
	sweep(0)
	w.clock.Advance(time.Minute)
	want(t, w.Service, "u", permP, Expired) // decided by the clock alone
	other := w.node(w.db, fresh)
	if n, err := other.Sweep(t.Context()); err != nil || n != 1 {
		t.Errorf("another node: %d, %v", n, err)
	}
	sweep(0) // once for all nodes
	if n := w.events(kindExpired); n != 1 {
		t.Errorf("%d events", n)
	}
	p, err := w.Service.events.On(t.Context(), g.Ref(), page.Args{})
	w.must(err)
	w.Follower().OnEvent(t.Context(), p.Items[0], bson.Timestamp{})
	if len(told) != 1 || !slices.Equal(told[0], []string{"u"}) || w.broken.Load() {
		t.Errorf("told %v", told)
	}
	later := t0.Add(2 * time.Minute)
	w.hold(GrantCmd{Role: r.ID, Member: user("u"), ExpiresAt: &later}) // extended, and over again
	w.clock.Advance(time.Minute)
	sweep(1)
}
