package rbac

import (
	"context"
	"errors"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Mode is what happens to what depends on something that goes away.
type Mode string

// The modes, with the meaning they have for REVOKE in PostgreSQL.
const (
	Restrict Mode = "RESTRICT" // the default: refuse, and name what depends on it
	Cascade  Mode = "CASCADE"  // it goes too
)

// Bounds of what depends on something.
const (
	maxNamed   = 100    // named in a refusal
	maxCascade = 10_000 // taken along at once
)

// Grant lets a user or a role hold a role. Needs rbac.grant.write and every right the role gives, bound at least as widely;
// or ADMIN on that role, and then the grant depends on the one that gives it. If the member was granted it in the same way by
// the same grantor, that grant is the answer, after it has been made to last and to give as much as asked. The event
// rbac.grant.created, rbac.grant.extended or rbac.grant.changed commits with it. Cost: 3 reads, 3 writes, 1 commit; on a node
// that is behind 5 reads more.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, BAD_USER_INPUT, NOT_FOUND, RBAC_UNBOUND_PARAM, RBAC_BAD_VALUE,
// RBAC_ESCALATION with what is missing, RBAC_CYCLE with the path of role keys, RBAC_DEPTH, OUTCOME_UNKNOWN.
func (s *Service) Grant(ctx context.Context, c GrantCmd) (Grant, error) {
	if err := s.administers(ctx); err != nil {
		return Grant{}, err
	}
	var g Grant
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		g, err = t.grantRole(ctx, c)
		return err
	})
	return g, err
}

func (t *turn) grantRole(ctx context.Context, c GrantCmd) (Grant, error) {
	if err := c.check(t.s.now()); err != nil {
		return Grant{}, err
	}
	role, err := t.s.store.role(ctx, c.Role)
	if err != nil {
		return Grant{}, blame(err, "input.role")
	}
	holder, err := t.holderParams(ctx, c.Member)
	if err != nil {
		return Grant{}, blame(err, "input.member")
	}
	if err := checkBindings(c.Bind, role.Params, holder); err != nil {
		return Grant{}, fault.From(err).On("input.bindings")
	}
	g := t.grant(ctx, c.Member, c.Role, SourceManual)
	g.Bind, g.NoInherit, g.NoSet, g.Admin, g.Reason = c.Bind, c.NoInherit, c.NoSet, c.Admin, c.Reason
	g.NotBefore, g.ExpiresAt = c.NotBefore, c.ExpiresAt
	leave, err := t.mayGrant(ctx, g)
	if err != nil {
		return Grant{}, err
	}
	g.Via = leave.via
	return t.put(ctx, g, leave.escalated)
}

// holderParams is the parameters of the member, if it is a role, after it has been found.
func (t *turn) holderParams(ctx context.Context, member ref.Ref) ([]Param, error) {
	if member.Type == ref.Role {
		r, err := t.s.store.role(ctx, member.ID)
		return r.Params, err
	}
	return nil, t.s.memberExists(ctx, member)
}

// put inserts a grant, or lets the one there is give and last as much as g.
func (t *turn) put(ctx context.Context, g Grant, escalated bool) (Grant, error) {
	have, found, err := t.s.store.grantLike(ctx, g)
	switch {
	case err != nil:
		return Grant{}, err
	case found:
		return t.widen(ctx, have, g, escalated)
	}
	if g.Member.Type == ref.Role {
		if err := t.admit(ctx, g); err != nil {
			return Grant{}, err
		}
	}
	t.record(change{kind: kindGrantCreated, Grant: &g, Escalated: escalated})
	return g, t.s.store.insertGrant(ctx, g)
}

