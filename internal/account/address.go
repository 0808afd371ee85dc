package account

import (
	"context"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/fault"
)

// addressed is the data of the events about addresses. The address itself is in the user, and in the mail that tells of
// it; the log would keep it after the user is gone.
type addressed struct {
	Primary bool `bson:"primary"` // it is, or was, the primary one
	Count   int  `bson:"count"`   // addresses the user has now
}

// AddAddress gives a user an address that the caller has verified, as the primary one if asked; the event
// account.address.added commits with it. An address the user has already stays, and becomes the primary one if asked.
// It joins the transaction of ctx. Cost: 1 read, 2 writes.
//
// Errors: EMAIL_INVALID, EMAIL_TAKEN, ADDRESS_LIMIT, ACCOUNT_KIND (not a person), NOT_FOUND.
func (s *Service) AddAddress(ctx context.Context, user, email string, primary bool) (User, error) {
	key, err := EmailKey(email)
	if err != nil {
		return User{}, ErrEmailInvalid.On("input.email")
	}
	return s.change(ctx, user, func(u *User) (outcome, error) {
		i := u.address(key)
		switch {
		case u.Kind != KindPerson:
			return outcome{}, ErrKind
		case i >= 0 && primary:
			return u.lead(i), nil
		case i >= 0:
			return outcome{}, nil
		case len(u.Emails) >= MaxAddresses:
			return outcome{}, ErrAddressLimit
		}
		at := len(u.Emails)
		if primary {
			at = 0
		}
		u.Emails = slices.Insert(u.Emails, at, Address{Email: strings.TrimSpace(email), Key: key, VerifiedAt: s.now()})
		return outcome{kindAddressAdded, addressed{at == 0, len(u.Emails)}}, nil
	})
}

// RemoveAddress takes an address from a user; the event account.address.removed commits with it. When it was the
// primary one, the next is. It joins the transaction of ctx. Cost: 1 read, 2 writes.
//
// Errors: ADDRESS_LAST, NOT_FOUND, also for an address that is not this user's.
func (s *Service) RemoveAddress(ctx context.Context, user, email string) (User, error) {
	key, _ := EmailKey(email)
	return s.change(ctx, user, func(u *User) (outcome, error) {
		i := u.address(key)
		switch {
		case i < 0:
			return outcome{}, fault.ErrNotFound
		case len(u.Emails) == 1:
			return outcome{}, ErrAddressLast
		}
		u.Emails = slices.Delete(u.Emails, i, i+1)
		return outcome{kindAddressRemoved, addressed{i == 0, len(u.Emails)}}, nil
	})
}

// SetPrimary makes one of a user's addresses the primary one, to which mail goes; the event
// account.address.primary_changed commits with it. It joins the transaction of ctx. Cost: 1 read, 2 writes.
//
// Errors: NOT_FOUND, also for an address that is not this user's.
func (s *Service) SetPrimary(ctx context.Context, user, email string) (User, error) {
	key, _ := EmailKey(email)
	return s.change(ctx, user, func(u *User) (outcome, error) {
		i := u.address(key)
		if i < 0 {
			return outcome{}, fault.ErrNotFound
		}
		return u.lead(i), nil
	})
}

// lead puts address i first.
func (u *User) lead(i int) outcome {
	if i == 0 {
		return outcome{}
	}
	a := u.Emails[i]
	u.Emails = slices.Insert(slices.Delete(u.Emails, i, i+1), 0, a)
	return outcome{kindPrimaryChanged, addressed{true, len(u.Emails)}}
}
