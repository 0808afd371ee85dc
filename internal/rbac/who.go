package rbac

import (
	"context"
	"slices"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// MaxWho is how many users one answer of [Service.WhoCan] names.
const MaxWho = 1000

// Holders is one page of the users who may do something.
type Holders struct {
	Users    []string // ids, sorted
	Complete bool     // there are no more; else the last id is where the next page begins
	Rev      int64
}

// WhoCan lists the users a check would allow, by id, from the one after that id. Needs rbac.role.read. first is 1 to 1,000.
// Cost: a look at every user who holds anything, in memory; as [Service.Require] for the object.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, UNKNOWN_PERMISSION.
func (s *Service) WhoCan(ctx context.Context, c Check, first int, after string) (Holders, error) {
	if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
		return Holders{}, err
	}
	perm, ok := s.cat.ids[c.Permission]
	if !ok {
		return Holders{}, unknown(c.Permission)
	}
	now := s.now().UnixMilli()
	p, err := s.known()
	if err != nil {
		return Holders{}, err
	}
	object, err := s.attributes(ctx, c.On)
	if err != nil {
		return Holders{}, err
	}
	q := question{perm: perm, n: len(s.cat.params[perm]), on: c.On}
	s.fill(&q, c, object)
	rules := s.rules(p, perm)
	first = min(max(first, 1), MaxWho)
	found := []string{}
	for i := range p.people.shards {
		for user, who := range p.people.shards[i] {
			if user > after && p.decide(&who, &q, now) == Allowed && s.admit(rules, user, c, object) {
				found = append(found, user)
			}
		}
	}
	slices.Sort(found)
	out := Holders{Users: found, Complete: len(found) <= first, Rev: p.rev}
	if !out.Complete {
		out.Users = found[:first]
	}
	return out, nil
}

// CanAs answers each check for a user, in order, whatever role they have activated: what somebody would see. Needs
// rbac.role.read, or to be that user, for whom it is [Service.Can].
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) CanAs(ctx context.Context, user string, checks []Check) ([]Decision, error) {
	if a := actor.From(ctx); a.User != "" && a.User == user {
		return s.Can(ctx, checks), nil
	}
	if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
		return nil, err
	}
	return s.Can(actor.With(ctx, actor.Actor{User: user}), checks), nil
}

// admit reports whether no predicate denies a user what grants allow.
func (s *Service) admit(rules []rule, user string, c Check, object map[string]any) bool {
	return len(rules) == 0 || !slices.ContainsFunc(verdicts(rules, s.env(user, c), object), func(v Verdict) bool {
		return v.Outcome == predicate.Deny
	})
}

// RightsOf is everything a user may do whatever role they have activated, sorted, such as "report.view(region=EU)". Needs
// rbac.role.read, or to be that user. Predicates and grants on single objects are not in it. Cost: none.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) RightsOf(ctx context.Context, user string) ([]Instance, error) {
	if a := actor.From(ctx); a.User == "" || a.User != user {
		if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
			return nil, err
		}
	}
	now := s.now().UnixMilli()
	p, err := s.known()
	if err != nil {
		return nil, err
	}
	who := p.people.of(user)
	return p.graph.instances(p.rights(&who, now), nil), nil
}

// WhatCan is the keys of all permissions that a user may use on an object, grants on that object and predicates considered,
// sorted. Needs rbac.role.read, or to be that user. Cost: one read of the object.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) WhatCan(ctx context.Context, user string, on ref.Ref) ([]string, error) {
	a := actor.From(ctx)
	if a.User == "" || a.User != user {
		if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
			return nil, err
		}
		a = actor.Actor{User: user}
	}
	now := s.now().UnixMilli()
	p, err := s.known()
	if err != nil {
		return nil, err
	}
	object, err := s.attributes(ctx, on)
	if err != nil {
		return nil, err
	}
	who := p.principal(a, now)
	all := []string{}
	for i, key := range s.cat.keys {
		q := question{perm: uint32(i), n: len(s.cat.params[i]), on: on}
		c := Check{On: on}
		s.fill(&q, c, object)
		if a.Scope.Has(key) && p.decide(&who, &q, now) == Allowed && s.admit(s.rules(p, q.perm), user, c, object) {
			all = append(all, key)
		}
	}
	return all, nil
}
