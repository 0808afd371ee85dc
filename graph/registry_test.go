package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// everything allows everything to whoever is signed in.
type everything struct{}

func (everything) Require(context.Context, string, ref.Ref) error { return nil }

func (everything) RequireSome(context.Context, string) error { return nil }

func (everything) Scope(context.Context, string, string) (predicate.Filter, error) {
	return predicate.All(), nil
}

func (everything) Fields(context.Context, ref.Ref) (hidden, frozen []string, err error) {
	return nil, nil, nil
}

func (everything) ForgetObject(context.Context, ...ref.Ref) error { return nil }

func (everything) Consume(context.Context, ref.Ref, string, int64) error { return nil }

func (everything) Writable(context.Context, ref.Ref, string) error { return nil }

func (everything) Release(context.Context, ref.Ref, string, int64) error { return nil }

// shelf is a server over a real registry, and the finds of its last operation.
type shelf struct {
	*rig
	db    *store.DB
	finds atomic.Pointer[store.Counter]
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	db := storetest.DB(t)
	schema := store.Plan{Collections: append(registry.Collections(), event.Collections()...)}
	if _, err := db.Migrate(t.Context(), schema, false); err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)).Now
	docs := registry.New(db, event.NewLog(db, now), now, everything{}, everything{}, registry.Config{})
	found := func(of func(id string) any) registry.Finder {
		return func(_ context.Context, ids []string) (map[string]any, error) {
			return map[string]any{ids[0]: of(ids[0])}, nil
		}
	}
	docs.RegisterTarget(ref.User, found(func(id string) any { return account.User{ID: id, Name: "Ann"} }))
	docs.RegisterTarget(ref.Role, found(func(id string) any { return rbac.Role{ID: id, Name: "Editor"} }))
	docs.RegisterTarget(ref.Plan, found(func(id string) any { return plan.Plan{ID: id, Window: plan.Window{Name: "Free"}} }))
	docs.RegisterTarget(ref.Metric, func(context.Context, []string) (map[string]any, error) { return nil, fault.ErrForbidden })
	root := &Resolver{Documents: docs}
	from := loader.Sources{
		ContentTypes: docs.TypesByIDs, Documents: docs.ByRefs, References: docs.References, Targets: docs.Resolve, Backlinks: docs.BacklinksOf,
		Users: func(_ context.Context, ids []string) (map[string]account.User, error) {
			return map[string]account.User{ids[0]: {ID: ids[0], Name: "Ann"}}, nil
		},
	}
	s := &shelf{rig: &rig{t: t, log: &logbook{}}, db: db}
	s.srv = newServer(root, everything{}, proven{}, from, Config{}, slog.New(slog.NewJSONHandler(s.log, nil)), Hooks{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, finds := store.WithCounter(actor.With(req.Context(), actor.Actor{User: "u1"}))
		s.finds.Store(finds)
		s.srv.ServeHTTP(w, req.WithContext(ctx))
	}))
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

// must sends an operation that succeeds and reads its data.
func (s *shelf) must(doc string, vars map[string]any, data any) {
	s.t.Helper()
	g := s.query(doc, vars)
	if len(g.Errors) > 0 {
		s.t.Fatalf("%s: %s", doc, g.body)
	}
	if err := json.Unmarshal(g.Data, data); err != nil {
		s.t.Fatalf("%s: %v", g.body, err)
	}
}

func (s *shelf) define(key string, schema map[string]any) {
	s.t.Helper()
	var out any
	s.must(`mutation($in: DefineContentTypeInput!) { defineContentType(input: $in) { contentType { id key version schema } } }`,
		map[string]any{"in": map[string]any{"key": key, "name": key, "schema": schema}}, &out)
}

func (s *shelf) create(data map[string]any) string {
	s.t.Helper()
	var out struct {
		CreateDocument struct {
			Document struct {
				ID  string
				Rev int
			}
		}
	}
	s.must(`mutation($in: CreateDocumentInput!) { createDocument(input: $in) { document { id rev } } }`,
		map[string]any{"in": map[string]any{"type": "note", "data": data}}, &out)
	if out.CreateDocument.Document.Rev != 1 {
		s.t.Fatalf("created %+v", out)
	}
	return out.CreateDocument.Document.ID
}

