// Package apptest runs the whole server inside a test: on the tests' MongoDB, with a database of its own, on a port of
// its own. Packages that use it call storetest.Main from their TestMain.
package apptest

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
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
	// Public is the address that mails and providers lead to, such as "http://book.test": clients of the server get there,
	// whatever the name, and use it themselves. Empty: one that leads nowhere, and clients use the listener's.
	Public string
}

// nowhere is the public address of a server that a test does not give one.
const nowhere = "http://localhost:8080"

// secretKeys seal what test servers keep, so that no server writes a key of its own somewhere, and two of them on one
// database read one another's.
const secretKeys = "test:dGhpcyBpcyBubyBzZWNyZXQsIGJ1dCAzMiBieXRlcy4=" //nolint:gosec // it says so itself

// Server is a running server.
type Server struct {
	*app.App
	URL      string // such as http://127.0.0.1:40123
	Database string

	t       testing.TB
	public  string
	roads   *http.Transport // of all clients: they find the public address
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
	name := ref.NewID() // that fail points know the server by
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	loaded, err := config.Load(config.Input{Out: io.Discard, Args: append([]string{
		"--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--mongodb-uri=" + named(t, name), "--mongodb-database=" + setup.Database,
		"--mongodb-pool=20", "--mongodb-wait=60s", "--secret-keys=" + secretKeys, "--public-url=" + cmp.Or(setup.Public, nowhere),
		"--analytics-product=false", // what tests count is what they have stored
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
	storetest.Name(t, a.DB(), name)
	s := &Server{App: a, t: t, Database: setup.Database, public: setup.Public, stop: stop, ended: make(chan struct{})}
	if err := a.Listen(ctx); err != nil {
		stop()
		t.Fatal(err, a.Close(ctx))
	}
	s.URL = a.URL()
	s.roads = roads(setup.Public, s.URL)
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
	s.roads.CloseIdleConnections()
}

// Ended is closed when the server has drained.
func (s *Server) Ended() <-chan struct{} { return s.ended }

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
