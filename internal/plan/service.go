package plan

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Authorizer is what plan needs of rbac to decide who may.
type Authorizer interface {
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Roles is what plan needs of rbac to give its members their role.
type Roles interface {
	// SetSource makes the roles that a member holds on behalf of a source exactly these, in the transaction of ctx.
	SetSource(ctx context.Context, member ref.Ref, source string, roles []RoleTime) error
	Sync(ctx context.Context) error
	// RoleID and RoleKey name a role the other way.
	RoleID(ctx context.Context, key string) (string, error)
	RoleKey(ctx context.Context, id string) (string, error)
	// MayGrant refuses who may not let anybody hold a role.
	MayGrant(ctx context.Context, role string) error
}

// Config tunes the service. Zero values mean the defaults written beside them.
type Config struct {
	CacheFor  time.Duration // the catalogue and the memberships in memory are read anew at least so often; default 1 min
	CacheSize int           // memberships in memory; default 100,000
	Features  []Feature     // those that the code asks for
	Payments  payment.Provider
	Lag       func() time.Duration // of the change stream; nil when there is none to wait for
	Surcharge int                  // percent on top of an upgrade within a period; default 0
	Clocks    bool                 // whether clocks of memberships may be moved
	Log       *slog.Logger
}

// Service is the business of this package. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	store   mongoStore
	events  *event.Log
	now     clock.Clock
	authz   Authorizer
	roles   Roles
	pay     payment.Provider
	cfg     Config
	members *members
	line    combiner // of uses with a name
	objects map[string]Objects
	off     map[string][]func(ctx context.Context, subject ref.Ref) error

	mu     sync.Mutex
	cached *catalogue // nil when forgotten
	forgot int        // how often, so that a read that was under way meanwhile is not kept
}

// New makes the service.
func New(db *store.DB, events *event.Log, now clock.Clock, authz Authorizer, roles Roles, cfg Config) *Service {
	if cfg.CacheFor == 0 {
		cfg.CacheFor = time.Minute
	}
	if cfg.CacheSize == 0 {
		cfg.CacheSize = 100_000
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		db: db, store: newStore(db), events: events, now: now, authz: authz, roles: roles, pay: cfg.Payments, cfg: cfg,
		members: newMembers(cfg.CacheSize), objects: map[string]Objects{}, off: map[string][]func(context.Context, ref.Ref) error{},
	}
}

// MembershipOf is a subject's place in the catalogue now. Without a membership it is on the default plan, at version 0.
// Another's needs plan.membership.read. Cost: one find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, PLAN_NO_DEFAULT.
func (s *Service) MembershipOf(ctx context.Context, subject ref.Ref) (Place, error) {
	if err := s.require(ctx, subject, PermRead); err != nil {
		return Place{}, err
	}
	return s.placeOf(ctx, subject)
}

// MembershipsByIDs reads these memberships. Absent ones are left out, and so are others' for a caller without
// plan.membership.read. Cost: one find.
func (s *Service) MembershipsByIDs(ctx context.Context, ids []string) (map[string]Place, error) {
	all, err := s.store.membershipsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	found := map[string]Place{}
	for id, m := range all {
		if s.require(ctx, m.Subject, PermRead) != nil {
			continue
		}
		if found[id], err = s.place(ctx, m); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Memberships lists them, the newest first; those on any version of the plan of that key, or all for "". Needs
// plan.membership.read. Cost: one find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PLAN_UNKNOWN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Memberships(ctx context.Context, planKey string, args page.Args) (page.Page[Place], error) {
	if err := s.authz.Require(ctx, PermRead, ref.Ref{}); err != nil {
		return page.Page[Place]{}, err
	}
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Place]{}, err
	}
	c, err := s.catalogue(ctx)
	if err != nil {
		return page.Page[Place]{}, err
	}
	var plans []string
	for _, p := range c.plans {
		if p.Key == planKey {
			plans = append(plans, p.ID)
		}
	}
	if planKey != "" && plans == nil {
		return page.Page[Place]{}, ErrUnknown.On("plan")
	}
	read, err := s.store.page(ctx, plans, w)
	if err != nil {
		return page.Page[Place]{}, err
	}
	all := make([]Place, len(read))
	for i, m := range read {
		if all[i], err = s.place(ctx, m); err != nil {
			return page.Page[Place]{}, err
		}
	}
	return page.Fold(w, all, func(p Place) page.Cursor { return page.Cursor{p.ID} }), nil
}

