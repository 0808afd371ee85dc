package account

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestImportUser(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cmd  ImportCmd
		want User // but for the id
		err  error
	}{
		{
			"full",
			ImportCmd{"Ada@example.org", "Ada Lovelace", "Ada", djangoHashes["pbkdf2_sha256"]},
			User{Emails: []Address{{"Ada@example.org", "ada@example.org", t0}}, Username: "Ada", UsernameKey: "ada", Name: "Ada Lovelace", NameKey: "ada lovelace", HasPassword: true, CreatedAt: t0},
			nil,
		},
		{"address only", ImportCmd{Email: "ada@example.org"}, User{Emails: []Address{{"ada@example.org", "ada@example.org", t0}}, Name: "ada", NameKey: "ada", CreatedAt: t0}, nil},
		{"username only, a reserved one", ImportCmd{Username: "admin"}, User{Username: "admin", UsernameKey: "admin", Name: "admin", NameKey: "admin", CreatedAt: t0}, nil},
		{"neither", ImportCmd{Name: "Ada"}, User{}, ErrEmailInvalid},
		{"bad address", ImportCmd{Email: "ada", Username: "ada"}, User{}, ErrEmailInvalid},
		{"bad username", ImportCmd{Email: "ada@example.org", Username: "ada@example.org"}, User{}, ErrUsername},
		{"bad name", ImportCmd{Email: "ada@example.org", Name: "a\nb"}, User{}, fault.ErrInput},
		{"bad hash", ImportCmd{Email: "ada@example.org", Hash: "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99"}, User{}, ErrHashUnknown},
		{"plain text", ImportCmd{Email: "ada@example.org", Hash: goodPassword}, User{}, ErrHashUnknown},
		{"taken address", ImportCmd{Email: "BOB@example.org"}, User{}, ErrEmailTaken},
		{"taken username", ImportCmd{Username: "BOB"}, User{}, ErrUsernameTaken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			if _, err := e.register(t.Context(), CreateCmd{Email: "bob@example.org", Name: "Bob", Username: "bob"}); err != nil {
				t.Fatal(err)
			}
			u, err := e.ImportUser(system(t), tc.cmd)
			if !errors.Is(err, tc.err) {
				t.Fatalf("ImportUser() = %v, %v; want %v", u, err, tc.err)
			}
			if err != nil {
				if f := fault.From(err); storetest.Count(t, e.db, collection) != 1 || (tc.cmd.Hash != "" && strings.Contains(err.Error(), tc.cmd.Hash)) || f.Field == "" {
					t.Errorf("refused with %v, blaming %q", err, f.Field)
				}
				return
			}
			tc.want.ID = u.ID
			if !reflect.DeepEqual(u, tc.want) || !reflect.DeepEqual(e.stored(t, u.ID), tc.want) {
				t.Errorf("ImportUser() = %#v\nstored %#v\nwant %#v", u, e.stored(t, u.ID), tc.want)
			}
			e.expect(t, 2, "account.user.created", u)
		})
	}
	t.Run("by whom", func(t *testing.T) {
		t.Parallel()
		e := setUp(t, Config{}, "admin")
		for _, ctx := range []context.Context{t.Context(), as(t, "admin")} {
			if _, err := e.ImportUser(ctx, ImportCmd{Email: "ada@example.org"}); !errors.Is(err, fault.ErrForbidden) {
				t.Errorf("ImportUser() = %v", err)
			}
		}
	})
}

// Each kind of hash lets in, and is argon2id afterwards; a wrong password changes nothing.
func TestReq9ImportedHashes(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	for name, text := range djangoHashes {
		email := strings.ReplaceAll(name, " ", "_") + "@example.org"
		u, err := e.ImportUser(system(t), ImportCmd{Email: email, Hash: text})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := e.verify(t.Context(), email, goodPassword+"!"); !errors.Is(err, ErrCredentials) || e.storedHash(t, u.ID) != text {
			t.Errorf("%s: a wrong password: %v", name, err)
		}
		for range 2 {
			if _, err := e.verify(t.Context(), email, goodPassword); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if p, err := parsePHC(e.storedHash(t, u.ID)); err != nil || !p.current(cheap) {
			t.Errorf("%s: the hash is still %s", name, e.storedHash(t, u.ID))
		}
	}
}

// A password that is changed between the check and the new hash wins.
func TestReq9RehashLosesToAChange(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u, err := e.ImportUser(system(t), ImportCmd{Email: "ada@example.org", Hash: djangoHashes["bcrypt"]})
	if err != nil {
		t.Fatal(err)
	}
	other := env{New(e.db, e.Service.events, e.clock.Now, readers{}, Config{Cost: cheap}), e.db, e.clock}
	e.hasher.derive = func(p, s []byte, c Cost, n uint32) []byte { // the first argon2id of the sign-in is the new hash
		if err := other.changePassword(t.Context(), u.ID, goodPassword, fresh); err != nil {
			t.Error(err)
		}
		return argon(p, s, c, n)
	}
	if _, err := e.verify(t.Context(), u.Email(), goodPassword); err != nil {
		t.Fatal(err)
	}
	if err := other.CheckPassword(t.Context(), u.ID, fresh); err != nil {
		t.Errorf("the newer password was lost: %v", err)
	}
}
