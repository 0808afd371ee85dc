package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// Result is the resolver for the result field.
func (r *jobProgressResolver) Result(ctx context.Context, obj *job.Progress) (map[string]any, error) {
	return jobResult(obj.Job, false)
}

// ErrorCode is the resolver for the errorCode field.
func (r *jobProgressResolver) ErrorCode(ctx context.Context, obj *job.Progress) (*string, error) {
	return jobError(obj.Job), nil
}

// FromType is the resolver for the fromType field.
func (r *listedReferenceResolver) FromType(ctx context.Context, obj *registry.Reference) (*ref.Ref, error) {
	return new(ref.New(ref.ContentType, obj.FromType)), nil
}

// Live is the resolver for the live field.
func (r *subscriptionResolver) Live(ctx context.Context, channels []model.ChannelInput) (<-chan *live.Message, error) {
	if who := actor.From(ctx); r.Plans != nil && !who.System {
		if err := r.Plans.Within(ctx, who.Ref(), FeatureChannels, int64(len(channels)), nil); err != nil {
			return nil, err
		}
	}
	reqs := make([]live.Request, len(channels))
	for i, c := range channels {
		open, err := r.family(c)
		if err != nil {
			return nil, err
		}
		reqs[i] = live.Request{Label: c.Key, Open: open}
	}
	return subscribe(ctx, r.Lives, reqs)
}

// JobProgress returns generated.JobProgressResolver implementation.
func (r *Resolver) JobProgress() generated.JobProgressResolver { return &jobProgressResolver{r} }

// ListedReference returns generated.ListedReferenceResolver implementation.
func (r *Resolver) ListedReference() generated.ListedReferenceResolver {
	return &listedReferenceResolver{r}
}

type (
	jobProgressResolver     struct{ *Resolver }
	listedReferenceResolver struct{ *Resolver }
)