// Enroll puts a new subject on the current version of the plan of that key, the default one for "", and gives it the plan's role.
// It joins the caller's transaction and asks nobody's leave: the flow that makes the subject calls it, and the Sync of rbac
// after the commit. What the plan costs nobody is asked for: the first period is as if it were paid. A membership that is there
// already is the answer. The event plan.membership.started commits with it. Cost: 1 read, 2 writes, and those of the grant.
//
// Errors: PLAN_NO_DEFAULT, PLAN_UNKNOWN.
func (s *Service) Enroll(ctx context.Context, subject ref.Ref, key string) (Membership, error) {
	var m Membership
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		p, err := s.placeOf(ctx, subject)
		if m = p.Membership; err != nil || m.Version > 0 {
			return err
		}
		to := p.Plan
		if key != "" {
			if to, err = s.ByKey(ctx, key); err != nil {
				return err
			}
		}
		fresh := Membership{ID: ref.NewID(), Subject: subject}
		return s.settleFree(ctx, &fresh, to, "plan.membership.started", func(done Membership) { m = done })
	})
	if err != nil {
		return Membership{}, err
	}
	s.members.forget(subject)
	return m, nil
}

// settleFree begins a plan at its first price as if the first period were paid.
func (s *Service) settleFree(ctx context.Context, m *Membership, to Plan, kind string, done func(Membership)) error {
	now := s.now().Add(m.Offset)
	next := *m
	next.Contract = Contract{
		Plan: to.ID, Since: now, Anchor: now, From: now, Tried: m.Tried, Extras: topUps(m.Extras),
	}
	if !to.free() {
		next.Price = to.Prices[0].Key()
		next.Until = new(to.Prices[0].Every.bound(now, 1, m.zone()))
	}
	saved, err := s.save(ctx, *m, next, kind, now)
	if err == nil {
		done(saved)
	}
	return err
}

// Put moves a subject to the current version of a plan at once and for nothing: as an administrator does, or the flow that takes
// an invitation. Needs plan.membership.write. The event plan.membership.changed commits with it. Cost: 1 read, 2 writes, those of
// the grants, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, PLAN_UNKNOWN, PLAN_SAME, PLAN_BUSY, OUTCOME_UNKNOWN.
func (s *Service) Put(ctx context.Context, subject ref.Ref, key string) (Place, error) {
	p, err := s.ByKey(ctx, key)
	if err != nil {
		return Place{}, err
	}
	return s.administer(ctx, subject, func(ctx context.Context, m Membership, now time.Time) error {
		if m.Plan == p.ID && m.CancelAt == nil && m.Next == nil {
			return ErrSame
		}
		return s.settleFree(ctx, &m, p, kindChanged, func(Membership) {})
	})
}

// administer does something to a subject's membership in a transaction, for who holds plan.membership.write.
func (s *Service) administer(
	ctx context.Context, subject ref.Ref, do func(ctx context.Context, m Membership, now time.Time) error,
) (Place, error) {
	if err := s.authz.Require(ctx, PermWrite, subject); err != nil {
		return Place{}, err
	}
	return s.alter(ctx, subject, do)
}

