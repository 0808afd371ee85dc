package registry

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestDefine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	schema := m{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "$defs": m{"a.b": m{}}}
	got := w.define("note", schema)
	if got.Key != "note" || got.Version != 1 || !got.CreatedAt.Equal(t0) || !reflect.DeepEqual(got.Schema, schema) {
		t.Errorf("Define() = %+v", got)
	}
	all, err := w.Types(w.ctx)
	if err != nil || len(all) != 1+len(natives) || !reflect.DeepEqual(all[len(natives)], got) {
		t.Errorf("Types() = %+v, %v; want %+v", all, err, got)
	}
	if n := w.kinds()["registry.type.created"]; n != 1 {
		t.Errorf("%d events", n)
	}
	w.RegisterTarget("plan", nil)
	for name, tc := range map[string]struct {
		key, name string
		want      *fault.Error
	}{
		"taken":          {"note", "Note", ErrTypeTaken},
		"built-in":       {"document", "x", ErrTypeTaken},
		"registered":     {"plan", "x", ErrTypeTaken},
		"short key":      {"n", "x", fault.ErrInput},
		"long key":       {strings.Repeat("k", 65), "x", fault.ErrInput},
		"upper case key": {"Note", "x", fault.ErrInput},
		"key with $":     {"$note", "x", fault.ErrInput},
		"no name":        {"other", "", fault.ErrInput},
		"long name":      {"other", strings.Repeat("ä", 101), fault.ErrInput},
		"name not UTF-8": {"other", "\xff", fault.ErrInput},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Define(w.ctx, DefineCmd{Key: tc.key, Name: tc.name, Schema: object(m{})})
			if e := wantFault(t, err, tc.want); e.Field == "" {
				t.Errorf("blames no field: %v", e)
			}
		})
	}
	if n := storetest.Count(t, w.db, "events"); n != 1 {
		t.Errorf("%d events after refusals; want 1", n)
	}
}

func TestDefineAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	rows := make([]any, MaxTypes)
	for i := range rows {
		rows[i] = typeRow{ContentType: ContentType{ID: ref.NewID(), Key: ref.NewID(), State: Active, Version: 1}, Names: []string{ref.NewID()}, Schema: `{"type":"object"}`}
	}
	storetest.Insert(t, w.db, "content_types", rows...)
	_, err := w.Define(w.ctx, DefineCmd{Key: "more", Name: "More", Schema: object(m{})})
	wantFault(t, err, ErrTypeLimit)
	if err := w.Load(t.Context()); err != nil || len(w.types.byID) != MaxTypes+len(natives) {
		t.Errorf("Load() = %v with %d types", err, len(w.types.byID))
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	typ := w.define("note", object(m{"title": m{"type": "string"}, "about": reference(Restrict, "note", "user")}))
	w.RegisterTarget(ref.User, w.finderOf("users"))
	storetest.Insert(t, w.db, "users", bson.D{{Key: "_id", Value: "u1"}})

	d := w.create("note", m{"title": "first", "n": 1})
	want := Document{
		ID: d.ID, Type: typ.ID, Version: 1, Rev: 1, Label: "first", Data: m{"title": "first", "n": int64(1)}, Owner: ann,
		By: Author{User: ann}, Op: OpCreate, CreatedAt: t0, UpdatedAt: t0,
	}
	if stored, _ := w.read(d.ID); !reflect.DeepEqual(d, want) || !reflect.DeepEqual(stored, want) {
		t.Errorf("Create() = %+v, stored %+v; want %+v", d, stored, want)
	}
	second := w.create("note", m{"about": d.Ref().String()})
	third := w.create("note", m{"about": "user:u1"})
	got, err := w.References(w.ctx, []ref.Ref{second.Ref(), third.Ref(), d.Ref()})
	if err != nil || len(got) != 2 || got[second.ID][0].To != d.Ref() || got[third.ID][0].To != ref.New("user", "u1") {
		t.Errorf("References() = %+v, %v", got, err)
	}
	if r := got[second.ID][0]; r.From != second.Ref() || r.Path != "/about" || r.OnDelete != Restrict {
		t.Errorf("row = %+v", r)
	}
	w.noStrands()

	log, err := event.NewLog(w.db, w.clock.Now).On(t.Context(), d.Ref(), page.Args{})
	if err != nil || len(log.Items) != 1 || log.Items[0].Kind != kindCreated || log.Items[0].Actor.User != annID {
		t.Fatalf("events = %+v, %v", log.Items, err)
	}
	fact, err := store.Decode[documentFact](log.Items[0].Data)
	if fact.Document.Data = plainMap(fact.Document.Data); err != nil || !reflect.DeepEqual(fact.Document, want) {
		t.Errorf("event tells %+v, %v; want the document", fact.Document, err)
	}
}

