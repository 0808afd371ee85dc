package backup

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/store"
)

// Source is what is copied.
type Source struct {
	DB      *store.DB
	Name    string     // of the database
	Files   blob.Store // nil where they are in the database
	Version string     // of the server
}

// Write copies everything as it is now. What is written meanwhile is not in it. Collections are read one after the other at one time of the
// cluster; the files come last: one that is deleted meanwhile is missing, as it would be a moment later.
//
// Errors: ErrTooSlow, ErrChanged, those of to.
func Write(ctx context.Context, from Source, to io.Writer, at time.Time) (Manifest, error) {
	m := Manifest{Format: format, Version: from.Version, Database: from.Name, MadeAt: at, Collections: []Part{}, Migrations: []string{}}
	out := newArchive(to)
	err := snapshot(ctx, from.DB, func(read context.Context, at Time) (err error) {
		m.Snapshot = at
		if m.Migrations, err = from.DB.Applied(read); err != nil {
			return snapshotError(err)
		}
		names, err := collections(ctx, from.DB)
		if err != nil {
			return err
		}
		for _, name := range names {
			var n int64
			p, err := out.add(name, inData(name), m.MadeAt, func(w io.Writer) (err error) {
				n, err = dump(read, from.DB, name, w)
				return err
			})
			if err != nil {
				return err
			}
			p.Count = n
			m.Collections = append(m.Collections, p)
		}
		return nil
	})
	if err == nil && from.Files != nil {
		m.Files, err = addFiles(ctx, out, from.Files)
	}
	if err != nil {
		return Manifest{}, err
	}
	return m, out.finish(m)
}

const listAtOnce = 1000

func addFiles(ctx context.Context, out archive, files blob.Store) (all []Part, err error) {
	for after := ""; ; {
		list, err := files.List(ctx, "", after, listAtOnce)
		if err != nil || len(list) == 0 {
			return all, err
		}
		for _, info := range list {
			after = info.Key
			p, err := addFile(ctx, out, files, info.Key)
			if errors.Is(err, blob.ErrNone) { // deleted meanwhile
				continue
			}
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
}

func addFile(ctx context.Context, out archive, files blob.Store, key string) (Part, error) {
	r, info, err := files.Open(ctx, key, 0, -1)
	if err != nil {
		return Part{}, err
	}
	defer func() { _ = r.Close() }() // it was only read
	p, err := out.add(key, inFiles(key), info.ModifiedAt, func(w io.Writer) error { _, err := io.Copy(w, r); return err })
	p.ContentType = info.ContentType
	return p, err
}
