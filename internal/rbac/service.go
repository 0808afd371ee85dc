package rbac

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Config tunes the service. Zero values mean the defaults written beside them.
type Config struct {
	MaxStale time.Duration // a node that has heard nothing for longer refuses every check; default 5 s
	TailWait time.Duration // how long Sync waits for the change stream before it reads the policy anew; default 250 ms
	ReadIn   time.Duration // bound on reading the whole policy anew; default 5 s

	// UserExists, if set, tells whether there is such a user; [Service.Grant] then refuses others. It is called inside
	// the transaction of the grant.
	UserExists func(ctx context.Context, id string) (bool, error)
}

// Service is the business of this package. It is safe for concurrent use. Checks answer POLICY_STALE until
// [Service.Load] has been called.
type Service struct {
	db     *store.DB
	store  mongoStore
	events *event.Log
	now    clock.Clock
	cat    *catalogue
	lag    func() time.Duration
	log    *slog.Logger
	cfg    Config

	snap   atomic.Pointer[policy]
	broken atomic.Bool // something was missed and could not be read yet: refuse
	follow atomic.Bool // there is a follower, so changes come by themselves
	repair atomic.Bool // somebody is reading the policy anew after a failure

	mu    sync.Mutex    // held while snap is replaced by another revision
	moved chan struct{} // closed when it is; guarded by mu

	watchers []func(users []string)
}

// New makes the service. catalogue is all permissions there are, key to description; lag is how long the change stream
// of this node has been silent ([event.Tail.Lag]).
func New(db *store.DB, events *event.Log, now clock.Clock, catalogue map[string]string, lag func() time.Duration, log *slog.Logger, cfg Config) *Service {
	if cfg.MaxStale == 0 {
		cfg.MaxStale = 5 * time.Second
	}
	if cfg.TailWait == 0 {
		cfg.TailWait = 250 * time.Millisecond
	}
	if cfg.ReadIn == 0 {
		cfg.ReadIn = 5 * time.Second
	}
	return &Service{
		db: db, store: newStore(db), events: events, now: now, cat: newCatalogue(catalogue), lag: lag, log: log, cfg: cfg,
		moved: make(chan struct{}),
	}
}

// OnChange registers a function to call when a changed policy is in force, with the users whose rights it may touch, or
// nil for everybody. It must not block and not write policy. A grant that expires is no change. Only before serving.
func (s *Service) OnChange(fn func(users []string)) { s.watchers = append(s.watchers, fn) }

// Require refuses unless the actor of ctx holds the permission. on is the object it is asked for, or the zero Ref; no
// rule depends on it yet. Cost: none, it looks into memory.
//
// Errors: UNAUTHENTICATED, FORBIDDEN with the permission in the details, POLICY_STALE, UNKNOWN_PERMISSION.
func (s *Service) Require(ctx context.Context, permission string, on ref.Ref) error {
	d := s.ask(ctx, Check{Permission: permission, On: on})
	if d.Allowed {
		return nil
	}
	switch d.Reason { //nolint:exhaustive // the rest is FORBIDDEN
	case Unknown:
		return unknown(permission)
	case Anonymous:
		return fault.ErrUnauthenticated
	case Stale:
		return ErrStale
	default:
		return fault.ErrForbidden.With("permission", permission)
	}
}

// Can answers each check for the actor of ctx, in order. It has no error: what can't be answered is refused.
func (s *Service) Can(ctx context.Context, checks []Check) []Decision {
	all := make([]Decision, len(checks))
	for i, c := range checks {
		all[i] = s.ask(ctx, c)
	}
	return all
}

// Scope is [Service.Require] as a filter for a list of objects of one type: all of them, or none.
//
// Errors: POLICY_STALE, UNKNOWN_PERMISSION.
func (s *Service) Scope(ctx context.Context, permission, _ string) (store.Scope, error) {
	switch d := s.ask(ctx, Check{Permission: permission}); {
	case d.Allowed:
		return store.Scope{All: true}, nil
	case d.Reason == Unknown:
		return store.Scope{None: true}, unknown(permission)
	case d.Reason == Stale:
		return store.Scope{None: true}, ErrStale
	default:
		return store.Scope{None: true}, nil
	}
}

// ask is one check by the actor of ctx. If the node knows that it missed something, it tries to read that first.
func (s *Service) ask(ctx context.Context, c Check) Decision {
	if (c.On.Type == "") != (c.On.ID == "") { // half a reference points at nothing that anybody could have a right to
		return Decision{Reason: NoGrant}
	}
	if a := actor.From(ctx); !a.System {
		s.mend(ctx)
		d := s.Allows(a.User, c.Permission)
		if d.Allowed && !a.Scope.Has(c.Permission) {
			return Decision{Reason: OutOfScope}
		}
		return d
	}
	if _, ok := s.cat.ids[c.Permission]; !ok {
		return Decision{Reason: Unknown}
	}
	return Decision{Allowed: true, Reason: Allowed}
}

