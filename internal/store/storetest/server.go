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
	"time"

	"github.com/backendbook/backendbook/internal/store/mongod"
)

const (
	uriEnv        = "BACKENDBOOK_TEST_MONGODB_URI"
	supervisorEnv = "BACKENDBOOK_TEST_SUPERVISOR" // the folder; makes a test binary the supervisor
	idleEnv       = "BACKENDBOOK_TEST_IDLE"       // how long the supervisor waits for another user

	idleFor   = 8 * time.Second
	startWait = 3 * time.Minute // fetching the binary on a new machine included
	tick      = 100 * time.Millisecond
)

// site is the folder of one shared server, and the three locks in it by which its users and its supervisor know of each
// other. The kernel frees a lock when its holder ends, however that happens, so none is ever stale.
type site struct {
	dir  string
	idle time.Duration
}

// A user holds users shared for as long as its process runs; the supervisor takes it when it ends, so that a newcomer
// waits for the next server. Whoever may start a supervisor holds start. A supervisor holds alive for all its life.
func (s site) users() string { return filepath.Join(s.dir, "users.lock") }
func (s site) start() string { return filepath.Join(s.dir, "start.lock") }
func (s site) alive() string { return filepath.Join(s.dir, "alive.lock") }

// uri is the file with the address; it is there only while the server accepts users.
func (s site) uri() string { return filepath.Join(s.dir, "uri") }

var (
	held *os.File //nolint:unused // the users' lock of this process: without a reference the collector would close the file
	home string   // where the lock for fail points is
)

// attach gives the address of the shared server, starting it if need be, or of the one that the environment names.
func attach() (string, error) {
	if u := os.Getenv(uriEnv); u != "" {
		home = os.TempDir()
		return u, nil
	}
	dir, err := folder()
	if err != nil {
		return "", err
	}
	u, use, err := site{dir, idleFor}.attach()
	held, home = use, dir
	return u, err
}

// folder is where the server of this user and checkout lives: in memory if the machine has room there.
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
	name := fmt.Sprintf("backendbook-test-%d-%x", os.Getuid(), h.Sum64())
	if dir := filepath.Join("/dev/shm", name); roomy("/dev/shm") || exists(dir) {
		return dir, nil
	}
	return filepath.Join(os.TempDir(), name), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// attach gives the address, and the lock that keeps the server from ending.
func (s site) attach() (uri string, use *os.File, err error) {
	if err = os.MkdirAll(s.dir, 0o700); err != nil {
		return "", nil, err
	}
	if use, err = lock(s.users(), shared); err != nil {
		return "", nil, err
	}
	start, err := lock(s.start(), exclusive)
	if err != nil {
		return "", nil, errors.Join(err, use.Close())
	}
	defer func() { _ = start.Close() }()
	if uri, err = s.ensure(); err != nil {
		return "", nil, errors.Join(err, use.Close())
	}
	return uri, use, nil
}

// ensure waits for the address of the supervisor that lives, and starts one when none does.
func (s site) ensure() (string, error) {
	var child *supervisor
	for end := time.After(startWait); ; {
		switch free, err := lock(s.alive(), exclusive|atOnce); {
		case err == nil && child == nil:
			_ = os.Remove(s.uri()) // of one that was killed
			_ = free.Close()
			if child, err = s.spawn(); err != nil {
				return "", err
			}
		case err == nil:
			_ = free.Close() // ours has not come so far yet, or has ended
			if child.ended() {
				said, _ := os.ReadFile(s.log())
				return "", fmt.Errorf("the supervisor ended: %s", strings.TrimSpace(string(said)))
			}
		case !errors.Is(err, errHeld):
			return "", err
		default:
			if b, err := os.ReadFile(s.uri()); err == nil {
				return string(b), nil
			}
		}
		select {
		case <-end:
			return "", fmt.Errorf("the supervisor did not bring up a server in %v, see %s", startWait, s.log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s site) log() string { return filepath.Join(s.dir, "supervisor.log") }

// spawn starts the supervisor in a session of its own: it outlives this binary and Ctrl-C, and keeps none of its files
// open, for `go test` waits until those are closed.
func (s site) spawn() (*supervisor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := os.Create(s.log())
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), supervisorEnv+"="+s.dir, idleEnv+"="+s.idle.String())
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, out, detached()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &supervisor{pid: cmd.Process.Pid}, cmd.Process.Release()
}

// supervise is the supervisor: it runs the server until nobody needs it, and leaves nothing but empty locks.
func (s site) supervise() (err error) {
	alive, err := lock(s.alive(), exclusive) // a predecessor may still be ending
	if err != nil {
		return err
	}
	defer func() { _ = alive.Close() }()
	// One that was killed may have left its data, which its dying mongod still writes to: hence a folder of our own, and
	// no complaint when the other cannot be removed yet.
	old, _ := filepath.Glob(filepath.Join(s.dir, "data-*"))
	for _, dir := range old {
		_ = os.RemoveAll(dir)
	}
	data := filepath.Join(s.dir, "data-"+strconv.Itoa(os.Getpid()))
	ctx := context.Background()
	srv, err := mongod.Start(ctx, mongod.Config{
		DataDir: data, AllowDownload: true, TestCommands: true, CacheSizeGB: 1, OplogSizeMB: 512,
	}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	var last *os.File
	defer func() {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		err = errors.Join(err, os.RemoveAll(s.uri()), srv.Stop(ctx), os.RemoveAll(data))
		if last != nil {
			err = errors.Join(err, last.Close())
		}
	}()
	// Written whole and then renamed: whoever sees the file can read all of it.
	part := s.uri() + ".part"
	if err = os.WriteFile(part, []byte(srv.URI()), 0o600); err == nil {
		err = os.Rename(part, s.uri())
	}
	if err == nil {
		last = s.waitUnused(data, srv.Done())
	}
	return err
}

// waitUnused returns when nobody has held the users' lock for long enough, with that lock; or without it when the server
// is dead for good or somebody has removed the folder.
func (s site) waitUnused(data string, dead <-chan struct{}) *os.File {
	var unused time.Duration
	for {
		select {
		case <-dead:
			return nil
		case <-time.After(tick):
		}
		if !exists(data) {
			return nil
		}
		f, err := lock(s.users(), exclusive|atOnce)
		if err != nil {
			unused = 0
			continue
		}
		if unused += tick; unused >= s.idle {
			return f
		}
		_ = f.Close()
	}
}