// What is refused leaves nothing behind: no document, no row, no event, no use of the quota.
func TestCreateRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"title": m{"type": "string"}, "about": reference(Restrict, "note")}))
	other := w.define("other", object(m{}))
	w.RegisterTarget(ref.User, w.finderOf("users"))
	o := w.create("other", m{})
	events, used := storetest.Count(t, w.db, "events"), w.quota.used(t, ann)
	visitor := actor.With(t.Context(), actor.Actor{})
	for name, tc := range map[string]struct {
		key  string
		data m
		want *fault.Error
	}{
		"unknown type":                  {"nope", m{}, ErrTypeUnknown},
		"golden 21: invalid":            {"note", m{"title": 3}, ErrInvalid},
		"operator":                      {"note", m{"$set": 1}, ErrInvalid},
		"golden 12: absent target":      {"note", m{"about": "document:" + ref.NewID()}, ErrRefMissing},
		"golden 11: another document":   {"note", m{"about": o.Ref().String()}, ErrRefType},
		"golden 11: another type":       {"note", m{"about": "user:u1"}, ErrRefType},
		"golden 11: no target at all":   {"note", m{"about": "session:s1"}, ErrRefType},
		"a content type, not allowed":   {"note", m{"about": other.Ref().String()}, ErrRefType},
		"a secret collection as a type": {"note", m{"about": "sessions:x"}, ErrRefType},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Create(w.ctx, CreateCmd{Type: tc.key, Data: tc.data})
			e := wantFault(t, err, tc.want)
			if tc.want == ErrRefType && !reflect.DeepEqual(e.Details["allowed"], []string{"note"}) {
				t.Errorf("allowed = %v", e.Details["allowed"])
			}
			if (tc.want == ErrRefType || tc.want == ErrRefMissing) && e.Details["pointer"] != "/about" {
				t.Errorf("pointer = %v", e.Details["pointer"])
			}
			if name == "golden 21: invalid" && e.Details["pointer"] != "/title" {
				t.Errorf("pointer = %v", e.Details["pointer"])
			}
		})
	}
	_, err := w.Create(visitor, CreateCmd{Type: "note", Data: m{}})
	wantFault(t, err, fault.ErrUnauthenticated)
	w.quota.limit = 1
	if _, err := w.Create(w.ctx, CreateCmd{Type: "note", Data: m{}}); !errors.Is(err, errQuota) {
		t.Errorf("over the quota: %v", err)
	}
	if n := storetest.Count(t, w.db, "documents"); n != 1 {
		t.Errorf("%d documents", n)
	}
	if n := storetest.Count(t, w.db, "events"); n != events {
		t.Errorf("%d events; want %d", n, events)
	}
	if n := w.quota.used(t, ann); n != used {
		t.Errorf("quota used %d; want %d", n, used)
	}
	w.noStrands()
}

// Each method asks first: a caller without the right changes nothing and learns nothing, not even that the id exists.
func TestDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	d := w.create("note", m{"title": "secret"})
	w.rights.deny(PermTypeWrite, PermRead, PermCreate, PermUpdate, PermDelete)
	ctx, counted := store.WithCounter(w.ctx)
	for name, call := range map[string]func() error{
		"Define": func() error {
			_, err := w.Define(ctx, DefineCmd{Key: "xx", Name: "x", Schema: object(m{})})
			return err
		},
		"Create":     func() error { _, err := w.Create(ctx, CreateCmd{Type: "note"}); return err },
		"BulkCreate": func() error { _, err := w.BulkCreate(ctx, "note", []m{{}}, ann); return err },
		"Update":     func() error { _, err := w.Update(ctx, UpdateCmd{On: d.Ref(), Rev: 1}); return err },
		"Delete":     func() error { _, err := w.del(ctx, d.Ref()); return err },
		"Types":      func() error { _, err := w.Types(ctx); return err },
		"List":       func() error { _, err := w.List(ctx, ListCmd{Type: "note"}); return err },
		"Backlinks":  func() error { _, err := w.Backlinks(ctx, BacklinksCmd{To: d.Ref(), Page: page.Args{}}); return err },
		"ListChannel": func() error {
			_, _, _, _, err := w.ListChannel(ctx, FollowCmd{Type: "note", First: 1}) //nolint:dogsled // only the refusal matters
			return err
		},
	} {
		if err := call(); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("%s: %v; want FORBIDDEN", name, err)
		}
	}
	docs, err := w.ByIDs(ctx, ref.Document, []string{d.ID})
	types, terr := w.TypesByIDs(ctx, []string{d.Type})
	refs, rerr := w.References(ctx, []ref.Ref{d.Ref()})
	if len(docs)+len(types)+len(refs) != 0 || err != nil || terr != nil || rerr != nil {
		t.Errorf("look-ups gave %v %v %v, %v %v %v", docs, types, refs, err, terr, rerr)
	}
	if n := counted.Total(); n != 0 {
		t.Errorf("%d commands were sent for the refused", n)
	}
}

