package webauth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/bag"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
)

// The bounds of the reason somebody gives for acting as another, in characters.
const (
	minReason = 10
	maxReason = 300
)

// ImpersonateCmd asks to act as another user.
type ImpersonateCmd struct {
	Transport Transport
	User      string
	Reason    string // 10 to 300 characters
	ReadOnly  bool
}

// Impersonate lets the caller act as another user for an hour at most. It needs account.user.impersonate, a fresh proof of
// everything the caller's account asks for, and a user who may do less than the caller. What belongs to the user alone
// stays theirs, see [scopeOf] and [self]. With [InCookie] the caller's own session has no secret until they are themself
// again. In the log of both stands who acts as whom, and why.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN for who does it already, FORBIDDEN, POLICY_STALE,
// REAUTH_REQUIRED, IMPERSONATION_REFUSED, NOT_FOUND, BAD_USER_INPUT.
func (s *Service) Impersonate(ctx context.Context, c ImpersonateCmd) (SignedIn, error) {
	if err := c.Transport.check(ctx); err != nil {
		return SignedIn{}, err
	}
	if err := s.Roles.Require(ctx, account.PermImpersonate, on(c.User)); err != nil {
		return SignedIn{}, err
	}
	me, err := s.meFresh(ctx)
	if err != nil {
		return SignedIn{}, err
	}
	c.Reason = strings.TrimSpace(c.Reason)
	if n := utf8.RuneCountInString(c.Reason); n < minReason || n > maxReason {
		return SignedIn{}, fault.ErrInput.Saying("the reason has %d to %d characters", minReason, maxReason).On("input.reason")
	}
	u, err := s.Accounts.ByID(ctx, c.User)
	switch {
	case err != nil:
		return SignedIn{}, err
	case u.DisabledAt != nil:
		return SignedIn{}, account.ErrDisabled
	case !s.Roles.Outranks(me.ID, u.ID):
		return SignedIn{}, ErrOutranked
	}
	done := SignedIn{User: u}
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if _, err := s.Accounts.Admit(ctx, me.ID); err != nil { // collides with whatever disables one of the two meanwhile
			return err
		}
		if _, err := s.Accounts.Admit(ctx, u.ID); err != nil {
			return err
		}
		done.Session, done.Secrets, err = s.Sessions.Impersonate(ctx, session.ImpersonateCmd{
			User: u.ID, Reason: c.Reason, ReadOnly: c.ReadOnly, Park: c.Transport == InCookie,
		})
		if err != nil {
			return err
		}
		return s.Events.Append(ctx, kindImpersonated, u.Ref(), impersonated{me.ID, c.Reason, c.ReadOnly})
	})
	if err != nil {
		return SignedIn{}, err
	}
	if c.Transport == InCookie {
		s.Sessions.Refreshed(actor.From(ctx).Session)
		done.Secrets = keep(browserFrom(ctx), done.Session, done.Secrets)
	}
	return done, nil
}

// impersonated is the data of the events of an impersonation.
type impersonated struct {
	By       string `bson:"by"`
	Reason   string `bson:"reason"`
	ReadOnly bool   `bson:"readOnly"`
}

// StopImpersonating ends the impersonation of the request. With a cookie the caller is themself again by it; with a bearer
// token they have their own all the time.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, SESSION_ENDED when the caller's own session has ended, BAD_USER_INPUT for who
// impersonates nobody.
func (s *Service) StopImpersonating(ctx context.Context) (SignedIn, error) {
	if _, err := whose(ctx); err != nil {
		return SignedIn{}, err
	}
	one, err := s.Sessions.Current(ctx)
	switch {
	case err != nil:
		return SignedIn{}, err
	case one.Impersonator == "":
		return SignedIn{}, fault.ErrInput.Saying("you act as nobody else")
	}
	var done SignedIn
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.Sessions.End(ctx, one.ID); err != nil {
			return err
		}
		if err := s.Events.Append(ctx, kindOneself, on(one.User), impersonated{one.Impersonator, one.Reason, one.ReadOnly}); err != nil {
			return err
		}
		if done.User, err = s.Accounts.Admit(ctx, one.Impersonator); err != nil {
			return err
		}
		return s.oneself(ctx, one, &done)
	})
	if err != nil {
		return SignedIn{}, err
	}
	s.Sessions.Forget(one.ID)
	if b := browserFrom(ctx); b != nil && done.Token != "" {
		done.Secrets = keep(b, done.Session, done.Secrets)
	}
	return done, nil
}