// Allows answers whether the user of that id holds the permission now. It looks into memory only and allocates nothing.
func (s *Service) Allows(user, permission string) Decision {
	perm, ok := s.cat.ids[permission]
	if !ok {
		return Decision{Reason: Unknown}
	}
	if user == "" {
		return Decision{Reason: Anonymous}
	}
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil {
		return Decision{Reason: Stale}
	}
	return p.decide(user, perm, now)
}

// PermissionsOf is everything the actor of ctx may do, sorted: nothing for an anonymous one or when the policy is stale.
func (s *Service) PermissionsOf(ctx context.Context) []string {
	a := actor.From(ctx)
	if a.System {
		return s.cat.list(s.cat.of([]string{Every}))
	}
	s.mend(ctx)
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil {
		return []string{}
	}
	return s.cat.list(s.cat.within(p.rights(a.User, now), a.Scope))
}

// Catalogue is all permissions there are, by key. Anybody signed in may read it.
//
// Errors: UNAUTHENTICATED.
func (s *Service) Catalogue(ctx context.Context) ([]Permission, error) {
	if actor.From(ctx).IsAnonymous() {
		return nil, fault.ErrUnauthenticated
	}
	return s.cat.all(), nil
}

// List is one page of the roles, by key. Needs rbac.role.read. Cost: one find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, PAGE_SIZE, BAD_CURSOR.
func (s *Service) List(ctx context.Context, args page.Args) (page.Page[Role], error) {
	if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
		return page.Page[Role]{}, err
	}
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Role]{}, err
	}
	read, err := s.store.rolePage(ctx, w)
	if err != nil {
		return page.Page[Role]{}, err
	}
	return page.Fold(w, read, func(r Role) page.Cursor { return page.Cursor{r.Key} }), nil
}

// ByIDs reads these roles. Absent ones are left out; a caller who may neither read roles nor work with them sees those
// they hold themselves. Cost: one find.
func (s *Service) ByIDs(ctx context.Context, ids []string) (map[string]Role, error) {
	if !s.mayRead(ctx) {
		ids = s.held(actor.From(ctx).User, ids)
	}
	return s.store.rolesByID(ctx, ids)
}

// held is those of the roles that a user holds directly.
func (s *Service) held(user string, roles []string) []string {
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil || user == "" {
		return nil
	}
	own := p.people.of(user)
	return slices.DeleteFunc(slices.Clone(roles), func(id string) bool {
		return !slices.ContainsFunc(own, func(h hold) bool { return now < h.until && p.graph.roles[h.role].ID == id })
	})
}

// ByKey reads one role by its key.
//
// Errors: NOT_FOUND, also for a caller who may not read roles.
func (s *Service) ByKey(ctx context.Context, key string) (Role, error) {
	if !s.mayRead(ctx) {
		return Role{}, fault.ErrNotFound
	}
	return s.store.roleByKey(ctx, key)
}

// GrantsByIDs reads these grants. Absent ones are left out, and so are other members' for a caller who may not read
// roles. Cost: one find.
func (s *Service) GrantsByIDs(ctx context.Context, ids []string) (map[string]Grant, error) {
	all, err := s.store.grantsByID(ctx, ids)
	if err != nil || s.mayRead(ctx) {
		return all, err
	}
	me := actor.From(ctx).Ref()
	for id, g := range all {
		if me.IsZero() || g.Member != me {
			delete(all, id)
		}
	}
	return all, nil
}

// GrantsOf reads what a user or a role holds directly. Cost: one find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) GrantsOf(ctx context.Context, member ref.Ref) ([]Grant, error) {
	if err := s.Require(ctx, PermRoleRead, member); err != nil {
		return nil, err
	}
	return s.store.grantsOf(ctx, member)
}

// mayRead reports whether the caller may see a role they have the id of.
func (s *Service) mayRead(ctx context.Context) bool {
	for _, d := range s.Can(ctx, []Check{{Permission: PermRoleRead}, {Permission: PermRoleWrite}, {Permission: PermGrantWrite}}) {
		if d.Allowed {
			return true
		}
	}
	return false
}

// Includes is the roles that a role includes directly by grants that count, by key. Cost: none, it looks into memory; so
// it is asked for a role that the caller has been shown, and shows what that role means.
func (s *Service) Includes(roleID string) []Role {
	now := s.now().UnixMilli()
	p := s.snap.Load()
	if p == nil {
		return []Role{}
	}
	return p.graph.includes(roleID, now)
}

// Effective is the permissions of a role and of all it includes at any depth, sorted. Cost: none.
func (s *Service) Effective(roleID string) []string {
	p := s.snap.Load()
	if p == nil {
		return []string{}
	}
	g := p.graph
	if now := s.now().UnixMilli(); now >= g.until {
		g = g.at(now)
	}
	row, ok := g.rows[roleID]
	if !ok {
		return []string{}
	}
	return s.cat.list(g.row(g.live, row))
}
