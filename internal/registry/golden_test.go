package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// jobs remembers the jobs that are started; step runs one to its end, each step in a transaction, as a runner would.
type jobs struct{ started []job }

type job struct {
	kind string
	on   ref.Ref
	args map[string]string
}

func (j *jobs) start(_ context.Context, kind string, on ref.Ref, args map[string]string) (string, error) {
	j.started = append(j.started, job{kind, on, args})
	return "job-" + strconv.Itoa(len(j.started)), nil
}

func (w *world) run(step func(ctx context.Context, p *Progress) (bool, error)) (p Progress, steps int, err error) {
	w.Helper()
	for {
		steps++
		var finished bool
		next := p
		err = w.db.InTx(w.system, func(ctx context.Context) error {
			next = p
			next.Counts = maps.Clone(p.Counts)
			var err error
			finished, err = step(ctx, &next)
			return err
		})
		if err != nil || finished {
			return next, steps, err
		}
		p = next
	}
}

func (w *world) update(on ref.Ref, rev int, patch m) Document {
	w.Helper()
	d, err := w.Update(w.ctx, UpdateCmd{On: on, Rev: rev, Patch: patch})
	if err != nil {
		w.Fatalf("update %s: %v", on, err)
	}
	return d
}

// Golden 6: what is too much for one transaction a job deletes, and nobody changes the document or points at it meanwhile.
func TestGolden06CascadeByJob(t *testing.T) {
	t.Parallel()
	j := &jobs{}
	w := comments(t, Cascade, Config{CascadeLimit: 50, Jobs: j.start})
	root := w.create("note", m{"title": "root"})
	items := make([]map[string]any, 2500)
	for i := range items {
		items[i] = m{"about": root.Ref().String()}
	}
	if _, err := w.BulkCreate(w.ctx, "comment", items, ann); err != nil {
		t.Fatal(err)
	}
	child := w.about(w.about(root))
	if r, err := w.Report(w.ctx, root.Ref()); err != nil || !r.InBackground {
		t.Errorf("Report() = %+v, %v", r, err)
	}
	out, err := w.Delete(w.ctx, DeleteCmd{On: root.Ref()})
	if err != nil || out.Job != "job-1" || !reflect.DeepEqual(j.started, []job{{JobDelete, root.Ref(), map[string]string{}}}) {
		t.Fatalf("Delete() = %+v, %v, %v", out, err, j.started)
	}
	_, err = w.Update(w.ctx, UpdateCmd{On: root.Ref(), Rev: 1, Patch: m{"title": "x"}})
	wantFault(t, err, ErrDeleting)
	_, err = w.Create(w.ctx, CreateCmd{Type: "comment", Data: m{"about": root.Ref().String()}})
	wantFault(t, err, ErrRefMissing)
	p, steps, err := w.run(func(ctx context.Context, p *Progress) (bool, error) { return w.DeleteStep(ctx, root.Ref(), nil, p) })
	if err != nil || steps < 3 || p.Done != 2503 {
		t.Errorf("%d deleted in %d steps, %v", p.Done, steps, err)
	}
	for _, on := range []ref.Ref{root.Ref(), child.Ref()} {
		if _, there := w.read(on.ID); there {
			t.Errorf("%s is there", on)
		}
	}
	if n := storetest.Count(t, w.db, "trash"); n != 2503 || w.quota.used(t, ann) != 0 {
		t.Errorf("%d are in the trash, and %d count", n, w.quota.used(t, ann))
	}
	w.noStrands()

	j.started = nil
	other := w.create("note", m{"title": "other"})
	for range 60 {
		w.about(other)
	}
	if out, err := w.Delete(w.ctx, DeleteCmd{On: other.Ref()}); err != nil || out.Job == "" {
		t.Fatalf("%+v, %v", out, err)
	}
	w.rights.deny(PermDelete)
	step := func(ctx context.Context, p *Progress) (bool, error) {
		return w.DeleteStep(actor.With(ctx, actor.From(w.ctx)), other.Ref(), nil, p)
	}
	if p, _, err := w.run(step); err != nil || p.Refused != "FORBIDDEN" {
		t.Errorf("who may not delete any more: %+v, %v", p, err)
	}
	w.update(other.Ref(), 1, m{"title": "as before"})
}

// Golden 11 and 12: references to what is not allowed, and to what is not there.
func TestGolden11And12References(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"about": reference(Restrict, "note", "core.task")}))
	w.define("other", object(m{}))
	other := w.create("other", m{})
	_, err := w.Create(w.ctx, CreateCmd{Type: "note", Data: m{"about": other.Ref().String()}})
	if f := wantFault(t, err, ErrRefType); !reflect.DeepEqual(f.Details["allowed"], []string{"note", "core.task"}) {
		t.Errorf("%v", f.Details)
	}
	_, err = w.Create(w.ctx, CreateCmd{Type: "note", Data: m{"about": doc(ref.NewID()).String()}})
	if f := wantFault(t, err, ErrRefMissing); f.Details["pointer"] != "/about" {
		t.Errorf("%v", f.Details)
	}
	task := w.create("core.task", m{"title": "t", "status": "TODO"})
	if d := w.create("note", m{"about": task.Ref().String()}); task.Ref().Type != ref.Task {
		t.Errorf("%s points at %s", d.Ref(), task.Ref())
	}
	_, err = w.del(w.ctx, task.Ref())
	wantFault(t, err, ErrRefRestricted)
}

