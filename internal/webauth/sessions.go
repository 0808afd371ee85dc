package webauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/session"
)

// trustTTL is how long a device stands in for the second factor.
const trustTTL = 30 * 24 * time.Hour

// securityDomains are the domains whose facts are about the security of an account.
var securityDomains = []string{"account", "session", "factor", "social", "webauth", "throttle"}

// MySessions lists where the caller is signed in, newest first. Cost: 1 find.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) MySessions(ctx context.Context, args page.Args) (page.Page[session.Session], error) {
	user, err := whose(ctx)
	if err != nil {
		return page.Page[session.Session]{}, err
	}
	return s.ownSessions(ctx, user, args)
}

// ownSessions is what a user is shown of their sessions: not where somebody sits who acts as them.
func (s *Service) ownSessions(ctx context.Context, user string, args page.Args) (page.Page[session.Session], error) {
	p, err := s.Sessions.ListOf(ctx, user, args)
	for i := range p.Items {
		if p.Items[i].Impersonator != "" {
			p.Items[i].IP, p.Items[i].UserAgent = "", ""
		}
	}
	return p, err
}

// SessionsOf lists where a user is signed in, newest first. Needs account.user.write. Cost: 1 find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, PAGE_SIZE, BAD_CURSOR.
func (s *Service) SessionsOf(ctx context.Context, user string, args page.Args) (page.Page[session.Session], error) {
	if err := s.Roles.Require(ctx, account.PermWrite, on(user)); err != nil {
		return page.Page[session.Session]{}, err
	}
	return s.Sessions.ListOf(ctx, user, args)
}

// EndSession ends one of the caller's sessions, or one of anybody's with account.user.write; its sockets are cut.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, NOT_FOUND, also for another's without the permission.
func (s *Service) EndSession(ctx context.Context, id string) error {
	if _, err := self(ctx); err != nil {
		return err
	}
	err := s.Sessions.End(ctx, id)
	if !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	server := actor.With(ctx, actor.System())
	found, err := s.Sessions.ByIDs(server, []string{id})
	if err != nil {
		return err
	}
	other, ok := found[id]
	if !ok || s.Roles.Require(ctx, account.PermWrite, on(other.User)) != nil {
		return fault.ErrNotFound
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.Sessions.End(actor.With(ctx, actor.System()), id); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindSessionEnded, on(other.User), nil)
	})
	if err == nil {
		s.Sessions.Forget(id)
	}
	return err
}

// EndOtherSessions ends all sessions of the caller but the one of the request, and reports how many.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN.
func (s *Service) EndOtherSessions(ctx context.Context) (int, error) {
	user, err := self(ctx)
	if err != nil {
		return 0, err
	}
	ended, err := s.Sessions.EndOthersOf(ctx, user, actor.From(ctx).Session)
	return len(ended), err
}

// MyDevices lists the devices the caller has signed in from, newest first. Cost: 1 find.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN.
func (s *Service) MyDevices(ctx context.Context) ([]session.Device, error) {
	user, err := whose(ctx)
	if err != nil {
		return nil, err
	}
	return s.Sessions.DevicesOf(ctx, user)
}

// DevicesByIDs gives the caller's own devices of these; all others are left out like absent ones. Cost: 1 find.
func (s *Service) DevicesByIDs(ctx context.Context, ids []string) (map[string]session.Device, error) {
	return own(ctx, ids, s.Sessions.DevicesOf, func(d session.Device) string { return d.ID })
}

// own is those of the caller's own things that have one of the ids; a program and a visitor own nothing.
func own[T any](ctx context.Context, ids []string, list func(ctx context.Context, user string) ([]T, error), id func(T) string) (map[string]T, error) {
	found := map[string]T{}
	a := actor.From(ctx)
	if !a.IsPerson() {
		return found, nil
	}
	all, err := list(ctx, a.User)
	for _, v := range all {
		if slices.Contains(ids, id(v)) {
			found[id(v)] = v
		}
	}
	return found, err
}

// ForgetDevice makes one of the caller's devices an unknown one: it is trusted no more.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, NOT_FOUND.
func (s *Service) ForgetDevice(ctx context.Context, id string) error {
	user, err := self(ctx)
	if err != nil {
		return err
	}
	return s.Sessions.ForgetDevice(ctx, user, id)
}

// SecurityEvent is a fact about the security of an account.
type SecurityEvent struct {
	ID   string
	Kind string
	At   time.Time
	IP   string // empty when another person did it: where an administrator sits is not the owner's to know
	Own  bool   // whether the owner did it, and nobody in their place
}

// shownTo is a fact as the owner of the account may see it.
func shownTo(user string, e event.Event) SecurityEvent {
	fact := SecurityEvent{ID: e.ID, Kind: e.Kind, At: e.At, Own: e.Actor.User == user && e.Actor.Impersonator == ""}
	if e.Actor.User == "" || fact.Own {
		fact.IP = e.IP
	}
	return fact
}

// MySecurityEvents lists what happened to the caller's account and what its owner did to it, newest first. Cost: 1 find.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) MySecurityEvents(ctx context.Context, args page.Args) (page.Page[SecurityEvent], error) {
	user, err := whose(ctx)
	if err != nil {
		return page.Page[SecurityEvent]{}, err
	}
	return s.securityEvents(ctx, user, args)
}

func (s *Service) securityEvents(ctx context.Context, user string, args page.Args) (page.Page[SecurityEvent], error) {
	all, err := s.Events.Around(ctx, user, securityDomains, args)
	out := page.Page[SecurityEvent]{Cursors: all.Cursors, HasNext: all.HasNext, HasPrevious: all.HasPrevious}
	for _, e := range all.Items {
		out.Items = append(out.Items, shownTo(user, e))
	}
	return out, err
}
