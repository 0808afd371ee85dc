package webauth

import (
	"context"
	"strings"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/ticket"
)

// added is the data of the ticket of an address that waits for its confirmation.
type added struct {
	User    string `bson:"user"`
	Email   string `bson:"email"`
	Primary bool   `bson:"primary"`
}

// AddEmail sends code and link to an address that is to be the caller's too. Whether somebody has it already, only its
// owner learns, by mail.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, EMAIL_INVALID, ADDRESS_LIMIT, RATE_LIMITED.
func (s *Service) AddEmail(ctx context.Context, email string, primary bool) (MailSent, error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return MailSent{}, err
	}
	email = strings.TrimSpace(email)
	key, err := account.EmailKey(email)
	if err != nil {
		return MailSent{}, account.ErrEmailInvalid.On("input.email")
	}
	if len(u.Emails) >= account.MaxAddresses {
		return MailSent{}, account.ErrAddressLimit
	}
	if err := s.mayMail(ctx, key); err != nil {
		return MailSent{}, err
	}
	_, taken, err := s.Accounts.Occupied(ctx, email)
	if err != nil {
		return MailSent{}, err
	}
	var t ticket.Issued
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		t, err = s.Tickets.Issue(ctx, ticket.Request{
			Kind: kindAddress, Subject: u.ID, TTL: addressTTL, Mailed: true, Data: added{User: u.ID, Email: email, Primary: primary},
		})
		if err != nil {
			return err
		}
		if taken {
			return s.send(ctx, email, u.Locale, "already_registered", nil)
		}
		return s.send(ctx, email, u.Locale, "confirm_address", secrets(u.Name, t, addressTTL))
	})
	if err != nil {
		return MailSent{}, err
	}
	return MailSent{Flow: t.Flow, ExpiresAt: t.ExpiresAt}, nil
}

// ConfirmEmail makes an address the caller's, who has added it and reads it. If it becomes the primary one, the one so far
// is told, and the mailed secrets that were sent there are void.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, TICKET_INVALID, EMAIL_TAKEN, ADDRESS_LIMIT, RATE_LIMITED.
func (s *Service) ConfirmEmail(ctx context.Context, p MailProof) (account.User, error) {
	u, err := s.me(ctx)
	if err != nil {
		return u, err
	}
	try, err := s.attempt(ctx, at(u), Entry{Transport: InCookie}.device(ctx))
	if err != nil {
		return u, err
	}
	t, err := s.Tickets.Verify(ctx, kindAddress, p.ticket())
	if try.settle(ctx, err) != nil {
		return u, err
	}
	var a added
	if err := t.Decode(&a); err != nil {
		return u, err
	}
	if a.User != u.ID {
		return u, ticket.ErrInvalid
	}
	before := u
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.Tickets.Spend(ctx, t); err != nil {
			return err
		}
		if u, err = s.Accounts.AddAddress(ctx, before.ID, a.Email, a.Primary); err != nil {
			return err
		}
		if a.Primary {
			return s.movedPrimary(ctx, before, u)
		}
		return s.notify(ctx, u, "notice_address_added", map[string]any{"Address": a.Email})
	})
	return u, err
}

// movedPrimary tells both addresses of a changed primary one, and voids what was mailed to the old.
func (s *Service) movedPrimary(ctx context.Context, before, after account.User) error {
	if _, err := s.Tickets.Void(ctx, after.ID, kindReset, kindSignInMail, kindSignIn, kindElevate); err != nil {
		return err
	}
	data := map[string]any{"Old": before.Email(), "New": after.Email()}
	if err := s.notifyAt(ctx, after, before.Email(), "notice_primary_changed", data); err != nil {
		return err
	}
	return s.notify(ctx, after, "notice_primary_changed", data)
}

// SetPrimaryEmail makes one of the caller's addresses the primary one, and tells the one so far.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, NOT_FOUND.
func (s *Service) SetPrimaryEmail(ctx context.Context, email string) (account.User, error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return u, err
	}
	before := u
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		u, err = s.Accounts.SetPrimary(ctx, before.ID, email)
		if err != nil || u.EmailKey() == before.EmailKey() {
			return err
		}
		return s.movedPrimary(ctx, before, u)
	})
	return u, err
}

// RemoveEmail takes one of the caller's addresses away, and tells it and the primary one. What was mailed there is void.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, NOT_FOUND, ADDRESS_LAST.
func (s *Service) RemoveEmail(ctx context.Context, email string) (account.User, error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return u, err
	}
	before := u
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if u, err = s.Accounts.RemoveAddress(ctx, before.ID, email); err != nil {
			return err
		}
		if _, err := s.Tickets.Void(ctx, u.ID, kindReset, kindSignInMail); err != nil {
			return err
		}
		data := map[string]any{"Address": email}
		if err := s.notifyAt(ctx, u, email, "notice_address_removed", data); err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_address_removed", data)
	})
	return u, err
}

// UpdateCmd changes one's own profile; nil leaves a member as it is.
type UpdateCmd struct {
	Name, Username, Locale, AcceptTerms *string
}

// UpdateMe changes the profile of the person of the request.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, USERNAME_TAKEN, USERNAME_INVALID, TERMS_VERSION,
// BAD_USER_INPUT.
func (s *Service) UpdateMe(ctx context.Context, c UpdateCmd) (account.User, error) {
	u, err := s.me(ctx)
	if err != nil {
		return u, err
	}
	if c.AcceptTerms != nil && (s.cfg.Terms == "" || *c.AcceptTerms != s.cfg.Terms) {
		return u, ErrTerms.On("input.acceptTerms")
	}
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		u, err = s.Accounts.UpdateProfile(ctx, account.ProfileCmd{User: u.ID, Name: c.Name, Username: c.Username, Locale: c.Locale})
		if err != nil || c.AcceptTerms == nil {
			return err
		}
		u, err = s.Accounts.AcceptTerms(ctx, u.ID, *c.AcceptTerms)
		return err
	})
	return u, err
}
