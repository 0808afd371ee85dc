package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/ref"
)

// On is the resolver for the on field.
func (r *jobResolver) On(ctx context.Context, obj *job.Job) (*ref.Ref, error) {
	if obj.On.IsZero() {
		return nil, nil
	}
	return &obj.On, nil
}

// Result is the resolver for the result field.
func (r *jobResolver) Result(ctx context.Context, obj *job.Job) (map[string]any, error) {
	return jobResult(*obj, true)
}

// ErrorCode is the resolver for the errorCode field.
func (r *jobResolver) ErrorCode(ctx context.Context, obj *job.Job) (*string, error) {
	return jobError(*obj), nil
}

// StartedBy is the resolver for the startedBy field.
func (r *jobResolver) StartedBy(ctx context.Context, obj *job.Job) (*account.User, error) {
	return userAt(ctx, obj.By)
}

// CancelJob is the resolver for the cancelJob field.
func (r *mutationResolver) CancelJob(ctx context.Context, input model.CancelJobInput) (*model.CancelJobPayload, error) {
	j, err := r.Jobs.Cancel(ctx, input.ID.ID)
	if err != nil {
		return nil, err
	}
	return &model.CancelJobPayload{Job: j}, nil
}

// Job is the resolver for the job field.
func (r *queryResolver) Job(ctx context.Context, id ref.Ref) (*job.Job, error) {
	j, err := r.Resolver.Jobs.Get(ctx, id.ID)
	return &j, err
}

// Jobs is the resolver for the jobs field.
func (r *queryResolver) Jobs(ctx context.Context, everybody bool, on *ref.Ref, first *int, after *string, last *int, before *string) (*model.JobConnection, error) {
	var f job.Filter
	if !everybody {
		f.By = actor.From(ctx).Ref()
	}
	if on != nil {
		f.On = *on
	}
	p, err := r.Resolver.Jobs.List(ctx, f, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.JobConnection{
		Nodes: p.Items, PageInfo: pageInfo(p),
		Edges: edges(ctx, p, func(cursor string, node job.Job) model.JobEdge { return model.JobEdge{Cursor: cursor, Node: node} }),
	}, nil
}

// Job returns generated.JobResolver implementation.
func (r *Resolver) Job() generated.JobResolver { return &jobResolver{r} }

type jobResolver struct{ *Resolver }
