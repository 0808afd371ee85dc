package app_test

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// tokens are what a sign-in with transport BEARER gives.
type tokens struct{ Token, RefreshToken string }

func bearer(c *apptest.Client, identifier string) tokens {
	var got struct{ SignIn struct{ Result tokens } }
	c.Read(&got, `mutation($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn { token refreshToken } } } }`,
		map[string]any{"in": map[string]any{"identifier": identifier, "password": apptest.Password, "transport": "BEARER"}})
	return got.SignIn.Result
}

const refreshDoc = `mutation($in: RefreshSessionInput!) { refreshSession(input: $in) { token refreshToken } }`

// refresh shows a refresh token to a node: the answer, or its code.
func refresh(s *apptest.Server, token string) (tokens, string) {
	r := s.Browser().Do(refreshDoc, map[string]any{"in": map[string]any{"refreshToken": token}})
	if code := r.Code(); code != "" {
		return tokens{}, code
	}
	one, _ := r.Data["refreshSession"].(map[string]any)
	return tokens{one["token"].(string), one["refreshToken"].(string)}, ""
}

// with is a client that comes with a token.
func with(s *apptest.Server, token string) *apptest.Client {
	c := s.Browser()
	c.Token = token
	return c
}

// accepted reports whether a node takes a token.
func accepted(s *apptest.Server, token string) bool {
	r := with(s, token).Do(`{ me { user { id } } }`, nil)
	return r.Code() == "" && r.Data["me"] != nil
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("never: %s", what)
		}
	}
}

// twoNodes are two servers on one database.
func twoNodes(t *testing.T) (a, b *apptest.Server) {
	t.Helper()
	a = apptest.Start(t, apptest.Setup{})
	return a, apptest.Start(t, apptest.Setup{Database: a.Database})
}

// TestReq64EveryNode: what is ended on one node is refused on the other, and its sockets are cut there, each with a reason for its
// subscriptions; also the socket of a client that does not read.
func TestReq64EveryNode(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	home := a.Browser()
	email := home.Register("Nora")
	in := bearer(b.Browser(), email)
	if !accepted(b, in.Token) || !accepted(a, in.Token) {
		t.Fatal("a new session is not accepted on both nodes")
	}
	reading := dialed(t, b, in.Token)
	deaf := dialed(t, b, in.Token)
	if tcp, ok := deaf.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(1)
	}
	home.Must(`mutation { endOtherSessions { ended } }`, nil)
	if accepted(a, in.Token) {
		t.Error("the node that ended the session still takes its token")
	}
	eventually(t, "the other node refuses it", func() bool { return !accepted(b, in.Token) })
	if code, seen := drainSocket(reading); code != 4403 || !strings.Contains(seen, "SESSION_ENDED") {
		t.Errorf("the socket on the other node ended with %d, after %s", code, seen)
	}
	if code, _ := drainSocket(deaf); code != 4403 && code != 0 {
		t.Errorf("the socket nobody reads ended with %d", code)
	}
}

// dialed is a socket with one subscription.
func dialed(t *testing.T, s *apptest.Server, token string) *websocket.Conn {
	t.Helper()
	ws, resp, err := (&websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}).Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	for _, m := range []any{
		map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + token}},
		map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{
			"query":     `subscription { live(channels: [{key: "r", documents: {type: "note"}}]) { kind } }`,
			"variables": map[string]any{},
		}},
	} {
		if err := ws.WriteJSON(m); err != nil {
			t.Fatal(err)
		}
	}
	if _, first, err := ws.ReadMessage(); err != nil || !strings.Contains(string(first), "connection_ack") {
		t.Fatalf("the socket begins with %s, %v", first, err)
	}
	return ws
}

// drainSocket reads a socket to its end: the close code, 0 for a connection that was cut, and all that was said before.
func drainSocket(ws *websocket.Conn) (code int, seen string) {
	_ = ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		_, m, err := ws.ReadMessage()
		var ce *websocket.CloseError
		switch {
		case errors.As(err, &ce):
			return ce.Code, seen
		case err != nil:
			return 0, seen
		}
		seen += string(m) + "\n"
	}
}

