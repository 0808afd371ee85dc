package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/actor"
)

// socket is one connection. Its reader goroutine owns the protocol state, its writer goroutine the writing.
type socket struct {
	srv    *Sockets
	ws     *websocket.Conn
	ctx    context.Context //nolint:containedctx // the life of the connection: everything on it ends with it
	cancel context.CancelFunc

	// owned by the reader
	acked   bool
	as      context.Context //nolint:containedctx // ctx with the actor of connection_init
	unwatch func()

	out     outbox
	writeBy time.Time   // deadline of writes; owned by the writer
	ended   atomic.Bool // the session has ended: no write may take long any more

	mu   sync.Mutex
	ops  map[string]*operation
	ping *time.Timer
}

func newSocket(ctx context.Context, s *Sockets, ws *websocket.Conn) *socket {
	ctx, cancel := context.WithCancel(ctx)
	c := &socket{srv: s, ws: ws, ctx: ctx, cancel: cancel, as: ctx, ops: map[string]*operation{}, unwatch: func() {}}
	c.out.ready = sync.NewCond(&c.out.mu)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ping = time.AfterFunc(s.cfg.PingEvery, c.sendPing)
	return c
}

// sendPing asks the peer for a sign of life, now and again. A timer costs less than a goroutine.
func (c *socket) sendPing() {
	c.out.control(websocket.PingMessage, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() == nil {
		c.ping.Reset(c.srv.cfg.PingEvery)
	}
}

// serve runs the connection to its end: it returns when both of its goroutines are done.
func (c *socket) serve() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write()
	}()
	c.read()
	c.cancel()
	c.unwatch()
	c.mu.Lock()
	c.ping.Stop()
	left := slices.Collect(maps.Values(c.ops))
	clear(c.ops)
	c.mu.Unlock()
	for _, op := range left {
		op.end()
	}
	c.out.stop()
	_ = c.ws.Close()
	<-written
}

// message is what a client sends.
type message struct {
	Type    string          `json:"type"`
	ID      *string         `json:"id"`
	Payload json.RawMessage `json:"payload"`
}

// read handles messages until the connection ends. It answers nothing itself: it puts answers into the outbox.
func (c *socket) read() {
	c.ws.SetReadLimit(c.srv.cfg.MessageBytes)
	alive := func() { _ = c.ws.SetReadDeadline(deadline(2*c.srv.cfg.PingEvery + c.srv.cfg.WriteTimeout)) }
	c.ws.SetPongHandler(func(string) error { alive(); return nil })
	c.ws.SetPingHandler(func(data string) error { alive(); c.out.control(websocket.PongMessage, []byte(data)); return nil })
	c.ws.SetCloseHandler(func(int, string) error { return nil }) // the writer says goodbye
	_ = c.ws.SetReadDeadline(deadline(c.srv.cfg.InitTimeout))
	for {
		kind, data, err := c.ws.ReadMessage()
		switch {
		case err != nil:
			c.readFailed(err)
			return
		case c.out.isClosing():
			continue // said goodbye: only the answer to it matters
		case kind != websocket.TextMessage:
			c.close(closeBadRequest, "Binary messages are not part of the protocol")
			continue
		}
		c.handle(data)
		if c.acked {
			alive()
		}
	}
}

// readFailed finds the words for an end that was not the peer's.
func (c *socket) readFailed(err error) {
	var timeout net.Error
	switch {
	case errors.Is(err, websocket.ErrReadLimit): // gorilla has sent 1009
		// Closing now would reset the connection under the rest of the message, and the 1009 with it.
		conn := c.ws.NetConn()
		_ = conn.SetReadDeadline(deadline(time.Second))
		_, _ = io.CopyN(io.Discard, conn, 1<<20)
	case errors.As(err, &timeout) && timeout.Timeout() && !c.acked && !c.out.isClosing():
		c.close(closeInitTimeout, "Connection initialisation timeout")
	}
	c.out.flush(time.Second)
}

func deadline(d time.Duration) time.Time {
	return time.Now().Add(d) //nolint:forbidigo // a deadline of a connection, which the kernel keeps by the machine's clock
}

func (c *socket) handle(data []byte) {
	var m message
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&m); err != nil || dec.More() {
		c.close(closeBadRequest, "Invalid message received")
		return
	}
	switch m.Type {
	case "connection_init":
		c.init(m)
	case "ping":
		c.out.text(`{"type":"pong"}`)
	case "pong":
	case "subscribe":
		c.subscribe(m)
	case "complete":
		if m.ID == nil {
			c.close(closeBadRequest, "A complete message needs an id")
			return
		}
		c.finish(*m.ID, false)
	default:
		c.close(closeBadRequest, "Unknown message type")
	}
}

