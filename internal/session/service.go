package session

import (
	"context"
	"log/slog"
	"maps"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/token"
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
	onRole []func(session string)
}

// New makes the service. It starts nothing: see [Service.Run], and [Service.Follower] for the change stream.
func New(db *store.DB, events *event.Log, now clock.Clock, log *slog.Logger, cfg Config) *Service {
	cfg = cfg.withDefaults()
	return &Service{db: db, store: newStore(db), events: events, now: now, log: log, cfg: cfg, cache: newCache(cfg)}
}

// about is the data of this package's events.
type about struct {
	User    string `bson:"user"`
	Methods string `bson:"methods,omitempty"`
	Device  string `bson:"device,omitempty"`
	Reason  string `bson:"reason,omitempty"`
	Role    string `bson:"role,omitempty"`
}

// Resolve gives the live session of a token, or that of an access key, which has a Scope. Warm, it reads nothing: some
// hundred nanoseconds. The first question, and one each Config.Recheck, is one read by unique index, shared by all who ask
// at the same time.
//
// Errors: SESSION_ENDED for a secret that is malformed, unknown, ended, replaced or expired; ErrKnown is its cause for one that
// is known to have been good.
func (s *Service) Resolve(ctx context.Context, secret string) (Session, error) {
	d, kind, ok := parse(secret)
	if !ok {
		return Session{}, ErrEnded
	}
	now := s.now()
	found, fresh := s.cache.get(d, now)
	if !fresh {
		var err error
		if found, err = s.cache.load(ctx, d, now, s.byDigest); err != nil {
			return Session{}, err
		}
	}
	switch {
	case found.Kind != kind:
		return Session{}, ErrEnded
	case !found.Live(now), !found.TokenUntil.IsZero() && !now.Before(found.TokenUntil):
		return Session{}, errWasGood
	}
	if now.Sub(found.LastSeenAt) >= least(s.cfg.TouchEvery, found.IdleFor/2) {
		found = s.cache.use(found, now)
	}
	return found, nil
}

// errWasGood is ErrEnded for a secret that was good once.
var errWasGood = ErrEnded.Because(ErrKnown)

// byDigest reads the session of a token or key, as it is under the policy of this moment.
func (s *Service) byDigest(ctx context.Context, d token.Digest) (known, error) {
	k, err := s.store.byDigest(ctx, d)
	k.session = s.limited(k.session)
	return k, err
}

// principal is the actor of ctx, if it may change the ways in of an account: a person themself or the system, no program.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN.
func principal(ctx context.Context) (actor.Actor, error) {
	switch a := actor.From(ctx); {
	case a.IsAnonymous():
		return a, fault.ErrUnauthenticated
	case a.Key != "":
		return a, ErrKeyForbidden
	case a.Impersonator != "":
		return a, ErrImpersonated
	default:
		return a, nil
	}
}

// Current is the session of ctx's actor. Warm, it reads nothing.
//
// Errors: UNAUTHENTICATED without one, also for a key; SESSION_ENDED.
func (s *Service) Current(ctx context.Context) (Session, error) {
	found, _, err := s.current(ctx)
	return found, err
}

// current also tells whether the answer is from memory.
func (s *Service) current(ctx context.Context) (found Session, cached bool, err error) {
	id := actor.From(ctx).Session
	if id == "" {
		return Session{}, false, fault.ErrUnauthenticated
	}
	now := s.now()
	if found, cached = s.cache.getByID(id, now); !cached {
		r, ok, err := s.store.byID(ctx, id)
		if err != nil {
			return Session{}, false, err
		}
		if !ok {
			return Session{}, false, ErrEnded
		}
		found = s.limited(r.Session)
	}
	if !found.Live(now) || found.Kind != Interactive {
		return Session{}, cached, ErrEnded
	}
	return found, cached, nil
}

// ByIDs gives sessions by id, ended ones too: the caller's own, or any for the system; all others are left out like
// absent ones, and so are keys. A key sees none. One find, whatever the number.
func (s *Service) ByIDs(ctx context.Context, ids []string) (map[string]Session, error) {
	found, err := s.visible(ctx, ids, Interactive)
	if err != nil {
		return nil, err
	}
	sessions := make(map[string]Session, len(found))
	for id, r := range found {
		sessions[id] = s.limited(r.Session)
	}
	return sessions, nil
}

// visible reads those of a kind that the caller may see.
func (s *Service) visible(ctx context.Context, ids []string, kind Kind) (map[string]record, error) {
	a := actor.From(ctx)
	if a.IsAnonymous() || a.Key != "" {
		return nil, nil
	}
	found, err := s.store.byIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(found, func(_ string, r record) bool { return r.Kind != kind || !a.System && r.User != a.User })
	return found, nil
}
