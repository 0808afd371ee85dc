package graph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

const waitLong = 10 * time.Second

// objects makes one object of each type and gives their ids by the name of the type.
func (w *world) objects(owner *apptest.Client) map[string]string {
	w.t.Helper()
	me := owner.Must(`{ me { user { id } session { id } membership { id plan { id } } } }`, nil)
	user := w.text(me, "me", "user", "id")
	role := w.admin.Must(`mutation { createRole(input: {key: "reader", name: "Reader", permissions: ["rbac.role.read"]}) { role { id } } }`, nil)
	grant := w.admin.Must(`mutation ($in: GrantRoleInput!) { grantRole(input: $in) { grant { id } } }`, map[string]any{
		"in": map[string]any{"role": w.text(role, "createRole", "role", "id"), "member": w.text(w.admin.Must(`{ me { user { id } } }`, nil), "me", "user", "id")},
	})
	typ := w.admin.Must(`mutation ($in: DefineContentTypeInput!) { defineContentType(input: $in) { contentType { id } } }`, map[string]any{
		"in": map[string]any{"key": "note", "name": "Note", "schema": map[string]any{
			"type": "object", "properties": map[string]any{
				"title": map[string]any{"type": "string"},
				"about": map[string]any{"type": "array", "items": map[string]any{
					"type": "string", "reference": map[string]any{"to": []any{"*"}, "onDelete": "KEEP"},
				}},
			},
		}},
	})
	doc := owner.Must(`mutation { createDocument(input: {type: "note", data: {title: "one"}}) { document { id } } }`, nil)
	devices := owner.Must(`{ myDevices { id client } }`, nil)
	key := owner.Must(`mutation { createAccessKey(input: {name: "ci", scopes: ["registry.document.read"]}) { key { id } } }`, nil)
	return map[string]string{
		"Device": w.text(devices, "myDevices", 0, "id"), "AccessKey": w.text(key, "createAccessKey", "key", "id"), "Factor": w.authenticator(owner), "Identity": w.identity(user),
		"User": user, "Session": w.text(me, "me", "session", "id"), "Membership": w.text(me, "me", "membership", "id"),
		"Plan": w.text(me, "me", "membership", "plan", "id"), "Role": w.text(role, "createRole", "role", "id"),
		"Grant": w.text(grant, "grantRole", "grant", "id"), "ContentType": w.text(typ, "defineContentType", "contentType", "id"),
		"Document": w.text(doc, "createDocument", "document", "id"),
		"Note":     w.native(owner, "core.note", m{"title": "n"}), "Task": w.native(owner, "core.task", m{"title": "t", "status": "TODO"}),
		"Comment": w.native(owner, "core.comment", m{"text": "c", "on": user}), "Tag": w.native(owner, "core.tag", m{"name": "t"}),
		"Bookmark": w.native(owner, "core.bookmark", m{"on": user}), "Attachment": w.file(user), "Job": w.job(user),
		"SavedReport": w.native(owner, "core.report", m{"title": "r", "kind": "LINE", "query": m{}}), "Dashboard": w.native(owner, "core.dashboard", m{"title": "d", "tiles": []any{}}),
	}
}

type m = map[string]any

// native makes a document of a content type of the code.
func (w *world) native(owner *apptest.Client, key string, data m) (id string) {
	made := owner.Must(`mutation ($in: CreateDocumentInput!) { createDocument(input: $in) { document { id } } }`, m{"in": m{"type": key, "data": data}})
	return w.text(made, "createDocument", "document", "id")
}

