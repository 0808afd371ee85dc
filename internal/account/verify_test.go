package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "ada@example.org")
	for _, tc := range []struct {
		name, email, password string
		err                   error
	}{
		{"right", "ada@example.org", goodPassword, nil},
		{"address in another spelling", "ＡDA@example.org", goodPassword, nil},
		{"wrong password", "ada@example.org", goodPassword + "!", ErrCredentials},
		{"no password", "ada@example.org", "", ErrCredentials},
		{"the hash itself", "ada@example.org", e.storedHash(t, u.ID), ErrCredentials},
		{"unknown address", "eve@example.org", goodPassword, ErrCredentials},
		{"impossible address", `{"$gt": ""}`, goodPassword, ErrCredentials},
		{"regular expression", ".*@example.org", goodPassword, ErrCredentials},
		{"no address", "", goodPassword, ErrCredentials},
		{"a megabyte", "ada@example.org", strings.Repeat("x", 1<<20), ErrCredentials},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := e.Verify(t.Context(), tc.email, tc.password)
			if !errors.Is(err, tc.err) || (err == nil) != (got == u) {
				t.Errorf("Verify() = %v, %v; want %v", got, err, tc.err)
			}
			if err != nil && err.Error() != ErrCredentials.Error() {
				t.Errorf("this refusal can be told apart: %v", err)
			}
		})
	}
}

func TestVerifyDoesTheSameWork(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	e.create(t, "ada@example.org")
	var mu sync.Mutex
	var work []string
	e.hasher.derive = func(p, s []byte, c Cost, n uint32) []byte {
		mu.Lock()
		defer mu.Unlock()
		work = append(work, fmt.Sprint(c, len(s), n))
		if len(p) > 4*MaxPassword {
			t.Errorf("%d bytes were hashed", len(p))
		}
		return argon(p, s, c, n)
	}
	type try struct{ email, password string }
	for _, c := range []try{{"ada@example.org", "wrong"}, {"eve@example.org", "wrong"}, {"not an address", "wrong"}, {"ada@example.org", strings.Repeat("x", 4096)}} {
		ctx, count := store.WithCounter(t.Context())
		if _, err := e.Verify(ctx, c.email, c.password); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
		if count.Count("find") != 1 || count.Total() != 1 {
			t.Errorf("%s: %d commands", c.email, count.Total())
		}
	}
	if len(work) != 4 {
		t.Fatalf("hashes made: %v", work)
	}
	for _, w := range work[1:] {
		if w != work[0] {
			t.Errorf("work differs: %v", work)
		}
	}
}

func TestVerifyTooBusy(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{HashSlots: 1, HashWait: 1})
	e.hasher.slots <- struct{}{} // taken
	for _, email := range []string{"ada@example.org", "eve@example.org"} {
		if _, err := e.Verify(t.Context(), email, goodPassword); !errors.Is(err, ErrTooBusy) {
			t.Errorf("Verify(%s) = %v", email, err)
		}
	}
}

func TestRehash(t *testing.T) {
	t.Parallel()
	older := Cost{MemoryKiB: 32, Passes: 1, Threads: 1}
	old, err := newHasher(Config{Cost: older}).hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("on the right password", func(t *testing.T) {
		t.Parallel()
		e := setUp(t, Config{})
		u := e.create(t, "ada@example.org")
		e.putHash(t, u.ID, old)
		if _, err := e.Verify(t.Context(), "ada@example.org", "wrong"); err == nil || e.storedHash(t, u.ID) != old {
			t.Fatalf("a wrong password changed the hash, or was taken: %v", err)
		}
		for range 2 {
			if _, err := e.Verify(t.Context(), "ada@example.org", goodPassword); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := parsePHC(e.storedHash(t, u.ID)); err != nil || p.cost != cheap {
			t.Errorf("the hash was not made anew: %+v, %v", p.cost, err)
		}
	})
	t.Run("not over a newer password", func(t *testing.T) {
		t.Parallel()
		e := setUp(t, Config{})
		u := e.create(t, "ada@example.org")
		e.putHash(t, u.ID, old)
		hashed := 0
		e.hasher.derive = func(p, s []byte, c Cost, n uint32) []byte {
			if hashed++; hashed == 2 { // verified, and about to be stored anew: the password is changed meanwhile
				e.putHash(t, u.ID, "changed")
			}
			return argon(p, s, c, n)
		}
		if _, err := e.Verify(t.Context(), "ada@example.org", goodPassword); err != nil || e.storedHash(t, u.ID) != "changed" {
			t.Errorf("Verify() = %v, and the newer password became %s", err, e.storedHash(t, u.ID))
		}
	})
	t.Run("later when busy", func(t *testing.T) {
		t.Parallel()
		e := setUp(t, Config{HashSlots: 1, HashWait: 1})
		u := e.create(t, "ada@example.org")
		e.putHash(t, u.ID, old)
		e.hasher.slots <- struct{}{} // taken by somebody who came between
		err := e.rehash(t.Context(), record{User: u, Password: old}, goodPassword)
		if err != nil || e.storedHash(t, u.ID) != old {
			t.Errorf("rehash() = %v", err)
		}
	})
	t.Run("damaged hash", func(t *testing.T) {
		t.Parallel()
		e := setUp(t, Config{})
		u := e.create(t, "ada@example.org")
		e.putHash(t, u.ID, "not a hash")
		if _, err := e.Verify(t.Context(), "ada@example.org", goodPassword); fault.From(err).Code != "INTERNAL" || strings.Contains(err.Error(), "not a hash") {
			t.Errorf("Verify() = %v", err)
		}
	})
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	const fresh = "eleven kettles sing at noon"
	for _, tc := range []struct {
		name, password string
		ctx            func(testing.TB) context.Context
		unknown        bool
		err            error
	}{
		{"operator", fresh, system, false, nil},
		{"weak", "ada@example.org", system, false, ErrPasswordWeak},
		{"unknown user", fresh, system, true, fault.ErrNotFound},
		{"a reader of users", fresh, func(t testing.TB) context.Context { return as(t, "reader") }, false, fault.ErrForbidden},
		{"nobody", fresh, func(t testing.TB) context.Context { return t.Context() }, false, fault.ErrForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{}, "reader")
			u := e.create(t, "ada@example.org")
			id := u.ID
			if tc.unknown {
				id = "nobody"
			}
			if err := e.SetPassword(tc.ctx(t), id, tc.password); !errors.Is(err, tc.err) {
				t.Fatalf("SetPassword() = %v, want %v", err, tc.err)
			}
			valid := goodPassword
			events := e.events(t)
			if tc.err == nil {
				valid = fresh
				if last := events[len(events)-1]; last.Kind != "account.password.set" || last.On != u.Ref() || !last.Actor.System {
					t.Errorf("event: %+v", last)
				}
				if _, err := e.Verify(t.Context(), u.Email, goodPassword); !errors.Is(err, ErrCredentials) {
					t.Errorf("the old password is good: %v", err)
				}
			} else if len(events) != 1 {
				t.Errorf("refused, and logged: %+v", events)
			}
			if _, err := e.Verify(t.Context(), u.Email, valid); err != nil {
				t.Errorf("Verify() = %v", err)
			}
		})
	}
}
