package webauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

// DeactivateMe puts the caller's account to sleep: everything they are signed in with ends, and signing in wakes it.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, LAST_ADMIN.
func (s *Service) DeactivateMe(ctx context.Context) error {
	return s.leave(ctx, func(ctx context.Context, u account.User) error {
		if _, err := s.Accounts.Deactivate(ctx, u.ID); err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_deactivated", nil)
	})
}

// DeleteMe deletes the caller's account after a time of grace, in which signing in keeps it. email is their primary address,
// typed once more. It gives when the time is over.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, LAST_ADMIN, BAD_USER_INPUT.
func (s *Service) DeleteMe(ctx context.Context, email string) (time.Time, error) {
	until := s.now().Add(s.cfg.DeleteGrace)
	err := s.leave(ctx, func(ctx context.Context, u account.User) error {
		if key, err := account.EmailKey(email); err != nil || key != u.EmailKey() {
			return fault.ErrInput.Saying("this is not your primary mail address").On("input.email")
		}
		if _, err := s.Accounts.ScheduleDeletion(ctx, u.ID, until); err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_deletion", map[string]any{"Until": until})
	})
	return until, err
}

func (s *Service) leave(ctx context.Context, how func(context.Context, account.User) error) error {
	u, err := s.meFresh(ctx)
	if err != nil {
		return err
	}
	var ended []string
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.Roles.MayLeave(ctx, u.ID); err != nil {
			return err
		}
		if err := how(ctx, u); err != nil {
			return err
		}
		ended, err = s.shut(ctx, u.ID)
		return err
	})
	if err != nil {
		return err
	}
	s.Sessions.Forget(ended...)
	if b := browserFrom(ctx); b != nil {
		b.Set(SessionCookie, "")
	}
	return nil
}

// DisableUser keeps somebody out: what they are signed in with ends at once, and no way in works. Needs account.user.write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, LAST_ADMIN.
func (s *Service) DisableUser(ctx context.Context, user string) (account.User, error) {
	return s.expel(ctx, user, func(ctx context.Context) (account.User, error) {
		if err := s.Roles.MayLeave(ctx, user); err != nil {
			return account.User{}, err
		}
		u, err := s.Accounts.Disable(ctx, user)
		if err != nil {
			return u, err
		}
		return u, s.notify(ctx, u, "notice_disabled", nil)
	})
}

// SignOutUser ends all sessions and keys of a user. Needs account.user.write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND.
func (s *Service) SignOutUser(ctx context.Context, user string) (account.User, error) {
	return s.expel(ctx, user, func(ctx context.Context) (account.User, error) {
		u, err := s.Accounts.ByID(ctx, user)
		if err != nil {
			return u, err
		}
		return u, s.Events.Append(ctx, kindSignedOut, u.Ref(), nil)
	})
}

// expel does something to a user, who is signed out everywhere by it.
func (s *Service) expel(ctx context.Context, user string, do func(context.Context) (account.User, error)) (u account.User, err error) {
	if err := s.Roles.Require(ctx, account.PermWrite, on(user)); err != nil {
		return u, err
	}
	var ended []string
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if u, err = do(ctx); err != nil {
			return err
		}
		ended, err = s.shut(actor.With(ctx, actor.System()), user)
		return err
	})
	if err != nil {
		return u, err
	}
	s.Sessions.Forget(ended...)
	return u, nil
}

// EnableUser lets somebody in again. Needs account.user.write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND.
func (s *Service) EnableUser(ctx context.Context, user string) (account.User, error) {
	return s.Accounts.Enable(ctx, user)
}

const (
	purgeEvery = time.Hour
	purgeLease = 10 * time.Minute
	purgeBatch = 100
)

// Run looks after impersonations whose rights change, and deletes the accounts whose time of grace is over, until ctx ends.
// One node deletes at a time. It may run late or twice without harm: whether a deletion is due is decided by the clock in the
// transaction that deletes.
func (s *Service) Run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { s.watchImpersonations(ctx) })
	for {
		s.purgeDue(ctx)
		if !clock.Sleep(ctx, purgeEvery) {
			return
		}
	}
}

func (s *Service) purgeDue(ctx context.Context) {
	lease, err := s.db.TryLease(ctx, "purge-accounts", purgeLease)
	if err != nil {
		if !errors.Is(err, store.ErrLeaseHeld) && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "account_purge_failed", "error", err.Error())
		}
		return
	}
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }() // it runs out by itself
	due, err := s.Accounts.DueForDeletion(ctx, purgeBatch)
	if err != nil {
		s.Log.WarnContext(ctx, "account_purge_failed", "error", err.Error())
		return
	}
	for _, u := range due {
		if err := s.purge(ctx, u.ID); err != nil {
			s.Log.WarnContext(ctx, "account_not_purged", "user", u.ID, "code", fault.From(err).Code, "error", err.Error())
			continue
		}
		s.Log.InfoContext(ctx, "account_purged", "user", u.ID)
	}
}

// purge deletes a user and all that lets somebody be that user. What the user has written stays, and points at nobody.
func (s *Service) purge(ctx context.Context, user string) error {
	var ended []string
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		ctx = actor.With(ctx, actor.System())
		if err := s.Accounts.Purge(ctx, user); err != nil {
			return err
		}
		if err := s.Roles.ForgetUser(ctx, user); err != nil {
			return err
		}
		if err := s.Factors.ForgetUser(ctx, user); err != nil {
			return err
		}
		if err := s.Social.ForgetUser(ctx, user); err != nil {
			return err
		}
		if _, err := s.Tickets.Void(ctx, user); err != nil {
			return err
		}
		if err := s.Bag.DeleteAllOf(ctx, user); err != nil {
			return err
		}
		if err := s.Erase(ctx, user); err != nil {
			return err
		}
		ended, err = s.Sessions.DeleteAllOf(ctx, user)
		return err
	})
	if err != nil {
		return err
	}
	s.Sessions.Forget(ended...)
	s.sync(ctx)
	return nil
}
