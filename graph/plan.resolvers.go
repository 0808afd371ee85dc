package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/ref"
)

// Plan is the resolver for the plan field.
func (r *membershipResolver) Plan(ctx context.Context, obj *plan.Membership) (*plan.Plan, error) {
	p, err := loader.Plan(ctx, obj.Plan)
	if err == nil && p == nil {
		return nil, fault.ErrNotFound
	}
	return p, err
}

// ChangePlan is the resolver for the changePlan field.
func (r *mutationResolver) ChangePlan(ctx context.Context, input model.ChangePlanInput) (*model.ChangePlanPayload, error) {
	subject := actor.From(ctx).Ref()
	if input.User != nil {
		subject = *input.User
	}
	m, err := r.Plans.Change(ctx, plan.ChangeCmd{Plan: idOf(ref.Plan, input.Plan), Version: int64(input.Version), Subject: subject})
	if err != nil {
		return nil, err
	}
	return &model.ChangePlanPayload{Membership: m}, nil
}

// Plans is the resolver for the plans field.
func (r *queryResolver) Plans(ctx context.Context) ([]plan.Plan, error) {
	return r.Resolver.Plans.All(ctx)
}

// Membership returns generated.MembershipResolver implementation.
func (r *Resolver) Membership() generated.MembershipResolver { return &membershipResolver{r} }

type membershipResolver struct{ *Resolver }
