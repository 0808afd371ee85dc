package rbac

import (
	"context"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// Require refuses unless the actor of ctx holds the permission, on an object or, for the zero Ref, as such: see [Check].
// Cost: none, it looks into memory; one read of the object if the permission has predicates, or parameters that are its
// attributes.
//
// Errors: UNAUTHENTICATED, FORBIDDEN with the permission and the reason in the details, POLICY_STALE, UNKNOWN_PERMISSION.
func (s *Service) Require(ctx context.Context, permission string, on ref.Ref) error {
	c := Check{Permission: permission, On: on}
	return refusal(c, s.ask(ctx, c))
}

// RequireSome refuses unless the actor of ctx holds some instance of the permission: it is the gate before what decides about
// the objects. Cost: none.
//
// Errors: those of [Service.Require].
func (s *Service) RequireSome(ctx context.Context, permission string) error {
	return refusal(Check{Permission: permission}, s.askSome(ctx, permission))
}

func refusal(c Check, d Decision) error {
	if d.Allowed {
		return nil
	}
	switch d.Reason { //nolint:exhaustive // the rest is FORBIDDEN
	case Unknown:
		return unknown(c.Permission)
	case Anonymous:
		return fault.ErrUnauthenticated
	case Stale:
		return ErrStale
	default:
		return fault.ErrForbidden.With("permission", c.Permission).With("reason", string(d.Reason)).Because(&DeniedError{c, d.Reason})
	}
}

// Can answers each check for the actor of ctx, in order. It has no error: what can't be answered is refused.
func (s *Service) Can(ctx context.Context, checks []Check) []Decision {
	all := make([]Decision, len(checks))
	for i, c := range checks {
		all[i] = s.ask(ctx, c)
	}
	return all
}

// ask is one check by the actor of ctx. If the node knows that it missed something, it tries to read that first.
func (s *Service) ask(ctx context.Context, c Check) Decision {
	perm, ok := s.cat.ids[c.Permission]
	switch a := actor.From(ctx); {
	case (c.On.Type == "") != (c.On.ID == ""): // half a reference points at nothing that anybody could have a right to
		return Decision{Reason: NoPath}
	case !ok:
		return Decision{Reason: Unknown}
	case a.System:
		return Decision{Allowed: true, Reason: Allowed, Rev: s.Rev()}
	default:
		s.mend(ctx)
		d, _ := s.consider(ctx, a, perm, c, nil)
		return d
	}
}

// consider answers one check by an actor. It tells the verdicts of the predicates to said, if that is given.
func (s *Service) consider(ctx context.Context, a actor.Actor, perm uint32, c Check, said *[]Verdict) (Decision, *policy) {
	if a.User == "" {
		return Decision{Reason: Anonymous}, nil
	}
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil {
		return Decision{Reason: Stale}, nil
	}
	q := question{perm: perm, n: len(s.cat.params[perm]), on: c.On}
	rules := s.rules(p, perm)
	var object map[string]any
	if !c.On.IsZero() && (len(rules) > 0 || s.lacksArgs(perm, c)) {
		var err error
		if object, err = s.attributes(ctx, c.On); err != nil {
			s.log.ErrorContext(ctx, "object_unreadable", "object", c.On.String(), "permission", c.Permission, "error", err.Error())
			return Decision{Reason: Stale, Rev: p.rev}, p
		}
	}
	s.fill(&q, c, object)
	who := p.principal(a, now)
	d := decision(p.decide(&who, &q, now), p.rev)
	if d.Allowed && !a.Scope.Has(c.Permission) {
		d.Allowed, d.Reason = false, OutOfScope
	}
	if len(rules) == 0 || !d.Allowed && said == nil {
		return d, p
	}
	for _, v := range verdicts(rules, s.env(a.User, c), object) {
		if d.Allowed && v.Outcome == predicate.Deny {
			d.Allowed, d.Reason, d.Predicate = false, Predicated, v.Name
		}
		if said != nil {
			*said = append(*said, v)
		}
	}
	return d, p
}

// lacksArgs reports whether a parameter is neither given nor the id of the object.
func (s *Service) lacksArgs(perm uint32, c Check) bool {
	return slices.ContainsFunc(s.cat.params[perm], func(name string) bool { return c.Args[name] == "" && name != c.On.Type })
}

// fill puts the arguments into a question: see [Check].
func (s *Service) fill(q *question, c Check, object map[string]any) {
	for i, name := range s.cat.params[q.perm] {
		value := c.Args[name]
		if value == "" && name == c.On.Type {
			value = c.On.ID
		}
		if value == "" {
			value, _ = object[name].(string)
		}
		if value == nothing {
			value = ""
		}
		q.args[i] = slot{value: value, from: bound}
	}
}

// env is what predicates see besides the object. The arguments are those of the question alone, not what follows from the
// object, of which a list knows nothing. Their time is that of the minute, so that what a live list shows does not change every moment.
func (s *Service) env(user string, c Check) predicate.Env {
	return predicate.Env{User: user, Now: s.now().Truncate(time.Minute), Args: c.Args}
}

// askSome is a check whether the actor of ctx holds some instance.
func (s *Service) askSome(ctx context.Context, permission string) Decision {
	a := actor.From(ctx)
	perm, ok := s.cat.ids[permission]
	if !ok || a.System || a.User == "" {
		return s.ask(ctx, Check{Permission: permission})
	}
	s.mend(ctx)
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil {
		return Decision{Reason: Stale}
	}
	who := p.principal(a, now)
	d := decision(p.decide(&who, &question{perm: perm, some: true}, now), p.rev)
	if d.Allowed && !a.Scope.Has(permission) {
		d.Allowed, d.Reason = false, OutOfScope
	}
	return d
}

// Allows answers whether the user of that id holds the permission as such now, for any values of its parameters and whatever
// its predicates say of objects. It looks into memory only and allocates nothing.
func (s *Service) Allows(user, permission string) Decision {
	perm, ok := s.cat.ids[permission]
	if !ok {
		return Decision{Reason: Unknown}
	}
	if user == "" {
		return Decision{Reason: Anonymous}
	}
	p := s.snap.Load()
	if !s.sound(p) {
		return Decision{Reason: Stale}
	}
	who := p.people.of(user)
	now := int64(0) // the clock costs as much as the rest, and mostly nothing of it has an end
	if who.timed || p.graph.until != never {
		now = s.now().UnixMilli()
		p = s.roll(p, now)
	}
	if len(s.cat.params[perm]) == 0 {
		if why := p.glance(&who, perm); why != "" {
			return decision(why, p.rev)
		}
	}
	q := question{perm: perm, n: len(s.cat.params[perm])}
	for i := range q.n {
		q.args[i].from = bound
	}
	why := p.decide(&who, &q, now)
	if now == 0 && why != Allowed && why != NoPath { // why not is a question of the time
		why = p.decide(&who, &q, s.now().UnixMilli())
	}
	return decision(why, p.rev)
}

func decision(why Reason, rev int64) Decision {
	return Decision{Allowed: why == Allowed, Reason: why, Rev: rev}
}

// principal is what counts for an actor: what the user holds, or the one role that they have activated, for as long as they
// can.
func (p *policy) principal(a actor.Actor, now int64) person {
	who := p.people.of(a.User)
	if a.Role == "" {
		return who
	}
	active, ok := p.settable(&who, Instance(a.Role), now)
	if !ok {
		return who
	}
	return asPerson(held{holds: []hold{active}})
}
