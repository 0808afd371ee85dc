package graph

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// wire is how a client is written to: over a WebSocket or as server-sent events.
type wire interface {
	io.Writer
	SetWriteDeadline(by time.Time) error
	// hangUp lets the client leave by itself until then.
	hangUp(by time.Time)
	Close() error
	// peer is the address of the other end, for the log.
	peer() string
	// frame appends a chunk as it is written.
	frame(b []byte, k chunk) []byte
	// completed and failed are the messages that end an operation, whose id is given as JSON, the latter with a JSON list of errors.
	completed(id string) string
	failed(id string, errs []byte) string
}

// webSocket speaks graphql-transport-ws.
type webSocket struct {
	ws      *websocket.Conn
	deflate bool // what is large goes compressed
}

func (w webSocket) Write(b []byte) (int, error)         { return w.ws.NetConn().Write(b) }
func (w webSocket) SetWriteDeadline(by time.Time) error { return w.ws.NetConn().SetWriteDeadline(by) }
func (w webSocket) hangUp(by time.Time)                 { _ = w.ws.SetReadDeadline(by) }
func (w webSocket) Close() error                        { return w.ws.Close() }
func (w webSocket) peer() string                        { return host(w.ws.NetConn().RemoteAddr().String()) }

func (webSocket) completed(id string) string { return `{"id":` + id + `,"type":"complete"}` }

func (webSocket) failed(id string, errs []byte) string {
	return `{"id":` + id + `,"type":"error","payload":` + string(errs) + `}`
}

// frame appends one unmasked frame (RFC 6455, section 5.2), as a server sends them.
func (w webSocket) frame(b []byte, k chunk) []byte {
	n := k.size()
	if w.deflate && n >= minDeflated {
		return deflated(b, k)
	}
	if k.prefix != "" {
		n++ // the closing brace
	}
	b = append(append(frameHeader(b, k.opcode, n), k.prefix...), k.body...)
	if k.prefix != "" {
		b = append(b, '}')
	}
	return b
}

// frameHeader appends what stands before n bytes of a whole message.
func frameHeader(b []byte, opcode byte, n int) []byte {
	b = append(b, 0x80|opcode)
	switch {
	case n < 126:
		return append(b, byte(n)) //nolint:gosec // below 126
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
}

// eventStream speaks server-sent events, for places without WebSockets: one operation on each connection, by the GraphQL over
// SSE protocol in distinct connections mode (https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md).
type eventStream struct {
	w      http.ResponseWriter
	ctl    *http.ResponseController
	remote string
	end    func() // ends the response once all is written
}

func (e *eventStream) Write(b []byte) (int, error) {
	n, err := e.w.Write(b)
	if err == nil {
		err = e.ctl.Flush()
	}
	return n, err
}

func (e *eventStream) SetWriteDeadline(by time.Time) error { return e.ctl.SetWriteDeadline(by) }
func (e *eventStream) hangUp(time.Time)                    { e.end() }
func (e *eventStream) peer() string                        { return host(e.remote) }

func (e *eventStream) Close() error {
	e.end()
	return nil
}

const sseComplete = "event: complete\ndata:\n\n"

func (*eventStream) completed(string) string { return sseComplete }

func (*eventStream) failed(_ string, errs []byte) string {
	return "event: next\ndata: {\"errors\":" + string(errs) + "}\n\n" + sseComplete
}

// frame appends an event. What only a socket's protocol knows is a comment, which also shows that the connection is alive; a
// goodbye says when to come again.
func (*eventStream) frame(b []byte, k chunk) []byte {
	switch {
	case k.opcode == websocket.CloseMessage:
		var hint struct{ ReconnectInMs int }
		if json.Unmarshal(k.body[2:], &hint) == nil && hint.ReconnectInMs > 0 {
			b = append(strconv.AppendInt(append(b, "retry: "...), int64(hint.ReconnectInMs), 10), "\n\n"...)
		}
		return b
	case k.opcode != websocket.TextMessage:
		return append(b, ":\n\n"...)
	case k.prefix != "":
		return append(append(append(b, "event: next\ndata: "...), k.body...), "\n\n"...)
	case k.body[0] == '{':
		return append(append(append(b, ": "...), k.body...), "\n\n"...)
	default:
		return append(b, k.body...)
	}
}

func host(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return h
}
