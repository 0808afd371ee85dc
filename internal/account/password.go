package account

import (
	"context"
	"errors"
)

// errNoHash is a mistake of the programmer: nobody's password is taken away by an empty one.
var errNoHash = errors.New("account: SetHash without a hash")

// hashNew judges a password for the user and hashes it.
//
// Errors: PASSWORD_WEAK, TOO_BUSY.
func (s *Service) hashNew(ctx context.Context, u User, password string) (Hashed, error) {
	if err := s.judge.check(password, u.words()...); err != nil {
		return Hashed{}, err
	}
	text, err := s.hasher.hash(ctx, password)
	return hashed(text), err
}

// PreparePassword does what is slow in giving a user a new password, for [Service.SetHash]. Cost: 1 read and 1 hash.
//
// Errors: NOT_FOUND, ACCOUNT_KIND (not a person), PASSWORD_WEAK, TOO_BUSY.
func (s *Service) PreparePassword(ctx context.Context, user, password string) (Hashed, error) {
	r, err := s.store.byID(ctx, user)
	if err != nil {
		return Hashed{}, err
	}
	if r.Kind != KindPerson {
		return Hashed{}, ErrKind
	}
	return s.hashNew(ctx, r.User, password)
}

// SetHash gives a user the prepared password, whatever the old one was; the event account.password.set commits with it.
// It joins the transaction of ctx: a reset spends its ticket there too. It ends no sessions; the flow does.
// Cost: 2 writes.
//
// Errors: NOT_FOUND.
func (s *Service) SetHash(ctx context.Context, user string, h Hashed) error {
	if h.IsZero() {
		return errNoHash
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.setPassword(ctx, user, h.reveal()); err != nil {
			return err
		}
		return s.events.Append(ctx, kindPasswordSet, User{ID: user}.Ref(), nil)
	})
}

// CheckPassword tells whether this is the user's password: for a fresh proof of who they are. Cost: 1 read and 1 hash.
//
// Errors: BAD_CREDENTIALS, also for a user without a password; NOT_FOUND, TOO_BUSY.
func (s *Service) CheckPassword(ctx context.Context, user, password string) error {
	r, err := s.store.byID(ctx, user)
	if err != nil {
		return err
	}
	ok, _, err := s.matches(ctx, r.Password, password)
	if err == nil && !ok {
		err = errCurrent()
	}
	return err
}

// Change is a checked exchange of a password for a new one, ready to be stored.
type Change struct {
	user     string
	old, new Hashed
}

// PrepareChange does what is slow when a user who knows the current password takes a new one, for
// [Service.CommitChange]. A user without a password gives an empty current one. Cost: 1 read and 2 hashes; 1 hash
// without a current one.
//
// Errors: BAD_CREDENTIALS (the current one is wrong), PASSWORD_WEAK, NOT_FOUND, ACCOUNT_KIND (not a person), TOO_BUSY.
func (s *Service) PrepareChange(ctx context.Context, user, current, password string) (Change, error) {
	r, err := s.store.byID(ctx, user)
	if err != nil {
		return Change{}, err
	}
	if r.Kind != KindPerson {
		return Change{}, ErrKind
	}
	if r.Password != "" || current != "" {
		ok, _, err := s.matches(ctx, r.Password, current)
		if err != nil {
			return Change{}, err
		}
		if !ok {
			return Change{}, errCurrent()
		}
	}
	next, err := s.hashNew(ctx, r.User, password)
	return Change{user, hashed(r.Password), next}, err
}

// CommitChange stores a change, if the password is still the one it was prepared for: of several at once that name the
// same current password, one wins. The event account.password.changed commits with it. It joins the transaction of ctx.
// It ends no sessions; the flow does. Cost: 2 writes.
//
// Errors: BAD_CREDENTIALS: somebody was faster, so the current password is no longer right.
func (s *Service) CommitChange(ctx context.Context, c Change) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		swapped, err := s.store.swapPassword(ctx, c.user, c.old.reveal(), c.new.reveal(), 1)
		if err != nil {
			return err
		}
		if !swapped {
			return errCurrent()
		}
		return s.events.Append(ctx, kindPasswordChanged, User{ID: c.user}.Ref(), nil)
	})
}

func errCurrent() error {
	return ErrCredentials.Saying("the current password is wrong").On("input.currentPassword")
}
