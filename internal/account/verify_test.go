package account

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u, err := e.register(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada", Username: "Ada", Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	if u, err = e.AddAddress(t.Context(), u.ID, "second@example.org", false); err != nil {
		t.Fatal(err)
	}
	if _, err := e.register(t.Context(), CreateCmd{Email: "social@example.org", Name: "S"}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, identifier, password string
		err                        error
	}{
		{"right", "ada@example.org", goodPassword, nil},
		{"address in another spelling", "ＡDA@example.org", goodPassword, nil},
		{"another address", "second@example.org", goodPassword, nil},
		{"username", "ADA", goodPassword, nil},
		{"wrong password", "ada@example.org", goodPassword + "!", ErrCredentials},
		{"wrong password for the username", "ada", goodPassword + "!", ErrCredentials},
		{"no password", "ada@example.org", "", ErrCredentials},
		{"the hash itself", "ada@example.org", e.storedHash(t, u.ID), ErrCredentials},
		{"unknown address", "eve@example.org", goodPassword, ErrCredentials},
		{"unknown username", "eve", goodPassword, ErrCredentials},
		{"a user without a password", "social@example.org", goodPassword, ErrCredentials},
		{"a user without a password, and none given", "social@example.org", "", ErrCredentials},
		{"impossible address", `{"$gt": "@"}`, goodPassword, ErrCredentials},
		{"impossible username", `{"$gt": ""}`, goodPassword, ErrCredentials},
		{"regular expression", ".*@example.org", goodPassword, ErrCredentials},
		{"the id", u.ID, goodPassword, ErrCredentials},
		{"nothing", "", goodPassword, ErrCredentials},
		{"a megabyte", "ada@example.org", strings.Repeat("x", 1<<20), ErrCredentials},
		{"a megabyte of a name", strings.Repeat("x", 1<<20), goodPassword, ErrCredentials},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := e.verify(t.Context(), tc.identifier, tc.password)
			if !errors.Is(err, tc.err) || (err == nil) != reflect.DeepEqual(got, u) {
				t.Errorf("verify() = %v, %v; want %v", got, err, tc.err)
			}
			if err != nil && err.Error() != ErrCredentials.Error() {
				t.Errorf("this refusal can be told apart: %v", err)
			}
		})
	}
}

// Only who has the password hears of the status of an account.
func TestVerifyByStatus(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{}, "admin")
	for name, tc := range map[string]struct {
		change func(id string) error
		err    error
	}{
		"disabled":    {func(id string) error { return second(e.Disable(as(t, "admin"), id)) }, ErrDisabled},
		"deactivated": {func(id string) error { return second(e.Deactivate(t.Context(), id)) }, nil},
		"deleted":     {func(id string) error { return second(e.ScheduleDeletion(t.Context(), id, t0)) }, nil},
	} {
		u := e.create(t, name+"@example.org")
		if err := tc.change(u.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := e.verify(t.Context(), u.Email(), "wrong"); !errors.Is(err, ErrCredentials) || err.Error() != ErrCredentials.Error() {
			t.Errorf("%s: a wrong password hears %v", name, err)
		}
		got, err := e.verify(t.Context(), u.Email(), goodPassword)
		if !errors.Is(err, tc.err) || (len(got.times()) == 1) != (tc.err == nil) || (err == nil) != (got.ID == u.ID) {
			t.Errorf("%s: verify() = %#v, %v; want %v", name, got, err, tc.err)
		}
	}
}

// waiting is a registration that waits with a password, for the address wait@example.org and whatever else is in it.
func (e env) waiting(t testing.TB, asked *int, keys ...string) PendingHash {
	t.Helper()
	text, err := e.hasher.hash(t.Context(), "the password of who waits")
	if err != nil {
		t.Fatal(err)
	}
	return func(_ context.Context, key string) (Hashed, bool, error) {
		*asked++
		for _, k := range append(keys, "wait@example.org") {
			if k == key {
				return hashed(text), true, nil
			}
		}
		return Hashed{}, false, nil
	}
}

