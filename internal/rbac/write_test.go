package rbac

import (
	"context"
	"errors"
	"slices"
	"strings"
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

// A node that has not heard of a revoke does not let the former administrator write.
func TestWritesAskThePolicyOfTheTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.role("boss", PermGrantWrite, PermRoleWrite, permP)
	g := w.give("u", boss)
	deaf := w.node(w.db, fresh)
	w.take(g)
	want(t, deaf, "u", PermGrantWrite, Allowed) // it does not know
	if _, err := deaf.Grant(w.as("u"), GrantCmd{Role: boss.ID, Member: ref.New(ref.User, "u")}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("Grant: %v", err)
	}
	if _, err := deaf.CreateRole(w.as("u"), CreateRoleCmd{Key: "mine", Name: "mine"}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("CreateRole: %v", err)
	}
	h := w.give("v", boss)
	if _, err := deaf.Revoke(w.as("u"), h.ID, Restrict); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("Revoke: %v", err)
	}
}

func TestCreateRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("taken")
	long := strings.Repeat("ü", 101)
	for _, tc := range []struct {
		name  string
		cmd   CreateRoleCmd
		err   error
		field string
	}{
		{"good", CreateRoleCmd{Key: "a.b-c_9", Name: "Ä", Description: strings.Repeat("ü", 500), Permissions: []Instance{permQ, permP, permQ}}, nil, ""},
		{"key too short", CreateRoleCmd{Key: "a", Name: "n"}, fault.ErrInput, "input.key"},
		{"key too long", CreateRoleCmd{Key: strings.Repeat("a", 65), Name: "n"}, fault.ErrInput, "input.key"},
		{"upper case", CreateRoleCmd{Key: "Ab", Name: "n"}, fault.ErrInput, "input.key"},
		{"an operator", CreateRoleCmd{Key: "$ne", Name: "n"}, fault.ErrInput, "input.key"},
		{"no name", CreateRoleCmd{Key: "ab", Name: "  "}, fault.ErrInput, "input.name"},
		{"long name", CreateRoleCmd{Key: "ab", Name: long}, fault.ErrInput, "input.name"},
		{"not text", CreateRoleCmd{Key: "ab", Name: "\xff"}, fault.ErrInput, "input.name"},
		{"long description", CreateRoleCmd{Key: "ab", Name: "n", Description: strings.Repeat("x", 501)}, fault.ErrInput, "input.description"},
		{"unknown permission", CreateRoleCmd{Key: "ab", Name: "n", Permissions: []Instance{permP, "test.z"}}, ErrUnknownPermission, "input.permissions"},
		{"all permissions", CreateRoleCmd{Key: "ab", Name: "n", Permissions: []Instance{Every}}, ErrUnknownPermission, "input.permissions"},
		{"taken", CreateRoleCmd{Key: "taken", Name: "n"}, ErrKeyTaken, "input.key"},
	} {
		got, err := w.CreateRole(w.sys(), tc.cmd)
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
			continue
		}
		if err != nil {
			if f := fault.From(err).Field; f != tc.field {
				t.Errorf("%s: blames %q", tc.name, f)
			}
			continue
		}
		stored, err := w.ByKey(w.sys(), tc.cmd.Key)
		w.must(err)
		if !slices.Equal(got.Permissions, []Instance{permP, permQ}) || stored.ID != got.ID || stored.Name != "Ä" || !stored.CreatedAt.Equal(t0) {
			t.Errorf("%s: %+v, stored %+v", tc.name, got, stored)
		}
	}
	if n := w.events(kindRoleCreated); n != 2 || storetest.Count(t, w.db, "roles") != 2 {
		t.Errorf("%d events", n)
	}
}

func TestGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.UserExists = func(_ context.Context, id string) (bool, error) { return id != "ghost", nil }
	r := w.role("rr", permP)
	u, past, soon, later := ref.New(ref.User, "u"), t0, t0.Add(time.Minute), t0.Add(time.Hour)
	for _, tc := range []struct {
		name  string
		cmd   GrantCmd
		err   error
		field string
	}{
		{"no such role", GrantCmd{Role: "nowhere", Member: u}, fault.ErrNotFound, "input.role"},
		{"no such user", GrantCmd{Role: r.ID, Member: ref.New(ref.User, "ghost")}, fault.ErrNotFound, "input.member"},
		{"no such member role", GrantCmd{Role: r.ID, Member: ref.New(ref.Role, "ghost")}, fault.ErrNotFound, "input.member"},
		{"a document", GrantCmd{Role: r.ID, Member: ref.New(ref.Document, "d")}, fault.ErrInput, "input.member"},
		{"nothing", GrantCmd{Role: r.ID}, fault.ErrInput, "input.member"},
		{"ends now", GrantCmd{Role: r.ID, Member: u, ExpiresAt: &past}, fault.ErrInput, "input.expiresAt"},
	} {
		if _, err := w.Grant(w.sys(), tc.cmd); !errors.Is(err, tc.err) || fault.From(err).Field != tc.field {
			t.Errorf("%s: %v at %q", tc.name, err, fault.From(err).Field)
		}
	}
	if n := storetest.Count(t, w.db, "grants"); n != 0 {
		t.Fatalf("%d grants", n)
	}
	var id string
	for _, tc := range []struct {
		name      string
		ends      *time.Time
		want      *time.Time
		rev, more int64
	}{
		{"new", &soon, &soon, 2, 1},
		{"the same", &soon, &soon, 2, 0},
		{"longer", &later, &later, 3, 1},
		{"shorter changes nothing", &soon, &later, 3, 0},
		{"for ever", nil, nil, 4, 1},
		{"for ever again", nil, nil, 4, 0},
		{"an end changes nothing", &later, nil, 4, 0},
	} {
		g, err := w.Grant(w.sys(), GrantCmd{Role: r.ID, Member: u, ExpiresAt: tc.ends})
		w.must(err)
		if id == "" {
			id = g.ID
		}
		all, err := w.GrantsByIDs(w.sys(), []string{g.ID})
		w.must(err)
		same := func(a, b *time.Time) bool { return (a == nil) == (b == nil) && (a == nil || a.Equal(*b)) }
		if g.ID != id || !same(g.ExpiresAt, tc.want) || !same(all[id].ExpiresAt, tc.want) || w.Rev() != tc.rev {
			t.Errorf("%s: %+v, stored %+v, rev %d", tc.name, g, all[id], w.Rev())
		}
		if g.Source != SourceManual || g.GrantedBy != actor.System().Ref() || g.Member != u {
			t.Errorf("%s: %+v", tc.name, g)
		}
	}
}

// The event of a revision holds all of the change, who did it, and no more.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.role("boss", PermGrantWrite, permP)
	w.give("u", boss)
	g, err := w.Grant(w.as("u"), GrantCmd{Role: boss.ID, Member: ref.New(ref.User, "v")})
	w.must(err)
	if _, err := w.Revoke(w.as("u"), g.ID, Restrict); err != nil {
		t.Fatal(err)
	}
	p, err := w.Service.events.On(t.Context(), g.Ref(), page.Args{})
	w.must(err)
	if len(p.Items) != 2 || p.Items[0].Kind != kindGrantRevoked || p.Items[1].Kind != kindGrantCreated {
		t.Fatalf("%+v", p.Items)
	}
	for i, e := range p.Items {
		c, err := store.Decode[change](e.Data)
		w.must(err)
		if c.Rev != int64(4-i) || c.Grant.ID != g.ID || c.Grant.Member != g.Member || c.Grant.GrantedBy != ref.New(ref.User, "u") || e.Actor != (event.Actor{User: "u"}) {
			t.Errorf("%s: %+v by %+v", e.Kind, c, e.Actor)
		}
	}
	if n := storetest.Count(t, w.db, "events"); int64(n) != w.Rev() {
		t.Errorf("%d events for %d revisions", n, w.Rev())
	}
}

func TestRevokeTellsWhetherItIsStillHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.diamond()
	deaf := w.node(w.db, fresh)
	direct := w.give("u", x.a)
	soon := t0.Add(time.Minute)
	_, err := w.Grant(w.sys(), GrantCmd{Role: x.b.ID, Member: ref.New(ref.User, "v"), ExpiresAt: &soon})
	w.must(err)
	v := w.give("v", x.a)
	for _, tc := range []struct {
		name string
		s    *Service
		g    Grant
		held bool
	}{
		{"u still has a by d, b and c", w.Service, direct, true},
		{"v still has a by b, until it ends", deaf, v, true},
		{"d has b by nothing else", deaf, x.db, false},
		{"u has d by nothing else", w.Service, x.ud, false},
	} {
		gone, err := tc.s.Revoke(w.sys(), tc.g.ID, Restrict)
		if err != nil || len(gone.StillHeld) > 0 != tc.held || !slices.Equal(gone.Grants, []string{tc.g.ID}) {
			t.Errorf("%s: %+v, %v", tc.name, gone, err)
		}
	}
	w.must(w.Sync(t.Context()))
	v = w.give("v", x.a)
	w.clock.Advance(time.Minute)
	if w.take(v) {
		t.Error("what has ended holds nothing")
	}
	if _, err := w.Revoke(w.sys(), v.ID, Restrict); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
}

func TestEnsure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	specs := []RoleSpec{
		{Key: RoleAdmin, Name: "Administrator", Permissions: []Instance{Every}},
		{Key: "analyst", Name: "Analyst", Permissions: []Instance{permQ}, Includes: []Instance{RoleMember}},
		{Key: RoleMember, Name: "Member", Permissions: []Instance{permP}},
	}
	w.must(w.Ensure(w.sys(), specs))
	admin, err := w.ByKey(w.sys(), RoleAdmin)
	w.must(err)
	analyst, err := w.ByKey(w.sys(), "analyst")
	w.must(err)
	w.give("u", admin)
	for p := range testCatalogue() {
		p, _, _ = strings.Cut(p, "(")
		want(t, w.Service, "u", p, Allowed)
	}
	if got := w.Effective(analyst.ID); !slices.Equal(got, []string{permP, permQ}) {
		t.Errorf("analyst: %v", got)
	}
	rev := w.Rev()
	w.must(w.Ensure(w.sys(), specs))
	if w.Rev() != rev {
		t.Error("a second Ensure wrote")
	}
	specs[2].Permissions = []Instance{permR}
	specs[2].Name = "Renamed"
	w.must(w.Ensure(w.sys(), specs))
	if got := w.Effective(analyst.ID); !slices.Equal(got, []string{permP, permQ, permR}) || w.events(kindRoleUpdated) != 1 {
		t.Errorf("analyst: %v", got)
	}
	// A later release has a permission more: the administrator has it without a write.
	more := testCatalogue()
	more["test.new"] = "new"
	next := New(w.db, w.Service.events, w.clock.Now, more, fresh, w.log, Config{})
	w.must(next.Load(t.Context()))
	want(t, next, "u", "test.new", Allowed)
	// And one less: the role keeps the word, and it gives nothing.
	less := testCatalogue()
	delete(less, permQ)
	last := New(w.db, w.Service.events, w.clock.Now, less, fresh, w.log, Config{})
	w.must(last.Load(t.Context()))
	if got := last.Effective(analyst.ID); !slices.Equal(got, []string{permP, permR}) {
		t.Errorf("analyst without q: %v", got)
	}

	for _, tc := range []struct {
		spec RoleSpec
		err  error
	}{
		{RoleSpec{Key: "xx", Name: "X", Permissions: []Instance{"nope"}}, ErrUnknownPermission},
		{RoleSpec{Key: "xx", Name: "X", Includes: []Instance{"nope"}}, fault.ErrNotFound},
		{RoleSpec{Key: "X", Name: "X"}, fault.ErrInput},
		{RoleSpec{Key: RoleMember, Name: "X", Includes: []Instance{"analyst"}}, ErrCycle},
	} {
		if err := w.Ensure(w.sys(), []RoleSpec{tc.spec}); !errors.Is(err, tc.err) {
			t.Errorf("%+v: %v", tc.spec, err)
		}
	}
	if n := storetest.Count(t, w.db, "roles"); n != 3 {
		t.Errorf("%d roles", n)
	}
}

func TestDefaultRoleMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.GrantDefault(t.Context(), "u"); !errors.Is(err, fault.ErrInternal) {
		t.Errorf("the caller asked for nothing that is missing: %v", err)
	}
	if err := w.SetSource(t.Context(), ref.New(ref.User, "u"), "plan:1", []SourceRole{{Role: "nowhere"}}); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("SetSource: %v", err)
	}
	if err := w.SetSource(t.Context(), ref.New(ref.User, "u"), "plan:1", nil); err != nil {
		t.Errorf("nothing to revoke: %v", err)
	}
}

// The costs that the documentation names.
func TestCosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.role("boss", PermGrantWrite, PermRoleWrite, permP)
	w.give("u", boss)
	low := w.role("low", permP)
	deaf := w.node(w.db, fresh)
	var g Grant
	v := ref.New(ref.User, "v")
	for _, tc := range []struct {
		name          string
		s             *Service
		call          func(context.Context, *Service) error
		reads, writes int
	}{
		{"CreateRole", w.Service, func(ctx context.Context, s *Service) error {
			_, err := s.CreateRole(ctx, CreateRoleCmd{Key: "new", Name: "new"})
			return err
		}, 2, 3},
		{"Grant", w.Service, func(ctx context.Context, s *Service) (err error) {
			g, err = s.Grant(ctx, GrantCmd{Role: low.ID, Member: v})
			return err
		}, 3, 3},
		{"Revoke, behind, and then the policy is read whole", deaf, func(ctx context.Context, s *Service) error {
			_, err := s.Revoke(ctx, g.ID, Restrict)
			return err
		}, 5 + 5 + 6, 3},
		{"SetSource", deaf, func(ctx context.Context, s *Service) error {
			return s.SetSource(ctx, v, "plan:1", []SourceRole{{Role: low.ID}})
		}, 4, 3},
		{"SetSource to nothing", deaf, func(ctx context.Context, s *Service) error { return s.SetSource(ctx, v, "plan:1", nil) }, 4, 3},
	} {
		ctx, n := store.WithCounter(w.as("u"))
		w.must(tc.call(ctx, tc.s))
		writes := n.Count("insert") + n.Count("update") + n.Count("delete") + n.Count("findAndModify")
		if n.Count("find") != tc.reads || writes != tc.writes {
			t.Errorf("%s: %d reads and %d writes, want %d and %d", tc.name, n.Count("find"), writes, tc.reads, tc.writes)
		}
	}
}

// What the service refuses by reading first, the indexes refuse by themselves.
func TestIndexes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr")
	g := w.give("u", r)
	if err := w.store.insertRole(t.Context(), Role{ID: "other", Key: r.Key}); !errors.Is(err, ErrKeyTaken) {
		t.Errorf("a key twice: %v", err)
	}
	again := g
	again.ID = "other"
	if err := w.store.insertGrant(t.Context(), again); !store.DuplicateOf(err, "member_role_bind_source_by") {
		t.Errorf("a grant twice: %v", err)
	}
	for name, other := range map[string]Grant{
		"another source": {ID: "1", Member: g.Member, Role: g.Role, Source: "plan:1"},
		"another role":   {ID: "2", Member: g.Member, Role: "r2", Source: g.Source},
		"another type":   {ID: "3", Member: ref.New(ref.Role, g.Member.ID), Role: g.Role, Source: g.Source},
	} {
		if err := w.store.insertGrant(t.Context(), other); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLasts(t *testing.T) {
	t.Parallel()
	early, late := t0, t0.Add(time.Hour)
	for _, tc := range []struct {
		have, asked *time.Time
		want        bool
	}{
		{nil, nil, true},
		{nil, &late, true},
		{&late, nil, false},
		{&late, &late, true},
		{&late, &early, true},
		{&early, &late, false},
	} {
		if got := lasts(tc.have, tc.asked); got != tc.want {
			t.Errorf("%v outlasts %v: %v", tc.have, tc.asked, got)
		}
	}
}