// widen makes a grant give and last at least as much as g.
func (t *turn) widen(ctx context.Context, have, g Grant, escalated bool) (Grant, error) {
	next, kind := have, kindGrantExtended
	if !lasts(have.ExpiresAt, g.ExpiresAt) {
		next.ExpiresAt, next.Ended = g.ExpiresAt, false
	}
	if have.NotBefore != nil && (g.NotBefore == nil || g.NotBefore.Before(*have.NotBefore)) {
		next.NotBefore = g.NotBefore
	}
	if have.NoInherit && !g.NoInherit || have.NoSet && !g.NoSet || !have.Admin && g.Admin {
		next.NoInherit, next.NoSet = have.NoInherit && g.NoInherit, have.NoSet && g.NoSet
		next.Admin, kind = have.Admin || g.Admin, kindGrantChanged
	}
	if next == have {
		return have, nil
	}
	t.record(change{kind: kind, Grant: &next, Escalated: escalated})
	return next, t.s.store.replaceGrant(ctx, next)
}

// admit refuses an edge between roles that the graph can't take.
func (t *turn) admit(ctx context.Context, g Grant) error {
	p, err := t.policy(ctx)
	if err != nil {
		return err
	}
	member, ok := p.graph.rows[g.Member.ID]
	if !ok {
		return fault.ErrNotFound.On("input.member")
	}
	return p.graph.admit(member, p.graph.rows[g.Role])
}

// OptionsCmd asks for other options of a grant.
type OptionsCmd struct {
	Grant     string // id
	NoInherit bool
	NoSet     bool
	Admin     bool
	Mode      Mode // what happens to what was granted by the ADMIN that goes away
}

// SetGrantOptions changes whether a member inherits, may activate and administers the role. Needs what [Service.Grant] needs
// for the grant as it is to be. The event rbac.grant.changed commits with it, and rbac.grant.cascaded for what depended on it.
//
// Errors: those of [Service.Grant] and [Service.Revoke].
func (s *Service) SetGrantOptions(ctx context.Context, c OptionsCmd) (Grant, error) {
	if err := s.administers(ctx); err != nil {
		return Grant{}, err
	}
	var g Grant
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		g, err = t.setOptions(ctx, c)
		return err
	})
	return g, err
}

func (t *turn) setOptions(ctx context.Context, c OptionsCmd) (Grant, error) {
	g, err := t.s.store.grant(ctx, c.Grant)
	if err != nil {
		return g, err
	}
	if err := t.mayRevoke(ctx, g); err != nil {
		return g, err
	}
	next := g
	next.NoInherit, next.NoSet, next.Admin = c.NoInherit, c.NoSet, c.Admin
	if next == g {
		return g, nil
	}
	if next.NoInherit {
		if err := t.keepsAdmin(ctx, g); err != nil {
			return g, err
		}
	}
	t.record(change{kind: kindGrantChanged, Grant: &next})
	if err := t.s.store.replaceGrant(ctx, next); err != nil || !g.Admin || next.Admin {
		return next, err
	}
	dependents, err := t.s.store.grantsVia(ctx, []Grant{g})
	if err != nil || len(dependents) == 0 {
		return next, err
	}
	if c.Mode != Cascade {
		return next, dependentsOf(dependents)
	}
	_, err = t.cascade(ctx, dependents, Cascade)
	return next, err
}

// memberExists refuses a member that is not there, as far as this package can know.
func (s *Service) memberExists(ctx context.Context, member ref.Ref) error {
	if member.Type == ref.Role {
		_, err := s.store.role(ctx, member.ID)
		return err
	}
	if s.cfg.UserExists == nil {
		return nil
	}
	ok, err := s.cfg.UserExists(ctx, member.ID)
	if err == nil && !ok {
		return fault.ErrNotFound
	}
	return err
}

// blame puts the input field on a NOT_FOUND.
func blame(err error, field string) error {
	if errors.Is(err, fault.ErrNotFound) {
		return fault.ErrNotFound.On(field)
	}
	return err
}

// hide makes a NOT_FOUND of ours an internal error: the client asked for nothing that is not there.
func hide(err error) error {
	if errors.Is(err, fault.ErrNotFound) {
		return fault.ErrInternal.Because(err)
	}
	return err
}