// job stores a job that has ended, of that user.
func (w *world) job(owner string) string {
	of, err := ref.Parse(owner)
	if err != nil {
		w.t.Fatal(err)
	}
	j := job.Job{ID: ref.NewID(), Kind: "test", State: job.Done, By: of, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	j.Actor.User = of.ID
	storetest.Insert(w.t, w.DB(), "jobs", j)
	return j.Ref().String()
}

// file stores an attachment as if it had been uploaded.
func (w *world) file(owner string) string {
	of, err := ref.Parse(owner)
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now()
	d := registry.Document{
		ID: ref.NewID(), Type: ref.Attachment, Version: 1, Rev: 1, Label: "f", Owner: of, By: registry.Author{User: of}, Op: registry.OpCreate, CreatedAt: now, UpdatedAt: now,
		Data: m{"name": "f", "contentType": "text/plain", "size": 1, "sha256": strings.Repeat("0", 64), "blob": "b", "scan": "NONE"},
	}
	storetest.Insert(w.t, w.DB(), "attachments", d)
	return d.Ref().String()
}

// authenticator gives the owner an authenticator app.
func (w *world) authenticator(owner *apptest.Client) (id string) {
	begun := owner.Must(`mutation { beginTotp { factor secret } }`, nil)
	code, err := totp.GenerateCode(w.text(begun, "beginTotp", "secret"), time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	added := owner.Must(`mutation ($in: ConfirmTotpInput!) { confirmTotp(input: $in) { factor { id } } }`, map[string]any{
		"in": map[string]any{"factor": w.text(begun, "beginTotp", "factor"), "code": code},
	})
	return w.text(added, "confirmTotp", "factor", "id")
}

// identity links an account of another provider to the user, as if they had been there.
func (w *world) identity(user string) string {
	owner, err := ref.Parse(user)
	if err != nil {
		w.t.Fatal(err)
	}
	made := social.Identity{ID: ref.NewID(), User: owner.ID, Provider: "test", Issuer: "https://provider.example", Subject: "1", CreatedAt: time.Now()}
	storetest.Insert(w.t, w.DB(), "identities", made)
	return made.Ref().String()
}

// Every type that implements Node is found by node and by nodes, by whoever may see it; for anybody else there is nothing,
// and finding that out takes the same reads as for an id that never was.
func TestNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner, stranger, nobody := w.user("owner"), w.user("stranger"), w.Browser()
	ids := w.objects(owner)
	possible := w.admin.Must(`{ __type(name: "Node") { possibleTypes { name } } }`, nil)
	list, _ := at(possible, "__type", "possibleTypes").([]any)
	if len(list) != len(ids) {
		t.Fatalf("%v implement Node, and the test knows %v", list, ids)
	}
	// Who sees what: of what lets the owner in, of the membership and of the administrator's grant nobody else does.
	seen := map[string][]*apptest.Client{
		"User": {owner, w.admin, stranger}, "Session": {owner}, "Device": {owner}, "AccessKey": {owner}, "Factor": {owner}, "Identity": {owner}, "Membership": {owner, w.admin}, "Plan": {owner, w.admin, stranger, nobody},
		"Role": {w.admin}, "Grant": {w.admin}, "ContentType": {owner, w.admin, stranger}, "Document": {owner, w.admin, stranger},
		"Note": {owner, w.admin, stranger}, "Task": {owner, w.admin, stranger}, "Comment": {owner, w.admin, stranger}, "Tag": {owner, w.admin, stranger},
		"Bookmark": {owner, w.admin, stranger}, "Attachment": {owner, w.admin, stranger}, "Job": {owner, w.admin},
		"SavedReport": {owner, w.admin, stranger}, "Dashboard": {owner, w.admin, stranger},
	}
	names := map[*apptest.Client]string{owner: "its owner", w.admin: "the administrator", stranger: "a stranger", nobody: "nobody"}
	const query = `($id: ID!, $ids: [ID!]!) { node(id: $id) { __typename id } nodes(ids: $ids) { __typename id } }`
	for _, entry := range list {
		typ := w.text(entry, "name")
		id := ids[typ]
		parsed, err := ref.Parse(id)
		if err != nil {
			t.Fatal(err)
		}
		missing := ref.New(parsed.Type, ref.NewID()).String()
		for client, name := range names {
			data, finds := w.finds(client, query, map[string]any{"id": id, "ids": []string{missing, id, id}})
			want := any(nil)
			if slices.Contains(seen[typ], client) {
				want = map[string]any{"__typename": typ, "id": id}
			}
			if got := fmt.Sprint(at(data, "node")); got != fmt.Sprint(want) {
				t.Errorf("%s: node(%s) = %s, want %v", name, typ, got, want)
			}
			if got := fmt.Sprint(at(data, "nodes")); got != fmt.Sprint([]any{nil, want, want}) {
				t.Errorf("%s: nodes(%s) = %s, want %v twice", name, typ, got, want)
			}
			if want != nil {
				continue
			}
			none, findsOfNone := w.finds(client, query, map[string]any{"id": missing, "ids": []string{missing, missing, missing}})
			if at(none, "node") != nil || finds != findsOfNone {
				t.Errorf("%s: a hidden %s took %d reads, an absent one %d", name, typ, finds, findsOfNone)
			}
		}
	}
}

func TestNodesOfNoType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := w.admin.Must(`{ node(id: "ghost:1") { id } nodes(ids: ["system:system", "metric:1"]) { id } }`, nil)
	if at(data, "node") != nil || fmt.Sprint(at(data, "nodes")) != "[<nil> <nil>]" {
		t.Errorf("%v", data)
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = "plan:" + ref.NewID()
	}
	r := w.admin.Do(`query ($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": many})
	if r.Code() != "BAD_USER_INPUT" || r.Errors[0].Extensions["field"] != "ids" {
		t.Errorf("%+v", r)
	}
	if r := w.admin.Do(`query ($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": many[:100]}); len(r.Errors) > 0 {
		t.Errorf("%+v", r)
	}
}

// A page of documents with their types, owners, references and what those lead to costs the same reads whatever its size.
func TestFindsDoNotDependOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.objects(w.user("first"))
	authors := make([]*apptest.Client, 3)
	self := make([]string, len(authors))
	for i := range authors {
		authors[i] = w.user(fmt.Sprint("author", i))
		self[i] = w.text(authors[i].Must(`{ me { user { id } } }`, nil), "me", "user", "id")
	}
	made := []string{}
	for i := range 54 { // each points at its author and at the documents of two others
		about := []string{self[i%3]}
		for _, back := range []int{1, 2} {
			if i >= back {
				about = append(about, made[i-back])
			}
		}
		data := authors[i%3].Must(`mutation ($in: CreateDocumentInput!) { createDocument(input: $in) { document { id } } }`, map[string]any{
			"in": map[string]any{"type": "note", "data": map[string]any{"title": fmt.Sprint("note ", i), "about": about}},
		})
		made = append(made, w.text(data, "createDocument", "document", "id"))
	}
	const query = `($n: Int!) { documents(type: "note", first: $n) { edges { cursor } pageInfo { hasNextPage } nodes {
		label type { key } owner { name } references { path target {
			__typename ... on User { name } ... on Document { label type { key } owner { name } references { target { __typename ... on Document { label } } } }
		} } } } }`
	for _, n := range []int{4, 20, 50} {
		data, finds := w.finds(authors[0], query, map[string]any{"n": n})
		nodes, _ := at(data, "documents", "nodes").([]any)
		if len(nodes) != n || at(nodes, n-1, "references", 2, "target", "references", 1, "target", "label") == nil {
			t.Fatalf("page of %d: %v", n, data)
		}
		// The page; its owners; its references; their targets: users, documents; the references of those; their targets
		// that were not there yet: documents. Types are in memory, and no user is read twice.
		if want := 7; finds != want {
			t.Errorf("page of %d: %d reads, want %d", n, finds, want)
		}
	}
}
