package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

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
	First   int `json:"firstSeq"`
	Cursor  string
	Data    map[string]any
	Error   struct{ Code string }
}

const liveQuery = `subscription($c: [ChannelInput!]!) { live(channels: $c, id: "test") { channel kind seq firstSeq cursor error { code }
  data { __typename
    ... on Report { points { key count } through }
    ... on ReportDelta { points { key count } }
    ... on DocumentList { documents { label } }
    ... on DocumentListDelta { changes { op index document { label } } }
    ... on EntitlementList { membership { status plan { key } } entitlements { feature limit used } }
    ... on DocumentState { document { label rev data } }
    ... on BacklinkList { references { from path } }
    ... on JobProgress { state done total result }
    ... on Funnel { steps { entered converted dropped medianSeconds } groups { key } read }
    ... on Retention { cohorts { size cells { period count } } }
    ... on Paths { sessions levels { level links { from to sessions } } }
    ... on EventTail { events { name actor session dims values user } skipped }
    ... on UsageList { usage { feature used remaining } }
    ... on TopicMessageList { messages { number author data } }
    ... on WatcherList { watchers { user channels } }
    ... on NodeList { nodes { id checks { critical detail } stats { sockets streams goroutines } } }
    ... on AlertList { alerts { id state value recipients { name } } } } } }`

func follow(t *testing.T, s *apptest.Server, token string, channels ...map[string]any) *follower {
	t.Helper()
	return followFrom(t, s, "127.0.0.1", token, channels...)
}

// followFrom is follow by a client at that address of this machine.
func followFrom(t *testing.T, s *apptest.Server, address, token string, channels ...map[string]any) *follower {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, NetDialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext}
	ws, resp, err := d.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", nil)
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
			if !strings.Contains(string(m.Payload), "SESSION_ENDED") { // the last word of a session that ends
				f.t.Errorf("message %s %s", m.Type, m.Payload)
			}
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
