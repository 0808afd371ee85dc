package account

import (
	"context"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/label"
)

// ProfileCmd changes what a user says of themselves. A nil field stays as it is; an empty Username or Locale removes it.
type ProfileCmd struct {
	User     string
	Name     *string
	Username *string
	Locale   *string
}

// UpdateProfile changes the caller's own profile; the event account.user.updated commits with it and tells which fields
// changed. It joins the transaction of ctx. Cost: 1 read; 2 writes if something changed.
//
// Errors: UNAUTHENTICATED, FORBIDDEN (not the caller's own), NOT_FOUND, BAD_USER_INPUT, USERNAME_INVALID,
// USERNAME_TAKEN, ACCOUNT_KIND (a username for what is no person).
func (s *Service) UpdateProfile(ctx context.Context, c ProfileCmd) (User, error) {
	switch a := actor.From(ctx); {
	case a.IsAnonymous():
		return User{}, fault.ErrUnauthenticated
	case !a.System && a.User != c.User:
		return User{}, fault.ErrForbidden
	}
	return s.change(ctx, c.User, func(u *User) (outcome, error) {
		changed, err := c.apply(u)
		if err != nil || len(changed) == 0 {
			return outcome{}, err
		}
		return outcome{kindUpdated, updated{changed}}, nil
	})
}

// updated is the data of account.user.updated: names of fields, not what is in them, since the log outlives the user.
type updated struct {
	Fields []string `bson:"fields"`
}

// apply is the rule of a change of profile: it gives the fields that are different now.
func (c ProfileCmd) apply(u *User) (changed []string, err error) {
	before := *u
	if c.Name != nil {
		if u.Name, err = label.Check(*c.Name, MaxName); err != nil {
			return nil, err
		}
		u.NameKey = nameKey(u.Name)
	}
	if c.Username != nil && strings.TrimSpace(*c.Username) != u.Username {
		if u.Kind != KindPerson {
			return nil, ErrKind.On("input.username")
		}
		if u.Username, u.UsernameKey, err = takeUsername(*c.Username); err != nil {
			return nil, err
		}
	}
	if c.Locale != nil {
		if u.Locale, err = checkLocale(*c.Locale); err != nil {
			return nil, err
		}
	}
	if u.Name != before.Name {
		changed = append(changed, "name")
	}
	if u.Username != before.Username {
		changed = append(changed, "username")
	}
	if u.Locale != before.Locale {
		changed = append(changed, "locale")
	}
	return changed, nil
}

// AcceptTerms records that the user accepted a version of the terms; the event account.terms.accepted commits with it.
// Accepting the same version again changes nothing. It joins the transaction of ctx. Cost: 1 read; 2 writes.
//
// Errors: NOT_FOUND, BAD_USER_INPUT.
func (s *Service) AcceptTerms(ctx context.Context, user, version string) (User, error) {
	if err := checkTerms(version); err != nil {
		return User{}, err
	}
	return s.change(ctx, user, func(u *User) (outcome, error) {
		if u.Terms != nil && u.Terms.Version == version {
			return outcome{}, nil
		}
		u.Terms = &Terms{Version: version, At: s.now()}
		return outcome{kindTermsAccepted, accepted{version}}, nil
	})
}

// accepted is the data of account.terms.accepted.
type accepted struct {
	Version string `bson:"version"`
}

// Export is this package's part of "my data": everything stored about the user, but for the password hash and the mark of
// [Service.Admit], of which the sessions tell more. Times are time.Time; absent values are left out. Cost: 1 read.
//
// Errors: NOT_FOUND.
func (s *Service) Export(ctx context.Context, user string) (map[string]any, error) {
	r, err := s.store.byID(ctx, user)
	if err != nil {
		return nil, err
	}
	u := r.user()
	emails := make([]map[string]any, len(u.Emails))
	for i, a := range u.Emails {
		emails[i] = map[string]any{"email": a.Email, "primary": i == 0, "verifiedAt": a.VerifiedAt}
	}
	out := map[string]any{
		"id": u.Ref().String(), "name": u.Name, "emails": emails, "hasPassword": u.HasPassword, "createdAt": u.CreatedAt,
	}
	for key, text := range map[string]string{"kind": string(u.Kind), "username": u.Username, "locale": u.Locale} {
		if text != "" {
			out[key] = text
		}
	}
	if u.Terms != nil {
		out["terms"] = map[string]any{"version": u.Terms.Version, "acceptedAt": u.Terms.At}
	}
	for key, at := range u.times() {
		out[key] = at
	}
	return out, nil
}
