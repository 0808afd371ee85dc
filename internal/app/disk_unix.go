//go:build linux || darwin

package app

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
)

// diskOf tells how many bytes of the disk a folder is on are free for us, and how many there are. A folder that is not there yet is
// on the disk of the one above.
func diskOf(folder string) (free, all uint64, err error) {
	folder, err = filepath.Abs(folder)
	if err != nil {
		return 0, 0, err
	}
	var s syscall.Statfs_t
	for err = syscall.Statfs(folder, &s); errors.Is(err, fs.ErrNotExist) && folder != filepath.Dir(folder); err = syscall.Statfs(folder, &s) {
		folder = filepath.Dir(folder)
	}
	if err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil //nolint:gosec // a block has a size
}
