package webauth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/ticket"
)

// RegisterCmd asks for an account.
type RegisterCmd struct {
	Email       string
	Password    string // empty for none
	Name        string
	Username    string // empty for none
	Locale      string // BCP 47; empty for the default
	Invitation  string // secret of the link; empty without one
	AcceptTerms string // version; empty when there are none
}

// pending is what waits for a verified address. Whoever has not shown that they read the address gets no account, so
// nobody can occupy an address that is not theirs.
type pending struct {
	Account    account.Pending `bson:"account"`
	Guest      string          `bson:"guest,omitempty"` // the guest who becomes a person
	Invitation string          `bson:"invitation,omitempty"`
}

// Register checks what an account would be made of, keeps it, and sends a mail to the address: with a code and a link, or
// telling its owner that there is an account already. Whoever asked cannot tell which, by the answer or by the work done
// for it. Cost: 3 reads and 1 more with a username, 1 hash if there is a password, 2 writes, 1 commit.
//
// Errors: EMAIL_INVALID, PASSWORD_WEAK, USERNAME_TAKEN, USERNAME_INVALID, REGISTRATION_CLOSED, INVITATION_INVALID,
// TERMS_VERSION, RATE_LIMITED, TOO_BUSY, BAD_USER_INPUT.
func (s *Service) Register(ctx context.Context, c RegisterCmd) (VerificationRequired, error) {
	key, err := account.EmailKey(c.Email)
	if err != nil {
		return VerificationRequired{}, account.ErrEmailInvalid.On("input.email")
	}
	if c.AcceptTerms != s.cfg.Terms {
		return VerificationRequired{}, ErrTerms.On("input.acceptTerms")
	}
	leave, err := s.Accounts.Queue(ctx)
	if err != nil {
		return VerificationRequired{}, err
	}
	defer leave()
	invitation, err := s.mayRegister(ctx, key, c.Invitation)
	if err != nil {
		return VerificationRequired{}, err
	}
	if err := s.mayMail(ctx, key); err != nil {
		return VerificationRequired{}, err
	}
	draft, err := s.Accounts.Prepare(ctx, account.CreateCmd{
		Email: c.Email, Name: c.Name, Password: c.Password, Username: c.Username, Locale: c.Locale, Terms: s.cfg.Terms,
	})
	if err != nil {
		return VerificationRequired{}, err
	}
	if err := s.mayBeCalled(ctx, c.Username); err != nil {
		return VerificationRequired{}, err
	}
	guest, err := s.guest(ctx)
	if err != nil {
		return VerificationRequired{}, err
	}
	var t ticket.Issued
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		t, err = s.Tickets.Issue(ctx, ticket.Request{
			Kind: kindRegister, Subject: key, TTL: registerTTL, Mailed: true,
			Data: pending{Account: draft.Pending(), Guest: guest, Invitation: invitation},
		})
		if err != nil {
			return err
		}
		return s.mailRegistration(ctx, t, draft.Pending())
	})
	if err != nil {
		return VerificationRequired{}, err
	}
	return VerificationRequired{Flow: t.Flow, Email: strings.TrimSpace(c.Email), ExpiresAt: t.ExpiresAt}, nil
}

// mayRegister decides whether that address may, and gives the id of the invitation that it uses.
//
// Errors: REGISTRATION_CLOSED, INVITATION_INVALID.
func (s *Service) mayRegister(ctx context.Context, key, secret string) (invitation string, err error) {
	if secret != "" {
		t, err := s.Tickets.Verify(ctx, kindInvitation, ticket.Proof{Link: secret})
		switch {
		case errors.Is(err, ticket.ErrInvalid), err == nil && t.Subject != key:
			return "", ErrInvitation.On("input.invitation")
		case err != nil:
			return "", err
		}
		return t.ID, nil // whoever invites decides: no mode and no domain is in the way
	}
	if s.cfg.Registration != Open {
		return "", ErrRegistration
	}
	_, domain, _ := strings.Cut(key, "@")
	if len(s.cfg.Domains) > 0 && !slices.Contains(s.cfg.Domains, domain) {
		return "", ErrRegistration.On("input.email")
	}
	return "", nil
}

// mayBeCalled refuses a username that somebody has. It is looked at once more, by the index, when the account is made; here
// somebody is there to choose another one.
//
// Errors: USERNAME_TAKEN.
func (s *Service) mayBeCalled(ctx context.Context, username string) error {
	if username == "" {
		return nil
	}
	_, taken, err := s.Accounts.ByUsername(ctx, username)
	if err == nil && taken {
		err = account.ErrUsernameTaken.On("input.username")
	}
	return err
}

// guest is the id of the guest that the request comes from; empty when it comes from nobody or from a person.
func (s *Service) guest(ctx context.Context) (string, error) {
	a := actor.From(ctx)
	if !a.IsPerson() {
		return "", nil
	}
	u, err := s.Accounts.ByID(ctx, a.User)
	if err != nil || u.Kind != account.KindAnonymous {
		return "", err
	}
	return u.ID, nil
}

