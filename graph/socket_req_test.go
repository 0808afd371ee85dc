package graph

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ijson"
)

// TestReq77Origin: a page of another origin is refused before the upgrade, and whoever has a cookie must say where they
// come from. The Host header, which the sender writes, decides only where the server does not know its own address.
func TestReq77Origin(t *testing.T) {
	t.Parallel()
	const public, app = "https://book.example", "https://app.example"
	for _, tc := range []struct {
		name, origin, host, cookie string
		public                     string
		ok                         bool
	}{
		{"own page", public, "book.example", "session=x", public, true},
		{"own page behind a proxy", public, "10.0.0.1:8080", "session=x", public, true},
		{"a page on the list", app, "book.example", "session=x", public, true},
		{"foreign page", "https://evil.example", "book.example", "session=x", public, false},
		{"foreign page without a cookie", "https://evil.example", "book.example", "", public, false},
		{"a Host that agrees with a foreign page", "https://evil.example", "evil.example", "session=x", public, false},
		{"plain http", "http://book.example", "book.example", "session=x", public, false},
		{"look-alike", public + ".evil.example", "book.example", "session=x", public, false},
		{"sub-domain", "https://sub.book.example", "book.example", "session=x", public, false},
		{"sandboxed page", "null", "book.example", "session=x", public, false},
		{"cookie without an origin", "", "book.example", "session=x", public, false},
		{"program", "", "book.example", "", public, true},
		{"development", "http://localhost:8080", "localhost:8080", "session=x", "", true},
		{"development, foreign page", "https://evil.example", "localhost:8080", "session=x", "", false},
		{"development, a page on the list", app, "localhost:8080", "session=x", "", true},
		{"development, cookie without an origin", "", "localhost:8080", "session=x", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			rig := newSocketRig(t, SocketConfig{PublicURL: tc.public, AllowedOrigins: []string{app}})
			h := []string{"Host", tc.host}
			if tc.origin != "" {
				h = append(h, "Origin", tc.origin)
			}
			if tc.cookie != "" {
				h = append(h, "Cookie", tc.cookie)
			}
			_, resp, err := rig.tryDial(websocket.Dialer{}, h...)
			if (err == nil) != tc.ok {
				t.Fatalf("dial: %v", err)
			}
			if !tc.ok && resp.status != http.StatusForbidden {
				t.Errorf("refused with %d", resp.status)
			}
		})
	}
}

// TestReq78InitTimeout: who does not introduce themselves in time is cut, whatever else they send.
func TestReq78InitTimeout(t *testing.T) {
	t.Parallel()
	if got := (SocketConfig{}).withDefaults().InitTimeout; got != 5*time.Second {
		t.Errorf("the default is %s", got)
	}
	rig := newSocketRig(t, SocketConfig{InitTimeout: 400 * time.Millisecond})
	silent, chatty := rig.dial(), rig.dial()
	go func() {
		for chatty.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)) == nil && chatty.WriteControl(websocket.PongMessage, nil, time.Now().Add(time.Second)) == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}()
	silent.expectClose(closeInitTimeout)
	chatty.expectClose(closeInitTimeout)
	rig.gone()
}

// TestReq79GoroutinesReturn: after every kind of end, as many goroutines are left as there were. It counts those of the whole
// process, so it is not parallel.
func TestReq79GoroutinesReturn(t *testing.T) {
	rig := newSocketRig(t, SocketConfig{InitTimeout: 200 * time.Millisecond, UserSockets: 100})
	before := runtime.NumGoroutine()
	const init = `{"type":"connection_init"}`
	const user = `{"type":"connection_init","payload":{"authorization":"Bearer u"}}`
	for range 5 {
		for _, sends := range [][]string{
			nil,
			{subscribeTo("1", "a")},
			{init, init},
			{user, subscribeTo("1", "a"), subscribeTo("1", "a")},
			{init, `{"type":"?"}`},
			{`{`},
			{user, subscribeTo("1", "a", "b"), subscribeTo("2", "secret"), `{"id":"3","type":"subscribe","payload":{"query":"{ nope }"}}`},
		} {
			c := rig.dial()
			for _, s := range sends {
				_ = c.WriteMessage(websocket.TextMessage, []byte(s))
			}
		}
		rig.dial("graphql-ws")
		_ = rig.signIn("u").UnderlyingConn().Close() // without a goodbye
	}
	rig.sessions.end("s1")
	rig.gone()
	storetestEventually(t, func() bool { return runtime.NumGoroutine() <= before }, "all goroutines have ended")
}

