package app_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
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

// half sends a request whose body is not complete yet; finish sends the rest and reads the answer.
func half(t *testing.T, s *apptest.Server) (finish func() (*http.Response, error)) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const body = `{"query":"{ __typename }"}`
	if _, err := fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:5]); err != nil {
		t.Fatal(err)
	}
	return func() (*http.Response, error) {
		if _, err := io.WriteString(conn, body[5:]); err != nil {
			return nil, err
		}
		return http.ReadResponse(bufio.NewReader(conn), nil)
	}
}

// TestDrain: the server says it is not ready, still answers, then takes no new connections, finishes what has begun and
// ends well.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--drain-delay=1s"}})
	finish := half(t, s) //nolint:bodyclose // there is no answer yet
	if status, _, _ := get(t, s.URL+"/readyz"); status != 200 {
		t.Fatalf("ready: %d", status)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	until(t, "the server says that it drains", func() bool {
		status, body, _ := get(t, s.URL+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
	if status, _, _ := get(t, s.URL+"/healthz"); status != 200 {
		t.Errorf("a draining server is alive, but answers %d", status)
	}
	if s.Browser().Must(`{ __typename }`, nil)["__typename"] != "Query" {
		t.Error("requests during the delay are not answered")
	}
	until(t, "new connections are refused", func() bool {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.URL, "http://"), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	res, err := finish()
	if err != nil {
		t.Fatalf("the request that had begun was cut: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != 200 {
		t.Errorf("the request that had begun got %d", res.StatusCode)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Run() = %v", err)
	}
}

// TestDrainCutsTheStuck: a request that never comes to its end does not keep the server from stopping.
func TestDrainCutsTheStuck(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--drain-time=1s"}})
	half(t, s) //nolint:bodyclose // there is never an answer
	until(t, "the request has arrived", func() bool {
		_, body, _ := get(t, s.InternalURL()+"/debug/pprof/goroutine?debug=2")
		return strings.Contains(body, "readBody")
	})
	begin := time.Now()
	if err := s.Stop(); err == nil {
		t.Error("a request was cut, and Run() says that all is well")
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// dial opens a socket of nobody and gets it acknowledged.
func dial(s *apptest.Server) (*websocket.Conn, error) {
	d := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: 20 * time.Second}
	ws, res, err := d.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", nil)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	if err := ws.WriteJSON(map[string]string{"type": "connection_init"}); err != nil {
		return nil, err
	}
	_ = ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	var m struct{ Type string }
	if err := ws.ReadJSON(&m); err != nil || m.Type != "connection_ack" {
		return nil, fmt.Errorf("ack: %q, %w", m.Type, err)
	}
	return ws, nil
}

// TestDrainTellsSockets: every socket is closed with 1012 and a hint when to come back, one that does not read included.
func TestDrainTellsSockets(t *testing.T) {
	t.Parallel()
	const n = 200
	s := apptest.Start(t, apptest.Setup{})
	sockets := make([]*websocket.Conn, n)
	var wg sync.WaitGroup
	for i := range sockets {
		wg.Go(func() {
			ws, err := dial(s)
			if err != nil {
				t.Error(err)
				return
			}
			sockets[i] = ws
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	begin := time.Now()
	if err := s.Stop(); err != nil { // nobody reads meanwhile
		t.Errorf("Run() = %v", err)
	}
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("%d sockets took %s", n, took)
	}
	for _, ws := range sockets {
		var closed *websocket.CloseError
		_, _, err := ws.ReadMessage()
		var hint struct{ ReconnectInMs int }
		if !errors.As(err, &closed) || closed.Code != websocket.CloseServiceRestart || json.Unmarshal([]byte(closed.Text), &hint) != nil || hint.ReconnectInMs < 500 {
			t.Errorf("closed with %v", err)
		}
		_ = ws.Close()
	}
}

// until waits for a condition.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	within(t, 20*time.Second, what, cond)
}

func within(t *testing.T, patience time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}
