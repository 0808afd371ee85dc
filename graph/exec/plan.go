package exec

import (
	"bytes"
	"context"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Plan tells which selections of a document wait: something in them is read for one object alone. The elements of a list
// that wait are computed at the same time, so that their loaders meet; the others one after the other, which costs less.
// A plan is made once for each document and never changes, but for how large its answers are. The nil Plan knows nothing: everything waits.
type Plan struct {
	waiting map[ast.Selection]struct{}
	size    atomic.Int64 // of the last answer, in bytes
}

// NewPlan makes the plan of a validated document. waits says it of a field of the schema by itself.
func NewPlan(doc *ast.QueryDocument, waits func(*ast.FieldDefinition) bool) *Plan {
	m := planner{plan: &Plan{waiting: map[ast.Selection]struct{}{}}, waits: waits, fragments: map[*ast.FragmentDefinition]bool{}}
	for _, op := range doc.Operations {
		m.set(op.SelectionSet)
	}
	return m.plan
}

type planner struct {
	plan      *Plan
	waits     func(*ast.FieldDefinition) bool
	fragments map[*ast.FragmentDefinition]bool // whether they wait; each is looked at once
}

func (m *planner) set(set ast.SelectionSet) (waits bool) {
	for _, sel := range set {
		if m.selection(sel) {
			m.plan.waiting[sel] = struct{}{}
			waits = true
		}
	}
	return waits
}

func (m *planner) selection(sel ast.Selection) bool {
	switch sel := sel.(type) {
	case *ast.Field:
		below := m.set(sel.SelectionSet)
		return below || m.waits(sel.Definition)
	case *ast.InlineFragment:
		return m.set(sel.SelectionSet)
	case *ast.FragmentSpread:
		f := sel.Definition
		waits, known := m.fragments[f]
		if !known {
			waits = m.set(f.SelectionSet)
			m.fragments[f] = waits
		}
		return waits
	default:
		return true
	}
}

// Waits reports whether anything in the selections waits.
func (p *Plan) Waits(selections ...ast.Selection) bool {
	if p == nil {
		return true
	}
	for _, sel := range selections {
		if _, waits := p.waiting[sel]; waits {
			return true
		}
	}
	return false
}

type planKey struct{}

// With gives ctx the plan of the operation that is executed.
func With(ctx context.Context, p *Plan) context.Context { return context.WithValue(ctx, planKey{}, p) }

func planOf(ctx context.Context) *Plan {
	p, _ := ctx.Value(planKey{}).(*Plan)
	return p
}

// Write gives the data of an answer as JSON.
func Write(ctx context.Context, data graphql.Marshaler) *bytes.Buffer {
	plan := planOf(ctx)
	if plan == nil {
		plan = &Plan{}
	}
	buf := new(bytes.Buffer)
	buf.Grow(int(plan.size.Load()) + bytes.MinRead)
	data.MarshalGQL(buf)
	plan.size.Store(int64(buf.Len()))
	return buf
}

// MarshalSlice is [graphql.MarshalSliceConcurrently], one element after the other where the plan allows it.
func MarshalSlice(
	ctx context.Context, length int, workers int64, omitPanicHandler bool, element func(ctx context.Context, i int) graphql.Marshaler,
) graphql.Array {
	list := graphql.GetFieldContext(ctx)
	if list == nil || planOf(ctx).Waits(list.Field.Selections...) {
		return graphql.MarshalSliceConcurrently(ctx, length, workers, omitPanicHandler, element)
	}
	all := make(graphql.Array, length)
	places := make([]int, length)
	fields := make([]graphql.FieldContext, length)
	for i := range all {
		places[i] = i
		fields[i].Index = &places[i]
		all[i] = recovered(graphql.WithFieldContext(ctx, &fields[i]), !omitPanicHandler, nil, func(ctx context.Context) graphql.Marshaler {
			return element(ctx, i)
		})
	}
	return all
}

// recovered is what run gives, or null when it panics. oc may be nil.
func recovered(ctx context.Context, recovers bool, oc *graphql.OperationContext, run func(context.Context) graphql.Marshaler) (value graphql.Marshaler) {
	if recovers {
		defer func() {
			if r := recover(); r != nil {
				value = graphql.Null
				if oc == nil {
					graphql.AddError(ctx, graphql.Recover(ctx, r))
				} else {
					oc.Error(ctx, oc.Recover(ctx, r))
				}
			}
		}()
	}
	return run(ctx)
}
