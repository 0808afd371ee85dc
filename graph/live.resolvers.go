package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

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

// ListedReference returns generated.ListedReferenceResolver implementation.
func (r *Resolver) ListedReference() generated.ListedReferenceResolver {
	return &listedReferenceResolver{r}
}

type listedReferenceResolver struct{ *Resolver }