// alter does something to a subject's membership in a transaction, unless a payment is under way, and gives the place after it.
func (s *Service) alter(
	ctx context.Context, subject ref.Ref, do func(ctx context.Context, m Membership, now time.Time) error,
) (Place, error) {
	var p Place
	err := s.db.InTx(ctx, func(ctx context.Context) error { // may run again: no state but p
		m, found, err := s.store.membership(ctx, subject)
		switch {
		case err != nil:
			return err
		case !found:
			return errNoMember // it may be the id of nobody
		case m.Intent != nil:
			return ErrBusy
		}
		if err := do(ctx, m, s.now().Add(m.Offset)); err != nil {
			return err
		}
		p, err = s.placeOf(ctx, subject)
		return err
	})
	if err != nil {
		return Place{}, err
	}
	s.settled(ctx, subject)
	return p, nil
}

// settled makes a change count on this node: it is committed, unless the transaction is the caller's.
func (s *Service) settled(ctx context.Context, subject ref.Ref) {
	s.members.forget(subject)
	if !store.InTransaction(ctx) { // else the caller's is yet to commit, and syncing is the caller's
		// A node that can't follow refuses checks by itself, and the answer is still this.
		_ = s.roles.Sync(ctx)
	}
}

var (
	errNoMember = fault.ErrNotFound.Saying("there is no such member")
	errNoEntry  = fault.ErrNotFound.Saying("there is no such invoice")
)

// require lets the subject itself pass, and holders of the permission. Who comes with a limited scope, by a key of the subject or as
// somebody who acts as them, needs it within that to change something.
func (s *Service) require(ctx context.Context, subject ref.Ref, permission string) error {
	a := actor.From(ctx)
	if me := a.Ref(); !me.IsZero() && me == subject && (permission == PermRead || a.Scope == nil) {
		return nil
	}
	return s.authz.Require(ctx, permission, subject)
}

// requireAny lets who holds one of the permissions pass.
func (s *Service) requireAny(ctx context.Context, permissions ...string) (err error) {
	for _, p := range permissions {
		if err = s.authz.Require(ctx, p, ref.Ref{}); err == nil {
			return nil
		}
	}
	return err
}

// by is who does it, as recorded.
func by(ctx context.Context) ref.Ref {
	if r := actor.From(ctx).Ref(); !r.IsZero() {
		return r
	}
	return actor.System().Ref()
}

// membership is the stored one, or that of a subject without.
func (s *Service) membership(ctx context.Context, subject ref.Ref) (Membership, error) {
	m, found, err := s.store.membership(ctx, subject)
	if err != nil || found {
		return m, err
	}
	c, err := s.catalogue(ctx)
	if err != nil {
		return Membership{}, err
	}
	return s.nobody(subject, c)
}

// nobody is the membership of a subject that has none.
func (s *Service) nobody(subject ref.Ref, c *catalogue) (Membership, error) {
	p, err := c.defaultPlan()
	return unwritten(subject, p), err
}

func (s *Service) place(ctx context.Context, m Membership) (Place, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return Place{}, err
	}
	if c, err = s.catalogueFor(ctx, m, c); err != nil {
		return Place{}, err
	}
	return m.at(c, s.now().Add(m.Offset))
}

func (s *Service) placeOf(ctx context.Context, subject ref.Ref) (Place, error) {
	m, err := s.membership(ctx, subject)
	if err != nil {
		return Place{}, err
	}
	return s.place(ctx, m)
}

// The events of memberships.
const (
	kindChanged  = "plan.membership.changed"
	kindOff      = "plan.feature.turned_off"
	kindCanceled = "plan.membership.canceled"
)

// memberFact is what the log says of a membership. Plans are ids: those in effect before and after.
type memberFact struct {
	Subject ref.Ref    `bson:"subject"`
	Before  string     `bson:"before,omitempty"`
	After   string     `bson:"after"`
	Status  Status     `bson:"status"`
	Until   *time.Time `bson:"until,omitempty"`
	Version int64      `bson:"v"`
	Reason  string     `bson:"reason,omitempty"`
}

