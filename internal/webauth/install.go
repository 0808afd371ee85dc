package webauth

import (
	"context"
	"errors"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/plan"
)

// How a user comes to be, with all that every user has.

// install stores the new person with all that every user has, in the transaction of ctx. A guest becomes the person in
// place; whoever else was signed in as that guest is signed out, and their sessions are the answer.
func (s *Service) install(ctx context.Context, d account.Draft, p pending) (ended []string, err error) {
	if p.Guest == "" {
		return nil, s.insert(ctx, d, p.Invitation)
	}
	u, err := s.Accounts.Upgrade(ctx, p.Guest, p.Account)
	if err != nil {
		return nil, err
	}
	if p.Invitation != "" {
		inv, err := s.accept(ctx, p.Invitation, u)
		if err != nil {
			return nil, err
		}
		if err := s.move(ctx, u, inv.Plan); err != nil {
			return nil, err
		}
		if err := s.grantInvited(ctx, inv, u); err != nil {
			return nil, err
		}
	}
	return s.Sessions.EndAllOf(ctx, p.Guest)
}

// move puts a guest who has a plan already on the one of an invitation, in the transaction of ctx.
func (s *Service) move(ctx context.Context, u account.User, key string) error {
	if key == "" {
		return nil
	}
	_, err := s.Plans.Put(actor.With(ctx, actor.System()), u.Ref(), key)
	if errors.Is(err, plan.ErrSame) {
		return nil
	}
	return err
}

// insert stores a user with role and plan, in the transaction of ctx.
func (s *Service) insert(ctx context.Context, d account.Draft, invitation string) error {
	u, err := s.Accounts.Insert(ctx, d)
	if err != nil {
		return err
	}
	var inv invited
	if invitation != "" {
		if inv, err = s.accept(ctx, invitation, u); err != nil {
			return err
		}
	}
	return s.equip(ctx, u, inv)
}

// equip gives a new user what every user has, and what the invitation brings.
func (s *Service) equip(ctx context.Context, u account.User, inv invited) error {
	server := actor.With(ctx, actor.System()) // it decides on plan and role, not the visitor
	if _, err := s.Plans.Enroll(server, u.Ref(), inv.Plan); err != nil {
		return err
	}
	if err := s.Roles.GrantDefault(server, u.ID); err != nil {
		return err
	}
	return s.grantInvited(ctx, inv, u)
}

// Create makes an account and signs nobody in. The system vouches for the address. For the command line and for seeds.
//
// Errors: FORBIDDEN, EMAIL_TAKEN, EMAIL_INVALID, PASSWORD_WEAK, USERNAME_TAKEN, TOO_BUSY, BAD_USER_INPUT.
func (s *Service) Create(ctx context.Context, c account.CreateCmd) (account.User, error) {
	if !actor.From(ctx).System {
		return account.User{}, fault.ErrForbidden
	}
	return s.create(ctx, c)
}

// Import makes an account as Create does, with a password hash of another system.
//
// Errors: those of Create, HASH_UNKNOWN.
func (s *Service) Import(ctx context.Context, c account.ImportCmd) (account.User, error) {
	if !actor.From(ctx).System {
		return account.User{}, fault.ErrForbidden
	}
	var u account.User
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if u, err = s.Accounts.ImportUser(ctx, c); err != nil {
			return err
		}
		return s.equip(ctx, u, invited{})
	})
	if err != nil {
		return account.User{}, err
	}
	s.sync(ctx)
	return u, nil
}

func (s *Service) create(ctx context.Context, c account.CreateCmd) (account.User, error) {
	d, err := s.Accounts.Prepare(ctx, c)
	if err != nil {
		return account.User{}, err
	}
	if err := s.db.InTx(ctx, func(ctx context.Context) error { return s.insert(ctx, d, "") }); err != nil {
		return account.User{}, err
	}
	s.sync(ctx)
	return s.Accounts.ByID(ctx, d.Ref().ID)
}
