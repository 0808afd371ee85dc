package account

import (
	"context"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/label"
	"github.com/backendbook/backendbook/internal/ref"
)

// CreateCmd is what a new user is made of.
type CreateCmd struct {
	Email    string // a person needs one, verified by the caller or waiting for it as [Pending]; other kinds have none
	Name     string // empty is allowed for an anonymous user only
	Password string // empty for none: the user signs in by other ways
	Username string // empty for none
	Locale   string // BCP 47; empty when not known
	Terms    string // version of the terms that were accepted; empty for none
	Kind     Kind
}

// anonymousName is shown for a visitor who has not said who they are.
const anonymousName = "Guest"

// Hashed is a password hash on its way from one part of a flow to the next. Printing it, in whatever way, shows nothing.
// The zero Hashed is no password; nothing matches it.
type Hashed struct{ text func() string } // a function, since no verb of fmt can look into it

func hashed(text string) Hashed {
	if text == "" {
		return Hashed{}
	}
	return Hashed{func() string { return text }}
}

// IsZero reports whether there is no password.
func (h Hashed) IsZero() bool { return h.text == nil }

func (h Hashed) reveal() string {
	if h.text == nil {
		return ""
	}
	return h.text()
}

// Draft is a user that is checked, has its id and its hash, and is not stored yet.
type Draft struct {
	user User
	hash Hashed
}

// Ref is the user the draft will be.
func (d Draft) Ref() ref.Ref { return d.user.Ref() }

// Prepare does what is slow in making a user, for [Service.Insert]: inside a transaction the hash would hold it open for
// a tenth of a second, and be made again at each retry. Whether the address is free is not looked at.
//
// It asks for no permission, whatever the kind. Whether somebody may make a service account ([PermService]) or be a guest
// is for the flow to ask before. No read, no write; 1 hash with a password.
//
// Errors: EMAIL_INVALID, USERNAME_INVALID, PASSWORD_WEAK, BAD_USER_INPUT (name, locale, terms), ACCOUNT_KIND, TOO_BUSY.
func (s *Service) Prepare(ctx context.Context, c CreateCmd) (Draft, error) {
	u, err := s.draw(c)
	if err != nil {
		return Draft{}, err
	}
	if c.Password == "" {
		return Draft{user: u}, nil
	}
	hash, err := s.hashNew(ctx, u, c.Password)
	if err != nil {
		return Draft{}, err
	}
	u.HasPassword = true
	return Draft{u, hash}, nil
}

// draw checks a command and makes the user of it, the password left out.
func (s *Service) draw(c CreateCmd) (User, error) {
	now := s.now()
	u := User{ID: ref.NewID(), Kind: c.Kind, CreatedAt: now}
	switch {
	case c.Kind == KindPerson:
		key, err := EmailKey(c.Email)
		if err != nil {
			return User{}, ErrEmailInvalid.On("input.email")
		}
		u.Emails = []Address{{Email: strings.TrimSpace(c.Email), Key: key, VerifiedAt: now}}
	case c.Kind != KindAnonymous && c.Kind != KindService, c.Email != "", c.Username != "", c.Password != "":
		return User{}, ErrKind
	case c.Kind == KindAnonymous && c.Name == "":
		c.Name = anonymousName
	}
	return fill(u, c, now)
}

// fill puts everything into a new user that every kind may have.
func fill(u User, c CreateCmd, now time.Time) (User, error) {
	var err error
	if u.Name, err = label.Check(c.Name, MaxName); err != nil {
		return User{}, err
	}
	u.NameKey = nameKey(u.Name)
	if u.Username, u.UsernameKey, err = takeUsername(c.Username); err != nil {
		return User{}, err
	}
	if u.Locale, err = checkLocale(c.Locale); err != nil {
		return User{}, err
	}
	if c.Terms != "" {
		if err := checkTerms(c.Terms); err != nil {
			return User{}, err
		}
		u.Terms = &Terms{Version: c.Terms, At: now}
	}
	return u, nil
}

// Insert stores a prepared user; the event account.user.created commits with it. It joins the transaction of ctx.
// Like [Service.Prepare] it asks for no permission: whether one may register, and that the address was verified, is for
// the flow that calls it to decide. Cost: 2 writes.
//
// Errors: EMAIL_TAKEN, USERNAME_TAKEN.
func (s *Service) Insert(ctx context.Context, d Draft) (User, error) {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.insert(ctx, record{User: d.user, Password: d.hash.reveal()}); err != nil {
			return err
		}
		return s.events.Append(ctx, kindCreated, d.Ref(), created{ID: d.user.ID, Name: d.user.Name, Kind: d.user.Kind})
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
	Kind Kind   `bson:"kind,omitempty"`
}

// Upgrade makes a person of an anonymous user, who keeps the id and with it everything that points there; the event
// account.user.upgraded commits with it. It joins the transaction of ctx. Cost: 1 read, 2 or 3 writes.
//
// Errors: NOT_FOUND, ACCOUNT_KIND (no longer anonymous), EMAIL_TAKEN, USERNAME_TAKEN, those of [Service.FromPending].
func (s *Service) Upgrade(ctx context.Context, id string, p Pending) (User, error) {
	d, err := s.FromPending(p)
	if err != nil {
		return User{}, err
	}
	var u User
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if u, err = s.change(ctx, id, d.upgrade); err != nil || d.hash.IsZero() {
			return err
		}
		return s.store.setPassword(ctx, id, d.hash.reveal())
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// upgrade is the rule of becoming a person: everything is new but the id, the age and the status.
func (d Draft) upgrade(u *User) (outcome, error) {
	if u.Kind != KindAnonymous {
		return outcome{}, ErrKind
	}
	next := d.user
	next.ID, next.CreatedAt = u.ID, u.CreatedAt
	next.DeactivatedAt, next.DisabledAt, next.DeleteAfter = u.DeactivatedAt, u.DisabledAt, u.DeleteAfter
	*u = next
	return outcome{kindUpgraded, created{ID: u.ID, Name: u.Name}}, nil
}