// note is a content type as people write one, with the keys that only a schema may have.
func note() map[string]any {
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"$defs": map[string]any{"any": map[string]any{
			"type": "string", "reference": map[string]any{"to": []string{"*"}, "onDelete": "KEEP"},
		}},
		"properties": map[string]any{
			"title": map[string]any{"type": "string"},
			"about": map[string]any{"type": "array", "items": map[string]any{"$ref": "#/$defs/any"}},
		},
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.define("note", note())
	first := s.create(map[string]any{"title": "first", "n": 9007199254740993})

	const update = `mutation($in: UpdateDocumentInput!) { updateDocument(input: $in) { document { rev label data } } }`
	in := func(rev int) map[string]any {
		return map[string]any{"in": map[string]any{"id": first, "rev": rev, "patch": map[string]any{"title": "changed"}}}
	}
	var out json.RawMessage
	s.must(update, in(1), &out)
	if want := `{"updateDocument":{"document":{"rev":2,"label":"changed","data":{"n":9007199254740993,"title":"changed"}}}}`; string(out) != want {
		t.Errorf("updated %s; want %s", out, want)
	}
	if g := s.query(update, in(1)); g.code() != "DOCUMENT_STALE" || g.Errors[0].Extensions["rev"] != 2.0 {
		t.Errorf("a stale update: %s", g.body)
	}
	for doc, code := range map[string]string{
		`mutation { createDocument(input: {type: "note", data: {title: 3}}) { document { id } } }`:                      "DOCUMENT_INVALID",
		`mutation { createDocument(input: {type: "note", data: {about: ["session:x"]}}) { document { id } } }`:          "REF_TYPE",
		`mutation { createDocument(input: {type: "note", data: {about: ["document:x"]}}) { document { id } } }`:         "REF_TARGET_MISSING",
		`mutation { updateDocument(input: {id: "user:u1", rev: 1, patch: {}}) { document { id } } }`:                    "NOT_FOUND",
		`mutation { deleteDocument(input: {id: "user:u1"}) { deleted } }`:                                               "NOT_FOUND",
		`mutation { defineContentType(input: {key: "x1", name: "x", schema: {type: "array"}}) { contentType { id } } }`: "SCHEMA_INVALID",
		`{ documents(type: "nope") { nodes { id } } }`:                                                                  "CONTENT_TYPE_UNKNOWN",
		`{ documents(type: "note", first: 0) { nodes { id } } }`:                                                        "PAGE_SIZE",
	} {
		if g := s.query(doc, nil); g.code() != code {
			t.Errorf("%s: %s; want %s", doc, g.body, code)
		}
	}
	s.must(`{ contentTypes { key schema } documents(type: "note") { nodes { id } edges { node { id } cursor } } }`, nil, &out)
}