// Golden 15: documents of a type out of use look like objects of an unknown type, and on every other way like documents that
// never were.
func TestGolden15Retired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	typ := w.define("note", object(m{"about": reference(Keep, "*")}))
	w.define("other", object(m{"about": reference(Keep, "*")}))
	other := w.create("other", m{})
	n, gone := w.create("note", m{"about": other.Ref().String()}), w.create("note", m{})
	if _, err := w.del(w.ctx, gone.Ref()); err != nil {
		t.Fatal(err)
	}
	_, _, _, allowed, err := w.DocumentChannel(w.ctx, n.Ref())
	if err != nil {
		t.Fatal(err)
	}
	w.seesNote(n, other)
	if _, err := w.SetState(w.system, "note", Retired); err != nil {
		t.Fatal(err)
	}
	w.seesNoNote(n, other)
	wantFault(t, allowed(w.ctx), fault.ErrNotFound)
	want := Target{Of: n.Ref(), Outcome: Strange, Object: typ.ID}
	if got, err := w.Resolve(w.ctx, []ref.Ref{n.Ref()}); err != nil || !reflect.DeepEqual(got[0], want) {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = w.Create(w.ctx, CreateCmd{Type: "note", Data: m{}})
	wantFault(t, err, ErrTypeRetired)
	_, err = w.Update(w.ctx, UpdateCmd{On: n.Ref(), Rev: 1, Patch: m{}})
	wantFault(t, err, ErrTypeRetired)
	_, err = w.List(w.ctx, ListCmd{Type: "note", Page: page.Args{}})
	wantFault(t, err, ErrTypeRetired)
	if _, err := w.SetState(w.system, "note", Active); err != nil {
		t.Fatal(err)
	}
	w.seesNote(n, other)
	if _, err := w.Restore(w.ctx, gone.Ref()); err != nil {
		t.Errorf("what was deleted before: %v", err)
	}
	w.update(n.Ref(), 1, m{"x": 1})
	if k := w.kinds(); k["registry.type.retired"] != 1 || k["registry.type.activated"] != 1 {
		t.Errorf("%v", k)
	}
	w.rights.deny(PermTypeWrite)
	_, err = w.SetState(w.ctx, "note", Retired)
	wantFault(t, err, fault.ErrForbidden)
	_, err = w.SetState(w.system, "core.note", Retired)
	wantFault(t, err, fault.ErrInput)
}

// seesNote checks that a note and what it points at are found on every way, and seesNoNote that they are on none.
func (w *world) seesNote(n, target Document) {
	w.Helper()
	if found, err := w.ByRefs(w.ctx, []ref.Ref{n.Ref(), target.Ref()}); err != nil || len(found) != 2 {
		w.Errorf("%d are found, %v", len(found), err)
	}
	if p, err := w.Backlinks(w.ctx, BacklinksCmd{To: target.Ref()}); err != nil || len(p.Items) != 1 || p.Items[0].From != n.Ref() {
		w.Errorf("backlinks: %+v, %v", p.Items, err)
	}
	if p, err := w.Trash(w.ctx, "note", page.Args{}); err != nil || len(p.Items) != 1 {
		w.Errorf("trash: %+v, %v", p.Items, err)
	}
	if past, err := w.At(w.ctx, n.Ref(), 1); err != nil || past.ID != n.ID {
		w.Errorf("the past: %+v, %v", past, err)
	}
	if r, err := w.Report(w.ctx, n.Ref()); err != nil || !slices.Equal(r.Documents, []ref.Ref{n.Ref()}) {
		w.Errorf("the report of a deletion: %+v, %v", r, err)
	}
}

func (w *world) seesNoNote(n, target Document) {
	w.Helper()
	foreign := doc(ref.NewID())
	found, err := w.ByRefs(w.ctx, []ref.Ref{n.Ref(), foreign, target.Ref()})
	if _, there := found[target.Ref()]; err != nil || len(found) != 1 || !there {
		w.Errorf("%+v are found, %v", found, err)
	}
	for _, user := range []context.Context{w.ctx, w.system} {
		if p, err := w.Backlinks(user, BacklinksCmd{To: target.Ref()}); err != nil || len(p.Items) != 0 {
			w.Errorf("backlinks: %+v, %v", p.Items, err)
		}
	}
	for _, on := range []ref.Ref{n.Ref(), foreign} {
		_, err := w.At(w.ctx, on, 1)
		wantFault(w, err, fault.ErrNotFound)
		_, err = w.AsOf(w.ctx, on, t0)
		wantFault(w, err, fault.ErrNotFound)
		_, err = w.History(w.ctx, on, page.Args{})
		wantFault(w, err, fault.ErrNotFound)
		_, _, _, _, err = w.DocumentChannel(w.ctx, on)
		wantFault(w, err, fault.ErrNotFound)
	}
	_, err = w.Trash(w.ctx, "note", page.Args{})
	wantFault(w, err, ErrTypeRetired)
	if r, err := w.Report(w.ctx, n.Ref()); err != nil || len(r.Documents) != 0 {
		w.Errorf("the report of a deletion names %+v, %v", r.Documents, err)
	}
}

