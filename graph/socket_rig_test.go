package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/session"
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

func (r *testRoot) Live(ctx context.Context, channels []model.ChannelInput, _ *string) (<-chan *live.Message, error) {
	reqs := make([]live.Request, len(channels))
	for i, c := range channels {
		reqs[i] = live.Request{Label: c.Key, Open: func(context.Context) (live.Channel, error) {
			if c.Key == "secret" {
				return live.Channel{}, fault.ErrForbidden
			}
			return live.Channel{Key: c.Key, Topics: []string{c.Key}, New: func() live.Source { return &counter{} }}, nil
		}}
	}
	return subscribe(ctx, r.hub, "", reqs)
}

type noRights struct{}

func (noRights) RequireSome(context.Context, string) error { return fault.ErrForbidden }

// executions counts how often messages go through gqlgen's executor.
type executions struct {
	operations
	n  atomic.Int64
	as atomic.Value // the actor of the last operation
}

func (e *executions) Execute(ctx context.Context, op *graphql.OperationContext) graphql.ResponseHandler {
	e.as.Store(actor.From(ctx))
	next := e.operations.Execute(ctx, op)
	return func(ctx context.Context) *graphql.Response {
		e.n.Add(1)
		return next(ctx)
	}
}

// grant is what a token is good for.
type grant struct {
	a     actor.Actor
	until time.Time
}

type socketRig struct {
	t        testing.TB
	hub      *live.Hub
	sockets  *Sockets
	exec     *executions
	url      string
	clock    *clock.Manual
	sessions *book
	grants   map[string]grant // by token; any other that is "USER" or "USER.SESSION" is good for that, in session s1 unless told
	authing  func(ctx context.Context, token string)
}

var rigStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newSocketRig(t testing.TB, cfg SocketConfig) *socketRig {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	r := &socketRig{
		t: t, hub: live.New(ctx, clock.System(), log, live.Config{Linger: time.Millisecond}), clock: clock.NewManual(rigStart),
		sessions: newBook(), grants: map[string]grant{}, authing: func(context.Context, string) {},
	}
	srv := newServer(&testRoot{Resolver: &Resolver{}, hub: r.hub}, noRights{}, proven{}, loader.Sources{}, Config{}, log, Hooks{})
	r.exec = &executions{operations: srv}
	r.sockets = NewSockets(r.exec, r.authenticate, r.sessions, r.clock.Now, log, cfg)
	hubDone := make(chan struct{})
	go func() { defer close(hubDone); r.hub.Run() }()
	srv.HandleStreams(r.sockets)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx := actor.WithRequest(req.Context(), actor.Request{IP: req.Header.Get("X-Test-Ip"), UserAgent: req.UserAgent()})
		if g, ok := r.grants[req.Header.Get("X-Test-Cookie")]; ok {
			ctx = actor.With(ctx, g.a)
		}
		srv.ServeHTTP(w, req.WithContext(ctx))
	}))
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

func (r *socketRig) authenticate(ctx context.Context, token string) (actor.Actor, time.Time, error) {
	r.authing(ctx, token)
	if token == "expired" {
		return actor.Actor{}, time.Time{}, fault.ErrUnauthenticated
	}
	g, ok := r.grants[token]
	if !ok {
		user, id, _ := strings.Cut(token, ".")
		g.a = actor.Actor{User: user, Session: cmp.Or(id, "s1")}
	}
	if r.sessions.isOver(g.a.Session) {
		return actor.Actor{}, time.Time{}, session.ErrEnded
	}
	return g.a, g.until, nil
}

// gone waits until nothing is left of any socket.
func (r *socketRig) gone() {
	r.t.Helper()
	storetestEventually(r.t, func() bool { return r.sockets.Stats().Open == 0 }, "the sockets are gone")
	r.sockets.running.Wait()
	storetestEventually(r.t, func() bool { return r.hub.Stats().Streams == 0 }, "the streams are gone")
	if n := r.sessions.followed(); len(n) > 0 {
		r.t.Errorf("sessions are still followed: %v", n)
	}
	if p, u := r.sockets.pending.all(), r.sockets.users.all(); len(p)+len(u) > 0 {
		r.t.Errorf("still counted: %v by address, %v by user", p, u)
	}
}

// all is what is counted.
func (t *tally) all() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.n)
}

// sock is the only open socket on the server's side.
func (r *socketRig) sock() *socket {
	r.t.Helper()
	r.sockets.mu.Lock()
	defer r.sockets.mu.Unlock()
	if len(r.sockets.open) != 1 {
		r.t.Fatalf("%d sockets are open", len(r.sockets.open))
	}
	for c := range r.sockets.open {
		return c
	}
	return nil
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
	c, resp, err := r.tryDial(websocket.Dialer{Subprotocols: protocols})
	if err != nil {
		r.t.Fatalf("dial: %v, %v", err, resp)
	}
	return c
}

// tryDial dials with headers, pairs of name and value.
func (r *socketRig) tryDial(d websocket.Dialer, headers ...string) (*peerConn, handshake, error) {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	if d.Subprotocols == nil {
		d.Subprotocols = []string{subprotocol}
	}
	d.HandshakeTimeout = 10 * time.Second
	ws, resp, err := d.Dial(r.url, h)
	var told handshake
	if resp != nil {
		told = handshake{resp.StatusCode, resp.Header}
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, told, err
	}
	r.t.Cleanup(func() { _ = ws.Close() })
	return &peerConn{ws, r.t}, told, nil
}

// handshake is what the server says to an upgrade.
type handshake struct {
	status int
	header http.Header
}

// signIn is a socket that has been acknowledged for a user.
func (r *socketRig) signIn(user string) *peerConn {
	r.t.Helper()
	c := r.dial()
	c.init(user)
	c.expect("connection_ack")
	return c
}

func (c *peerConn) init(token string) {
	c.t.Helper()
	c.send(`{"type":"connection_init","payload":{"authorization":"Bearer ` + token + `"}}`)
}

// alive asks for a sign of life and reads what comes before it.
func (c *peerConn) alive() (before []reply) {
	c.t.Helper()
	c.send(`{"type":"ping"}`)
	for {
		m, err := c.next()
		if err != nil {
			c.t.Fatalf("the socket is gone: %v", err)
		}
		if m.Type == "pong" {
			return before
		}
		before = append(before, m)
	}
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

func (c *peerConn) expectClose(code int) (reason string) {
	c.t.Helper()
	_, ce := c.rest()
	if ce.Code != code {
		c.t.Fatalf("closed with %d %q, want %d", ce.Code, ce.Text, code)
	}
	return ce.Text
}

// rest is everything up to the end.
func (c *peerConn) rest() (all []reply, end *websocket.CloseError) {
	c.t.Helper()
	for {
		m, err := c.next()
		if errors.As(err, &end) {
			return all, end
		}
		if err != nil {
			c.t.Fatalf("ended with %v, not with a goodbye", err)
		}
		all = append(all, m)
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
