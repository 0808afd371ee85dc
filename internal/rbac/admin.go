package rbac

import (
	"context"
	"errors"
	"slices"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// leave is by what right somebody grants a role.
type leave struct {
	via       string // the grant that makes them ADMIN of it; empty when they hold all it gives
	escalated bool   // they hold rbac.bind
}

// mayGrant refuses to give what the actor neither holds nor administers.
func (t *turn) mayGrant(ctx context.Context, g Grant) (leave, error) {
	a := actor.From(ctx)
	if a.System {
		return leave{}, nil
	}
	p, who, err := t.me(ctx)
	if err != nil {
		return leave{}, err
	}
	row, ok := p.graph.rows[g.Role]
	if !ok {
		return leave{}, fault.ErrNotFound.On("input.role")
	}
	h, _ := p.hold(&g)
	n, asked := p.graph.nodes[row], bindOf(&h, nil)
	may := t.authorize(ctx, PermGrantWrite)
	if may == nil {
		escalated, err := t.covers(ctx, n.ever, &asked, holderNames(p, g.Member), PermBind)
		if err == nil {
			return leave{escalated: escalated}, nil
		}
		may = err
	}
	if !a.Scope.Has(PermGrantWrite) {
		return leave{}, may
	}
	via, some := p.admin(&who, row, len(n.params), &asked, t.s.now().UnixMilli())
	switch {
	case via == nil && some:
		return leave{}, ErrEscalation.With("missing", []string{string(InstanceOf(n.role.Key, g.Bind))})
	case via == nil:
		return leave{}, may
	case via.until < h.until:
		return leave{}, ErrEscalation.On("input.expiresAt").Saying("you cannot grant a role for longer than you administer it").With("missing", []string{n.role.Key})
	default:
		return leave{via: via.grant}, nil
	}
}

func holderNames(p *policy, member ref.Ref) []string {
	if row, ok := p.graph.rows[member.ID]; ok && member.Type == ref.Role {
		return p.graph.nodes[row].params
	}
	return nil
}

// admin is the hold by which somebody may let others hold a role, its parameters bound like that; some tells whether they may
// with any bindings. The edge itself need not be inherited, those before it must.
func (p *policy) admin(who *person, row uint32, n int, asked *slots, now int64) (via *hold, some bool) {
	var seen []visit
	var look func(list []hold, holder *slots)
	look = func(list []hold, holder *slots) {
		for i := range list {
			h := &list[i]
			here := visit{h.role, bindOf(h, holder)}
			if h.role == row && h.flags&withAdmin != 0 && h.lives(now) {
				some = true
				if here.bind.covers(asked, n) && (via == nil || h.until > via.until) {
					via = h
				}
			}
			if h.counts(now) && !slices.Contains(seen, here) {
				seen = append(seen, here)
				look(p.graph.nodes[h.role].up, &here.bind)
			}
		}
	}
	look(who.holds, nil)
	return via, some
}

// administers refuses who can neither write grants nor is ADMIN of any role, before anything is read.
func (s *Service) administers(ctx context.Context) error {
	err := s.RequireSome(ctx, PermGrantWrite)
	if err == nil || !errors.Is(err, fault.ErrForbidden) {
		return err
	}
	now := s.now().UnixMilli()
	if p := s.current(now); p != nil {
		who := p.principal(actor.From(ctx), now)
		if p.anyAdmin(&who, now) {
			return nil
		}
	}
	return err
}

// anyAdmin reports whether somebody may let others hold some role.
func (p *policy) anyAdmin(who *person, now int64) bool {
	seen := map[uint32]bool{}
	var look func(list []hold) bool
	look = func(list []hold) bool {
		return slices.ContainsFunc(list, func(h hold) bool {
			if h.flags&withAdmin != 0 && h.lives(now) {
				return true
			}
			if !h.counts(now) || seen[h.role] {
				return false
			}
			seen[h.role] = true
			return look(p.graph.nodes[h.role].up)
		})
	}
	return look(who.holds)
}
