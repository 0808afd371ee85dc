package rbac

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// acting is a user with a role activated.
func (w *world) acting(id string, role Role) context.Context {
	w.t.Helper()
	word, err := w.Settable(w.as(id), role.ID, "")
	w.must(err)
	return actor.With(w.t.Context(), actor.Actor{User: id, Role: word})
}

func (w *world) can(ctx context.Context, permission string, want Reason) {
	w.t.Helper()
	if d := w.Can(ctx, []Check{{Permission: permission}})[0]; d.Reason != want {
		w.t.Errorf("%s: %+v, want %s", permission, d, want)
	}
}

func TestGolden1And2Explain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.diamond()
	path := func() (keys []string, edges int) {
		e, err := w.Explain(w.as("u"), "u", Check{Permission: permP})
		w.must(err)
		for _, s := range e.Path {
			keys = append(keys, s.Role.Key)
		}
		return keys, e.Supporting
	}
	if got, n := path(); !slices.Equal(got, []string{"dd", "bb", "aa"}) || n != 5 { // by b: its grant is the older one
		t.Errorf("%v of %d", got, n)
	}
	w.take(x.db)
	if got, n := path(); !slices.Equal(got, []string{"dd", "cc", "aa"}) || n != 3 {
		t.Errorf("%v of %d", got, n)
	}
	w.take(x.dc)
	e, err := w.Explain(w.as("u"), "u", Check{Permission: permP})
	w.must(err)
	if e.Reason != NoPath || e.Path != nil || !slices.Equal(e.Missing, []string{permP}) || len(e.Roles) != 0 {
		t.Errorf("%+v", e)
	}
	full, err := w.Explain(w.sys(), "u", Check{Permission: permP})
	if err != nil || len(full.Roles) != 1 || full.Roles[0].Key != "aa" {
		t.Errorf("to who reads roles: %+v, %v", full, err)
	}
	if e.Text() != "u: NO_PATH, missing test.p" {
		t.Errorf("%s", e.Text())
	}
	if _, err := w.Explain(w.as("v"), "u", Check{Permission: permP}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("of another: %v", err)
	}
	if _, err := w.Explain(w.as("u"), "u", Check{Permission: "no.such"}); !errors.Is(err, ErrUnknownPermission) {
		t.Errorf("unknown: %v", err)
	}
}

func TestGolden15To17ActiveRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	power, plain, other := w.role("power", permP), w.role("plain", permQ), w.role("other")
	w.give("u", plain)
	g := w.hold(GrantCmd{Role: power.ID, Member: user("u"), NoInherit: true})
	w.can(w.as("u"), permP, NotInherited) // 15
	ctx := w.acting("u", power)
	w.can(ctx, permP, Allowed)
	w.can(ctx, permQ, NoPath) // replaces, not adds
	if got := w.PermissionsOf(ctx); !slices.Equal(got, []string{permP}) {
		t.Errorf("with the role: %v", got)
	}
	if r, _, ok := w.Active(ctx); !ok || r.ID != power.ID {
		t.Errorf("active: %v %v", r, ok)
	}
	w.can(w.as("u"), permQ, Allowed) // after resetRole
	w.take(g)
	w.can(ctx, permP, NoPath) // the chain is lost, and with it the role: all that is held counts again
	w.can(ctx, permQ, Allowed)
	if _, _, ok := w.Active(ctx); ok {
		t.Error("still active")
	}

	// 16: an edge in the middle that does not inherit.
	d, a := w.role("dd"), w.role("aa", permR)
	w.give("v", d)
	w.hold(GrantCmd{Role: a.ID, Member: d.Ref(), NoInherit: true})
	w.can(w.as("v"), permR, NotInherited)
	w.can(w.acting("v", a), permR, Allowed)

	// 17: set=false anywhere on the chain.
	last := w.role("last", permR)
	w.hold(GrantCmd{Role: last.ID, Member: a.Ref(), NoSet: true})
	for name, c := range map[string]struct {
		role string
		err  error
	}{"a chain that does not let": {last.ID, ErrNotSettable}, "not held": {other.ID, ErrNotSettable}, "no role": {"nowhere", ErrNotSettable}} {
		if _, err := w.Settable(w.as("v"), c.role, ""); !errors.Is(err, c.err) {
			t.Errorf("17, %s: %v", name, err)
		}
	}
	viewer := w.regional()
	w.hold(GrantCmd{Role: viewer.ID, Member: user("x"), Bind: "region=*"})
	word, err := w.Settable(w.as("x"), viewer.ID, "region=EU")
	w.must(err)
	eu := actor.With(t.Context(), actor.Actor{User: "x", Role: word})
	got := w.Can(eu, []Check{{reportView, ref.Ref{}, map[string]string{"region": "EU"}}, {reportView, ref.Ref{}, map[string]string{"region": "US"}}})
	if !got[0].Allowed || got[1].Reason != BindingMismatch {
		t.Errorf("narrowed by the activation: %+v", got)
	}
	if _, err := w.Settable(w.as("x"), viewer.ID, ""); !errors.Is(err, ErrUnbound) {
		t.Errorf("unbound: %v", err)
	}
}