// TestReq61TwoNodes: fifty clients that refresh with the same token on two nodes at once are one lineage, and none is signed
// out; the token shown once more after its successor was used ends the session on both nodes, and the owner is told.
func TestReq61TwoNodes(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	home := a.Browser()
	email := home.Register("Rita")
	in := bearer(a.Browser(), email)
	answers := make([]tokens, 50)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			node := a
			if i%2 == 1 {
				node = b
			}
			var code string
			if answers[i], code = refresh(node, in.RefreshToken); code != "" {
				t.Errorf("refresh %d: %s", i, code)
			}
		})
	}
	all.Wait()
	for _, one := range answers {
		if one != answers[0] {
			t.Fatalf("two lineages: %v and %v", one, answers[0])
		}
	}
	if !accepted(a, answers[0].Token) || !accepted(b, answers[0].Token) {
		t.Error("the new access token is not accepted")
	}
	next, code := refresh(b, answers[0].RefreshToken)
	if code != "" {
		t.Fatal("the successor cannot be refreshed:", code)
	}
	if _, code := refresh(a, in.RefreshToken); code != "SESSION_ENDED" {
		t.Errorf("a copy of the first token: %q", code)
	}
	for _, node := range []*apptest.Server{a, b} {
		eventually(t, "the session ends on every node", func() bool { return !accepted(node, next.Token) })
		if _, code := refresh(node, next.RefreshToken); code != "SESSION_ENDED" {
			t.Errorf("the newest refresh token: %q", code)
		}
	}
	a.Mail(email, "notice_token_reused")
	var facts struct {
		MySecurityEvents struct{ Nodes []struct{ Kind string } }
	}
	home.Read(&facts, `{ mySecurityEvents(first: 1) { nodes { kind } } }`, nil)
	if facts.MySecurityEvents.Nodes[0].Kind != "webauth.token.reused" {
		t.Errorf("the log says %+v", facts)
	}
}

// TestStreamCut: a node that hears nothing of the others refuses what was ended elsewhere after five seconds, refuses every
// check of rights by then, and is itself again when it hears; what goes on is accepted all the while.
func TestStreamCut(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	home := a.Browser()
	email := home.Register("Cleo")
	ended, lasting := bearer(a.Browser(), email), bearer(a.Browser(), email)
	warm := func(token string) {
		eventually(t, "node b knows the session", func() bool { return accepted(b, token) })
	}
	warm(ended.Token)
	warm(lasting.Token)
	restore := b.CutStream()
	defer restore()
	var mine struct {
		MySessions struct {
			Nodes []struct {
				ID      string
				Current bool
			}
		}
	}
	with(a, ended.Token).Read(&mine, `{ mySessions { nodes { id current } } }`, nil)
	for _, one := range mine.MySessions.Nodes {
		if one.Current {
			home.Must(`mutation($in: EndSessionInput!) { endSession(input: $in) { session } }`, map[string]any{"in": map[string]any{"session": one.ID}})
		}
	}
	eventually(t, "node b refuses without having heard of it", func() bool { return !accepted(b, ended.Token) })
	eventually(t, "node b refuses every check", func() bool {
		return with(b, lasting.Token).Do(`{ documents(type: "note") { nodes { id } } }`, nil).Code() == "POLICY_STALE"
	})
	if r := with(b, lasting.Token).Do(`{ me { user { id } } }`, nil); r.Code() != "" || r.Data["me"] == nil {
		t.Errorf("a session that goes on is refused: %+v", r)
	}
	restore()
	eventually(t, "node b answers again", func() bool {
		return with(b, lasting.Token).Do(`{ documents(type: "note") { nodes { id } } }`, nil).Code() != "POLICY_STALE"
	})
	if accepted(b, ended.Token) {
		t.Error("what was ended is back")
	}
}

// TestReq59Renewal: after a new proof, and after a change of the password, the secret of before is dead on both nodes, and the new one
// is good.
func TestReq59Renewal(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	email := a.Browser().Register("Wanda")
	in := bearer(a.Browser(), email)
	if !accepted(b, in.Token) {
		t.Fatal("not signed in")
	}
	c := with(a, in.Token)
	var asked struct {
		Elevate struct{ Required struct{ Flow string } }
	}
	c.Read(&asked, `mutation { elevate { required { flow } } }`, nil)
	var raised struct{ CompleteElevation tokens }
	c.Read(&raised, `mutation($in: CompleteElevationInput!) { completeElevation(input: $in) { token refreshToken } }`,
		map[string]any{"in": map[string]any{"flow": asked.Elevate.Required.Flow, "proof": map[string]any{"password": apptest.Password}}})
	dead := func(old tokens) {
		t.Helper()
		for _, node := range []*apptest.Server{a, b} {
			eventually(t, "the old token is refused", func() bool { return !accepted(node, old.Token) })
		}
	}
	dead(in)
	if _, code := refresh(b, in.RefreshToken); code != "SESSION_ENDED" {
		t.Errorf("the old refresh token: %q", code)
	}
	if !accepted(a, raised.CompleteElevation.Token) || !accepted(b, raised.CompleteElevation.Token) {
		t.Fatal("the new token is refused")
	}
	c.Token = raised.CompleteElevation.Token
	var changed struct{ ChangePassword tokens }
	c.Read(&changed, `mutation($in: ChangePasswordInput!) { changePassword(input: $in) { token refreshToken } }`,
		map[string]any{"in": map[string]any{"current": apptest.Password, "password": "another horse, another battery"}})
	dead(raised.CompleteElevation)
	if next, code := refresh(b, changed.ChangePassword.RefreshToken); code != "" || !accepted(a, next.Token) {
		t.Errorf("the new refresh token: %q", code)
	}
}
