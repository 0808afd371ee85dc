package account

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
)

const fresh = "eleven kettles sing at noon"

func TestSetHashJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "ada@example.org")
	h, err := e.PreparePassword(t.Context(), u.ID, fresh)
	if err != nil {
		t.Fatal(err)
	}
	spent := errors.New("the ticket was spent already")
	err = e.db.InTx(t.Context(), func(ctx context.Context) error {
		if err := e.SetHash(ctx, u.ID, h); err != nil {
			return err
		}
		return spent
	})
	if _, old := e.verify(t.Context(), u.Email(), goodPassword); !errors.Is(err, spent) || old != nil || len(e.events(t)) != 1 {
		t.Errorf("the transaction ended with %v and left something: %v", err, old)
	}
	if err := e.SetHash(t.Context(), u.ID, h); err != nil {
		t.Fatal(err)
	}
	e.expect(t, 2, "account.password.set", u)
	if _, err := e.verify(t.Context(), u.Email(), fresh); err != nil {
		t.Errorf("verify() = %v", err)
	}
	if _, err := e.verify(t.Context(), u.Email(), goodPassword); !errors.Is(err, ErrCredentials) {
		t.Errorf("the old password is good: %v", err)
	}
	if err := e.SetHash(t.Context(), u.ID, Hashed{}); !errors.Is(err, errNoHash) {
		t.Errorf("SetHash() without a hash = %v", err)
	}
	if err := e.SetHash(t.Context(), "nobody", h); !errors.Is(err, fault.ErrNotFound) || len(e.events(t)) != 2 {
		t.Errorf("SetHash() of nobody = %v", err)
	}
}

func TestPreparePassword(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u, err := e.register(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada Lovelace", Username: "countess"})
	if err != nil {
		t.Fatal(err)
	}
	robot := e.robot(t, "Robot")
	for _, tc := range []struct {
		name, user, password string
		err                  error
	}{
		{"good", u.ID, fresh, nil},
		{"the address", u.ID, "ada@example.org", ErrPasswordWeak},
		{"the username", u.ID, "countess1", ErrPasswordWeak},
		{"the name", u.ID, "adalovelace", ErrPasswordWeak},
		{"a word of the name", u.ID, "Lovelace!", ErrPasswordWeak},
		{"nobody", "nobody", fresh, fault.ErrNotFound},
		{"a service", robot.ID, fresh, ErrKind},
	} {
		if h, err := e.PreparePassword(t.Context(), tc.user, tc.password); !errors.Is(err, tc.err) || h.IsZero() != (err != nil) {
			t.Errorf("%s: PreparePassword() = %v, %v; want %v", tc.name, h.IsZero(), err, tc.err)
		}
	}
	if u := e.stored(t, u.ID); u.HasPassword {
		t.Error("PreparePassword stored something")
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, has, current, password string
		err                          error
	}{
		{"right", goodPassword, goodPassword, fresh, nil},
		{"first one", "", "", fresh, nil},
		{"wrong current one", goodPassword, "wrong", fresh, ErrCredentials},
		{"no current one", goodPassword, "", fresh, ErrCredentials},
		{"a current one that is not there", "", goodPassword, fresh, ErrCredentials},
		{"weak", goodPassword, goodPassword, "password1", ErrPasswordWeak},
		{"wrong and weak", goodPassword, "wrong", "password1", ErrCredentials},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			u, err := e.register(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada", Password: tc.has})
			if err != nil {
				t.Fatal(err)
			}
			err = e.changePassword(t.Context(), u.ID, tc.current, tc.password)
			if !errors.Is(err, tc.err) {
				t.Fatalf("changePassword() = %v, want %v", err, tc.err)
			}
			if err != nil {
				if got := e.CheckPassword(t.Context(), u.ID, tc.has); (got == nil) != (tc.has != "") || len(e.events(t)) != 1 {
					t.Errorf("refused, and the old one: %v; %d events", got, len(e.events(t)))
				}
				return
			}
			e.expect(t, 2, "account.password.changed", u)
			if err := e.CheckPassword(t.Context(), u.ID, fresh); err != nil || !e.stored(t, u.ID).HasPassword {
				t.Errorf("the new one: %v", err)
			}
			if err := e.CheckPassword(t.Context(), u.ID, tc.has); !errors.Is(err, ErrCredentials) {
				t.Errorf("the old one: %v", err)
			}
		})
	}
	t.Run("of whom", func(t *testing.T) {
		t.Parallel()
		e := setUp(t, Config{})
		guest := e.guest(t)
		if err := e.changePassword(t.Context(), guest.ID, "", fresh); !errors.Is(err, ErrKind) {
			t.Errorf("a guest: %v", err)
		}
		if err := e.changePassword(t.Context(), "nobody", "", fresh); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		if err := e.CheckPassword(t.Context(), "nobody", fresh); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		if err := e.CheckPassword(t.Context(), guest.ID, ""); !errors.Is(err, ErrCredentials) {
			t.Errorf("a guest: %v", err)
		}
	})
}

// Twenty changes at once that all know the password: one wins, and its password is the one that counts.
func TestChangePasswordOnce(t *testing.T) {
	t.Parallel()
	for _, has := range []string{goodPassword, ""} {
		e := setUp(t, Config{})
		u, err := e.register(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada", Password: has})
		if err != nil {
			t.Fatal(err)
		}
		won := race(t, ErrCredentials, func(i int) error {
			return e.changePassword(t.Context(), u.ID, has, fmt.Sprintf("%s %d", fresh, i))
		})
		good := 0
		for i := range 20 {
			if e.CheckPassword(t.Context(), u.ID, fmt.Sprintf("%s %d", fresh, i)) == nil {
				good++
			}
		}
		if n := len(e.events(t)); won != 1 || good != 1 || n != 2 {
			t.Errorf("%d changes, %d good passwords, %d events", won, good, n)
		}
	}
}