// Golden 16 and 17: another key, and no document is written.
func TestGolden16And17Rename(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	typ := w.define("notes.note", object(m{"about": reference(Keep, "notes.note")}))
	first := w.create("notes.note", m{})
	ctx, counted := store.WithCounter(w.system)
	got, err := w.Rename(ctx, RenameCmd{Type: "notes.note", Key: "docs.page", Name: "Page"})
	if err != nil || got.Key != "docs.page" || got.Name != "Page" || !slices.Equal(got.Aliases, []string{"notes.note"}) || got.ID != typ.ID {
		t.Fatalf("Rename() = %+v, %v", got, err)
	}
	if n := counted.Count("update"); n != 1 {
		t.Errorf("%d updates", n)
	}
	for _, key := range []string{"notes.note", "docs.page"} {
		d := w.create(key, m{"about": first.Ref().String()}) // the rule names the type by the key it had
		if d.Type != typ.ID {
			t.Errorf("%s is %s", key, d.Type)
		}
		_, err := w.Define(w.system, DefineCmd{Key: key, Name: "x", Schema: object(m{})})
		wantFault(t, err, ErrTypeTaken)
	}
	w.define("third", object(m{}))
	_, err = w.Rename(w.system, RenameCmd{Type: "third", Key: "notes.note"})
	wantFault(t, err, ErrTypeTaken)
	_, err = w.Rename(w.system, RenameCmd{Type: "third", Key: "core.note"})
	wantFault(t, err, ErrTypeTaken)
	if back, err := w.Rename(w.system, RenameCmd{Type: "docs.page", Key: "notes.note"}); err != nil || !slices.Equal(back.Aliases, []string{"docs.page"}) {
		t.Errorf("%+v, %v", back, err)
	}
	if n := w.kinds()["registry.type.renamed"]; n != 2 {
		t.Errorf("%d events", n)
	}
	if other := w.node(Config{}); other.Load(t.Context()) != nil {
		t.Error("another node does not start")
	} else if d, err := other.Create(w.ctx, CreateCmd{Type: "docs.page", Data: m{}}); err != nil || d.Type != typ.ID {
		t.Errorf("%+v, %v", d, err)
	}
}

// Golden 18: who changes an old revision learns what else was changed since, and what is disjoint can be merged.
func TestGolden18Merge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	d := w.create("note", m{"title": "a", "body": "b", "n": 0})
	for i := range 4 {
		w.update(d.Ref(), i+1, m{"title": fmt.Sprint("title ", i)})
	}
	_, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 3, Patch: m{"title": "mine", "n": 1}})
	if f := wantFault(t, err, ErrStale); f.Details["rev"] != 5 || !reflect.DeepEqual(f.Details["fields"], []string{"title"}) {
		t.Errorf("%v", f.Details)
	}
	_, err = w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 3, Patch: m{"title": "mine"}, Merge: true})
	wantFault(t, err, ErrStale)
	_, err = w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 3, Patch: m{"n": 1}})
	if f := wantFault(t, err, ErrStale); !reflect.DeepEqual(f.Details["fields"], []string{}) {
		t.Errorf("%v", f.Details)
	}
	got, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 3, Patch: m{"n": 1, "body": nil}, Merge: true})
	if want := (m{"title": "title 3", "n": int64(1)}); err != nil || got.Rev != 6 || !reflect.DeepEqual(got.Data, want) {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 7, Patch: m{"z": 1}, Merge: true}) // a revision that never was
	wantFault(t, err, ErrStale)
	w.rights.hidden = []string{"title"}
	_, err = w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: m{"body": "x"}})
	if f := wantFault(t, err, ErrStale); !reflect.DeepEqual(f.Details["fields"], []string{"body"}) {
		t.Errorf("%v", f.Details)
	}
}

