package rbac

import (
	"context"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/predicate"
)

// Scope is [Service.Require] as a filter for a list of objects of one type: of all, of none, or by the attributes that
// [Service.RegisterObject] gives for single ones, so that a list and a check cannot disagree. Cost: none.
//
// Errors: POLICY_STALE, UNKNOWN_PERMISSION.
func (s *Service) Scope(ctx context.Context, permission, typ string) (predicate.Filter, error) {
	perm, ok := s.cat.ids[permission]
	a := actor.From(ctx)
	switch {
	case !ok:
		return predicate.None(), unknown(permission)
	case a.System:
		return predicate.All(), nil
	case a.User == "" || !a.Scope.Has(permission):
		return predicate.None(), nil
	}
	s.mend(ctx)
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil {
		return predicate.None(), ErrStale
	}
	who := p.principal(a, now)
	filters := []predicate.Filter{p.held(&who, perm, typ, now)}
	env := s.env(a.User, Check{})
	for _, r := range s.rules(p, perm) {
		filters = append(filters, r.filter(env))
	}
	return predicate.And(filters...), nil
}

// held is the objects of a type for which a person holds a permission, by grants alone.
func (p *policy) held(who *person, perm uint32, typ string, now int64) predicate.Filter {
	params := p.graph.cat.params[perm]
	var ways []predicate.Filter
	for i := range who.holds {
		h := &who.holds[i]
		if c := p.graph.nodes[h.role].live; h.counts(now) && c.set.has(perm) {
			if len(params) == 0 {
				return predicate.All()
			}
			for _, t := range c.of(perm) {
				if h.bind != nil {
					t.slots = t.slots.through(h.bind, len(params))
				}
				ways = append(ways, t.slots.filter(params, typ))
			}
		}
	}
	var ids []any
	p.objectsOf(who, perm, typ, now, func(id string) { ids = append(ids, id) })
	if len(ids) > 0 {
		ways = append(ways, predicate.In("id", ids...))
	}
	return predicate.Or(ways...)
}

// filter is the objects with these values as attributes.
func (s *slots) filter(params []string, typ string) predicate.Filter {
	var all []predicate.Filter
	for i, name := range params {
		if s[i].from == anyValue {
			continue
		}
		if name == typ {
			name = "id"
		}
		all = append(all, predicate.Eq(name, s[i].value))
	}
	return predicate.And(all...)
}

// objectsOf gives each object of a type for which there is a grant of its own, once or more.
func (p *policy) objectsOf(who *person, perm uint32, typ string, now int64, yield func(id string)) {
	each := func(list []objectHold) {
		for i := range list {
			if o := &list[i]; o.perm == perm && o.on.Type == typ && now < o.until {
				yield(o.on.ID)
			}
		}
	}
	each(who.objects)
	seen := map[uint32]bool{}
	var up func(list []hold)
	up = func(list []hold) {
		for i := range list {
			h := &list[i]
			if n := p.graph.nodes[h.role]; h.counts(now) && n.live.objects && !seen[h.role] {
				seen[h.role] = true
				each(n.objects)
				up(n.up)
			}
		}
	}
	up(who.holds)
}
