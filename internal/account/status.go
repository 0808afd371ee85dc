package account

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/ref"
)

// Deactivate puts an account to rest at the wish of its user; the event account.user.deactivated commits with it.
// It ends no sessions; the flow does. It joins the transaction of ctx. Cost: 1 read; 2 writes if something changed.
//
// Errors: NOT_FOUND.
func (s *Service) Deactivate(ctx context.Context, user string) (User, error) {
	return s.change(ctx, user, func(u *User) (outcome, error) {
		if u.DeactivatedAt != nil {
			return outcome{}, nil
		}
		u.DeactivatedAt = new(s.now())
		return outcome{kind: kindDeactivated}, nil
	})
}

// Reactivate wakes an account that its user deactivated or had on its way to deletion; the event
// account.user.reactivated commits with it. What an administrator disabled stays disabled. It joins the transaction of
// ctx. Cost: 1 read; 2 writes if something changed.
//
// Errors: NOT_FOUND.
func (s *Service) Reactivate(ctx context.Context, user string) (User, error) {
	return s.change(ctx, user, func(u *User) (outcome, error) {
		if u.DeactivatedAt == nil && u.DeleteAfter == nil {
			return outcome{}, nil
		}
		u.DeactivatedAt, u.DeleteAfter = nil, nil
		return outcome{kind: kindReactivated}, nil
	})
}

// scheduled is the data of account.user.deletion_scheduled.
type scheduled struct {
	At time.Time `bson:"at"`
}

// ScheduleDeletion lets an account rest until its deletion at a time to come; until then [Service.Reactivate] saves it.
// The event account.user.deletion_scheduled commits with it. It joins the transaction of ctx. Cost: 1 read, 2 writes.
//
// Errors: NOT_FOUND.
func (s *Service) ScheduleDeletion(ctx context.Context, user string, at time.Time) (User, error) {
	at = at.UTC().Truncate(time.Millisecond)
	return s.change(ctx, user, func(u *User) (outcome, error) {
		u.DeleteAfter = &at
		return outcome{kindDeletionScheduled, scheduled{at}}, nil
	})
}

// Disable shuts a user out; the event account.user.disabled commits with it. It ends no sessions; the flow does. It
// joins the transaction of ctx. Cost: 1 read; 2 writes if something changed.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
func (s *Service) Disable(ctx context.Context, user string) (User, error) {
	return s.administer(ctx, user, func(u *User) outcome {
		if u.DisabledAt != nil {
			return outcome{}
		}
		u.DisabledAt = new(s.now())
		return outcome{kind: kindDisabled}
	})
}

// Enable lets a disabled user in again; the event account.user.enabled commits with it. It joins the transaction of ctx.
// Cost: 1 read; 2 writes if something changed.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
func (s *Service) Enable(ctx context.Context, user string) (User, error) {
	return s.administer(ctx, user, func(u *User) outcome {
		if u.DisabledAt == nil {
			return outcome{}
		}
		u.DisabledAt = nil
		return outcome{kind: kindEnabled}
	})
}

func (s *Service) administer(ctx context.Context, user string, rule func(*User) outcome) (User, error) {
	if err := s.authz.Require(ctx, PermWrite, ref.New(ref.User, user)); err != nil {
		return User{}, err
	}
	return s.change(ctx, user, func(u *User) (outcome, error) { return rule(u), nil })
}

// DueForDeletion gives up to limit users whose grace period is over, the longest first. One find.
func (s *Service) DueForDeletion(ctx context.Context, limit int) ([]User, error) {
	return s.store.due(ctx, s.now(), limit)
}

// Purge deletes a user whose grace period is over; the event account.user.deleted commits with it. It joins the
// transaction of ctx, in which the flow deletes what other packages keep of the user. That it is due is looked at in the
// same transaction, so a user who comes back at the last moment is not lost. Cost: 2 writes; 1 read more when refused.
//
// Errors: NOT_FOUND, DELETION_NOT_DUE.
func (s *Service) Purge(ctx context.Context, user string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.purge(ctx, user, s.now()); err != nil {
			return err
		}
		return s.events.Append(ctx, kindDeleted, ref.New(ref.User, user), deleted{user})
	})
}

// deleted is the data of account.user.deleted.
type deleted struct {
	ID string `bson:"id"`
}

// times are the moments of a user's status that are set, by field name.
func (u User) times() map[string]time.Time {
	set := map[string]time.Time{}
	for key, at := range map[string]*time.Time{"deactivatedAt": u.DeactivatedAt, "disabledAt": u.DisabledAt, "deleteAfter": u.DeleteAfter} {
		if at != nil {
			set[key] = *at
		}
	}
	return set
}
