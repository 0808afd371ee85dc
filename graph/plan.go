package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/ref"
)

// errUnknownPlan is for resolvers in which an argument hides the package.
var errUnknownPlan = plan.ErrUnknown

// orMe is the subject an argument names: the caller for null.
func orMe(ctx context.Context, user *ref.Ref) ref.Ref {
	if user != nil {
		return *user
	}
	return actor.From(ctx).Ref()
}

// planOf is a plan that somebody has.
func planOf(ctx context.Context, id string) (*plan.Plan, error) {
	p, err := loader.Plan(ctx, id)
	if err == nil && p == nil {
		return nil, fault.ErrNotFound
	}
	return p, err
}

func membership(p plan.Place, err error) (*model.MembershipPayload, error) {
	if err != nil {
		return nil, err
	}
	return &model.MembershipPayload{Membership: p}, nil
}

func usage(u plan.Used, err error) (*model.UseFeaturePayload, error) {
	if err != nil {
		return nil, err
	}
	return &model.UseFeaturePayload{Usage: u}, nil
}

func toUse(in model.UseFeatureInput) plan.UseCmd {
	c := plan.UseCmd{Subject: in.User, Feature: in.Feature, Amount: int64(in.Amount), At: in.At}
	if in.Source != nil {
		c.Source = *in.Source
	}
	if in.ID != nil {
		c.ID = *in.ID
	}
	return c
}

func toRule(in model.PlanFeatureInput) plan.Rule {
	r := plan.Rule{Feature: in.Feature, On: in.On, Value: in.Value, OnOver: in.OnOver, Reset: in.Reset, Rollover: int64(in.Rollover)}
	if in.Limit != nil {
		r.Limit = new(int64(*in.Limit))
	}
	return r
}

func toPreview(ctx context.Context, in model.PreviewChangeInput) plan.PreviewCmd {
	c := plan.PreviewCmd{Subject: orMe(ctx, in.User), Quantity: int64(in.Quantity)}
	if in.Plan != nil {
		c.Plan = idOf(ref.Plan, *in.Plan)
	}
	if in.Mode != model.ChangeModeAuto {
		c.Mode = plan.Mode(in.Mode)
	}
	for to, from := range map[*string]*string{&c.Price: in.Price, &c.Coupon: in.Coupon, &c.Addon: in.Addon, &c.Zone: in.TimeZone} {
		if from != nil {
			*to = *from
		}
	}
	return c
}

func memberships(ctx context.Context, p page.Page[plan.Place]) *model.MembershipConnection {
	return &model.MembershipConnection{Nodes: p.Items, PageInfo: pageInfo(p), Edges: edges(ctx, p, func(cursor string, node plan.Place) model.MembershipEdge {
		return model.MembershipEdge{Cursor: cursor, Node: node}
	})}
}

func ledger(ctx context.Context, p page.Page[plan.Entry]) *model.LedgerConnection {
	return &model.LedgerConnection{Nodes: p.Items, PageInfo: pageInfo(p), Edges: edges(ctx, p, func(cursor string, node plan.Entry) model.LedgerEdge {
		return model.LedgerEdge{Cursor: cursor, Node: node}
	})}
}
