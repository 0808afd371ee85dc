package registry

import (
	"errors"
	"slices"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// What a caller may not read of a document shows nowhere: not in the data, the label, the references or the backlinks.
func TestFieldsAreHiddenEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"title": m{"type": "string"}, "secret": m{"type": "string"}, "about": reference(Keep, "note")}))
	target := w.create("note", m{"title": "target"})
	d := w.create("note", m{"title": "open", "secret": "s3cret", "about": target.Ref().String()})
	w.rights.hidden = []string{"title", "secret", "about"}
	check := func(how string, got Document) {
		t.Helper()
		if len(got.Data) != 0 || got.Label != d.ID {
			t.Errorf("%s: %v, label %q", how, got.Data, got.Label)
		}
	}
	found, err := w.ByIDs(w.ctx, ref.Document, []string{d.ID})
	if err != nil {
		t.Fatal(err)
	}
	check("by id", found[d.ID])
	list, err := w.List(w.ctx, ListCmd{Type: "note"})
	if err != nil || len(list.Items) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	check("in a list", list.Items[0])
	resolved, err := w.Resolve(w.ctx, []ref.Ref{d.Ref()})
	if err != nil {
		t.Fatal(err)
	}
	check("resolved", resolved[0].Object.(Document))
	_, _, newSource, _, err := w.ListChannel(w.ctx, FollowCmd{Type: "note", First: 5})
	if err != nil {
		t.Fatal(err)
	}
	source := newSource()
	if err := source.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("in a live list", source.Snapshot().(List).Documents[0])
	stored, _ := w.read(d.ID)
	stored.Rev++
	delta := source.Apply(DocumentChange{Type: d.Type, ID: d.ID, Rev: stored.Rev, Document: &stored}).(ListDelta)
	check("in a change", *delta.Changes[0].Document)
	if refs, err := w.References(w.ctx, []ref.Ref{d.Ref()}); err != nil || len(refs[d.ID]) != 0 {
		t.Errorf("references: %v, %v", refs, err)
	}
	if back, err := w.Backlinks(w.ctx, BacklinksCmd{To: target.Ref(), Page: page.Args{}}); err != nil || len(back.Items) != 0 {
		t.Errorf("backlinks: %v, %v", back, err)
	}
	if back, err := w.Backlinks(w.system, BacklinksCmd{To: target.Ref(), Page: page.Args{}}); err != nil || len(back.Items) != 1 {
		t.Errorf("backlinks of the system: %v, %v", back, err)
	}

	// Neither are they written; the rest is, and the stored ones stay.
	w.rights.hidden, w.rights.frozen = []string{"secret"}, []string{"about"}
	for field, data := range map[string]m{"secret": {"secret": "x"}, "about": {"title": "t", "about": nil}} {
		_, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: data})
		if f := wantFault(t, err, ErrField); f.Details["field"] != field {
			t.Errorf("%v", f.Details)
		}
		_, err = w.Create(w.ctx, CreateCmd{Type: "note", Data: data})
		wantFault(t, err, ErrField)
		_, err = w.BulkCreate(w.ctx, "note", []map[string]any{{}, data}, ann)
		if f := wantFault(t, err, ErrField); f.Details["item"] != 1 {
			t.Errorf("%v", f.Details)
		}
	}
	changed, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: m{"title": "new"}})
	if err != nil || changed.Data["title"] != "new" || changed.Data["secret"] != nil || changed.Data["about"] == nil {
		t.Errorf("%+v, %v", changed, err)
	}
	if now, _ := w.read(d.ID); now.Data["secret"] != "s3cret" {
		t.Errorf("%v", now.Data)
	}
}

func TestHides(t *testing.T) {
	t.Parallel()
	x := mask{hidden: []string{"a", "b/c", "d~e"}}
	for pointer, want := range map[string]bool{"/a": true, "/a/0": true, "/ab": false, "/b~1c": true, "/d~0e/x": true, "/b": false} {
		if x.hides(pointer) != want {
			t.Errorf("%s: %v", pointer, !want)
		}
	}
}

