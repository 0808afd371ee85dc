package backup

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Errors of an archive.
var (
	ErrForeign = errors.New("this file is no backup")
	ErrNewer   = errors.New("this backup was made by a newer version: restore it with that version")
	ErrDamaged = errors.New("this backup is damaged: nothing of it is used")
)

const (
	format       = 1
	manifestName = "manifest.json"
)

func inData(collection string) string { return "collections/" + collection + ".bson" }

func inFiles(key string) string { return "files/" + key }

var errMismatch = errors.New("it is not what the manifest says")

// Part is one collection, or one file beside the database.
type Part struct {
	Name        string `json:"name"`
	Count       int64  `json:"count,omitempty"` // documents of a collection
	Bytes       int64  `json:"bytes"`           // before compression
	SHA256      string `json:"sha256"`          // of them, in hexadecimal
	ContentType string `json:"contentType,omitempty"`
}

// Time is a time of the cluster, as MongoDB counts it.
type Time struct {
	Second    uint32 `json:"second"` // of Unix time
	Increment uint32 `json:"increment"`
}

// String is the time for people.
func (t Time) String() string { return time.Unix(int64(t.Second), 0).UTC().Format(time.RFC3339) }

// Manifest tells what is in an archive.
type Manifest struct {
	Format      int       `json:"format"`
	Version     string    `json:"version"` // of the server that made it
	Database    string    `json:"database"`
	MadeAt      time.Time `json:"madeAt"`
	Migrations  []string  `json:"migrations"` // applied to it
	Snapshot    Time      `json:"snapshot"`   // everything up to here is in it, and nothing after
	Collections []Part    `json:"collections"`
	Files       []Part    `json:"files,omitempty"` // as they were some time after Snapshot
}

// Sum adds up the documents of all collections, and the bytes of everything.
func (m Manifest) Sum() (documents, bytes int64) {
	for _, p := range m.Collections {
		documents, bytes = documents+p.Count, bytes+p.Bytes
	}
	for _, p := range m.Files {
		bytes += p.Bytes
	}
	return documents, bytes
}

// archive is one that is being written.
type archive struct{ zip *zip.Writer }

func newArchive(to io.Writer) archive {
	z := zip.NewWriter(to)
	z.RegisterCompressor(zstd.ZipMethodWinZip, zstd.ZipCompressor(zstd.WithEncoderLevel(zstd.SpeedFastest)))
	return archive{z}
}

// add writes a part as an entry. What write gives it is counted and hashed.
func (a archive) add(name, as string, at time.Time, write func(w io.Writer) error) (Part, error) {
	entry, err := a.zip.CreateHeader(&zip.FileHeader{Name: as, Method: zstd.ZipMethodWinZip, Modified: at})
	if err != nil {
		return Part{}, err
	}
	sum, n := sha256.New(), counter(0)
	if err := write(io.MultiWriter(entry, sum, &n)); err != nil {
		return Part{}, fmt.Errorf("%s: %w", as, err)
	}
	return Part{Name: name, Bytes: int64(n), SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// finish writes the manifest and the directory of the archive. Without it nothing can be read.
func (a archive) finish(m Manifest) error {
	entry, err := a.zip.Create(manifestName)
	if err != nil {
		return err
	}
	e := json.NewEncoder(entry)
	e.SetIndent("", "  ")
	return errors.Join(e.Encode(m), a.zip.Close())
}

type counter int64

// Write implements [io.Writer].
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// Archive is one that can be read.
type Archive struct {
	Manifest
	zip *zip.Reader
}

// Open reads the manifest of an archive.
//
// Errors: ErrForeign, ErrNewer, ErrDamaged.
func Open(from io.ReaderAt, size int64) (*Archive, error) {
	z, err := zip.NewReader(from, size)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrForeign, err)
	}
	z.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor())
	f, err := z.Open(manifestName)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrForeign, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	a := &Archive{zip: z}
	text, err := io.ReadAll(f) // to the end, where its own checksum is
	if err == nil {
		err = json.Unmarshal(text, &a.Manifest)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestName, err)
	}
	if a.Format > format {
		return nil, ErrNewer
	}
	return a, nil
}

// Verify reads everything and compares it with the manifest.
//
// Errors: ErrDamaged.
func (a *Archive) Verify() error {
	for _, p := range a.Collections {
		if err := a.read(inData(p.Name), p, func(r io.Reader) error { return eachDocument(r, p.Count, func([]byte) error { return nil }) }); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	for _, p := range a.Files {
		if err := a.read(inFiles(p.Name), p, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return nil
}

// read hands the content of an entry to use, which reads it to its end, and fails if it is not what the manifest says.
func (a *Archive) read(name string, p Part, use func(r io.Reader) error) error {
	f, err := a.zip.Open(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	sum, n := sha256.New(), counter(0)
	if err := use(io.TeeReader(f, io.MultiWriter(sum, &n))); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if int64(n) != p.Bytes || hex.EncodeToString(sum.Sum(nil)) != p.SHA256 {
		return fmt.Errorf("%s: %w", name, errMismatch)
	}
	return nil
}
