package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/backendbook/backendbook/internal/backup"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/presence"
)

// errRunning says that a server would see its database change under it.
var errRunning = errors.New("servers run on this database, stop them first")

// Backup implements [cli.Host].
func (h *host) Backup(ctx context.Context, to io.Writer, withoutFiles bool) (m backup.Manifest, err error) {
	c, err := connect(ctx, &h.cfg.Config, h.calm, Options{Attach: true})
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, c.close(ctx)) }()
	from := backup.Source{DB: c.db, Name: c.db.Database().Name(), Version: Version()}
	if !withoutFiles {
		if err := c.openContent(); err != nil {
			return m, err
		}
		from.Files = c.filesBeside()
	}
	return backup.Write(ctx, from, to, c.now())
}

// Restore implements [cli.Host].
func (h *host) Restore(ctx context.Context, a *backup.Archive, force bool, skip []string) (err error) {
	c, err := connect(ctx, &h.cfg.Config, h.calm, Options{Attach: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close(ctx)) }()
	running, err := presence.Living(ctx, c.db, c.now())
	if err != nil {
		return err
	}
	if len(running) > 0 {
		return fmt.Errorf("%w: %s", errRunning, strings.Join(running, ", "))
	}
	if err := c.assemble(Options{}); err != nil {
		return err
	}
	if err := a.Restore(ctx, backup.Target{DB: c.db, Plan: schema(), Files: c.filesBeside(), Force: force, Skip: skip}); err != nil {
		return err
	}
	return errors.Join(presence.Restored(ctx, c.db), c.analytics.Restored(ctx))
}

// filesBeside is where files are kept, if that is not the database.
func (c *core) filesBeside() blob.Store {
	if _, inside := c.content.(*blob.GridFS); inside {
		return nil
	}
	return c.content
}
