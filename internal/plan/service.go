package plan

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Authorizer is what plan needs of rbac to decide who may.
type Authorizer interface {
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Roles is what plan needs of rbac to give its members their role.
type Roles interface {
	GrantSource(ctx context.Context, member ref.Ref, roleID, source string) error
	RevokeSource(ctx context.Context, source string) error
	Sync(ctx context.Context) error
}

// Config tunes the service. Zero values mean the defaults written beside them.
type Config struct {
	CacheFor time.Duration // the catalogue is read anew at least so often, should the change stream fail; default 1 min
}

// Service is the business of this package. It is safe for concurrent use.
type Service struct {
	db     *store.DB
	store  mongoStore
	events *event.Log
	now    clock.Clock
	authz  Authorizer
	roles  Roles
	cfg    Config

	mu     sync.Mutex
	cached *catalogue // nil when forgotten
	forgot int        // how often, so that a read that was under way meanwhile is not kept
}

// New makes the service.
func New(db *store.DB, events *event.Log, now clock.Clock, authz Authorizer, roles Roles, cfg Config) *Service {
	if cfg.CacheFor == 0 {
		cfg.CacheFor = time.Minute
	}
	return &Service{db: db, store: newStore(db), events: events, now: now, authz: authz, roles: roles, cfg: cfg}
}

// CheckCatalogue tells at start-up whether the catalogue will do.
//
// Errors: PLAN_NO_DEFAULT.
func (s *Service) CheckCatalogue(ctx context.Context) error {
	c, err := s.catalogue(ctx)
	if err != nil {
		return err
	}
	_, err = c.defaultPlan()
	return err
}

// All is the catalogue, by rank. It is public. Cost: none while it is cached, else one find.
func (s *Service) All(ctx context.Context) ([]Plan, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(c.plans), nil
}

// ByIDs gives these plans; absent ones are left out. Cost: as [Service.All].
func (s *Service) ByIDs(ctx context.Context, ids []string) (map[string]Plan, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Plan, len(ids))
	for _, id := range ids {
		if p, ok := c.byID(id); ok {
			found[id] = p
		}
	}
	return found, nil
}

// ByKey is the plan of that key. Cost: as [Service.All].
//
// Errors: PLAN_UNKNOWN.
func (s *Service) ByKey(ctx context.Context, key string) (Plan, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return Plan{}, err
	}
	i := slices.IndexFunc(c.plans, func(p Plan) bool { return p.Key == key })
	if i < 0 {
		return Plan{}, ErrUnknown
	}
	return c.plans[i], nil
}

// Put makes each plan whose key is new, and gives the one that has the key otherwise the same content; ids of the
// argument do not matter. Plans not named stay. Needs plan.catalogue.write. A plan that is the same already is not
// written. Members keep the role they were given until they move. The event plan.catalogue.changed commits with each.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, BAD_USER_INPUT, PLAN_NO_DEFAULT, COMMIT_UNKNOWN.
func (s *Service) Put(ctx context.Context, plans []Plan) error {
	if err := s.authz.Require(ctx, PermCatalogueWrite, ref.Ref{}); err != nil {
		return err
	}
	for i, p := range plans {
		if err := p.check(); err != nil {
			return err
		}
		if slices.ContainsFunc(plans[:i], func(q Plan) bool { return q.Key == p.Key }) {
			return fault.ErrInput.Saying("the plan %s is there twice", p.Key)
		}
	}
	err := s.db.InTx(ctx, func(ctx context.Context) error { return s.put(ctx, plans) })
	s.forget()
	return err
}

