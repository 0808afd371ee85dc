package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
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

// LiveSubscribe is the resolver for the liveSubscribe field.
func (r *mutationResolver) LiveSubscribe(ctx context.Context, input model.LiveSubscribeInput) (*model.LiveSubscribePayload, error) {
	stream, err := r.Lives.Find(ctx, input.ID)
	if err != nil {
		return nil, err
	}
	if err := r.withinPlan(ctx, len(stream.Labels())+len(input.Channels)); err != nil {
		return nil, err
	}
	reqs, err := r.requests(input.Channels)
	if err != nil {
		return nil, err
	}
	followed, err := stream.Add(reqs)
	if err != nil {
		return nil, err
	}
	return &model.LiveSubscribePayload{Channels: followed}, nil
}

// LiveUnsubscribe is the resolver for the liveUnsubscribe field.
func (r *mutationResolver) LiveUnsubscribe(ctx context.Context, input model.LiveUnsubscribeInput) (*model.LiveUnsubscribePayload, error) {
	stream, err := r.Lives.Find(ctx, input.ID)
	if err != nil {
		return nil, err
	}
	return &model.LiveUnsubscribePayload{Channels: stream.Remove(input.Channels)}, nil
}

// Live is the resolver for the live field.
func (r *subscriptionResolver) Live(ctx context.Context, channels []model.ChannelInput, id *string) (<-chan *live.Message, error) {
	if err := r.withinPlan(ctx, len(channels)); err != nil {
		return nil, err
	}
	reqs, err := r.requests(channels)
	if err != nil {
		return nil, err
	}
	var own string
	if id != nil {
		if own = *id; own == "" || len(own) > 64 {
			return nil, live.ErrChannels.Saying("the id of a stream has 1 to 64 characters")
		}
	}
	return subscribe(ctx, r.Lives, own, reqs)
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
