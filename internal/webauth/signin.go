package webauth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/ticket"
)

// SignInCmd asks to be let in with a password.
type SignInCmd struct {
	Entry
	Identifier string // mail address or username
	Password   string
}

// SignIn lets somebody in who knows name and password. A registration whose address is not verified yet leads to
// [VerificationRequired] and another mail. Cost: 5 reads and 1 hash whoever it is, then those of the outcome.
//
// Errors: BAD_CREDENTIALS for a wrong password and for an unknown name alike, ACCOUNT_DISABLED, RATE_LIMITED, TOO_BUSY,
// BAD_USER_INPUT.
func (s *Service) SignIn(ctx context.Context, c SignInCmd) (Outcome, error) {
	if err := c.Transport.check(ctx); err != nil {
		return nil, err
	}
	leave, err := s.Accounts.Queue(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	who, err := s.whoIs(ctx, c.Identifier)
	if err != nil {
		return nil, err
	}
	try, err := s.attempt(ctx, who, c.device(ctx))
	if err != nil {
		return nil, err
	}
	var waiting ticket.Ticket
	var p pending
	v, err := s.Accounts.VerifyAny(ctx, c.Identifier, c.Password, func(ctx context.Context, key string) (account.Hashed, bool, error) {
		var found bool
		var err error
		waiting, p, found, err = s.waiting(ctx, key)
		return p.Account.Hashed(), found, err
	})
	if try.settle(ctx, err) != nil {
		s.failed(ctx, who.user, methodPassword, err)
		return nil, err
	}
	if v.Pending {
		return s.remind(ctx, waiting, p)
	}
	return s.admit(ctx, v.User, methodPassword, c.Entry, func(ctx context.Context) error { return s.Accounts.StillHas(ctx, v) })
}

// waiting is the newest registration of an address that waits for its mail.
func (s *Service) waiting(ctx context.Context, key string) (t ticket.Ticket, p pending, found bool, err error) {
	if key == "" {
		key = "nobody" // no address, and the same read
	}
	all, err := s.Tickets.Of(ctx, key, kindRegister)
	if err != nil || len(all) == 0 {
		return t, p, false, err
	}
	return all[0], p, true, all[0].Decode(&p)
}

// remind begins a waiting registration anew: the client that asks now knows the password, and needs a flow of its own.
func (s *Service) remind(ctx context.Context, old ticket.Ticket, p pending) (Outcome, error) {
	if err := s.mayMail(ctx, old.Subject); err != nil {
		return nil, err
	}
	var t ticket.Issued
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.Tickets.Spend(ctx, old); err != nil {
			return err
		}
		t, err = s.Tickets.Issue(ctx, ticket.Request{Kind: kindRegister, Subject: old.Subject, TTL: registerTTL, Mailed: true, Data: p})
		if err != nil {
			return err
		}
		return s.mailRegistration(ctx, t, p.Account)
	})
	if err != nil {
		return nil, err
	}
	return VerificationRequired{Flow: t.Flow, Email: p.Account.Email, ExpiresAt: t.ExpiresAt}, nil
}

// MailSent says that a mail is on its way, if there is anybody it could be for.
type MailSent struct {
	Flow      string
	ExpiresAt time.Time
}

// RequestSignInMail sends code and link to sign in with. An unknown address gets a mail too, that says so: neither the
// answer nor the work tells the two apart. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: EMAIL_INVALID, RATE_LIMITED.
func (s *Service) RequestSignInMail(ctx context.Context, email string) (MailSent, error) {
	return s.mailSecrets(ctx, kindSignInMail, "sign_in", email)
}

// mailed is the data of a ticket that was sent to an address of a user; without a user it is good for nothing.
type mailed struct {
	User string `bson:"user"`
	Key  string `bson:"key"`
}

// mailSecrets issues a ticket of the kind for the user of an address and mails it there.
func (s *Service) mailSecrets(ctx context.Context, kind ticket.Kind, template, email string) (MailSent, error) {
	email = strings.TrimSpace(email)
	key, err := account.EmailKey(email)
	if err != nil {
		return MailSent{}, account.ErrEmailInvalid.On("email")
	}
	if err := s.mayMail(ctx, key); err != nil {
		return MailSent{}, err
	}
	u, found, err := s.Accounts.Occupied(ctx, email)
	if err != nil {
		return MailSent{}, err
	}
	about := key // whose tickets are void when the account changes
	if found {
		about = u.ID
	}
	var t ticket.Issued
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		t, err = s.Tickets.Issue(ctx, ticket.Request{Kind: kind, Subject: about, TTL: mailTTL, Mailed: true, Data: mailed{User: u.ID, Key: key}})
		if err != nil {
			return err
		}
		if !found {
			return s.send(ctx, email, "", "unknown_account", nil)
		}
		data := secrets(u.Name, t, mailTTL)
		if kind == kindReset {
			data["ByAdmin"] = false
		}
		return s.send(ctx, email, u.Locale, template, data)
	})
	if err != nil {
		return MailSent{}, err
	}
	return MailSent{Flow: t.Flow, ExpiresAt: t.ExpiresAt}, nil
}

