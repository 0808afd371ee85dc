package account

import (
	"context"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// ImportCmd is a user of another system.
type ImportCmd struct {
	Email    string // counts as verified; may be empty when there is a Username
	Name     string // empty: the username, or what is before the '@'
	Username string // a reserved one is allowed
	Hash     string // in one of the forms of [Service.ImportUser]; empty for none
}

// ImportUser takes a user over from another system with the password hash it has; the first sign-in makes an argon2id
// hash of it. Only an operator may. Cost: 2 writes.
//
// Hashes: argon2id and scrypt as PHC strings; bcrypt ($2a$, $2b$, $2y$); Django's argon2$argon2id$, bcrypt$,
// bcrypt_sha256$, scrypt$, pbkdf2_sha256$ and pbkdf2_sha1$. What they may cost is bounded, so that a forged one
// cannot exhaust the machine: 256 MiB, about 2 s.
//
// Errors: FORBIDDEN, EMAIL_INVALID, USERNAME_INVALID, HASH_UNKNOWN, BAD_USER_INPUT, EMAIL_TAKEN, USERNAME_TAKEN.
func (s *Service) ImportUser(ctx context.Context, c ImportCmd) (User, error) {
	if !actor.From(ctx).System {
		return User{}, fault.ErrForbidden
	}
	u := User{ID: ref.NewID(), CreatedAt: s.now()}
	if c.Email != "" || c.Username == "" {
		key, err := EmailKey(c.Email)
		if err != nil {
			return User{}, ErrEmailInvalid.On("input.email")
		}
		u.Emails = []Address{{Email: strings.TrimSpace(c.Email), Key: key, VerifiedAt: u.CreatedAt}}
	}
	if c.Name == "" {
		c.Name, _, _ = strings.Cut(c.Email, "@")
		if c.Username != "" {
			c.Name = c.Username
		}
	}
	u, err := fill(u, CreateCmd{Name: c.Name}, u.CreatedAt)
	if err != nil {
		return User{}, err
	}
	if c.Username != "" {
		if u.UsernameKey, err = UsernameKey(c.Username); err != nil {
			return User{}, ErrUsername.On("input.username")
		}
		u.Username = strings.TrimSpace(c.Username)
	}
	if c.Hash != "" {
		if _, err := parseHash(c.Hash); err != nil {
			return User{}, ErrHashUnknown.On("input.hash")
		}
		u.HasPassword = true
	}
	return s.Insert(ctx, Draft{u, hashed(c.Hash)})
}
