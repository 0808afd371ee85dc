package mongod

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is one run of mongod.
type child struct {
	cmd     *exec.Cmd
	out     *tail
	logPath string
	logFrom int64         // where this run's part of the log begins
	done    chan struct{} // closed once the process is gone; cmd.ProcessState is valid from then on
}

// startChild runs path in the foreground (--fork would escape the parent-death signal).
//
// That signal follows the thread that forked, not the process (golang/go#27505): the goroutine keeps its thread until
// the child is gone, or the runtime might retire the thread and with it a healthy database.
func startChild(ctx context.Context, path string, args []string, f folder) (*child, error) {
	if err := f.rotateLog(); err != nil {
		return nil, err
	}
	// The child outlives the call, so no context may kill it; supervise does.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args...) //nolint:gosec // the operator's choice, or our own download
	c := &child{cmd: cmd, out: &tail{}, logPath: f.log(), done: make(chan struct{})}
	if info, err := os.Stat(c.logPath); err == nil {
		c.logFrom = info.Size()
	}
	c.cmd.Dir, c.cmd.Env, c.cmd.SysProcAttr = string(f), childEnv(), childAttr()
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.WaitDelay = c.out, c.out, 2*time.Second
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = c.cmd.Wait() // how it ended is read from ProcessState
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, startError(path, err)
	}
	return c, nil
}

// startError explains why the kernel would not run the file at all.
func startError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && exists(path): // the file is there, its loader is not: musl, Alpine
		return fmt.Errorf("%w (%s needs glibc, which this system lacks: %w)", ErrPlatform, path, err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%w (%s is not a program for this machine: %w)", ErrBinary, path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (%s may not be executed; is its file system mounted noexec? %w)", ErrBinary, path, err)
	default:
		return fmt.Errorf("%w (%w)", ErrBinary, err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// args is the command line. TestCommands apart it is the same for everybody, so that tests run what users run.
func (c Config) args(f folder, port int) []string {
	life := int((c.TransactionLifetime + time.Second - 1) / time.Second)
	params := []string{
		"diagnosticDataCollectionEnabled=false",
		"shutdownTimeoutMillisForSignaledShutdown=100", // nobody to hand over to: the default waits up to 15 s
		"enableLocalhostAuthBypass=false",              // else any local process could create the first user
		"transactionLifetimeLimitSeconds=" + strconv.Itoa(life),
		"scramSHA256IterationCount=5000", // slows down guessing; a random password needs no more, and each connection pays
	}
	if c.TestCommands {
		// Tests set clocks of their own: what has expired by the machine's may not have by theirs. And they drop databases by the
		// hundred, whose files stay open for as long as old snapshots may be read: some seconds will do. The files of those that are
		// there are some hundred each, of which few are used: without these, 20,000 descriptors are not enough.
		params = append(params, "enableTestCommands=1", "ttlMonitorEnabled=false", "minSnapshotHistoryWindowInSeconds=15",
			"wiredTigerFileHandleCloseIdleTime=10", "wiredTigerFileHandleCloseScanInterval=2", "wiredTigerFileHandleCloseMinimum=100")
	}
	args := []string{
		"--dbpath", f.db(), "--port", strconv.Itoa(port), "--bind_ip", "127.0.0.1",
		"--replSet", setName, "--keyFile", f.key(), "--noscripting",
		"--networkMessageCompressors", "disabled",
		"--wiredTigerCacheSizeGB", strconv.FormatFloat(c.CacheSizeGB, 'f', -1, 64),
		"--oplogSize", strconv.Itoa(c.OplogSizeMB),
		"--logpath", f.log(), "--logappend",
	}
	if runtime.GOOS != "windows" { // where there is no such flag
		args = append(args, "--nounixsocket")
	}
	for _, p := range params {
		args = append(args, "--setParameter", p)
	}
	return args
}

// childEnv passes on only what a program needs to load and run: our environment may hold the server's secrets.
func childEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		switch strings.ToUpper(name) {
		case "PATH", "HOME", "TZ", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH":
			return false
		}
		return true
	})
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// gone reports whether the process has ended.
func (c *child) gone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// kill ends the process the hard way and waits for it. The data survives: it is what the journal is for.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // an error means it is gone already
	<-c.done
}

// tail keeps the end of what the child prints; mongod itself writes to its log, so this is the loader's and the option
// parser's complaints. Safe for concurrent use.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 8 << 10

// Write implements io.Writer and never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = slices.Delete(t.buf, 0, over)
	}
	return len(p), nil
}

// String is the text kept so far.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
