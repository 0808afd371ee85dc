package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
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
		map[string]any{"in": map[string]any{"email": email, "password": password, "transport": "BEARER"}}), "signIn", "result", "token")
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
	if got := fmt.Sprint(at(t, can, "can")); got != "[map[allowed:true reason:ALLOWED] map[allowed:false reason:NO_GRANT] map[allowed:false reason:UNKNOWN_PERMISSION]]" {
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

// TestAnonymousMatrix calls every root field without a session: a field that is not meant to be public must say
// UNAUTHENTICATED. A new field is refused here until somebody has thought about it.
func TestAnonymousMatrix(t *testing.T) {
	t.Parallel()
	public := []string{"node", "nodes", "me", "can", "plans", "register", "signIn", "signOut"}
	s := apptest.Start(t, apptest.Setup{})
	nobody := s.Browser()
	schema := nobody.Must(`{ __schema { queryType { ...F } mutationType { ...F } types { name kind enumValues { name } inputFields { name defaultValue type { ...T } } } } }
		fragment F on __Type { fields { name args { name defaultValue type { ...T } } type { ...T } } }
		fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`, nil)
	types := map[string]any{}
	for _, typ := range at(t, schema, "__schema", "types").([]any) {
		types[text(t, typ, "name")] = typ
	}
	checked := 0
	for op, root := range map[string]string{"query": "queryType", "mutation": "mutationType"} {
		for _, f := range at(t, schema, "__schema", root, "fields").([]any) {
			if name := text(t, f, "name"); !slices.Contains(public, name) {
				query, vars := call(t, types, f)
				r := nobody.Do(op+query, vars)
				if checked++; r.Code() != "UNAUTHENTICATED" {
					t.Errorf("%s for nobody: %q %v", name, r.Code(), r.Data)
				}
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d fields were checked", checked)
	}
}

// call writes an operation for a field, with a value for every required argument.
func call(t *testing.T, types map[string]any, field any) (query string, vars map[string]any) {
	t.Helper()
	vars = map[string]any{}
	name := text(t, field, "name")
	var params, args []string
	for _, a := range at(t, field, "args").([]any) {
		if required(t, a) {
			arg := text(t, a, "name")
			params = append(params, "$"+arg+": "+typeText(t, at(t, a, "type")))
			args = append(args, arg+": $"+arg)
			vars[arg] = sample(t, types, at(t, a, "type"))
		}
	}
	query = " { " + name
	if len(args) > 0 {
		query = "(" + strings.Join(params, ", ") + ") { " + name + "(" + strings.Join(args, ", ") + ")"
	}
	if k := text(t, named(t, at(t, field, "type")), "kind"); k != "SCALAR" && k != "ENUM" {
		query += " { __typename }"
	}
	return query + " }", vars
}

func required(t *testing.T, arg any) bool {
	t.Helper()
	return text(t, arg, "type", "kind") == "NON_NULL" && at(t, arg, "defaultValue") == nil
}

// named is a type without its lists and non-nulls.
func named(t *testing.T, typ any) any {
	t.Helper()
	for at(t, typ, "ofType") != nil {
		typ = at(t, typ, "ofType")
	}
	return typ
}

func typeText(t *testing.T, typ any) string {
	t.Helper()
	switch text(t, typ, "kind") {
	case "NON_NULL":
		return typeText(t, at(t, typ, "ofType")) + "!"
	case "LIST":
		return "[" + typeText(t, at(t, typ, "ofType")) + "]"
	default:
		return text(t, typ, "name")
	}
}

// sample is a value of a type that passes validation, so that the refusal is about who asks.
func sample(t *testing.T, types map[string]any, typ any) any {
	t.Helper()
	switch text(t, typ, "kind") {
	case "NON_NULL":
		return sample(t, types, at(t, typ, "ofType"))
	case "LIST":
		return []any{sample(t, types, at(t, typ, "ofType"))}
	case "INPUT_OBJECT":
		in := map[string]any{}
		for _, f := range at(t, types[text(t, typ, "name")], "inputFields").([]any) {
			if required(t, f) {
				in[text(t, f, "name")] = sample(t, types, at(t, f, "type"))
			}
		}
		return in
	case "ENUM":
		return text(t, types[text(t, typ, "name")], "enumValues", 0, "name")
	}
	return map[string]any{
		"Int": 1, "ID": "user:x", "JSON": map[string]any{}, "JSONSchema": map[string]any{}, "Boolean": true, "String": "text",
		"Time": "2026-01-02T03:04:05Z", "Float": 1.5,
	}[text(t, typ, "name")]
}

// follower is a socket with one subscription; it folds lists and reports as a client does.
type follower struct {
	t    *testing.T
	ws   *websocket.Conn
	in   chan message
	shut chan *websocket.CloseError
}

type message struct {
	Channel string
	Kind    string
	Seq     int
	Data    map[string]any
	Error   struct{ Code string }
}

const liveQuery = `subscription($c: [ChannelInput!]!) { live(channels: $c) { channel kind seq error { code }
  data { __typename
    ... on Report { points { key count } through }
    ... on ReportDelta { points { key count } }
    ... on DocumentList { documents { label } }
    ... on DocumentListDelta { changes { op index document { label } } } } } }`

func follow(t *testing.T, s *apptest.Server, token string, channels ...map[string]any) *follower {
	t.Helper()
	ws, resp, err := (&websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}).Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	f := &follower{t: t, ws: ws, in: make(chan message, 1000), shut: make(chan *websocket.CloseError, 1)}
	t.Cleanup(func() { _ = ws.Close() })
	send := func(v any) {
		if err := ws.WriteJSON(v); err != nil {
			t.Fatal(err)
		}
	}
	send(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + token}})
	send(map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": liveQuery, "variables": map[string]any{"c": channels}}})
	go f.read()
	return f
}

func (f *follower) read() {
	for {
		var m struct {
			Type    string
			Payload json.RawMessage
		}
		if err := f.ws.ReadJSON(&m); err != nil {
			ce, _ := err.(*websocket.CloseError) //nolint:errorlint // gorilla gives it bare
			f.shut <- ce
			return
		}
		switch m.Type {
		case "connection_ack":
		case "next":
			var p struct{ Data struct{ Live message } }
			if json.Unmarshal(m.Payload, &p) == nil {
				f.in <- p.Data.Live
			}
		default:
			f.t.Errorf("message %s %s", m.Type, m.Payload)
		}
	}
}

// until gives the first message for which ok holds.
func (f *follower) until(what string, ok func(message) bool) message {
	f.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case m := <-f.in:
			if ok(m) {
				return m
			}
		case ce := <-f.shut:
			f.t.Fatalf("closed while waiting for %s: %v", what, ce)
		case <-limit:
			f.t.Fatalf("never: %s", what)
		}
	}
}

