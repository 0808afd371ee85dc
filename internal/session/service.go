package session

import (
	"context"
	"log/slog"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Service is the business of sessions. It is safe for concurrent use.
type Service struct {
	db     *store.DB
	store  *mongoStore
	events *event.Log
	now    clock.Clock
	log    *slog.Logger
	cfg    Config
	cache  *cache
}

// New makes the service. It starts nothing: see [Service.Run], and [Service.Follower] for the change stream.
func New(db *store.DB, events *event.Log, now clock.Clock, log *slog.Logger, cfg Config) *Service {
	cfg = cfg.withDefaults()
	return &Service{db: db, store: newStore(db), events: events, now: now, log: log, cfg: cfg, cache: newCache(cfg)}
}

// about is the data of this package's events.
type about struct {
	User string `bson:"user"`
}

// Start begins a session of the user for the request of ctx and gives its token, which is kept nowhere else. It joins the
// transaction of ctx and asks for no permission: that somebody may sign in is for the flow that calls it to decide.
// The event session.session.started commits with it. Cost: 2 writes.
func (s *Service) Start(ctx context.Context, user string) (Session, string, error) {
	now, r := s.now(), actor.RequestFrom(ctx)
	token, d := newToken()
	started := Session{
		ID: ref.NewID(), User: user, CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(s.cfg.Absolute),
		UserAgent: cleanAgent(r.UserAgent), IP: r.IP,
	}.used(now, s.cfg.Idle)
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.insert(ctx, started, d); err != nil {
			return err
		}
		return s.events.Append(ctx, kindStarted, started.Ref(), about{user})
	})
	if err != nil {
		return Session{}, "", err
	}
	return started, token, nil
}

// Resolve gives the live session of a token. Warm, it reads nothing: some hundred nanoseconds. The first question, and one
// each Config.Recheck, is one read by unique index, shared by all who ask at the same time.
//
// Errors: SESSION_ENDED for a token that is malformed, unknown, ended or expired.
func (s *Service) Resolve(ctx context.Context, token string) (Session, error) {
	d, ok := parseToken(token)
	if !ok {
		return Session{}, ErrEnded
	}
	now := s.now()
	found, fresh := s.cache.get(d, now)
	if !fresh {
		var err error
		if found, err = s.cache.load(ctx, d, now, s.store.byDigest); err != nil {
			return Session{}, err
		}
	}
	if !found.Live(now) {
		return Session{}, ErrEnded
	}
	if now.Sub(found.LastSeenAt) >= s.cfg.TouchEvery {
		found = s.cache.use(found, now)
	}
	return found, nil
}

// End ends a session: the caller's own, or any for the system. Ending one twice is no error. The event
// session.session.ended commits with it; once End has returned, this node refuses the token and everybody who watches
// has been told. Inside a caller's transaction that is the caller's to see to, by [Service.Forget] after the commit.
// Cost: 1 read, 2 writes.
//
// Errors: UNAUTHENTICATED, NOT_FOUND, also for a session of somebody else.
func (s *Service) End(ctx context.Context, id string) error {
	a := actor.From(ctx)
	if a.IsAnonymous() {
		return fault.ErrUnauthenticated
	}
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		found, ok, err := s.store.byID(ctx, id)
		switch {
		case err != nil:
			return err
		case !ok, !a.System && found.User != a.User:
			return fault.ErrNotFound
		}
		return s.end(ctx, found)
	})
	if err == nil && !store.InTransaction(ctx) {
		s.cache.forget(id)
	}
	return err
}

// EndAllOf ends every session of a user, as [Service.End] does, and gives their ids. Users may for themselves, the system
// for anybody. Cost: 1 read, and 2 writes for each session, in one transaction.
//
// Errors: UNAUTHENTICATED, FORBIDDEN.
func (s *Service) EndAllOf(ctx context.Context, user string) ([]string, error) {
	switch a := actor.From(ctx); {
	case a.IsAnonymous():
		return nil, fault.ErrUnauthenticated
	case !a.System && a.User != user:
		return nil, fault.ErrForbidden
	}
	var ended []string
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		ended = nil
		open, err := s.store.openOf(ctx, user, s.now())
		if err != nil {
			return err
		}
		for _, one := range open {
			if err := s.end(ctx, one); err != nil {
				return err
			}
			ended = append(ended, one.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !store.InTransaction(ctx) {
		s.cache.forget(ended...)
	}
	return ended, nil
}

// end writes the end and its event.
func (s *Service) end(ctx context.Context, one Session) error {
	changed, err := s.store.end(ctx, one.ID, s.now())
	if err != nil || !changed {
		return err
	}
	return s.events.Append(ctx, kindEnded, one.Ref(), about{one.User})
}

// Forget makes this node act on the end of sessions at once: for flows that ended them in a transaction of their own,
// after its commit. It must not be told of a session that goes on: whoever watches that one would be cut off.
func (s *Service) Forget(ids ...string) { s.cache.forget(ids...) }

// Current is the session of ctx's actor. Warm, it reads nothing.
//
// Errors: UNAUTHENTICATED without one; SESSION_ENDED.
func (s *Service) Current(ctx context.Context) (Session, error) {
	a := actor.From(ctx)
	if a.Session == "" {
		return Session{}, fault.ErrUnauthenticated
	}
	now := s.now()
	found, ok := s.cache.getByID(a.Session, now)
	if !ok {
		var err error
		if found, ok, err = s.store.byID(ctx, a.Session); err != nil {
			return Session{}, err
		}
	}
	if !ok || !found.Live(now) {
		return Session{}, ErrEnded
	}
	return found, nil
}

// ByIDs gives sessions by id, ended ones too: the caller's own, or any for the system; all others are left out like
// absent ones. One find, whatever the number.
func (s *Service) ByIDs(ctx context.Context, ids []string) (map[string]Session, error) {
	a := actor.From(ctx)
	if a.IsAnonymous() {
		return map[string]Session{}, nil
	}
	found, err := s.store.byIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, one := range found {
		if !a.System && one.User != a.User {
			delete(found, id)
		}
	}
	return found, nil
}
