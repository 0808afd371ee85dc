package app_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/ref"
)

// at walks into an answer: field names, and indexes as numbers.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for i, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("at %v: %v is no object", path[:i], v)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				t.Fatalf("at %v: %v has no element %d", path[:i], v, p)
			}
			v = l[p]
		}
	}
	return v
}

func text(t *testing.T, v any, path ...any) string {
	t.Helper()
	s, ok := at(t, v, path...).(string)
	if !ok {
		t.Fatalf("at %v: %v is no text", path, v)
	}
	return s
}

// admin signs in with the administrator of a fresh database.
func admin(t *testing.T, s *apptest.Server) *apptest.Client {
	t.Helper()
	c := s.Browser()
	first := s.SignIns()[0]
	c.Token = signIn(t, c, first.Email, first.Password)
	return c
}

func signIn(t *testing.T, c *apptest.Client, email, password string) (token string) {
	t.Helper()
	return text(t, c.Must(`mutation($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn { token } } } }`,
		map[string]any{"in": map[string]any{"identifier": email, "password": password, "transport": "BEARER"}}), "signIn", "result", "token")
}

// user registers somebody and gives a client that sends the token.
func user(t *testing.T, s *apptest.Server, name string) (c *apptest.Client, id string) {
	t.Helper()
	c = s.Browser()
	email := c.Register(name)
	id = text(t, c.Must(`{ me { user { id } } }`, nil), "me", "user", "id")
	other := s.Browser()
	other.Token = signIn(t, other, email, apptest.Password)
	return other, id
}

const (
	defineType = `mutation($in: DefineContentTypeInput!) { defineContentType(input: $in) { contentType { id } } }`
	createDoc  = `mutation($in: CreateDocumentInput!) { createDocument(input: $in) { document { id rev } } }`
	updateDoc  = `mutation($in: UpdateDocumentInput!) { updateDocument(input: $in) { document { rev } } }`
	deleteDoc  = `mutation($in: DeleteDocumentInput!) { deleteDocument(input: $in) { deleted } }`
	revoke     = `mutation($in: RevokeGrantInput!) { revokeGrant(input: $in) { stillHeld } }`
)

func defineNote(c *apptest.Client) {
	c.Must(defineType, map[string]any{"in": map[string]any{"key": "note", "name": "Note", "schema": map[string]any{
		"type": "object", "label": "text", "required": []any{"text"}, "additionalProperties": false,
		"properties": map[string]any{
			"text":  map[string]any{"type": "string", "minLength": 1},
			"about": map[string]any{"type": "string", "reference": map[string]any{"to": []any{"*"}, "onDelete": "KEEP"}},
		},
	}}})
}

func note(body string, about ...string) map[string]any {
	data := map[string]any{"text": body}
	if len(about) > 0 {
		data["about"] = about[0]
	}
	return map[string]any{"in": map[string]any{"type": "note", "data": data}}
}

// TestSlice is the path through the seven systems as a user walks it.
func TestSlice(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	u, id := user(t, s, "walker")

	// rbac: what a new user may do, and what not.
	can := u.Must(`{ can(checks: [{permission: "registry.document.create"}, {permission: "rbac.role.write"}, {permission: "no.such.thing"}]) { allowed reason } }`, nil)
	if got := fmt.Sprint(at(t, can, "can")); got != "[map[allowed:true reason:ALLOWED] map[allowed:false reason:NO_PATH] map[allowed:false reason:UNKNOWN_PERMISSION]]" {
		t.Errorf("can: %s", got)
	}
	// plans: the quota holds, exactly.
	var docs []string
	for i := range 20 {
		docs = append(docs, text(t, u.Must(createDoc, note("note "+strconv.Itoa(i), id)), "createDocument", "document", "id"))
	}
	over := u.Do(createDoc, note("one too many"))
	if over.Code() != "QUOTA_EXCEEDED" || over.Errors[0].Extensions["limit"] != float64(20) || over.Errors[0].Extensions["used"] != float64(20) {
		t.Errorf("the 21st of 20 documents: %+v", over.Errors)
	}
	// registry: references resolve, backlinks lead home, a tombstone remembers.
	one := u.Must(`query($id: ID!) { node(id: $id) { ... on Document { label owner { name } references { path target { __typename ... on User { name } } } } } }`, map[string]any{"id": docs[0]})
	if got := fmt.Sprint(at(t, one, "node")); got != "map[label:note 0 owner:map[name:walker] references:[map[path:/about target:map[__typename:User name:walker]]]]" {
		t.Errorf("document: %s", got)
	}
	root.Must(createDoc, note("about a note", docs[1]))
	back := u.Must(`query($id: ID!) { node(id: $id) { ... on Document { backlinks { nodes { path from { label } } } } } }`, map[string]any{"id": docs[1]})
	if got := fmt.Sprint(at(t, back, "node", "backlinks", "nodes")); got != "[map[from:map[label:about a note] path:/about]]" {
		t.Errorf("backlinks: %s", got)
	}
	root.Must(deleteDoc, map[string]any{"in": map[string]any{"id": docs[1]}})
	gone := u.Must(`query($refs: [ID!]!) { resolve(refs: $refs) { __typename ... on Tombstone { label } } }`, map[string]any{"refs": []any{docs[1], docs[0], "document:" + ref.NewID(), id}})
	if got := fmt.Sprint(at(t, gone, "resolve")); got != "[map[__typename:Tombstone label:note 1] map[__typename:Document] map[__typename:UnknownTarget] map[__typename:User]]" {
		t.Errorf("resolve: %s", got)
	}
	u.Must(createDoc, note("there is room again")) // the deleted one was released
	if u.Do(createDoc, note("full again")).Code() != "QUOTA_EXCEEDED" {
		t.Error("the quota lost count")
	}
	// Optimistic writes: a stale revision is refused and says the current one.
	for i, want := range []string{"", "DOCUMENT_STALE"} {
		r := root.Do(updateDoc, map[string]any{"in": map[string]any{"id": docs[0], "rev": 1, "patch": map[string]any{"text": "v" + strconv.Itoa(i)}}})
		if r.Code() != want {
			t.Errorf("update %d at rev 1: %+v", i, r.Errors)
		}
	}
}

