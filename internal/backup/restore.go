package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/store"
)

// Errors of restoring.
var (
	ErrNotEmpty = errors.New("there are documents in this database: name another one, or force it, which drops all of them")
	ErrNoPlace  = errors.New("the backup has files, and the settings keep files in the database: name the place they shall be in")
)

// Target is what a backup is restored to.
type Target struct {
	DB    *store.DB
	Plan  store.Plan // what this version wants the database to be
	Files blob.Store // nil where they are in the database
	Force bool       // drop what is there
	Skip  []string   // collections that are left out
}

// Restore checks everything, then makes the database what the archive says, with the indexes and the migrations of this version. Nobody else
// may use the database until it returns. After an error the database is half full: do it again, with Force.
//
// Errors: ErrDamaged, ErrNewer, ErrNotEmpty, ErrNoPlace; nothing was written then.
func (a *Archive) Restore(ctx context.Context, to Target) error {
	if err := a.admit(ctx, to); err != nil {
		return err
	}
	if to.Force {
		if err := to.DB.Drop(ctx); err != nil {
			return fmt.Errorf("drop: %w", err)
		}
	}
	for _, p := range a.Collections {
		if slices.Contains(to.Skip, p.Name) {
			continue
		}
		if err := a.read(inData(p.Name), p, func(r io.Reader) error { return fill(ctx, to.DB, p.Name, p.Count, r) }); err != nil {
			return err
		}
	}
	for _, p := range a.Files {
		err := a.read(inFiles(p.Name), p, func(r io.Reader) error {
			_, err := to.Files.Put(ctx, p.Name, r, blob.Meta{ContentType: p.ContentType, Size: p.Bytes})
			if errors.Is(err, blob.ErrTaken) { // keys are made anew for each content: it is the same
				_, err = io.Copy(io.Discard, r)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := to.DB.EndLeases(ctx); err != nil {
		return err
	}
	_, err := to.DB.Migrate(ctx, to.Plan, false)
	return err
}

// admit refuses before anything is written.
func (a *Archive) admit(ctx context.Context, to Target) error {
	if err := a.Verify(); err != nil {
		return err
	}
	for _, id := range a.Migrations {
		if !slices.ContainsFunc(to.Plan.Migrations, func(m store.Migration) bool { return m.ID == id }) {
			return fmt.Errorf("%w: it has had the migration %s", ErrNewer, id)
		}
	}
	for _, name := range to.Skip {
		if !slices.ContainsFunc(a.Collections, func(p Part) bool { return p.Name == name }) {
			return fmt.Errorf("there is no collection %q in the backup", name)
		}
	}
	if len(a.Files) > 0 && to.Files == nil {
		return ErrNoPlace
	}
	if to.Force {
		return nil
	}
	none, err := empty(ctx, to.DB)
	if err == nil && !none {
		err = ErrNotEmpty
	}
	return err
}
