package rbac

import (
	"context"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// turn is one writer's turn at the policy, inside a transaction. What it reads is a snapshot of the database, and its
// first record fails if another writer has committed since; then the transaction is run again.
type turn struct {
	s       *Service
	view    *policy // as of now in this transaction; nil until somebody asks
	changes []change
}

// write runs fn as a turn, in a transaction of its own or in the one of ctx, and puts the changes in force after the
// commit. In a transaction of the caller's that is the caller's business: see [Service.Sync].
func (s *Service) write(ctx context.Context, fn func(ctx context.Context, t *turn) error) error {
	var t *turn
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		t = &turn{s: s}
		return fn(ctx, t)
	})
	if err != nil {
		return err
	}
	if !store.InTransaction(ctx) {
		s.adopt(ctx, t.changes)
	}
	return nil
}

// policy is the policy as this transaction sees it. It holds all roles and edges between them, but of the users perhaps
// only the actor. Mostly it is the snapshot in force; when that is of another revision: three finds.
func (t *turn) policy(ctx context.Context) (*policy, error) {
	if t.view != nil {
		return t.view, nil
	}
	rev, err := t.s.store.revision(ctx)
	if err != nil {
		return nil, err
	}
	if p := t.s.snap.Load(); p != nil && p.rev == rev {
		t.view = p
		return p, nil
	}
	roles, grants, err := t.s.store.outline(ctx, actor.From(ctx).User)
	if err != nil {
		return nil, err
	}
	t.view = build(t.s.cat, rev, roles, grants, t.s.now().UnixMilli())
	return t.view, nil
}

// record raises the revision and appends the event of the change.
func (t *turn) record(ctx context.Context, c change) error {
	rev, err := t.s.store.raise(ctx)
	if err != nil {
		return err
	}
	c.Rev = rev
	t.changes = append(t.changes, c)
	if t.view != nil {
		t.view, _ = t.view.apply(c, t.s.now().UnixMilli()) // nil when it does not fit: read again if asked
	}
	return t.s.events.Append(ctx, c.kind, c.on(), c)
}

// authorize checks again, on the policy of this transaction, that the actor holds permission, and all of the rights that
// are to be given or taken. So an administrator who is no more can't use a node that has not heard of it.
func (t *turn) authorize(ctx context.Context, permission string, given func(*policy) set) error {
	a := actor.From(ctx)
	if a.System {
		return nil
	}
	p, err := t.policy(ctx)
	if err != nil {
		return err
	}
	mine := t.s.cat.within(p.rights(a.User, t.s.now().UnixMilli()), a.Scope)
	if !mine.has(t.s.cat.ids[permission]) {
		return fault.ErrForbidden.With("permission", permission)
	}
	if missing := given(p).without(mine); !missing.empty() {
		return ErrEscalation.With("missing", t.s.cat.list(missing))
	}
	return nil
}

// closureOf is the rights a role gives, for authorize.
func closureOf(roleID string) func(*policy) set {
	return func(p *policy) set {
		return p.graph.row(p.graph.ever, p.graph.rows[roleID]) // an expired edge may be extended: count it
	}
}

// put inserts a grant, or lets the one there is last as long as g: the member holds the role after it at least that long.
func (t *turn) put(ctx context.Context, g Grant) (Grant, error) {
	have, found, err := t.s.store.grantOf(ctx, g.Member, g.Role, g.Source)
	switch {
	case err != nil:
		return Grant{}, err
	case found && have.outlasts(g.ExpiresAt):
		return have, nil
	case found:
		have.ExpiresAt = g.ExpiresAt
		if err := t.record(ctx, change{kind: kindGrantExtended, Grant: &have}); err != nil {
			return Grant{}, err
		}
		return have, t.s.store.extend(ctx, have)
	}
	if g.Member.Type == ref.Role {
		if err := t.admit(ctx, g); err != nil {
			return Grant{}, err
		}
	}
	if err := t.record(ctx, change{kind: kindGrantCreated, Grant: &g}); err != nil {
		return Grant{}, err
	}
	return g, t.s.store.insertGrant(ctx, g)
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

// drop removes a grant unless nobody would administer the server without it.
func (t *turn) drop(ctx context.Context, g Grant) error {
	r, err := t.s.store.role(ctx, g.Role)
	if err != nil {
		return err
	}
	if r.Key == RoleAdmin && g.Member.Type == ref.User {
		others, err := t.s.store.heldForEver(ctx, g.Role, g.ID)
		if err != nil {
			return err
		}
		if !others {
			return ErrLastAdmin
		}
	}
	if err := t.record(ctx, change{kind: kindGrantRevoked, Grant: &g}); err != nil {
		return err
	}
	return t.s.store.deleteGrant(ctx, g.ID)
}

// grant makes a grant of the caller of ctx; the server's own when nobody is signed in, as in a registration.
func (t *turn) grant(ctx context.Context, member ref.Ref, role, source string) Grant {
	by := actor.From(ctx).Ref()
	if by.IsZero() {
		by = actor.System().Ref()
	}
	return Grant{ID: ref.NewID(), Member: member, Role: role, Source: source, GrantedBy: by, CreatedAt: t.s.now()}
}