// TestReq80LegacyProtocol: the old subprotocol is not spoken, not even by who would say connection_init in it.
func TestReq80LegacyProtocol(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	for _, offered := range [][]string{{"graphql-ws"}, {"", "x"}, {"graphql-transport-ws2"}} {
		c := rig.dial(offered...)
		_ = c.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init","payload":{"authorization":"Bearer u"}}`))
		_ = c.WriteMessage(websocket.TextMessage, []byte(`{"id":"1","type":"start","payload":{"query":"{ __typename }"}}`))
		if all, end := c.rest(); end.Code != closeBadSubprotocol || len(all) > 0 {
			t.Errorf("%q: %v, then %v", offered, all, end)
		}
	}
	both := rig.dial("graphql-ws", subprotocol)
	if both.Subprotocol() != subprotocol {
		t.Errorf("of both, %q was chosen", both.Subprotocol())
	}
	both.init("u")
	both.expect("connection_ack")
}

// TestReq83NoCompression: it is not agreed to, and a frame that says it is compressed is none.
func TestReq83NoCompression(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	c, resp, err := rig.tryDial(websocket.Dialer{EnableCompression: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("agreed to %q", got)
	}
	c.init("u")
	c.expect("connection_ack")
	frame := []byte{0xC1, 0x82, 0, 0, 0, 0, '{', '}'} // final, compressed, text; masked with zeros
	if _, err := c.UnderlyingConn().Write(frame); err != nil {
		t.Fatal(err)
	}
	c.expectClose(websocket.CloseProtocolError)
	rig.gone()
}

// TestReq84InitRefused: the client learns nothing but that it was refused, and who decides knows where it came from.
func TestReq84InitRefused(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	rig.sessions.end("dead")
	seen := make(chan actor.Request, 10)
	rig.authing = func(ctx context.Context, _ string) { seen <- actor.RequestFrom(ctx) }
	for _, token := range []string{"expired", "u.dead"} {
		c, _, err := rig.tryDial(websocket.Dialer{}, "X-Test-Ip", "192.0.2.7", "User-Agent", "probe/1")
		if err != nil {
			t.Fatal(err)
		}
		c.init(token)
		if reason := c.expectClose(closeForbidden); reason != "Forbidden" {
			t.Errorf("%s: told %q", token, reason)
		}
		if r := <-seen; r.IP != "192.0.2.7" || r.UserAgent != "probe/1" {
			t.Errorf("%s: who decides was told of %+v", token, r)
		}
	}
	rig.gone()
}

// TestUpgradeWithBearer: a token in the header of the upgrade counts like one in connection_init, its end included.
func TestUpgradeWithBearer(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	rig.grants["brief"] = grant{actor.Actor{User: "u", Session: "s2"}, rigStart.Add(time.Hour)}
	c, _, err := rig.tryDial(websocket.Dialer{}, "Authorization", "bearer brief")
	if err != nil {
		t.Fatal(err)
	}
	c.send(`{"type":"connection_init"}`)
	c.expect("connection_ack")
	if n := rig.sessions.followed(); n["s2"] != 1 {
		t.Fatalf("follows %v", n)
	}
	rig.clock.Advance(time.Hour)
	if reason := c.expectClose(closeForbidden); reason != "Token expired" {
		t.Errorf("ended with %q", reason)
	}
	refused, _, err := rig.tryDial(websocket.Dialer{}, "Authorization", "Bearer expired")
	if err != nil {
		t.Fatal(err)
	}
	refused.send(`{"type":"connection_init"}`)
	refused.expectClose(closeForbidden)
	rig.gone()
}

func TestInitToken(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		`{}`: true, `null`: true, `{"authorization":null}`: false, `{"authorization":"x"}`: false, `[]`: false, `"Bearer x"`: false,
		`{"authorization":"Bearer a","Authorization":"Bearer b"}`: false,
	} {
		payload, err := ijson.Parse([]byte(in))
		if token, ok := initToken(payload); err != nil || ok != want || ok && token != "" {
			t.Errorf("initToken(%s) = %q, %t", in, token, ok)
		}
	}
	both := map[string]any{"authorization": "Bearer a", "Authorization": "Bearer a"}
	if token, ok := initToken(both); !ok || token != "a" {
		t.Errorf("one token twice: %q, %t", token, ok)
	}
}