// A live list shows what its filter selects: a change can bring a document into sight, or take it out.
func TestFilteredLiveList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	typ := w.define("note", object(m{"open": m{"type": "boolean"}}))
	closed := w.create("note", m{"open": false})
	open := w.create("note", m{"open": true})
	w.rights.scope = new(predicate.And(predicate.Eq("type", "note"), predicate.Eq("data.open", true)))
	key, _, newSource, allowed, err := w.ListChannel(w.ctx, FollowCmd{Type: "note", First: 5})
	if err != nil {
		t.Fatal(err)
	}
	source := newSource()
	if err := source.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := source.Snapshot().(List).Documents; len(got) != 1 || got[0].ID != open.ID {
		t.Errorf("%+v", got)
	}
	apply := func(d Document, rev int, isOpen bool, want ...ListOp) {
		t.Helper()
		d.Rev, d.Data = rev, m{"open": isOpen}
		delta, _ := source.Apply(DocumentChange{Type: typ.ID, ID: d.ID, Rev: rev, Document: &d}).(ListDelta)
		var got []ListOp
		for _, c := range delta.Changes {
			got = append(got, c.Op)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	apply(closed, 2, false)
	apply(closed, 3, true, Enter)
	apply(open, 2, false, Leave)
	apply(open, 3, true, Enter)
	if err := allowed(w.ctx); err != nil {
		t.Error(err)
	}
	w.rights.scope = new(predicate.Eq("type", "note"))
	if err := allowed(w.ctx); !errors.Is(err, ErrScope) {
		t.Errorf("another filter: %v", err)
	}
	if other, _, _, _, err := w.ListChannel(w.ctx, FollowCmd{Type: "note", First: 5}); err != nil || other == key {
		t.Errorf("%q, %v", other, err)
	}
	w.rights.scope = new(predicate.None())
	w.rights.deny(PermRead)
	if err := allowed(w.ctx); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("nothing: %v", err)
	}
	w.rights.scope = new(predicate.Eq("type", "no-such-type"))
	if list, err := w.List(w.ctx, ListCmd{Type: "note"}); err != nil || len(list.Items) != 0 {
		t.Errorf("a type that is not there: %+v, %v", list, err)
	}
}

// A cascade deletes no document that the caller could not delete alone, and grants on what is deleted go with it.
func TestCascadeAsksForEachDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"of": reference(Cascade, "note")}))
	root := w.create("note", m{})
	theirs, err := w.Create(w.system, CreateCmd{Type: "note", Data: m{"of": root.Ref().String()}})
	if err != nil {
		t.Fatal(err)
	}
	w.rights.scope = new(predicate.Eq("owner", annID))
	_, err = w.del(w.ctx, root.Ref())
	wantFault(t, err, ErrRefRestricted)
	if _, there := w.read(root.ID); !there || len(w.rights.forgotten) != 0 {
		t.Error("something was deleted")
	}
	w.rights.scope = nil
	gone, err := w.del(w.ctx, root.Ref())
	if err != nil || len(gone) != 2 || !slices.Equal(w.rights.forgotten, gone) || gone[1] != theirs.Ref() {
		t.Errorf("%v, %v, forgotten %v", gone, err, w.rights.forgotten)
	}
}

// Nobody makes, or changes a document into, what a condition keeps them from touching.
func TestConditionsHoldAfterTheChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"region": m{"type": "string"}}))
	d := w.create("note", m{"region": "EU"})
	w.rights.scope = new(predicate.Eq("data.region", "EU"))
	_, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: m{"region": "US"}})
	wantFault(t, err, fault.ErrForbidden)
	_, err = w.Create(w.ctx, CreateCmd{Type: "note", Data: m{"region": "US"}})
	wantFault(t, err, fault.ErrForbidden)
	_, err = w.BulkCreate(w.ctx, "note", []map[string]any{{"region": "EU"}, {"region": "US"}}, ann)
	wantFault(t, err, fault.ErrForbidden)
	if _, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: m{"more": 1}}); err != nil {
		t.Error(err)
	}
	w.create("note", m{"region": "EU"})
	if list, err := w.List(w.system, ListCmd{Type: "note"}); err != nil || len(list.Items) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	d := w.create("note", m{"a": "b"})
	got, err := w.Attributes(t.Context(), d.Ref())
	if err != nil || got["type"] != "note" || got["owner"] != annID || got["id"] != d.ID || got["data"].(m)["a"] != "b" || got["rev"] != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := w.Attributes(t.Context(), doc("nowhere")); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for name := range got {
		if name == "data" {
			continue
		}
		if _, known := column([]string{name}); !known {
			t.Errorf("a filter by %s cannot be a query", name)
		}
	}
}
