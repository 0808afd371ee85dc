package app_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// in is the one variable of a mutation.
func in(v map[string]any) map[string]any { return map[string]any{"in": v} }

const (
	createRole   = `mutation($in: CreateRoleInput!) { createRole(input: $in) { role { id } rev } }`
	updateRole   = `mutation($in: UpdateRoleInput!) { updateRole(input: $in) { role { permissions } rev } }`
	grantRole    = `mutation($in: GrantRoleInput!) { grantRole(input: $in) { grant { id inherit set admin bindings via grantedBy reason } rev } }`
	grantObject  = `mutation($in: GrantObjectInput!) { grantObject(input: $in) { objectGrant { id status } } }`
	setPredicate = `mutation($in: SetPredicateInput!) { setPredicate(input: $in) { predicate { id } } }`
	setField     = `mutation($in: SetFieldRuleInput!) { setFieldRule(input: $in) { fieldRule { path readers writers } } }`
)

func newRole(t *testing.T, c *apptest.Client, role map[string]any) (id string) {
	t.Helper()
	if role["name"] == nil {
		role["name"] = role["key"]
	}
	return text(t, c.Must(createRole, in(role)), "createRole", "role", "id")
}

func granted(t *testing.T, c *apptest.Client, grant map[string]any) (id string) {
	t.Helper()
	return text(t, c.Must(grantRole, in(grant)), "grantRole", "grant", "id")
}

// demote takes the role of everybody from a user, so that they hold just what a test gives them.
func demote(t *testing.T, root *apptest.Client, user string) {
	t.Helper()
	var all struct{ Grants []struct{ ID, Source string } }
	root.Read(&all, `query($m: ID!) { grants(member: $m) { id source } }`, map[string]any{"m": user})
	for _, g := range all.Grants {
		root.Must(revoke, in(map[string]any{"grant": g.ID}))
	}
}

// paths are all ways to a document: each tells whether it shows one. A new way belongs here.
var paths = map[string]func(t *testing.T, c *apptest.Client, s *apptest.Server, id, about string) bool{
	"node": func(_ *testing.T, c *apptest.Client, _ *apptest.Server, id, _ string) bool {
		return c.Do(`query($id: ID!) { node(id: $id) { ... on Document { data } } }`, map[string]any{"id": id}).Data["node"] != nil
	},
	"nodes": func(t *testing.T, c *apptest.Client, _ *apptest.Server, id, _ string) bool {
		r := c.Do(`query($id: ID!) { nodes(ids: [$id]) { id } }`, map[string]any{"id": id})
		return r.Data["nodes"] != nil && at(t, r.Data, "nodes", 0) != nil
	},
	"resolve": func(_ *testing.T, c *apptest.Client, _ *apptest.Server, id, _ string) bool {
		r := c.Do(`query($id: ID!) { resolve(refs: [$id]) { __typename } }`, map[string]any{"id": id})
		return strings.Contains(fmt.Sprint(r.Data), "Document")
	},
	"list": func(_ *testing.T, c *apptest.Client, _ *apptest.Server, id, _ string) bool {
		r := c.Do(`{ documents(type: "note", first: 50) { nodes { id } } }`, nil)
		return strings.Contains(fmt.Sprint(r.Data), id)
	},
	"a reference to it": func(_ *testing.T, c *apptest.Client, _ *apptest.Server, id, _ string) bool {
		return c.Do(createDoc, note("pointing", id)).Code() == "" // what one does not see cannot be pointed at
	},
	"live": func(t *testing.T, c *apptest.Client, s *apptest.Server, id, _ string) bool {
		f := follow(t, s, c.Token, map[string]any{"key": "k", "documents": map[string]any{"type": "note", "first": 50}})
		first := f.until("an answer", func(message) bool { return true })
		return strings.Contains(fmt.Sprint(first.Data), "label:"+labelOf(id))
	},
	"can": func(t *testing.T, c *apptest.Client, _ *apptest.Server, id, _ string) bool {
		r := c.Must(`query($id: ID!) { can(checks: [{permission: "registry.document.read", on: $id}]) { allowed } }`, map[string]any{"id": id})
		return at(t, r, "can", 0, "allowed") == true
	},
}

