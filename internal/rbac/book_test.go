package rbac

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// A book that is exported and imported somewhere else makes the same roles; imported again it changes nothing.
func TestBook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.Ensure(w.sys(), []RoleSpec{{Key: RoleAdmin, Name: "Administrator", Permissions: []Instance{Every}}, {Key: RoleMember, Name: "Member"}}))
	viewer, lead, old := w.regional(), w.role("lead", permQ), w.role("old", permR)
	w.hold(GrantCmd{Role: viewer.ID, Member: lead.Ref(), Bind: "region=EU", Admin: true, NoSet: true})
	w.include(lead, old)
	w.hold(GrantCmd{Role: old.ID, Member: viewer.Ref(), ExpiresAt: new(t0.Add(time.Hour))}) // for a while: not in the book
	_, err := w.SetPredicate(w.sys(), PredicateCmd{Permission: permQ, Name: "own", Expression: "object.owner == user.id"})
	w.must(err)
	book, err := w.Export(w.sys())
	w.must(err)
	if len(book.Roles) != 5 || len(book.Predicates) != 1 || book.Roles[1].Key != "lead" ||
		!slices.Equal(book.Roles[1].Includes, []Include{{Role: "old"}, {Role: "report-viewer(region=EU)", NoSet: true, Admin: true}}) {
		t.Fatalf("%+v", book)
	}

	other := newWorld(t)
	other.must(other.Ensure(other.sys(), []RoleSpec{{Key: RoleAdmin, Name: "Administrator", Permissions: []Instance{Every}}, {Key: RoleMember, Name: "Old name"}}))
	other.role("surplus")
	other.give("u", other.role("kept", permP))
	c, err := other.Compare(other.sys(), book, false)
	w.must(err)
	if want := []string{
		"+ role lead: test.q", `~ role member: name "Member"`, "+ role old: test.r", "+ role report-viewer: report.view(region=$region)",
		"+ lead includes old", "+ lead includes report-viewer(region=EU) (not to be activated) (admin)", "+ predicate own of test.q: object.owner == user.id",
	}; !slices.Equal(c.Lines, want) {
		t.Errorf("%q", c.Lines)
	}
	if sim, err := other.Simulate(other.sys(), c.Ops); err != nil || len(sim.Diffs) != 0 {
		t.Errorf("%+v, %v", sim, err)
	}
	rev := other.Rev()
	other.must(other.Apply(other.sys(), c.Ops))
	if other.Rev() != rev+1 {
		t.Errorf("%d revisions", other.Rev()-rev)
	}
	again, err := other.Compare(other.sys(), book, false)
	if err != nil || len(again.Ops) != 0 {
		t.Errorf("%q, %v", again.Lines, err)
	}
	pruned, err := other.Compare(other.sys(), book, true)
	if err != nil || !slices.Equal(pruned.Lines, []string{"- role kept", "- role surplus"}) {
		t.Errorf("%q, %v", pruned.Lines, err)
	}
	other.must(other.Apply(other.sys(), pruned.Ops))
	want(t, other.Service, "u", permP, NoPath)

	book.Roles[1].Permissions, book.Roles[1].Includes = []Instance{permP}, []Include{{Role: "report-viewer(region=EU)"}}
	book.Predicates = nil
	changed, err := other.Compare(other.sys(), book, true)
	if err != nil || !slices.Equal(changed.Lines, []string{
		"~ role lead: +test.p -test.q", "~ lead includes report-viewer(region=EU)", "- lead includes old", "- predicate own of test.q",
	}) {
		t.Errorf("%q, %v", changed.Lines, err)
	}
	other.must(other.Apply(other.sys(), changed.Ops))
	got, err := other.Export(other.sys())
	if err != nil || len(got.Predicates) != 0 || !slices.Equal(got.Roles[1].Includes, book.Roles[1].Includes) {
		t.Errorf("%+v, %v", got, err)
	}

	// One change that is refused keeps all out.
	rev = other.Rev()
	bad := Book{Roles: []Entry{{Key: "first", Name: "First"}, {Key: "second", Name: "Second", Permissions: []Instance{"no.such"}}}}
	c, err = other.Compare(other.sys(), bad, false)
	w.must(err)
	if err := other.Apply(other.sys(), c.Ops); !errors.Is(err, ErrUnknownPermission) || other.Rev() != rev {
		t.Errorf("%v, rev %d of %d", err, other.Rev(), rev)
	}
	for name, b := range map[string]Book{
		"a role that is nowhere": {Roles: []Entry{{Key: "first", Name: "First", Includes: []Include{{Role: "nowhere"}}}}},
		"other parameters":       {Roles: []Entry{{Key: "report-viewer", Name: "Report viewer"}}},
	} {
		if _, err := other.Compare(other.sys(), b, false); !errors.Is(err, fault.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := other.Export(other.as("u")); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("anybody: %v", err)
	}
}

// A database of the release before keeps its grants, and takes a second one of the same role.
func TestMigrateFromTheReleaseBefore(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	_, err := db.Collection("grants").Indexes().CreateOne(t.Context(), mongo.IndexModel{
		Keys:    bson.D{{Key: "member.type", Value: 1}, {Key: "member.id", Value: 1}, {Key: "role", Value: 1}, {Key: "source", Value: 1}},
		Options: options.Index().SetName("member_role_source").SetUnique(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Insert(t, db, "roles", bson.D{{Key: "_id", Value: "r"}, {Key: "key", Value: "rr"}, {Key: "permissions", Value: bson.A{permP, "report.view"}}})
	storetest.Insert(t, db, "grants", bson.D{
		{Key: "_id", Value: "g"},
		{Key: "member", Value: user("u")},
		{Key: "role", Value: "r"},
		{Key: "source", Value: SourceManual},
		{Key: "grantedBy", Value: user("boss")},
	})
	plan := store.Plan{Collections: append(Collections(), event.Collections()...), Migrations: Migrations()}
	for range 2 {
		if _, err := db.Migrate(t.Context(), plan, false); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, db: db, clock: clock.NewManual(t0)}
	w.Service = w.node(db, fresh)
	want(t, w.Service, "u", permP, Allowed)
	w.may("u", "EU", Allowed) // a permission that has got a parameter since is held for any value
	role, err := w.ByKey(w.sys(), "rr")
	w.must(err)
	if g := w.give("u", role); g.ID == "g" {
		t.Errorf("another grantor's: %+v", g)
	}
	w.must(w.ForgetUser(t.Context(), "u"))
	want(t, w.Service, "u", permP, NoPath)
}
