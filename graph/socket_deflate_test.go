package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
)

// counted is a connection that counts what comes.
type counted struct {
	net.Conn
	came *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.came.Add(int64(n))
	return n, err
}

// TestDeflate: who offers compression is told the same as the others in fewer bytes, and nobody is compressed to who does not.
func TestDeflate(t *testing.T) {
	t.Parallel()
	pad := strings.Repeat("the same again, ", 2000)
	for _, on := range []bool{true, false} {
		r := newSocketRig(t, SocketConfig{Compression: on})
		var told [2]json.RawMessage
		var came [2]atomic.Int64
		var peers [2]*peerConn
		for i := range peers {
			d := websocket.Dialer{EnableCompression: i == 1, NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return counted{conn, &came[i]}, err
			}}
			c, _, err := r.tryDial(d)
			if err != nil {
				t.Fatal(err)
			}
			c.init("u")
			c.expect("connection_ack")
			c.send(subscribeTo("1", "a"))
			c.live()
			peers[i] = c
		}
		r.hub.Publish("a", published{n: 7, pad: pad})
		for i, c := range peers {
			told[i] = c.expect("next").Payload
			c.alive() // small messages go as they are
		}
		if !bytes.Equal(told[0], told[1]) || len(told[0]) < len(pad) {
			t.Errorf("told %d and %d bytes, which differ", len(told[0]), len(told[1]))
		}
		if less := came[1].Load()*5 < came[0].Load(); less != on {
			t.Errorf("compression %v: %d bytes against %d", on, came[1].Load(), came[0].Load())
		}
	}
}

// TestDeflatedBomb: what a client sends is bounded by what comes out of it.
func TestDeflatedBomb(t *testing.T) {
	t.Parallel()
	r := newSocketRig(t, SocketConfig{Compression: true})
	c, _, err := r.tryDial(websocket.Dialer{EnableCompression: true})
	if err != nil {
		t.Fatal(err)
	}
	c.init("u")
	c.expect("connection_ack")
	c.send(`{"type":"ping","payload":{"s":"` + strings.Repeat("a", 60<<10) + `"}}`)
	c.expect("pong")
	c.send(`{"type":"ping","payload":{"s":"` + strings.Repeat("a", 1<<20) + `"}}`) // some KiB on the wire
	if m, err := c.next(); !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
		t.Errorf("answered %+v, %v", m, err)
	}
}
