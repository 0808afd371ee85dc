package registry

import (
	"reflect"
	"slices"
	"strconv"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// comments is a world with notes and comments that point at them by a rule.
func comments(t *testing.T, rule OnDelete, cfg Config) *world {
	w := newWorld(t, cfg)
	w.define("note", object(m{"about": reference(rule, "note", "comment")}))
	w.define("comment", object(m{"about": reference(rule, "note", "comment"), "cc": m{"type": "array", "items": reference(rule, "note", "comment")}}))
	return w
}

func (w *world) about(d Document) Document {
	return w.create("comment", m{"title": "on " + d.Label, "about": d.Ref().String()})
}

func refsOf(ds ...Document) []ref.Ref {
	out := make([]ref.Ref, len(ds))
	for i, d := range ds {
		out[i] = d.Ref()
	}
	return out
}

func TestDeleteAlone(t *testing.T) {
	t.Parallel()
	w := comments(t, Restrict, Config{})
	n := w.create("note", m{"title": "n"})
	c := w.about(n)
	got, err := w.del(w.ctx, c.Ref())
	if err != nil || !slices.Equal(got, refsOf(c)) {
		t.Fatalf("Delete() = %v, %v", got, err)
	}
	if _, there := w.read(c.ID); there {
		t.Error("still there")
	}
	w.noStrands()
	if used := w.quota.used(t, ann); used != 1 {
		t.Errorf("quota used %d; want that of the note", used)
	}
	if storetest.Count(t, w.db, "tombstones") != 0 {
		t.Error("a tombstone nobody points at")
	}
	log, err := event.NewLog(w.db, w.clock.Now).On(t.Context(), c.Ref(), page.Args{})
	if err != nil || len(log.Items) != 2 || log.Items[0].Kind != kindDeleted {
		t.Fatalf("events = %+v, %v", log.Items, err)
	}
	fact, err := store.Decode[deletedFact](log.Items[0].Data)
	if want := (deletedFact{Type: c.Type, Rev: 2, Label: "on n", Owner: ann, Links: []ref.Ref{n.Ref()}}); err != nil || !reflect.DeepEqual(fact, want) {
		t.Errorf("event tells %+v, %v; want %+v", fact, err, want)
	}
	_, err = w.del(w.ctx, c.Ref())
	wantFault(t, err, fault.ErrNotFound)
	_, err = w.Update(w.ctx, UpdateCmd{On: c.Ref(), Rev: 1})
	wantFault(t, err, fault.ErrNotFound)
}

func TestGolden02Keep(t *testing.T) {
	t.Parallel()
	w := comments(t, Keep, Config{})
	n := w.create("note", m{"title": "the note"})
	all := []Document{w.about(n), w.about(n), w.about(n)}
	if _, err := w.del(w.ctx, n.Ref()); err != nil {
		t.Fatal(err)
	}
	want := Target{Of: n.Ref(), Outcome: Gone, Object: Tombstone{Of: n.Ref(), Label: "the note", DeletedAt: t0, Rev: 1, By: Author{User: ann}}}
	if got, err := w.Resolve(w.ctx, []ref.Ref{n.Ref()}); err != nil || !reflect.DeepEqual(got[0], want) {
		t.Errorf("Resolve() = %+v, %v; want %+v", got, err, want)
	}
	if p, err := w.List(w.ctx, ListCmd{Type: "comment"}); err != nil || len(p.Items) != 3 {
		t.Errorf("the list has %d comments, %v", len(p.Items), err)
	}
	w.noStrands()

	// What dangles may stay through a change, but a new reference may not dangle, nor one by another rule.
	if _, err := w.Update(w.ctx, UpdateCmd{On: all[0].Ref(), Rev: 1, Patch: m{"title": "changed"}}); err != nil {
		t.Errorf("a change beside a tombstone: %v", err)
	}
	_, err := w.Create(w.ctx, CreateCmd{Type: "comment", Data: m{"about": n.Ref().String()}})
	wantFault(t, err, ErrRefMissing)
	w.noStrands()
}

func TestGolden03Restrict(t *testing.T) {
	t.Parallel()
	w := comments(t, Restrict, Config{})
	n := w.create("note", m{})
	c := w.about(n)
	events := storetest.Count(t, w.db, "events")
	_, err := w.del(w.ctx, n.Ref())
	e := wantFault(t, err, ErrRefRestricted)
	if !reflect.DeepEqual(e.Details, map[string]any{"blockers": []string{c.Ref().String()}, "count": 1}) {
		t.Errorf("details = %v", e.Details)
	}
	if _, there := w.read(n.ID); !there || storetest.Count(t, w.db, "events") != events || w.quota.used(t, ann) != 2 {
		t.Error("a refused deletion did something")
	}
	w.rights.deny(PermRead)
	_, err = w.del(w.ctx, n.Ref())
	if e := wantFault(t, err, ErrRefRestricted); !reflect.DeepEqual(e.Details, map[string]any{"count": 1}) {
		t.Errorf("details for who may not read = %v", e.Details)
	}
}

func TestRestrictNamesAtMost100(t *testing.T) {
	t.Parallel()
	w := comments(t, Restrict, Config{})
	n := w.create("note", m{})
	items := make([]m, maxBlockers+20)
	for i := range items {
		items[i] = m{"about": n.Ref().String(), "cc": a{n.Ref().String()}}
	}
	if _, err := w.BulkCreate(w.ctx, "comment", items, ann); err != nil {
		t.Fatal(err)
	}
	_, err := w.del(w.ctx, n.Ref())
	e := wantFault(t, err, ErrRefRestricted)
	names, _ := e.Details["blockers"].([]string)
	if len(names) != maxBlockers || e.Details["count"] != 2*len(items) || len(slices.Compact(slices.Sorted(slices.Values(names)))) != maxBlockers {
		t.Errorf("%d names, count %v", len(names), e.Details["count"])
	}
}

func TestGolden04Cascade(t *testing.T) {
	t.Parallel()
	w := comments(t, Cascade, Config{})
	root := w.create("note", m{})
	two := []Document{w.about(root), w.about(root)}
	four := []Document{w.about(two[0]), w.about(two[0]), w.about(two[1]), w.about(two[1])}
	bystander := w.create("note", m{})
	got, err := w.del(w.ctx, root.Ref())
	if err != nil {
		t.Fatal(err)
	}
	if want := refsOf(append(append([]Document{root}, two...), four...)...); !slices.Equal(got, want) {
		t.Errorf("deleted %v; want %v", got, want)
	}
	if n := w.kinds()[kindDeleted]; n != 7 {
		t.Errorf("%d events; want 7", n)
	}
	if n := storetest.Count(t, w.db, "documents"); n != 1 {
		t.Errorf("%d documents left", n)
	}
	if _, there := w.read(bystander.ID); !there || w.quota.used(t, ann) != 1 {
		t.Error("a bystander was hit")
	}
	w.noStrands()
	log, err := event.NewLog(w.db, w.clock.Now).On(t.Context(), four[3].Ref(), page.Args{})
	if err != nil {
		t.Fatal(err)
	}
	if fact, err := store.Decode[deletedFact](log.Items[0].Data); err != nil || fact.Cause != root.Ref() {
		t.Errorf("cause = %v, %v; want %v", fact.Cause, err, root.Ref())
	}
}

func TestGolden05SetNull(t *testing.T) {
	t.Parallel()
	w := comments(t, SetNull, Config{})
	n, other := w.create("note", m{"title": "n"}), w.create("note", m{})
	c := w.about(n)
	many := w.create("comment", m{"cc": a{n.Ref().String(), other.Ref().String(), n.Ref().String()}})
	got, err := w.del(w.ctx, n.Ref())
	if err != nil || !slices.Equal(got, refsOf(n)) {
		t.Fatalf("Delete() = %v, %v", got, err)
	}
	if d, _ := w.read(c.ID); d.Rev != 2 || !reflect.DeepEqual(d.Data, m{"title": "on n"}) {
		t.Errorf("after: %+v; want the field gone and rev 2", d)
	}
	if d, _ := w.read(many.ID); d.Rev != 2 || !reflect.DeepEqual(d.Data, m{"cc": a{other.Ref().String()}}) {
		t.Errorf("after: %+v; want the items gone and the list closed", d)
	}
	w.noStrands()
	if k := w.kinds(); k[kindDeleted] != 1 || k[kindUpdated] != 2 {
		t.Errorf("events = %v", k)
	}
	log, err := event.NewLog(w.db, w.clock.Now).On(t.Context(), c.Ref(), page.Args{})
	if err != nil {
		t.Fatal(err)
	}
	if fact, err := store.Decode[documentFact](log.Items[0].Data); err != nil || fact.Cause != n.Ref() || fact.Document.Rev != 2 {
		t.Errorf("event tells %+v, %v", fact, err)
	}
	if _, err := w.Update(w.ctx, UpdateCmd{On: c.Ref(), Rev: 1, Patch: m{}}); fault.From(err).Details["rev"] != 2 {
		t.Errorf("an update of the revision before: %v", err)
	}
}

// A field the schema requires can't be removed: that refuses like RESTRICT.
func TestSetNullOfRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	strict := object(m{"about": reference(SetNull, "note"), "cc": m{"type": "array", "minItems": 1, "items": reference(SetNull, "note")}})
	strict["required"] = a{"about"}
	w.define("comment", strict)
	n, other := w.create("note", m{}), w.create("note", m{})
	c := w.about(n)
	_, err := w.del(w.ctx, n.Ref())
	if e := wantFault(t, err, ErrRefRestricted); !reflect.DeepEqual(e.Details["blockers"], []string{c.Ref().String()}) || e.Details["count"] != 1 {
		t.Errorf("details = %v", e.Details)
	}
	w.create("comment", m{"about": n.Ref().String(), "cc": a{other.Ref().String()}})
	_, err = w.del(w.ctx, other.Ref())
	wantFault(t, err, ErrRefRestricted)
	w.noStrands()
}

