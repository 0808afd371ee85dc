package graph

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestSilentPeerIsCut: of whom nothing is heard for two pings, as of one behind a hole in the network, nothing is left soon after. Who answers
// pings and says nothing else stays.
func TestSilentPeerIsCut(t *testing.T) {
	t.Parallel()
	cfg := SocketConfig{PingEvery: 500 * time.Millisecond, WriteTimeout: time.Second}
	rig := newSocketRig(t, cfg)
	silent, quiet := rig.signIn("silent"), rig.signIn("quiet")
	for _, c := range []*peerConn{silent, quiet} {
		c.send(subscribeTo("1", "a"))
		c.live()
	}
	var pings atomic.Int32
	pong := quiet.PingHandler()
	quiet.SetPingHandler(func(data string) error { pings.Add(1); return pong(data) })
	ended := make(chan error, 1)
	go func() {
		_, _, err := quiet.ReadMessage() // answers pings
		ended <- err
	}()
	begin := time.Now()
	storetestEventually(t, func() bool { return rig.sockets.Stats().Open == 1 }, "the silent peer is cut")
	if took, most := time.Since(begin), 2*cfg.PingEvery+cfg.WriteTimeout; took > most+2*time.Second {
		t.Errorf("it took %s, not %s", took, most)
	}
	storetestEventually(t, func() bool { return pings.Load() > 6 && rig.hub.Stats().Streams == 1 }, "the other one stays, and follows alone")
	select {
	case err := <-ended:
		t.Errorf("who answered pings was cut: %v", err)
	default:
	}
}

// slowly reads a byte at a time, with pauses, once it is told to.
type slowly struct {
	net.Conn
	on *atomic.Bool
}

func (s slowly) Read(p []byte) (int, error) {
	if s.on.Load() && len(p) > 1 {
		time.Sleep(50 * time.Millisecond)
		p = p[:1]
	}
	return s.Conn.Read(p)
}

// TestTricklingPeerIsCut: who takes a byte now and then, and answers pings all the while, is cut by the deadline for writing like who takes
// none.
func TestTricklingPeerIsCut(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{WriteTimeout: time.Second, QueueBytes: 256 << 10})
	var on atomic.Bool
	c, _, err := rig.tryDial(websocket.Dialer{NetDial: func(network, address string) (net.Conn, error) {
		conn, err := net.Dial(network, address)
		return slowly{conn, &on}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.init("trickling")
	c.expect("connection_ack")
	c.send(subscribeTo("1", "a"))
	c.live()
	on.Store(true)
	go func() {
		for err := error(nil); err == nil; {
			_, _, err = c.ReadMessage()
		}
	}()
	done := make(chan struct{})
	defer close(done)
	go func() {
		pong := time.NewTicker(200 * time.Millisecond)
		defer pong.Stop()
		for {
			select {
			case <-pong.C:
				_ = c.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Second))
			case <-done:
				return
			}
		}
	}()
	pad := strings.Repeat("x", 100<<10)
	storetestEventually(t, func() bool {
		rig.hub.Publish("a", published{n: 1, pad: pad})
		return rig.sockets.Stats().Slow == 1
	}, "it is cut for not reading")
	storetestEventually(t, func() bool { return rig.sockets.Stats().Open == 0 }, "nothing is left of it")
}
