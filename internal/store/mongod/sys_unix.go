//go:build !windows

package mongod

import "syscall"

// raiseFileLimit lifts this process's open-file limit to the allowed maximum, for the child to inherit: mongod needs a
// file per collection and index. The Go runtime has already raised our own, but it hands children the original, low
// limit unless the program sets one by itself. A failure costs only mongod's own warning.
func raiseFileLimit() {
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) == nil {
		lim.Cur = lim.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
	}
}

// freeBytes is the room an ordinary user has on the disk of a folder.
func freeBytes(dir string) (n uint64, known bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return uint64(st.Bavail) * uint64(st.Bsize), true //nolint:gosec,unconvert // types differ between systems; never negative
}