// A scope that says nothing lets see nothing; a filter is applied in the find.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"to": reference(Keep, "*")}))
	mine := w.create("note", m{"title": "mine"})
	theirs, err := w.Create(w.system, CreateCmd{Type: "note", Data: m{"title": "theirs", "to": mine.Ref().String()}})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{mine.ID, theirs.ID}

	w.rights.scope = new(predicate.Filter{})
	if docs, err := w.ByIDs(w.ctx, ref.Document, ids); err != nil || len(docs) != 0 {
		t.Errorf("zero scope: %v, %v", docs, err)
	}
	if _, err := w.List(w.ctx, ListCmd{Type: "note"}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("zero scope: List: %v", err)
	}

	w.rights.scope = new(predicate.Eq("owner", annID))
	docs, err := w.ByIDs(w.ctx, ref.Document, ids)
	if _, ok := docs[mine.ID]; err != nil || !ok || len(docs) != 1 {
		t.Errorf("filter: %v, %v", docs, err)
	}
	if p, err := w.List(w.ctx, ListCmd{Type: "note"}); err != nil || len(p.Items) != 1 || p.Items[0].ID != mine.ID {
		t.Errorf("filter: List: %+v, %v", p, err)
	}
	if refs, err := w.References(w.ctx, docs2refs(ids)); err != nil || len(refs) != 0 {
		t.Errorf("filter: the references of a hidden document show: %v, %v", refs, err)
	}
	if p, err := w.Backlinks(w.ctx, BacklinksCmd{To: mine.Ref()}); err != nil || len(p.Items) != 0 {
		t.Errorf("filter: a hidden document is told of: %+v, %v", p.Items, err)
	}
	got, err := w.Resolve(w.ctx, []ref.Ref{mine.Ref(), theirs.Ref(), ref.New(ref.Document, "nope")})
	if err != nil || got[0].Outcome != Found || got[1].Outcome != Hidden || got[2].Outcome != Hidden {
		t.Errorf("filter: Resolve: %+v, %v", got, err)
	}
	_, err = w.Create(w.ctx, CreateCmd{Type: "note", Data: m{"to": theirs.Ref().String()}})
	wantFault(t, err, ErrRefMissing) // what the caller may not see is not there
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"title": m{"type": "string"}, "about": m{"type": "array", "items": reference(Keep, "note")}}))
	x, y := w.create("note", m{"title": "x"}), w.create("note", m{"title": "y"})
	d := w.create("note", m{"title": "d", "keep": m{"a": 1, "b": 2}, "about": a{x.Ref().String()}})
	before, err := w.References(w.ctx, []ref.Ref{d.Ref()})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	patch := m{"title": "new", "keep": m{"a": nil}, "about": a{x.Ref().String(), y.Ref().String()}}
	got, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: patch})
	want := d
	want.Rev, want.Label, want.Op, want.UpdatedAt = 2, "new", OpUpdate, t0.Add(time.Minute)
	want.Data = m{"title": "new", "keep": m{"b": int64(2)}, "about": a{x.Ref().String(), y.Ref().String()}}
	if stored, _ := w.read(d.ID); err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(stored, want) {
		t.Fatalf("Update() = %+v, %v; stored %+v; want %+v", got, err, stored, want)
	}
	after, err := w.References(w.ctx, []ref.Ref{d.Ref()})
	if err != nil || len(after[d.ID]) != 2 || after[d.ID][0].ID != before[d.ID][0].ID {
		t.Errorf("references = %+v, %v; want the first as it was and one more", after, err)
	}
	w.noStrands()
	if n := w.kinds()[kindUpdated]; n != 1 {
		t.Errorf("%d events of updates", n)
	}

	t.Run("golden 18: stale", func(t *testing.T) {
		_, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: m{"title": "lost"}})
		if e := wantFault(t, err, ErrStale); e.Details["rev"] != 2 {
			t.Errorf("rev = %v; want the current 2", e.Details["rev"])
		}
	})
	for name, tc := range map[string]struct {
		id    string
		patch m
		want  *fault.Error
	}{
		"absent":         {ref.NewID(), m{}, fault.ErrNotFound},
		"invalid":        {d.ID, m{"title": nil, "about": "x"}, ErrInvalid},
		"operator":       {d.ID, m{"a": m{"$inc": 1}}, ErrInvalid},
		"absent target":  {d.ID, m{"about": a{"document:" + ref.NewID()}}, ErrRefMissing},
		"together large": {d.ID, m{"a": strings.Repeat("x", MaxDataBytes-20)}, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Update(w.ctx, UpdateCmd{On: doc(tc.id), Rev: 2, Patch: tc.patch})
			wantFault(t, err, tc.want)
		})
	}
	if stored, _ := w.read(d.ID); !reflect.DeepEqual(stored, want) {
		t.Errorf("a refused update changed the document: %+v", stored)
	}
	if n := w.kinds()[kindUpdated]; n != 1 {
		t.Errorf("%d events of updates after refusals", n)
	}

	t.Run("at itself", func(t *testing.T) {
		got, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 2, Patch: m{"about": a{d.Ref().String()}}})
		if err != nil || got.Rev != 3 {
			t.Errorf("Update() = %+v, %v", got, err)
		}
		w.noStrands()
	})
}