// A revision whose predecessor has expired has no difference, and one whose data cannot be told no document: the rest of the
// answer stays whole.
func TestHistoryExpired(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.define("note", note())
	id := s.create(map[string]any{"title": "1"})
	var out json.RawMessage
	for rev := 1; rev <= 2; rev++ {
		s.must(`mutation($in: UpdateDocumentInput!) { updateDocument(input: $in) { document { rev } } }`,
			map[string]any{"in": map[string]any{"id": id, "rev": rev, "patch": map[string]any{"title": strconv.Itoa(rev + 1)}}}, &out)
	}
	const history = `query($id: ID!) { document(id: $id) { history(first: 5) { nodes { rev fields document { data } diff { pointer before after } } } } }`
	read := func(want string) {
		t.Helper()
		if s.must(history, map[string]any{"id": id}, &out); string(out) != `{"document":{"history":{"nodes":[`+want+`]}}}` {
			t.Errorf("%s; want %s", out, want)
		}
	}
	diff := func(before, after string) string {
		return fmt.Sprintf(`[{"pointer":"/title","before":{"value":%q},"after":{"value":%q}}]`, before, after)
	}
	read(`{"rev":3,"fields":["title"],"document":{"data":{"title":"3"}},"diff":` + diff("2", "3") + `},` +
		`{"rev":2,"fields":["title"],"document":{"data":{"title":"2"}},"diff":` + diff("1", "2") + `},` +
		`{"rev":1,"fields":["title"],"document":{"data":{"title":"1"}},"diff":[]}`)
	if _, err := s.db.Collection("revisions").DeleteOne(t.Context(), bson.D{{Key: "rev", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	read(`{"rev":3,"fields":["title"],"document":{"data":{"title":"3"}},"diff":[]},{"rev":2,"fields":[],"document":null,"diff":[]}`)
	if g := s.query(`query($id: ID!) { document(id: $id) { history(first: 1) { nodes { diff(from: 1) { pointer } } } } }`, map[string]any{"id": id}); g.code() != "REVISION_UNKNOWN" {
		t.Errorf("%s", g.body)
	}
}

// Golden 30: one of each kind of target in one answer, in the order asked, and in the references of a document.
func TestEveryRefTarget(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.define("note", note())
	var types struct{ ContentTypes []struct{ ID string } }
	s.must(`{ contentTypes { id } }`, nil, &types)
	gone, here := s.create(map[string]any{"title": "gone"}), s.create(map[string]any{"title": "here"})
	refs := []string{here, "user:u1", "role:r1", "plan:p1", types.ContentTypes[0].ID, gone}
	holder := s.create(map[string]any{"about": refs})
	var deleted struct{ DeleteDocument struct{ Deleted []string } }
	s.must(`mutation($in: DeleteDocumentInput!) { deleteDocument(input: $in) { deleted } }`,
		map[string]any{"in": map[string]any{"id": gone}}, &deleted)
	if d := deleted.DeleteDocument.Deleted; len(d) != 1 || d[0] != gone {
		t.Errorf("deleted %v", d)
	}
	const target = `__typename ... on Document { id label } ... on User { id } ... on Role { id } ... on Plan { id } ... on ContentType { id }
		... on Tombstone { id label deletedAt } ... on Forbidden { id } ... on UnknownTarget { id }`
	type answer struct {
		Typename string `json:"__typename"`
		ID       string
		Label    string
	}
	kinds := []string{"Document", "User", "Role", "Plan", "ContentType", "Tombstone", "Forbidden", "UnknownTarget"}

	var resolved struct{ Resolve []answer }
	all := slices.Concat(refs, []string{"metric:m1", "document:never"})
	s.must(`query($refs: [ID!]!) { resolve(refs: $refs) { `+target+` } }`, map[string]any{"refs": all}, &resolved)
	for i, a := range resolved.Resolve {
		if a.Typename != kinds[i] || a.ID != all[i] || a.Typename == "Tombstone" && a.Label != "gone" {
			t.Errorf("resolve %s gave %+v; want a %s", all[i], a, kinds[i])
		}
	}
	var listed struct {
		Documents struct {
			Nodes []struct {
				ID         string
				References []struct {
					Path, To string
					Target   answer
				}
			}
		}
	}
	s.must(`{ documents(type: "note", first: 1) { nodes { id references { path to target { `+target+` } } } } }`, nil, &listed)
	for i, r := range listed.Documents.Nodes[0].References {
		if r.Path != fmt.Sprintf("/about/%d", i) || r.To != refs[i] || r.Target.Typename != kinds[i] || r.Target.ID != refs[i] {
			t.Errorf("reference %+v; want %s", r, refs[i])
		}
	}
	if id := listed.Documents.Nodes[0].ID; id != holder {
		t.Errorf("the newest is %s; want %s", id, holder)
	}
}

// A page with its types, owners, references, targets and the first page of backlinks with their documents and owners costs
// the same number of finds at any size.
func TestFindsOfAPage(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.define("note", note())
	last := s.create(map[string]any{"title": "n"})
	for range 30 {
		last = s.create(map[string]any{"about": []string{last}})
	}
	finds := map[int]int{}
	for _, first := range []int{5, 25} {
		var out any
		s.must(`query($first: Int!) { documents(type: "note", first: $first) { nodes {
			type { key } owner { id } references { target { ... on Document { id type { key } } } }
			backlinks(types: ["note"], first: 3) { nodes { from { id owner { id } } } } } } }`, map[string]any{"first": first}, &out)
		finds[first] = s.finds.Load().Count("find")
	}
	if finds[5] != finds[25] || finds[25] > 7 {
		t.Errorf("finds by size of the page: %v", finds)
	}
	var out struct {
		Documents struct {
			Nodes []struct {
				Backlinks struct {
					Nodes []struct {
						Path string
						From struct{ ID string }
					}
				}
			}
		}
	}
	s.must(`{ documents(type: "note", first: 2) { nodes { backlinks { nodes { path from { id } } pageInfo { hasNextPage } } } } }`, nil, &out)
	if b := out.Documents.Nodes[1].Backlinks.Nodes; len(b) != 1 || b[0].From.ID != last || b[0].Path != "/about/0" {
		t.Errorf("backlinks = %+v", out)
	}
	if b := out.Documents.Nodes[0].Backlinks.Nodes; b == nil || len(b) != 0 {
		t.Errorf("backlinks of the last = %+v; want an empty list", b)
	}
}

// Filters, sorts, counts and facets by GraphQL, and what a client learns of the fields.
func TestDocumentsFiltered(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.define("note", map[string]any{"type": "object", "properties": map[string]any{
		"title": map[string]any{"type": "string", "index": true, "search": true},
		"n":     map[string]any{"type": "number", "index": true},
		"in":    map[string]any{"type": "object", "properties": map[string]any{"x": map[string]any{"type": "boolean", "index": true}}},
	}})
	for i, title := range []string{"one", "two", "three"} {
		s.create(map[string]any{"title": title, "n": i * 1_000_000, "in": map[string]any{"x": i > 0}})
	}
	var out json.RawMessage
	for doc, want := range map[string]string{
		`{ documents(type: "note", filter: {n: {gt: 0}}, sort: [{field: "n"}], first: 1) { nodes { label } count } }`:                       `{"documents":{"nodes":[{"label":"two"}],"count":2}}`,
		`{ documents(type: "note", filter: {field: "in.x", op: "eq", value: true}, sort: [{field: "n", desc: true}]) { nodes { label } } }`: `{"documents":{"nodes":[{"label":"three"},{"label":"two"}]}}`,
		`{ documents(type: "note", search: "THREE") { nodes { label } count(limit: 1) } }`:                                                  `{"documents":{"nodes":[{"label":"three"}],"count":1}}`,
		`{ documents(type: "note", prefix: "T", filter: {title: {startsWith: "tw"}}) { nodes { label } } }`:                                 `{"documents":{"nodes":[{"label":"two"}]}}`,
		`{ documentFacets(input: {type: "note", fields: ["n", "in.x"], filter: {n: {gte: 1000000}}}) { field values { value count } } }`: `{"documentFacets":[{"field":"n","values":[{"value":"1000000","count":1},{"value":"2000000","count":1}]},` +
			`{"field":"in.x","values":[{"value":"true","count":2}]}]}`,
	} {
		s.must(doc, nil, &out)
		if string(out) != want {
			t.Errorf("%s gives %s; want %s", doc, out, want)
		}
	}
	for doc, code := range map[string]string{
		`{ documents(type: "note", filter: {rev: {eq: 1}}) { nodes { id } } }`:    "NOT_INDEXED",
		`{ documents(type: "note", filter: {n: {eq: "x"}}) { nodes { id } } }`:    "FILTER_INVALID",
		`{ documents(type: "note") { count(limit: 0) } }`:                         "FILTER_INVALID",
		`{ documentFacets(input: {type: "note", fields: ["rev"]}) { field } }`:    "FILTER_INVALID",
		`{ documents(type: "note", sort: [{field: "rev"}]) { nodes { id } } }`:    "NOT_INDEXED",
		`{ documents(type: "note", sort: [{field: "n"}], after: "x") { count } }`: "BAD_CURSOR",
	} {
		if g := s.query(doc, nil); g.code() != code {
			t.Errorf("%s: %s; want %s", doc, g.body, code)
		}
	}
	type typ struct {
		Fields []struct {
			Name, Kind              string
			List, Indexed, Searched bool
			Operators               []string
		}
		FilterSchema map[string]any
		Native       bool
	}
	var types struct{ ContentTypes []typ }
	s.must(`{ contentTypes { fields { name kind list indexed searched operators } filterSchema native } }`, nil, &types)
	types.ContentTypes = slices.DeleteFunc(types.ContentTypes, func(t typ) bool { return t.Native })
	fields := types.ContentTypes[0].Fields
	if got := fmt.Sprint(fields[len(fields)-1]); got != "{title TEXT false true true [eq ne in gt gte lt lte exists contains startsWith]}" || len(fields) != 9 {
		t.Errorf("fields %v", fields)
	}
	properties, _ := types.ContentTypes[0].FilterSchema["properties"].(map[string]any)
	if n, ok := properties["n"].(map[string]any); !ok || n["x-indexed"] != true || properties["in.x"] != nil {
		t.Errorf("schema %v", types.ContentTypes[0].FilterSchema)
	}
}
