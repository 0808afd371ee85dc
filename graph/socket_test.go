package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/ref"
)

// counter is a live source without a database: a report whose one number is the last published.
type counter struct{ n int64 }

func (c *counter) Load(context.Context) error { return nil }

func (c *counter) Apply(change any) any {
	p, ok := change.(published)
	if !ok {
		return nil
	}
	c.n = p.n
	return analytics.ReportDelta{Points: []analytics.Point{{At: time.UnixMilli(0), Key: p.pad, Count: p.n}}}
}

func (c *counter) Snapshot() any {
	return analytics.Report{Points: []analytics.Point{{At: time.UnixMilli(0), Count: c.n}}}
}

type published struct {
	n   int64
	pad string
}

// testRoot answers subscriptions from counters: the channel's key names the topic.
type testRoot struct {
	*Resolver
	hub *live.Hub
}

func (r *testRoot) Subscription() generated.SubscriptionResolver { return r }

func (r *testRoot) Live(ctx context.Context, channels []model.ChannelInput) (<-chan *live.Message, error) {
	reqs := make([]live.Request, len(channels))
	for i, c := range channels {
		reqs[i] = live.Request{Label: c.Key, Open: func(context.Context) (live.Channel, error) {
			if c.Key == "secret" {
				return live.Channel{}, fault.ErrForbidden
			}
			return live.Channel{Key: c.Key, Topics: []string{c.Key}, New: func() live.Source { return &counter{} }}, nil
		}}
	}
	return subscribe(ctx, r.hub, reqs)
}

type noRights struct{}

func (noRights) Require(context.Context, string, ref.Ref) error { return fault.ErrForbidden }

// executions counts how often messages go through gqlgen's executor.
type executions struct {
	operations
	n atomic.Int64
}

func (e *executions) Execute(ctx context.Context, op *graphql.OperationContext) graphql.ResponseHandler {
	next := e.operations.Execute(ctx, op)
	return func(ctx context.Context) *graphql.Response {
		e.n.Add(1)
		return next(ctx)
	}
}

type socketRig struct {
	t       testing.TB
	hub     *live.Hub
	sockets *Sockets
	exec    *executions
	url     string
	ended   chan struct{} // closes when session "s1" ends
}

func newSocketRig(t testing.TB, cfg SocketConfig) *socketRig {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	r := &socketRig{t: t, hub: live.New(ctx, clock.System(), log, live.Config{Linger: time.Millisecond}), ended: make(chan struct{})}
	srv := newServer(&testRoot{Resolver: &Resolver{}, hub: r.hub}, noRights{}, loader.Sources{}, Config{}, log, Hooks{})
	r.exec = &executions{operations: srv}
	auth := func(_ context.Context, token string) (actor.Actor, error) {
		if token == "expired" {
			return actor.Actor{}, fault.ErrUnauthenticated
		}
		return actor.Actor{User: token, Session: "s1"}, nil
	}
	watch := func(string) (<-chan struct{}, func()) { return r.ended, func() {} }
	r.sockets = NewSockets(r.exec, auth, watch, log, cfg)
	hubDone := make(chan struct{})
	go func() { defer close(hubDone); r.hub.Run() }()
	web := httptest.NewServer(r.sockets)
	r.url = "ws" + strings.TrimPrefix(web.URL, "http")
	t.Cleanup(func() {
		drain, stop := context.WithTimeout(context.Background(), 2*time.Second)
		defer stop()
		r.sockets.Drain(drain)
		web.Close()
		cancel()
		<-hubDone
	})
	return r
}

type peerConn struct {
	*websocket.Conn
	t testing.TB
}

func (r *socketRig) dial(protocols ...string) *peerConn {
	r.t.Helper()
	if protocols == nil {
		protocols = []string{subprotocol}
	}
	d := websocket.Dialer{Subprotocols: protocols, HandshakeTimeout: 10 * time.Second}
	ws, resp, err := d.Dial(r.url, nil)
	if err != nil {
		r.t.Fatalf("dial: %v", err)
	}
	_ = resp.Body.Close()
	r.t.Cleanup(func() { _ = ws.Close() })
	return &peerConn{ws, r.t}
}

// signIn is a socket that has been acknowledged for a user.
func (r *socketRig) signIn(user string) *peerConn {
	r.t.Helper()
	c := r.dial()
	c.send(`{"type":"connection_init","payload":{"authorization":"Bearer ` + user + `"}}`)
	c.expect("connection_ack")
	return c
}

