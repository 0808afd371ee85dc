package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
)

const reauthenticateDoc = `mutation($t:String!){ reauthenticate(input:{token:$t}) { expiresAt } }`

// reauth sends the mutation and gives the code of its refusal, "" for none. What comes before the answer is passed over.
func (c *peerConn) reauth(id, token string) (code string) {
	c.t.Helper()
	c.sendReauth(id, token)
	for {
		m, err := c.next()
		if err != nil {
			c.t.Fatalf("reauthenticate: %v", err)
		}
		if m.ID != id {
			continue
		}
		c.expectComplete(id)
		return refusal(m)
	}
}

func (c *peerConn) sendReauth(id, token string) {
	c.t.Helper()
	b, _ := json.Marshal(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{
		"query": reauthenticateDoc, "variables": map[string]any{"t": token},
	}})
	c.send(string(b))
}

func (c *peerConn) expectComplete(id string) {
	c.t.Helper()
	if m := c.expect("complete"); m.ID != id {
		c.t.Errorf("complete of %s", m.ID)
	}
}

func refusal(m reply) string {
	var r struct {
		Errors []struct{ Extensions struct{ Code string } }
	}
	_ = json.Unmarshal(m.Payload, &r)
	if len(r.Errors) == 0 {
		return ""
	}
	return r.Errors[0].Extensions.Code
}

// TestReauthenticateGoesOn: subscriptions see no gap, the old session means nothing any more, later operations are the new
// one's, and its end is the end of the socket.
func TestReauthenticateGoesOn(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	c := rig.signIn("u.s1")
	c.send(subscribeTo("1", "a"))
	last := c.live().Data.Live.Seq
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int64(1); ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
				rig.hub.Publish("a", published{n: i})
			}
		}
	})
	var seen []reply
	for i := range 10 {
		c.sendReauth("r", fmt.Sprintf("u.n%d", i))
		for { // the answer comes between the messages
			m, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if m.ID == "r" && m.Type == "complete" {
				break
			}
			if m.ID == "r" && refusal(m) != "" {
				t.Fatalf("refused: %s", m.Payload)
			}
			seen = append(seen, m)
		}
	}
	rig.sessions.end("s1")
	rig.sessions.end("n3")
	seen = append(seen, c.alive()...)
	for _, m := range seen {
		var l liveReply
		if err := json.Unmarshal(m.Payload, &l); err != nil || m.ID == "r" {
			continue
		}
		if l.Data.Live.Seq != last+1 {
			t.Fatalf("%d after %d", l.Data.Live.Seq, last)
		}
		last++
	}
	close(stop)
	wg.Wait()
	if n := rig.sessions.followed(); len(n) != 1 || n["n9"] != 1 {
		t.Errorf("followed: %v", n)
	}
	c.send(`{"id":"q","type":"subscribe","payload":{"query":"{ __typename }"}}`)
	for { // to its end: one that is at work would be told of the end below as well
		m, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if m.ID == "q" && m.Type == "complete" {
			break
		}
	}
	storetestEventually(t, func() bool { a, _ := rig.exec.as.Load().(actor.Actor); return a.Session == "n9" }, "a later operation is the new session's")
	rig.sessions.end("n9")
	c.expectEnded("Session ended", "1")
	rig.gone()
}

// TestReauthenticateRefuses: nothing but a session of the same person in the same part will do, and what was goes on.
func TestReauthenticateRefuses(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	rig.sessions.end("dead")
	for token, a := range map[string]actor.Actor{
		"key": {User: "u", Key: "k"}, "acted": {User: "u", Session: "s2", Impersonator: "boss"}, "acted2": {User: "u", Session: "s3", Impersonator: "boss"},
		"looked": {User: "u", Session: "s4", Impersonator: "boss", ReadOnly: true}, "chief": {User: "u", Session: "s5", Impersonator: "chief"}, "own": {User: "u", Session: "s6"},
	} {
		rig.grants[token] = grant{a: a}
	}
	for _, tc := range []struct{ socket, token, code string }{
		{"u", "v", "FORBIDDEN"},
		{"u", "key", "FORBIDDEN"},
		{"u", "acted", "FORBIDDEN"},
		{"u", "expired", "UNAUTHENTICATED"},
		{"u", "u.dead", "SESSION_ENDED"},
		{"u", "u.s9", ""},
		{"u", "u", ""}, // the very same
		{"acted", "own", "FORBIDDEN"},
		{"acted", "chief", "FORBIDDEN"},
		{"acted", "looked", "FORBIDDEN"},
		{"acted", "acted2", ""},
		{"key", "own", "KEY_FORBIDDEN"},
		{"", "own", "UNAUTHENTICATED"},
	} {
		c := rig.dial()
		if tc.socket == "" {
			c.send(`{"type":"connection_init"}`)
		} else {
			c.init(tc.socket)
		}
		c.expect("connection_ack")
		before := rig.sessions.followed()
		if code := c.reauth("r", tc.token); code != tc.code {
			t.Errorf("%q on a socket of %q: %q, want %q", tc.token, tc.socket, code, tc.code)
		}
		if after := rig.sessions.followed(); tc.code != "" && fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%q on a socket of %q was refused, and followed is %v, before %v", tc.token, tc.socket, after, before)
		}
		c.alive()
		_ = c.Close()
		rig.gone()
	}
	if _, err := reauthenticate(t.Context(), "u"); !errors.Is(err, ErrSocketNeeded) {
		t.Errorf("without a socket: %v", err)
	}
	// The gate of the schema stands before these two; they hold without it.
	for name, held := range map[string]*hold{"nobody's": nil, "a key's": {as: actor.Actor{User: "u", Key: "k"}}} {
		c := &socket{srv: rig.sockets, held: held}
		if _, err := c.swap(&hold{as: actor.Actor{User: "u", Session: "s"}}); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("%s socket: %v", name, err)
		}
	}
}

