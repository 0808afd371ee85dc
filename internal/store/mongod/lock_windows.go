package mongod

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

const sharingViolation = syscall.Errno(32)

// tryLock takes the file's lock, or fails with errLocked at once. A file opened without sharing is a lock that ends with
// its holder.
func tryLock(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	switch {
	case err == nil:
		return os.NewFile(uintptr(h), path), nil
	case errors.Is(err, sharingViolation):
		return nil, errLocked
	}
	return nil, fmt.Errorf("%w (lock %s: %w)", ErrNotWritable, path, err)
}
