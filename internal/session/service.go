package session

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
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
}

// StartCmd asks for a session.
type StartCmd struct {
	User    string
	Methods string // what the user has just proved: RFC 8176 values with a space between, such as "pwd otp"
	Device  string // id of the [Device]; empty when it is not known
	// Evicted, if not nil, gets the ids of the sessions that had to make room. A caller with a transaction of its own gives
	// them to [Service.Forget] after the commit.
	Evicted *[]string
}

// Start begins a session for the request of ctx and gives its token, which is kept nowhere else. It counts as a full proof
// of identity. It joins the transaction of ctx and asks for no permission: that somebody may sign in is for the flow that
// calls it to decide. The event session.session.started commits with it.
//
// A user has at most Config.MaxSessions live sessions: those beyond it end, the least recently used first, each with the
// event session.session.ended and the reason "limit". Starts for one user wait for one another, so this holds however many
// sign in at once. Cost: 3 writes. At the first start, and when as many have begun since the last count as there was room
// for then, the live ones are counted: 1 find and 1 write more, and 2 writes for each that ends.
func (s *Service) Start(ctx context.Context, c StartCmd) (Session, string, error) {
	now, r := s.now(), actor.RequestFrom(ctx)
	secret, d := token.New(sessionPrefix)
	started := Session{
		ID: ref.NewID(), User: c.User, CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(s.cfg.Absolute),
		Device: c.Device, UserAgent: cleanAgent(r.UserAgent), IP: r.IP,
	}.used(now, s.cfg.Idle).elevated(now, c.Methods)
	var evicted []string
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if evicted, err = s.makeRoom(ctx, c.User, now); err != nil {
			return err
		}
		if err := s.store.insert(ctx, record{Session: started, TokenHash: d[:]}); err != nil {
			return err
		}
		return s.events.Append(ctx, kindStarted, started.Ref(), about{User: c.User, Methods: started.Methods, Device: c.Device})
	})
	if err != nil {
		return Session{}, "", err
	}
	if len(evicted) > 0 {
		s.told(ctx, evicted...)
	}
	if c.Evicted != nil {
		*c.Evicted = evicted
	}
	return started, secret, nil
}

// Resolve gives the live session of a token, or that of an access key, which has a Scope. Warm, it reads nothing: some
// hundred nanoseconds. The first question, and one each Config.Recheck, is one read by unique index, shared by all who ask
// at the same time.
//
// Errors: SESSION_ENDED for a secret that is malformed, unknown, ended or expired.
func (s *Service) Resolve(ctx context.Context, secret string) (Session, error) {
	d, kind, ok := parse(secret)
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
	if !found.Live(now) || found.Kind != kind {
		return Session{}, ErrEnded
	}
	if now.Sub(found.LastSeenAt) >= s.cfg.TouchEvery {
		found = s.cache.use(found, now)
	}
	return found, nil
}

// principal is the actor of ctx, if it may change the ways in of an account: a person or the system, not a program.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN.
func principal(ctx context.Context) (actor.Actor, error) {
	switch a := actor.From(ctx); {
	case a.IsAnonymous():
		return a, fault.ErrUnauthenticated
	case a.Key != "":
		return a, ErrKeyForbidden
	default:
		return a, nil
	}
}

// End ends a session: the caller's own, or any for the system. Ending one twice is no error. The event
// session.session.ended commits with it; once End has returned, this node refuses the token and everybody who watches
// has been told. Inside a caller's transaction that is the caller's to see to, by [Service.Forget] after the commit.
// Keys end by [Service.RevokeKey]. Cost: 1 read, 2 writes.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, NOT_FOUND, also for a session of somebody else.
func (s *Service) End(ctx context.Context, id string) error {
	a, err := principal(ctx)
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		found, ok, err := s.store.byID(ctx, id)
		switch {
		case err != nil:
			return err
		case !ok, found.Kind != Interactive, !a.System && found.User != a.User:
			return fault.ErrNotFound
		}
		_, err = s.end(ctx, found.Session, "")
		return err
	})
	if err == nil {
		s.told(ctx, id)
	}
	return err
}

// EndAllOf ends every session of a user and revokes every key, as [Service.End] does, and gives their ids. Users may for
// themselves, the system for anybody. Cost: 1 read, and 2 writes for each, in one transaction.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, FORBIDDEN.
func (s *Service) EndAllOf(ctx context.Context, user string) ([]string, error) {
	return s.endEach(ctx, user, func(Session) bool { return true })
}

// EndOthersOf ends the sessions of a user but for the one to keep, and no keys; otherwise it is [Service.EndAllOf].
func (s *Service) EndOthersOf(ctx context.Context, user, keep string) ([]string, error) {
	return s.endEach(ctx, user, func(one Session) bool { return one.Kind == Interactive && one.ID != keep })
}

func (s *Service) endEach(ctx context.Context, user string, which func(Session) bool) ([]string, error) {
	a, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if !a.System && a.User != user {
		return nil, fault.ErrForbidden
	}
	var ended []string
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		ended = nil
		open, err := s.store.openOf(ctx, user, s.now())
		if err != nil {
			return err
		}
		for _, one := range open {
			if !which(one) {
				continue
			}
			if _, err := s.end(ctx, one, ""); err != nil {
				return err
			}
			ended = append(ended, one.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.told(ctx, ended...)
	return ended, nil
}

// DeleteAllOf ends what is open as [Service.EndAllOf] does, and then deletes every trace of a user from this package's
// collections: sessions, keys and devices. It gives the ids of what it ended. The log keeps its facts.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, FORBIDDEN.
func (s *Service) DeleteAllOf(ctx context.Context, user string) ([]string, error) {
	var ended []string
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if ended, err = s.EndAllOf(ctx, user); err != nil {
			return err
		}
		return s.store.deleteOf(ctx, user)
	})
	if err != nil {
		return nil, err
	}
	s.told(ctx, ended...)
	return ended, nil
}

// end writes the end and its event, with the reason if there is one to tell. It gives the time of the end: an earlier one, if it had ended before.
func (s *Service) end(ctx context.Context, one Session, reason string) (time.Time, error) {
	if one.EndedAt != nil {
		return *one.EndedAt, nil
	}
	now, kind := s.now(), kindEnded
	if one.Kind == KindKey {
		kind = kindKeyRevoked
	}
	if err := s.store.end(ctx, one.ID, now); err != nil {
		return now, err
	}
	return now, s.events.Append(ctx, kind, one.Ref(), about{User: one.User, Reason: reason})
}

// told makes this node act on ends that have committed. Inside a transaction they have not.
func (s *Service) told(ctx context.Context, ids ...string) {
	if !store.InTransaction(ctx) {
		s.cache.forget(ids...)
	}
}

// Forget makes this node act on the end of sessions and keys at once: for flows that ended them in a transaction of their
// own, after its commit. It must not be told of a session that goes on: whoever watches that one would be cut off.
func (s *Service) Forget(ids ...string) { s.cache.forget(ids...) }

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
		found = r.Session
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
		sessions[id] = r.Session
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