// init is connection_init: it may bring a token, which then counts instead of the cookie's session.
func (c *socket) init(m message) {
	if c.acked {
		c.close(closeTooManyInits, "Too many initialisation requests")
		return
	}
	token, ok := initToken(m.Payload)
	if !ok {
		c.close(closeBadRequest, "Invalid payload of connection_init")
		return
	}
	if token != "" {
		a, err := c.srv.auth(c.ctx, token)
		if err != nil {
			c.close(closeForbidden, "Forbidden")
			return
		}
		c.as = actor.With(c.ctx, a)
	}
	if id := actor.From(c.as).Credential(); id != "" {
		c.followSession(id)
	}
	c.acked = true
	c.out.text(`{"type":"connection_ack"}`)
}

// initToken reads {"authorization": "Bearer …"} of a connection_init, in any case of the key.
func initToken(payload json.RawMessage) (token string, ok bool) {
	if len(payload) == 0 || string(payload) == "null" {
		return "", true
	}
	var p map[string]any
	if json.Unmarshal(payload, &p) != nil {
		return "", false
	}
	for k, v := range p {
		if !strings.EqualFold(k, "authorization") {
			continue
		}
		s, isText := v.(string)
		scheme, token, _ := strings.Cut(s, " ")
		if !isText || !strings.EqualFold(scheme, "bearer") || token == "" {
			return "", false
		}
		return token, true
	}
	return "", true
}

// followSession cuts the socket when its session ends, whether the client reads or not.
func (c *socket) followSession(id string) {
	ended, stop := c.srv.watch(id)
	c.unwatch = stop
	go func() {
		select {
		case <-ended:
			c.close(closeForbidden, "Session ended")
			c.cancel()
			c.cut()
		case <-c.ctx.Done():
		}
	}()
}

// subscribe starts an operation.
func (c *socket) subscribe(m message) {
	if !c.acked {
		c.close(closeUnauthorized, "Unauthorized")
		return
	}
	params := &graphql.RawParams{}
	if m.ID == nil || *m.ID == "" || len(*m.ID) > 256 || decodeParams(m.Payload, params) != nil {
		c.close(closeBadRequest, "Invalid message received")
		return
	}
	c.mu.Lock()
	_, taken := c.ops[*m.ID]
	full := len(c.ops) >= c.srv.cfg.Operations
	var op *operation
	if !taken && !full {
		op = newOperation(c, *m.ID)
		c.ops[op.id] = op
	}
	c.mu.Unlock()
	switch {
	case taken:
		c.close(closeDuplicate, "Subscriber for "+*m.ID+" already exists")
	case full:
		c.close(closeTooManyInits, "Too many operations")
	default:
		go op.run(params)
	}
}

// finish forgets an operation, and tells the client unless it was the client who said so.
func (c *socket) finish(id string, tell bool) {
	c.mu.Lock()
	op := c.ops[id]
	delete(c.ops, id)
	c.mu.Unlock()
	if op == nil {
		return // over already: both ends may say complete at the same time
	}
	op.end()
	if tell {
		c.out.text(`{"id":` + op.quoted + `,"type":"complete"}`)
	}
}

// fail ends an operation that could not be executed. Nothing follows an error, not even a complete.
func (c *socket) fail(op *operation, errs []byte) {
	c.mu.Lock()
	mine := c.ops[op.id] == op
	if mine {
		delete(c.ops, op.id)
	}
	c.mu.Unlock()
	op.end()
	if mine {
		c.out.text(`{"id":` + op.quoted + `,"type":"error","payload":` + string(errs) + `}`)
	}
}

// close says goodbye with a code. What waits in the outbox is dropped: the client will not use it. The first code wins.
func (c *socket) close(code int, reason string) {
	if code == closeSlow {
		c.srv.slow.Add(1)
	}
	if c.out.closeWith(code, reason) {
		c.srv.log.DebugContext(c.ctx, "socket_closing", "close_code", code, "reason", reason, "peer", peer(c.ws.NetConn()))
		// The peer has a moment to answer the goodbye; then the reader ends.
		_ = c.ws.SetReadDeadline(deadline(time.Second))
	}
}
