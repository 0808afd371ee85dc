package rbac

import (
	"context"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// turn is one writer's turn at the policy, inside a transaction. What it reads is a snapshot of the database, and to take the
// revision at its end fails if another writer has committed since; then the transaction is run again.
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
		if err := fn(ctx, t); err != nil {
			return err
		}
		return t.finish(ctx)
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
// only the actor. Mostly it is the snapshot in force; when that is of another revision: five finds.
func (t *turn) policy(ctx context.Context) (*policy, error) {
	if t.view != nil {
		return t.view, nil
	}
	rev, err := t.s.store.revision(ctx)
	if err != nil {
		return nil, err
	}
	if p := t.s.snap.Load(); p != nil && p.rev == rev && len(t.changes) == 0 {
		t.view = p
		return p, nil
	}
	all, err := t.s.store.outline(ctx, actor.From(ctx).User)
	if err != nil {
		return nil, err
	}
	all.rev = rev
	t.view = build(t.s.cat, all, t.s.now().UnixMilli())
	return t.view, nil
}

// record takes a change into the turn's view of the policy and, at the end of the turn, into the log.
func (t *turn) record(c change) {
	t.changes = append(t.changes, c)
	if t.view == nil {
		return
	}
	next, fits := t.view.apply([]change{c}, t.s.now().UnixMilli())
	if t.view = next; !fits {
		t.view = nil // read again if asked: what is written is seen in the transaction
	}
}

// finish raises the revision, once for all changes, and appends their events.
func (t *turn) finish(ctx context.Context) error {
	if len(t.changes) == 0 {
		return nil
	}
	rev, err := t.s.store.raise(ctx)
	if err != nil {
		return err
	}
	for i := range t.changes {
		c := &t.changes[i]
		c.Rev, c.Part, c.Parts = rev, i, len(t.changes)
		if err := t.s.events.Append(ctx, c.kind, c.on(), *c); err != nil {
			return err
		}
	}
	return nil
}

// me is what the actor holds in the policy of this transaction.
func (t *turn) me(ctx context.Context) (p *policy, who person, err error) {
	if p, err = t.policy(ctx); err != nil {
		return nil, nobody, err
	}
	return p, p.principal(actor.From(ctx), t.s.now().UnixMilli()), nil
}

// holds reports whether the actor holds a permission, in the policy of this transaction. So an administrator who is no more
// can't use a node that has not heard of it.
func (t *turn) holds(ctx context.Context, permission string) (bool, error) {
	a := actor.From(ctx)
	if a.System {
		return true, nil
	}
	p, who, err := t.me(ctx)
	if err != nil {
		return false, err
	}
	q := question{perm: t.s.cat.ids[permission]}
	return a.Scope.Has(permission) && p.decide(&who, &q, t.s.now().UnixMilli()) == Allowed, nil
}

// authorize refuses an actor who does not hold a permission in the policy of this transaction.
func (t *turn) authorize(ctx context.Context, permission string) error {
	ok, err := t.holds(ctx, permission)
	if err == nil && !ok {
		err = fault.ErrForbidden.With("permission", permission)
	}
	return err
}

// covers refuses to give rights the actor does not hold: needed is theirs as a role has them whose parameters are bound like
// holder. Who holds door may give them all the same, and escalated tells so.
func (t *turn) covers(ctx context.Context, needed *closure, holder *slots, params []string, door string) (escalated bool, err error) {
	a := actor.From(ctx)
	if a.System {
		return false, nil
	}
	p, who, err := t.me(ctx)
	if err != nil {
		return false, err
	}
	mine := p.rights(&who, t.s.now().UnixMilli())
	mine.limit(t.s.cat, a.Scope)
	missing := p.missing(mine, needed, holder, params)
	if len(missing) == 0 {
		return false, nil
	}
	if open, err := t.holds(ctx, door); err != nil || open {
		return open, err
	}
	return false, ErrEscalation.With("missing", missing)
}

// grant makes a grant of the caller of ctx; the server's own when nobody is signed in, as in a registration.
func (t *turn) grant(ctx context.Context, member ref.Ref, role, source string) Grant {
	by := actor.From(ctx).Ref()
	if by.IsZero() {
		by = actor.System().Ref()
	}
	return Grant{ID: ref.NewID(), Member: member, Role: role, Source: source, GrantedBy: by, CreatedAt: t.s.now()}
}
