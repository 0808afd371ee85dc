package account

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"
)

// Verified is whom a password let in.
type Verified struct {
	User    User
	Pending bool // the password is that of a registration whose address is not verified yet; then User is empty

	rev int64 // of the password that was compared
}

// PendingHash finds the password hash of a registration that waits for that address (its normal form; empty when what
// was given is none). It is called for every attempt, so that a known address costs the reads that an unknown one does.
type PendingHash func(ctx context.Context, emailKey string) (h Hashed, found bool, err error)

// VerifyAny gives the user, or the registration that waits, whose mail address or username, and password, these are.
// Where there are both, the user counts: the address is proved to be theirs. Somebody unknown and a wrong password are
// told apart neither by the answer nor by the work done for it; that the account is disabled is told only to who has the
// password. A user who is deactivated or waits for deletion is given: what follows is for the flow to decide.
//
// A hash made in another way than new ones is made anew; until then an imported one costs what it costs.
// Cost: 1 read, 1 call of pending and 1 hash, for a user, a registration and nobody alike; 1 more hash and 1 write after
// the parameters changed.
//
// Errors: BAD_CREDENTIALS, ACCOUNT_DISABLED, TOO_BUSY, those of pending.
func (s *Service) VerifyAny(ctx context.Context, identifier, password string, pending PendingHash) (Verified, error) {
	r, found, emailKey, err := s.byIdentifier(ctx, identifier)
	if err != nil {
		return Verified{}, err
	}
	waiting, waits, err := pending(ctx, emailKey)
	if err != nil {
		return Verified{}, err
	}
	text := r.Password
	if !found && waits {
		text = waiting.reveal()
	}
	ok, current, err := s.matches(ctx, text, password)
	switch {
	case err != nil:
		return Verified{}, err
	case !ok:
		return Verified{}, ErrCredentials
	case !found:
		return Verified{Pending: true}, nil
	case !current:
		if err := s.rehash(ctx, r, password); err != nil {
			return Verified{}, err
		}
	}
	if r.DisabledAt != nil {
		return Verified{}, ErrDisabled
	}
	return Verified{User: r.user(), rev: r.PasswordRev}, nil
}

// StillHas refuses a user whose password is no longer the one that was compared. A flow asks it in the transaction that
// lets the user in, beside [Service.Admit]: a password that was reset meanwhile lets nobody in, however close the two
// were. Cost: 1 read.
//
// Errors: BAD_CREDENTIALS, NOT_FOUND.
func (s *Service) StillHas(ctx context.Context, v Verified) error {
	r, err := s.store.byID(ctx, v.User.ID)
	if err == nil && r.PasswordRev != v.rev {
		err = ErrCredentials
	}
	return err
}

// VerifyHash reports whether a password is the one of a hash. Cost: 1 hash, also for the zero Hashed, which no password
// matches.
//
// Errors: TOO_BUSY.
func (s *Service) VerifyHash(ctx context.Context, h Hashed, password string) (bool, error) {
	ok, _, err := s.matches(ctx, h.reveal(), password)
	return ok, err
}

// byIdentifier finds a user by what somebody types to sign in: a text with an '@' is an address, every other one a
// username. One read, also for what can be neither: no key in the database is empty.
func (s *Service) byIdentifier(ctx context.Context, identifier string) (r record, found bool, emailKey string, err error) {
	if strings.Contains(identifier, "@") || len(identifier) > MaxEmail {
		emailKey, _ = EmailKey(identifier)
		r, found, err = s.store.byEmail(ctx, emailKey)
		return r, found, emailKey, err
	}
	key, _ := UsernameKey(identifier)
	r, found, err = s.store.byUsername(ctx, key)
	return r, found, "", err
}

// matches compares a password with a stored hash; with none, with a dummy that nothing matches. current reports whether
// the hash is made as new ones are.
//
// Errors: TOO_BUSY.
func (s *Service) matches(ctx context.Context, text, password string) (ok, current bool, err error) {
	possible := text != ""
	var stored secret = s.hasher.dummy()
	if possible {
		if stored, err = parseHash(text); err != nil {
			return false, false, err
		}
	}
	if utf8.RuneCountInString(password) > MaxPassword {
		password, possible = "", false // cannot be right, and must not cost more than one that can
	}
	ok, err = s.hasher.matches(ctx, stored, password)
	return ok && possible, stored.current(s.hasher.cost), err
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
	_, err = s.store.swapPassword(ctx, r.ID, r.Password, hash, 0)
	return err
}