func snapshotOf(channel string) func(message) bool {
	return func(m message) bool { return m.Channel == channel && m.Kind == "SNAPSHOT" }
}

func reportChannel(key, metric string) map[string]any {
	return map[string]any{"key": key, "report": map[string]any{"metric": metric, "last": 60}}
}

func noteChannel(key string) map[string]any {
	return map[string]any{"key": key, "documents": map[string]any{"type": "note", "first": 3}}
}

func trackFlights(c *apptest.Client, n int) {
	events := make([]any, n)
	for i := range events {
		events[i] = map[string]any{"id": ref.NewID(), "name": "flight", "dims": map[string]any{"origin": "SFO"}, "values": map[string]any{"delay": i}}
	}
	c.Must(`mutation($in: TrackInput!) { track(input: $in) { accepted duplicates } }`, map[string]any{"in": map[string]any{"events": events}})
}

// TestLiveAcrossNodes: two servers on one MongoDB; what one commits, the sockets of the other show, and what one takes back,
// the other ends.
func TestLiveAcrossNodes(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Setup{Args: []string{"--demo", "--demo-data-dir=../demo/testdata", "--demo-speed=1"}})
	b := apptest.Start(t, apptest.Setup{Database: a.DB().Database().Name()})
	root := admin(t, a)
	u, uid := user(t, b, "watcher")

	f := follow(t, b, u.Token, reportChannel("count", "flights.count"), reportChannel("delay", "flights.delay"), noteChannel("notes"), reportChannel("none", "no.such.metric"))
	first := map[string]string{}
	for len(first) < 4 {
		m := f.until("the first message of each channel", func(m message) bool { return first[m.Channel] == "" })
		first[m.Channel] = m.Kind + m.Error.Code
	}
	if got := fmt.Sprint(first); got != "map[count:SNAPSHOT delay:SNAPSHOT none:NOTICEMETRIC_UNKNOWN notes:SNAPSHOT]" {
		t.Fatalf("first messages: %s", got)
	}

	trackFlights(root, 7) // on the other node
	f.until("seven flights", func(m message) bool {
		return m.Channel == "count" && m.Kind == "DELTA" && total(m) == 7
	})
	root.Must(createDoc, note("hello from the other node"))
	m := f.until("the note enters", func(m message) bool { return m.Channel == "notes" && m.Kind == "DELTA" })
	// The list shows three, and the demo had filled it: the oldest leaves.
	if got := fmt.Sprint(at(t, m.Data, "changes")); got != "[map[document:<nil> index:-1 op:LEAVE] map[document:map[label:hello from the other node] index:0 op:ENTER]]" {
		t.Errorf("change: %s", got)
	}

	// A right that ends on node a ends its channels on node b, and no others.
	takeMemberRole(t, root, uid)
	ended := map[string]string{}
	for len(ended) < 3 {
		m := f.until("the end of each channel", func(m message) bool { return m.Kind == "NOTICE" && ended[m.Channel] == "" })
		ended[m.Channel] = m.Error.Code
	}
	if !slices.Equal(slices.Sorted(maps.Values(ended)), []string{"CHANNEL_ENDED", "CHANNEL_ENDED", "CHANNEL_ENDED"}) {
		t.Errorf("ended: %v", ended)
	}
	storetest.Eventually(t, 10*time.Second, func() bool { return u.Do(createDoc, note("no more")).Code() == "FORBIDDEN" }, "node b refuses")
}

