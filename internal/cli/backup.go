package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/backendbook/backendbook/internal/backup"
)

// BackupCmd makes a backup.
type BackupCmd struct {
	File         string `arg:"" type:"path" help:"File to make: a zip archive. It must not exist."`
	WithoutFiles bool   `help:"Leave out attachments that are kept in a folder or a bucket. Those in the database are always in it."`
}

// Run makes it. Nobody sees a half of it under its name, and only the owner may read it.
func (c *BackupCmd) Run(ctx context.Context, env *Env) (err error) {
	if _, err := os.Lstat(c.File); err == nil {
		return usage("%s exists", c.File)
	}
	f, err := os.CreateTemp(filepath.Dir(c.File), filepath.Base(c.File)+".*.part") // for its owner alone
	if err != nil {
		return usage("%v", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	m, err := env.Host.Backup(ctx, f, c.WithoutFiles)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), c.File); err != nil {
		return err
	}
	return tellBackup(env, m)
}

// RestoreCmd restores one.
type RestoreCmd struct {
	File  string   `arg:"" type:"existingfile" help:"Backup to read."`
	Check bool     `help:"Only read all of it and compare it with its checksums."`
	Force bool     `help:"Drop the database that is there. Without it, the database must be empty."`
	Skip  []string `placeholder:"COLLECTION" help:"Leave out what is in these collections, such as sessions, so that everybody signs in anew."`
}

// Run restores it.
func (c *RestoreCmd) Run(ctx context.Context, env *Env) error {
	f, err := os.Open(c.File)
	if err != nil {
		return usage("%v", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	a, err := backup.Open(f, info.Size())
	if err != nil {
		return err
	}
	if c.Check {
		err = a.Verify()
	} else {
		err = env.Host.Restore(ctx, a, c.Force, c.Skip)
	}
	if err != nil {
		return err
	}
	return tellBackup(env, a.Manifest)
}

func tellBackup(env *Env, m backup.Manifest) error {
	documents, bytes := m.Sum()
	_, err := fmt.Fprintf(env.Out, "%d documents of %d collections and %d files, %d bytes, of version %s, as of %s\n",
		documents, len(m.Collections), len(m.Files), bytes, m.Version, m.Snapshot)
	return err
}
