//go:build !windows

package mongod

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// tryLock takes the file's lock, or fails with errLocked at once. The kernel frees it when the holder ends, however it
// ends, so a lock is never stale. Closing the file frees it too.
func tryLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // in our own folders
	if err != nil {
		return nil, writeError(err)
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return file, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("%w (lock %s: %w)", ErrNotWritable, path, err)
}