// total is the count of the newest total of a report's delta.
func total(m message) float64 {
	points, _ := m.Data["points"].([]any)
	sum := 0.0
	for _, p := range points {
		if p, ok := p.(map[string]any); ok && p["key"] == "" {
			n, _ := p["count"].(float64)
			sum = max(sum, n)
		}
	}
	return sum
}

// takeMemberRole takes from a user the role that every user has.
func takeMemberRole(t *testing.T, root *apptest.Client, userID string) {
	t.Helper()
	held := root.Must(`query($u: ID!) { grants(member: $u) { id role { key } } }`, map[string]any{"u": userID})
	for _, g := range at(t, held, "grants").([]any) {
		if text(t, g, "role", "key") == "member" {
			root.Must(revoke, map[string]any{"in": map[string]any{"grant": text(t, g, "id")}})
			return
		}
	}
	t.Fatalf("the user does not hold the role member: %v", held)
}

// TestSignOutClosesSocketsEverywhere ends a session on one node and watches its socket on another.
func TestSignOutClosesSocketsEverywhere(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Setup{})
	b := apptest.Start(t, apptest.Setup{Database: a.DB().Database().Name()})
	defineNote(admin(t, a))
	u, _ := user(t, a, "leaver")
	f := follow(t, b, u.Token, noteChannel("notes"))
	f.until("a snapshot", snapshotOf("notes"))
	u.Must(`mutation { signOut { ended } }`, nil)
	select {
	case ce := <-f.shut:
		if ce == nil || ce.Code != 4403 {
			t.Errorf("closed with %v, want 4403", ce)
		}
	case <-time.After(10 * time.Second):
		t.Error("the socket outlives its session")
	}
	if r := u.Do(`{ me { user { id } } }`, nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the dead token is answered with %d %v", r.Status, r.Data)
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