// The document, its rows, the quota and the event are one: when one write fails, none happened.
func TestWritesAreOne(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"insert", "update"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{})
			w.define("note", object(m{"about": reference(Restrict, "note")}))
			x := w.create("note", m{})
			events := storetest.Count(t, w.db, "events")
			for skip := range 3 {
				off := storetest.FailPoint(t, w.db, bson.D{{Key: "skip", Value: skip}}, bson.D{
					{Key: "failCommands", Value: bson.A{command}}, {Key: "errorCode", Value: 8000},
				})
				_, err := w.Create(w.ctx, CreateCmd{Type: "note", Data: m{"about": x.Ref().String()}})
				off()
				if command == "update" && skip > 0 {
					if err != nil {
						t.Fatalf("one update alone: %v", err)
					}
					return
				}
				if err == nil {
					t.Fatalf("write %d failed and the call did not", skip)
				}
				if n := storetest.Count(t, w.db, "documents"); n != 1 {
					t.Errorf("%d documents", n)
				}
				if n := storetest.Count(t, w.db, "events"); n != events {
					t.Errorf("%d events", n)
				}
				if n := w.quota.used(t, ann); n != 1 {
					t.Errorf("quota used %d", n)
				}
				w.noStrands()
			}
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	w.define("other", object(m{}))
	var ids []string
	for range 5 {
		ids = append([]string{w.create("note", m{}).ID}, ids...)
		w.create("other", m{})
	}
	two := 2
	var got []string
	args := page.Args{First: &two}
	for {
		p, err := w.List(w.ctx, ListCmd{Type: "note", Page: args})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range p.Items {
			got = append(got, d.ID)
		}
		if !p.HasNext {
			break
		}
		args.After = &p.Cursors[len(p.Cursors)-1]
	}
	if !reflect.DeepEqual(got, ids) {
		t.Errorf("pages gave %v; want %v", got, ids)
	}
	if p, err := w.List(w.ctx, ListCmd{Type: "note", Page: page.Args{Last: &two}}); err != nil || len(p.Items) != 2 || p.Items[1].ID != ids[4] {
		t.Errorf("last 2 = %+v, %v", p, err)
	}
	_, err := w.List(w.ctx, ListCmd{Type: "nope"})
	wantFault(t, err, ErrTypeUnknown)
	_, err = w.List(w.ctx, ListCmd{Type: "note", Page: page.Args{After: new("x")}})
	wantFault(t, err, page.ErrCursor)
}
