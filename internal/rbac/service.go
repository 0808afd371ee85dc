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

	// RoleInUse, if set, names what else gives a role, such as a plan; [Service.DeleteRole] then refuses. Empty for nothing.
	RoleInUse func(ctx context.Context, role string) (string, error)

	// UsersLive, if set, gives those of the users who can sign in: the last administrator is the last of them.
	UsersLive func(ctx context.Context, ids []string) ([]string, error)

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
	once   atomic.Bool // there will be none: see [Service.LoadOnce]
	repair atomic.Bool // somebody is reading the policy anew after a failure

	mu    sync.Mutex    // held while snap is replaced by another revision
	moved chan struct{} // closed when it is; guarded by mu

	partial []change // of the step whose other parts are still to come; the follower's alone

	watchers   []func(users []string)
	reports    func(topic string, change any) // nil before [Service.Publish]
	predicates map[uint32][]rule              // in code
	objects    map[string]Attributes
	deleted    func(ctx context.Context, on ref.Ref, label string) error
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
		moved: make(chan struct{}), predicates: map[uint32][]rule{}, objects: map[string]Attributes{},
	}
}

// OnChange registers a function to call when a changed policy is in force, with the users whose rights it may touch, or
// nil for everybody. It must not block and not write policy. A grant that expires is no change. Only before serving.
func (s *Service) OnChange(fn func(users []string)) { s.watchers = append(s.watchers, fn) }

// OnDelete registers a function to call in the transaction that deletes a role; what it refuses is refused. Only before serving.
func (s *Service) OnDelete(fn func(ctx context.Context, on ref.Ref, label string) error) {
	s.deleted = fn
}

// PermissionsOf is the keys of everything the actor of ctx may do, in some instance at least, sorted: nothing for an anonymous
// one or when the policy is stale.
func (s *Service) PermissionsOf(ctx context.Context) []string {
	a := actor.From(ctx)
	if a.System {
		return slices.Clone(s.cat.keys)
	}
	s.mend(ctx)
	return s.permissionsOf(a)
}

func (s *Service) permissionsOf(a actor.Actor) []string {
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil {
		return []string{}
	}
	who := p.principal(a, now)
	mine := p.rights(&who, now)
	mine.limit(s.cat, a.Scope)
	return s.cat.list(mine.set)
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
	own := p.people.of(user).holds
	return slices.DeleteFunc(slices.Clone(roles), func(id string) bool {
		return !slices.ContainsFunc(own, func(h hold) bool { return h.lives(now) && p.graph.nodes[h.role].role.ID == id })
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

// MyGrants reads what the caller holds directly, at most a handful. Cost: one find.
//
// Errors: UNAUTHENTICATED.
func (s *Service) MyGrants(ctx context.Context) ([]Grant, error) {
	me := actor.From(ctx)
	if me.User == "" {
		return nil, fault.ErrUnauthenticated
	}
	return s.store.grantsOf(ctx, me.Ref())
}

// maxEdges is how many edges of the graph one answer has.
const maxEdges = 10_000

// Edges reads the grants between roles, the oldest first, at most 10,000. Needs rbac.role.read. Cost: one find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) Edges(ctx context.Context) ([]Grant, error) {
	if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
		return nil, err
	}
	return s.store.edges(ctx, maxEdges)
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

// Effective is what a role and all it includes at any depth give, sorted; its own parameters by name. Cost: none.
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
	all := []string{}
	for _, i := range g.instances(g.nodes[row].live, g.nodes[row].params) {
		all = append(all, string(i))
	}
	return all
}
