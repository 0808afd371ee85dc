package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/ref"
)

// Errors of every place.
var (
	ErrNone  = errors.New("blob: there is nothing under this key")
	ErrKey   = errors.New("blob: this is no key the server makes")
	ErrTaken = errors.New("blob: this key is taken")
	ErrShort = errors.New("blob: the content is not as long as was said")
)

// Meta is what is known of content before it is read.
type Meta struct {
	ContentType string
	Size        int64 // in bytes; -1 when it is not known
}

// Info is what is known of content that is kept.
type Info struct {
	Key         string
	Size        int64
	ContentType string // empty in the answers of List where the place does not tell it there
	SHA256      string // in hexadecimal; of a bucket it is missing in the answers of List, and of more than 5 GiB in all but that of Put
	ModifiedAt  time.Time
}

// Store is a place for content. It is safe for concurrent use.
type Store interface {
	// Put reads r to its end and keeps it. An error of r, or a size that is not the one said, leaves nothing readable.
	//
	// Errors: ErrKey, ErrTaken, ErrShort, that of r.
	Put(ctx context.Context, key string, r io.Reader, m Meta) (Info, error)
	// Open reads length bytes from offset, to the end for a negative length. ctx bounds the reading too.
	//
	// Errors: ErrKey, ErrNone.
	Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error)
	// Stat tells of a key without reading it.
	//
	// Errors: ErrKey, ErrNone.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes a key; one that is absent is no error.
	//
	// Errors: ErrKey.
	Delete(ctx context.Context, key string) error
	// List gives at most n keys that begin with prefix and come after another, in the order of their bytes.
	List(ctx context.Context, prefix, after string, n int) ([]Info, error)
	// Clean removes what uploads that broke before that time have left.
	Clean(ctx context.Context, before time.Time) error
}

const maxKey = 200

// checkKey refuses what could lead out of the place: a key is names of a-z, 0-9, dash, underscore and dot, with slashes between.
func checkKey(key string) error {
	if len(key) > maxKey {
		return ErrKey
	}
	for part := range strings.SplitSeq(key, "/") {
		if !ref.IsKey(part) || part[0] == '.' {
			return ErrKey
		}
	}
	return nil
}

// metered hashes and counts what goes through it.
type metered struct {
	r   io.Reader
	sum hash.Hash
	n   int64
}

func meter(r io.Reader) *metered { return &metered{r: r, sum: sha256.New()} }

// Read implements [io.Reader].
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	_, _ = m.sum.Write(p[:n]) // a hash never fails
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrShort // who fills a buffer would take it for a good end
	}
	return n, err
}

// info is what is known when all of it went through.
func (m *metered) info(key string, meta Meta, at time.Time) (Info, error) {
	if meta.Size >= 0 && m.n != meta.Size {
		return Info{}, ErrShort
	}
	return Info{Key: key, Size: m.n, ContentType: meta.ContentType, SHA256: hex.EncodeToString(m.sum.Sum(nil)), ModifiedAt: at}, nil
}

// within cuts a wish for a range to what there is.
func within(size, offset, length int64) (from, n int64) {
	from = min(max(offset, 0), size)
	if n = size - from; length >= 0 {
		n = min(n, length)
	}
	return from, n
}
