package app_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// process is the program running by itself.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	mu  sync.Mutex
	out bytes.Buffer // all it says
	res bytes.Buffer // on standard output alone
}

// results is the part of a process that takes its standard output.
type results struct{ *process }

func (r results) Write(b []byte) (int, error) {
	r.mu.Lock()
	r.res.Write(b)
	r.mu.Unlock()
	return r.process.Write(b)
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// program is a command of the program that is not started yet. Its environment holds nothing of ours but what is given.
func program(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), self, args...)}
	p.cmd.Env = append([]string{mainEnv + "=1", "HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}, environ...)
	p.cmd.Stdout, p.cmd.Stderr = results{p}, p
	return p
}

// run runs a command to its end and gives the exit code and all it said.
func run(t *testing.T, environ []string, args ...string) (int, string) {
	t.Helper()
	p := program(t, environ, args...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p.wait(), p.said()
}

// print runs a command that must succeed and gives what it printed on standard output.
func print(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	p := program(t, environ, args...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != 0 {
		t.Fatalf("%s: exit code %d\n%s", strings.Join(args, " "), code, p.said())
	}
	return p.res.String()
}

func (p *process) wait() int {
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// serve starts the server on free ports and waits until it is ready.
func serve(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	p := program(t, environ, append([]string{"serve", "--listen=" + addr, "--internal-listen=none"}, args...)...)
	p.url = "http://" + addr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(p.url + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == 200 {
				return p
			}
		}
		if time.Now().After(end) {
			t.Fatalf("the server is not ready; it said:\n%s", p.said())
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// mongods are the processes that work in a folder.
func mongods(t *testing.T, dir string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range lines {
		if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte(dir)) && bytes.Contains(b, []byte("mongod\x00")) {
			found = append(found, name)
		}
	}
	return found
}

// TestManagedLife: a server with a MongoDB of its own, from an empty folder: it tells the first sign-in, shares its
// MongoDB with commands and with no second server, and leaves nothing running.
func TestManagedLife(t *testing.T) {
	if testing.Short() {
		t.Skip("starts mongod")
	}
	t.Parallel()
	dir := t.TempDir()
	environ := []string{"BACKENDBOOK_DATA_DIR=" + dir}
	p := serve(t, environ)
	if said := p.said(); !strings.Contains(said, "admin@example.com") || !strings.Contains(said, p.url+"/graphql") {
		t.Errorf("the first start says\n%s", said)
	}
	if len(mongods(t, dir)) != 1 {
		t.Fatalf("mongod: %v", mongods(t, dir))
	}
	if code, said := run(t, environ, "user", "list"); code != 0 || !strings.Contains(said, "admin@example.com") {
		t.Errorf("user list beside a server: %d %s", code, said)
	}
	if code, said := run(t, environ, "serve", "--listen=127.0.0.1:0"); code != 1 || !strings.Contains(said, "in use") {
		t.Errorf("a second server on the folder: %d %s", code, said)
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("SIGTERM: exit code %d\n%s", code, p.said())
	}
	if left := mongods(t, dir); len(left) != 0 {
		t.Errorf("left running: %v", left)
	}

	p = serve(t, environ)
	if said := p.said(); strings.Contains(said, "admin@example.com") {
		t.Errorf("the second start tells a sign-in:\n%s", said)
	}
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Errorf("SIGINT: exit code %d", code)
	}
}

// TestSecondSignal: the second signal ends the process at once, with 1; the one child it has ends with it.
func TestSecondSignal(t *testing.T) {
	if testing.Short() {
		t.Skip("starts mongod")
	}
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, []string{"BACKENDBOOK_DATA_DIR=" + dir}, "--drain-delay=1m")
	p.signal(syscall.SIGTERM)
	until(t, "it drains", func() bool { return strings.Contains(p.said(), "draining") })
	p.signal(syscall.SIGTERM)          // the same key press, delivered twice
	time.Sleep(400 * time.Millisecond) // a later signal is another one: that is what is tested
	p.signal(syscall.SIGTERM)
	begin := time.Now()
	if code := p.wait(); code != 1 || time.Since(begin) > 5*time.Second {
		t.Errorf("exit code %d after %s\n%s", code, time.Since(begin), p.said())
	}
	until(t, "mongod ends with its parent", func() bool { return len(mongods(t, dir)) == 0 })
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	_ = closed.Close()
	folder, document := t.TempDir(), "{ me { user { id } } }"
	if err := os.WriteFile(filepath.Join(folder, "me.graphql"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		environ []string
		args    []string
		code    int
		says    []string
	}{
		{"help", nil, []string{"--help"}, 0, []string{"serve", "--listen", "Without a command it serves"}},
		{"version", nil, []string{"version"}, 0, nil},
		{"an unknown flag", nil, []string{"serve", "--nope"}, 2, []string{"--nope", "--help"}},
		{"an unknown command", nil, []string{"dance"}, 2, []string{"dance"}},
		{"bad settings, all told", []string{"BACKENDBOOK_LOG_LEVEL=loud", "BACKENDBOOK_NOPE=1"}, []string{"serve"}, 2, []string{"log.level", "BACKENDBOOK_NOPE"}},
		{"an unsafe production", []string{"BACKENDBOOK_ENVIRONMENT=production"}, nil, 2, []string{"MONGODB_URI", "public-url", "secret-keys", "mail.host"}},
		{"a production without keys and mail", []string{
			"BACKENDBOOK_ENVIRONMENT=production", "BACKENDBOOK_PUBLIC_URL=https://book.example", "MONGODB_URI=mongodb://u:k9$x@" + nobody + "/?replicaSet=r",
		}, []string{"serve"}, 2, []string{"config new-key", "without mail nobody can register"}},
		{"a new key", nil, []string{"config", "new-key", "--id", "k7"}, 0, []string{"k7:"}},
		{"config check", nil, []string{"config", "check"}, 0, []string{"good"}},
		{"config print masks", []string{"MONGODB_URI=mongodb://u:hunter2@h/?replicaSet=r"}, []string{"config", "print"}, 0, []string{`"********"`}},
		{"the schema", nil, []string{"schema"}, 0, []string{"type Viewer"}},
		{"the schema to a file", nil, []string{"schema", "-o", filepath.Join(t.TempDir(), "schema.graphql")}, 0, nil},
		{"possible types", nil, []string{"schema", "possible-types"}, 0, []string{`"ChangeResult": [`}},
		{"trusted documents", nil, []string{"schema", "documents", folder}, 0, []string{document}},
		{"no documents", nil, []string{"schema", "documents", t.TempDir()}, 1, []string{"there is no *.graphql"}},
		{"a page", nil, []string{"docs", "errors"}, 0, []string{"| `INTERNAL` |"}},
		{"no such page", nil, []string{"docs", "cooking"}, 2, []string{"cooking"}},
		{"a file that is not there", nil, []string{"ingest", "/no/such.json", "--event", "x"}, 2, []string{"/no/such.json"}},
		{"half a range", nil, []string{"report", "m", "--from=2026-01-01T00:00:00Z"}, 2, []string{"--to"}},
		{"MongoDB is away", []string{"MONGODB_URI=mongodb://u:hunter2@" + nobody + "/?replicaSet=r", "BACKENDBOOK_MONGODB_WAIT=1s"}, []string{"serve"}, 1, []string{"does not start", "no MongoDB server answers", "mongodb_connecting"}},
		{"doctor without a server", nil, []string{"doctor", "--ready", "--listen=" + nobody}, 1, []string{"FAIL", "none answers"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			code, said := run(t, tc.environ, tc.args...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d:\n%s", code, tc.code, said)
			}
			for _, part := range tc.says {
				if !strings.Contains(said, part) {
					t.Errorf("it does not say %q:\n%s", part, said)
				}
			}
			if strings.Contains(said, "hunter2") {
				t.Errorf("it tells the password:\n%s", said)
			}
		})
	}
}

// TestWrongPassword: a server that may not enter says what to fix, and does not show the password it tried.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	uri := storetest.URI(t)
	scheme, rest, _ := strings.Cut(uri, "://")
	userinfo, host, found := strings.Cut(rest, "@")
	user, _, _ := strings.Cut(userinfo, ":")
	if !found {
		t.Skip("the test server asks for no password")
	}
	code, said := run(t, []string{"MONGODB_URI=" + fmt.Sprintf("%s://%s:hunter2@%s", scheme, user, host)}, "serve", "--listen=127.0.0.1:0")
	if code != 1 || !strings.Contains(said, "refused the user or password") || strings.Contains(said, "hunter2") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}

// commandsOn is the environment of commands that work on a database of the tests' MongoDB.
func commandsOn(t *testing.T, database string) []string {
	t.Helper()
	return []string{"MONGODB_URI=" + storetest.URI(t), "BACKENDBOOK_MONGODB_DATABASE=" + database, "BACKENDBOOK_DATA_DIR=" + t.TempDir()}
}

// TestCommands: an operator makes an administrator, ingests a table, and reads a report of it.
func TestCommands(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	storetest.Insert(t, db, "metrics", analytics.Metric{Key: "hits", Event: "hit", Dimensions: []string{"page"}, Version: 1})
	environ := append(commandsOn(t, db.Database().Name()), "BACKENDBOOK_LOG_LEVEL=error")
	file := filepath.Join(t.TempDir(), "hits.json")
	if err := os.WriteFile(file, []byte("{\"at\":\"2026-01-02T03:04:05Z\",\"page\":\"/a\",\"ms\":3}\n{\"at\":\"2026-01-02T03:04:06Z\",\"page\":\"/b\",\"ms\":5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const book = "roles:\n- key: auditor\n  name: Auditor\n  permissions: [account.user.read]\n  includes: [{role: \"viewer(what=hits)\"}]\n" +
		"- key: viewer\n  name: Viewer\n  params: [{name: what, type: STRING}]\n  permissions: [\"analytics.report.view(metric=$what)\"]\n"
	roles, cycle := filepath.Join(t.TempDir(), "roles.yaml"), filepath.Join(t.TempDir(), "cycle.yaml")
	for name, text := range map[string]string{
		roles: book + "predicates:\n- {permission: account.user.read, name: own, expression: object.id == user.id}\n",
		cycle: book + "  includes: [{role: auditor}]\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	broken := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(broken, []byte("[{\"at\":\"2026-01-02T03:04:05Z\",\"page\":\"/a\"},\n{\"page\":\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"migrate", "--dry-run"}, 0, "create users"},
		{[]string{"user", "create-admin", "eve@example.org"}, 0, "/reset#token=bbl_"},
		{[]string{"user", "create-admin", "EVE@example.org"}, 0, "/reset#token=bbl_"}, // another link for the same account
		{[]string{"user", "create-admin", "eve"}, 1, "EMAIL_INVALID"},
		{[]string{"user", "reset", "eve@example.org"}, 0, "good once"},
		{[]string{"user", "reset", "who@example.org"}, 1, "NOT_FOUND"},
		{[]string{"user", "set-password", "eve@example.org"}, 2, "set-password"}, // nobody chooses a password for somebody else
		{[]string{"user", "list"}, 0, "eve@example.org"},
		{[]string{"role", "list"}, 0, "admin"},
		{[]string{"role", "grant", "eve@example.org", "member"}, 0, "holds member"},
		{[]string{"role", "grant", "eve@example.org", "no-such-role"}, 1, "NOT_FOUND"},
		{[]string{"role", "grant", "eve@example.org", "member", "--until=2999-01-01T00:00:00Z", "--reason=trial"}, 0, "holds member"},
		{[]string{"role", "grant", "eve@example.org", "member(region=EU)"}, 1, "RBAC_BAD_VALUE"},
		{[]string{"role", "explain", "eve@example.org", "rbac.role.write"}, 0, "-> admin => rbac.role.write"},
		{[]string{"role", "explain", "eve@example.org", "no.such"}, 1, "UNKNOWN_PERMISSION"},
		{[]string{"role", "import", roles, "--dry-run"}, 0, "+ auditor includes viewer(what=hits)"},
		{[]string{"role", "simulate", roles}, 0, "GAINS"},
		{[]string{"role", "import", roles}, 0, "4 changes, revision"},
		{[]string{"role", "import", roles}, 0, "nothing differs"},
		{[]string{"role", "export"}, 0, "analytics.report.view(metric=$what)"},
		{[]string{"role", "import", cycle}, 1, "viewer auditor viewer"},
		{[]string{"role", "import", broken}, 2, "broken"},
		{[]string{"role", "grant", "role:member", "auditor", "--admin", "--no-inherit", "--no-set"}, 0, "holds auditor"},
		{[]string{"role", "revoke", "role:member", "auditor"}, 0, "is gone"},
		{[]string{"role", "revoke", "role:member", "auditor", "--cascade"}, 1, "NOT_FOUND"},
		{[]string{"role", "import", roles, "--prune"}, 0, "nothing differs"},
		{[]string{"role", "revoke", "eve@example.org", "admin"}, 1, "LAST_ADMIN"},
		{[]string{"plan", "list"}, 0, "free (default)"},
		{[]string{"ingest", file, "--event", "hit"}, 0, "2 events stored, 0 known already, 0 bad rows left out"},
		{[]string{"ingest", file, "--event", "hit"}, 0, "0 events stored, 2 known already"},
		{[]string{"ingest", broken, "--event", "hit"}, 1, "nothing was stored"},
		{[]string{"ingest", broken, "--event", "hit"}, 1, "broken.json: line 2: "},
		{[]string{"report", "no.such.metric"}, 1, "METRIC_UNKNOWN"},
		{[]string{"report", "hits", "--step=day", "--from=2026-01-01T00:00:00Z", "--to=2026-01-03T00:00:00Z", "--by=page"}, 0, "/b"},
		{[]string{"report", "hits", "--step=month", "--from=2026-01-01T00:00:00Z", "--to=2026-01-03T00:00:00Z", "--where=page=/a", "--where=page"}, 2, "a dimension, =, and its value"},
		{[]string{"report", "hits", "--aggregate=unique"}, 1, "does not count what is unique"},
		{[]string{"metric", "list"}, 0, "hits"},
		{[]string{"metric", "rebuild"}, 0, "done"},
		{[]string{"metric", "verify"}, 0, "0 differ"},
		{[]string{"metric", "delete", "hits"}, 0, "hits is gone"},
		{[]string{"metric", "delete", "hits", "--force"}, 1, "METRIC_UNKNOWN"},
		{[]string{"schema"}, 0, "type Query"},
		{[]string{"schema", "diagram"}, 0, "</svg>"},
		{[]string{"schema", "diagram", "--format=mermaid"}, 0, "erDiagram"},
		{[]string{"schema", "diagram", "-o", filepath.Join(t.TempDir(), "no", "such", "folder.svg")}, 1, "no such file"},
		{[]string{"migrate"}, 0, "nothing to do"},
		{[]string{"doctor", "--listen=127.0.0.1:1"}, 0, "mongodb"},
	} {
		if code, said := run(t, environ, tc.args...); code != tc.code || !strings.Contains(said, tc.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", strings.Join(tc.args, " "), code, tc.code, tc.says, said)
		}
	}
	if n := storetest.Count(t, db, "analytics_events"); n != 2 {
		t.Errorf("%d events are stored", n)
	}
	if n := storetest.Count(t, db, "users"); n != 1 {
		t.Errorf("%d users after the same administrator was made twice", n)
	}
}
