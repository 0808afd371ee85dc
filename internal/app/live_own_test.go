package app_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

const ownQuery = `subscription($c: [ChannelInput!]!) { live(channels: $c) { channel kind seq error { code }
  data { __typename
    ... on SessionList { sessions { id ip label client current impersonated } }
    ... on SecurityEventList { events { id kind ip own } } } } }`

// ownEvent is a security event as a client reads it.
type ownEvent struct {
	ID, Kind string
	IP       *string
	Own      bool
}

// own is what a message tells of one's own.
type own struct {
	Sessions []struct {
		listed
		Impersonated bool
	}
	Events []ownEvent
}

func (m message) own(t *testing.T) (v own) {
	t.Helper()
	b, err := json.Marshal(m.Data)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ownChannels(first int) []map[string]any {
	return []map[string]any{
		{"key": "sessions", "mySessions": map[string]any{"first": first}},
		{"key": "events", "mySecurityEvents": map[string]any{"first": first}},
	}
}

// followOwn is a socket as a page of the browser opens it: with its cookies, or with the token of a program.
func followOwn(t *testing.T, c *apptest.Client, channels ...map[string]any) *follower {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, Jar: c.Jar}
	ws, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(c.URL, "http")+"/graphql", http.Header{"Origin": {c.URL}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	f := &follower{t: t, ws: ws, in: make(chan message, 1000), shut: make(chan *websocket.CloseError, 1)}
	t.Cleanup(func() { _ = ws.Close() })
	hello := map[string]any{}
	if c.Token != "" {
		hello["authorization"] = "Bearer " + c.Token
	}
	for _, v := range []any{
		map[string]any{"type": "connection_init", "payload": hello},
		map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": ownQuery, "variables": map[string]any{"c": channels}}},
	} {
		if err := ws.WriteJSON(v); err != nil {
			t.Fatal(err)
		}
	}
	go f.readOwn()
	return f
}

// readOwn is read for sockets whose sessions may end under them: each subscription is told, then the socket closes.
func (f *follower) readOwn() {
	for {
		var m struct {
			Type    string
			Payload json.RawMessage
		}
		if err := f.ws.ReadJSON(&m); err != nil {
			var ce *websocket.CloseError
			_ = errors.As(err, &ce)
			f.shut <- ce
			return
		}
		var p struct{ Data struct{ Live message } }
		switch {
		case m.Type == "next" && json.Unmarshal(m.Payload, &p) == nil:
			f.in <- p.Data.Live
		case m.Type != "connection_ack" && !strings.Contains(string(m.Payload), "SESSION_ENDED"):
			f.t.Errorf("message %s %s", m.Type, m.Payload)
		}
	}
}

// sessions waits for a list of sessions that is as wanted.
func (f *follower) sessions(what string, ok func(own) bool) own {
	f.t.Helper()
	return f.until(what, func(m message) bool {
		return m.Channel == "sessions" && m.Kind != "NOTICE" && ok(m.own(f.t))
	}).own(f.t)
}

// event waits for the news of a fact of that kind.
func (f *follower) event(kind string) (found ownEvent) {
	f.t.Helper()
	f.until(kind, func(m message) bool {
		if m.Channel != "events" || m.Kind != "DELTA" {
			return false
		}
		for _, e := range m.own(f.t).Events {
			if e.Kind == kind {
				found = e
			}
		}
		return found.ID != ""
	})
	return found
}

// begun waits for the snapshots of both channels, and gives them.
func (f *follower) begun() map[string]own {
	f.t.Helper()
	first := map[string]own{}
	for len(first) < 2 {
		m := f.until("the snapshots", func(m message) bool { return m.Kind == "SNAPSHOT" })
		first[m.Channel] = m.own(f.t)
	}
	return first
}

func numbered(n int) func(own) bool { return func(v own) bool { return len(v.Sessions) == n } }

// TestReq63FollowedLive: whoever looks at their sessions on one node sees on the same page what happens on another: a sign-in,
// a name, an end; and a stranger sees nothing of it.
func TestReq63FollowedLive(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	home, phone, eve := a.Browser(), a.Browser(), a.Browser()
	email := home.Register("Hera")
	eve.Register("Eve")
	here, there := followOwn(t, home.At(b), ownChannels(20)...), followOwn(t, eve.At(b), ownChannels(20)...)
	if first := here.begun(); len(first["sessions"].Sessions) != 1 || !first["sessions"].Sessions[0].Current || len(first["events"].Events) == 0 {
		t.Fatalf("it begins with %+v", first)
	}
	there.begun()

	enter(phone, email)
	two := here.sessions("the sign-in", numbered(2)).Sessions
	if two[0].Current || !two[1].Current || two[0].IP != "127.0.0.1" {
		t.Errorf("after the sign-in there are %+v", two)
	}
	other := followOwn(t, phone.At(b), ownChannels(1)...)
	if only := other.begun(); len(only["sessions"].Sessions) != 1 || !only["sessions"].Sessions[0].Current || len(only["events"].Events) != 1 {
		t.Errorf("with room for one the phone is shown %+v", only)
	}
	phone.Must(`mutation($in: RenameSessionInput!) { renameSession(input: $in) { session { id } } }`,
		map[string]any{"in": map[string]any{"session": two[0].ID, "label": "In my pocket"}})
	named := func(v own) bool { return v.Sessions[0].Label != nil && *v.Sessions[0].Label == "In my pocket" }
	if s := here.sessions("the name", named).Sessions; s[0].Current {
		t.Errorf("at home the phone counts as the session of the page: %+v", s)
	}
	if s := other.sessions("the name", named).Sessions; !s[0].Current {
		t.Errorf("on the phone it does not: %+v", s)
	}
	home.Must(`mutation($in: EndSessionInput!) { endSession(input: $in) { session } }`, map[string]any{"in": map[string]any{"session": two[0].ID}})
	here.sessions("the end", func(v own) bool { return len(v.Sessions) == 1 && v.Sessions[0].Current })
	select {
	case ce := <-other.shut:
		if ce == nil || ce.Code != 4403 {
			t.Errorf("the socket of the phone ended with %v", ce)
		}
	case <-time.After(30 * time.Second):
		t.Error("the socket of the phone outlives its session")
	}

	eve.Must(`mutation { updateMe(input: {name: "Evelyn"}) { user { id } } }`, nil)
	if e := there.event("account.user.updated"); !e.Own {
		t.Errorf("Eve's own doing reads %+v", e)
	}
	if len(there.in) > 0 {
		t.Errorf("Eve is told more: %+v", <-there.in)
	}
}

// TestReq84FollowedEvents: what happens to an account is on its owner's page at once, whoever did it, with the addresses that
// are the owner's to know; all of it is what the list says.
func TestReq84FollowedEvents(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	user, admin, thief := a.Browser(), administrator(a), a.Browser()
	email := user.Register("Uma")
	f := followOwn(t, user.At(b), ownChannels(50)...)
	known := f.begun()["events"].Events

	thief.Do(signInDoc, map[string]any{"in": map[string]any{"identifier": email, "password": "a lucky guess at nothing"}})
	failed := f.event("webauth.signin.failed")
	if failed.Own || failed.IP == nil || *failed.IP != "127.0.0.1" {
		t.Errorf("a wrong password reads %+v", failed)
	}
	admin.Must(actAsDoc, actAs(userID(user), nil))
	begun := f.event("webauth.impersonation.started")
	acting := followOwn(t, admin.At(b), ownChannels(50)...)
	if first := acting.begun(); !first["sessions"].Sessions[0].Impersonated || !first["sessions"].Sessions[0].Current || len(first["events"].Events) <= len(known) {
		t.Errorf("who acts as the user sees %+v", first)
	}
	admin.Must(`mutation { stopImpersonating { user { id } } }`, nil)
	ended := f.event("webauth.impersonation.ended")
	for _, e := range []ownEvent{begun, ended} {
		if e.Own || e.IP != nil {
			t.Errorf("what an administrator did reads %+v", e)
		}
	}

	var list struct{ MySecurityEvents struct{ Nodes []ownEvent } }
	user.Read(&list, `{ mySecurityEvents(first: 50) { nodes { id kind ip own } } }`, nil)
	ids := func(of []ownEvent) (all []string) {
		for _, e := range of {
			all = append(all, e.ID)
		}
		return all
	}
	again := followOwn(t, user, ownChannels(50)...).begun()["events"].Events
	if !slices.Equal(ids(again), ids(list.MySecurityEvents.Nodes)) || len(again) <= len(known) {
		t.Errorf("another page begins with %v; the list is %v", ids(again), ids(list.MySecurityEvents.Nodes))
	}
}

// Nobody but people follows their own, and nobody more of it than a page.
func TestOwnChannelsRefused(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	p := newPerson(t, s, "Pia")
	program, _ := accessKey(t, s, p, "registry.document.read")
	for _, tc := range []struct {
		as    *apptest.Client
		first int
		code  string
	}{{program, 20, "KEY_FORBIDDEN"}, {p.Client, 0, "PAGE_SIZE"}, {p.Client, 101, "PAGE_SIZE"}} {
		f := followOwn(t, tc.as, ownChannels(tc.first)...)
		for range 2 {
			if m := f.until("a notice", func(message) bool { return true }); m.Kind != "NOTICE" || m.Error.Code != tc.code {
				t.Errorf("first %d: %+v, want %s", tc.first, m, tc.code)
			}
		}
	}
}
