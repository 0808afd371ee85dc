package webauth

import (
	"context"
	"errors"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/store"
)

// Plans puts a new user on the default plan, in the transaction of ctx.
type Plans interface {
	Enroll(ctx context.Context, subject ref.Ref) (plan.Membership, error)
}

// Roles gives a new user the role everybody has, in the transaction of ctx.
type Roles interface {
	GrantDefault(ctx context.Context, user string) error
}

// Policy is this node's view of who may do what.
type Policy interface {
	// Sync returns when the view holds at least what is committed.
	Sync(ctx context.Context) error
}

// Deps are what the flows stand on.
type Deps struct {
	Accounts *account.Service
	Sessions *session.Service
	Plans    Plans
	Roles    Roles
	Policy   Policy
}

// Service runs the flows. It is safe for concurrent use.
type Service struct {
	db *store.DB
	Deps
}

// New makes the service.
func New(db *store.DB, deps Deps) *Service { return &Service{db, deps} }

// RegisterCmd asks for an account.
type RegisterCmd struct {
	Email     string
	Password  string
	Name      string
	Transport Transport
}

// SignInCmd asks to be let in.
type SignInCmd struct {
	Email     string
	Password  string
	Transport Transport
}

// SignedIn is what signing in leads to.
type SignedIn struct {
	User    account.User
	Session session.Session
	Token   string // the secret, with the transport Bearer only; kept nowhere else
}

// Register makes an account on the default plan, with the role everybody has, and signs in. All of it commits together.
// The session the request came with, if any, ends: a sign-in always leads to a new secret.
//
// Errors: EMAIL_TAKEN, EMAIL_INVALID, PASSWORD_WEAK, TOO_BUSY, BAD_USER_INPUT.
func (s *Service) Register(ctx context.Context, c RegisterCmd) (SignedIn, error) {
	if err := c.Transport.check(ctx); err != nil {
		return SignedIn{}, err
	}
	draft, err := s.Accounts.Prepare(ctx, account.CreateCmd{Email: c.Email, Name: c.Name, Password: c.Password})
	if err != nil {
		return SignedIn{}, err
	}
	in, err := s.begin(ctx, c.Transport, draft.Ref().ID, func(ctx context.Context) (account.User, error) {
		return s.insert(ctx, draft)
	})
	if err != nil {
		return SignedIn{}, err
	}
	s.sync(ctx)
	return in, nil
}

// Create makes an account as Register does, and signs nobody in. For the command line and for seeds.
//
// Errors: FORBIDDEN, EMAIL_TAKEN, EMAIL_INVALID, PASSWORD_WEAK, TOO_BUSY, BAD_USER_INPUT.
func (s *Service) Create(ctx context.Context, c account.CreateCmd) (account.User, error) {
	if !actor.From(ctx).System {
		return account.User{}, fault.ErrForbidden
	}
	draft, err := s.Accounts.Prepare(ctx, c)
	if err != nil {
		return account.User{}, err
	}
	var u account.User
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		u, err = s.insert(ctx, draft)
		return err
	})
	if err != nil {
		return account.User{}, err
	}
	s.sync(ctx)
	return u, nil
}

// insert stores a user with all that every user has, in the transaction of ctx.
func (s *Service) insert(ctx context.Context, d account.Draft) (account.User, error) {
	u, err := s.Accounts.Insert(ctx, d)
	if err != nil {
		return u, err
	}
	server := actor.With(ctx, actor.System()) // it decides on plan and role, not the visitor
	if _, err := s.Plans.Enroll(server, u.Ref()); err != nil {
		return u, err
	}
	return u, s.Roles.GrantDefault(server, u.ID)
}

// sync lets this node's policy catch up with a new account. The account is made, whatever comes now; a node that cannot
// catch up refuses what it does not know of, by itself.
func (s *Service) sync(ctx context.Context) { _ = s.Policy.Sync(ctx) }

// SignIn lets somebody in who knows address and password. The session the request came with, if any, ends.
//
// Errors: BAD_CREDENTIALS for a wrong password and for an unknown address, TOO_BUSY, BAD_USER_INPUT.
func (s *Service) SignIn(ctx context.Context, c SignInCmd) (SignedIn, error) {
	if err := c.Transport.check(ctx); err != nil {
		return SignedIn{}, err
	}
	u, err := s.Accounts.Verify(ctx, c.Email, c.Password)
	if err != nil {
		return SignedIn{}, err
	}
	return s.begin(ctx, c.Transport, u.ID, func(context.Context) (account.User, error) { return u, nil })
}

// begin starts a session of the user that who gives, in one transaction with who and with the end of the session the
// request came with. In the log it is the user who did it all.
func (s *Service) begin(ctx context.Context, t Transport, id string, who func(context.Context) (account.User, error)) (SignedIn, error) {
	var in SignedIn
	old := actor.From(ctx).Session
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.end(ctx, old); err != nil {
			return err
		}
		ctx = actor.With(ctx, actor.Actor{User: id})
		if in.User, err = who(ctx); err != nil {
			return err
		}
		in.Session, in.Token, err = s.Sessions.Start(ctx, id)
		return err
	})
	if err != nil {
		return SignedIn{}, err
	}
	if old != "" {
		s.Sessions.Forget(old)
	}
	if t == Cookie {
		TokenSinkFrom(ctx)(in.Token)
		in.Token = ""
	}
	return in, nil
}

// SignOut ends the session of the request and clears the cookie. It reports whether there was a session: signing out
// twice is no error.
func (s *Service) SignOut(ctx context.Context) (bool, error) {
	id := actor.From(ctx).Session
	if err := s.end(ctx, id); err != nil {
		return false, err
	}
	if clearCookie := TokenSinkFrom(ctx); clearCookie != nil {
		clearCookie("")
	}
	return id != "", nil
}

// end ends the session of the request, if it has one. That it is gone already is no error.
func (s *Service) end(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	if err := s.Sessions.End(ctx, id); err != nil && !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	return nil
}

// SetPassword gives a user a new password and ends all their sessions, in one transaction. For an operator at the command
// line only: it gives the operator a way in, as a lost mailbox leaves no other.
//
// Errors: FORBIDDEN, NOT_FOUND, PASSWORD_WEAK, TOO_BUSY.
func (s *Service) SetPassword(ctx context.Context, user, password string) error {
	var ended []string
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.Accounts.SetPassword(ctx, user, password); err != nil {
			return err
		}
		ended, err = s.Sessions.EndAllOf(ctx, user)
		return err
	})
	if err == nil {
		s.Sessions.Forget(ended...)
	}
	return err
}