func (s *Service) put(ctx context.Context, plans []Plan) error {
	all, err := s.store.plans(ctx)
	if err != nil {
		return err
	}
	type edit struct {
		Before *Plan `bson:"before,omitempty"`
		After  Plan  `bson:"after"`
	}
	var edits []edit
	for _, p := range plans {
		p.Limits = append([]Limit{}, p.Limits...) // stored as an empty list, never as null
		i := slices.IndexFunc(all, func(q Plan) bool { return q.Key == p.Key })
		switch {
		case i < 0:
			p.ID = ref.NewID()
			all, edits = append(all, p), append(edits, edit{After: p})
		case !all[i].equal(p):
			p.ID = all[i].ID
			edits = append(edits, edit{Before: new(all[i]), After: p})
			all[i] = p
		}
	}
	if _, err := (&catalogue{plans: all}).defaultPlan(); err != nil {
		return err
	}
	// The new default last: the index allows none for a moment, but never two.
	slices.SortStableFunc(edits, func(a, b edit) int {
		if a.After.Default == b.After.Default {
			return 0
		}
		if b.After.Default {
			return -1
		}
		return 1
	})
	for _, e := range edits {
		if err := s.store.putPlan(ctx, e.After); err != nil {
			return err
		}
		if err := s.events.Append(ctx, "plan.catalogue.changed", e.After.Ref(), e); err != nil {
			return err
		}
	}
	return nil
}

// MembershipOf is a subject's place in the catalogue. Without a membership it is on the default plan, at version 0.
// Another's needs plan.membership.write. Cost: one find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, PLAN_NO_DEFAULT.
func (s *Service) MembershipOf(ctx context.Context, subject ref.Ref) (Membership, error) {
	if err := s.require(ctx, subject); err != nil {
		return Membership{}, err
	}
	m, _, err := s.place(ctx, subject)
	return m, err
}

// MembershipsByIDs reads these memberships. Absent ones are left out, and so are others' for a caller without
// plan.membership.write. Cost: one find.
func (s *Service) MembershipsByIDs(ctx context.Context, ids []string) (map[string]Membership, error) {
	all, err := s.store.membershipsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, m := range all {
		if s.require(ctx, m.Subject) != nil {
			delete(all, id)
		}
	}
	return all, nil
}

// Entitlements is what a subject may use, in the order of the plan; then what it uses although its plan does not name
// it. Another's needs plan.membership.write. Cost: two finds.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, PLAN_NO_DEFAULT.
func (s *Service) Entitlements(ctx context.Context, subject ref.Ref) ([]Entitlement, error) {
	if err := s.require(ctx, subject); err != nil {
		return nil, err
	}
	_, p, err := s.place(ctx, subject)
	if err != nil {
		return nil, err
	}
	used, err := s.store.usage(ctx, subject)
	if err != nil {
		return nil, err
	}
	return entitlements(p, used), nil
}

// Enroll puts a new subject on the plan of that key, the default one for "", and gives it the plan's role. It joins the caller's transaction and asks
// nobody's leave: the flow that makes the subject calls it, and the Sync of rbac after the commit. A membership that is
// there already is the answer. The event plan.membership.started commits with it. Cost: 1 read, 2 writes, and those of
// the grant.
//
// Errors: PLAN_NO_DEFAULT, PLAN_UNKNOWN.
func (s *Service) Enroll(ctx context.Context, subject ref.Ref, key string) (Membership, error) {
	var m Membership
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		var p Plan
		var err error
		if m, p, err = s.place(ctx, subject); err != nil || m.Version > 0 {
			return err
		}
		if key != "" {
			if p, err = s.ByKey(ctx, key); err != nil {
				return err
			}
		}
		m = Membership{ID: ref.NewID(), Subject: subject, Plan: p.ID, Since: s.now(), Version: 1}
		if err := s.store.insert(ctx, m); err != nil {
			return err
		}
		if err := s.grant(ctx, m, p); err != nil {
			return err
		}
		return s.events.Append(ctx, "plan.membership.started", m.Ref(), m)
	})
	if err != nil {
		return Membership{}, err
	}
	return m, nil
}