func TestVerifyAny(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "ada@example.org")
	const waits = "the password of who waits"
	asked := 0
	pending := e.waiting(t, &asked, "ada@example.org")
	for i, tc := range []struct {
		identifier, password string
		pending              bool
		err                  error
	}{
		{"ada@example.org", goodPassword, false, nil},
		{"ada@example.org", waits, false, ErrCredentials}, // somebody else's registration opens no account
		{"wait@example.org", waits, true, nil},
		{" WAIT@example.org", waits, true, nil},
		{"wait@example.org", goodPassword, false, ErrCredentials},
		{"eve@example.org", waits, false, ErrCredentials},
		{"wait", waits, false, ErrCredentials},
		{"", waits, false, ErrCredentials},
	} {
		got, err := e.VerifyAny(t.Context(), tc.identifier, tc.password, pending)
		if !errors.Is(err, tc.err) || got.Pending != tc.pending || (got.User.ID == u.ID) != (err == nil && !tc.pending) {
			t.Errorf("%s, %s: VerifyAny() = %+v, %v", tc.identifier, tc.password, got, err)
		}
		if asked != i+1 {
			t.Errorf("%s: pending was asked %d times for %d calls", tc.identifier, asked, i+1)
		}
	}
	broken := errors.New("no database")
	_, err := e.VerifyAny(t.Context(), "ada@example.org", goodPassword, func(context.Context, string) (Hashed, bool, error) { return Hashed{}, false, broken })
	if !errors.Is(err, broken) {
		t.Errorf("VerifyAny() = %v", err)
	}
}

// An unknown user costs what a known one does, and one that waits: one read, one hash of the same cost.
func TestReq2VerifyDoesTheSameWork(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	e.create(t, "ada@example.org")
	if _, err := e.register(t.Context(), CreateCmd{Email: "social@example.org", Name: "S", Username: "social"}); err != nil {
		t.Fatal(err)
	}
	asked := 0
	pending := e.waiting(t, &asked)
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
	type try struct{ identifier, password string }
	tries := []try{
		{"ada@example.org", "wrong"},
		{"eve@example.org", "wrong"},
		{"wait@example.org", "wrong"},
		{"not an address", "wrong"},
		{"not an address@", "wrong"},
		{"social@example.org", "wrong"},
		{"social", "wrong"},
		{"unknown", "wrong"},
		{"ada@example.org", strings.Repeat("x", 4096)},
		{"wait@example.org", strings.Repeat("x", 4096)},
	}
	for i, c := range tries {
		ctx, count := store.WithCounter(t.Context())
		if _, err := e.VerifyAny(ctx, c.identifier, c.password, pending); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
		if count.Count("find") != 1 || count.Total() != 1 || asked != i+1 {
			t.Errorf("%s: %d commands, %d calls", c.identifier, count.Total(), asked)
		}
	}
	if len(work) != len(tries) {
		t.Fatalf("hashes made: %v", work)
	}
	for _, w := range work[1:] {
		if w != work[0] {
			t.Errorf("work differs: %v", work)
		}
	}
}

func TestVerifyHash(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	d, err := e.Prepare(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada", Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	e.hasher.derive = func(p, s []byte, c Cost, n uint32) []byte { made++; return argon(p, s, c, n) }
	for i, tc := range []struct {
		hash     Hashed
		password string
		want     bool
	}{
		{d.Pending().Hashed(), goodPassword, true},
		{d.Pending().Hashed(), "wrong", false},
		{Hashed{}, goodPassword, false},
		{Hashed{}, "", false},
	} {
		if got, err := e.VerifyHash(t.Context(), tc.hash, tc.password); got != tc.want || err != nil || made != i+1 {
			t.Errorf("%d: VerifyHash() = %v, %v after %d hashes", i, got, err, made)
		}
	}
}

func TestVerifyTooBusy(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{HashSlots: 1, HashWait: 1})
	e.hasher.slots <- struct{}{} // taken
	for _, email := range []string{"ada@example.org", "eve@example.org", "eve"} {
		if _, err := e.verify(t.Context(), email, goodPassword); !errors.Is(err, ErrTooBusy) {
			t.Errorf("verify(%s) = %v", email, err)
		}
	}
}

func TestReq9Rehash(t *testing.T) {
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
		if _, err := e.verify(t.Context(), "ada@example.org", "wrong"); err == nil || e.storedHash(t, u.ID) != old {
			t.Fatalf("a wrong password changed the hash, or was taken: %v", err)
		}
		for range 2 {
			if _, err := e.verify(t.Context(), "ada@example.org", goodPassword); err != nil {
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
		if _, err := e.verify(t.Context(), "ada@example.org", goodPassword); err != nil || e.storedHash(t, u.ID) != "changed" {
			t.Errorf("verify() = %v, and the newer password became %s", err, e.storedHash(t, u.ID))
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
		if _, err := e.verify(t.Context(), "ada@example.org", goodPassword); fault.From(err).Code != "INTERNAL" || strings.Contains(err.Error(), "not a hash") {
			t.Errorf("verify() = %v", err)
		}
	})
}