// Golden 19: any state of the past is rebuilt, to the hash.
func TestGolden19History(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	d := w.create("note", m{"title": "0", "keep": m{"a": 1}})
	states := []m{d.Data}
	for i := 1; i <= 25; i++ {
		w.clock.Advance(time.Minute)
		patch := m{"title": strconv.Itoa(i), "only" + strconv.Itoa(i%3): i}
		if i%5 == 0 {
			patch["only0"] = nil
		}
		d = w.update(d.Ref(), i, patch)
		states = append(states, d.Data)
	}
	if n := storetest.Count(t, w.db, "revisions", bson.D{{Key: "full", Value: bson.D{{Key: "$exists", Value: true}}}}); n != 2 {
		t.Errorf("%d whole states are kept", n)
	}
	for rev := 1; rev <= 26; rev++ {
		past, err := w.At(w.ctx, d.Ref(), rev)
		if err != nil || past.Rev != rev || !reflect.DeepEqual(past.Data, states[rev-1]) || past.Hash != hashOf(states[rev-1]) {
			t.Fatalf("revision %d: %+v, %v; want %v", rev, past, err, states[rev-1])
		}
		if want := OpUpdate; past.By.User != ann || rev > 1 && past.Op != want || rev == 1 && past.Op != OpCreate {
			t.Errorf("revision %d is by %+v, %s", rev, past.By, past.Op)
		}
	}
	for _, rev := range []int{0, -1, 27} {
		_, err := w.At(w.ctx, d.Ref(), rev)
		wantFault(t, err, ErrRevision)
	}
	if past, err := w.AsOf(w.ctx, d.Ref(), t0.Add(7*time.Minute+time.Second)); err != nil || past.Rev != 8 {
		t.Errorf("as of the seventh minute: %d, %v", past.Rev, err)
	}
	if past, err := w.AsOf(w.ctx, d.Ref(), t0.Add(time.Hour)); err != nil || past.Rev != 26 {
		t.Errorf("as of today: %d, %v", past.Rev, err)
	}
	_, err := w.AsOf(w.ctx, d.Ref(), t0.Add(-time.Second))
	wantFault(t, err, ErrRevision)
	got, err := w.Diff(w.ctx, d.Ref(), 3, 4)
	want := []Difference{{"/only0", "add", nil, int64(3)}, {"/title", "replace", "2", "3"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Diff() = %+v, %v", got, err)
	}
	w.pagesOfHistory(d)
	w.rights.hidden = []string{"title"}
	got, err = w.Diff(w.ctx, d.Ref(), 3, 4)
	if err != nil || !reflect.DeepEqual(got, want[:1]) {
		t.Errorf("who may not see a field sees how it changed: %+v, %v", got, err)
	}
	p, err := w.History(w.ctx, d.Ref(), page.Args{First: new(3)})
	if err != nil || slices.Contains(p.Items[0].Fields, "title") || p.Items[0].Label != d.ID {
		t.Errorf("or that it did: %+v, %v", p.Items, err)
	}
	w.rights.deny(PermRead)
	_, err = w.At(w.ctx, d.Ref(), 3)
	wantFault(t, err, fault.ErrNotFound)
}

// What is left of a history when its beginning has expired is told, and what would need the rest is not.
func TestHistoryExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{HistoryFor: time.Hour})
	w.define("note", object(m{}))
	d := w.create("note", m{"title": "1"})
	for rev := 1; rev <= 24; rev++ {
		w.clock.Advance(time.Minute)
		d = w.update(d.Ref(), rev, m{"title": strconv.Itoa(rev + 1)})
	}
	expire := func(rev int) { // as MongoDB does within a minute
		t.Helper()
		due := bson.D{{Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: t0.Add(time.Hour + time.Duration(rev)*time.Minute)}}}}
		if _, err := w.db.Collection("revisions").DeleteMany(t.Context(), due); err != nil {
			t.Fatal(err)
		}
		if n := storetest.Count(t, w.db, "revisions"); n != 24-rev {
			t.Fatalf("%d revisions are left of those after %d", n, rev)
		}
	}
	change := func(rev int) []Difference {
		return []Difference{{"/title", "replace", strconv.Itoa(rev - 1), strconv.Itoa(rev)}}
	}
	expire(3) // the whole data of the first is gone, so nothing can be told until that of the 21st
	for rev := 4; rev <= 25; rev++ {
		past, err := w.At(w.ctx, d.Ref(), rev)
		if rev < 21 {
			wantFault(t, err, ErrRevision)
		} else if err != nil || past.Data["title"] != strconv.Itoa(rev) {
			t.Errorf("revision %d: %+v, %v", rev, past.Data, err)
		}
		diff, err := w.DiffBefore(w.ctx, d.Ref(), rev)
		if want := rev > 21; err != nil || want && !reflect.DeepEqual(diff, change(rev)) || !want && len(diff) != 0 {
			t.Errorf("revision %d changed %+v, %v", rev, diff, err)
		}
	}
	_, err := w.Diff(w.ctx, d.Ref(), 3, 25)
	wantFault(t, err, ErrRevision)
	expire(24)
	if diff, err := w.DiffBefore(w.ctx, d.Ref(), 25); err != nil || len(diff) != 0 {
		t.Errorf("the newest is compared with what is gone: %+v, %v", diff, err)
	}
	p, err := w.History(w.ctx, d.Ref(), page.Args{})
	if err != nil || len(p.Items) != 1 || p.Items[0].Rev != 25 || len(p.Items[0].Fields) != 0 {
		t.Errorf("%+v, %v", p.Items, err)
	}
	_, err = w.DiffBefore(w.ctx, doc(ref.NewID()), 2)
	wantFault(t, err, fault.ErrNotFound)
}

// pagesOfHistory walks the 26 revisions in both directions.
func (w *world) pagesOfHistory(d Document) {
	w.Helper()
	for _, backward := range []bool{false, true} {
		var revs []int
		args := page.Args{First: new(7)}
		if backward {
			args = page.Args{Last: new(7)}
		}
		for {
			p, err := w.History(w.ctx, d.Ref(), args)
			if err != nil {
				w.Fatal(err)
			}
			var some []int
			for _, c := range p.Items {
				some = append(some, c.Rev)
			}
			if backward {
				if revs = append(some, revs...); !p.HasPrevious {
					break
				}
				args.Before = &p.Cursors[0]
				continue
			}
			if revs = append(revs, some...); !p.HasNext {
				break
			}
			args.After = &p.Cursors[len(p.Cursors)-1]
		}
		want := make([]int, 26)
		for i := range want {
			want[i] = 26 - i
		}
		if !slices.Equal(revs, want) {
			w.Errorf("backward %v: %v", backward, revs)
		}
	}
	p, err := w.History(w.ctx, d.Ref(), page.Args{First: new(1), After: new(page.Cursor{cursorOf(5)}.Encode())})
	if err != nil || p.Items[0].Rev != 4 || !slices.Equal(p.Items[0].Fields, []string{"only0", "title"}) {
		w.Errorf("%+v, %v", p.Items, err)
	}
}

// noteSteps makes a note of version 1 one of version 3.
func (w *world) evolve(cmd EvolveCmd) ContentType {
	w.Helper()
	t, _, err := w.Evolve(w.system, cmd)
	if err != nil {
		w.Fatal(err)
	}
	return t
}