// stall makes a client whose writer on the server is stuck: it follows a, and reads nothing of what is published there.
func (r *socketRig) stall(user string) *peerConn {
	r.t.Helper()
	c := r.signIn(user)
	c.send(subscribeTo("1", "a"))
	c.live()
	var sock *socket
	name, _, _ := strings.Cut(user, ".")
	r.sockets.mu.Lock()
	for s := range r.sockets.open {
		s.mu.Lock()
		if actor.From(s.as).User == name {
			sock = s
		}
		s.mu.Unlock()
	}
	r.sockets.mu.Unlock()
	pad := strings.Repeat("x", 200<<10)
	stuck, n := 0, int64(0)
	storetestEventually(r.t, func() bool {
		n++
		r.hub.Publish("a", published{n: n, pad: pad})
		sock.out.mu.Lock()
		defer sock.out.mu.Unlock()
		if sock.out.idle || !sock.out.refused {
			stuck = 0
		}
		stuck++
		return stuck > 50
	}, "the writer is stuck")
	return c
}

// TestReq82RevokeAndDrainDoNotWait: while a writer is stuck for its ten seconds, the end of its session is told at once and
// cuts it within the second, Drain is not held up, and whoever else follows sees no delay.
func TestReq82RevokeAndDrainDoNotWait(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	if got := rig.sockets.cfg.WriteTimeout; got != 10*time.Second {
		t.Errorf("a write may take %s", got)
	}
	rig.stall("deaf.s2")
	quick := rig.signIn("quick")
	quick.send(subscribeTo("1", "b"))
	quick.live()
	begin := time.Now()
	rig.sessions.end("s2")
	if took := time.Since(begin); took > 100*time.Millisecond {
		t.Errorf("to end the session took %s", took)
	}
	rig.hub.Publish("b", published{n: 1})
	quick.live()
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("somebody else's message took %s", took)
	}
	storetestEventually(t, func() bool { return rig.sockets.Stats().Open == 1 }, "the stuck socket is gone")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("a client that does not read was cut after %s", took)
	}
	rig.stall("deafer.s3")
	begin = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
	defer cancel()
	rig.sockets.Drain(ctx)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Drain took %s", took)
	}
	rig.gone()
}

// TestMessagesAreUnambiguous: a message that two parsers may read in two ways is none.
func TestMessagesAreUnambiguous(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	for name, text := range map[string]string{
		"a type twice":       `{"type":"ping","type":"complete","id":"1"}`,
		"an id twice":        `{"type":"complete","id":"1","id":"2"}`,
		"a payload twice":    `{"type":"subscribe","id":"1","payload":{"query":"{ __typename }"},"payload":{"query":"{ me { user { id } } }"}}`,
		"a query twice":      `{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","query":"{ me { user { id } } }"}}`,
		"a type in capitals": `{"TYPE":"ping"}`,
		"an id of no text":   "{\"type\":\"complete\",\"id\":\"\xff\"}",
		"an id that is none": `{"type":"complete","id":7}`,
		"a list":             `[{"type":"ping"}]`,
		"two messages":       `{"type":"ping"}{"type":"ping"}`,
		"levels without end": `{"type":"ping","payload":` + strings.Repeat("[", 10_000),
	} {
		c := rig.signIn("u")
		c.send(text)
		if reason := c.expectClose(closeBadRequest); reason == "" || strings.Contains(reason, "__typename") {
			t.Errorf("%s: %q", name, reason)
		}
	}
	rig.gone()
}
