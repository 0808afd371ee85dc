package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/app"
)

const mainEnv = "BACKENDBOOK_TEST_MAIN" // makes this test binary the program itself

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		os.Exit(app.Main(app.Process{Args: os.Args[1:], Environ: os.Environ(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	os.Exit(m.Run())
}

// said keeps the last of what a process says.
type said struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all.Len() > 4<<20 {
		s.all.Next(1 << 20)
	}
	return s.all.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// server is a process of the program.
type server struct {
	victim
	url, internal string
	log           said

	harmed atomic.Int64       // odd while it is dead or stopped
	base   map[string]float64 // gauges at the beginning
}

func program(environ []string, out io.Writer, args ...string) *exec.Cmd {
	self, _ := os.Executable()
	cmd := exec.Command(self, args...)
	cmd.Env = append([]string{mainEnv + "=1", "HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}, environ...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

func environ(t *testing.T, r *replicaSet) []string {
	return []string{
		"MONGODB_URI=" + r.uri, "BACKENDBOOK_MONGODB_DATABASE=chaos", "BACKENDBOOK_DATA_DIR=" + t.TempDir(),
		"BACKENDBOOK_SECRET_KEYS=test:dGhpcyBpcyBubyBzZWNyZXQsIGJ1dCAzMiBieXRlcy4=",
	}
}

func newServer(t *testing.T, environ []string, n int) *server {
	t.Helper()
	address, internal := freePort(t), freePort(t)
	s := &server{url: "http://" + address, internal: "http://" + internal}
	s.victim = victim{t: t, name: "server " + strconv.Itoa(n), start: func() *exec.Cmd {
		return program(environ, &s.log, "serve", "--listen="+address, "--internal-listen="+internal)
	}}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("%s:\n%s", s.name, worst(s.log.String()))
		}
		if dir := os.Getenv("CHAOS_LOGS"); dir != "" {
			_ = os.WriteFile(filepath.Join(dir, s.name+".log"), []byte(s.log.String()), 0o600)
		}
	})
	s.run()
	return s
}

// worst are the last lines of a log that are not about single requests.
func worst(log string) string {
	var lines []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"WARN"`) || strings.Contains(line, `"ERROR"`) || strings.Contains(line, " WRN ") || strings.Contains(line, " ERR ") || !strings.Contains(line, "graphql_") && !strings.Contains(line, "http_request") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-25):], "")
}

func (s *server) ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// gauges are what must come back to where it was.
func (s *server) gauges() map[string]float64 {
	res, err := http.Get(s.internal + "/metrics")
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }()
	found := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name == "go_goroutines" || name == "process_open_fds" || name == "go_memstats_heap_inuse_bytes" {
			found[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return found
}

// caller sends operations to whichever server.
type caller struct {
	http  *http.Client
	token string
}

const (
	deadline = 4 * time.Second            // of each request, told to the server
	patience = 2*deadline + 2*time.Second // finding out who asks has a deadline of its own
)

// errNoAnswer: nothing came, or nothing that was GraphQL.
var errNoAnswer = errors.New("no answer")

type reply struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Extensions struct{ Code string }
	}
}

func (r reply) code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	return r.Errors[0].Extensions.Code
}

// do sends an operation. late tells that a server in good health has not answered by the deadline it was given.
func (c *caller) do(s *server, query string, variables map[string]any, key string) (r reply, late bool, err error) {
	body, _ := json.Marshal(map[string]any{"query": query, "variables": variables})
	before := s.harmed.Load()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return r, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Timeout", strconv.Itoa(int(deadline/time.Millisecond)))
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := c.http.Do(req)
	if err == nil {
		defer func() { _ = res.Body.Close() }()
		err = json.NewDecoder(res.Body).Decode(&r)
	}
	if err != nil {
		well := before%2 == 0 && before == s.harmed.Load()
		return r, well && errors.Is(ctx.Err(), context.DeadlineExceeded), fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return r, false, nil
}