// admins is u, who is ADMIN of editor without having its rights, and v, to whom u granted it.
func (w *world) admins() (editor Role, ofU, ofV Grant) {
	w.t.Helper()
	editor = w.role("editor", permP)
	ofU = w.hold(GrantCmd{Role: editor.ID, Member: user("u"), NoInherit: true, Admin: true})
	ofV, err := w.Grant(w.as("u"), GrantCmd{Role: editor.ID, Member: user("v")})
	w.must(err)
	return editor, ofU, ofV
}

func TestGolden18To20Admin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	editor, ofU, ofV := w.admins()
	if ofV.Via != ofU.ID || ofV.GrantedBy != user("u") { // 18
		t.Errorf("%+v", ofV)
	}
	want(t, w.Service, "u", permP, NotInherited)
	want(t, w.Service, "v", permP, Allowed)
	if _, err := w.Grant(w.as("v"), GrantCmd{Role: editor.ID, Member: user("x")}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("who is no admin: %v", err)
	}

	_, err := w.Revoke(w.sys(), ofU.ID, Restrict) // 19
	if members, _ := fault.From(err).Details["members"].([]string); !errors.Is(err, ErrDependents) || !slices.Equal(members, []string{"user:v"}) {
		t.Errorf("RESTRICT: %v, %v", err, members)
	}
	if _, err := w.SetGrantOptions(w.sys(), OptionsCmd{Grant: ofU.ID}); !errors.Is(err, ErrDependents) {
		t.Errorf("ADMIN alone, RESTRICT: %v", err)
	}
	root := w.hold(GrantCmd{Role: editor.ID, Member: user("v")}) // 20: another grantor is another edge
	if root.ID == ofV.ID {
		t.Fatal("two grantors, one edge")
	}
	rev := w.Rev()
	gone, err := w.Revoke(w.sys(), ofU.ID, Cascade)
	if err != nil || !slices.Equal(gone.Grants, []string{ofU.ID, ofV.ID}) || !slices.Equal(gone.StillHeld, []string{root.ID}) || gone.Rev != rev+1 {
		t.Errorf("CASCADE: %+v, %v", gone, err)
	}
	want(t, w.Service, "v", permP, Allowed)
	p, err := w.Service.events.On(t.Context(), ofV.Ref(), page.Args{})
	w.must(err)
	c, err := store.Decode[change](p.Items[0].Data)
	if err != nil || p.Items[0].Kind != kindGrantCascaded || c.Rev != rev+1 || c.Part != 1 || c.Parts != 2 || c.Cause != ofU.Ref().String() {
		t.Errorf("%s %+v, %v", p.Items[0].Kind, c, err)
	}
	if n := w.events(kindGrantRevoked); n != 1 {
		t.Errorf("%d revoked", n)
	}
}

// Who lost ADMIN by other options loses what they granted with it, with CASCADE.
func TestAdminOptionGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	editor, ofU, _ := w.admins()
	g, err := w.SetGrantOptions(w.sys(), OptionsCmd{Grant: ofU.ID, Mode: Cascade})
	if err != nil || g.Admin || g.NoInherit {
		t.Errorf("%+v, %v", g, err)
	}
	want(t, w.Service, "u", permP, Allowed)
	want(t, w.Service, "v", permP, NoPath)
	if _, err := w.Grant(w.as("u"), GrantCmd{Role: editor.ID, Member: user("v")}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("admin no more: %v", err)
	}
}

