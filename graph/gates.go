package graph

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/ref"
)

// Gates is what the interface needs of plan. Who may do something is another question: see Authorizer. All but Consume answer from
// memory for whoever has asked lately.
type Gates interface {
	// Entitled refuses a subject whose plan does not have a BOOLEAN feature.
	Entitled(ctx context.Context, subject ref.Ref, feature string) error
	// Consume uses up n of a metered or counted feature, or refuses.
	Consume(ctx context.Context, subject ref.Ref, feature string, n int64) error
	// Within refuses a number above what the plan sets for a STATIC feature. What no plan sets bounds nothing.
	Within(ctx context.Context, subject ref.Ref, feature string, n int64, resets *time.Time) error
	// Number is what the plan sets; false when no plan says anything.
	Number(ctx context.Context, subject ref.Ref, feature string) (n *int64, set bool)
}

// The STATIC features this interface asks plans for. What a plan does not set, the settings of the server alone bound.
const (
	FeatureDepth    = "graphql.depth"  // levels of fields in a document
	FeatureCost     = "graphql.cost"   // cost of an operation: see costOf
	FeatureRate     = "graphql.rate"   // operations a minute
	FeatureBudget   = "graphql.budget" // cost of operations a minute
	FeatureSockets  = "live.sockets"   // WebSockets at once on a node
	FeatureChannels = "live.channels"  // channels of one stream
)

// entitlement is what @entitled says of a root field.
type entitlement struct {
	feature string
	uses    int64
}

// pass applies @entitled, after @access: so a refused caller uses nothing up. The system is not on any plan.
func (s *Server) pass(ctx context.Context, e entitlement, who actor.Actor) error {
	switch {
	case e.feature == "" || s.gates == nil || who.System:
		return nil
	case e.uses > 0:
		return s.gates.Consume(ctx, who.Ref(), e.feature, e.uses)
	}
	return s.gates.Entitled(ctx, who.Ref(), e.feature)
}

// CheckGates reports every @entitled that names a feature which is not declared.
func (s *Server) CheckGates(declared func(feature string) bool) error {
	var errs []error
	for f, a := range s.access {
		if a.entitled.feature != "" && !declared(a.entitled.feature) {
			errs = append(errs, fmt.Errorf("%s needs the feature %q, which nobody declares", f.Name, a.entitled.feature))
		}
	}
	return errors.Join(errs...)
}

// budget refuses an operation that costs more than the server allows, or than the plan of the caller of ctx does. Who is not signed in
// has what the default plan allows of one operation; how many they send is bounded by their address. Of the minute's cost it takes what is
// charged: the cost, or nothing for an operation that will not be executed.
//
// Errors: QUERY_TOO_COMPLEX with cost and limit, QUOTA_EXCEEDED with feature, plan, limit, used, resetsAt and allowedBy.
func (s *Server) budget(ctx context.Context, depth, cost, charged int) error {
	who := actor.From(ctx)
	if who.System {
		return nil
	}
	if cost > s.cfg.MaxCost {
		return ErrTooComplex.With("cost", cost).With("limit", s.cfg.MaxCost)
	}
	if s.gates == nil {
		return nil
	}
	subject := who.Ref()
	if err := s.gates.Within(ctx, subject, FeatureDepth, int64(depth), nil); err != nil {
		return err
	}
	if err := s.gates.Within(ctx, subject, FeatureCost, int64(cost), nil); err != nil {
		return err
	}
	if subject.IsZero() {
		return nil
	}
	if err := s.pace(ctx, s.rates, subject, FeatureRate, 1); err != nil {
		return err
	}
	return s.pace(ctx, s.costs, subject, FeatureBudget, charged)
}

// pace takes n of what the plan allows in a minute.
func (s *Server) pace(ctx context.Context, of *rates, subject ref.Ref, feature string, n int) error {
	limit, set := s.gates.Number(ctx, subject, feature)
	if !set || limit == nil {
		return nil
	}
	if wait := of.take(subject, *limit, n); wait > 0 {
		return s.gates.Within(ctx, subject, feature, *limit+1, new(of.now().Add(wait)))
	}
	return nil
}

// costOfAnswer is what a client that asks for it is told.
func (s *Server) costOfAnswer(ctx context.Context, op *graphql.OperationContext) *operationCost {
	if op.Headers.Get(CostHeader) != "1" && op.Extensions["cost"] != true {
		return nil
	}
	return s.costFor(ctx, op)
}

// price answers whoever asks for the cost alone.
func (s *Server) price(ctx context.Context, op *graphql.OperationContext) *graphql.Response {
	told := s.costFor(ctx, op)
	told.Dearest = newCosting(op.Variables).dearest(op.Operation.SelectionSet)
	return &graphql.Response{Data: []byte("null"), Extensions: map[string]any{"cost": told}}
}

// costFor is the cost of an operation beside what the caller of ctx may spend.
func (s *Server) costFor(ctx context.Context, op *graphql.OperationContext) *operationCost {
	told := &operationCost{Requested: costOf(op.Operation, op.Variables), Allowed: s.cfg.MaxCost}
	if s.gates == nil || actor.From(ctx).System {
		return told
	}
	subject := actor.From(ctx).Ref()
	if limit, set := s.gates.Number(ctx, subject, FeatureCost); set && limit != nil {
		told.Allowed = int(min(int64(told.Allowed), *limit))
	}
	if subject.IsZero() {
		return told
	}
	if limit, set := s.gates.Number(ctx, subject, FeatureBudget); set && limit != nil {
		told.Remaining = new(s.costs.left(subject, *limit))
	}
	return told
}

// maxPaced is how many subjects are counted at once; the one that was quiet for longest is forgotten for a new one.
const maxPaced = 50_000

// rates counts operations, or their cost, by subject: so many a minute, which may come at once. It counts on this node alone, and in memory: a
// counter in the database would cost more than most operations.
type rates struct {
	now clock.Clock

	mu  sync.Mutex
	all *lru.Cache[ref.Ref, *rate.Limiter]
}

func newRates(now clock.Clock) *rates {
	all, err := lru.New[ref.Ref, *rate.Limiter](maxPaced)
	if err != nil { // of a size below 1
		panic("graph: " + err.Error())
	}
	return &rates{now: now, all: all}
}

// of is the count of a subject. mu is held.
func (r *rates) of(subject ref.Ref, perMinute int64) *rate.Limiter {
	per := rate.Limit(float64(perMinute) / 60)
	one, ok := r.all.Get(subject)
	if !ok || one.Limit() != per { // another plan is another count
		one = rate.NewLimiter(per, int(max(perMinute, 0)))
		r.all.Add(subject, one)
	}
	return one
}

// left is how much a subject has left.
func (r *rates) left(subject ref.Ref, perMinute int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(max(r.of(subject, perMinute).TokensAt(r.now()), 0))
}

// take counts n, and tells how long to wait when they are too many.
func (r *rates) take(subject ref.Ref, perMinute int64, n int) time.Duration {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.of(subject, perMinute)
	if one.Burst() < n {
		return time.Minute
	}
	res := one.ReserveN(now, n)
	wait := res.DelayFrom(now)
	if wait > 0 {
		res.CancelAt(now) // who is refused has used nothing up
	}
	return wait
}
