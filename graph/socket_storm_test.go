package graph

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// TestChurn has thousands of subscriptions come and go on a few sockets: nothing is left of them, nor of what served them.
// CHURN says how many on each socket, 500 unless told: 8,000 are more than a minute at 1,000 a second.
func TestChurn(t *testing.T) {
	sockets, rounds := 8, 500
	if asked := os.Getenv("CHURN"); asked != "" {
		var err error
		if rounds, err = strconv.Atoi(asked); err != nil {
			t.Fatal(err)
		}
	}
	goroutines := runtime.NumGoroutine()
	r := newSocketRig(t, SocketConfig{MessagesPerSecond: 1 << 20})
	peers := make([]*peerConn, sockets)
	var writing, wg sync.WaitGroup
	for i := range peers {
		c := r.signIn(fmt.Sprintf("u%d", i))
		peers[i] = c
		writing.Go(func() {
			for n := range rounds {
				id := fmt.Sprintf("op%d", n)
				first := c.WriteMessage(websocket.TextMessage, []byte(subscribeTo(id, fmt.Sprintf("topic%d", n%5))))
				if err := c.WriteMessage(websocket.TextMessage, []byte(`{"id":"`+id+`","type":"complete"}`)); first != nil || err != nil {
					t.Errorf("the socket ended: %v, %v", first, err)
					return
				}
			}
		})
		wg.Go(func() {
			for {
				m, err := c.next()
				if err != nil || m.Type == "pong" {
					return
				}
			}
		})
	}
	writing.Wait()
	for _, c := range peers {
		defer func() { _ = c.Close() }()
	}
	storetestEventually(t, func() bool { return r.idle() }, "no operation, stream or source is left")
	for _, c := range peers {
		_ = c.NetConn().Close()
	}
	wg.Wait()
	r.gone()
	storetestEventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+sockets }, "the goroutines are gone")
}

// idle reports whether sockets are open of which none has an operation, and nothing is computed.
func (r *socketRig) idle() bool {
	if s := r.hub.Stats(); s.Streams > 0 || s.Sources > 0 {
		return false
	}
	r.sockets.mu.Lock()
	defer r.sockets.mu.Unlock()
	for c := range r.sockets.open {
		c.mu.Lock()
		n := len(c.ops)
		c.mu.Unlock()
		if n > 0 {
			return false
		}
	}
	return len(r.sockets.open) > 0
}

// TestStorm: a crowd that comes back at once is served from one source by one execution for each form.
func TestStorm(t *testing.T) {
	t.Parallel()
	const crowd = 500
	r := newSocketRig(t, SocketConfig{UserSockets: crowd + 1, PendingPerAddress: crowd})
	first := r.signIn("u")
	first.send(subscribeTo("1", "a"))
	first.live()
	r.hub.Publish("a", published{n: 7})
	first.live()
	executed, frames := r.exec.n.Load(), r.hub.Stats().Frames
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for range crowd {
		wg.Go(func() {
			<-begin
			c, _, err := r.tryDial(websocket.Dialer{})
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			for _, m := range []string{`{"type":"connection_init","payload":{"authorization":"Bearer u"}}`, subscribeTo("1", "a")} {
				if err := c.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
					t.Errorf("send: %v", err)
					return
				}
			}
			for {
				if m, err := c.next(); err != nil || m.Type == "next" {
					if err != nil {
						t.Errorf("no answer: %v", err)
					}
					return
				}
			}
		})
	}
	close(begin)
	wg.Wait()
	if n := r.exec.n.Load() - executed; n != 1 {
		t.Errorf("%d executions for %d equal subscribers", n, crowd)
	}
	if n := r.hub.Stats().Frames - frames; n != 1 || r.hub.Stats().Sources != 1 {
		t.Errorf("%d messages made by %d sources", n, r.hub.Stats().Sources)
	}
}