// An ADMIN takes back what came from them, however far down, and nothing else; and grants no longer than they are one.
func TestAdminReach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	editor, _, ofV := w.admins()
	v, err := w.Grant(w.as("u"), GrantCmd{Role: editor.ID, Member: user("v"), Admin: true})
	if err != nil || v.ID != ofV.ID || !v.Admin {
		t.Fatalf("%+v, %v", v, err)
	}
	below, err := w.Grant(w.as("v"), GrantCmd{Role: editor.ID, Member: user("x")})
	w.must(err)
	foreign := w.give("y", editor)
	if _, err := w.Revoke(w.as("u"), foreign.ID, Restrict); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("what another granted: %v", err)
	}
	if _, err := w.Revoke(w.as("u"), below.ID, Restrict); err != nil {
		t.Errorf("two steps down: %v", err)
	}
	ends := t0.Add(time.Hour)
	w.hold(GrantCmd{Role: editor.ID, Member: user("z"), Admin: true, ExpiresAt: &ends})
	later := ends.Add(time.Second)
	for _, until := range []*time.Time{nil, &later} {
		if _, err := w.Grant(w.as("z"), GrantCmd{Role: editor.ID, Member: user("x"), ExpiresAt: until}); !errors.Is(err, ErrEscalation) {
			t.Errorf("for longer: %v", err)
		}
	}
	if _, err := w.Grant(w.as("z"), GrantCmd{Role: editor.ID, Member: user("x"), ExpiresAt: &ends}); err != nil {
		t.Errorf("as long: %v", err)
	}
	// A key whose scope lacks rbac.grant.write is no way around.
	key := actor.With(t.Context(), actor.Actor{User: "u", Key: "k", Scope: actor.NewScope(permP)})
	if _, err := w.Grant(key, GrantCmd{Role: editor.ID, Member: user("x")}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("by a key: %v", err)
	}
	// ADMIN comes with a role one inherits, too.
	team := w.role("team")
	w.give("member", team)
	w.hold(GrantCmd{Role: editor.ID, Member: team.Ref(), NoInherit: true, Admin: true})
	if _, err := w.Grant(w.as("member"), GrantCmd{Role: editor.ID, Member: user("x")}); err != nil {
		t.Errorf("by a role: %v", err)
	}
}

func TestGolden22TheDoors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := w.role("own", PermRoleWrite, PermGrantWrite)
	w.give("u", own)
	add := UpdateRoleCmd{Role: own.ID, Add: []Instance{permP}}
	_, err := w.UpdateRole(w.as("u"), add)
	if missing, _ := fault.From(err).Details["missing"].([]string); !errors.Is(err, ErrEscalation) || !slices.Equal(missing, []string{permP}) {
		t.Errorf("%v, %v", err, missing)
	}
	w.give("u", w.role("door", PermEscalate))
	if r, err := w.UpdateRole(w.as("u"), add); err != nil || !slices.Contains(r.Permissions, permP) {
		t.Errorf("with rbac.escalate: %+v, %v", r, err)
	}
	strong := w.role("strong", permR)
	if _, err := w.Grant(w.as("u"), GrantCmd{Role: strong.ID, Member: user("x")}); !errors.Is(err, ErrEscalation) {
		t.Errorf("rbac.escalate is not rbac.bind: %v", err)
	}
	w.give("u", w.role("bind", PermBind))
	g, err := w.Grant(w.as("u"), GrantCmd{Role: strong.ID, Member: user("x")})
	w.must(err)
	for on, kind := range map[ref.Ref]string{own.Ref(): kindRoleUpdated, g.Ref(): kindGrantCreated} {
		p, err := w.Service.events.On(t.Context(), on, page.Args{})
		w.must(err)
		i := slices.IndexFunc(p.Items, func(e event.Event) bool { return e.Kind == kind })
		if c, err := store.Decode[change](p.Items[i].Data); err != nil || !c.Escalated {
			t.Errorf("%s is not told as escalated: %+v, %v", kind, c, err)
		}
	}
}

func TestUpdateRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr", permP, permQ)
	w.give("u", r)
	got, err := w.UpdateRole(w.sys(), UpdateRoleCmd{Role: r.ID, Name: new("New"), Add: []Instance{permR, permP}, Remove: []Instance{permQ, "of.another-release"}})
	if err != nil || got.Name != "New" || !slices.Equal(got.Permissions, []Instance{permP, permR}) {
		t.Errorf("%+v, %v", got, err)
	}
	want(t, w.Service, "u", permQ, NoPath)
	want(t, w.Service, "u", permR, Allowed)
	w.must(w.Ensure(w.sys(), []RoleSpec{{Key: RoleAdmin, Name: "Administrator", Permissions: []Instance{Every}}}))
	admin, err := w.ByKey(w.sys(), RoleAdmin)
	w.must(err)
	for name, c := range map[string]struct {
		cmd UpdateRoleCmd
		err error
	}{
		"nowhere": {UpdateRoleCmd{Role: "nowhere"}, fault.ErrNotFound}, "the administrators'": {UpdateRoleCmd{Role: admin.ID, Name: new("x")}, ErrSystemRole},
		"unknown": {UpdateRoleCmd{Role: r.ID, Add: []Instance{"no.such"}}, ErrUnknownPermission}, "no name": {UpdateRoleCmd{Role: r.ID, Name: new(" ")}, fault.ErrInput},
	} {
		if _, err := w.UpdateRole(w.sys(), c.cmd); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGolden25NotYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begins := t0.Add(time.Minute)
	r, outer := w.role("rr", permP), w.role("outer")
	w.hold(GrantCmd{Role: r.ID, Member: user("u"), NotBefore: &begins})
	w.give("v", outer)
	w.hold(GrantCmd{Role: r.ID, Member: outer.Ref(), NotBefore: &begins})
	for _, u := range []string{"u", "v"} {
		want(t, w.Service, u, permP, NotYet)
	}
	w.clock.Advance(time.Minute)
	for _, u := range []string{"u", "v"} {
		want(t, w.Service, u, permP, Allowed)
	}
	if _, err := w.Grant(w.sys(), GrantCmd{Role: r.ID, Member: user("x"), NotBefore: new(t0.Add(time.Hour)), ExpiresAt: new(t0.Add(time.Hour))}); !errors.Is(err, fault.ErrInput) {
		t.Errorf("ends before it begins: %v", err)
	}
}

func TestGolden26And27DeleteRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, above, below := w.role("rr", permP), w.role("above"), w.role("below", permQ)
	ofU := w.give("u", r)
	edge, out := w.include(above, r), w.include(r, below)
	w.give("v", above)
	shared, err := w.GrantObject(w.sys(), ObjectGrantCmd{Subject: r.Ref(), Permission: permR, On: ref.New(ref.Document, "d")})
	w.must(err)
	_, err = w.DeleteRole(w.sys(), r.ID, Restrict)
	if members, _ := fault.From(err).Details["members"].([]string); !errors.Is(err, ErrDependents) || !slices.Equal(members, []string{"user:u", above.Ref().String()}) {
		t.Errorf("RESTRICT: %v, %v", err, members)
	}
	w.cfg.RoleInUse = func(context.Context, string) (string, error) { return "plan pro", nil }
	if _, err := w.DeleteRole(w.sys(), r.ID, Cascade); !errors.Is(err, ErrRoleInUse) {
		t.Errorf("in use: %v", err)
	}
	w.cfg.RoleInUse = nil
	gone, err := w.DeleteRole(w.sys(), r.ID, Cascade)
	if err != nil || !slices.Equal(gone, []string{ofU.ID, edge.ID, out.ID}) {
		t.Errorf("CASCADE: %v, %v", gone, err)
	}
	for _, u := range []string{"u", "v"} {
		want(t, w.Service, u, permP, NoPath)
		want(t, w.Service, u, permQ, NoPath)
	}
	if n := storetest.Count(t, w.db, "object_grants"); n != 0 {
		t.Errorf("%d grants on objects are left, %v was one", n, shared.ID)
	}
	again := w.role("rr", permP) // 27
	want(t, w.Service, "u", permP, NoPath)
	if again.ID == r.ID {
		t.Error("an id twice")
	}
	fresh := w.node(w.db, func() time.Duration { return 0 })
	if fresh.Rev() != w.Rev() || len(fresh.snap.Load().graph.nodes) != 3 {
		t.Errorf("read anew: rev %d of %d, %d roles", fresh.Rev(), w.Rev(), len(fresh.snap.Load().graph.nodes))
	}
}
