package storetest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/mongod"
)

const (
	uriEnv        = "BACKENDBOOK_TEST_MONGODB_URI"
	supervisorEnv = "BACKENDBOOK_TEST_SUPERVISOR"
	idleFor       = 8 * time.Second // a server nobody uses for so long is stopped
	startWait     = 3 * time.Minute // fetching the binary on a new machine included
)

// held is the users' lock of this process: a file without a reference would be closed by the collector.
var held *os.File

// attach gives the address of the running server, starting it if need be. The user lock is held until this process ends.
func attach() (string, error) {
	if u := os.Getenv(uriEnv); u != "" {
		return u, nil
	}
	dir, err := folder()
	if err != nil {
		return "", err
	}
	if held, err = lock(filepath.Join(dir, "users.lock"), syscall.LOCK_SH); err != nil {
		return "", err
	}
	start, err := lock(filepath.Join(dir, "start.lock"), syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer func() { _ = start.Close() }()
	if u, ok := running(dir); ok {
		return u, nil
	}
	return spawn(dir)
}

// folder is where the server of this user and checkout lives: in memory if the machine has such a place.
func folder() (string, error) {
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := root; at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			root = at
			break
		}
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(root))
	base := "/dev/shm"
	if info, err := os.Stat(base); err != nil || !info.IsDir() {
		base = os.TempDir()
	}
	dir := filepath.Join(base, fmt.Sprintf("backendbook-test-%d-%x", os.Getuid(), h.Sum64()))
	failPoint.path = filepath.Join(dir, "failpoint.lock")
	return dir, os.MkdirAll(dir, 0o700)
}

// running gives the address the last supervisor wrote, if its server still answers.
func running(dir string) (string, bool) {
	b, err := os.ReadFile(filepath.Join(dir, "uri"))
	if err != nil {
		return "", false
	}
	db, err := store.Open(context.Background(), store.Config{URI: string(b), StartWait: 2 * time.Second}, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", false
	}
	db.Close(context.Background())
	return string(b), true
}

// spawn starts the supervisor in a session of its own: it outlives this binary, and keeps none of its files open, for
// `go test` waits until those are closed.
func spawn(dir string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	_ = os.Remove(filepath.Join(dir, "uri"))
	out, err := os.Create(filepath.Join(dir, "supervisor.log"))
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), supervisorEnv+"="+dir)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for end := time.Now().Add(startWait); time.Now().Before(end); {
		select {
		case <-ended:
			said, _ := os.ReadFile(out.Name())
			return "", fmt.Errorf("the supervisor ended: %s", strings.TrimSpace(string(said)))
		case <-time.After(10 * time.Millisecond):
		}
		if b, err := os.ReadFile(filepath.Join(dir, "uri")); err == nil {
			return string(b), nil
		}
	}
	return "", errors.New("the supervisor did not bring up a server in time")
}

// supervise is the supervisor: it runs the server until nobody needs it.
func supervise(dir string) int {
	data := filepath.Join(dir, "data-"+strconv.Itoa(os.Getpid()))
	old, _ := filepath.Glob(filepath.Join(dir, "data-*")) // of supervisors that were killed
	for _, o := range old {
		_ = os.RemoveAll(o)
	}
	defer func() { _ = os.RemoveAll(data) }()
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	srv, err := mongod.Start(ctx, mongod.Config{
		DataDir: data, AllowDownload: true, TestCommands: true, CacheSizeGB: 1, OplogSizeMB: 512,
	}, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Written whole and then renamed: whoever sees the file can read all of it.
	tmp := filepath.Join(data, "uri")
	if err = os.WriteFile(tmp, []byte(srv.URI()), 0o600); err == nil {
		err = os.Rename(tmp, filepath.Join(dir, "uri"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		waitUnused(filepath.Join(dir, "users.lock"), srv.Done())
	}
	_ = os.Remove(filepath.Join(dir, "uri"))
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := srv.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// waitUnused returns when nobody has held the users' lock for idleFor, and then keeps it to the end of this process: a
// newcomer waits until the server is gone and starts the next one.
func waitUnused(path string, dead <-chan struct{}) {
	for {
		select {
		case <-dead:
			return
		case <-time.After(time.Second):
		}
		since := time.Now()
		for {
			f, err := lock(path, syscall.LOCK_EX|syscall.LOCK_NB)
			if err != nil {
				break
			}
			if time.Since(since) > idleFor {
				held = f
				return
			}
			_ = f.Close()
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// lock takes a lock on a file that lasts until the file is closed or the process ends.
func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// fileMutex excludes other goroutines and other processes.
type fileMutex struct {
	sync.Mutex
	path string
	f    *os.File
}

// Lock waits for its turn.
func (m *fileMutex) Lock() {
	m.Mutex.Lock()
	if m.path != "" {
		m.f, _ = lock(m.path, syscall.LOCK_EX)
	}
}

// Unlock lets the next one have its turn.
func (m *fileMutex) Unlock() {
	if m.f != nil {
		_ = m.f.Close()
		m.f = nil
	}
	m.Mutex.Unlock()
}