// Golden 20 and 22: documents of an old schema are read by the new one at once, a job rewrites them, and so is what is reverted to.
func TestGolden20And22Versions(t *testing.T) {
	t.Parallel()
	j := &jobs{}
	w := newWorld(t, Config{Jobs: j.start})
	typ := w.define("note", object(m{"name": m{"type": "string"}, "n": m{"type": "string"}, "about": reference(Keep, "note")}))
	target := w.create("note", m{"name": "target"})
	d := w.create("note", m{"name": "old", "n": "7", "about": target.Ref().String()})
	next := object(m{
		"title": m{"type": "string"}, "n": m{"type": "integer"}, "lang": m{"type": "string", "default": "en"}, "on": reference(Keep, "note"),
	})
	next["required"], next["additionalProperties"] = a{"title", "lang"}, false
	cmd := EvolveCmd{Type: "note", Version: 1, Schema: next, DryRun: true}
	_, check, err := w.Evolve(w.system, cmd)
	if err != nil || check.Total != 2 || check.Invalid != 2 || len(check.Problems) != 2 || check.Problems[0].Document != target.Ref() {
		t.Fatalf("dry run: %+v, %v", check, err)
	}
	cmd.DryRun = false
	_, _, err = w.Evolve(w.system, cmd)
	if f := wantFault(t, err, ErrIncompatible); f.Details["invalid"] != int64(2) {
		t.Errorf("%v", f.Details)
	}
	cmd.Steps = []Step{
		{Op: StepRename, Field: "name", To: "title"}, {Op: StepRename, Field: "about", To: "on"}, {Op: StepConvert, Field: "n", To: "INTEGER"},
	}
	if got := w.evolve(cmd); got.Version != 2 || len(j.started) != 1 || j.started[0].kind != JobMigrate {
		t.Errorf("%+v, %v", got, j.started)
	}
	_, _, err = w.Evolve(w.system, cmd)
	if f := wantFault(t, err, ErrTypeStale); f.Details["version"] != 2 {
		t.Errorf("%v", f.Details)
	}
	want := m{"title": "old", "n": int64(7), "lang": "en", "on": target.Ref().String()}
	if got, _ := w.read(d.ID); !reflect.DeepEqual(got.Data, want) || got.Version != 2 || got.Rev != 1 || got.Label != "old" {
		t.Errorf("at once: %+v", got)
	}
	if n, err := w.Outdated(w.ctx, typ.ID); err != nil || n != 2 {
		t.Errorf("%d are outdated, %v", n, err)
	}
	changed := w.update(target.Ref(), 1, m{"title": "changed"}) // written by the new schema before the job comes
	migrate := func(ctx context.Context, p *Progress) (bool, error) { return w.MigrateStep(ctx, typ.Ref(), p) }
	if p, _, err := w.run(migrate); err != nil || p.Done != 1 {
		t.Errorf("the job: %+v, %v", p, err)
	}
	if n, err := w.Outdated(w.ctx, typ.ID); err != nil || n != 0 {
		t.Errorf("%d are outdated, %v", n, err)
	}
	w.noStrands()
	refs, err := w.References(w.ctx, []ref.Ref{d.Ref()})
	if err != nil || refs[d.ID][0].Path != "/on" {
		t.Errorf("%+v, %v", refs, err)
	}
	last := m{"title": m{"type": "string"}, "lang": m{"type": "string", "default": "en"}, "on": reference(Keep, "note")}
	w.evolve(EvolveCmd{Type: "note", Version: 2, Schema: object(last), Steps: []Step{{Op: StepRemove, Field: "n"}}})
	w.update(d.Ref(), 1, m{"title": "new"})
	if past, err := w.At(w.ctx, d.Ref(), 1); err != nil || past.Data["title"] != "old" || past.Data["n"] != nil {
		t.Errorf("a past of version 2: %+v, %v", past, err)
	}
	back, err := w.Revert(w.ctx, RevertCmd{On: changed.Ref(), Rev: 2, To: 1})
	if want := (m{"title": "target", "lang": "en"}); err != nil || !reflect.DeepEqual(back.Data, want) || back.Rev != 3 || back.Op != OpRevert || back.Version != 3 {
		t.Errorf("Revert() = %+v, %v", back, err)
	}
	if past, err := w.At(w.ctx, changed.Ref(), 1); err != nil || past.Hash != hashOf(m{"name": "target"}) {
		t.Errorf("the first state was lost: %+v, %v", past, err)
	}
}