// mailRegistration sends what belongs to the address: its code and link, or that it has an account.
func (s *Service) mailRegistration(ctx context.Context, t ticket.Issued, p account.Pending) error {
	_, taken, err := s.Accounts.Occupied(ctx, p.Email)
	if err != nil {
		return err
	}
	if taken {
		return s.send(ctx, p.Email, p.Locale, "already_registered", nil)
	}
	return s.send(ctx, p.Email, p.Locale, "verify_email", secrets(p.Name, t, registerTTL))
}

// ResendVerification sends the mail of a registration once more, with other secrets.
//
// Errors: TICKET_INVALID, RATE_LIMITED.
func (s *Service) ResendVerification(ctx context.Context, flow string) (MailSent, error) {
	t, err := s.Tickets.Peek(ctx, kindRegister, flow)
	if err != nil {
		return MailSent{}, err
	}
	var p pending
	if err := t.Decode(&p); err != nil {
		return MailSent{}, err
	}
	if err := s.mayMail(ctx, t.Subject); err != nil {
		return MailSent{}, err
	}
	return s.resend(ctx, flow, p.Account)
}

func (s *Service) resend(ctx context.Context, flow string, p account.Pending) (MailSent, error) {
	var again ticket.Issued
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if again, err = s.Tickets.Renew(ctx, kindRegister, flow); err != nil {
			return err
		}
		return s.mailRegistration(ctx, again, p)
	})
	return MailSent{Flow: flow, ExpiresAt: again.ExpiresAt}, err
}

// VerifyCmd proves that the mail of a registration arrived: flow and code, flow and token, or token and password.
type VerifyCmd struct {
	Entry
	Flow, Code, Token string
	Password          string
}

// VerifyEmail makes the account and signs in. The link of the mail alone is not enough, for the owner of an address might
// follow it although a stranger has registered, with a password the stranger knows: it takes the browser that registered
// or the password. All that a user has commits together, or nothing does.
//
// Errors: TICKET_INVALID, BAD_CREDENTIALS, EMAIL_TAKEN, USERNAME_TAKEN, RATE_LIMITED, TOO_BUSY, BAD_USER_INPUT;
// INVITATION_INVALID for one that was used or taken back meanwhile, ACCOUNT_KIND for a guest who is a person by now.
func (s *Service) VerifyEmail(ctx context.Context, c VerifyCmd) (Outcome, error) {
	if err := c.Transport.check(ctx); err != nil {
		return nil, err
	}
	try, err := s.attempt(ctx, target{}, "")
	if err != nil {
		return nil, err
	}
	t, p, err := s.verifyRegistration(ctx, c)
	if try.settle(ctx, err) != nil {
		s.failed(ctx, ref.Ref{}, methodMail, err)
		return nil, err
	}
	draft, err := s.Accounts.FromPending(p.Account)
	if err != nil {
		return nil, err
	}
	id := draft.Ref().ID
	if p.Guest != "" {
		id = p.Guest
	}
	var ended []string
	done, err := s.enter(ctx, id, proved{methodsOf(c), session.FullProof}, c.Entry, func(ctx context.Context) (err error) {
		if err := s.Tickets.Spend(ctx, t); err != nil {
			return err
		}
		ended, err = s.install(ctx, draft, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Sessions.Forget(ended...)
	s.sync(ctx)
	return done, nil
}

// methodsOf is what a registration has proved.
func methodsOf(c VerifyCmd) string {
	if c.Password != "" {
		return methodPassword + " " + methodMail
	}
	return methodMail
}

func (s *Service) verifyRegistration(ctx context.Context, c VerifyCmd) (ticket.Ticket, pending, error) {
	var p pending
	t, err := s.Tickets.Verify(ctx, kindRegister, ticket.Proof{Flow: c.Flow, Code: c.Code, Link: c.Token})
	if err != nil {
		return t, p, err
	}
	if err := t.Decode(&p); err != nil {
		return t, p, err
	}
	if c.Flow != "" || p.Account.Hashed().IsZero() {
		return t, p, nil
	}
	ok, err := s.Accounts.VerifyHash(ctx, p.Account.Hashed(), c.Password)
	if err == nil && !ok {
		err = account.ErrCredentials.On("input.password")
	}
	return t, p, err
}

// SignInAnonymously lets a guest in: a user with an id, a role and a plan, and no way to come back but the session. The
// guest becomes a person by registering.
//
// Errors: REGISTRATION_CLOSED, RATE_LIMITED, BAD_USER_INPUT.
func (s *Service) SignInAnonymously(ctx context.Context, in Entry) (Outcome, error) {
	if err := in.Transport.check(ctx); err != nil {
		return nil, err
	}
	if s.cfg.Registration != Open {
		return nil, ErrRegistration
	}
	if err := s.mayMail(ctx, ""); err != nil { // as dear as a mail, and as tempting to ask for in masses
		return nil, err
	}
	draft, err := s.Accounts.Prepare(ctx, account.CreateCmd{Kind: account.KindAnonymous})
	if err != nil {
		return nil, err
	}
	done, err := s.enter(ctx, draft.Ref().ID, proved{methodGuest, session.FullProof}, in, func(ctx context.Context) error { return s.insert(ctx, draft, "") })
	if err != nil {
		return nil, err
	}
	s.sync(ctx)
	return done, nil
}

// now is the time.
func (s *Service) now() time.Time { return s.Now() }

// on is a user as the subject of an event.
func on(user string) ref.Ref { return ref.New(ref.User, user) }
