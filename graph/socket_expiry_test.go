package graph

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
)

// look does what the next beat would.
func (r *socketRig) look() { r.sock().look(r.clock.Now()) }

// warned reads to the pong, and gives the end that a warning named; "" without one.
func (c *peerConn) warned() string {
	c.t.Helper()
	at := ""
	for _, m := range c.alive() {
		var p struct{ Code, ExpiresAt string }
		if m.Type != "ping" || json.Unmarshal(m.Payload, &p) != nil || p.Code != "SESSION_EXPIRING" || at != "" {
			c.t.Fatalf("got %+v", m)
		}
		at = p.ExpiresAt
	}
	return at
}

// TestExpiryWarning: a minute before the end, once for each end, and whichever of token and session ends first.
func TestExpiryWarning(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	rig.grants["t"] = grant{actor.Actor{User: "u", Session: "s1"}, rigStart.Add(15 * time.Minute)}
	rig.grants["t2"] = grant{actor.Actor{User: "u", Session: "s1"}, rigStart.Add(30 * time.Minute)}
	c := rig.signIn("t")
	at := func(after time.Duration) string { return rigStart.Add(after).Format("2006-01-02T15:04:05.000Z") }
	for _, step := range []struct {
		what    string
		now     time.Duration
		session time.Duration // ends then; 0: not known
		reauth  string
		want    string
	}{
		{"far", 13*time.Minute + 59*time.Second, 0, "", ""},
		{"near", 14 * time.Minute, 0, "", at(15 * time.Minute)},
		{"told already", 14*time.Minute + 10*time.Second, 20 * time.Minute, "", ""},
		{"a new token", 14*time.Minute + 20*time.Second, 20 * time.Minute, "t2", ""},
		{"the session comes first", 19*time.Minute + 30*time.Second, 20 * time.Minute, "", at(20 * time.Minute)},
		{"it was used and goes on", 19*time.Minute + 40*time.Second, 29 * time.Minute, "", ""},
		{"and comes near again", 28*time.Minute + 10*time.Second, 29 * time.Minute, "", at(29 * time.Minute)},
		{"a new token does not move that", 28*time.Minute + 20*time.Second, 29 * time.Minute, "t2", ""},
		{"the session goes on, the token does not", 29*time.Minute + 30*time.Second, time.Hour, "", at(30 * time.Minute)},
	} {
		if step.session > 0 {
			rig.sessions.lasts("s1", rigStart.Add(step.session))
		}
		if step.reauth != "" {
			if code := c.reauth("r", step.reauth); code != "" {
				t.Fatalf("%s: %s", step.what, code)
			}
		}
		rig.clock.Advance(rigStart.Add(step.now).Sub(rig.clock.Now()))
		rig.look()
		rig.look()
		if got := c.warned(); got != step.want {
			t.Errorf("%s: warned of %q, want %q", step.what, got, step.want)
		}
	}
	rig.clock.Advance(31 * time.Second)
	c.expectEnded("Token expired")
	rig.gone()
}

// TestReauthenticateTells: the answer says when the socket ends, and a socket that is nobody's is not warned.
func TestReauthenticateTells(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{ExpiryWarning: time.Hour})
	rig.grants["t"] = grant{actor.Actor{User: "u", Session: "s2"}, rigStart.Add(15 * time.Minute)}
	c := rig.signIn("u")
	for _, tc := range []struct{ session, want time.Duration }{
		{2 * time.Hour, 15 * time.Minute}, {10 * time.Minute, 10 * time.Minute},
	} {
		rig.sessions.lasts("s2", rigStart.Add(tc.session))
		c.sendReauth("r", "t")
		for {
			m, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if m.Type == "complete" {
				break
			}
			var got struct {
				Data struct{ Reauthenticate struct{ ExpiresAt time.Time } }
			}
			if m.Type == "next" && (json.Unmarshal(m.Payload, &got) != nil || !got.Data.Reauthenticate.ExpiresAt.Equal(rigStart.Add(tc.want))) {
				t.Errorf("answered %s", m.Payload)
			}
		}
	}
	_ = c.Close()
	rig.gone()
	nobody := rig.dial()
	nobody.send(`{"type":"connection_init"}`)
	nobody.expect("connection_ack")
	rig.look()
	if got := nobody.warned(); got != "" {
		t.Errorf("nobody was warned of %s", got)
	}
}

// TestBeat: it begins with the first socket, ends after the last, and begins again; what it finds it does by itself.
func TestBeat(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	rig.grants["t"] = grant{actor.Actor{User: "u", Session: "s1"}, rigStart.Add(time.Hour)}
	beating := func() bool {
		rig.sockets.mu.Lock()
		defer rig.sockets.mu.Unlock()
		return rig.sockets.beating
	}
	for range 2 {
		if beating() {
			t.Error("it beats for nobody")
		}
		c := rig.signIn("t")
		if !beating() {
			t.Error("it does not beat")
		}
		rig.clock.Advance(time.Hour - 10*time.Second)
		m := c.expect("ping")
		if string(m.Payload) != `{"code":"SESSION_EXPIRING","expiresAt":"2026-01-02T04:04:05.000Z"}` {
			t.Errorf("warned with %s", m.Payload)
		}
		begin := time.Now()
		rig.clock.Advance(10 * time.Second)
		c.expectEnded("Token expired")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the end came after %s", took)
		}
		storetestEventually(t, func() bool { return !beating() }, "the beat ends")
		rig.clock.Advance(-time.Hour)
	}
	rig.gone()
}
