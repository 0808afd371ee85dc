package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// things puts n objects into a collection and makes them targets of a type.
func (w *world) things(typ string, n int) []ref.Ref {
	w.Helper()
	w.RegisterTarget(typ, w.finderOf(typ+"s"))
	refs := make([]ref.Ref, n)
	rows := make([]any, n)
	for i := range n {
		refs[i] = ref.New(typ, typ+strconv.Itoa(i))
		rows[i] = bson.D{{Key: "_id", Value: refs[i].ID}}
	}
	storetest.Insert(w, w.db, typ+"s", rows...)
	return refs
}

func (w *world) notes(key string, n int) []ref.Ref {
	w.Helper()
	ds, err := w.BulkCreate(w.system, key, make([]m, n), ann)
	if err != nil {
		w.Fatal(err)
	}
	return refsOf(ds...)
}

func TestGolden01ReferenceLeadsToNote(t *testing.T) {
	t.Parallel()
	w := comments(t, Restrict, Config{})
	n := w.create("note", m{"title": "n"})
	c := w.about(n)
	rs, err := w.References(w.ctx, []ref.Ref{c.Ref()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Resolve(w.ctx, []ref.Ref{rs[c.ID][0].To})
	if want := []Target{{Of: n.Ref(), Outcome: Found, Object: n}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Resolve() = %+v, %v; want %+v", got, err, want)
	}
}

// Golden 8: 200 references over 5 types are 5 finds, and the order is that of the request.
func TestGolden08FiveFinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	var refs []ref.Ref
	for range 40 {
		typ, err := w.Define(w.system, DefineCmd{Key: ref.NewID(), Name: "x", Schema: object(m{})})
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, typ.Ref())
	}
	for _, typ := range []string{"user", "role", "plan"} {
		refs = append(refs, w.things(typ, 40)...)
	}
	refs = append(refs, w.notes("note", 40)...)
	rand.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
	ctx, counted := store.WithCounter(w.ctx)
	got, err := w.Resolve(ctx, refs)
	if err != nil || len(got) != 200 {
		t.Fatalf("Resolve() = %d, %v", len(got), err)
	}
	if n := counted.Count("find"); n != 5 || counted.Total() != 5 {
		t.Errorf("%d finds in %d commands; want 5", n, counted.Total())
	}
	for i, x := range got {
		if x.Of != refs[i] || x.Outcome != Found || idOf(x.Object) != refs[i].ID {
			t.Fatalf("target %d = %+v; want %v", i, x, refs[i])
		}
	}
}

// idOf is the id of a found object.
func idOf(o any) string {
	switch o := o.(type) {
	case Document:
		return o.ID
	case ContentType:
		return o.ID
	case string: // "collection id", as finderOf makes it
		for i := range o {
			if o[i] == ' ' {
				return o[i+1:]
			}
		}
	}
	return ""
}

func TestGolden09ThreeFindsFor4500(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	var ids []string
	for _, r := range w.notes("note", 4500) {
		ids = append(ids, r.ID)
	}
	ctx, counted := store.WithCounter(w.ctx)
	docs, err := w.ByIDs(ctx, ref.Document, ids)
	if err != nil || len(docs) != 4500 || counted.Count("find") != 3 {
		t.Errorf("ByIDs() = %d, %v in %d finds; want 4500 in 3", len(docs), err, counted.Count("find"))
	}
}

func TestGolden10Duplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	var asked []string
	w.RegisterTarget("user", func(_ context.Context, ids []string) (map[string]any, error) {
		asked = append(asked, ids...)
		return map[string]any{"same": "the same"}, nil
	})
	refs := make([]ref.Ref, MaxResolve)
	for i := range refs {
		refs[i] = ref.New("user", "same")
		if i >= 150 {
			refs[i] = ref.New("user", "u"+strconv.Itoa(i))
		}
	}
	got, err := w.Resolve(w.ctx, refs)
	if err != nil || len(asked) != 51 {
		t.Errorf("asked for %d ids, %v; want 51", len(asked), err)
	}
	for i, x := range got {
		if (x.Outcome == Found) != (i < 150) {
			t.Fatalf("target %d = %+v", i, x)
		}
	}
	_, err = w.Resolve(w.ctx, append(refs, refs[0]))
	wantFault(t, err, fault.ErrInput)
	_, err = w.Resolve(t.Context(), refs[:1])
	wantFault(t, err, fault.ErrUnauthenticated)
}

// Golden 14 and 30: each kind of answer beside the others, and no find for what the caller may not see.
func TestGolden14And30EveryOutcome(t *testing.T) {
	t.Parallel()
	w := comments(t, Keep, Config{})
	kept := w.create("note", m{"title": "kept"})
	n := w.about(kept)
	if _, err := w.del(w.ctx, kept.Ref()); err != nil {
		t.Fatal(err)
	}
	user, role, plan := w.things("user", 1)[0], w.things("role", 1)[0], w.things("plan", 1)[0]
	w.RegisterTarget("metric", func(context.Context, []string) (map[string]any, error) { return nil, fault.ErrForbidden })
	typ := ref.New(ref.ContentType, n.Type)
	refs := []ref.Ref{
		n.Ref(), user, role, plan, typ, kept.Ref(), ref.New("metric", "m"), ref.New(ref.Document, ref.NewID()), ref.New("role", "nope"),
		ref.New("session", "s"),
		{},
	}
	want := []Outcome{Found, Found, Found, Found, Found, Gone, Hidden, Unknown, Unknown, Strange, Unknown}
	check := func() {
		t.Helper()
		got, err := w.Resolve(w.ctx, refs)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range got {
			if x.Outcome != want[i] || x.Of != refs[i] || (x.Object != nil) != (want[i] == Found || want[i] == Gone || want[i] == Strange) {
				t.Errorf("%v: %+v; want outcome %d", refs[i], x, want[i])
			}
		}
	}
	check()

	w.rights.deny(PermRead)
	for _, i := range []int{0, 4, 5, 7} { // documents and content types, there or not
		want[i] = Hidden
	}
	check()
	ctx, counted := store.WithCounter(w.ctx)
	if _, err := w.Resolve(ctx, []ref.Ref{n.Ref(), kept.Ref(), typ}); err != nil || counted.Total() != 0 {
		t.Errorf("%d commands were sent for hidden objects, %v", counted.Total(), err)
	}
}

