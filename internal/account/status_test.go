package account

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{}, "admin")
	u := e.create(t, "ada@example.org")
	admin, n := as(t, "admin"), 1
	later := t0.Add(30 * 24 * time.Hour)
	for _, step := range []struct {
		name   string
		do     func() (User, error)
		event  string // none when empty: nothing changed
		status string // d deactivated, x disabled, - on its way to deletion
	}{
		{"reactivate an active one", func() (User, error) { return e.Reactivate(t.Context(), u.ID) }, "", ""},
		{"enable an enabled one", func() (User, error) { return e.Enable(admin, u.ID) }, "", ""},
		{"deactivate", func() (User, error) { return e.Deactivate(t.Context(), u.ID) }, "account.user.deactivated", "d"},
		{"deactivate again", func() (User, error) { return e.Deactivate(t.Context(), u.ID) }, "", "d"},
		{"disable", func() (User, error) { return e.Disable(admin, u.ID) }, "account.user.disabled", "dx"},
		{"disable again", func() (User, error) { return e.Disable(admin, u.ID) }, "", "dx"},
		{"schedule the deletion", func() (User, error) { return e.ScheduleDeletion(t.Context(), u.ID, later) }, "account.user.deletion_scheduled", "dx-"},
		{"reactivate", func() (User, error) { return e.Reactivate(t.Context(), u.ID) }, "account.user.reactivated", "x"},
		{"enable", func() (User, error) { return e.Enable(admin, u.ID) }, "account.user.enabled", ""},
		{"schedule the deletion of an active one", func() (User, error) { return e.ScheduleDeletion(t.Context(), u.ID, later) }, "account.user.deletion_scheduled", "-"},
		{"reactivate", func() (User, error) { return e.Reactivate(t.Context(), u.ID) }, "account.user.reactivated", ""},
	} {
		e.clock.Advance(time.Minute)
		got, err := step.do()
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		for _, v := range []User{got, e.stored(t, u.ID)} {
			status := ""
			if v.DeactivatedAt != nil {
				status += "d"
			}
			if v.DisabledAt != nil {
				status += "x"
			}
			if v.DeleteAfter != nil {
				status += "-"
				if !v.DeleteAfter.Equal(later) {
					t.Errorf("%s: to be deleted after %v", step.name, v.DeleteAfter)
				}
			}
			if status != step.status || len(v.times()) != len(status) {
				t.Errorf("%s: %q, times %v; want %q", step.name, status, v.times(), step.status)
			}
		}
		if step.event != "" {
			n++
			e.expect(t, n, step.event, u)
		}
		if all := len(e.events(t)); all != n {
			t.Fatalf("%s: %d events, want %d", step.name, all, n)
		}
	}
	if told := data[scheduled](t, e.events(t)[n-2].Data); !told.At.Equal(later) {
		t.Errorf("the event tells %+v", told)
	}
}

func TestStatusOfWhomByWhom(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{}, "admin")
	u := e.create(t, "ada@example.org")
	for name, do := range map[string]func(context.Context, string) (User, error){"Disable": e.Disable, "Enable": e.Enable} {
		for _, tc := range []struct {
			who  string
			ctx  context.Context
			user string
			err  error
		}{
			{"administrator", as(t, "admin"), u.ID, nil},
			{"operator", system(t), u.ID, nil},
			{"the user", as(t, u.ID), u.ID, fault.ErrForbidden},
			{"nobody", t.Context(), u.ID, fault.ErrUnauthenticated},
			{"administrator, of nobody", as(t, "admin"), "nobody", fault.ErrNotFound},
		} {
			if _, err := do(tc.ctx, tc.user); !errors.Is(err, tc.err) {
				t.Errorf("%s by %s = %v, want %v", name, tc.who, err, tc.err)
			}
		}
	}
	for name, err := range map[string]error{
		"Deactivate":       second(e.Deactivate(t.Context(), "nobody")),
		"Reactivate":       second(e.Reactivate(t.Context(), "nobody")),
		"ScheduleDeletion": second(e.ScheduleDeletion(t.Context(), "nobody", t0)),
		"Purge":            e.Purge(t.Context(), "nobody"),
	} {
		if !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s of nobody = %v", name, err)
		}
	}
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	a, b, c := e.create(t, "a@example.org"), e.create(t, "b@example.org"), e.create(t, "c@example.org")
	for u, wait := range map[string]time.Duration{a.ID: 2 * time.Hour, b.ID: time.Hour} {
		if _, err := e.ScheduleDeletion(t.Context(), u, t0.Add(wait)); err != nil {
			t.Fatal(err)
		}
	}
	due := func(limit int) (ids []string) {
		all, err := e.DueForDeletion(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range all {
			ids = append(ids, u.ID)
		}
		return ids
	}
	if ids := due(10); len(ids) != 0 {
		t.Errorf("due at once: %v", ids)
	}
	e.clock.Advance(time.Hour - time.Millisecond)
	for _, u := range []User{a, b, c} {
		if err := e.Purge(t.Context(), u.ID); !errors.Is(err, ErrNotDue) {
			t.Errorf("Purge(%v) before its time = %v", u, err)
		}
	}
	e.clock.Advance(time.Millisecond)
	if ids := due(10); len(ids) != 1 || ids[0] != b.ID {
		t.Errorf("due after an hour: %v", ids)
	}
	e.clock.Advance(time.Hour)
	if ids := due(10); len(ids) != 2 || ids[0] != b.ID || ids[1] != a.ID {
		t.Errorf("due after two hours: %v", ids)
	}
	if ids := due(1); len(ids) != 1 || ids[0] != b.ID {
		t.Errorf("the first that is due: %v", ids)
	}
	if _, err := e.Reactivate(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if err := e.Purge(t.Context(), a.ID); !errors.Is(err, ErrNotDue) {
		t.Errorf("Purge() of one who came back = %v", err)
	}
	later := errors.New("another package fails")
	err := e.db.InTx(t.Context(), func(ctx context.Context) error {
		if err := e.Purge(ctx, b.ID); err != nil {
			return err
		}
		return later
	})
	if !errors.Is(err, later) || storetest.Count(t, e.db, collection) != 3 {
		t.Errorf("a purge that was undone: %v", err)
	}
	before := len(e.events(t))
	if won := race(t, fault.ErrNotFound, func(int) error { return e.Purge(t.Context(), b.ID) }); won != 1 || storetest.Count(t, e.db, collection) != 2 {
		t.Errorf("%d purges of one user", won)
	}
	if told := data[deleted](t, e.expect(t, before+1, "account.user.deleted", b)); told.ID != b.ID {
		t.Errorf("the event tells %+v", told)
	}
	e.create(t, "b@example.org") // the address is free again
}
