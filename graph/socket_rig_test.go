package graph

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
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
