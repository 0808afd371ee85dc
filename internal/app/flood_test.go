package app_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// connect opens a bare connection to a server.
func connect(t *testing.T, s *apptest.Server) *net.TCPConn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return conn.(*net.TCPConn)
}

// halfRequest sends what it is given, says that there is no more, and reads the answer.
func halfRequest(t *testing.T, s *apptest.Server, text string) (status int, body []byte) {
	t.Helper()
	conn := connect(t, s)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

// TestSlowHeadersAreCut: who never ends their headers is cut, however many they are, and others are served meanwhile.
func TestSlowHeadersAreCut(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	const n = 300
	slow := make([]*net.TCPConn, n)
	for i := range slow {
		slow[i] = connect(t, s)
		if _, err := io.WriteString(slow[i], "POST /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
	}
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		for _, conn := range slow {
			_, _ = io.Copy(io.Discard, conn) // to the end, which the server makes
		}
	}()
	b := s.Browser()
	for served := 0; ; served++ {
		select {
		case <-cut:
			if served == 0 {
				t.Error("nobody was served before they were cut")
			}
			return
		default:
			b.Must(`{ __typename }`, nil)
		}
	}
}

// TestCutBodiesAreNoRequests: what is less than was announced is not taken for a request.
func TestCutBodiesAreNoRequests(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	head := "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
	for _, begun := range []string{`{"query":`, `{"query":"{ __typename }"}`} { // who sends no more may also be taken for gone
		if status, body := halfRequest(t, s, head+begun); status != http.StatusBadRequest || codeIn(body) != "BAD_REQUEST" && codeIn(body) != "CANCELED" {
			t.Errorf("%s, and no more: %d %s", begun, status, body)
		}
	}
}

// TestIdleConnections: 2,000 connections that say nothing keep nobody out.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	for range 2000 {
		connect(t, s)
	}
	b := s.Browser()
	b.Register("nora")
	if b.Must(me, nil)["me"] == nil {
		t.Error("nobody gets in")
	}
	if ws, err := dial(s); err != nil {
		t.Errorf("no socket: %v", err)
	} else {
		_ = ws.Close()
	}
}

// zeros is a body of so many spaces.
func zeros(n int64) io.Reader { return io.LimitReader(spaces{}, n) }

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestGiantBodies: 64 MiB are refused at every door, announced or not, as soon as they are too many.
func TestGiantBodies(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--attachments-max-bytes=100000", "--documents-max-import=100000"}})
	root := admin(t, s)
	defineNote(root)
	for path, want := range map[string]int{
		"/graphql": http.StatusRequestEntityTooLarge, "/imports?type=note&format=csv": http.StatusUnprocessableEntity,
		"/attachments?name=a.txt": http.StatusUnprocessableEntity, "/events": http.StatusUnprocessableEntity,
	} {
		for _, announced := range []bool{true, false} { // it may also hang up while the rest is still on its way
			if got := giantStatus(t, s, root.Token, path, 65<<20, announced); got != want && got != 0 {
				t.Errorf("%s, announced %v: %d", path, announced, got)
			}
		}
	}
	if got := giantStatus(t, s, root.Token, "/payments/notice", 65<<20, true); got == http.StatusOK || got >= http.StatusInternalServerError {
		t.Errorf("a notice: %d", got)
	}
	root.Must(`{ __typename }`, nil)
}