// What fails for another reason than rights fails whole: an answer with holes would be taken for the truth.
func TestResolveFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.RegisterTarget("user", func(context.Context, []string) (map[string]any, error) { return nil, fault.ErrUnavailable })
	_, err := w.Resolve(w.ctx, []ref.Ref{ref.New("user", "u")})
	wantFault(t, err, fault.ErrUnavailable)
}

func TestRegisterTargetIsFrozen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.RegisterTarget("user", nil)
	for name, typ := range map[string]string{"twice": "user", "document": ref.Document, "content type": ref.ContentType} {
		if !panics(func() { w.RegisterTarget(typ, nil) }) {
			t.Errorf("%s: registered", name)
		}
	}
	if _, err := w.Resolve(w.ctx, []ref.Ref{ref.New("x", "y")}); err != nil {
		t.Fatal(err)
	}
	if !panics(func() { w.RegisterTarget("plan", nil) }) {
		t.Error("registered while serving")
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// A star allows any target that exists, "document" any document, and a name its own kind alone.
func TestAllows(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		to       string
		typ, key string
		want     bool
	}{
		{"*", ref.Document, "note", true},
		{"*", "user", "", true},
		{"document", ref.Document, "note", true},
		{"note", ref.Document, "note", true},
		{"note", ref.Document, "other", false},
		{"user", "user", "", true},
		{"user", ref.Document, "note", false},
		{"note", ref.Note, "core.note", false}, // a type of the code is not one that somebody has given that key
		{"core.note", ref.Note, "core.note", true},
		{"document", ref.Note, "core.note", true},
		{"note", "user", "", false},
	} {
		r := rule{To: []string{"first", tc.to}}
		if got := r.allows(tc.typ, []string{tc.key}); got != tc.want {
			t.Errorf("%q allows %s %q = %v", tc.to, tc.typ, tc.key, got)
		}
	}
}

// Golden 23: 137 backlinks from 3 types are 7 pages of 20, whatever is added meanwhile.
func TestGolden23Backlinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	n := w.create("note", m{})
	items := func(count int) []m {
		out := make([]m, count)
		for i := range out {
			out[i] = m{"about": n.Ref().String()}
		}
		return out
	}
	for i, key := range []string{"c1", "c2", "c3"} {
		w.define(key, object(m{"about": reference(Keep, "note")}))
		if _, err := w.BulkCreate(w.system, key, items([]int{100, 30, 7}[i]), ann); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	pages := 0
	for args := (page.Args{}); ; {
		ctx, counted := store.WithCounter(w.ctx)
		p, err := w.Backlinks(ctx, BacklinksCmd{To: n.Ref(), Page: args})
		if err != nil || counted.Total() != 1 {
			t.Fatalf("Backlinks() = %v in %d commands", err, counted.Total())
		}
		pages++
		for _, r := range p.Items {
			if seen[r.From.ID] || r.To != n.Ref() || r.Path != "/about" {
				t.Errorf("row %+v, seen %v", r, seen[r.From.ID])
			}
			seen[r.From.ID] = true
		}
		if !p.HasNext {
			break
		}
		args.After = &p.Cursors[len(p.Cursors)-1]
		if _, err := w.BulkCreate(w.system, "c2", items(3), ann); err != nil {
			t.Fatal(err)
		}
	}
	if pages != 7 || len(seen) != 137 {
		t.Errorf("%d pages with %d backlinks; want 7 with 137", pages, len(seen))
	}
	if p, err := w.Backlinks(w.ctx, BacklinksCmd{To: ref.New("user", "nobody"), Page: page.Args{}}); err != nil || len(p.Items) != 0 {
		t.Errorf("of nothing: %+v, %v", p, err)
	}
	bad := 0
	if _, err := w.Backlinks(w.ctx, BacklinksCmd{To: n.Ref(), Page: page.Args{First: &bad}}); !errors.Is(err, page.ErrSize) {
		t.Errorf("first 0: %v", err)
	}
}

// A new reference may lead to what a registered finder finds for this caller, and a finder that refuses hides.
func TestTargetsOfOtherTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"by": reference(Keep, "*")}))
	w.RegisterTarget("user", func(ctx context.Context, ids []string) (map[string]any, error) {
		if !store.InTransaction(ctx) {
			t.Error("the check is not in the transaction")
		}
		if actor.From(ctx).System {
			return map[string]any{ids[0]: "found"}, nil
		}
		return nil, fault.ErrForbidden
	})
	data := m{"by": "user:u1"}
	if _, err := w.Create(w.system, CreateCmd{Type: "note", Data: data}); err != nil {
		t.Error(err)
	}
	_, err := w.Create(w.ctx, CreateCmd{Type: "note", Data: data})
	wantFault(t, err, ErrRefMissing)
}