func (c *peerConn) send(s string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(s)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

type reply struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

func (c *peerConn) next() (reply, error) {
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	var m reply
	_, data, err := c.ReadMessage()
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(data, &m)
}

func (c *peerConn) expect(typ string) reply {
	c.t.Helper()
	m, err := c.next()
	if err != nil || m.Type != typ {
		c.t.Fatalf("got %+v, %v; want %s", m, err, typ)
	}
	return m
}

func (c *peerConn) expectClose(code int) {
	c.t.Helper()
	for {
		_, err := c.next()
		var ce *websocket.CloseError
		if errors.As(err, &ce) {
			if ce.Code != code {
				c.t.Fatalf("closed with %d %q, want %d", ce.Code, ce.Text, code)
			}
			return
		}
		if err != nil {
			c.t.Fatalf("ended with %v, want close %d", err, code)
		}
	}
}

const liveQuery = `subscription($c:[ChannelInput!]!){ live(channels:$c){ channel kind seq firstSeq data { __typename ... on Report { points { count } } ... on ReportDelta { points { key count } } } error { code } } }`

func subscribeTo(id string, keys ...string) string {
	var channels []map[string]any
	for _, k := range keys {
		channels = append(channels, map[string]any{"key": k, "report": map[string]any{"metric": "m", "last": 1}})
	}
	b, _ := json.Marshal(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{
		"query": liveQuery, "variables": map[string]any{"c": channels},
	}})
	return string(b)
}

type liveReply struct {
	Data struct {
		Live struct {
			Channel       string
			Kind          string
			Seq, FirstSeq int64
			Data          struct{ Points []struct{ Count int64 } }
			Error         *struct{ Code string }
		}
	}
	Errors []struct{ Message string }
}

func (c *peerConn) live() liveReply {
	c.t.Helper()
	var r liveReply
	if err := json.Unmarshal(c.expect("next").Payload, &r); err != nil || len(r.Errors) > 0 {
		c.t.Fatalf("live: %+v, %v", r, err)
	}
	return r
}

// The cases of the protocol a server must get exactly right.
func TestSocketProtocol(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{InitTimeout: 400 * time.Millisecond})
	init := `{"type":"connection_init"}`
	user := `{"type":"connection_init","payload":{"Authorization":"bearer u"}}`
	for _, tc := range []struct {
		name  string
		sends []string
		code  int
	}{
		{"no init in time", nil, closeInitTimeout},
		{"subscribe before init", []string{subscribeTo("1", "a")}, closeUnauthorized},
		{"second init", []string{init, init}, closeTooManyInits},
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
	t.Run("other subprotocol", func(t *testing.T) {
		t.Parallel()
		rig.dial("graphql-ws").expectClose(closeBadSubprotocol)
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
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
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

func TestSlowSocketHoldsUpNobody(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{WriteTimeout: 500 * time.Millisecond, QueueBytes: 256 << 10})
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
			case <-time.After(time.Millisecond):
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

func TestSessionEndCutsTheSocket(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	reads, never := rig.signIn("u"), rig.signIn("u")
	for _, c := range []*peerConn{reads, never} {
		c.send(subscribeTo("1", "a"))
		c.live()
	}
	// Fill the pipe of the one that does not read, so that the writer is stuck when the session ends.
	pad := strings.Repeat("x", 200<<10)
	go func() {
		for {
			if _, err := reads.next(); err != nil {
				return
			}
		}
	}()
	for i := range 100 {
		rig.hub.Publish("a", published{n: int64(i + 1), pad: pad})
	}
	begin := time.Now()
	close(rig.ended)
	storetestEventually(t, func() bool { return rig.sockets.Stats().Open == 0 }, "both sockets are cut")
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v to cut a client that does not read", took)
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

func TestSocketOrigin(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{AllowedOrigins: []string{"https://app.example"}})
	own := "http" + strings.TrimPrefix(rig.url, "ws")
	for _, tc := range []struct {
		origin, cookie string
		ok             bool
	}{
		{own, "session=x", true},
		{"https://app.example", "session=x", true},
		{"https://evil.example", "session=x", false},
		{"https://evil.example", "", false},
		{own + ".evil.example", "", false},
		{"null", "session=x", false},
		{"", "session=x", false},
		{"", "", true},
	} {
		h := http.Header{}
		if tc.origin != "" {
			h.Set("Origin", tc.origin)
		}
		if tc.cookie != "" {
			h.Set("Cookie", tc.cookie)
		}
		ws, resp, err := websocket.DefaultDialer.Dial(rig.url, h)
		if resp != nil {
			_ = resp.Body.Close()
		}
		if ws != nil {
			_ = ws.Close()
		}
		if (err == nil) != tc.ok {
			t.Errorf("origin %q with cookie %q: %v", tc.origin, tc.cookie, err)
		}
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
