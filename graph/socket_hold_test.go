package graph

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
)

// codes are the codes of an error message of the protocol.
func codes(m reply) []string {
	var errs []struct {
		Message    string
		Extensions struct{ Code string }
	}
	_ = json.Unmarshal(m.Payload, &errs)
	var out []string
	for _, e := range errs {
		if e.Message != "" {
			out = append(out, e.Extensions.Code)
		}
	}
	return out
}

// expectEnded reads to the end of a socket whose session has ended: each of the operations is told once, and after that it
// hears nothing.
func (c *peerConn) expectEnded(reason string, ops ...string) {
	c.t.Helper()
	all, end := c.rest()
	told := map[string]int{}
	for _, m := range all {
		if m.Type == "error" && fmt.Sprint(codes(m)) == "[SESSION_ENDED]" {
			told[m.ID]++
			continue
		}
		if len(told) > 0 {
			c.t.Errorf("after the end came %+v", m)
		}
	}
	for _, id := range ops {
		if told[id] != 1 {
			c.t.Errorf("operation %s was told %d times", id, told[id])
		}
	}
	if len(told) != len(ops) || end.Code != closeForbidden || end.Text != reason {
		c.t.Errorf("%d operations were told, and the end is %v", len(told), end)
	}
}

// TestReq64EverySubscriptionHearsWhy: also while messages come without pause, and whichever end it is.
func TestReq64EverySubscriptionHearsWhy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		reason string
		end    func(*socketRig)
	}{
		{"Session ended", func(r *socketRig) { r.sessions.end("s2") }},
		{"Token expired", func(r *socketRig) { r.clock.Advance(15 * time.Minute) }},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			t.Parallel()
			rig := newSocketRig(t, SocketConfig{ExpiryWarning: time.Nanosecond})
			rig.grants["t"] = grant{actor.Actor{User: "u", Session: "s2"}, rigStart.Add(15 * time.Minute)}
			c, nobody, other := rig.signIn("t"), rig.dial(), rig.signIn("v")
			nobody.send(`{"type":"connection_init"}`)
			nobody.expect("connection_ack")
			for i := range 3 {
				c.send(subscribeTo(fmt.Sprint("op", i), "a"))
				c.live()
			}
			stop := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := int64(1); ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(100 * time.Microsecond):
						rig.hub.Publish("a", published{n: i})
					}
				}
			})
			c.live()
			tc.end(rig)
			c.expectEnded(tc.reason, "op0", "op1", "op2")
			close(stop)
			wg.Wait()
			nobody.alive()
			other.alive()
		})
	}
}

// TestReq64CutsWhoDoesNotRead: the end comes within a second to who reads and to who does not.
func TestReq64CutsWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	deaf, reads := rig.stall("deaf"), rig.signIn("u")
	reads.send(subscribeTo("1", "b"))
	reads.live()
	begin := time.Now()
	rig.sessions.end("s1")
	reads.expectEnded("Session ended", "1")
	storetestEventually(t, func() bool { return rig.sockets.Stats().Open == 0 }, "both sockets are cut")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %v", took)
	}
	// What was on its way before may arrive; nothing new does.
	for {
		m, err := deaf.next()
		if err != nil {
			break
		}
		if m.Type != "next" && m.Type != "error" {
			t.Errorf("got %+v", m)
		}
	}
	rig.gone()
}

// TestGoodbyeIsNotPutOff: a client that answers everything but the goodbye cannot keep its connection.
func TestGoodbyeIsNotPutOff(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{MessagesPerSecond: 1 << 20})
	c := rig.signIn("u")
	c.SetCloseHandler(func(int, string) error { return nil })
	rig.sessions.end("s1")
	c.expectClose(closeForbidden)
	begin := time.Now()
	for c.WriteControl(9, nil, time.Now().Add(time.Second)) == nil && time.Since(begin) < 10*time.Second {
		time.Sleep(time.Millisecond)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it stayed for %s", took)
	}
	rig.gone()
}

// TestEndedBeforeItStarts: a client that leaves while its subscription is being opened leaves no stream behind.
func TestEndedBeforeItStarts(t *testing.T) {
	t.Parallel()
	for range 30 {
		rig := newSocketRig(t, SocketConfig{})
		c := rig.signIn("u")
		for i := range 5 {
			c.send(subscribeTo(strconv.Itoa(i), "a", "b"))
			c.send(`{"id":"` + strconv.Itoa(i) + `","type":"complete"}`)
		}
		_ = c.Close()
		rig.gone()
	}
}