// oneself is the impersonator's own session, with a new secret if the one before was put away.
func (s *Service) oneself(ctx context.Context, one session.Session, done *SignedIn) (err error) {
	ctx = actor.With(ctx, actor.System())
	if one.Parked {
		done.Session, done.Secrets, err = s.Sessions.Renew(ctx, one.Parent)
	} else {
		var found map[string]session.Session
		found, err = s.Sessions.ByIDs(ctx, []string{one.Parent})
		done.Session = found[one.Parent]
	}
	if err != nil {
		return err
	}
	return s.Bag.FlashTo(ctx, one.Parent, bag.Message{Level: "info", Code: "impersonation.ended", Text: "You are yourself again."})
}

// personal are the permissions nobody may use in the place of another: what they give or take lasts beyond the visit.
var personal = []string{"rbac.", "account.", "plan."}

// scopeOf is what somebody who acts as another may do at most: nothing with rights, accounts and plans but to read, and with
// readOnly nothing else but to read either.
func (s *Service) scopeOf(readOnly bool) *actor.Scope {
	if readOnly {
		return s.looking
	}
	return s.acting
}

// scopes makes the two scopes of an impersonation from all permissions there are.
func scopes(all []string) (acting, looking *actor.Scope) {
	var act, look []string
	for _, p := range all {
		reads := strings.HasSuffix(p, ".read") || strings.HasSuffix(p, ".view")
		if reads {
			look = append(look, p)
		}
		if reads || !slices.ContainsFunc(personal, func(domain string) bool { return strings.HasPrefix(p, domain) }) {
			act = append(act, p)
		}
	}
	return actor.NewScope(act...), actor.NewScope(look...)
}

// mayActAs reports whether an impersonation may still go on: it ends with the right to it, and when the user becomes an
// equal. Memory only; a node that does not know the rights refuses.
func (s *Service) mayActAs(one session.Session) bool {
	return s.Roles.Allows(one.Impersonator, account.PermImpersonate).Allowed && s.Roles.Outranks(one.Impersonator, one.User)
}

// RightsChanged tells that somebody's rights have changed on this node. It returns at once. [Service.Authenticate] refuses
// who may act as another no more from that moment on; [Service.Run] then ends their sessions, which closes what they have
// open.
func (s *Service) RightsChanged([]string) {
	select {
	case s.changed <- struct{}{}:
	default: // it is about to be looked at
	}
}

// watchImpersonations ends the impersonations that may not go on, after each change of rights.
func (s *Service) watchImpersonations(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		}
		if err := s.endImpersonations(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "impersonations_not_checked", "error", err.Error())
		}
	}
}

// endImpersonations ends those that may not go on. Cost: 1 read by index, of nothing mostly, and those of an end for each.
func (s *Service) endImpersonations(ctx context.Context) error {
	acting, err := s.Sessions.Impersonations(ctx)
	if err != nil {
		return err
	}
	for _, one := range acting {
		if s.mayActAs(one) {
			continue
		}
		if err := s.Sessions.End(ctx, one.ID); err != nil && !errors.Is(err, fault.ErrNotFound) {
			return err
		}
		s.Log.InfoContext(ctx, "impersonation_ended", "session", one.ID, "impersonator", one.Impersonator, "user", one.User, "why", "rights")
	}
	return nil
}

// Impersonation is who acts as the user of the request.
type Impersonation struct {
	By account.User
	session.Session
}

// Impersonated tells who acts as the user of the request; false for nobody. Cost: none, or 1 read.
func (s *Service) Impersonated(ctx context.Context) (Impersonation, bool, error) {
	if actor.From(ctx).Impersonator == "" {
		return Impersonation{}, false, nil
	}
	one, err := s.Sessions.Current(ctx)
	if err != nil {
		return Impersonation{}, false, err
	}
	u, err := s.Accounts.ByID(ctx, one.Impersonator)
	return Impersonation{u, one}, err == nil, err
}