// labels names each document of the matrix by its id.
var labels = map[string]string{}

func labelOf(id string) string { return labels[id] }

// TestRoleByPathMatrix: who may see a document sees it by every path, and who may not by none.
func TestRoleByPathMatrix(t *testing.T) {
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	owner, ownerID := user(t, s, "owner")
	mine := text(t, owner.Must(createDoc, note("of-owner")), "createDocument", "document", "id")
	theirs := text(t, root.Must(createDoc, note("of-root")), "createDocument", "document", "id")
	labels = map[string]string{mine: "of-owner", theirs: "of-root"}

	writer := newRole(t, root, map[string]any{"key": "writer", "permissions": []any{"registry.document.create"}})
	reader := newRole(t, root, map[string]any{"key": "reader", "permissions": []any{"registry.document.read"}})
	blind, blindID := user(t, s, "blind")
	one, oneID := user(t, s, "one")
	team, teamID := user(t, s, "team")
	asleep, asleepID := user(t, s, "asleep")
	for _, id := range []string{blindID, oneID, teamID, asleepID} {
		demote(t, root, id)
		granted(t, root, map[string]any{"role": writer, "member": id})
	}
	group := newRole(t, root, map[string]any{"key": "group"})
	granted(t, root, map[string]any{"role": group, "member": teamID})
	granted(t, root, map[string]any{"role": reader, "member": asleepID, "inherit": false})
	for subject, on := range map[string]string{oneID: theirs, group: mine} {
		root.Must(grantObject, in(map[string]any{"subject": subject, "permission": "registry.document.read", "on": on}))
	}
	check := func(policy map[*apptest.Client]map[string]bool, names map[*apptest.Client]string) {
		t.Helper()
		for c, sees := range policy {
			for id, want := range sees {
				for _, path := range slices.Sorted(maps.Keys(paths)) {
					if path == "a reference to it" && names[c] == "nobody" || path == "live" && names[c] == "nobody" {
						continue
					}
					if got := paths[path](t, c, s, id, ownerID); got != want {
						t.Errorf("%s sees %s by %s: %v, want %v", names[c], labels[id], path, got, want)
					}
				}
			}
		}
	}
	nobody := s.Browser()
	names := map[*apptest.Client]string{nobody: "nobody", blind: "blind", one: "one", team: "team", asleep: "asleep", owner: "owner", root: "root"}
	both, none := map[string]bool{mine: true, theirs: true}, map[string]bool{mine: false, theirs: false}
	check(map[*apptest.Client]map[string]bool{
		nobody: none, blind: none, asleep: none, owner: both, root: both, one: {mine: false, theirs: true}, team: {mine: true, theirs: false},
	}, names)

	// The same with a predicate: only one's own, and what is the administrator's.
	root.Must(setPredicate, in(map[string]any{"permission": "registry.document.read", "name": "own", "expression": "object.owner == user.id"}))
	check(map[*apptest.Client]map[string]bool{
		nobody: none, blind: none, asleep: none, owner: {mine: true, theirs: false}, root: {mine: false, theirs: true}, one: none, team: none,
	}, names)
}

