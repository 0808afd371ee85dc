package webauth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/ticket"
)

// Invite lasts at most so long.
const maxInviteDays = 90

// InviteCmd asks to invite somebody.
type InviteCmd struct {
	Email string
	Role  string // key; empty for none
	Plan  string // key; empty for the default plan
	Days  int    // it is good for, 1 to 90
}

// Invite is an invitation that waits.
type Invite struct {
	ID, Email, Role, Plan string
	CreatedAt, ExpiresAt  time.Time
}

// invited is the data of the ticket of an invitation. The role is granted on behalf of who invited, by what they may do
// when it is accepted.
type invited struct {
	Email  string `bson:"email"`
	Role   string `bson:"role,omitempty"` // key
	RoleID string `bson:"roleId,omitempty"`

	Bind rbac.Bindings `bson:"bind,omitempty"` // of the role's parameters: any values
	Plan string        `bson:"plan,omitempty"` // key
	By   string        `bson:"by"`             // user; empty for the system
}

// Invite sends somebody the link to register with, whatever the mode of registration is. Needs account.user.invite, and to
// be able to grant the role.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, RBAC_ESCALATION, EMAIL_INVALID, EMAIL_TAKEN, NOT_FOUND for the role,
// PLAN_UNKNOWN, RATE_LIMITED, BAD_USER_INPUT.
func (s *Service) Invite(ctx context.Context, c InviteCmd) (Invite, error) {
	if err := s.Roles.Require(ctx, account.PermInvite, ref.Ref{}); err != nil {
		return Invite{}, err
	}
	key, inv, err := s.checkInvite(ctx, c)
	if err != nil {
		return Invite{}, err
	}
	if err := s.mayMail(ctx, key); err != nil {
		return Invite{}, err
	}
	var t ticket.Issued
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		t, err = s.Tickets.Issue(ctx, ticket.Request{
			Kind: kindInvitation, Subject: key, TTL: time.Duration(c.Days) * 24 * time.Hour, Mailed: true, Data: inv,
		})
		if err != nil {
			return err
		}
		if err := s.Events.Append(ctx, kindInvited, ref.Ref{}, invitationFact{ID: t.ID, Role: inv.Role, Plan: inv.Plan}); err != nil {
			return err
		}
		return s.send(ctx, inv.Email, "", "invitation", map[string]any{"Inviter": s.nameOf(ctx, inv.By), "Link": t.Link, "Days": c.Days})
	})
	if err != nil {
		return Invite{}, err
	}
	return inviteOf(t.Ticket)
}

// invitationFact is the data of this package's events on invitations. The address is not in it: the log would keep it.
type invitationFact struct {
	ID   string `bson:"id"`
	Role string `bson:"role,omitempty"`
	Plan string `bson:"plan,omitempty"`
}

// checkInvite checks everything an invitation names while the inviter is there to be told.
func (s *Service) checkInvite(ctx context.Context, c InviteCmd) (string, invited, error) {
	inv := invited{Email: strings.TrimSpace(c.Email), Role: c.Role, Plan: c.Plan, By: actor.From(ctx).User}
	key, err := account.EmailKey(c.Email)
	if err != nil {
		return "", inv, account.ErrEmailInvalid.On("input.email")
	}
	if c.Days < 1 || c.Days > maxInviteDays {
		return "", inv, fault.ErrInput.Saying("an invitation is good for 1 to %d days", maxInviteDays).On("input.days")
	}
	if _, taken, err := s.Accounts.Occupied(ctx, c.Email); err != nil || taken {
		if err == nil {
			err = account.ErrEmailTaken.On("input.email")
		}
		return "", inv, err
	}
	if c.Role != "" {
		r, err := s.Roles.Grantable(ctx, c.Role)
		if err != nil {
			return "", inv, err
		}
		inv.RoleID, inv.Bind = r.ID, rbac.AnyBindings(r.Params)
	}
	if c.Plan != "" {
		if _, err := s.Plans.ByKey(ctx, c.Plan); err != nil {
			return "", inv, err
		}
	}
	return key, inv, nil
}

