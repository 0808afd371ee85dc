package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// everything selects all that live messages can tell: each field of each type of LiveData, down to its objects' objects.
func everything(t *testing.T) string {
	t.Helper()
	schema := parsed(t)
	var all strings.Builder
	for _, member := range schema.Types["LiveData"].Types {
		fmt.Fprintf(&all, " ... on %s {", member)
		for _, f := range schema.Types[member].Fields {
			fmt.Fprintf(&all, " %s_%s: %s%s", member, f.Name, f.Name, fieldsOf(schema, f.Type, 3)) // an alias each, for their types differ
		}
		all.WriteString(" }")
	}
	return `subscription($c: [ChannelInput!]!) { live(channels: $c) { channel kind cursor data { __typename` + all.String() + ` } } }`
}

func fieldsOf(schema *ast.Schema, typ *ast.Type, deep int) string {
	def := schema.Types[typ.Name()]
	switch {
	case !def.IsCompositeType():
		return ""
	case deep == 0 || def.IsAbstractType():
		return " { __typename }"
	}
	var all strings.Builder
	for _, f := range def.Fields {
		if !slices.ContainsFunc(f.Arguments, func(a *ast.ArgumentDefinition) bool { return a.Type.NonNull && a.DefaultValue == nil }) && !strings.HasPrefix(f.Name, "__") {
			all.WriteString(" " + f.Name + fieldsOf(schema, f.Type, deep-1))
		}
	}
	return " {" + all.String() + " }"
}

// eavesdropper is a socket that keeps what it is told, as the bytes that came.
type eavesdropper struct {
	ws *websocket.Conn

	mu      sync.Mutex
	told    map[string]string // by channel
	granted map[string]bool   // whether it was told anything but notices
	cursors map[string]string
}

func eavesdrop(t *testing.T, s *apptest.Server, token, query string, channels []map[string]any) *eavesdropper {
	t.Helper()
	ws := dialed(t, s, token)
	e := &eavesdropper{ws: ws, told: map[string]string{}, granted: map[string]bool{}, cursors: map[string]string{}}
	if err := ws.WriteJSON(map[string]any{"id": "leak", "type": "subscribe", "payload": map[string]any{"query": query, "variables": map[string]any{"c": channels}}}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			_, b, err := ws.ReadMessage()
			if err != nil {
				if t.Context().Err() == nil {
					t.Errorf("the socket ended: %v", err)
				}
				return
			}
			e.keep(t, b)
		}
	}()
	return e
}

