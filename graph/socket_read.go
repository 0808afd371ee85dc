package graph

import (
	"context"
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
	"github.com/backendbook/backendbook/internal/ijson"
	"github.com/backendbook/backendbook/internal/token"
)

// socket is one connection. Its reader goroutine owns the protocol state, its writer goroutine the writing.
type socket struct {
	srv    *Sockets
	wire   wire
	ws     *websocket.Conn // nil for a stream of events
	ctx    context.Context //nolint:containedctx // the life of the connection: everything on it ends with it
	cancel context.CancelFunc

	// owned by the reader
	acked   bool
	token   string // a bearer token of the upgrade, until connection_init
	address string // counted as pending under this; empty once acknowledged
	user    string // counted under this; empty for nobody's
	pace    pace

	out     outbox
	writeBy time.Time                 // deadline of writes; owned by the writer
	haste   atomic.Int64              // how long a write may take once goodbye is said; 0 before
	leaveBy atomic.Pointer[time.Time] // deadline of reads once goodbye is said

	mu   sync.Mutex
	as   context.Context //nolint:containedctx // ctx with the actor of later operations
	held *hold           // what the socket counts on; nil for nobody's
	over bool            // no operation begins any more
	ops  map[string]*operation
	ping *time.Timer
}

func newSocket(ctx context.Context, s *Sockets, to wire) *socket {
	ctx, cancel := context.WithCancel(ctx)
	c := &socket{srv: s, wire: to, ctx: ctx, cancel: cancel, as: ctx, ops: map[string]*operation{}}
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
	written := c.writing()
	c.read()
	c.end()
	_ = c.wire.Close()
	<-written
}

// writing starts the writer, and tells when it has ended.
func (c *socket) writing() (ended <-chan struct{}) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer c.out.stop() // nobody needs to wait for what is not written any more
		c.write()
	}()
	return written
}

// end lets go of all that the socket holds; the writer then ends.
func (c *socket) end() {
	c.cancel()
	c.mu.Lock()
	c.over = true
	c.ping.Stop()
	held := c.held
	left := slices.Collect(maps.Values(c.ops))
	clear(c.ops)
	c.mu.Unlock()
	if held != nil {
		held.release()
	}
	c.uncount()
	for _, op := range left {
		op.end()
	}
	c.out.stop()
}

// message is what a client sends.
type message struct {
	kind    string
	id      string // empty without one
	payload any
}

// readMessage reads a message by the rules of every request: of two equal keys none counts.
func readMessage(data []byte) (m message, ok bool) {
	v, err := ijson.Parse(data)
	if err != nil {
		return m, false
	}
	given, isObject := v.(map[string]any)
	kind, kindIsText := optional[string](given, "type")
	id, idIsText := optional[string](given, "id")
	return message{kind, id, given["payload"]}, isObject && kindIsText && idIsText
}

// read handles messages until the connection ends. It answers nothing itself: it puts answers into the outbox.
func (c *socket) read() {
	c.ws.SetReadLimit(c.srv.cfg.MessageBytes)
	c.ws.SetPongHandler(func(string) error { c.heard(); return nil })
	c.ws.SetPingHandler(func(data string) error {
		if c.heard() {
			c.out.control(websocket.PongMessage, []byte(data))
		}
		return nil
	})
	c.ws.SetCloseHandler(func(int, string) error { return nil }) // the writer says goodbye
	c.stay(c.srv.cfg.InitTimeout)
	for {
		kind, data, err := c.readMessage()
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
		if c.heard() {
			c.handle(data)
		}
	}
}

// heard notes a sign of life, and reports false when there are too many. None prolongs the time for connection_init.
func (c *socket) heard() bool {
	if !c.pace.take(c.srv.now(), c.srv.cfg.MessagesPerSecond) {
		c.close(closeTooMany, "Too many messages")
		return false
	}
	if c.acked {
		c.stay(c.patience())
	}
	return true
}

// patience is how long a peer may be silent: it misses two pings.
func (c *socket) patience() time.Duration { return 2*c.srv.cfg.PingEvery + c.srv.cfg.WriteTimeout }

// stay bounds the wait for the peer. A goodbye that was said meanwhile has the last word: the one who says it notes
// when it ends, sets the deadline then, and one of the two sets the right one last.
func (c *socket) stay(d time.Duration) {
	_ = c.ws.SetReadDeadline(deadline(d))
	if by := c.leaveBy.Load(); by != nil {
		_ = c.ws.SetReadDeadline(*by)
	}
}

