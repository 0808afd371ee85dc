//go:build !windows

package storetest

import (
	"errors"
	"os"
	"syscall"
)

const (
	shared    = syscall.LOCK_SH
	exclusive = syscall.LOCK_EX
	atOnce    = syscall.LOCK_NB // fail with errHeld instead of waiting
	errHeld   = syscall.EWOULDBLOCK
)

// lock takes a lock that lasts until the file is closed or the process ends.
func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// supervisor is a child that nobody waits for: a goroutine that did would look like a leak to the tests of the package.
type supervisor struct{ pid int }

// ended asks without waiting.
func (s supervisor) ended() bool {
	pid, err := syscall.Wait4(s.pid, nil, syscall.WNOHANG, nil)
	return pid == s.pid || errors.Is(err, syscall.ECHILD)
}

// roomy reports whether the server's files fit: the oplog, the journal and what tests write. A container's /dev/shm often
// has 64 MB.
func roomy(dir string) bool {
	var st syscall.Statfs_t
	return syscall.Statfs(dir, &st) == nil && uint64(st.Bavail)*uint64(st.Bsize) >= 2<<30 //nolint:unconvert // types differ between systems
}
