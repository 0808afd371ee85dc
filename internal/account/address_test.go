package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// emails lists the addresses of a user in order.
func emails(u User) string {
	var all []string
	for _, a := range u.Emails {
		all = append(all, a.Email)
	}
	return strings.Join(all, " ")
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	const a, b, c = "a@example.org", "b@example.org", "c@example.org"
	ctx := t.Context()
	for _, tc := range []struct {
		name  string
		do    func(e env, id string) (User, error) // of a user with a, b
		want  string                               // addresses after it
		event string                               // none when empty
		told  addressed
		err   error
	}{
		{"add", func(e env, id string) (User, error) { return e.AddAddress(ctx, id, " C@example.org ", false) }, a + " " + b + " C@example.org", "account.address.added", addressed{false, 3}, nil},
		{"add as the primary one", func(e env, id string) (User, error) { return e.AddAddress(ctx, id, c, true) }, c + " " + a + " " + b, "account.address.added", addressed{true, 3}, nil},
		{"add a known one", func(e env, id string) (User, error) { return e.AddAddress(ctx, id, "B@example.org", false) }, a + " " + b, "", addressed{}, nil},
		{"add a known one as the primary one", func(e env, id string) (User, error) { return e.AddAddress(ctx, id, b, true) }, b + " " + a, "account.address.primary_changed", addressed{true, 2}, nil},
		{"add the primary one as that", func(e env, id string) (User, error) { return e.AddAddress(ctx, id, a, true) }, a + " " + b, "", addressed{}, nil},
		{"add another's", func(e env, id string) (User, error) { return e.AddAddress(ctx, id, "BOB@example.org", true) }, "", "", addressed{}, ErrEmailTaken},
		{"add no address", func(e env, id string) (User, error) { return e.AddAddress(ctx, id, "x", true) }, "", "", addressed{}, ErrEmailInvalid},
		{"add to nobody", func(e env, _ string) (User, error) { return e.AddAddress(ctx, "nobody", c, true) }, "", "", addressed{}, fault.ErrNotFound},
		{"remove", func(e env, id string) (User, error) { return e.RemoveAddress(ctx, id, "Ｂ@example.org") }, a, "account.address.removed", addressed{false, 1}, nil},
		{"remove the primary one", func(e env, id string) (User, error) { return e.RemoveAddress(ctx, id, a) }, b, "account.address.removed", addressed{true, 1}, nil},
		{"remove another's", func(e env, id string) (User, error) { return e.RemoveAddress(ctx, id, "bob@example.org") }, "", "", addressed{}, fault.ErrNotFound},
		{"remove no address", func(e env, id string) (User, error) { return e.RemoveAddress(ctx, id, "") }, "", "", addressed{}, fault.ErrNotFound},
		{"make primary", func(e env, id string) (User, error) { return e.SetPrimary(ctx, id, b) }, b + " " + a, "account.address.primary_changed", addressed{true, 2}, nil},
		{"make primary again", func(e env, id string) (User, error) { return e.SetPrimary(ctx, id, a) }, a + " " + b, "", addressed{}, nil},
		{"make another's primary", func(e env, id string) (User, error) { return e.SetPrimary(ctx, id, "bob@example.org") }, "", "", addressed{}, fault.ErrNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			u := e.create(t, a)
			e.create(t, "bob@example.org")
			if _, err := e.AddAddress(t.Context(), u.ID, b, false); err != nil {
				t.Fatal(err)
			}
			e.clock.Advance(time.Hour)
			got, err := tc.do(e, u.ID)
			if !errors.Is(err, tc.err) {
				t.Fatalf("= %v, %v; want %v", got, err, tc.err)
			}
			if err != nil {
				tc.want = a + " " + b
			} else if emails(got) != tc.want {
				t.Errorf("= %s, want %s", emails(got), tc.want)
			}
			if s := emails(e.stored(t, u.ID)); s != tc.want {
				t.Errorf("stored %s, want %s", s, tc.want)
			}
			if tc.event == "" {
				if n := len(e.events(t)); n != 3 {
					t.Errorf("%d events", n)
				}
				return
			}
			if told := data[addressed](t, e.expect(t, 4, tc.event, u)); told != tc.told {
				t.Errorf("the event tells %+v, want %+v", told, tc.told)
			}
		})
	}
}

func TestAddressesHaveBounds(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "0@example.org")
	for i := 1; i < MaxAddresses; i++ {
		if _, err := e.AddAddress(t.Context(), u.ID, fmt.Sprintf("%d@example.org", i), i%2 == 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.AddAddress(t.Context(), u.ID, "x@example.org", true); !errors.Is(err, ErrAddressLimit) {
		t.Errorf("one more: %v", err)
	}
	for i := 1; i < MaxAddresses; i++ {
		if _, err := e.RemoveAddress(t.Context(), u.ID, fmt.Sprintf("%d@example.org", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.RemoveAddress(t.Context(), u.ID, "0@example.org"); !errors.Is(err, ErrAddressLast) {
		t.Errorf("the last: %v", err)
	}
	robot := e.robot(t, "Robot")
	if _, err := e.AddAddress(t.Context(), robot.ID, "robot@example.org", true); !errors.Is(err, ErrKind) {
		t.Errorf("a service: %v", err)
	}
	if _, err := e.register(t.Context(), CreateCmd{Email: "5@example.org", Name: "Eve"}); err != nil {
		t.Errorf("a removed address is free: %v", err)
	}
}

// Twenty users prove one address at once: it becomes one user's. And one user with twenty addresses at once keeps the bound.
func TestReq4AddressRaces(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	users := make([]User, 20)
	for i := range users {
		users[i] = e.create(t, fmt.Sprintf("u%d@example.org", i))
	}
	if won := race(t, ErrEmailTaken, func(i int) error { return second(e.AddAddress(t.Context(), users[i].ID, "same@example.org", true)) }); won != 1 {
		t.Errorf("%d users have the address", won)
	}
	ada := e.create(t, "ada@example.org")
	won := race(t, ErrAddressLimit, func(i int) error {
		return second(e.AddAddress(t.Context(), ada.ID, fmt.Sprintf("ada%d@example.org", i), i%2 == 0))
	})
	if n := len(e.stored(t, ada.ID).Emails); won != MaxAddresses-1 || n != MaxAddresses {
		t.Errorf("%d added, %d addresses", won, n)
	}
	keep := e.stored(t, ada.ID).Emails
	won = race(t, ErrAddressLast, func(i int) error {
		if i >= MaxAddresses {
			return ErrAddressLast
		}
		return second(e.RemoveAddress(t.Context(), ada.ID, keep[i].Email))
	})
	if n := len(e.stored(t, ada.ID).Emails); won != MaxAddresses-1 || n != 1 {
		t.Errorf("%d removed, %d addresses left", won, n)
	}
}

func TestAddressJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "ada@example.org")
	later := errors.New("the flow goes wrong later")
	err := e.db.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := e.AddAddress(ctx, u.ID, "new@example.org", true); err != nil {
			return err
		}
		if _, err := e.RemoveAddress(ctx, u.ID, "ada@example.org"); err != nil {
			return err
		}
		return later
	})
	if s := emails(e.stored(t, u.ID)); !errors.Is(err, later) || s != "ada@example.org" || len(e.events(t)) != 1 {
		t.Errorf("the transaction ended with %v and left %s", err, s)
	}
}