func TestGolden06CascadeTooLarge(t *testing.T) {
	t.Parallel()
	for _, rule := range []OnDelete{Cascade, SetNull} {
		t.Run(string(rule), func(t *testing.T) {
			t.Parallel()
			w := comments(t, rule, Config{CascadeLimit: 4})
			n := w.create("note", m{})
			for range 4 {
				w.about(n)
			}
			if rule == SetNull {
				w.about(n)
			}
			_, err := w.del(w.ctx, n.Ref())
			if e := wantFault(t, err, ErrCascade); e.Details["limit"] != 4 {
				t.Errorf("details = %v", e.Details)
			}
			w.noStrands()
			if p, err := w.List(w.ctx, ListCmd{Type: "comment"}); err != nil || len(p.Items) < 4 {
				t.Errorf("%d comments left, %v", len(p.Items), err)
			}
			if p, err := w.List(w.ctx, ListCmd{Type: "comment"}); err != nil {
				t.Error(err)
			} else if _, err := w.del(w.ctx, p.Items[0].Ref()); err != nil {
				t.Errorf("one less: %v", err)
			}
			if _, err := w.del(w.ctx, n.Ref()); err != nil {
				t.Errorf("as many as allowed: %v", err)
			}
			w.noStrands()
		})
	}
}