// Change moves a subject to another plan at once: the plan's role is granted and the old one's revoked in the same
// transaction, and both count when Change returns; in a transaction of the caller's that is for the caller to see to, by
// the Sync of rbac after the commit. One moves oneself, or others with plan.membership.write. Nothing that
// is in use is taken away. A subject that was never enrolled can only move itself, or be moved by the system. The event
// plan.membership.changed commits with it. Cost: 1 read, 2 writes, those of the grants, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, PLAN_UNKNOWN, PLAN_SAME, PLAN_STALE, COMMIT_UNKNOWN.
func (s *Service) Change(ctx context.Context, c ChangeCmd) (Membership, error) {
	if err := s.mayChange(ctx, c.Subject); err != nil {
		return Membership{}, err
	}
	p, err := s.plan(ctx, c.Plan)
	if err != nil {
		return Membership{}, err
	}
	var next Membership
	err = s.db.InTx(ctx, func(ctx context.Context) error { // may run again: no state but next
		cur, _, err := s.place(ctx, c.Subject)
		if err != nil {
			return err
		}
		switch {
		case cur.Version != c.Version:
			return ErrStale
		case cur.Version == 0 && actor.From(ctx).Ref() != c.Subject && !actor.From(ctx).System:
			return fault.ErrNotFound // it may be the id of nobody
		}
		if next, err = cur.moveTo(p, s.now()); err != nil {
			return err
		}
		if err := s.store.replace(ctx, next, c.Version); err != nil {
			return err
		}
		if err := s.roles.RevokeSource(ctx, next.source()); err != nil {
			return err
		}
		if err := s.grant(ctx, next, p); err != nil {
			return err
		}
		return s.events.Append(ctx, "plan.membership.changed", next.Ref(), struct {
			Subject ref.Ref `bson:"subject"`
			Before  string  `bson:"before"`
			After   string  `bson:"after"`
			Version int64   `bson:"v"`
		}{next.Subject, cur.Plan, next.Plan, next.Version})
	})
	if err != nil {
		return Membership{}, err
	}
	if !store.InTransaction(ctx) { // else the caller's is yet to commit, and syncing is the caller's
		// The change is committed: a node that can't follow refuses checks by itself, and the answer is still this.
		_ = s.roles.Sync(ctx)
	}
	return next, nil
}

func (s *Service) grant(ctx context.Context, m Membership, p Plan) error {
	if p.Role == "" {
		return nil
	}
	if err := s.roles.GrantSource(ctx, m.Subject, p.Role, m.source()); err != nil {
		if errors.Is(err, fault.ErrNotFound) { // the caller asked for a plan, and that is there
			return fault.ErrInternal.Because(err)
		}
		return err
	}
	return nil
}

// mayChange is require, but for who comes with a limited scope, by a key of the subject or as somebody who acts as them:
// what they change must be within it.
func (s *Service) mayChange(ctx context.Context, subject ref.Ref) error {
	if actor.From(ctx).Scope != nil {
		return s.authz.Require(ctx, PermWrite, subject)
	}
	return s.require(ctx, subject)
}

// require lets the subject itself pass, and holders of plan.membership.write.
func (s *Service) require(ctx context.Context, subject ref.Ref) error {
	if me := actor.From(ctx).Ref(); !me.IsZero() && me == subject {
		return nil
	}
	return s.authz.Require(ctx, PermWrite, subject)
}

// place is a subject's membership and its plan. Cost: one find.
func (s *Service) place(ctx context.Context, subject ref.Ref) (Membership, Plan, error) {
	m, ok, err := s.store.membership(ctx, subject)
	if err != nil {
		return Membership{}, Plan{}, err
	}
	if ok {
		p, err := s.plan(ctx, m.Plan)
		if errors.Is(err, ErrUnknown) { // no fault of the caller's: plans are never deleted
			err = fault.ErrInternal.Because(err)
		}
		return m, p, err
	}
	c, err := s.catalogue(ctx)
	if err != nil {
		return Membership{}, Plan{}, err
	}
	p, err := c.defaultPlan()
	return unwritten(subject, p), p, err
}
