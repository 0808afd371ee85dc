package app

import (
	"context"
	"encoding/json"
	"fmt"

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
		registry.JobVerify: func(ctx context.Context, _ ref.Ref, args map[string]string, p *registry.Progress) (bool, error) {
			return c.documents.VerifyStep(ctx, args, p)
		},
	} {
		c.jobs.Register(kind, job.Handler{Step: func(ctx context.Context, j *job.Job) (bool, error) { return documentStep(ctx, j, step) }})
	}
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
	}{{j.Args, &args}, {j.Cursor, &p.Cursor}, {j.Result, &p.Counts}} {
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
	result := map[string]any{}
	for what, n := range p.Counts {
		result[what] = n
	}
	if p.Refused != "" {
		result["refused"] = p.Refused
	}
	j.Result, err = json.Marshal(result)
	return finished, err
}