// TestRightsOverHTTP is what an administrator does with roles, as a client of the API sees it.
func TestRightsOverHTTP(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	for _, key := range []string{"flights.count", "flights.delay"} {
		storetest.Insert(t, db, "metrics", analytics.Metric{Key: key, Event: "flight", Version: 1})
	}
	s := apptest.Start(t, apptest.Setup{Database: db.Database().Name()})
	root := admin(t, s)
	u, id := user(t, s, "ursula")
	_, other := user(t, s, "otto")
	viewer := newRole(t, root, map[string]any{
		"key": "report-viewer", "permissions": []any{"analytics.report.view(metric=$metric)"},
		"params": []any{map[string]any{"name": "metric", "type": "STRING"}},
	})
	demote(t, root, id)
	bind := func(value string) []any { return []any{map[string]any{"name": "metric", "value": value}} }
	g := granted(t, root, map[string]any{"role": viewer, "member": id, "bindings": bind("flights.count"), "admin": true, "reason": "on trial"})

	// A permission for one metric shows one metric, in the list and as a report.
	if got := fmt.Sprint(u.Must(`{ metrics { key } }`, nil)); got != "map[metrics:[map[key:flights.count]]]" {
		t.Errorf("%s", got)
	}
	for key, code := range map[string]string{"flights.count": "", "flights.delay": "FORBIDDEN"} {
		r := u.Do(`query($in: ReportInput!) { report(input: $in) { exact } }`, in(map[string]any{"metric": key, "last": 10}))
		if r.Code() != code {
			t.Errorf("%s: %+v", key, r.Errors)
		}
		if code != "" && !strings.Contains(fmt.Sprint(r.Errors[0].Extensions["explanation"]), "BINDING_MISMATCH, missing analytics.report.view(metric=flights.delay)") {
			t.Errorf("in development the refusal says why: %v", r.Errors[0].Extensions)
		}
	}
	// ADMIN of a role, without any permission of rbac, for that binding alone.
	r := u.Do(grantRole, in(map[string]any{"role": viewer, "member": other, "bindings": bind("*")}))
	if r.Code() != "RBAC_ESCALATION" || fmt.Sprint(r.Errors[0].Extensions["missing"]) != "[report-viewer(metric=*)]" {
		t.Errorf("%+v", r.Errors)
	}
	made := u.Must(grantRole, in(map[string]any{"role": viewer, "member": other, "bindings": bind("flights.count")}))
	if at(t, made, "grantRole", "grant", "via") != g || at(t, made, "grantRole", "grant", "grantedBy") != id {
		t.Errorf("%v", made)
	}
	// Explained, listed and simulated.
	why := root.Must(`query($u: ID!) { explain(user: $u, check: {permission: "analytics.report.view", args: [{name: "metric", value: "flights.count"}]}) {
		text decision { allowed reason rev } path { grant role } supportingGrants missing } }`, map[string]any{"u": id})
	if got := text(t, why, "explain", "text"); !strings.HasSuffix(got, "]-> report-viewer(metric=flights.count) => analytics.report.view(metric=flights.count)") ||
		at(t, why, "explain", "path", 0, "grant") != g {
		t.Errorf("%v", why)
	}
	who := root.Must(`{ whoCan(check: {permission: "analytics.report.view", args: [{name: "metric", value: "flights.count"}]}, limit: 2) { users complete endCursor } }`, nil)
	next := root.Must(`query($c: String) { whoCan(check: {permission: "analytics.report.view", args: [{name: "metric", value: "flights.count"}]}, after: $c) { users complete endCursor } }`,
		map[string]any{"c": at(t, who, "whoCan", "endCursor")})
	all := append(at(t, who, "whoCan", "users").([]any), at(t, next, "whoCan", "users").([]any)...)
	if len(all) != 3 || at(t, who, "whoCan", "complete") != false || at(t, next, "whoCan", "endCursor") != nil {
		t.Errorf("%v then %v", who, next)
	}
	sim := root.Must(`query($g: ID!) { simulatePolicy(changes: [{revokeGrant: $g}]) { complete diffs { user gains loses } } }`, map[string]any{"g": g})
	if diffs := at(t, sim, "simulatePolicy", "diffs").([]any); len(diffs) != 1 || !strings.Contains(fmt.Sprint(diffs), "loses:[analytics.report.view(metric=flights.count)] user:"+id) {
		t.Errorf("otto keeps it by the role of everybody, ursula does not: %v", sim)
	}
	if r := u.Do(`query($u: ID!) { permissionsOf(user: $u) }`, map[string]any{"u": other}); r.Code() != "FORBIDDEN" {
		t.Errorf("the rights of another: %+v", r.Errors)
	}
	as := root.Must(`query($u: ID!) { can(checks: [{permission: "registry.document.create"}], user: $u) { allowed reason } permissionsOf(user: $u)
		whatCan(user: $u, on: $u) }`, map[string]any{"u": id})
	if at(t, as, "can", 0, "reason") != "NO_PATH" || fmt.Sprint(as["permissionsOf"]) != "[analytics.report.view(metric=flights.count)]" {
		t.Errorf("%v", as)
	}
	// Revoked with what depended on it, and known on this node at once.
	if r := root.Do(revoke, in(map[string]any{"grant": g})); r.Code() != "RBAC_DEPENDENTS" {
		t.Errorf("%+v", r.Errors)
	}
	gone := root.Must(`mutation($in: RevokeGrantInput!) { revokeGrant(input: $in) { revoked stillHeld stillHeldVia rev } }`, in(map[string]any{"grant": g, "mode": "CASCADE"}))
	if len(at(t, gone, "revokeGrant", "revoked").([]any)) != 2 {
		t.Errorf("%v", gone)
	}
	after := root.Must(`query($u: ID!, $rev: Int) { can(checks: [{permission: "analytics.report.view"}], user: $u, atLeastRev: $rev) { allowed rev } }`,
		map[string]any{"u": id, "rev": at(t, gone, "revokeGrant", "rev")})
	if at(t, after, "can", 0, "allowed") != false {
		t.Errorf("%v", after)
	}
	// Roles are changed, used by plans, and deleted.
	if got := fmt.Sprint(root.Must(updateRole, in(map[string]any{"role": viewer, "add": []any{"account.user.read"}, "remove": []any{"analytics.report.view(metric=$metric)"}}))); !strings.Contains(got, "[account.user.read]") {
		t.Errorf("%s", got)
	}
	root.Must(`mutation($in: DeleteRoleInput!) { deleteRole(input: $in) { role grants } }`, in(map[string]any{"role": viewer}))
	for query, code := range map[string]string{
		`mutation { createRole(input: {key: "x1", name: "X", permissions: ["analytics.report.view"]}) { rev } }`:                      "RBAC_UNBOUND_PARAM",
		`mutation { setPredicate(input: {permission: "account.user.read", name: "xx", expression: "object."}) { predicate { id } } }`: "PREDICATE_INVALID",
		`{ whoCan(check: {permission: "x.y"}) { complete } }`:                                                                         "UNKNOWN_PERMISSION",
		`{ whoCan(check: {permission: "account.user.read"}, after: "!") { complete } }`:                                               "BAD_CURSOR",
	} {
		if r := root.Do(query, nil); r.Code() != code {
			t.Errorf("%s: %+v", query, r.Errors)
		}
	}
}

