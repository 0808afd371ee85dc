package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// registerJobs says how the jobs of every domain are done.
func (c *core) registerJobs() {
	for kind, step := range map[string]func(ctx context.Context, on ref.Ref, args map[string]string, p *registry.Progress) (bool, error){
		registry.JobDelete: c.documents.DeleteStep,
		registry.JobMigrate: func(ctx context.Context, on ref.Ref, _ map[string]string, p *registry.Progress) (bool, error) {
			return c.documents.MigrateStep(ctx, on, p)
		},
		registry.JobImport: func(ctx context.Context, _ ref.Ref, args map[string]string, p *registry.Progress) (bool, error) {
			return c.documents.ImportStep(ctx, args, p)
		},
		registry.JobVerify: func(ctx context.Context, _ ref.Ref, args map[string]string, p *registry.Progress) (bool, error) {
			return c.documents.VerifyStep(ctx, args, p)
		},
	} {
		c.jobs.Register(kind, job.Handler{Step: func(ctx context.Context, j *job.Job) (bool, error) { return documentStep(ctx, j, step) }})
	}
	c.jobs.Register(analytics.JobErase, job.Handler{Step: c.eraseStep})
}

// startErasure starts the job that takes a deleted user out of the events, in the transaction of ctx.
func (c *core) startErasure(ctx context.Context, user string) error {
	_, err := c.jobs.Start(ctx, job.StartCmd{Kind: analytics.JobErase, On: ref.New(ref.User, user)})
	return err
}

// eraseStep takes one step of that job. With the last one the salt goes that could tell who was who.
func (c *core) eraseStep(ctx context.Context, j *job.Job) (finished bool, err error) {
	var e analytics.Erasure
	if len(j.Cursor) > 0 {
		if err := json.Unmarshal(j.Cursor, &e); err != nil {
			return false, fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
	changed, finished, err := c.analytics.EraseStep(ctx, j.On.ID, &e)
	if err != nil {
		return false, err
	}
	j.Done += int64(changed)
	if j.Cursor = nil; !finished {
		j.Cursor, err = json.Marshal(e)
	}
	return finished, err
}

// startJob starts a job of package registry in the transaction of ctx.
func (c *core) startJob(ctx context.Context, kind string, on ref.Ref, args map[string]string) (string, error) {
	j, err := c.jobs.Start(ctx, job.StartCmd{Kind: kind, On: on, Args: args})
	return j.ID, err
}

// documentStep takes one step of a job of package registry, in the words of that.
func documentStep(
	ctx context.Context, j *job.Job, step func(ctx context.Context, on ref.Ref, args map[string]string, p *registry.Progress) (bool, error),
) (finished bool, err error) {
	p := registry.Progress{Done: j.Done, Total: j.Total}
	var args map[string]string
	for _, part := range []struct {
		text []byte
		into any
	}{{j.Args, &args}, {j.Cursor, &p.Cursor}, {j.Result, &p.Tally}} {
		if len(part.text) == 0 {
			continue
		}
		if err := json.Unmarshal(part.text, part.into); err != nil {
			return false, fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
	if finished, err = step(ctx, j.On, args, &p); err != nil {
		return false, err
	}
	j.Done, j.Total = p.Done, p.Total
	if j.Cursor, err = json.Marshal(p.Cursor); err != nil {
		return false, err
	}
	j.Result, err = json.Marshal(p.Tally)
	return finished, err
}

// importFiles keeps tables in the place of attachments.
type importFiles struct{ blob.Store }

// Put implements [registry.Files].
func (f importFiles) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	info, err := f.Store.Put(ctx, key, r, blob.Meta{ContentType: "application/octet-stream", Size: -1})
	return info.Size, err
}

// Open implements [registry.Files].
func (f importFiles) Open(ctx context.Context, key string, offset int64) (io.ReadCloser, error) {
	r, _, err := f.Store.Open(ctx, key, offset, -1)
	return r, err
}
