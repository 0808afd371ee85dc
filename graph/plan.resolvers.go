package graph

import (
	"context"
	"fmt"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/plan"
)

// Plan is the resolver for the plan field.
func (r *membershipResolver) Plan(ctx context.Context, obj *plan.Membership) (*plan.Plan, error) {
	panic(fmt.Errorf("not implemented: Plan - plan"))
}

// ChangePlan is the resolver for the changePlan field.
func (r *mutationResolver) ChangePlan(ctx context.Context, input model.ChangePlanInput) (*model.ChangePlanPayload, error) {
	panic(fmt.Errorf("not implemented: ChangePlan - changePlan"))
}

// Plans is the resolver for the plans field.
func (r *queryResolver) Plans(ctx context.Context) ([]plan.Plan, error) {
	panic(fmt.Errorf("not implemented: Plans - plans"))
}

// Membership returns generated.MembershipResolver implementation.
func (r *Resolver) Membership() generated.MembershipResolver { return &membershipResolver{r} }

type membershipResolver struct{ *Resolver }