// nameOf is how a user is called in a mail to somebody else; empty for the system.
func (s *Service) nameOf(ctx context.Context, user string) string {
	if user == "" {
		return ""
	}
	u, err := s.Accounts.ByID(ctx, user)
	if err != nil {
		return ""
	}
	return u.Name
}

func inviteOf(t ticket.Ticket) (Invite, error) {
	var inv invited
	if err := t.Decode(&inv); err != nil {
		return Invite{}, err
	}
	return Invite{ID: t.ID, Email: inv.Email, Role: inv.Role, Plan: inv.Plan, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}, nil
}

// Invitations lists those that wait, newest first. Needs account.user.invite.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Invitations(ctx context.Context, args page.Args) (page.Page[Invite], error) {
	if err := s.Roles.Require(ctx, account.PermInvite, ref.Ref{}); err != nil {
		return page.Page[Invite]{}, err
	}
	all, err := s.Tickets.List(ctx, kindInvitation, args)
	if err != nil {
		return page.Page[Invite]{}, err
	}
	out := page.Page[Invite]{Cursors: all.Cursors, HasNext: all.HasNext, HasPrevious: all.HasPrevious}
	for _, t := range all.Items {
		inv, err := inviteOf(t)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, inv)
	}
	return out, nil
}

// RevokeInvitation takes one back. Needs account.user.invite.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND.
func (s *Service) RevokeInvitation(ctx context.Context, id string) (Invite, error) {
	if err := s.Roles.Require(ctx, account.PermInvite, ref.Ref{}); err != nil {
		return Invite{}, err
	}
	var inv Invite
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		t, err := s.Tickets.Get(ctx, kindInvitation, id)
		if err != nil {
			return err
		}
		if err := s.Tickets.Delete(ctx, kindInvitation, id); err != nil {
			return err
		}
		if inv, err = inviteOf(t); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindInviteGone, ref.Ref{}, invitationFact{ID: id, Role: inv.Role, Plan: inv.Plan})
	})
	return inv, err
}

// accept uses an invitation up for a new user, in the transaction of ctx.
//
// Errors: INVITATION_INVALID when it was used or taken back since the registration began.
func (s *Service) accept(ctx context.Context, id string, u account.User) (invited, error) {
	var inv invited
	t, err := s.Tickets.Get(ctx, kindInvitation, id)
	if err == nil {
		err = s.Tickets.Spend(ctx, t)
	}
	switch {
	case errors.Is(err, ticket.ErrInvalid), errors.Is(err, fault.ErrNotFound), err == nil && t.Subject != u.EmailKey():
		return inv, ErrInvitation
	case err != nil:
		return inv, err
	}
	if err := t.Decode(&inv); err != nil {
		return inv, err
	}
	return inv, s.Events.Append(ctx, kindInviteTaken, u.Ref(), invitationFact{ID: id, Role: inv.Role, Plan: inv.Plan})
}

// grantInvited grants the role of an invitation on behalf of who invited, in the transaction of ctx. Whoever may not any
// more gives none; the account is made all the same.
func (s *Service) grantInvited(ctx context.Context, inv invited, u account.User) error {
	if inv.RoleID == "" {
		return nil
	}
	by, err := s.inviter(ctx, inv.By)
	if err == nil {
		_, err = s.Roles.Grant(actor.With(ctx, by), rbac.GrantCmd{Role: inv.RoleID, Member: u.Ref(), Bind: inv.Bind})
	}
	if errors.Is(err, fault.ErrForbidden) || errors.Is(err, rbac.ErrEscalation) || errors.Is(err, fault.ErrNotFound) {
		s.Log.WarnContext(ctx, "invited_role_not_granted", "user", u.ID, "role", inv.Role, "inviter", inv.By, "code", fault.From(err).Code)
		return nil
	}
	return err
}

// inviter is who invited, as the one who grants. Roles know nothing of accounts that are shut, so that is asked here.
//
// Errors: NOT_FOUND when they are gone, FORBIDDEN when they are disabled.
func (s *Service) inviter(ctx context.Context, user string) (actor.Actor, error) {
	if user == "" {
		return actor.System(), nil
	}
	u, err := s.Accounts.ByID(ctx, user)
	if err == nil && u.DisabledAt != nil {
		err = fault.ErrForbidden
	}
	return actor.Actor{User: user}, err
}