// Golden 21: what the server refuses MongoDB refuses too.
func TestGolden21SchemaInMongoDB(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	schema := object(m{"n": m{"type": "integer", "minimum": 1}, "tags": m{"type": "array", "items": m{"type": "string"}}})
	schema["required"] = a{"n"}
	w.define("note", schema)
	_, err := w.Create(w.ctx, CreateCmd{Type: "note", Data: m{"n": 0}})
	if f := wantFault(t, err, ErrInvalid); f.Details["pointer"] != "/n" {
		t.Errorf("%v", f.Details)
	}
	d := w.create("note", m{"n": 1, "tags": a{"x"}})
	for name, data := range map[string]m{"out of bounds": {"n": 0}, "of another type": {"n": "1"}, "missing": {}, "inside": {"n": 1, "tags": a{1}}} {
		raw := d
		raw.ID, raw.Data = ref.NewID(), data
		_, err := w.db.Collection("documents").InsertOne(t.Context(), raw)
		if !errors.Is(refusedBySchema(err, err), ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = w.db.Collection("tasks").InsertOne(t.Context(), Document{ID: ref.NewID(), Type: ref.Task, Version: 1, Rev: 1, Data: m{"title": ""}})
	if !errors.Is(refusedBySchema(err, err), ErrInvalid) {
		t.Errorf("a type of the code: %v", err)
	}
}

// G11: of schemas that both dialects can say whole, the validator in Go and the one in MongoDB allow the same data.
func TestSchemasAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	var types []*compiled
	for seed := range 150 {
		schema := object(m{"p0": anySchema(2).Example(2 * seed), "p1": anySchema(2).Example(2*seed + 1)})
		if seed%2 == 0 {
			schema["required"] = a{"p0"}
		}
		plain, err := plainSchema(schema)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := text(plain)
		if err != nil {
			t.Fatal(err)
		}
		c, err := compile(ContentType{ID: "t" + strconv.Itoa(seed), Key: "t", Version: 1}, stored)
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, c)
	}
	all := make([]ContentType, len(types))
	for i, c := range types {
		all[i] = c.ContentType
	}
	if err := w.store.setValidators(w.system, map[string]bson.D{ref.Document: validatorOf(all)}); err != nil {
		t.Fatal(err)
	}
	var docs []Document
	allowed := map[string]bool{}
	for i, c := range types {
		for n := range 10 {
			data := m{"p1": anyValue(2).Example(100*i + n)}
			if n > 0 {
				data["p0"] = anyValue(2).Example(100*i + 50 + n)
			}
			plain, err := plainData(data)
			if err != nil {
				t.Fatal(err)
			}
			d := Document{ID: ref.NewID(), Type: c.ID, Version: 1, Rev: 1, Data: plain, Owner: ann, CreatedAt: t0, UpdatedAt: t0}
			docs, allowed[d.ID] = append(docs, d), c.validate(plain) == nil
		}
	}
	_, _ = w.db.Collection("documents").InsertMany(w.system, docs, options.InsertMany().SetOrdered(false)) // refuses many
	taken, yes := map[string]bool{}, 0
	stored, err := store.Find[Document](w.system, w.db.Collection("documents"), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range stored {
		taken[d.ID] = true
	}
	for i, d := range docs {
		if allowed[d.ID] {
			yes++
		}
		if allowed[d.ID] != taken[d.ID] {
			t.Errorf("%v: %v is allowed in Go: %v, in MongoDB: %v", types[i/10].Schema["properties"], d.Data, allowed[d.ID], taken[d.ID])
		}
	}
	if yes < 100 || yes > len(docs)-100 {
		t.Errorf("%d of %d are allowed: this tells little", yes, len(docs))
	}
}

// anySchema is a schema that both dialects can say whole.
func anySchema(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(r *rapid.T) any {
		kinds := []string{"string", "integer", "number", "boolean", "enum", "any"}
		if depth > 0 {
			kinds = append(kinds, "array", "object", "anyOf")
		}
		switch kind := rapid.SampledFrom(kinds).Draw(r, "kind"); kind {
		case "any":
			return m{}
		case "enum":
			return m{"enum": a{"a", 1, 2.5, true, nil}}
		case "string":
			return m{"type": "string", "minLength": rapid.IntRange(0, 2).Draw(r, "min"), "maxLength": rapid.IntRange(1, 4).Draw(r, "max"), "pattern": "^[a-c ]*"}
		case "number":
			return m{"type": a{"number", "null"}, "minimum": rapid.IntRange(-2, 2).Draw(r, "min"), "exclusiveMaximum": rapid.IntRange(0, 4).Draw(r, "max")}
		case "integer":
			return m{"type": "number", "maximum": rapid.IntRange(-2, 4).Draw(r, "max")}
		case "array":
			return m{"type": "array", "items": anySchema(depth-1).Draw(r, "items"), "maxItems": 2, "uniqueItems": true}
		case "object":
			return m{"type": "object", "properties": m{"x": anySchema(depth-1).Draw(r, "x")}, "additionalProperties": rapid.Bool().Draw(r, "more"), "maxProperties": 2}
		case "anyOf":
			return m{"anyOf": a{anySchema(depth-1).Draw(r, "one"), anySchema(depth-1).Draw(r, "other")}}
		default:
			return m{"type": kind}
		}
	})
}

func anyValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(r *rapid.T) any {
		most := 6
		if depth == 0 {
			most = 4
		}
		switch rapid.IntRange(0, most).Draw(r, "kind") {
		case 0:
			return rapid.SampledFrom([]any{"", "a", "ab", "abc d", "äöü", "zz"}).Draw(r, "text")
		case 1:
			return rapid.IntRange(-3, 5).Draw(r, "whole")
		case 2:
			return rapid.SampledFrom([]any{-2.5, 0.0, 1.0, 2.5, 4.0}).Draw(r, "number")
		case 3:
			return rapid.Bool().Draw(r, "bool")
		case 4:
			return nil
		case 5:
			return rapid.SliceOfN(anyValue(depth-1), 0, 3).Draw(r, "list")
		default:
			out := m{}
			for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID).Draw(r, "members") {
				out[k] = anyValue(depth-1).Draw(r, k)
			}
			return out
		}
	})
}

