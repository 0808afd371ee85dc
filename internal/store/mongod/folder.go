package mongod

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	freshBytes = 400 << 20 // mongod preallocates 300 MB of journal in an empty folder
	spareBytes = 64 << 20  // less than this and mongod soon aborts on a write
	logBytes   = 16 << 20  // mongod.log is moved aside at the next start once it is this large
)

// folder is the absolute path of a data folder.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

func (f folder) state() string { return f.path("state.json") }
func (f folder) key() string   { return f.path("key") }
func (f folder) lock() string  { return f.path("server.lock") }
func (f folder) log() string   { return f.path("mongod.log") }
func (f folder) db() string    { return f.path("db") }

// fresh reports whether mongod has never written here.
func (f folder) fresh() bool {
	_, err := os.Stat(filepath.Join(f.db(), "WiredTiger"))
	return errors.Is(err, fs.ErrNotExist)
}

// holder is the process id of the mongod that writes here, as that one tells; empty when there is none. A clean end
// leaves it empty, a crash does not.
func (f folder) holder() string {
	raw, _ := os.ReadFile(filepath.Join(f.db(), "mongod.lock")) // no file: never started
	return strings.TrimSpace(string(raw))
}

// unclean reports whether the last mongod here was killed, or still runs.
func (f folder) unclean() bool { return f.holder() != "" }

// openFolder makes the folder and proves that it can be written.
func openFolder(dir string) (folder, error) {
	f := folder(dir)
	if err := os.MkdirAll(f.db(), 0o700); err != nil {
		return "", writeError(err)
	}
	probe, err := os.CreateTemp(dir, "probe-*")
	if err != nil {
		return "", writeError(err)
	}
	err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	return f, writeError(err)
}

// checkSpace refuses a disk on which mongod would only start to die.
func (f folder) checkSpace() error {
	need := uint64(spareBytes)
	if f.fresh() {
		need = freshBytes
	}
	if free, known := freeBytes(string(f)); known && free < need {
		return fmt.Errorf("%w (%s has %d MB free, %d MB are needed)", ErrDiskFull, f, free>>20, need>>20)
	}
	return nil
}

// rotateLog keeps one old log, so that the two of them are bounded between starts.
func (f folder) rotateLog() error {
	if info, err := os.Stat(f.log()); err == nil && info.Size() >= logBytes {
		return writeError(os.Rename(f.log(), f.log()+".1"))
	}
	return nil
}

// writeFile replaces a file as a whole and durably: after a power cut there is the old one or the new one.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*") // made 0600
	if err != nil {
		return writeError(err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return writeError(errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// writeError tells a full disk from a folder that is not ours to write.
func writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w (%w)", ErrDiskFull, err)
	default:
		return fmt.Errorf("%w (%w)", ErrNotWritable, err)
	}
}
