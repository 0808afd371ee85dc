package graph

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// chunk is one WebSocket frame to be written: a shared body between a prefix of this client and a closing brace.
type chunk struct {
	opcode byte
	prefix string
	body   []byte
}

func (k chunk) size() int { return len(k.prefix) + len(k.body) }

// outbox is what waits to be written to one client. Whoever puts something in never waits; the writer takes everything
// that is there and writes it with one call.
type outbox struct {
	mu      sync.Mutex
	ready   *sync.Cond
	queue   []chunk
	bytes   int
	turn    uint64 // counts how often the writer took all
	refused bool   // a message was refused since the queue was last empty
	closing bool   // a close frame is the last thing in the queue
	stopped bool
	idle    bool // the writer waits: everything has been handed to the kernel
}

// offer queues a message of a subscription unless more than limit bytes wait already, or half as many of its lane: one
// channel that says much leaves room for the others. An empty queue, or lane while there is room, takes a message of any
// size, or a large state could never be sent.
func (o *outbox) offer(l *lane, prefix string, body []byte, limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || o.stopped {
		return true // nobody is there to miss it
	}
	if l.turn != o.turn {
		l.turn, l.waiting = o.turn, 0
	}
	if o.bytes > 0 && o.bytes+len(body) > limit || l.waiting > 0 && l.waiting+len(body) > limit/2 {
		o.refused = true
		return false
	}
	l.waiting += len(body)
	o.push(chunk{opcode: websocket.TextMessage, prefix: prefix, body: body})
	return true
}

// text queues a message of the protocol itself.
func (o *outbox) text(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closing && !o.stopped {
		o.push(chunk{opcode: websocket.TextMessage, body: []byte(s)})
	}
}

// control queues a ping or pong.
func (o *outbox) control(opcode int, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closing && !o.stopped {
		o.push(chunk{opcode: byte(opcode), body: data}) //nolint:gosec // opcodes have four bits
	}
}

// closeWith drops what waits and queues the last words and a close frame. It reports false if one was queued before.
func (o *outbox) closeWith(code int, reason string, last ...string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || o.stopped {
		return false
	}
	for len(reason) > 123 || !utf8.ValidString(reason) { // RFC 6455: a control frame holds 125 bytes
		reason = reason[:len(reason)-1]
	}
	o.queue, o.bytes, o.closing = nil, 0, true
	for _, s := range last {
		o.push(chunk{opcode: websocket.TextMessage, body: []byte(s)})
	}
	body := append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...) //nolint:gosec // codes have four digits
	o.push(chunk{opcode: websocket.CloseMessage, body: body})
	return true
}

func (o *outbox) push(k chunk) {
	o.queue = append(o.queue, k)
	o.bytes += k.size()
	if len(o.queue) == 1 {
		o.ready.Signal()
	}
}

func (o *outbox) isClosing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closing
}

// overfull reports whether answers and control messages alone have grown past four times the bound.
func (o *outbox) overfull(limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes > 4*limit
}

func (o *outbox) stop() {
	o.mu.Lock()
	o.stopped = true
	o.mu.Unlock()
	o.ready.Broadcast()
}

// flush waits until the writer has written everything, at most for d.
func (o *outbox) flush(d time.Duration) {
	t := time.AfterFunc(d, o.stop)
	defer t.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.stopped && (len(o.queue) > 0 || !o.idle) {
		o.ready.Wait()
	}
}

// take waits for chunks. drained tells that the queue had refused messages and is empty now.
func (o *outbox) take(reuse []chunk) (chunks []chunk, drained, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 && o.refused {
		o.refused = false
		return nil, true, true
	}
	for len(o.queue) == 0 && !o.stopped {
		o.idle = true
		o.ready.Broadcast() // for flush
		o.ready.Wait()
	}
	o.idle = false
	if o.stopped && !o.closing {
		return nil, false, false
	}
	if len(o.queue) == 0 {
		return nil, false, false
	}
	chunks, o.queue, o.bytes = o.queue, reuse[:0], 0
	o.turn++
	return chunks, false, true
}

var wireBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// maxPooledWire keeps a rare large write from holding its memory for ever.
const maxPooledWire = 64 << 10

// write is the writer goroutine: one write call for all that waits, each with a deadline.
func (c *socket) write() {
	var chunks []chunk
	for {
		var drained, ok bool
		chunks, drained, ok = c.out.take(chunks)
		if !ok {
			return
		}
		if drained {
			c.ready()
			continue
		}
		if !c.writeAll(chunks) {
			return
		}
		clear(chunks)
	}
}

// writeAll writes frames and reports whether the connection is still good.
func (c *socket) writeAll(chunks []chunk) bool {
	bp, _ := wireBuffers.Get().(*[]byte)
	buf := (*bp)[:0]
	closing := false
	for _, k := range chunks {
		buf = c.wire.frame(buf, k)
		closing = closing || k.opcode == websocket.CloseMessage
	}
	c.limit(closing)
	_, err := c.wire.Write(buf)
	if cap(buf) <= maxPooledWire {
		*bp = buf
		wireBuffers.Put(bp)
	}
	if err != nil {
		if isTimeout(err) && !c.out.isClosing() {
			c.srv.slow.Add(1)
			c.srv.log.InfoContext(c.ctx, "socket_slow", "close_code", closeSlow, "peer", c.wire.peer())
		}
		c.cancel()
		_ = c.wire.Close() // wakes the reader
		return false
	}
	return true
}

// limit sets the deadline of the next write: the timeout, or a little less, since setting it anew for each write costs as
// much as a tenth of the write.
func (c *socket) limit(closing bool) {
	timeout, slack := c.srv.cfg.WriteTimeout, c.srv.cfg.WriteTimeout/4
	if closing {
		timeout, slack = time.Second, 0
	}
	by := deadline(timeout)
	if by.Sub(c.writeBy).Abs() <= slack {
		return
	}
	c.writeBy = by
	_ = c.wire.SetWriteDeadline(by)
	// Asked after the deadline was set, as hurry tells it before: one of the two sets the short one last.
	if d := c.haste.Load(); d > 0 {
		c.hurry(time.Duration(d))
	}
}

// hurry leaves a write that is stuck little time, and those that come: the socket is to end.
func (c *socket) hurry(d time.Duration) {
	c.haste.Store(int64(d))
	_ = c.wire.SetWriteDeadline(deadline(d))
}

// ready tells the subscriptions that had messages refused that there is room again.
func (c *socket) ready() {
	c.mu.Lock()
	ops := slices.Collect(maps.Values(c.ops))
	c.mu.Unlock()
	for _, op := range ops {
		op.ready()
	}
}
