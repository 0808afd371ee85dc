package blob

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/ref"
)

// headBytes of a file tell of its content, which follows: so both are there or neither is.
const headBytes = 512

// unfinished is the folder of uploads on their way; no key begins with a dot.
const unfinished = ".unfinished"

// Files keeps content in a folder. It is safe for concurrent use, also by several processes.
type Files struct{ root *os.Root }

// NewFiles opens a folder, which is made if it is not there. Nothing outside it is ever touched. Close it.
func NewFiles(dir string) (*Files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Files{root}, root.MkdirAll(unfinished, 0o700)
}

// Close gives the folder back.
func (f *Files) Close() error { return f.root.Close() }

// fileHead is the head of a file.
type fileHead struct {
	ContentType string `json:"contentType"`
	SHA256      string `json:"sha256"`
}

// Put implements [Store].
func (f *Files) Put(ctx context.Context, key string, r io.Reader, m Meta) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	name := unfinished + "/" + ref.NewID()
	info, err := f.write(ctx, name, key, r, m)
	if err == nil {
		err = f.publish(name, key)
	}
	_ = f.root.Remove(name) // its content has another name now, or is not wanted
	if err != nil {
		return Info{}, err
	}
	return info, nil
}

func (f *Files) write(ctx context.Context, name, key string, r io.Reader, m Meta) (info Info, err error) {
	file, err := f.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Seek(headBytes, io.SeekStart); err != nil {
		return Info{}, err
	}
	in := meter(r)
	if _, err := io.Copy(file, reading{ctx, in}); err != nil {
		return Info{}, err
	}
	stat, err := file.Stat()
	if err != nil {
		return Info{}, err
	}
	if info, err = in.info(key, m, stat.ModTime()); err != nil {
		return Info{}, err
	}
	head, err := json.Marshal(fileHead{m.ContentType, info.SHA256})
	if err == nil && len(head) > headBytes {
		err = errors.New("blob: the content type is too long")
	}
	if err != nil {
		return Info{}, err
	}
	if _, err := file.WriteAt(append(head, bytes.Repeat([]byte{' '}, headBytes-len(head))...), 0); err != nil {
		return Info{}, err
	}
	return info, file.Sync()
}

// publish gives a file its name. Unlike a rename, a link replaces nothing.
func (f *Files) publish(name, key string) error {
	if err := f.root.MkdirAll(path.Dir(key), 0o700); err != nil {
		return err
	}
	if err := f.root.Link(name, key); errors.Is(err, fs.ErrExist) {
		return ErrTaken
	} else if err != nil {
		return err
	}
	dir, err := f.root.Open(path.Dir(key))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (f *Files) open(key string) (*os.File, Info, error) {
	if err := checkKey(key); err != nil {
		return nil, Info{}, err
	}
	file, err := f.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Info{}, ErrNone
	} else if err != nil {
		return nil, Info{}, err
	}
	info, err := headOf(file, key)
	if err != nil {
		return nil, Info{}, errors.Join(err, file.Close())
	}
	return file, info, nil
}

func headOf(file *os.File, key string) (Info, error) {
	stat, err := file.Stat()
	if err != nil {
		return Info{}, err
	}
	if stat.IsDir() {
		return Info{}, ErrNone
	}
	var raw [headBytes]byte
	if _, err := file.ReadAt(raw[:], 0); err != nil {
		return Info{}, err
	}
	var head fileHead
	if err := json.Unmarshal(raw[:], &head); err != nil {
		return Info{}, err
	}
	return Info{Key: key, Size: stat.Size() - headBytes, ContentType: head.ContentType, SHA256: head.SHA256, ModifiedAt: stat.ModTime()}, nil
}

// section is a part of a file that closes the file.
type section struct {
	io.Reader
	io.Closer
}

// Open implements [Store].
func (f *Files) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error) {
	file, info, err := f.open(key)
	if err != nil {
		return nil, Info{}, err
	}
	from, n := within(info.Size, offset, length)
	return section{reading{ctx, io.NewSectionReader(file, headBytes+from, n)}, file}, info, nil
}

// Stat implements [Store].
func (f *Files) Stat(_ context.Context, key string) (Info, error) {
	file, info, err := f.open(key)
	if err != nil {
		return Info{}, err
	}
	return info, file.Close()
}

// Delete implements [Store].
func (f *Files) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := f.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List implements [Store]. Cost: a walk over all names.
func (f *Files) List(ctx context.Context, prefix, after string, n int) ([]Info, error) {
	var keys []string
	err := fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name == unfinished:
			return fs.SkipDir
		case !d.IsDir() && strings.HasPrefix(name, prefix) && name > after && checkKey(name) == nil:
			keys = append(keys, name)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(keys) // a walk sorts the names of each folder, which is not the order of the keys
	var all []Info
	for _, key := range keys[:min(len(keys), n)] {
		info, err := f.Stat(ctx, key)
		if errors.Is(err, ErrNone) { // deleted meanwhile
			continue
		} else if err != nil {
			return nil, err
		}
		all = append(all, info)
	}
	return all, nil
}

// Clean implements [Store].
func (f *Files) Clean(_ context.Context, before time.Time) error {
	left, err := fs.ReadDir(f.root.FS(), unfinished)
	if err != nil {
		return err
	}
	for _, d := range left {
		stat, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !stat.ModTime().Before(before) {
			continue
		}
		if err == nil {
			err = f.root.Remove(unfinished + "/" + d.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// reading ends with its context.
type reading struct {
	ctx context.Context //nolint:containedctx // it bounds this reading
	r   io.Reader
}

// Read implements [io.Reader].
func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
