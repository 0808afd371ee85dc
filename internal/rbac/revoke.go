package rbac

import (
	"context"
	"slices"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Revoked is what the end of a grant meant.
type Revoked struct {
	Rev       int64    // of the policy in which it is gone
	Grants    []string // ids of those that are gone, the one asked for first
	StillHeld []string // ids of the grants by which their members hold the roles all the same
}

// Revoke takes a grant back, and with CASCADE those that depend on it because their grantor was ADMIN by it: they count no
// more when Revoke returns. Needs rbac.grant.write and every right the role gives; or ADMIN on the role, for what was granted
// by it or by the actor. The events rbac.grant.revoked and rbac.grant.cascaded commit with it, of one revision.
// Cost: 5 reads, 3 writes, 1 commit, 1 read for each level of dependents; on a node that is behind 5 reads more.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, RBAC_ESCALATION, RBAC_DEPENDENTS with their global ids and
// members, LAST_ADMIN, OUTCOME_UNKNOWN.
func (s *Service) Revoke(ctx context.Context, grantID string, mode Mode) (Revoked, error) {
	if err := s.administers(ctx); err != nil {
		return Revoked{}, err
	}
	var gone Revoked
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		gone, err = t.revoke(ctx, grantID, mode)
		return err
	})
	gone.Rev = s.Rev()
	return gone, err
}

func (t *turn) revoke(ctx context.Context, grantID string, mode Mode) (Revoked, error) {
	g, err := t.s.store.grant(ctx, grantID)
	if err != nil {
		return Revoked{}, err
	}
	if err := t.mayRevoke(ctx, g); err != nil {
		return Revoked{}, err
	}
	gone, err := t.cascade(ctx, []Grant{g}, mode)
	if err != nil {
		return Revoked{}, err
	}
	out := Revoked{StillHeld: []string{}}
	for _, one := range gone {
		out.Grants = append(out.Grants, one.ID)
		still, err := t.stillHeld(ctx, one)
		if err != nil {
			return Revoked{}, err
		}
		out.StillHeld = append(out.StillHeld, still...)
	}
	return out, nil
}

// mayRevoke refuses to take what the actor could neither give nor has given as an ADMIN.
func (t *turn) mayRevoke(ctx context.Context, g Grant) error {
	leave, err := t.mayGrant(ctx, g)
	if err != nil { // to take back one need not be ADMIN for as long as the grant lasts
		brief := g
		brief.ExpiresAt = new(t.s.now())
		leave, err = t.mayGrant(ctx, brief)
	}
	if err != nil || leave.via == "" || g.GrantedBy == actor.From(ctx).Ref() {
		return err
	}
	for via := g.Via; via != ""; {
		if via == leave.via {
			return nil
		}
		up, err := t.s.store.grant(ctx, via)
		if err != nil {
			return hide(err)
		}
		via = up.Via
	}
	return fault.ErrForbidden.With("permission", PermGrantWrite)
}

// cascade drops grants and what depends on them, or refuses when there is something that does.
func (t *turn) cascade(ctx context.Context, roots []Grant, mode Mode) ([]Grant, error) {
	gone := slices.Clone(roots)
	for level := roots; len(level) > 0; {
		next, err := t.s.store.grantsVia(ctx, level)
		if err != nil {
			return nil, err
		}
		level = slices.DeleteFunc(next, func(g Grant) bool {
			return slices.ContainsFunc(gone, func(x Grant) bool { return x.ID == g.ID })
		})
		if gone = append(gone, level...); len(gone) > maxCascade {
			return nil, dependentsOf(gone[len(roots):])
		}
	}
	if dependents := gone[len(roots):]; len(dependents) > 0 && mode != Cascade {
		return nil, dependentsOf(dependents)
	}
	for i, g := range gone {
		c := change{kind: kindGrantRevoked, Grant: &g}
		if i >= len(roots) {
			c.kind, c.Cause = kindGrantCascaded, ref.New(ref.Grant, g.Via).String()
		}
		if err := t.drop(ctx, c); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// dependentsOf is the refusal that names what is in the way.
func dependentsOf(grants []Grant) error {
	members, ids := []string{}, []string{}
	for _, g := range grants[:min(len(grants), maxNamed)] {
		members, ids = append(members, g.Member.String()), append(ids, g.Ref().String())
	}
	return ErrDependents.With("count", len(grants)).With("grants", ids).With("members", members)
}

// drop removes a grant unless nobody would administer the server without it.
func (t *turn) drop(ctx context.Context, c change) error {
	if err := t.keepsAdmin(ctx, *c.Grant); err != nil {
		return err
	}
	t.record(c)
	return t.s.store.deleteGrant(ctx, c.Grant.ID)
}

// keepsAdmin refuses to lose the last grant without conditions of the role admin to a user.
func (t *turn) keepsAdmin(ctx context.Context, g Grant) error {
	if g.Member.Type != ref.User || !g.unconditional(t.s.now()) {
		return nil
	}
	r, err := t.s.store.role(ctx, g.Role)
	if err != nil {
		return hide(err)
	}
	if r.Key != RoleAdmin {
		return nil
	}
	return t.s.othersAdminister(ctx, g.Role, func(other Grant) bool { return other.ID != g.ID })
}

// othersAdminister refuses when no user who can sign in holds the role for ever by one of these grants.
func (s *Service) othersAdminister(ctx context.Context, role string, stays func(Grant) bool) error {
	all, err := s.store.heldForEver(ctx, role, s.now())
	if err != nil {
		return err
	}
	var users []string
	for _, g := range all {
		if stays(g) {
			users = append(users, g.Member.ID)
		}
	}
	if s.cfg.UsersLive != nil && len(users) > 0 {
		if users, err = s.cfg.UsersLive(ctx, users); err != nil {
			return err
		}
	}
	if len(users) == 0 {
		return ErrLastAdmin
	}
	return nil
}

// stillHeld is the ids of the grants by which the member has the role, after the changes of this turn.
func (t *turn) stillHeld(ctx context.Context, gone Grant) ([]string, error) {
	own, err := t.s.store.grantsOf(ctx, gone.Member)
	if err != nil {
		return nil, err
	}
	p, err := t.policy(ctx)
	if err != nil {
		return nil, err
	}
	now := t.s.now().UnixMilli()
	still := []string{}
	for _, g := range own {
		h, ok := p.hold(&g)
		if ok && h.counts(now) && p.graph.reaches(h.role, p.graph.rows[gone.Role], now) {
			still = append(still, g.ID)
		}
	}
	return still, nil
}