func TestGolden07Cycle(t *testing.T) {
	t.Parallel()
	w := comments(t, Cascade, Config{})
	x := w.create("note", m{})
	y := w.create("note", m{"about": x.Ref().String()})
	if _, err := w.Update(w.ctx, UpdateCmd{On: x.Ref(), Rev: 1, Patch: m{"about": y.Ref().String()}}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.del(w.ctx, x.Ref()); err != nil || !slices.Equal(got, refsOf(x, y)) {
		t.Errorf("Delete() = %v, %v", got, err)
	}
	self := w.create("note", m{})
	if _, err := w.Update(w.ctx, UpdateCmd{On: self.Ref(), Rev: 1, Patch: m{"about": self.Ref().String()}}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.del(w.ctx, self.Ref()); err != nil || !slices.Equal(got, refsOf(self)) {
		t.Errorf("Delete() of one that points at itself = %v, %v", got, err)
	}
	if n := storetest.Count(t, w.db, "references"); n != 0 {
		t.Errorf("%d rows left", n)
	}
}

// Rules meet: each reference follows its own, and only references from outside count.
func TestMixedRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{
		"part": reference(Cascade, "note"), "needs": reference(Restrict, "note"), "see": reference(SetNull, "note"), "from": reference(Keep, "note"),
	}))
	root := w.create("note", m{"title": "root"})
	// A part that also needs the root does not hold it: it goes too.
	part := w.create("note", m{"part": root.Ref().String(), "needs": root.Ref().String(), "from": root.Ref().String()})
	see := w.create("note", m{"see": part.Ref().String(), "from": root.Ref().String()})
	got, err := w.del(w.ctx, root.Ref())
	if err != nil || !slices.Equal(got, refsOf(root, part)) {
		t.Fatalf("Delete() = %v, %v", got, err)
	}
	if d, _ := w.read(see.ID); !reflect.DeepEqual(d.Data, m{"from": root.Ref().String()}) {
		t.Errorf("after: %v", d.Data)
	}
	if n := storetest.Count(t, w.db, "tombstones"); n != 1 {
		t.Errorf("%d tombstones; want that of the root alone", n)
	}
	w.noStrands()

	// A need of something deep in the cascade holds the whole.
	root = w.create("note", m{})
	part = w.create("note", m{"part": root.Ref().String()})
	holder := w.create("note", m{"needs": part.Ref().String()})
	_, err = w.del(w.ctx, root.Ref())
	if e := wantFault(t, err, ErrRefRestricted); !reflect.DeepEqual(e.Details["blockers"], []string{holder.Ref().String()}) {
		t.Errorf("details = %v", e.Details)
	}
}