func (e *eavesdropper) keep(t *testing.T, b []byte) {
	var m struct {
		Type    string
		Payload struct {
			Errors []any
			Data   struct {
				Live struct {
					Channel, Kind, Cursor string
					Data                  json.RawMessage
				}
			}
		}
	}
	if json.Unmarshal(b, &m) != nil || m.Type != "next" || len(m.Payload.Errors) > 0 {
		if m.Type != "connection_ack" {
			t.Errorf("told %.2000s", b)
		}
		return
	}
	one := m.Payload.Data.Live
	if one.Channel == "" { // the subscription that each socket of these tests begins with
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told[one.Channel] += string(b)
	e.granted[one.Channel] = e.granted[one.Channel] || one.Kind != "NOTICE" || string(one.Data) != "null"
	e.cursors[one.Channel] = one.Cursor
}

// hears waits until each channel has told what is wanted of it; "" is any word.
func (e *eavesdropper) hears(t *testing.T, who string, want map[string]string) {
	t.Helper()
	var missing []string
	defer func() {
		if len(missing) > 0 {
			t.Logf("%s was not told by %v", who, missing)
		}
	}()
	eventually(t, who+" is told by all channels", func() bool { missing = e.lacks(want); return len(missing) == 0 })
}

func (e *eavesdropper) lacks(want map[string]string) (missing []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for channel, text := range want {
		if text != "" && !strings.Contains(e.told[channel], text) || text == "" && e.told[channel] == "" {
			missing = append(missing, channel)
		}
	}
	return missing
}

// secretly is a world in which an administrator and a guest follow the same channels, of each family one or two.
type secretly struct {
	root, guest *apptest.Client
	rootID      string
	paper       string // the document that both may read, the guest without one field
	memo        string // one that only the administrator may read
	report, job string
	hidden      []string // what must never reach the guest
}

func keepSecrets(t *testing.T, s *apptest.Server) *secretly {
	t.Helper()
	w := &secretly{root: admin(t, s), hidden: []string{"leak-", "rbac.role.write", "8999999", "900000000", `"key":"pro"`}}
	openShop(t, w.root)
	w.rootID = text(t, w.root.Must(`{ me { user { id } } }`, nil), "me", "user", "id")
	w.root.Must(`mutation($in: PutOnPlanInput!) { putOnPlan(input: $in) { membership { plan { key } } } }`, in(map[string]any{"user": w.rootID, "plan": "pro"}))
	w.root.Must(`mutation($in: OverrideFeatureInput!) { overrideFeature(input: $in) { membership { version } } }`,
		in(map[string]any{"user": w.rootID, "feature": map[string]any{"feature": "registry.documents", "limit": 900000000}, "reason": "a test"}))
	var guestID string
	w.guest, guestID = user(t, s, "guest")
	w.root.Must(`mutation($in: OverrideFeatureInput!) { overrideFeature(input: $in) { membership { version } } }`,
		in(map[string]any{"user": guestID, "feature": map[string]any{"feature": "registry.documents", "limit": 5000}, "reason": "a test"}))
	w.rights(t, guestID)

	for _, metric := range []string{"open", "leak"} {
		w.root.Must(`mutation($in: DefineMetricInput!) { defineMetric(input: $in) { metric { key } } }`, in(map[string]any{"key": metric, "event": metric, "dimensions": []any{"place"}}))
		w.root.Must(defineTopicDoc, in(map[string]any{"key": metric}))
	}
	w.paper = text(t, w.root.Must(createDoc, in(map[string]any{"type": "paper", "data": map[string]any{"open": "open-0", "secret": "leak-0"}})), "createDocument", "document", "id")
	w.memo = w.write(t, w.root, "leak-0")
	w.report = text(t, w.root.Must(createDoc, in(map[string]any{"type": "core.report", "data": map[string]any{
		"title": "leak-report", "kind": "BAR", "query": map[string]any{"metric": "leak", "step": "HOUR", "last": 24, "by": "place"},
	}})), "createDocument", "document", "id")
	alert := text(t, w.root.Must(createAlert, in(map[string]any{"report": w.report, "condition": "ABOVE", "threshold": 1e9, "recipients": []any{"admin@example.com"}})), "createAlert", "alert", "id")
	w.job = text(t, w.root.Must(exportEvents, in(map[string]any{"name": "leak", "format": "CSV"})), "exportEvents", "job", "id")
	w.hidden = append(w.hidden, alert, w.report, w.job)
	return w
}

// rights lets the guest read papers without their secret, of other documents their own, and one of two metrics and topics.
func (w *secretly) rights(t *testing.T, guest string) {
	t.Helper()
	for key, fields := range map[string][]string{"paper": {"open", "secret"}, "memo": {"text", "about"}} {
		properties := map[string]any{}
		for _, f := range fields {
			properties[f] = map[string]any{"type": "string"}
		}
		if key == "memo" {
			properties["about"] = map[string]any{"type": "string", "reference": map[string]any{"to": []any{"*"}, "onDelete": "KEEP"}}
		}
		w.root.Must(defineType, in(map[string]any{"key": key, "name": key, "schema": map[string]any{
			"type": "object", "label": fields[0], "required": []any{fields[0]}, "additionalProperties": false, "properties": properties,
		}}))
	}
	staff := newRole(t, w.root, map[string]any{"key": "leak-staff"})
	granted(t, w.root, map[string]any{"role": staff, "member": w.rootID})
	w.root.Must(setField, in(map[string]any{"on": typeOf(t, w.root, "paper"), "path": "secret", "readers": []any{staff}}))
	w.root.Must(setPredicate, in(map[string]any{"permission": "registry.document.read", "name": "own", "expression": `object.type == "paper" || object.owner == user.id`}))
	demote(t, w.root, guest)
	role := newRole(t, w.root, map[string]any{"key": "guest", "permissions": []any{
		"registry.document.read", "registry.document.create", "analytics.report.view(metric=open)", "live.topic.follow(topic=open)",
	}})
	granted(t, w.root, map[string]any{"role": role, "member": guest})
	w.hidden = append(w.hidden, staff)
}

func (w *secretly) write(t *testing.T, c *apptest.Client, memo string) (id string) {
	t.Helper()
	return text(t, c.Must(createDoc, in(map[string]any{"type": "memo", "data": map[string]any{"text": memo, "about": w.paper}})), "createDocument", "document", "id")
}

// channels are those of both.
func (w *secretly) channels() (all []map[string]any) {
	report := func(metric string) map[string]any {
		return map[string]any{"report": map[string]any{"metric": metric, "step": "HOUR", "last": 24, "by": "place"}}
	}
	for key, family := range map[string]map[string]any{
		"report": report("leak"), "openReport": report("open"), "savedReport": {"savedReport": w.report}, "alerts": {"alerts": true},
		"funnel":    {"funnel": map[string]any{"steps": []any{map[string]any{"event": "leak"}, map[string]any{"event": "open"}}, "windowSeconds": 3600, "by": "place", "lastDays": 1}},
		"retention": {"retention": map[string]any{"start": map[string]any{"event": "leak"}, "return": map[string]any{"event": "leak"}, "period": "DAY", "last": 1, "periods": 0}},
		"paths":     {"paths": map[string]any{"anchor": map[string]any{"event": "leak"}, "depth": 1, "lastDays": 1}},
		"events":    {"events": map[string]any{"last": 5}},
		"papers":    {"documents": map[string]any{"type": "paper", "first": 10}}, "memos": {"documents": map[string]any{"type": "memo", "first": 10}},
		"paper": {"document": map[string]any{"id": w.paper}}, "memo": {"document": map[string]any{"id": w.memo}},
		"backlinks": {"backlinks": map[string]any{"to": w.paper}}, "job": {"job": w.job},
		"mySessions": {"mySessions": map[string]any{}}, "mySecurityEvents": {"mySecurityEvents": map[string]any{}}, "myPermissions": {"myPermissions": true},
		"policyChanges": {"policyChanges": true}, "entitlements": {"entitlements": map[string]any{}}, "theirEntitlements": {"entitlements": map[string]any{"user": w.rootID}},
		"usage": {"usage": map[string]any{"features": []any{"registry.documents"}}}, "theirUsage": {"usage": map[string]any{"features": []any{"registry.documents"}, "user": w.rootID}},
		"topic": {"topic": map[string]any{"key": "leak"}}, "openTopic": {"topic": map[string]any{"key": "open"}},
		"presence": {"presence": map[string]any{"id": w.paper}}, "memoPresence": {"presence": map[string]any{"id": w.memo}}, "health": {"health": true},
	} {
		family["key"] = key
		all = append(all, family)
	}
	return all
}

// work is what both do at once, again and again.
func (w *secretly) work(t *testing.T, rounds int) {
	var all sync.WaitGroup
	defer all.Wait()
	loop := func(do func(n string)) {
		all.Go(func() {
			for n := range rounds {
				do(strconv.Itoa(n + 1))
			}
		})
	}
	rev := 0
	loop(func(n string) {
		rev++
		w.root.Must(updateDoc, in(map[string]any{"id": w.paper, "rev": rev, "patch": map[string]any{"open": "open-" + n, "secret": "leak-" + n}}))
	})
	loop(func(n string) { w.write(t, w.guest, "open-"+n) })
	loop(func(n string) { w.write(t, w.root, "leak-"+n) })
	loop(func(n string) {
		trackAll(w.root, visitorDid("leak-actor-"+n, "leak", map[string]any{"place": "leak-" + n}), visitorDid("open-actor-"+n, "open", map[string]any{"place": "open-" + n}))
	})
	loop(func(n string) {
		w.root.Must(publishDoc, published("leak", "leak-"+n))
		w.root.Must(publishDoc, published("open", "open-"+n))
	})
	loop(func(n string) { newRole(t, w.root, map[string]any{"key": "leak-role-" + n}) })
}

// TestNothingLeaks: an administrator and a guest follow the same channels of every family on two nodes while both and a third
// write; the guest comes back with the administrator's cursors, too. No byte of what only the other may see reaches the guest.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	const rounds, pairs = 12, 3
	flags := []string{"--graphql-max-aliases=1000", "--graphql-max-cost=100000000"}
	a := apptest.Start(t, apptest.Setup{Args: flags})
	nodes := []*apptest.Server{apptest.Start(t, apptest.Setup{Database: a.Database, Args: flags}), apptest.Start(t, apptest.Setup{Database: a.Database, Args: flags})}
	w := keepSecrets(t, a)
	query, last := everything(t), strconv.Itoa(rounds)
	session := text(t, w.root.Must(`{ mySessions { nodes { id current } } }`, nil), "mySessions", "nodes", 0, "id")
	w.hidden = append(w.hidden, session)

	var working sync.WaitGroup
	working.Go(func() { w.work(t, rounds) })
	var roots, guests []*eavesdropper
	for i := range pairs {
		roots = append(roots, eavesdrop(t, nodes[i%2], w.root.Token, query, w.channels()))
		guests = append(guests, eavesdrop(t, nodes[(i+1)%2], w.guest.Token, query, w.channels()))
	}
	roots[0].hears(t, "an administrator", everyChannel(w))
	roots[0].mu.Lock()
	stolen := w.channels()
	for _, c := range stolen {
		c["after"] = roots[0].cursors[c["key"].(string)]
	}
	roots[0].mu.Unlock()
	guests = append(guests, eavesdrop(t, nodes[0], w.guest.Token, query, stolen))
	working.Wait()
	newRole(t, w.root, map[string]any{"key": "leak-role-last"}) // for those who came when the others were made

	all := everyChannel(w)
	for _, key := range []string{"papers", "memos", "paper", "events", "topic", "report", "savedReport"} {
		all[key] = "leak-"
	}
	for key, text := range map[string]string{
		"memo": "leak-0", "topic": "leak-" + last, "openTopic": "open-" + last, "paper": "leak-" + last, "papers": "leak-" + last, "memos": "leak-" + last,
		"policyChanges": "rbac.role.created", "funnel": "leak-" + last, "mySessions": session, "myPermissions": "rbac.role.write", "usage": "8999999", "theirUsage": "8999999", "theirEntitlements": `"key":"pro"`, "entitlements": `"key":"pro"`,
	} {
		all[key] = text
	}
	some := map[string]string{
		"papers": "open-" + last, "paper": "open-" + last, "memos": "open-" + last, "openTopic": "open-" + last, "openReport": "open-" + last, "backlinks": "/about", "alerts": "AlertList",
		"mySessions": "SessionList", "mySecurityEvents": "SecurityEventList", "myPermissions": "registry.document.create", "entitlements": `"key":"free"`, "usage": "registry.documents", "presence": w.rootID,
	}
	for i, e := range roots {
		e.hears(t, fmt.Sprintf("administrator %d", i), all)
	}
	w.judge(t, guests, some)
}

// everyChannel wants any word of each channel.
func everyChannel(w *secretly) map[string]string {
	want := map[string]string{}
	for _, c := range w.channels() {
		want[c["key"].(string)] = ""
	}
	return want
}

// judge waits until each guest was told what a guest is told, then looks at every byte.
func (w *secretly) judge(t *testing.T, guests []*eavesdropper, some map[string]string) {
	t.Helper()
	for _, m := range at(t, w.root.Must(`{ documents(type: "memo", first: 100) { nodes { id label } } }`, nil), "documents", "nodes").([]any) {
		w.hidden = append(w.hidden, text(t, m, "id"))
	}
	want := everyChannel(w)
	for key, text := range some {
		want[key] = text
	}
	for i, e := range guests {
		e.hears(t, fmt.Sprintf("guest %d", i), want)
		e.mu.Lock()
		for channel, told := range e.told {
			for _, secret := range w.hidden {
				if strings.Contains(told, secret) {
					t.Errorf("guest %d is told %q by %s: %.600s", i, secret, channel, told)
				}
			}
			if _, theirs := some[channel]; e.granted[channel] != theirs {
				t.Errorf("guest %d is told by %s: %.600s", i, channel, told)
			}
		}
		e.mu.Unlock()
	}
}