// save writes next over m with all that follows from it, in the transaction of ctx: the roles, the features that are turned off,
// what is above its limit now and what is not any more, the event, and when a job has to look at it again.
func (s *Service) save(ctx context.Context, m, next Membership, kind string, now time.Time) (Membership, error) {
	c, err := s.catalogueWith(ctx, planIDs(next)...)
	if err != nil {
		return next, err
	}
	after, err := hold(next, c, s.now(), s.now())
	if err != nil {
		return next, err
	}
	before := after
	if m.Version > 0 { // as it was last told: what has come by the clock since is part of the change
		if before, err = hold(m, c, m.ToldUntil.Add(-m.Offset), s.now()); err != nil {
			return next, err
		}
	}
	if err := s.turnOff(ctx, before, after); err != nil {
		return next, err
	}
	if next.Over, err = s.tellOver(ctx, m, after, now); err != nil {
		return next, err
	}
	if next, err = s.write(ctx, m, next, c, now); err != nil {
		return next, err
	}
	if kind == "" {
		return next, nil
	}
	f := memberFact{Subject: next.Subject, After: after.place.Plan.ID, Status: after.place.Status, Until: after.place.Until, Version: next.Version}
	if m.Version > 0 {
		f.Before = before.place.Plan.ID
	}
	if next.Paused != nil {
		f.Reason = next.Paused.Reason
	}
	return next, s.events.Append(ctx, kind, next.Ref(), f)
}

// write stores next over m, with the roles it gives.
func (s *Service) write(ctx context.Context, m, next Membership, c *catalogue, now time.Time) (Membership, error) {
	next.Version = m.Version + 1
	if m.Version == 0 {
		next.ToldUntil = now
	}
	spans, err := next.spans(c)
	if err != nil {
		return next, err
	}
	next.DueAt = next.due(c)
	if err := s.store.write(ctx, next, m.Version); err != nil {
		return next, err
	}
	err = s.roles.SetSource(ctx, next.Subject, next.source(), next.roles(spans))
	if errors.Is(err, fault.ErrNotFound) { // the caller asked for a plan, and that is there
		err = fault.ErrInternal.Because(err)
	}
	return next, err
}

func planIDs(m Membership) []string {
	if m.Next != nil {
		return []string{m.Plan, m.Next.Plan}
	}
	return []string{m.Plan}
}

// featureFact is what the log says of a feature that is lost.
type featureFact struct {
	Subject ref.Ref `bson:"subject"`
	Feature string  `bson:"feature"`
}

// turnOff calls what has to happen when BOOLEAN features are lost.
func (s *Service) turnOff(ctx context.Context, before, after *held) error {
	for _, f := range sorted(after.c.features) {
		if f.Kind != Boolean || !before.all[f.Key].On || after.all[f.Key].On {
			continue
		}
		for _, off := range s.off[f.Key] {
			if err := off(ctx, after.m.Subject); err != nil {
				return err
			}
		}
		if err := s.events.Append(ctx, kindOff, after.m.Ref(), featureFact{after.m.Subject, f.Key}); err != nil {
			return err
		}
	}
	return nil
}

// tellOver tells of COUNTED features that a change has put above their limit, or back below it, and gives those that are above.
func (s *Service) tellOver(ctx context.Context, m Membership, after *held, now time.Time) ([]string, error) {
	if m.Version == 0 {
		return nil, nil
	}
	docs, err := s.store.counters(ctx, after.periods(now))
	if err != nil {
		return nil, err
	}
	var over []string
	for _, f := range sorted(after.c.features) {
		if f.Kind != Counted {
			continue
		}
		a := after.all[f.Key]
		d := docs[counterID(m.Subject, f.Key, nil)]
		level, was := levelOf(d.Used, a.total(d.Carry)), Fine
		if slices.Contains(m.Over, f.Key) {
			was = Exceeded
		}
		if level == Exceeded {
			over = append(over, f.Key)
		} else if level == Near && was == Fine {
			continue // a change of plan is no use
		}
		if err := s.tellLevel(ctx, after, a, d, was, level); err != nil {
			return nil, err
		}
	}
	return over, nil
}