// TestRequestsAndApprovals: somebody asks for a document, whoever may share it approves, and it goes with the document.
func TestRequestsAndApprovals(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	u, id := user(t, s, "ulf")
	demote(t, root, id)
	doc := text(t, root.Must(createDoc, note("x")), "createDocument", "document", "id")
	asked := u.Must(`mutation($in: RequestObjectGrantInput!) { requestObjectGrant(input: $in) { objectGrant { id status reason } } }`,
		in(map[string]any{"permission": "registry.document.read", "on": doc, "reason": "for the review"}))
	request := text(t, asked, "requestObjectGrant", "objectGrant", "id")
	read := func() bool {
		return u.Do(`query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": doc}).Data["node"] != nil
	}
	approve := `mutation($in: ApproveObjectGrantInput!) { approveObjectGrant(input: $in) { objectGrant { status } } }`
	if r := u.Do(approve, in(map[string]any{"objectGrant": request})); r.Code() != "FORBIDDEN" || read() {
		t.Errorf("%+v", r.Errors)
	}
	list := root.Must(`query($on: ID!) { objectGrants(on: $on) { id subject status reason } }`, map[string]any{"on": doc})
	if got := fmt.Sprint(list); !strings.Contains(got, "REQUESTED") || !strings.Contains(got, "for the review") {
		t.Errorf("%s", got)
	}
	root.Must(approve, in(map[string]any{"objectGrant": request}))
	if !read() {
		t.Error("approved, and not to be read")
	}
	root.Must(deleteDoc, in(map[string]any{"id": doc}))
	if list := root.Must(`query($on: ID!) { objectGrants(on: $on) { id } }`, map[string]any{"on": doc}); len(at(t, list, "objectGrants").([]any)) != 0 {
		t.Errorf("%v", list)
	}
}

// TestFieldRules: who may not read a field does not get it by any path, and cannot write it.
func TestFieldRules(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	u, _ := user(t, s, "uta")
	typ := typeOf(t, root, "note")
	hr := newRole(t, root, map[string]any{"key": "hr"})
	doc := text(t, root.Must(createDoc, note("s3cret")), "createDocument", "document", "id")
	f := follow(t, s, u.Token, noteChannel("k"))
	f.until("the list", snapshotOf("k"))
	root.Must(setField, in(map[string]any{"on": typ, "path": "text", "readers": []any{hr}}))
	f.until("the end of what it showed", func(m message) bool { return m.Kind == "NOTICE" && m.Error.Code != "" })
	for _, query := range []string{
		`query($id: ID!) { node(id: $id) { ... on Document { label data } } }`, `query($id: ID!) { resolve(refs: [$id]) { ... on Document { label data } } }`,
		`{ documents(type: "note") { nodes { label data } } }`,
	} {
		r := u.Do(query, map[string]any{"id": doc})
		if got := fmt.Sprint(r.Data); strings.Contains(got, "s3cret") || !strings.Contains(got, "data:map[]") {
			t.Errorf("%s: %s %+v", query, got, r.Errors)
		}
	}
	again := follow(t, s, u.Token, noteChannel("k"))
	if first := again.until("the list", snapshotOf("k")); strings.Contains(fmt.Sprint(first.Data), "s3cret") {
		t.Errorf("live: %v", first.Data)
	}
	root.Must(updateDoc, in(map[string]any{"id": doc, "rev": 1, "patch": map[string]any{"text": "s3cret again"}}))
	if m := again.until("the change", func(m message) bool { return m.Kind == "DELTA" }); strings.Contains(fmt.Sprint(m.Data), "s3cret") {
		t.Errorf("live: %v", m.Data)
	}
	if r := u.Do(createDoc, note("mine")); r.Code() != "FIELD_FORBIDDEN" {
		t.Errorf("%+v", r.Errors)
	}
	if got := fmt.Sprint(root.Must(`query($id: ID!) { fieldRules(on: $id) { path readers } }`, map[string]any{"id": typ})); !strings.Contains(got, hr) {
		t.Errorf("%s", got)
	}
}

// TestActiveRole: SET ROLE for a session, on every node, with its sockets.
func TestActiveRole(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	u, id := user(t, a, "rolf")
	quiet := newRole(t, root, map[string]any{"key": "quiet", "permissions": []any{"account.user.read"}})
	granted(t, root, map[string]any{"role": quiet, "member": id, "inherit": false})
	there := with(b, u.Token)
	me := `{ me { permissions activeRole { role { key } } } }`
	there.Must(me, nil)
	ws := dialed(t, b, u.Token)
	if r := u.Do(`{ users { nodes { id } } }`, nil); r.Code() != "FORBIDDEN" {
		t.Errorf("without the role: %+v", r.Errors)
	}
	activate := `mutation($in: ActivateRoleInput!) { activateRole(input: $in) { activeRole { role { key } bindings } } }`
	u.Must(activate, in(map[string]any{"role": quiet}))
	if got := fmt.Sprint(u.Must(me, nil)); got != "map[me:map[activeRole:map[role:map[key:quiet]] permissions:[account.user.read]]]" {
		t.Errorf("%s", got)
	}
	u.Must(`{ users { nodes { id } } }`, nil)
	eventually(t, "the other node knows", func() bool { return strings.Contains(fmt.Sprint(there.Must(me, nil)), "quiet") })
	if code, _ := drainSocket(ws); code != 4205 {
		t.Errorf("the socket on the other node ended with %d", code)
	}
	if r := u.Do(createDoc, note("x")); r.Code() != "FORBIDDEN" {
		t.Errorf("what is held besides does not count: %+v", r.Errors)
	}
	back := u.Must(`mutation { resetRole { permissions } }`, nil)
	if got := fmt.Sprint(back); strings.Contains(got, "account.user.read") || !strings.Contains(got, "registry.document.create") {
		t.Errorf("%s", got)
	}
	if got := fmt.Sprint(u.Must(me, nil)); !strings.Contains(got, "activeRole:<nil>") {
		t.Errorf("%s", got)
	}
	if r := u.Do(activate, in(map[string]any{"role": newRole(t, root, map[string]any{"key": "foreign"})})); r.Code() != "NOT_SETTABLE" {
		t.Errorf("%+v", r.Errors)
	}
}

// TestMyPermissionsLive: what one may do is told on the socket when it changes, on every node.
func TestMyPermissionsLive(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	u, id := user(t, a, "pia")
	ws := dialed(t, b, u.Token)
	if err := ws.WriteJSON(map[string]any{"id": "p", "type": "subscribe", "payload": map[string]any{
		"query": `subscription { live(channels: [{key: "p", myPermissions: true}]) { kind data { ... on PermissionList { permissions rev } } } }`,
	}}); err != nil {
		t.Fatal(err)
	}
	hear := func(what string) { heard(t, ws, what) }
	hear("registry.document.create")
	watching := dialed(t, b, root.Token)
	if err := watching.WriteJSON(map[string]any{"id": "p", "type": "subscribe", "payload": map[string]any{
		"query": `subscription { live(channels: [{key: "p", policyChanges: true}]) { kind data { ... on PolicyNews { rev changes { kind on cause } } } } }`,
	}}); err != nil {
		t.Fatal(err)
	}
	heard(t, watching, `"changes":[]`)
	role := newRole(t, root, map[string]any{"key": "more", "permissions": []any{"account.user.read"}})
	g := granted(t, root, map[string]any{"role": role, "member": id})
	hear("account.user.read")
	gone := root.Must(`mutation($in: RevokeGrantInput!) { revokeGrant(input: $in) { rev } }`, in(map[string]any{"grant": g}))
	hear(`"rev":` + fmt.Sprint(at(t, gone, "revokeGrant", "rev")))
	heard(t, watching, `"kind":"rbac.grant.revoked","on":"`+g+`"`)
	// Read your writes, on the other node.
	r := with(b, u.Token).Must(`query($rev: Int) { can(checks: [{permission: "account.user.read"}], atLeastRev: $rev) { allowed } }`, map[string]any{"rev": at(t, gone, "revokeGrant", "rev")})
	if at(t, r, "can", 0, "allowed") != false {
		t.Errorf("%v", r)
	}
}

// heard reads a socket until its operation "p" says something.
func heard(t *testing.T, ws *websocket.Conn, what string) {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		_, m, err := ws.ReadMessage()
		if err != nil {
			t.Fatalf("while waiting for %s: %v", what, err)
		}
		if strings.Contains(string(m), `"id":"p"`) && strings.Contains(string(m), what) {
			return
		}
	}
}

// typeOf is the global id of a content type.
func typeOf(t *testing.T, c *apptest.Client, key string) string {
	t.Helper()
	var out struct{ ContentTypes []struct{ ID, Key string } }
	c.Read(&out, `{ contentTypes { id key } }`, nil)
	for _, typ := range out.ContentTypes {
		if typ.Key == key {
			return typ.ID
		}
	}
	t.Fatalf("no content type %s", key)
	return ""
}