func TestGolden25MadeAnew(t *testing.T) {
	t.Parallel()
	w := comments(t, Keep, Config{})
	n := w.create("note", m{"title": "same"})
	c := w.about(n)
	if _, err := w.del(w.ctx, n.Ref()); err != nil {
		t.Fatal(err)
	}
	again := w.create("note", m{"title": "same"})
	got, err := w.Resolve(w.ctx, []ref.Ref{n.Ref(), again.Ref()})
	if err != nil || again.ID == n.ID || got[0].Outcome != Gone || got[1].Outcome != Found {
		t.Errorf("Resolve() = %+v, %v", got, err)
	}
	if d, _ := w.read(c.ID); d.Data["about"] != n.Ref().String() {
		t.Errorf("the reference moved: %v", d.Data)
	}
}

// A large cascade works, in bounded time, with one event for each.
func TestCascadeOfHundreds(t *testing.T) {
	t.Parallel()
	w := comments(t, Cascade, Config{})
	n := w.create("note", m{})
	items := make([]m, 600)
	for i := range items {
		items[i] = m{"about": n.Ref().String(), "title": strconv.Itoa(i)}
	}
	if _, err := w.BulkCreate(w.system, "comment", items, ann); err != nil {
		t.Fatal(err)
	}
	got, err := w.del(w.ctx, n.Ref())
	if err != nil || len(got) != 601 || got[0] != n.Ref() {
		t.Fatalf("Delete() = %d, %v", len(got), err)
	}
	if n := w.kinds()[kindDeleted]; n != 601 {
		t.Errorf("%d events", n)
	}
	if used := w.quota.used(t, ann); used != 0 {
		t.Errorf("quota used %d", used)
	}
	if n := storetest.Count(t, w.db, "references", bson.D{}); n != 0 {
		t.Errorf("%d rows left", n)
	}
}
