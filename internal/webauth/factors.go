package webauth

import (
	"context"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/social"
)

// Factors is how a person can prove who they are besides the password.
type Factors struct {
	Items        []factor.Factor
	RecoveryLeft int
}

// MyFactors lists the second factors of the caller; a guest has none. Cost: 2 reads.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN.
func (s *Service) MyFactors(ctx context.Context) (Factors, error) {
	user, err := whose(ctx)
	if err != nil {
		return Factors{}, err
	}
	all, err := s.Factors.Of(ctx, user)
	if err != nil {
		return Factors{}, err
	}
	left, err := s.Factors.RecoveryLeft(ctx, user)
	return Factors{all, left}, err
}

// BeginTOTP makes the seed of an authenticator app for the caller. It counts after [Service.ConfirmTOTP].
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED.
func (s *Service) BeginTOTP(ctx context.Context) (factor.Enrollment, error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return factor.Enrollment{}, err
	}
	return s.Factors.BeginTOTP(ctx, u.ID, u.Email())
}

// ConfirmTOTP activates it by one good code. The first factor brings recovery codes, which are shown this once.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, FACTOR_CODE_INVALID, NOT_FOUND, RATE_LIMITED.
func (s *Service) ConfirmTOTP(ctx context.Context, id, code, name string) (factor.Factor, []string, error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return factor.Factor{}, nil, err
	}
	try, err := s.attempt(ctx, at(u), Entry{Transport: InCookie}.device(ctx))
	if err != nil {
		return factor.Factor{}, nil, err
	}
	f, codes, err := s.addFactor(ctx, u, func(ctx context.Context) (factor.Factor, error) {
		return s.Factors.ConfirmTOTP(ctx, u.ID, id, code, name)
	})
	return f, codes, try.settle(ctx, err)
}

// BeginPasskey asks the caller's browser for a new passkey.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED.
func (s *Service) BeginPasskey(ctx context.Context) (flow string, options []byte, err error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return "", nil, err
	}
	return s.Factors.BeginPasskey(ctx, u.ID, u.Email(), u.Name)
}

// AddPasskey keeps it. The first factor brings recovery codes, which are shown this once.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, PASSKEY_INVALID, PASSKEY_TAKEN, FACTOR_LIMIT,
// BAD_USER_INPUT.
func (s *Service) AddPasskey(ctx context.Context, flow string, credential []byte, name string) (factor.Factor, []string, error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return factor.Factor{}, nil, err
	}
	return s.addFactor(ctx, u, func(ctx context.Context) (factor.Factor, error) {
		return s.Factors.AddPasskey(ctx, u.ID, flow, credential, name)
	})
}

// addFactor adds a factor, makes recovery codes with the first one, and tells the owner.
func (s *Service) addFactor(ctx context.Context, u account.User, add func(context.Context) (factor.Factor, error)) (f factor.Factor, codes []string, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		codes = nil
		if f, err = add(ctx); err != nil {
			return err
		}
		left, err := s.Factors.RecoveryLeft(ctx, u.ID)
		if err != nil {
			return err
		}
		if left == 0 {
			if codes, err = s.Factors.MakeRecoveryCodes(ctx, u.ID); err != nil {
				return err
			}
		}
		return s.notify(ctx, u, "notice_factor_added", map[string]any{"Factor": f.Name})
	})
	if err != nil {
		return factor.Factor{}, nil, err
	}
	return f, codes, nil
}

// RenameFactor gives one of the caller's factors another name.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, NOT_FOUND, BAD_USER_INPUT.
func (s *Service) RenameFactor(ctx context.Context, id, name string) (factor.Factor, error) {
	u, err := s.me(ctx)
	if err != nil {
		return factor.Factor{}, err
	}
	return s.Factors.Rename(ctx, u.ID, id, name)
}

// RemoveFactor takes one of the caller's factors away and tells them by mail.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, NOT_FOUND; FACTOR_NEEDED for the last one
// while a role of the caller wants one; WAY_IN_LAST for the last passkey of an account that has nothing else.
func (s *Service) RemoveFactor(ctx context.Context, id string) error {
	u, err := s.meFresh(ctx)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.oneByOne(ctx, u); err != nil {
			return err
		}
		f, err := s.Factors.Remove(ctx, u.ID, id)
		if err != nil {
			return err
		}
		left, err := s.Factors.Of(ctx, u.ID)
		if err != nil {
			return err
		}
		if len(left) == 0 && s.FactorNeeded(u.ID) {
			return ErrFactorNeeded
		}
		if err := s.wayIn(ctx, u, left); err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_factor_removed", map[string]any{"Factor": f.Name})
	})
}

// MakeRecoveryCodes makes ten new codes for the caller; the old ones are void.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, FACTOR_NEEDED without a factor.
func (s *Service) MakeRecoveryCodes(ctx context.Context) (codes []string, err error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		have, err := s.Factors.Of(ctx, u.ID)
		switch {
		case err != nil:
			return err
		case len(have) == 0:
			return ErrFactorNeeded
		}
		if codes, err = s.Factors.MakeRecoveryCodes(ctx, u.ID); err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_recovery_codes", nil)
	})
	return codes, err
}

// oneByOne makes the removals of one user wait for one another: two at once would each still see the way in that the other
// takes away.
func (s *Service) oneByOne(ctx context.Context, u account.User) error {
	_, err := s.Accounts.Admit(ctx, u.ID)
	return err
}

// wayIn refuses a change after which nothing would let the user in but a mail: no password, passkey or provider. A lost
// mailbox would then be a lost account.
func (s *Service) wayIn(ctx context.Context, u account.User, factors []factor.Factor) error {
	if u.HasPassword {
		return nil
	}
	for _, f := range factors {
		if f.Kind == factor.Passkey {
			return nil
		}
	}
	linked, err := s.Social.Of(ctx, u.ID)
	if err == nil && len(linked) == 0 {
		err = ErrLastWayIn
	}
	return err
}

// MyIdentities lists the accounts at other providers that the caller can sign in with; a guest has none. Cost: 1 read.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN.
func (s *Service) MyIdentities(ctx context.Context) ([]social.Identity, error) {
	user, err := whose(ctx)
	if err != nil {
		return nil, err
	}
	return s.Social.Of(ctx, user)
}

// UnlinkIdentity takes one away and tells its owner by mail.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, NOT_FOUND, WAY_IN_LAST.
func (s *Service) UnlinkIdentity(ctx context.Context, id string) error {
	u, err := s.meFresh(ctx)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.oneByOne(ctx, u); err != nil {
			return err
		}
		gone, err := s.Social.Unlink(ctx, u.ID, id)
		if err != nil {
			return err
		}
		left, err := s.Factors.Of(ctx, u.ID)
		if err != nil {
			return err
		}
		if err := s.wayIn(ctx, u, left); err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_identity_unlinked", map[string]any{"Provider": gone.Provider})
	})
}

// FactorsByIDs gives the caller's own factors of these; all others are left out like absent ones. Cost: as [Service.MyFactors].
func (s *Service) FactorsByIDs(ctx context.Context, ids []string) (map[string]factor.Factor, error) {
	return own(ctx, ids, s.Factors.Of, func(f factor.Factor) string { return f.ID })
}

// IdentitiesByIDs gives the caller's own identities of these; all others are left out like absent ones. Cost: 1 read.
func (s *Service) IdentitiesByIDs(ctx context.Context, ids []string) (map[string]social.Identity, error) {
	return own(ctx, ids, s.Social.Of, func(i social.Identity) string { return i.ID })
}
