package graph

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/internal/actor"
)

// TestReq79Protocol: the cases of the protocol a server must get exactly right.
func TestReq79Protocol(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{Operations: 2})
	init := `{"type":"connection_init"}`
	user := `{"type":"connection_init","payload":{"Authorization":"bearer u"}}`
	for _, tc := range []struct {
		name  string
		sends []string
		code  int
	}{
		{"subscribe before init", []string{subscribeTo("1", "a")}, closeUnauthorized},
		{"second init", []string{init, init}, closeTooMany},
		{"bad token", []string{`{"type":"connection_init","payload":{"authorization":"Bearer expired"}}`}, closeForbidden},
		{"garbage token", []string{`{"type":"connection_init","payload":{"authorization":{"$ne":""}}}`}, closeBadRequest},
		{"init payload is a list", []string{`{"type":"connection_init","payload":[]}`}, closeBadRequest},
		{"not JSON", []string{`{"type":`}, closeBadRequest},
		{"more than one JSON value", []string{init + init}, closeBadRequest},
		{"unknown type", []string{init, `{"type":"start"}`}, closeBadRequest},
		{"no type", []string{`{}`}, closeBadRequest},
		{"subscribe without id", []string{init, `{"type":"subscribe","payload":{"query":"{__typename}"}}`}, closeBadRequest},
		{"subscribe without payload", []string{init, `{"type":"subscribe","id":"1"}`}, closeBadRequest},
		{"subscribe without query", []string{init, `{"type":"subscribe","id":"1","payload":{}}`}, closeBadRequest},
		{"id in use", []string{user, subscribeTo("1", "a"), subscribeTo("1", "b")}, closeDuplicate},
		{"one operation too many", []string{user, subscribeTo("1", "a"), subscribeTo("2", "a"), subscribeTo("3", "a")}, closeTooMany},
		{"complete without id", []string{init, `{"type":"complete"}`}, closeBadRequest},
		{"too large", []string{init, `{"type":"ping","payload":"` + strings.Repeat("x", 70<<10) + `"}`}, websocket.CloseMessageTooBig},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := rig.dial()
			c.t = t
			for _, s := range tc.sends {
				_ = c.WriteMessage(websocket.TextMessage, []byte(s)) // the server may have hung up already
			}
			c.expectClose(tc.code)
		})
	}
	t.Run("binary", func(t *testing.T) {
		t.Parallel()
		c := rig.dial()
		_ = c.WriteMessage(websocket.BinaryMessage, []byte(init))
		c.expectClose(closeBadRequest)
	})
	t.Run("ping before and after init", func(t *testing.T) {
		t.Parallel()
		c := rig.dial()
		c.send(`{"type":"ping"}`)
		c.expect("pong")
		c.send(init)
		c.expect("connection_ack")
		c.send(`{"type":"ping","payload":{"a":1}}`)
		c.expect("pong")
		c.send(`{"type":"pong"}`)
	})
}

func TestSocketAnswersQueries(t *testing.T) {
	t.Parallel()
	c := newSocketRig(t, SocketConfig{}).signIn("u")
	c.send(`{"id":"q\"1","type":"subscribe","payload":{"query":"{ __typename }"}}`)
	if m := c.expect("next"); m.ID != `q"1` || string(m.Payload) != `{"data":{"__typename":"Query"}}` {
		t.Errorf("answer %s of %q", m.Payload, m.ID)
	}
	c.expect("complete")
	c.send(`{"id":"2","type":"subscribe","payload":{"query":"{ nope }"}}`)
	if m := c.expect("error"); !strings.Contains(string(m.Payload), "GRAPHQL_VALIDATION_FAILED") {
		t.Errorf("error payload %s", m.Payload)
	}
	c.send(`{"id":"2","type":"subscribe","payload":{"query":"{ __typename }"}}`) // an error ends the id; no complete follows
	c.expect("next")
	c.expect("complete")
}

func TestSocketNeedsAUserToFollow(t *testing.T) {
	t.Parallel()
	c := newSocketRig(t, SocketConfig{}).dial()
	c.send(`{"type":"connection_init"}`)
	c.expect("connection_ack")
	c.send(subscribeTo("1", "a"))
	if m := c.expect("error"); !strings.Contains(string(m.Payload), "UNAUTHENTICATED") {
		t.Errorf("an anonymous visitor got %s", m.Payload)
	}
}

func TestSocketStreams(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	c := rig.signIn("u")
	c.send(subscribeTo("1", "a", "secret", "b"))
	seen := map[string]string{}
	for range 3 {
		m := c.live().Data.Live
		seen[m.Channel] = m.Kind
		if m.Error != nil {
			seen[m.Channel] += " " + m.Error.Code
		}
	}
	if fmt.Sprint(seen) != "map[a:SNAPSHOT b:SNAPSHOT secret:NOTICE FORBIDDEN]" {
		t.Fatalf("first messages: %v", seen)
	}
	rig.hub.Publish("b", published{n: 7})
	if m := c.live().Data.Live; m.Channel != "b" || m.Kind != "DELTA" || m.Seq != 2 || m.FirstSeq != 2 || m.Data.Points[0].Count != 7 {
		t.Errorf("delta: %+v", m)
	}
	c.send(`{"id":"1","type":"complete"}`)
	storetestEventually(t, func() bool { return rig.hub.Stats().Streams == 0 }, "complete ends the stream")
	c.send(subscribeTo("1", "a")) // the id is free again
	c.live()
}

