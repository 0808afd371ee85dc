package account

import (
	"context"
	"errors"
	"runtime"
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
	HashSlots int           // passwords hashed at once, 19 MiB each; default: half of the cores, the rest is for everybody else
	HashWait  time.Duration // how long one waits for a slot before TOO_BUSY; default 1 s
	Cost      Cost          // of a hash; default DefaultCost. Less is for tests, see Cost.Acceptable
	Product   string        // what this server is called: no good password; default "backendbook"
}

// Slots is how many passwords are hashed at once.
func (c Config) Slots() int {
	if c.HashSlots == 0 {
		return max(1, runtime.NumCPU()/2)
	}
	return c.HashSlots
}

// Authorizer is what account needs of rbac.
type Authorizer interface {
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Service is the business of users. It is safe for concurrent use.
//
// A method whose comment names no error of authorization asks for no permission: it is for the flows of webauth, which
// know by a session, a code or a fresh sign-in that the user may.
type Service struct {
	db     *store.DB
	store  *mongoStore
	events *event.Log
	now    clock.Clock
	authz  Authorizer
	hasher *hasher
	judge  *judge
}

// New makes the service. It starts nothing.
func New(db *store.DB, log *event.Log, now clock.Clock, authz Authorizer, cfg Config) *Service {
	return &Service{
		db: db, store: newStore(db), events: log, now: now, authz: authz,
		hasher: newHasher(cfg), judge: newJudge(cfg.Product),
	}
}

// ByEmail gives the user with that address. One read by index.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, EMAIL_INVALID, NOT_FOUND.
func (s *Service) ByEmail(ctx context.Context, email string) (User, error) {
	if err := s.authz.Require(ctx, PermRead, ref.Ref{}); err != nil {
		return User{}, err
	}
	if _, err := EmailKey(email); err != nil {
		return User{}, err
	}
	u, found, err := s.Occupied(ctx, email)
	if err == nil && !found {
		err = fault.ErrNotFound
	}
	return u, err
}

// Occupied gives the user with that address, if there is one; an impossible address is nobody's. One read by index.
func (s *Service) Occupied(ctx context.Context, email string) (User, bool, error) {
	// An address that cannot exist is looked up like any other; no key in the database is empty.
	key, _ := EmailKey(email)
	r, found, err := s.store.byEmail(ctx, key)
	return r.user(), found, err
}

// ByUsername gives the user with that username, if there is one. One read by index.
func (s *Service) ByUsername(ctx context.Context, username string) (User, bool, error) {
	key, _ := UsernameKey(username)
	r, found, err := s.store.byUsername(ctx, key)
	return r.user(), found, err
}

// ByID gives one user. One read.
//
// Errors: NOT_FOUND.
func (s *Service) ByID(ctx context.Context, id string) (User, error) {
	r, err := s.store.byID(ctx, id)
	return r.user(), err
}

// ByIDs gives users by id; absent ones are left out. One find, whatever the number. It asks for no permission: a user's
// name is shown to whoever sees something of that user. The rest is not; see [Service.MaySee].
func (s *Service) ByIDs(ctx context.Context, ids []string) (map[string]User, error) {
	return s.store.byIDs(ctx, ids)
}

// MaySee reports whether the caller may see what is private of a user, the addresses first of all: their own, or
// anybody's with [PermRead]. No read.
//
// Errors: POLICY_STALE.
func (s *Service) MaySee(ctx context.Context, u User) (bool, error) {
	if a := actor.From(ctx); a.User != "" && a.User == u.ID {
		return true, nil
	}
	err := s.authz.Require(ctx, PermRead, u.Ref())
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fault.ErrForbidden), errors.Is(err, fault.ErrUnauthenticated):
		return false, nil
	default:
		return false, err
	}
}

// EmailOf is a user's primary address if the caller may see it ([Service.MaySee]), else "".
//
// Errors: POLICY_STALE.
func (s *Service) EmailOf(ctx context.Context, u User) (string, error) {
	if ok, err := s.MaySee(ctx, u); !ok {
		return "", err
	}
	return u.Email(), nil
}

// List gives the people by name. One find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) List(ctx context.Context, args page.Args) (page.Page[User], error) {
	return s.list(ctx, PermRead, KindPerson, args)
}

// Services gives the service accounts by name. One find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Services(ctx context.Context, args page.Args) (page.Page[User], error) {
	return s.list(ctx, PermService, KindService, args)
}

func (s *Service) list(ctx context.Context, permission string, kind Kind, args page.Args) (page.Page[User], error) {
	if err := s.authz.Require(ctx, permission, ref.Ref{}); err != nil {
		return page.Page[User]{}, err
	}
	w, err := args.Check(2)
	if err != nil {
		return page.Page[User]{}, err
	}
	read, err := s.store.list(ctx, kind, w)
	if err != nil {
		return page.Page[User]{}, err
	}
	return page.Fold(w, read, func(u User) page.Cursor { return page.Cursor{u.NameKey, u.ID} }), nil
}

// outcome is what a rule made of a user: the event that tells of the change and its data. No kind: nothing changed.
type outcome struct {
	kind string
	data any
}

// change applies a rule to a stored user; the event commits with the change. It joins the transaction of ctx. The rule
// may run several times. Cost: 1 read; 2 writes if something changed.
//
// Errors: NOT_FOUND, EMAIL_TAKEN, USERNAME_TAKEN, those of the rule.
func (s *Service) change(ctx context.Context, id string, rule func(*User) (outcome, error)) (User, error) {
	var u User
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		r, err := s.store.byID(ctx, id)
		if err != nil {
			return err
		}
		u = r.user()
		done, err := rule(&u)
		if err != nil || done.kind == "" {
			return err
		}
		if err := s.store.save(ctx, u); err != nil {
			return err
		}
		return s.events.Append(ctx, done.kind, u.Ref(), done.data)
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}
