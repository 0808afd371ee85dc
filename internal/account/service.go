package account

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

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
	HashSlots int           // passwords hashed at once, 19 MiB each; default: one for each core
	HashWait  time.Duration // how long one waits for a slot before TOO_BUSY; default 1 s
	Cost      Cost          // of a hash; default DefaultCost. Less is for tests
	Product   string        // what this server is called: no good password; default "backendbook"
}

// Authorizer is what account needs of rbac.
type Authorizer interface {
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Service is the business of users. It is safe for concurrent use.
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

// CreateCmd is what a new user is made of.
type CreateCmd struct {
	Email    string
	Name     string
	Password string
}

// Draft is a user that is checked, has its id and its hash, and is not stored yet.
type Draft struct {
	user User
	hash func() string // not the text itself: printing a Draft, in whatever way, shows no hash
}

// Ref is the user the draft will be.
func (d Draft) Ref() ref.Ref { return d.user.Ref() }

// Prepare does what is slow in making a user, for [Service.Insert]: inside a transaction the hash would hold it open for
// a tenth of a second, and be made again at each retry. Whether the address is free is not looked at.
//
// Errors: EMAIL_INVALID, PASSWORD_WEAK, BAD_USER_INPUT (the name), TOO_BUSY.
func (s *Service) Prepare(ctx context.Context, c CreateCmd) (Draft, error) {
	key, err := EmailKey(c.Email)
	if err != nil {
		return Draft{}, ErrEmailInvalid.On("input.email")
	}
	name, err := checkName(c.Name)
	if err != nil {
		return Draft{}, err
	}
	if err := s.judge.check(c.Password, key); err != nil {
		return Draft{}, err
	}
	hash, err := s.hasher.hash(ctx, c.Password)
	if err != nil {
		return Draft{}, err
	}
	u := User{ID: ref.NewID(), Email: strings.TrimSpace(c.Email), EmailKey: key, Name: name, NameKey: nameKey(name), CreatedAt: s.now()}
	return Draft{u, func() string { return hash }}, nil
}

// Insert stores a prepared user; the event account.user.created commits with it. It joins the transaction of ctx.
// It asks for no permission: whether one may register is for the flow that calls it to decide. Cost: 2 writes.
//
// Errors: EMAIL_TAKEN.
func (s *Service) Insert(ctx context.Context, d Draft) (User, error) {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.insert(ctx, record{User: d.user, Password: d.hash()}); err != nil {
			return err
		}
		return s.events.Append(ctx, kindCreated, d.Ref(), created{ID: d.user.ID, Name: d.user.Name})
	})
	if err != nil {
		return User{}, err
	}
	return d.user, nil
}

// created is the data of account.user.created. The address is in the user; the log would keep it after the user is gone.
type created struct {
	ID   string `bson:"id"`
	Name string `bson:"name"`
}

// Create is Prepare and Insert in one.
//
// Errors: those of [Service.Prepare] and [Service.Insert].
func (s *Service) Create(ctx context.Context, c CreateCmd) (User, error) {
	d, err := s.Prepare(ctx, c)
	if err != nil {
		return User{}, err
	}
	return s.Insert(ctx, d)
}

// Verify gives the user whose address and password these are. An unknown address and a wrong password are told apart
// neither by the answer nor by the work done for it. A hash made with other parameters is made anew.
// Cost: 1 read and 1 hash; 1 more hash and 1 write after the parameters changed.
//
// Errors: BAD_CREDENTIALS, TOO_BUSY.
func (s *Service) Verify(ctx context.Context, email, password string) (User, error) {
	// An address that cannot exist is looked up like any other; no key in the database is empty.
	key, _ := EmailKey(email)
	r, found, err := s.store.byKey(ctx, key)
	if err != nil {
		return User{}, err
	}
	stored := s.hasher.dummy()
	if found {
		if stored, err = parsePHC(r.Password); err != nil {
			return User{}, err
		}
	}
	if utf8.RuneCountInString(password) > MaxPassword {
		password, found = "", false // cannot be right, and must not cost more than one that can
	}
	ok, err := s.hasher.matches(ctx, stored, password)
	switch {
	case err != nil:
		return User{}, err
	case !ok || !found:
		return User{}, ErrCredentials
	case !stored.current(s.hasher.cost):
		if err := s.rehash(ctx, r, password); err != nil {
			return User{}, err
		}
	}
	return r.User, nil
}

// rehash stores the password the way it is done today, unless it was changed meanwhile. It can wait for a quieter hour.
func (s *Service) rehash(ctx context.Context, r record, password string) error {
	hash, err := s.hasher.hash(ctx, password)
	if errors.Is(err, ErrTooBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.store.swapPassword(ctx, r.ID, r.Password, hash)
}

// SetPassword gives a user a new password; the event account.password.set commits with it. Only an operator at the
// command line may: administrators start a reset instead and never know the password. It does not end the user's
// sessions; the flow that calls it does.
//
// Errors: FORBIDDEN, NOT_FOUND, PASSWORD_WEAK, TOO_BUSY.
func (s *Service) SetPassword(ctx context.Context, user, password string) error {
	if !actor.From(ctx).System {
		return fault.ErrForbidden
	}
	u, err := s.store.byID(ctx, user)
	if err != nil {
		return err
	}
	if err := s.judge.check(password, u.EmailKey); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.setPassword(ctx, u.ID, hash); err != nil {
			return err
		}
		return s.events.Append(ctx, kindPasswordSet, u.Ref(), nil)
	})
}

// ByEmail gives the user with that address. One read by index.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, EMAIL_INVALID, NOT_FOUND.
func (s *Service) ByEmail(ctx context.Context, email string) (User, error) {
	if err := s.authz.Require(ctx, PermRead, ref.Ref{}); err != nil {
		return User{}, err
	}
	key, err := EmailKey(email)
	if err != nil {
		return User{}, err
	}
	r, found, err := s.store.byKey(ctx, key)
	if err == nil && !found {
		err = fault.ErrNotFound
	}
	return r.User, err
}

// ByIDs gives users by id; absent ones are left out. One find, whatever the number. It asks for no permission: a user's
// name is shown to whoever sees something of that user. The address is not; see [Service.EmailOf].
func (s *Service) ByIDs(ctx context.Context, ids []string) (map[string]User, error) {
	return s.store.byIDs(ctx, ids)
}

// EmailOf is a user's address as the caller may see it: their own, or anybody's with [PermRead]; else "". No read.
//
// Errors: POLICY_STALE.
func (s *Service) EmailOf(ctx context.Context, u User) (string, error) {
	if a := actor.From(ctx); a.User != "" && a.User == u.ID {
		return u.Email, nil
	}
	err := s.authz.Require(ctx, PermRead, u.Ref())
	switch {
	case err == nil:
		return u.Email, nil
	case errors.Is(err, fault.ErrForbidden), errors.Is(err, fault.ErrUnauthenticated):
		return "", nil
	default:
		return "", err
	}
}

// List gives users by name. One find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) List(ctx context.Context, args page.Args) (page.Page[User], error) {
	if err := s.authz.Require(ctx, PermRead, ref.Ref{}); err != nil {
		return page.Page[User]{}, err
	}
	w, err := args.Check(2)
	if err != nil {
		return page.Page[User]{}, err
	}
	read, err := s.store.list(ctx, w)
	if err != nil {
		return page.Page[User]{}, err
	}
	return page.Fold(w, read, func(u User) page.Cursor { return page.Cursor{u.NameKey, u.ID} }), nil
}