// TestForeignAndMissingLookAlike asks for things one may not see.
func TestForeignAndMissingLookAlike(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	_, stranger := user(t, s, "stranger")
	session := text(t, root.Must(`{ me { session { id } } }`, nil), "me", "session", "id")
	doc := text(t, root.Must(createDoc, note("x")), "createDocument", "document", "id")
	nobody := s.Browser()
	for _, id := range []string{stranger, session, doc, "user:" + ref.NewID(), "session:" + ref.NewID(), "nonsense:1", "event:1"} {
		r := nobody.Do(`query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": id})
		if len(r.Errors) > 0 || r.Data["node"] != nil {
			t.Errorf("node(%s) for nobody: %+v %v", id, r.Errors, r.Data)
		}
	}
}

// TestBadInput: each is a coded error, and the server goes on.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	deep := strings.Repeat("{a", 10_000) + strings.Repeat("}", 10_000)
	for name, tc := range map[string]struct {
		query, code string
		vars        map[string]any
	}{
		"unknown field":        {`{ me { nope } }`, "GRAPHQL_VALIDATION_FAILED", nil},
		"not GraphQL":          {`{ me {`, "GRAPHQL_PARSE_FAILED", nil},
		"10,000 nested levels": {deep, "QUERY_TOO_", nil},
		"missing variable":     {`query($id: ID!) { node(id: $id) { id } }`, "BAD_USER_INPUT", nil},
		"wrong type":           {`query($id: ID!) { node(id: $id) { id } }`, "BAD_", map[string]any{"id": map[string]any{"$ne": nil}}},
		"no id":                {`{ node(id: "zzz") { id } }`, "BAD_ID", nil},
		"page too large":       {`{ documents(type: "note", first: 2147483647) { nodes { id } } }`, "PAGE_SIZE", nil},
		"negative page":        {`{ documents(type: "note", first: -1) { nodes { id } } }`, "PAGE_SIZE", nil},
		"cursor of another":    {`{ documents(type: "note", after: "WyJhIiwiYiJd") { nodes { id } } }`, "BAD_CURSOR", nil},
		"operator as key":      {createDoc, "BAD_USER_INPUT", map[string]any{"in": map[string]any{"type": "note", "data": map[string]any{"$where": "1"}}}},
		"data against schema":  {createDoc, "DOCUMENT_INVALID", map[string]any{"in": map[string]any{"type": "note", "data": map[string]any{"text": 5}}}},
		"dangling reference":   {createDoc, "REF_TARGET_MISSING", note("x", "document:"+ref.NewID())},
		"event in the future":  {`mutation { track(input: {events: [{id: "12345678", name: "x", at: "2999-01-01T00:00:00Z"}]}) { accepted } }`, "EVENT_INVALID", nil},
		"subscription by POST": {`subscription { live(channels: []) { seq } }`, "SUBSCRIPTION_NEEDS_SOCKET", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := root.Do(tc.query, tc.vars)
			if !strings.HasPrefix(r.Code(), tc.code) {
				t.Errorf("code %q of %+v, want %s", r.Code(), r.Errors, tc.code)
			}
			for _, e := range r.Errors {
				if strings.Contains(e.Message, "mongo") || strings.Contains(e.Message, "BSON") {
					t.Errorf("driver text: %s", e.Message)
				}
			}
		})
	}
	root.Must(`{ me { user { id } } }`, nil)
}
