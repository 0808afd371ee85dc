package account

import "context"

// Admit notes that a user is let in, by a new session or a new key, and gives the user as they are then. It changes the
// user's document each time, so that it collides with every other change of the account: a sign-in that runs beside the
// disabling of the account, its deletion or a new password comes before it, and is ended by it, or after it, and sees it.
// It must run in the transaction of what it lets in. Cost: 1 write; 1 read more when refused.
//
// Errors: ACCOUNT_DISABLED, NOT_FOUND.
func (s *Service) Admit(ctx context.Context, user string) (User, error) {
	r, found, err := s.store.admit(ctx, user, s.now())
	switch {
	case err != nil:
		return User{}, err
	case found:
		return r.user(), nil
	}
	if _, err := s.store.byID(ctx, user); err != nil {
		return User{}, err
	}
	return User{}, ErrDisabled
}