// giantStatus sends a body of spaces. 0 when the server cut the connection while it was still on its way.
func giantStatus(t *testing.T, s *apptest.Server, token, path string, size int64, announced bool) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, zeros(size))
	if err != nil {
		t.Fatal(err)
	}
	if announced {
		req.ContentLength = size
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/attachments") {
		req.Header.Set("Content-Type", "text/plain")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// TestCompressionBombs: what is small on the way and large inside is bounded by what is inside, or not unpacked at all.
func TestCompressionBombs(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	var part bytes.Buffer
	z := gzip.NewWriter(&part)
	if _, err := io.Copy(z, zeros(1<<20)); err != nil {
		t.Fatal(err)
	}
	_ = z.Close()
	bomb := bytes.Repeat(part.Bytes(), 66) // the parts of a gzip are one text: 66 MiB of about 66 KiB
	as := []string{"Authorization", "Bearer " + root.Token, "Content-Encoding", "gzip"}
	if status, got := postEvents(t, s, "", string(bomb), append(as, "Content-Type", "application/x-ndjson")...); status != http.StatusUnprocessableEntity || text(t, got, "error", "code") != "INGEST_INVALID" {
		t.Errorf("events: %d %v", status, got)
	}
	for path, typ := range map[string]string{"/graphql": "application/json", "/imports?type=note&format=csv": "text/csv", "/payments/notice": "application/json"} {
		if r := exchange(t, root, http.MethodPost, path, bytes.NewReader(bomb), append(as[2:], "Content-Type", typ)...); r.status < 400 || r.status >= 500 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

// TestSocketHasTheLimitsOfHTTP: what HTTP refuses, the socket refuses with the same code.
func TestSocketHasTheLimitsOfHTTP(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--auth-per-network=1000"}})
	root := admin(t, s)
	ws := open(t, s, nil)
	if err := ws.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + root.Token}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	for name, query := range map[string]string{
		"depth":      strings.Repeat("{ a ", 30) + strings.Repeat("}", 30),
		"aliases":    aliased(31, "signOut { ended }"),
		"repeats":    "{" + strings.Repeat(" plans { id }", 50) + " }",
		"directives": "{ plans" + strings.Repeat(" @skip(if: false)", 60) + " { id } }",
		"fragments":  "{ ...A } fragment A on Query { ...B ...B } fragment B on Query { ...A ...A }",
		"cost":       "{ users(first: 100) { nodes { grants(first: 100) { nodes { role { grants(first: 100) { nodes { id } } } } } } } }",
		"tokens":     "{" + strings.Repeat(" a", 3000) + " }",
		"grammar":    "{ a",
		"unknown":    "{ nothing }",
		"a page":     `{ users(first: 101) { nodes { id } } }`,
		"a cursor":   `{ users(after: "W10") { nodes { id } } }`,
		"batch":      "",
	} {
		want := root.Do(query, nil).Code()
		if err := ws.WriteJSON(map[string]any{"type": "subscribe", "id": name, "payload": map[string]any{"query": query}}); err != nil {
			t.Fatal(err)
		}
		if got := answeredCode(t, ws, name); got != want || want == "" {
			t.Errorf("%s: %q over the socket, %q over HTTP", name, got, want)
		}
	}
}

// answeredCode is the code of the first answer to an operation.
func answeredCode(t *testing.T, ws *websocket.Conn, id string) string {
	t.Helper()
	for {
		var m struct {
			Type, ID string
			Payload  json.RawMessage
		}
		if err := ws.ReadJSON(&m); err != nil {
			t.Fatal(err)
		}
		switch {
		case m.ID != id:
		case m.Type == "error":
			return codeIn([]byte(`{"errors":` + string(m.Payload) + `}`))
		case m.Type == "next":
			return codeIn(m.Payload)
		}
	}
}

// TestOneCodeTwentyCallers: of twenty who send the mailed code of one flow over HTTP at once, one gets in.
func TestOneCodeTwentyCallers(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--auth-per-network=1000", "--auth-per-account=1000"}})
	p := newPerson(t, s, "once")
	asked := must[struct{ Flow string }](t, s.Browser(), "requestSignInMail", map[string]any{"email": p.Email}, "flow")
	code := s.Mail(p.Email, "sign_in").Code
	var in, refused int
	var mu sync.Mutex
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			r := mutate(s.Browser(), "signInWithMail", map[string]any{"flow": asked.Flow, "code": code}, outcomes)
			mu.Lock()
			defer mu.Unlock()
			if r.Code() == "" {
				in++
			} else {
				refused++
			}
		})
	}
	callers.Wait()
	if in != 1 || refused != 19 {
		t.Errorf("%d got in, %d did not", in, refused)
	}
}

// fragment is a frame of a text message as a client sends it, with a mask of zeros: the first has the opcode of a text.
func fragment(first, last bool, content string) []byte {
	head := byte(0)
	if first {
		head = 1
	}
	if last {
		head |= 0x80
	}
	return append([]byte{head, 0x80 | byte(len(content)), 0, 0, 0, 0}, content...)
}

// TestTinyFragments: a message in as many fragments as bytes is one message, and one that is too large or never ends is cut.
func TestTinyFragments(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	send := func(ws *websocket.Conn, frames []byte) { _, _ = ws.NetConn().Write(frames) } // the server may have hung up
	in := func() *websocket.Conn {
		ws := open(t, s, nil)
		send(ws, fragment(true, false, ""))
		for _, b := range []byte(`{"type":"connection_init"}`) {
			send(ws, fragment(false, false, string(b)))
		}
		send(ws, fragment(false, true, ""))
		if _, ack, err := ws.ReadMessage(); err != nil || !strings.Contains(string(ack), "connection_ack") {
			t.Fatalf("a message in pieces: %s, %v", ack, err)
		}
		return ws
	}
	large := in()
	send(large, fragment(true, false, "{"))
	for range 1100 {
		send(large, bytes.Repeat(fragment(false, false, " "), 64))
	}
	if _, _, err := large.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
		t.Errorf("70,000 fragments of a byte: %v", err)
	}
	empty := in()
	send(empty, fragment(true, false, ""))
	for range 100 {
		send(empty, bytes.Repeat(fragment(false, false, ""), 1000))
	}
	send(empty, fragment(false, true, ""))
	if _, _, err := empty.ReadMessage(); !websocket.IsCloseError(err, 4400) {
		t.Errorf("100,000 fragments of nothing: %v", err)
	}
	endless := open(t, s, nil)
	send(endless, fragment(true, false, ""))
	send(endless, bytes.Repeat(fragment(false, false, ""), 100_000))
	if _, _, err := endless.ReadMessage(); err == nil || strings.Contains(err.Error(), "i/o timeout") {
		t.Errorf("who never ends the first message: %v", err)
	}
	s.Browser().Must(`{ __typename }`, nil)
}