// leave gives the goodbye a moment to be written, and the peer one to answer it; then writer and reader end.
func (c *socket) leave(write, read time.Duration) {
	by := deadline(read)
	c.leaveBy.Store(&by)
	c.wire.hangUp(by)
	c.hurry(write)
}

// readFailed finds the words for an end that was not the peer's.
func (c *socket) readFailed(err error) {
	var timeout net.Error
	switch {
	case errors.Is(err, websocket.ErrReadLimit): // 1009 is on its way
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
	m, ok := readMessage(data)
	if !ok {
		c.close(closeBadRequest, "Invalid message received")
		return
	}
	switch m.kind {
	case "connection_init":
		c.init(m)
	case "ping":
		c.out.text(`{"type":"pong"}`)
	case "pong":
	case "subscribe":
		c.subscribe(m)
	case "complete":
		if m.id == "" {
			c.close(closeBadRequest, "A complete message needs an id")
			return
		}
		c.finish(m.id, false)
	default:
		c.close(closeBadRequest, "Unknown message type")
	}
}

// init is connection_init: it may bring a token, which then counts instead of what the upgrade came with.
func (c *socket) init(m message) {
	if c.acked {
		c.close(closeTooMany, "Too many initialisation requests")
		return
	}
	token, ok := initToken(m.payload)
	if !ok {
		c.close(closeBadRequest, "Invalid payload of connection_init")
		return
	}
	if token == "" {
		token = c.token
	}
	c.token = ""
	a, until := actor.From(c.ctx), time.Time{}
	if token != "" {
		var err error
		if a, until, err = c.srv.auth(c.ctx, token); err != nil {
			c.close(closeForbidden, "Forbidden") // whatever the reason
			return
		}
	}
	if !c.count(a) {
		c.close(closeTooMany, "Too many sockets")
		return
	}
	c.begin(a, until)
	c.acked = true
	c.stay(c.patience())
	c.out.text(`{"type":"connection_ack"}`)
}

// initToken reads {"authorization": "Bearer …"} of a connection_init, in any case of the key.
func initToken(payload any) (secret string, ok bool) {
	p, isObject := payload.(map[string]any)
	if payload != nil && !isObject {
		return "", false
	}
	given := false
	for k, v := range p {
		if !strings.EqualFold(k, "authorization") {
			continue
		}
		s, _ := v.(string)
		one, good := token.Bearer(s)
		if !good || given && one != secret { // of two that differ nobody knows which counts
			return "", false
		}
		secret, given = one, true
	}
	return secret, true
}

// subscribe starts an operation.
func (c *socket) subscribe(m message) {
	if !c.acked {
		c.close(closeUnauthorized, "Unauthorized")
		return
	}
	params := &graphql.RawParams{}
	if m.id == "" || len(m.id) > 256 || fillParams(m.payload, params) != nil {
		c.close(closeBadRequest, "Invalid message received")
		return
	}
	c.mu.Lock()
	_, taken := c.ops[m.id]
	full := len(c.ops) >= c.srv.cfg.Operations
	var op *operation
	if !taken && !full && !c.over {
		op = newOperation(c, m.id)
		c.ops[op.id] = op
	}
	c.mu.Unlock()
	switch {
	case taken:
		c.close(closeDuplicate, "Subscriber for "+m.id+" already exists")
	case full:
		c.close(closeTooMany, "Too many operations")
	case op != nil:
		go op.run(params)
	}
}

// finish forgets an operation, and tells the client unless it was the client who said so.
func (c *socket) finish(id string, tell bool) {
	c.mu.Lock()
	op := c.ops[id]
	delete(c.ops, id)
	if op != nil && tell { // under the lock: the end of the session finds it either running or told
		c.out.text(c.wire.completed(op.quoted))
	}
	c.mu.Unlock()
	if op != nil { // else over already: both ends may say complete at the same time
		op.end()
	}
}

// fail ends an operation that could not be executed. Nothing follows an error, not even a complete.
func (c *socket) fail(op *operation, errs []byte) {
	c.mu.Lock()
	if c.ops[op.id] == op {
		delete(c.ops, op.id)
		c.out.text(c.wire.failed(op.quoted, errs))
	}
	c.mu.Unlock()
	op.end()
}

// close says goodbye with a code. What waits in the outbox is dropped: the client will not use it. The first code wins.
func (c *socket) close(code int, reason string) {
	if code == closeSlow {
		c.srv.slow.Add(1)
	}
	if c.out.closeWith(code, reason) {
		c.logClose(code, reason)
		c.leave(time.Second, time.Second)
	}
}

func (c *socket) logClose(code int, reason string) {
	c.srv.log.DebugContext(c.ctx, "socket_closing", "close_code", code, "reason", reason, "peer", c.wire.peer())
}
