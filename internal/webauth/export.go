package webauth

import (
	"context"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/social"
)

// MyData is what the account packages hold about the caller, as plain values: profile, addresses, factors, linked
// providers, the newest 100 keys and the newest 100 facts of the log. No secret is in it.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED.
func (s *Service) MyData(ctx context.Context) (map[string]any, error) {
	u, err := s.meFresh(ctx)
	if err != nil {
		return nil, err
	}
	profile, err := s.Accounts.Export(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"exportedAt": s.now(), "account": profile}
	for name, read := range map[string]func(context.Context, string) ([]any, error){
		"factors": s.exportFactors, "identities": s.exportIdentities, "accessKeys": s.exportKeys, "events": s.exportEvents,
	} {
		if out[name], err = read(ctx, u.ID); err != nil {
			return nil, err
		}
	}
	return out, s.db.InTx(ctx, func(ctx context.Context) error { return s.Events.Append(ctx, kindExported, u.Ref(), nil) })
}

func (s *Service) exportFactors(ctx context.Context, user string) ([]any, error) {
	all, err := s.Factors.Of(ctx, user)
	return plain(all, func(f factor.Factor) map[string]any {
		return map[string]any{"id": f.ID, "kind": string(f.Kind), "name": f.Name, "createdAt": f.CreatedAt, "lastUsedAt": f.LastUsedAt}
	}), err
}

func (s *Service) exportIdentities(ctx context.Context, user string) ([]any, error) {
	all, err := s.Social.Of(ctx, user)
	return plain(all, func(i social.Identity) map[string]any {
		return map[string]any{
			"id": i.ID, "provider": i.Provider, "subject": i.Subject, "email": i.Email, "createdAt": i.CreatedAt, "lastUsedAt": i.LastUsedAt,
		}
	}), err
}

func (s *Service) exportKeys(ctx context.Context, user string) ([]any, error) {
	newest, err := s.Sessions.KeysOf(ctx, user, largest())
	return plain(newest.Items, func(k session.Key) map[string]any {
		return map[string]any{
			"id": k.ID, "name": k.Name, "hint": k.Hint, "scopes": k.Scopes, "createdAt": k.CreatedAt, "expiresAt": k.ExpiresAt, "lastUsedAt": k.LastUsedAt,
		}
	}), err
}

func (s *Service) exportEvents(ctx context.Context, user string) ([]any, error) {
	newest, err := s.Events.On(ctx, on(user), largest())
	return plain(newest.Items, func(e event.Event) map[string]any {
		fact := map[string]any{"id": e.ID, "kind": e.Kind, "at": e.At}
		if e.Actor.User == "" || e.Actor.User == user { // where an administrator sits is not the user's data
			fact["ip"] = e.IP
		}
		return fact
	}), err
}

func largest() page.Args { return page.Args{First: new(page.MaxSize)} }

// plain makes values that JSON can hold of domain values.
func plain[T any](all []T, of func(T) map[string]any) []any {
	out := make([]any, len(all))
	for i, v := range all {
		out[i] = of(v)
	}
	return out
}
