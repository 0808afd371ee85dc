// Package apptest runs the whole server inside a test: on the tests' MongoDB, with a database of its own, on a port of
// its own. Packages that use it call storetest.Main from their TestMain.
package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/app"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/config"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// Setup changes what a test server is made of.
type Setup struct {
	Args     []string     // flags such as "--demo"; they beat the defaults of tests
	Database string       // that of another server, or one the test drops by itself; empty for a new one
	Clock    clock.Clock  // nil for the machine's
	Log      io.Writer    // where the log goes, at debug level, as JSON; nil for the test's own log when it fails
	Password account.Cost // zero for a cheap one
}

// Server is a running server.
type Server struct {
	*app.App
	URL      string // such as http://127.0.0.1:40123
	Database string

	t       testing.TB
	stop    context.CancelFunc
	ended   chan struct{}
	err     error
	stopped bool // by the test, which has judged the end
}

// Start runs a server until the end of the test.
func Start(t testing.TB, setup Setup) *Server {
	t.Helper()
	if setup.Database == "" {
		setup.Database = "bb_test_" + ref.NewID()
		storetest.Open(t, setup.Database) // drops it, when the server has ended
	}
	out := setup.Log
	if out == nil {
		kept := &tail{}
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the server's log:\n%s", kept)
			}
		})
		out = kept
	}
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	loaded, err := config.Load(config.Input{Out: io.Discard, Args: append([]string{
		"--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--mongodb-uri=" + storetest.URI(t), "--mongodb-database=" + setup.Database,
		"--mongodb-pool=20",
	}, setup.Args...)})
	if err != nil {
		t.Fatal(err)
	}
	if setup.Password == (account.Cost{}) {
		setup.Password = account.Cost{MemoryKiB: 64, Passes: 1, Threads: 1}
	}
	ctx, stop := context.WithCancel(context.Background())
	a, err := app.Build(ctx, &loaded.Config, app.WithRequest(log), app.Options{Clock: setup.Clock, Password: setup.Password})
	if err != nil {
		stop()
		t.Fatalf("build: %v", err)
	}
	s := &Server{App: a, t: t, Database: setup.Database, stop: stop, ended: make(chan struct{})}
	if err := a.Listen(ctx); err != nil {
		stop()
		t.Fatal(err, a.Close(ctx))
	}
	s.URL = a.URL()
	go func() {
		defer close(s.ended)
		s.err = a.Run(ctx)
	}()
	t.Cleanup(s.Cleanup)
	return s
}

// Stop drains the server as a signal does and waits until Run has returned, with what it returned.
func (s *Server) Stop() error {
	s.stopped = true
	s.stop()
	select {
	case <-s.ended:
		return s.err
	case <-time.After(time.Minute):
		s.t.Fatal("the server does not stop")
		return nil
	}
}

// Cleanup ends the server and all of it, and fails the test if it ends badly and Stop has not told the test so. It is called
// at the end of the test; a test that is done with the server earlier may call it itself.
func (s *Server) Cleanup() {
	judged := s.stopped
	if err := s.Stop(); err != nil && !judged {
		s.t.Errorf("the server ended with: %v", err)
	}
	if err := s.Close(context.Background()); err != nil {
		s.t.Errorf("close: %v", err)
	}
}

// Ended is closed when the server has drained.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Client is somebody who uses the server: a browser with cookies, or a program with a token.
type Client struct {
	*http.Client
	s     *Server
	Token string // sent as bearer token; empty for none
}

// Browser is a new client that keeps cookies.
func (s *Server) Browser() *Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &Client{Client: &http.Client{Jar: jar, Timeout: time.Minute}, s: s}
}

// At is the same client at another server: its cookies and its token go along.
func (c *Client) At(s *Server) *Client { return &Client{Client: c.Client, s: s, Token: c.Token} }

// Response is an answer of GraphQL.
type Response struct {
	Status int
	Header http.Header
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
}

// Code is the code of the first error; empty without one.
func (r Response) Code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

// Do sends an operation and reads the answer. It does not judge it.
func (c *Client) Do(query string, variables map[string]any) Response {
	c.s.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		c.s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.s.t.Context(), http.MethodPost, c.s.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		c.s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := c.Client.Do(req)
	if err != nil {
		c.s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.s.t.Fatal(err)
	}
	r := Response{Status: res.StatusCode, Header: res.Header}
	if err := json.Unmarshal(text, &r); err != nil {
		c.s.t.Fatalf("answer %d is not JSON: %s", res.StatusCode, text)
	}
	return r
}

// Must is Do for an operation that must not fail; it gives the data.
func (c *Client) Must(query string, variables map[string]any) map[string]any {
	c.s.t.Helper()
	r := c.Do(query, variables)
	if r.Status != http.StatusOK || len(r.Errors) > 0 {
		c.s.t.Fatalf("answer %d: %+v to %.200s", r.Status, r.Errors, query)
	}
	return r.Data
}

// Register makes an account and signs in with the cookie. Every call makes another mail address.
func (c *Client) Register(name string) (email string) {
	c.s.t.Helper()
	email = fmt.Sprintf("%s-%s@example.org", name, ref.NewID())
	c.Must(`mutation($in: RegisterInput!) { register(input: $in) { result { __typename } } }`, map[string]any{
		"in": map[string]any{"email": email, "password": Password, "name": name},
	})
	return email
}

// Password is that of every user Register makes.
const Password = "correct horse battery staple"

const tailBytes = 64 << 10

// tail keeps the end of a log.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailBytes {
		t.b = append([]byte(nil), t.b[len(t.b)-tailBytes:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
