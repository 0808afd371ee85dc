package webauth

import (
	"context"
	"net/url"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/ticket"
)

// RequestPasswordReset sends code and link to choose a new password with. An unknown address gets a mail too, that says
// so: neither the answer nor the work tells the two apart. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: EMAIL_INVALID, RATE_LIMITED.
func (s *Service) RequestPasswordReset(ctx context.Context, email string) (MailSent, error) {
	return s.mailSecrets(ctx, kindReset, "reset_password", email)
}

// StartPasswordReset sends the same mail to a user on behalf of an administrator, who never sees or chooses a password.
// Needs account.user.write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, EMAIL_UNVERIFIED for a user without an address.
func (s *Service) StartPasswordReset(ctx context.Context, user string) (account.User, error) {
	if err := s.Roles.Require(ctx, account.PermWrite, on(user)); err != nil {
		return account.User{}, err
	}
	u, err := s.Accounts.ByID(ctx, user)
	switch {
	case err != nil:
		return u, err
	case u.Email() == "":
		return u, ErrUnverified
	}
	return u, s.db.InTx(ctx, func(ctx context.Context) error {
		t, err := s.issueReset(ctx, u, mailTTL)
		if err != nil {
			return err
		}
		data := secrets(u.Name, t, mailTTL)
		data["ByAdmin"] = true
		return s.send(ctx, u.Email(), u.Locale, "reset_password", data)
	})
}

// issueReset makes the ticket of a reset that somebody else asked for, and tells the log who.
func (s *Service) issueReset(ctx context.Context, u account.User, ttl time.Duration) (t ticket.Issued, err error) {
	t, err = s.Tickets.Issue(ctx, ticket.Request{
		Kind: kindReset, Subject: u.ID, TTL: ttl, Mailed: true, Data: mailed{User: u.ID, Key: u.EmailKey()},
	})
	if err != nil {
		return t, err
	}
	return t, s.Events.Append(ctx, kindResetAsked, u.Ref(), nil)
}

// CreateAdmin makes an account without a password that holds the role, and gives the one-time link to choose one with.
// Asked again for an account that is there, it grants the role and gives another link. For an operator at the command
// line only: it is how the first administrator comes in, since no account exists by default.
//
// Errors: FORBIDDEN, EMAIL_INVALID, NOT_FOUND for the role, BAD_USER_INPUT.
func (s *Service) CreateAdmin(ctx context.Context, c account.CreateCmd, grant func(ctx context.Context, u account.User) error) (account.User, string, error) {
	if !actor.From(ctx).System {
		return account.User{}, "", fault.ErrForbidden
	}
	u, found, err := s.Accounts.Occupied(ctx, c.Email)
	if err != nil {
		return u, "", err
	}
	if !found {
		if u, err = s.Create(ctx, c); err != nil {
			return u, "", err
		}
	}
	if err := grant(ctx, u); err != nil {
		return u, "", err
	}
	link, err := s.ResetLink(ctx, u)
	return u, link, err
}

// ResetLink gives a link to choose a password with, good once and for an hour. For an operator at the command line only:
// as a lost mailbox leaves no other way in.
//
// Errors: FORBIDDEN.
func (s *Service) ResetLink(ctx context.Context, u account.User) (string, error) {
	if !actor.From(ctx).System {
		return "", fault.ErrForbidden
	}
	var t ticket.Issued
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		t, err = s.issueReset(ctx, u, adminTTL)
		return err
	})
	if err != nil {
		return "", err
	}
	return s.cfg.PublicURL + "/reset#token=" + url.QueryEscape(t.Link), nil
}

// ResetCmd chooses a new password.
type ResetCmd struct {
	MailProof
	Password string
}

// ResetPassword stores a new password for who reads the mails of the account. In the same transaction all its sessions and
// keys end, every device becomes unknown, every other mailed secret void, and the owner is told. It signs nobody in: a
// second factor is still wanted. It reports how many sessions and keys have ended.
//
// Errors: TICKET_INVALID, PASSWORD_WEAK, ACCOUNT_DISABLED, RATE_LIMITED, TOO_BUSY.
func (s *Service) ResetPassword(ctx context.Context, c ResetCmd) (int, error) {
	t, u, err := s.mailedTo(ctx, kindReset, c.MailProof)
	if err != nil {
		return 0, err
	}
	if u.DisabledAt != nil {
		return 0, account.ErrDisabled
	}
	hash, err := s.Accounts.PreparePassword(ctx, u.ID, c.Password)
	if err != nil {
		return 0, err
	}
	var ended []string
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		ctx = actor.With(ctx, actor.Actor{User: u.ID})
		if err := s.Tickets.Spend(ctx, t); err != nil {
			return err
		}
		if err := s.Accounts.SetHash(ctx, u.ID, hash); err != nil {
			return err
		}
		if ended, err = s.shut(ctx, u.ID); err != nil {
			return err
		}
		if err := s.notify(ctx, u, "notice_password_changed", nil); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindResetDone, u.Ref(), nil)
	})
	if err != nil {
		return 0, err
	}
	s.Sessions.Forget(ended...)
	return len(ended), nil
}

// shut ends everything that lets a user in without proving who they are: sessions, keys, known devices and mailed secrets.
// It joins the transaction of ctx; the sessions are to be forgotten after its commit.
func (s *Service) shut(ctx context.Context, user string) (ended []string, err error) {
	if ended, err = s.Sessions.EndAllOf(ctx, user); err != nil {
		return nil, err
	}
	if err := s.Sessions.ForgetDevices(ctx, user); err != nil {
		return nil, err
	}
	_, err = s.Tickets.Void(ctx, user)
	return ended, err
}

// ChangePasswordCmd changes one's own password.
type ChangePasswordCmd struct {
	Current  string // empty when there is none
	Password string
}

// ChangePassword stores a new password for the person of the request, who knows the current one and has proved a moment
// ago who they are. All their other sessions end in the same transaction, and they are told by mail; access keys stay,
// for they do not come from the password. This session gets new secrets. It reports how many have ended.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, BAD_CREDENTIALS, PASSWORD_WEAK, RATE_LIMITED,
// TOO_BUSY.
func (s *Service) ChangePassword(ctx context.Context, c ChangePasswordCmd) (int, Renewed, error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return 0, Renewed{}, err
	}
	try, err := s.attempt(ctx, at(u), Entry{Transport: InCookie}.device(ctx))
	if err != nil {
		return 0, Renewed{}, err
	}
	change, err := s.Accounts.PrepareChange(ctx, u.ID, c.Current, c.Password)
	if try.settle(ctx, err) != nil {
		s.failed(ctx, u.Ref(), methodPassword, err)
		return 0, Renewed{}, err
	}
	own := actor.From(ctx).Session
	var ended []string
	var one session.Session
	var secrets session.Secrets
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.Accounts.CommitChange(ctx, change); err != nil {
			return err
		}
		if ended, err = s.Sessions.EndOthersOf(ctx, u.ID, own); err != nil {
			return err
		}
		if _, err := s.Tickets.Void(ctx, u.ID); err != nil {
			return err
		}
		if one, secrets, err = s.Sessions.Renew(ctx, own); err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_password_changed", nil)
	})
	if err != nil {
		return 0, Renewed{}, err
	}
	s.Sessions.Forget(ended...)
	s.Sessions.Refreshed(own)
	return len(ended), Renewed{one, give(ctx, one, secrets)}, nil
}