// Golden 24: what is restored is as it was, unless what it pointed at is gone.
func TestGolden24Restore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"about": reference(Keep, "*"), "of": reference(Restrict, "*")}))
	w.define("comment", object(m{"on": reference(Cascade, "note")}))
	base := w.create("note", m{"title": "base"})
	n := w.create("note", m{"title": "n", "of": base.Ref().String()})
	holder := w.create("note", m{"about": n.Ref().String()})
	c := w.create("comment", m{"on": n.Ref().String()})
	used := w.quota.used(t, ann)
	if _, err := w.del(w.ctx, n.Ref()); err != nil {
		t.Fatal(err)
	}
	p, err := w.Trash(w.ctx, "note", page.Args{})
	if err != nil || len(p.Items) != 1 || p.Items[0].Of != n.Ref() || p.Items[0].By.User != ann || !p.Items[0].Root {
		t.Errorf("Trash() = %+v, %v", p.Items, err)
	}
	w.clock.Advance(time.Hour)
	back, err := w.Restore(w.ctx, n.Ref())
	if err != nil || len(back) != 2 || back[0].ID != n.ID || back[0].Rev != 3 || back[0].Op != OpRestore || back[1].ID != c.ID {
		t.Fatalf("Restore() = %+v, %v", back, err)
	}
	if got, err := w.Resolve(w.ctx, []ref.Ref{n.Ref()}); err != nil || got[0].Outcome != Found {
		t.Errorf("%s leads to %+v", holder.Ref(), got)
	}
	if now := w.quota.used(t, ann); now != used || storetest.Count(t, w.db, "trash")+storetest.Count(t, w.db, "tombstones") != 0 {
		t.Errorf("%d count, not %d", now, used)
	}
	w.noStrands()
	if past, err := w.At(w.ctx, n.Ref(), 1); err != nil || past.Label != "n" {
		t.Errorf("the past: %+v, %v", past, err)
	}
	w.update(n.Ref(), 3, m{"title": "again"})
	_, err = w.Restore(w.ctx, n.Ref())
	wantFault(t, err, fault.ErrNotFound)

	for _, on := range []ref.Ref{n.Ref(), base.Ref()} {
		if _, err := w.del(w.ctx, on); err != nil {
			t.Fatal(err)
		}
	}
	_, err = w.Restore(w.ctx, n.Ref())
	if f := wantFault(t, err, ErrRestore); !reflect.DeepEqual(f.Details["missing"], []string{base.Ref().String()}) {
		t.Errorf("%v", f.Details)
	}
	if purged, err := w.Purge(w.ctx, base.Ref()); err != nil || len(purged) != 1 {
		t.Errorf("Purge() = %v, %v", purged, err)
	}
	_, err = w.Restore(w.ctx, base.Ref())
	wantFault(t, err, fault.ErrNotFound)
	out, err := w.Delete(w.ctx, DeleteCmd{On: holder.Ref(), Purge: true})
	if err != nil || len(out.Refs) != 1 || storetest.Count(t, w.db, "trash", bson.D{{Key: "_id", Value: holder.Ref()}}) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	w.rights.deny(PermRestore, PermPurge)
	for name, err := range map[string]error{
		"Restore": second(w.Restore(w.ctx, n.Ref())), "Purge": second(w.Purge(w.ctx, n.Ref())), "Trash": second(w.Trash(w.ctx, "note", page.Args{})),
		"Delete": second(w.Delete(w.ctx, DeleteCmd{On: c.Ref(), Purge: true})),
	} {
		if !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Golden 26: a lost row is found and made again.
func TestGolden26Verify(t *testing.T) {
	t.Parallel()
	w := comments(t, Restrict, Config{})
	n := w.create("note", m{})
	for range 3 {
		w.about(n)
	}
	w.create("core.comment", m{"text": "c", "on": n.Ref().String()})
	rows := w.db.Collection("references")
	if _, err := rows.DeleteOne(t.Context(), bson.D{{Key: "from.type", Value: ref.Comment}}); err != nil {
		t.Fatal(err)
	}
	extra := Reference{ID: ref.NewID(), From: doc(ref.NewID()), FromType: n.Type, Path: "/x", To: n.Ref(), OnDelete: Restrict}
	storetest.Insert(t, w.db, "references", extra)
	want := Integrity{Documents: 5, Missing: 1, Extra: 1}
	if got, err := w.Verify(w.ctx, false); err != nil || got != want {
		t.Errorf("Verify() = %+v, %v", got, err)
	}
	want.Repaired = 2
	if got, err := w.Verify(w.ctx, true); err != nil || got != want {
		t.Errorf("repair: %+v, %v", got, err)
	}
	if got, err := w.Verify(w.ctx, true); err != nil || got != (Integrity{Documents: 5}) {
		t.Errorf("and then: %+v, %v", got, err)
	}
	if _, err := w.db.Collection("documents").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: n.ID}}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Verify(w.ctx, false); err != nil || got.Dangling != 4 {
		t.Errorf("a document somebody has deleted by hand: %+v, %v", got, err)
	}
	w.rights.deny(PermRepair)
	_, err := w.Verify(w.ctx, false)
	wantFault(t, err, fault.ErrForbidden)
}

// Golden 27: all kinds of values go through MongoDB and come back as they were.
func TestGolden27Kinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("survey", object(m{
		"text": m{"type": "string"}, "whole": m{"type": "integer"}, "number": m{"type": "number"}, "yes": m{"type": "boolean"}, "day": m{"type": "string", "format": "date"},
		"at": m{"type": "string", "format": "date-time"}, "mail": m{"type": "string", "format": "email"}, "choice": m{"enum": a{"a", "b"}}, "list": m{"type": "array"},
		"inner": m{"type": "object"}, "nothing": m{"type": "null"}, "of": reference(Keep, "*"),
	}))
	data := m{
		"text": "ä\u0000ß", "whole": int64(9007199254740993), "number": 0.1, "yes": false, "day": "2026-02-28", "at": "2026-02-28T12:00:00Z", "mail": "a@b.example",
		"choice": "b", "list": a{int64(1), "x", nil, m{"y": 1.5}}, "inner": m{"deep": a{a{}}, "empty": m{}}, "nothing": nil,
	}
	d := w.create("survey", data)
	if got, _ := w.read(d.ID); !reflect.DeepEqual(got.Data, data) {
		t.Errorf("%#v\nwant %#v", got.Data, data)
	}
}

// Golden 28: each type of the code has a Go type, a collection and a GraphQL type of its own, and the Go type has all members.
func TestGolden28Natives(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, n := range natives {
		for _, name := range []string{n.Type, n.Key, n.Name, n.Collection} {
			if seen[n.Collection+name] {
				t.Errorf("%s is there twice", name)
			}
			seen[n.Collection+name] = true
		}
		typ := reflect.TypeOf(AsNative(Document{Type: n.Type, Data: m{}}))
		if typ.Name() != n.Name {
			t.Errorf("%s is a %s", n.Key, typ)
		}
		members := map[string]bool{}
		for i := range typ.NumField() {
			if name := typ.Field(i).Tag.Get("json"); name != "-" {
				members[name] = true
			}
		}
		properties, _ := nativeTypes[n.Type].Schema["properties"].(map[string]any)
		for name := range properties {
			if !members[name] {
				t.Errorf("%s has no member %s", typ, name)
			}
			delete(members, name)
		}
		if len(members) > 0 {
			t.Errorf("%s has %v besides", typ, members)
		}
	}
}