// outcome is how a socket stands after somebody tried to reauthenticate on it: whether that was granted, and whether the
// socket lives.
func (c *peerConn) outcome(id string) (granted, lives bool) {
	c.t.Helper()
	_ = c.WriteMessage(1, []byte(`{"type":"ping"}`)) // may have ended
	answered := false
	for {
		m, err := c.next()
		switch {
		case err != nil:
			return granted, false
		case m.ID == id && m.Type == "next":
			granted, answered = refusal(m) == "", true
			_ = c.WriteMessage(1, []byte(`{"type":"ping","payload":{"again":1}}`))
		case m.Type == "pong" && answered:
			return granted, true
		}
	}
}

// outlives reports whether the socket goes on: who follows the end of a session is a moment behind who was refused by it.
func (c *peerConn) outlives() bool {
	_, end := c.rest()
	return end == nil
}

// TestReauthenticateDenyWins: the end of the old session before the new one counts, and that of the new one at any time, are
// not lost in between.
func TestReauthenticateDenyWins(t *testing.T) {
	t.Parallel()
	for name, ended := range map[string]string{"old": "s1", "new": "s2"} {
		t.Run(name+" ends while the token is looked at", func(t *testing.T) {
			t.Parallel()
			rig := newSocketRig(t, SocketConfig{})
			c := rig.signIn("u.s1")
			rig.authing = func(_ context.Context, token string) {
				rig.sessions.end(ended)
			}
			c.sendReauth("r", "u.s2")
			granted, lives := c.outcome("r")
			if ended == "s1" && lives {
				lives = c.outlives()
			}
			if granted || lives != (ended == "s2") {
				t.Errorf("granted %t, lives %t", granted, lives)
			}
			_ = c.Close()
			rig.gone()
		})
		t.Run(name+" ends at the same moment", func(t *testing.T) {
			t.Parallel()
			for range 30 {
				rig := newSocketRig(t, SocketConfig{})
				c := rig.signIn("u.s1")
				c.sendReauth("r", "u.s2")
				rig.sessions.end(ended)
				granted, lives := c.outcome("r")
				// The end may come after the answer: then only the new one's cuts.
				if ended == "s2" && granted {
					if lives && c.outlives() {
						t.Fatal("a socket outlives its new session")
					}
				}
				if ended == "s1" && !granted && lives {
					lives = c.outlives()
				}
				if ended == "s1" && granted != lives {
					t.Fatalf("the old session ended: granted %t, lives %t", granted, lives)
				}
				_ = c.Close()
				rig.gone()
			}
		})
	}
}

// TestReauthenticateAfterTheToken: a token whose time is up is no better for not having been noticed.
func TestReauthenticateAfterTheToken(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	until := rigStart.Add(time.Minute)
	h := func() *hold { return &hold{as: actor.Actor{User: "u", Session: "s1"}, until: until} }
	rig.clock.Advance(time.Minute)
	c := &socket{srv: rig.sockets, held: h()}
	next := &hold{as: h().as, until: until.Add(time.Hour)}
	if _, err := c.swap(next); !errors.Is(err, session.ErrEnded) {
		t.Errorf("the old one is over: %v", err)
	}
	c.held = next
	if _, err := c.swap(h()); !errors.Is(err, session.ErrEnded) {
		t.Errorf("the new one is over: %v", err)
	}
	c.over = true
	if _, err := c.swap(next); !errors.Is(err, session.ErrEnded) {
		t.Errorf("the socket is over: %v", err)
	}
}

// TestReauthenticateAtOnce: of many at once the last counts and no other, and none is left behind.
func TestReauthenticateAtOnce(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	c := rig.signIn("u")
	const n = 30
	for i := range n {
		c.sendReauth(fmt.Sprint("r", i), fmt.Sprint("u.n", i))
	}
	for done := 0; done < n; {
		m, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == "complete" {
			done++
		} else if code := refusal(m); code != "" {
			t.Fatalf("%s: %s", m.ID, code)
		}
	}
	left := rig.sessions.followed()
	if len(left) != 1 {
		t.Fatalf("followed: %v", left)
	}
	for i := range n {
		if id := fmt.Sprint("n", i); left[id] == 0 {
			rig.sessions.end(id)
		}
	}
	rig.sessions.end("s1")
	c.alive()
	for id := range left {
		if !strings.HasPrefix(id, "n") || left[id] != 1 {
			t.Errorf("followed: %v", left)
		}
		rig.sessions.end(id)
	}
	c.expectEnded("Session ended")
	rig.gone()
}
