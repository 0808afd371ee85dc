package graph

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/actor"
)

// TestReq81UserSockets: the newest of too many goes, whoever asks at once, and what is given back can be had again.
func TestReq81UserSockets(t *testing.T) {
	t.Parallel()
	if got := (SocketConfig{}).withDefaults().UserSockets; got != 20 {
		t.Errorf("the default is %d", got)
	}
	rig := newSocketRig(t, SocketConfig{UserSockets: 3})
	rig.grants["acting"] = grant{a: actor.Actor{User: "u", Session: "s2", Impersonator: "boss"}}
	const n = 20
	conns := make([]*peerConn, n)
	var wg sync.WaitGroup
	for i := range conns {
		conns[i] = rig.dial()
		wg.Go(func() { conns[i].init("u") })
	}
	wg.Wait()
	var in []*peerConn
	for _, c := range conns {
		m, err := c.next()
		switch {
		case err == nil && m.Type == "connection_ack":
			in = append(in, c)
		case !websocket.IsCloseError(err, closeTooMany):
			t.Errorf("got %+v, %v", m, err)
		}
	}
	if len(in) != 3 {
		t.Fatalf("%d of %d were let in", len(in), n)
	}
	for _, c := range in {
		c.alive()
	}
	rig.signIn("v")      // somebody else
	rig.signIn("acting") // takes nothing of u's
	anonymous := rig.dial()
	anonymous.send(`{"type":"connection_init"}`)
	anonymous.expect("connection_ack")
	late := rig.dial()
	late.init("u")
	if reason := late.expectClose(closeTooMany); reason != "Too many sockets" {
		t.Errorf("refused with %q", reason)
	}
	_ = in[0].Close()
	storetestEventually(t, func() bool { return rig.sockets.users.all()["u"] == 2 }, "a place is free")
	rig.signIn("u").alive()
	rig.sockets.Drain(t.Context())
	rig.gone()
}

// TestReq78PendingPerAddress: who opens sockets and says nothing gets no more of them from that network. Others do.
func TestReq78PendingPerAddress(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{PendingPerAddress: 3})
	dial := func(ip string) (*peerConn, int) {
		c, resp, err := rig.tryDial(websocket.Dialer{}, "X-Test-Ip", ip)
		if err == nil {
			return c, http.StatusSwitchingProtocols
		}
		if after, _ := strconv.Atoi(resp.header.Get("Retry-After")); after < 1 {
			t.Errorf("%s was refused without Retry-After", ip)
		}
		return nil, resp.status
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	got := map[int]int{}
	var open []*peerConn
	for i := range 20 {
		wg.Go(func() {
			c, status := dial(fmt.Sprintf("2001:db8:1:2::%x", i))
			mu.Lock()
			defer mu.Unlock()
			if got[status]++; c != nil {
				open = append(open, c)
			}
		})
	}
	wg.Wait()
	if got[http.StatusSwitchingProtocols] != 3 || got[http.StatusTooManyRequests] != 17 {
		t.Fatalf("by status: %v", got)
	}
	for ip, want := range map[string]int{"2001:db8:1:2:ffff::": 429, "2001:db8:1:3::": 101, "192.0.2.1": 101, "": 101} {
		if _, status := dial(ip); status != want {
			t.Errorf("%q: %d, want %d", ip, status, want)
		}
	}
	open[0].send(`{"type":"connection_init"}`) // acknowledged
	open[0].expect("connection_ack")
	open[1].send(`{`) // refused
	open[1].expectClose(closeBadRequest)
	storetestEventually(t, func() bool { return rig.sockets.pending.all()["2001:db8:1:2::/64"] == 1 }, "two places are free")
	for range 5 { // an upgrade that fails takes no place
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(rig.url, "ws"), nil)
		req.Header.Set("Upgrade", "websocket")
		req.Header.Set("X-Test-Ip", "2001:db8:1:2::")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Fatalf("half an upgrade: %d", resp.StatusCode)
		}
	}
	for range 2 {
		if _, status := dial("2001:db8:1:2::7"); status != 101 {
			t.Errorf("a place that is free: %d", status)
		}
	}
	rig.sockets.Drain(t.Context())
	rig.gone()
}

// TestReq81Messages: twice what a second may bring at once, and then as they may come. Pings of the WebSocket count too.
func TestReq81Messages(t *testing.T) {
	t.Parallel()
	if got := (SocketConfig{}).withDefaults().MessagesPerSecond; got != 100 {
		t.Errorf("the default is %d", got)
	}
	rig := newSocketRig(t, SocketConfig{MessagesPerSecond: 5})
	ping := func(c *peerConn) { _ = c.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)) }
	control := func(c *peerConn) { _ = c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) }
	for name, send := range map[string]func(*peerConn){"messages": ping, "pings": control} {
		c := rig.signIn("u") // one message
		for range 8 {
			send(c)
		}
		c.alive() // the tenth
		rig.clock.Advance(time.Second)
		for range 4 {
			send(c)
		}
		c.alive()
		send(c)
		if reason := c.expectClose(closeTooMany); reason != "Too many messages" {
			t.Errorf("%s: %q", name, reason)
		}
	}
	rig.gone()
}

// TestReq81NothingLeaks: what a socket that went too far had open ends with it.
func TestReq81NothingLeaks(t *testing.T) {
	t.Parallel()
	if cfg := (SocketConfig{}).withDefaults(); cfg.Operations != 100 || cfg.MessageBytes != 64<<10 {
		t.Errorf("defaults: %d operations, %d bytes", cfg.Operations, cfg.MessageBytes)
	}
	rig := newSocketRig(t, SocketConfig{Operations: 4})
	for name, tc := range map[string]struct {
		send string
		code int
	}{
		"operations": {subscribeTo("5", "a"), closeTooMany},
		"bytes":      {`{"type":"ping","payload":"` + strings.Repeat("x", 64<<10) + `"}`, websocket.CloseMessageTooBig},
		"flood":      {"", closeTooMany},
	} {
		c := rig.signIn(name)
		for i := range 4 {
			c.send(subscribeTo(strconv.Itoa(i), "a", "b"))
		}
		for range 8 {
			c.live()
		}
		if tc.send != "" {
			c.send(tc.send)
		} else {
			for c.WriteMessage(websocket.TextMessage, []byte(`{"type":"pong"}`)) == nil && rig.sockets.Stats().Open > 0 {
				continue
			}
		}
		c.expectClose(tc.code)
		_ = c.Close()
		rig.gone()
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var n tally
	n.give("a") // nothing was taken
	for i := range 3 {
		if got := n.take("a", 2); got != (i < 2) {
			t.Errorf("%d: %t", i, got)
		}
		if !n.take("", 0) {
			t.Error("nobody was counted")
		}
	}
	n.give("a")
	if !n.take("a", 2) || !n.take("b", 1) {
		t.Error("a free place was refused")
	}
	for _, name := range []string{"a", "a", "b", ""} {
		n.give(name)
	}
	if left := n.all(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	var m pace
	now := rigStart
	takes := func() (n int) {
		for m.take(now, 10) {
			n++
		}
		return n
	}
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{0, 20}, {0, 0}, {time.Second, 10}, {50 * time.Millisecond, 0}, {50 * time.Millisecond, 1}, {time.Hour, 20}, {-time.Hour, 0}, {100 * time.Millisecond, 1}} {
		now = now.Add(step.pass)
		if got := takes(); got != step.want {
			t.Errorf("after %s: %d, want %d", step.pass, got, step.want)
		}
	}
}
