package rbac

import (
	"context"
	"slices"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// Settable refuses unless the actor of ctx could activate the role with these bindings: a chain of grants must lead there
// all of which let them, as for SET ROLE in PostgreSQL. The answer is the word for it in actor.Actor.Role; what it means is
// decided anew at each check. Cost: none.
//
// Errors: UNAUTHENTICATED, POLICY_STALE, NOT_FOUND, RBAC_UNBOUND_PARAM, RBAC_BAD_VALUE, NOT_SETTABLE.
func (s *Service) Settable(ctx context.Context, role string, bind Bindings) (string, error) {
	if actor.From(ctx).User == "" {
		return "", fault.ErrUnauthenticated
	}
	s.mend(ctx)
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil {
		return "", ErrStale
	}
	row, ok := p.graph.rows[role]
	if !ok {
		return "", ErrNotSettable
	}
	if err := checkBindings(bind, p.graph.nodes[row].role.Params, nil); err != nil {
		return "", err
	}
	who := p.people.of(actor.From(ctx).User)
	word := InstanceOf(role, bind)
	if _, ok := p.settable(&who, word, now); !ok {
		return "", ErrNotSettable.With("role", p.graph.nodes[row].role.Key)
	}
	return string(word), nil
}

// settable is the hold that stands for an activated role: "id" or "id(region=EU)".
func (p *policy) settable(who *person, word Instance, now int64) (hold, bool) {
	id, bind := word.Split()
	row, ok := p.graph.rows[id]
	if !ok {
		return hold{}, false
	}
	params := p.graph.nodes[row].params
	active := hold{role: row, from: now, until: never, bind: new(slotsOf(bind, params, nil))}
	var seen []visit
	var look func(list []hold, holder *slots) bool
	look = func(list []hold, holder *slots) bool {
		for i := range list {
			h := &list[i]
			if !h.lives(now) || h.flags&noSet != 0 {
				continue
			}
			here := visit{h.role, bindOf(h, holder)}
			if h.role == row && here.bind.covers(active.bind, len(params)) {
				return true
			}
			if !slices.Contains(seen, here) {
				seen = append(seen, here)
				if look(p.graph.nodes[h.role].up, &here.bind) {
					return true
				}
			}
		}
		return false
	}
	return active, look(who.holds, nil)
}

// Active is the role that the actor of ctx has activated and may still use, with its bindings; false for none.
func (s *Service) Active(ctx context.Context) (Role, Bindings, bool) {
	a := actor.From(ctx)
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil || a.Role == "" {
		return Role{}, "", false
	}
	who := p.people.of(a.User)
	active, ok := p.settable(&who, Instance(a.Role), now)
	if !ok {
		return Role{}, "", false
	}
	_, bind := Instance(a.Role).Split()
	return p.graph.nodes[active.role].role, bind, true
}
