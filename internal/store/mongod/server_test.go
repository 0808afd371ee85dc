//go:build !windows

package mongod

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
)

func TestStopLeavesNothingAndTheNextStartHasTheData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, Config{DataDir: dir})
	put(t, s.URI(), "kept")
	mustBeShut(t, s)
	pid := s.st.PID
	stop(t, s)
	mustBeGone(t, s, pid)
	stop(t, s) // twice is harmless

	again := start(t, Config{DataDir: dir})
	if again.URI() != s.URI() {
		t.Error("the URI changed between two starts on one folder")
	}
	mustHave(t, again.URI(), "kept")
}

// mustBeShut checks what keeps others out: modes, authentication, scripting, compression, the address.
func mustBeShut(t *testing.T, s *Server) {
	t.Helper()
	mustMode(t, string(s.dir), 0o700)
	mustMode(t, s.dir.state(), 0o600)
	mustMode(t, s.dir.key(), 0o400)
	anonymous, done := client(t, "mongodb://"+s.st.host()+"/?replicaSet="+setName)
	defer done()
	if _, err := anonymous.InsertOne(t.Context(), bson.D{}); code(err) != 13 {
		t.Errorf("an anonymous insert gave %v, want Unauthorized", err)
	}
	create := bson.D{{Key: "createUser", Value: "x"}, {Key: "pwd", Value: "x"}, {Key: "roles", Value: bson.A{"root"}}}
	if err := anonymous.Database().Client().Database("admin").RunCommand(t.Context(), create).Err(); code(err) != 13 {
		t.Errorf("an anonymous createUser gave %v, want Unauthorized", err)
	}
	ours, done := client(t, s.URI())
	defer done()
	if _, err := ours.CountDocuments(t.Context(), bson.D{{Key: "$where", Value: "true"}}); err == nil {
		t.Error("server-side JavaScript is on")
	}
	admin := ours.Database().Client().Database("admin")
	raw, err := admin.RunCommand(t.Context(), bson.D{{Key: "hello", Value: 1}, {Key: "compression", Value: bson.A{"zlib", "snappy"}}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := raw.LookupErr("compression"); err == nil {
		t.Errorf("the server offers compression: %v", v)
	}
	raw, err = admin.RunCommand(t.Context(), bson.D{{Key: "getParameter", Value: 1}, {Key: "transactionLifetimeLimitSeconds", Value: 1}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := raw.Lookup("transactionLifetimeLimitSeconds").AsInt64OK(); n != 10 {
		t.Errorf("transactions live %d s, want 10", n)
	}
	if listening := listeners(t, s.st.Port); len(listening) != 1 || listening[0] != "0100007F" {
		t.Errorf("mongod listens on %v, want 127.0.0.1 only", listening)
	}
}

// listeners gives the addresses a port is listened on, as Linux prints them.
func listeners(t *testing.T, port int) (addrs []string) {
	t.Helper()
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(table)
		if err != nil {
			t.Skip("no /proc/net: ", err)
		}
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if addr, hex, ok := strings.Cut(f[1], ":"); ok && f[3] == "0A" && hex == strings.ToUpper(strconv.FormatInt(int64(port), 16)) {
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs
}

func mustBeGone(t *testing.T, s *Server, pid int) {
	t.Helper()
	if alive(pid) {
		t.Errorf("mongod (process %d) is still there", pid)
	}
	if err := probe(t.Context(), s.st.Port); err != nil {
		t.Errorf("the port is still taken: %v", err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("Done is open after Stop")
	}
	if err := s.Err(); err != nil {
		t.Errorf("Err() = %v after Stop, want nil", err)
	}
	if st, err := readState(s.dir); err != nil || st.PID != 0 || st.Owner != 0 {
		t.Errorf("state.json names process %d of owner %d after Stop (%v)", st.PID, st.Owner, err)
	}
}

// alive tells a running process from one that is gone or only waits to be reaped.
func alive(pid int) bool {
	if raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil {
		_, rest, _ := strings.Cut(string(raw), ") ")
		return !strings.HasPrefix(rest, "Z")
	}
	return syscall.Kill(pid, 0) == nil
}

func TestOneFolderHasOneServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const n = 3
	servers := make([]*Server, n)
	var wg sync.WaitGroup
	for i := range n { // all at once on a new folder
		wg.Go(func() {
			var err error
			if servers[i], err = tryStart(t, Config{DataDir: dir, Attach: true}); err != nil {
				t.Errorf("start %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	var owner *Server
	for _, s := range servers {
		if !s.Attached() {
			if owner != nil {
				t.Fatal("two servers own the folder")
			}
			owner = s
		}
		if s.URI() != servers[0].URI() || s.Version() != servers[0].Version() {
			t.Error("attached servers tell another URI or version")
		}
	}
	if owner == nil {
		t.Fatal("nobody owns the folder")
	}
	for _, s := range servers {
		if s.Attached() {
			stop(t, s)
		}
	}
	put(t, owner.URI(), "after the attached ones have stopped")

	_, err := tryStart(t, Config{DataDir: dir})
	mustFail(t, err, ErrInUse, "process "+strconv.Itoa(os.Getpid()), "MONGODB_URI")
}

func TestOrphanEndsWithItsOwnerAndTheNextStartWorks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), parentEnv+"="+dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	uri, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ok {
		t.Fatalf("the owner said %q", line)
	}
	put(t, uri, "kept")
	st, err := readState(folder(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	// Not waiting for the orphan's end makes the next start meet it, which is the hard case.
	s := start(t, Config{DataDir: dir})
	if alive(st.PID) {
		t.Errorf("the orphan (process %d) lives beside its successor", st.PID)
	}
	if s.URI() != uri {
		t.Error("the successor moved to another port instead of waiting for the orphan's")
	}
	mustHave(t, s.URI(), "kept")
}

// Where the kernel does not end a child with its parent, or the child does not hear, an orphan holds the files for good.
func TestOrphanThatStaysIsDismissed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Config{DataDir: dir})
	put(t, s.URI(), "kept")
	stop(t, s)
	orphan := exec.CommandContext(t.Context(), s.bin.path, s.cfg.args(s.dir, s.st.Port)...)
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = orphan.Wait() }()
	r := replset{st: s.st, pid: orphan.Process.Pid, key: s.key}
	if err := r.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := start(t, Config{DataDir: dir})
	select {
	case <-ended:
	default:
		t.Error("the orphan lives beside its successor")
	}
	mustHave(t, again.URI(), "kept")
}

func TestDeathIsRepaired(t *testing.T) {
	t.Parallel()
	var log lines
	s, err := Start(t.Context(), Config{DataDir: t.TempDir(), AllowDownload: true}, slog.New(slog.NewJSONHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	put(t, s.URI(), "before")
	uri := s.URI()
	st, err := readState(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 15*time.Second, "restart", func() bool { return log.has("mongod_restarted") })
	if !log.has(`"mongod_died"`, `"signal":"killed"`, `"restart_in_ms"`) {
		t.Error("the death was not logged with its signal")
	}
	mustHave(t, uri, "before")
	if log.has(s.st.Password) {
		t.Error("the log holds the password")
	}
	select {
	case <-s.Done():
		t.Error("Done is closed after a repaired death")
	default:
	}
}

func TestDyingAgainAndAgainIsGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, err := locate(t.Context(), mustDefaults(t, Config{DataDir: dir, AllowDownload: true}), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	wrapper := script(t, filepath.Join(t.TempDir(), "mongod"), `exec "`+real.path+`" "$@"`)
	s := start(t, Config{DataDir: dir, Binary: wrapper})
	pid := s.st.PID
	// From now on the binary is one that cannot start.
	next := script(t, wrapper+".next", `echo "mongod: No space left on device" >&2; exit 14`)
	if err := os.Rename(next, wrapper); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the supervision goes on")
	}
	mustFail(t, s.Err(), ErrDiskFull, "times in a row", "exit code 14")
	if lock, err := tryLock(s.dir.lock()); err != nil {
		t.Errorf("the folder is still locked: %v", err)
	} else {
		_ = lock.Close()
	}
}

func mustDefaults(t *testing.T, cfg Config) Config {
	t.Helper()
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestStopKillsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	s := start(t, Config{DataDir: t.TempDir()})
	pid := s.st.PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // it will not hear SIGTERM
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	mustFail(t, s.Stop(ctx), context.DeadlineExceeded, "killed")
	mustBeGone(t, s, pid)
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // as soon as there is a process
		for clock.Sleep(ctx, poll) {
			if st, err := readState(folder(dir)); err == nil && st.PID != 0 {
				cancel()
			}
		}
	}()
	_, err := Start(ctx, Config{DataDir: dir, AllowDownload: true}, slog.New(slog.DiscardHandler))
	mustFail(t, err, context.Canceled)
	st, err := readState(folder(dir))
	if err != nil {
		t.Fatal(err)
	}
	if alive(st.PID) {
		t.Errorf("mongod (process %d) runs on", st.PID)
	}
	put(t, start(t, Config{DataDir: dir}).URI(), "a start that was cut off does no harm")
}
