package webauth

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
)

// CreateKeyCmd asks for an access key.
type CreateKeyCmd struct {
	Name    string
	Scopes  []string // permissions; the caller must hold each
	Days    int
	Service string // id of a service account; empty for the caller
}

// CreateKey makes an access key: for the person of the request, or for a service account by who may manage those. There is
// no other owner one could name. A key never has a scope that its maker lacks, and at each use it is good for what its
// owner holds then.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED, FORBIDDEN, UNKNOWN_PERMISSION, POLICY_STALE,
// KEY_LIMIT, NOT_FOUND, BAD_USER_INPUT; ACCOUNT_DISABLED for a program that is.
func (s *Service) CreateKey(ctx context.Context, c CreateKeyCmd) (session.Key, string, error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return session.Key{}, "", err
	}
	owner := u
	if c.Service != "" {
		if owner, err = s.program(ctx, c.Service); err != nil {
			return session.Key{}, "", err
		}
	}
	for _, scope := range c.Scopes {
		if err := s.Roles.Require(ctx, scope, ref.Ref{}); err != nil {
			return session.Key{}, "", fault.From(err).On("input.scopes")
		}
	}
	if c.Days < 1 || c.Days > int(session.MaxKeyTTL/(24*time.Hour)) {
		return session.Key{}, "", fault.ErrInput.Saying("a key is good for 1 to %d days", int(session.MaxKeyTTL/(24*time.Hour))).On("input.days")
	}
	var k session.Key
	var secret string
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if _, err := s.Accounts.Admit(ctx, owner.ID); err != nil {
			return err
		}
		k, secret, err = s.Sessions.MintKey(ctx, session.MintCmd{User: owner.ID, Name: c.Name, Scopes: c.Scopes, TTL: time.Duration(c.Days) * 24 * time.Hour})
		if err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_access_key", map[string]any{"Key": k.Name})
	})
	if err != nil {
		return session.Key{}, "", err
	}
	return k, secret, nil
}

// program is a service account, for who may manage them.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, also for a user who is none.
func (s *Service) program(ctx context.Context, id string) (account.User, error) {
	if err := s.Roles.Require(ctx, account.PermService, on(id)); err != nil {
		return account.User{}, err
	}
	u, err := s.Accounts.ByID(ctx, id)
	if err == nil && u.Kind != account.KindService {
		err = fault.ErrNotFound
	}
	return u, err
}

// MyKeys lists the access keys of the caller, newest first; a guest has none.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) MyKeys(ctx context.Context, args page.Args) (page.Page[session.Key], error) {
	user, err := whose(ctx)
	if err != nil {
		return page.Page[session.Key]{}, err
	}
	return s.Sessions.KeysOf(ctx, user, args)
}

// KeysOfService lists the access keys of a service account, newest first. Needs account.service.write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, PAGE_SIZE, BAD_CURSOR.
func (s *Service) KeysOfService(ctx context.Context, id string, args page.Args) (page.Page[session.Key], error) {
	u, err := s.program(ctx, id)
	if err != nil {
		return page.Page[session.Key]{}, err
	}
	return s.Sessions.KeysOf(ctx, u.ID, args)
}

// RevokeKey ends an access key of the caller, or of a service account by who may manage them. What it has open is cut.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, NOT_FOUND, also for a key of somebody else.
func (s *Service) RevokeKey(ctx context.Context, id string) (session.Key, error) {
	owner, err := self(ctx)
	if err != nil {
		return session.Key{}, err
	}
	found, err := s.Sessions.KeysByIDs(actor.With(ctx, actor.System()), []string{id})
	if err != nil {
		return session.Key{}, err
	}
	if k, ok := found[id]; ok && k.User != owner {
		if _, err := s.program(ctx, k.User); err == nil {
			owner = k.User
		}
	}
	return s.Sessions.RevokeKey(ctx, owner, id)
}

// CreateServiceAccount makes a user for a program, with the role and the plan every user has. Needs account.service.write,
// and a proof of a moment ago.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, KEY_FORBIDDEN, REAUTH_REQUIRED, BAD_USER_INPUT.
func (s *Service) CreateServiceAccount(ctx context.Context, name string) (account.User, error) {
	if err := s.Roles.Require(ctx, account.PermService, ref.Ref{}); err != nil {
		return account.User{}, err
	}
	if !actor.From(ctx).System {
		if _, err := s.meFresh(ctx); err != nil {
			return account.User{}, err
		}
	}
	return s.create(ctx, account.CreateCmd{Kind: account.KindService, Name: name})
}