// storetestEventually waits without the database that storetest brings along.
func storetestEventually(t testing.TB, cond func() bool, msg string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", msg)
		}
	}
}

func TestSocketsShareExecutions(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	const n = 20
	conns := make([]*peerConn, n)
	for i := range conns {
		conns[i] = rig.signIn("user" + strconv.Itoa(i))
		conns[i].send(subscribeTo("op"+strconv.Itoa(i), "a"))
		conns[i].live()
	}
	rig.exec.n.Store(0)
	rig.hub.Publish("a", published{n: 1})
	for _, c := range conns {
		c.live()
	}
	if got := rig.exec.n.Load(); got != 1 {
		t.Errorf("one message was executed %d times for %d equal subscribers", got, n)
	}
}

// TestReq82SlowSocketHoldsUpNobody: what waits for a client that does not read is bounded, it is cut in the end, and nobody else
// misses anything.
func TestReq82SlowSocketHoldsUpNobody(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{WriteTimeout: 2 * time.Second, QueueBytes: 256 << 10}) // what a busy machine reads in time
	stalled, quick := rig.signIn("stalled"), rig.signIn("quick")
	for _, c := range []*peerConn{stalled, quick} {
		c.send(subscribeTo("1", "a"))
		c.live()
	}
	pad := strings.Repeat("x", 100<<10) // the kernel takes some megabytes before a write waits
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int64(1); ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				rig.hub.Publish("a", published{n: i, pad: pad})
			}
		}
	})
	cut := func() bool { return rig.sockets.Stats().Slow == 1 }
	last := int64(0)
	for begin := time.Now(); !cut(); {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("a client that does not read was never cut")
		}
		m := quick.live().Data.Live
		if m.Kind == "DELTA" && m.Seq != last+1 && last != 0 {
			t.Fatalf("undeclared gap: %d after %d", m.Seq, last)
		}
		last = m.Seq
	}
	close(stop)
	wg.Wait()
	storetestEventually(t, func() bool { return rig.sockets.Stats().Open == 1 }, "the stalled socket is gone")
	if st := rig.sockets.Stats(); st.Refused == 0 {
		t.Errorf("%+v: drops must be counted", st)
	}
}

func TestDrainSendsHint(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	c := rig.signIn("u")
	go rig.sockets.Drain(t.Context())
	_, err := c.next()
	var ce *websocket.CloseError
	if !errors.As(err, &ce) || ce.Code != closeRestart || !strings.Contains(ce.Text, "reconnectInMs") {
		t.Errorf("drained with %v", err)
	}
	storetestEventually(t, func() bool { return rig.sockets.Stats().Open == 0 }, "the socket is gone")
	_, resp, err := websocket.DefaultDialer.Dial(rig.url, nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a draining server took a new socket: %v", err)
	}
	if resp != nil {
		_ = resp.Body.Close()
	}
}

func TestFormHoldsWhatTheBytesDependOn(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: `
		directive @shareable on OBJECT
		type Query { a: Int }
		type Subscription { live(c: Int): Msg }
		type Msg @shareable { n(unit: String): Int, secret: Mine }
		type Mine { s: Int }`})
	of := func(user, query string, vars map[string]any) string {
		doc, err := gqlparser.LoadQueryWithRules(schema, query, nil)
		if err != nil {
			t.Fatal(err)
		}
		oc := &graphql.OperationContext{RawQuery: query, Doc: doc, Operation: doc.Operations[0], Variables: vars}
		return form(actor.With(t.Context(), actor.Actor{User: user}), oc)
	}
	const shared = `subscription($c:Int,$u:String){ live(c:$c){ n(unit:$u) } }`
	const mine = `subscription($c:Int){ live(c:$c){ ...F } } fragment F on Msg { secret { s } }`
	v := func(c int, u string) map[string]any { return map[string]any{"c": c, "u": u} }
	if of("a", shared, v(1, "m")) != of("b", shared, v(2, "m")) {
		t.Error("equal selections of other channels by other users must share")
	}
	if of("a", shared, v(1, "m")) == of("a", shared, v(1, "km")) {
		t.Error("a variable below the root field changes the bytes")
	}
	if of("a", mine, v(1, "")) == of("b", mine, v(1, "")) {
		t.Error("a value that depends on who asks was shared between users")
	}
	if of("a", mine, v(1, "")) != of("a", mine, v(2, "")) {
		t.Error("one user's two sockets must share")
	}
}