// What only the code writes nobody else does.
func TestSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	file := m{"name": "f", "contentType": "text/plain", "size": 1, "sha256": fmt.Sprintf("%064d", 0), "blob": "somebody-elses", "scan": "NONE"}
	_, err := w.Create(w.ctx, CreateCmd{Type: "core.attachment", Data: file})
	wantFault(t, err, ErrField)
	_, err = w.BulkCreate(w.ctx, "core.attachment", []map[string]any{file}, ann)
	wantFault(t, err, ErrField)
	d, err := w.Create(w.ctx, CreateCmd{Type: "core.attachment", Data: file, Sealed: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: m{"blob": "another"}})
	wantFault(t, err, ErrField)
	w.update(d.Ref(), 1, m{"name": "g"})
}

// What a role that is deleted was pointed at by goes by its rules.
func TestTargetDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.RegisterTarget("role", w.finderOf("things"))
	storetest.Insert(t, w.db, "things", bson.D{{Key: "_id", Value: "r1"}}, bson.D{{Key: "_id", Value: "r2"}})
	role := ref.New("role", "r1")
	w.define("note", object(m{"keeps": reference(Keep, "role"), "loses": reference(SetNull, "role"), "needs": reference(Restrict, "role")}))
	note := w.create("note", m{"keeps": role.String(), "loses": role.String()})
	comment := w.create("core.comment", m{"text": "c", "on": role.String()})
	if err := w.TargetDeleted(w.system, role, "Role one"); err != nil {
		t.Fatal(err)
	}
	if d, _ := w.read(note.ID); d.Data["loses"] != nil || d.Data["keeps"] == nil || d.Op != OpDetach {
		t.Errorf("%+v", d)
	}
	if all, err := w.ByRefs(w.ctx, []ref.Ref{comment.Ref()}); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if n := storetest.Count(t, w.db, "tombstones", bson.D{{Key: "_id", Value: role}, {Key: "label", Value: "Role one"}}); n != 1 {
		t.Errorf("%d tombstones", n)
	}
	w.create("note", m{"needs": "role:r2"})
	wantFault(t, w.TargetDeleted(w.system, ref.New("role", "r2"), ""), ErrRefRestricted)
}

// The report tells what the deletion then does.
func TestReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"up": reference(Cascade, "note"), "see": reference(SetNull, "note"), "of": reference(Keep, "note"), "must": reference(Restrict, "note")}))
	root := w.create("note", m{})
	child := w.create("note", m{"up": root.Ref().String()})
	see := w.create("note", m{"see": child.Ref().String()})
	w.create("note", m{"of": root.Ref().String()})
	want := DeleteReport{Deleted: 2, Documents: refsOf(root, child), Detached: 1, Changed: refsOf(see), Kept: 1}
	got, err := w.Report(w.ctx, root.Ref())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Report() = %+v, %v", got, err)
	}
	if n := storetest.Count(t, w.db, "documents"); n != 4 {
		t.Errorf("%d documents", n)
	}
	blocker := w.create("note", m{"must": child.Ref().String()})
	got, err = w.Report(w.ctx, root.Ref())
	if err != nil || got.BlockerCount != 1 || !slices.Equal(got.Blockers, refsOf(blocker)) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Many documents are changed and deleted page by page; what is refused stays, and does not stop the others.
func TestBulk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"n": m{"type": "integer", "index": true, "maximum": 9}, "of": reference(Restrict, "note")}))
	var all []Document
	for i := range 10 {
		all = append(all, w.create("note", m{"n": i}))
	}
	holder := w.create("note", m{"n": 0, "of": all[9].Ref().String()})
	cmd := BulkCmd{ListCmd: ListCmd{Type: "note", Filter: m{"n": m{"gte": 5}}, Page: page.Args{First: new(2)}}, Patch: m{"n": 1}}
	done := 0
	for {
		out, err := w.Bulk(w.ctx, cmd)
		if err != nil || len(out.Failed) != 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		if done += len(out.Done); out.Next == nil {
			break
		}
		cmd.Page.After = out.Next
	}
	if n := storetest.Count(t, w.db, "documents", bson.D{{Key: "data.n", Value: int64(1)}}); done != 5 || n != 6 {
		t.Errorf("%d are done, %d are so", done, n)
	}
	out, err := w.Bulk(w.ctx, BulkCmd{ListCmd: ListCmd{Type: "note", Page: page.Args{First: new(100)}}, Patch: m{"n": 10}})
	if err != nil || len(out.Failed) != 11 || out.Failed[0].Code != ErrInvalid.Code {
		t.Errorf("%+v, %v", out, err)
	}
	out, err = w.Bulk(w.ctx, BulkCmd{ListCmd: ListCmd{Type: "note", Page: page.Args{First: new(100)}}, Delete: true})
	if err != nil || len(out.Done) != 10 || len(out.Failed) != 1 || out.Failed[0].Document != all[9].Ref() || out.Failed[0].Code != ErrRefRestricted.Code {
		t.Errorf("%+v, %v", out, err)
	}
	if _, there := w.read(holder.ID); there {
		t.Error("the one that held it stayed")
	}
	w.rights.deny(PermDelete)
	_, err = w.Bulk(w.ctx, BulkCmd{ListCmd: ListCmd{Type: "note"}, Delete: true})
	wantFault(t, err, fault.ErrForbidden)
}