// MailProof is what a mail brought: flow and code, or the token of the link.
type MailProof struct{ Flow, Code, Token string }

func (p MailProof) ticket() ticket.Proof {
	return ticket.Proof{Flow: p.Flow, Code: p.Code, Link: p.Token}
}

// mailedTo verifies what a mail brought, and gives the user it was sent to, who must still have that address.
//
// Errors: TICKET_INVALID, RATE_LIMITED.
func (s *Service) mailedTo(ctx context.Context, kind ticket.Kind, p MailProof) (ticket.Ticket, account.User, error) {
	try, err := s.attempt(ctx, target{}, "") // the tries at one code are counted by its ticket
	if err != nil {
		return ticket.Ticket{}, account.User{}, err
	}
	t, u, err := s.openMailed(ctx, kind, p)
	if try.settle(ctx, err) != nil {
		s.failed(ctx, ref.Ref{}, methodMail, err)
	}
	return t, u, err
}

func (s *Service) openMailed(ctx context.Context, kind ticket.Kind, p MailProof) (t ticket.Ticket, u account.User, err error) {
	if t, err = s.Tickets.Verify(ctx, kind, p.ticket()); err != nil {
		return t, u, err
	}
	var m mailed
	if err := t.Decode(&m); err != nil {
		return t, u, err
	}
	u, err = s.Accounts.ByID(ctx, m.User)
	if errors.Is(err, fault.ErrNotFound) || err == nil && !hasAddress(u, m.Key) {
		return t, account.User{}, ticket.ErrInvalid
	}
	return t, u, err
}

// hasAddress reports whether an address (its normal form) is one of the user's.
func hasAddress(u account.User, key string) bool {
	return slices.ContainsFunc(u.Emails, func(a account.Address) bool { return a.Key == key })
}

// SignInMailCmd signs in with what a mail brought.
type SignInMailCmd struct {
	Entry
	MailProof
}

// SignInWithMail lets somebody in who reads the mails of an account. It is one factor, as a password is.
//
// Errors: TICKET_INVALID, ACCOUNT_DISABLED, RATE_LIMITED, BAD_USER_INPUT.
func (s *Service) SignInWithMail(ctx context.Context, c SignInMailCmd) (Outcome, error) {
	if err := c.Transport.check(ctx); err != nil {
		return nil, err
	}
	t, u, err := s.mailedTo(ctx, kindSignInMail, c.MailProof)
	if err != nil {
		return nil, err
	}
	return s.admit(ctx, u, methodMail, c.Entry, func(ctx context.Context) error { return s.Tickets.Spend(ctx, t) })
}

// BeginPasskeySignIn asks for a passkey of whomever.
//
// Errors: RATE_LIMITED.
func (s *Service) BeginPasskeySignIn(ctx context.Context) (flow string, options []byte, err error) {
	if err := s.mayMail(ctx, ""); err != nil { // it writes a ticket for whoever asks
		return "", nil, err
	}
	return s.Factors.BeginAssertion(ctx, "")
}

// PasskeyCmd signs in with a passkey.
type PasskeyCmd struct {
	Entry
	Flow       string
	Credential []byte // JSON of the browser's PublicKeyCredential
}

// SignInWithPasskey lets somebody in by a passkey alone. The authenticator has verified who holds it, so it counts for two
// factors.
//
// Errors: PASSKEY_INVALID, ACCOUNT_DISABLED, RATE_LIMITED, BAD_USER_INPUT.
func (s *Service) SignInWithPasskey(ctx context.Context, c PasskeyCmd) (Outcome, error) {
	if err := c.Transport.check(ctx); err != nil {
		return nil, err
	}
	try, err := s.attempt(ctx, target{}, "")
	if err != nil {
		return nil, err
	}
	a, err := s.Factors.CheckAssertion(ctx, "", c.Flow, c.Credential)
	if try.settle(ctx, err) != nil {
		s.failed(ctx, ref.Ref{}, methodPasskey, err)
		return nil, err
	}
	u, err := s.Accounts.ByID(ctx, a.User)
	if err != nil {
		return nil, err
	}
	return s.admit(ctx, u, methodPasskey, c.Entry, nothing)
}
