package app

import (
	"context"
	"fmt"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/attachment"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/ref"
)

// assembleAttachments makes the files that belong to content, and the place where they are kept.
func (c *core) assembleAttachments(ring *keyring.Ring) {
	deps := attachment.Deps{
		DB: c.db, Blobs: c.content, Authz: c.roles, Documents: c.documents, Quota: c.plans, Named: c.filesThere, Ring: ring, Now: c.now, Log: c.log,
	}
	if to := c.cfg.Attachments.Clamd; to != "" {
		deps.Scanner = attachment.NewClamd(to)
	}
	c.attachments = attachment.New(deps, c.cfg.ForAttachment())
	c.plans.RegisterObjects(attachment.FeatureBytes, func(ctx context.Context, owner ref.Ref, above int64, n int) ([]ref.Ref, error) {
		return c.attachments.NewestOwned(ctx, owner, above, n)
	})
}

// openContent opens the place where files are kept.
func (c *core) openContent() (err error) {
	switch c.cfg.Attachments.Storage {
	case "files":
		files, err := blob.NewFiles(c.cfg.AttachmentsDir())
		if err != nil {
			return fmt.Errorf("attachments.storage: %w", err)
		}
		c.blobs, c.content = files, files
	case "s3":
		if c.content, err = blob.NewS3(c.cfg.ForS3()); err != nil {
			return fmt.Errorf("attachments.storage: %w", err)
		}
	default:
		c.content = blob.NewGridFS(c.db)
	}
	return nil
}

// SweepAttachments removes what belongs to no document, for tests; the server does it by itself each hour.
func (a *App) SweepAttachments(ctx context.Context) (int, error) {
	return a.attachments.Sweep(actor.With(ctx, actor.System()))
}

// filesThere tells which documents of attachments are there, or in the trash.
func (c *core) filesThere(ctx context.Context, ids []string) (map[string]bool, error) {
	return c.documents.There(ctx, ref.Attachment, ids)
}
