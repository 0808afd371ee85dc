package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func (n node) recognize(t testing.TB, user, secret string) Device {
	t.Helper()
	d, ok, err := n.Recognize(t.Context(), user, secret)
	if err != nil || !ok {
		t.Fatalf("Recognize() = %v, %v", ok, err)
	}
	return d
}

func TestTrusted(t *testing.T) {
	t.Parallel()
	until := t0.Add(time.Hour)
	for _, tc := range []struct {
		name string
		d    Device
		at   time.Time
		want bool
	}{
		{"never", Device{}, t0, false},
		{"just before the end", Device{TrustedUntil: &until}, until.Add(-1), true},
		{"at the end", Device{TrustedUntil: &until}, until, false},
		{"no time", Device{TrustedUntil: new(time.Time)}, t0, false},
	} {
		if got := tc.d.Trusted(tc.at); got != tc.want {
			t.Errorf("%s: Trusted() = %v", tc.name, got)
		}
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	d, secret, _ := n.remember(t, "ada", "")
	if d.Trusted(t0) {
		t.Error("a new device is trusted")
	}
	until := t0.Add(30 * day)
	ctx, count := store.WithCounter(t.Context())
	if err := n.Trust(ctx, "ada", d.ID, until); err != nil || count.Count("update") != 1 || count.Count("insert") != 1 {
		t.Fatalf("Trust() = %v, %d commands", err, count.Total())
	}
	seen, _, _ := n.remember(t, "ada", secret) // another sign-in leaves it as it is
	for what, got := range map[string]Device{"Recognize": n.recognize(t, "ada", secret), "Remember": seen} {
		if got.TrustedUntil == nil || !got.TrustedUntil.Equal(until) || !got.Trusted(until.Add(-1)) || got.Trusted(until) {
			t.Errorf("%s() says trusted until %v, want %v", what, got.TrustedUntil, until)
		}
	}
	facts := n.facts(t, "session.device.trusted")
	if len(facts) != 1 || facts[0].On != d.Ref() || data[trusted](t, facts[0]) != (trusted{"ada", until}) {
		t.Errorf("events: %+v", facts)
	}
	if err := n.Trust(t.Context(), "ada", d.ID, t0); err != nil || n.recognize(t, "ada", secret).Trusted(t0) {
		t.Errorf("taken away: %v, and trusted as before", err)
	}
}

// Trust is between one user and a browser: it is no other user's, not even by the device's id.
func TestTrustIsOfOneUser(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	ada, secret, _ := n.remember(t, "ada", "")
	n.remember(t, "eve", secret)
	for name, try := range map[string]func() error{
		"trust by another user of the browser": func() error { return n.Trust(t.Context(), "eve", ada.ID, t0.Add(day)) },
		"trust of what is not there":           func() error { return n.Trust(t.Context(), "ada", "nothing", t0.Add(day)) },
		"forget by another user":               func() error { return n.ForgetDevice(t.Context(), "eve", ada.ID) },
		"forget what is not there":             func() error { return n.ForgetDevice(t.Context(), "ada", "nothing") },
	} {
		if err := try(); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n.recognize(t, "ada", secret).Trusted(t0) || len(n.facts(t, "session.device.trusted")) != 0 || len(n.facts(t, "session.device.forgotten")) != 0 {
		t.Error("what was refused happened")
	}
	if err := n.Trust(t.Context(), "ada", ada.ID, t0.Add(day)); err != nil {
		t.Fatal(err)
	}
	if !n.recognize(t, "ada", secret).Trusted(t0) || n.recognize(t, "eve", secret).Trusted(t0) {
		t.Error("ada's trust is not hers alone")
	}
	if bob, _, isNew := n.remember(t, "bob", secret); !isNew || bob.Trusted(t0) {
		t.Errorf("a newcomer at a trusted browser: %+v", bob)
	}
}

func TestDevicesOf(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	var newest []string
	for range 3 {
		d, _, _ := n.remember(t, "ada", "")
		newest = append([]string{d.ID}, newest...)
		n.remember(t, "eve", "")
	}
	if err := n.Trust(t.Context(), "ada", newest[1], t0.Add(day)); err != nil {
		t.Fatal(err)
	}
	got, err := n.DevicesOf(t.Context(), "ada")
	if err != nil || len(got) != 3 {
		t.Fatalf("DevicesOf() = %+v, %v", got, err)
	}
	for i, d := range got {
		if d.ID != newest[i] || d.User != "ada" || d.Trusted(t0) != (i == 1) {
			t.Errorf("%d: %+v, want %s", i, d, newest[i])
		}
	}
	if none, err := n.DevicesOf(t.Context(), "bob"); err != nil || len(none) != 0 {
		t.Errorf("of somebody without devices: %v, %v", none, err)
	}
}

func TestDevicesOfIsBounded(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	var docs []deviceRecord
	for range MaxDevices + 1 {
		id := ref.NewID()
		docs = append(docs, deviceRecord{Device{ID: id, User: "ada", CreatedAt: t0}, []byte(id)})
	}
	if _, err := n.db.Collection(deviceCollection).InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	got, err := n.DevicesOf(t.Context(), "ada")
	if err != nil || len(got) != MaxDevices || got[0].ID != docs[MaxDevices].ID {
		t.Errorf("DevicesOf() gave %d, %v", len(got), err)
	}
}

func TestForgetDevice(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	ada, secret, _ := n.remember(t, "ada", "")
	n.remember(t, "eve", secret)
	other, _, _ := n.remember(t, "ada", "")
	if err := n.Trust(t.Context(), "ada", ada.ID, t0.Add(day)); err != nil {
		t.Fatal(err)
	}
	if err := n.ForgetDevice(t.Context(), "ada", ada.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := n.Recognize(t.Context(), "ada", secret); ok || err != nil {
		t.Errorf("forgotten, and recognised: %v", err)
	}
	n.recognize(t, "eve", secret)
	if left, err := n.DevicesOf(t.Context(), "ada"); err != nil || len(left) != 1 || left[0].ID != other.ID {
		t.Errorf("left: %+v, %v", left, err)
	}
	facts := n.facts(t, "session.device.forgotten")
	if len(facts) != 1 || facts[0].On != ada.Ref() || data[about](t, facts[0]) != (about{User: "ada"}) {
		t.Errorf("events: %+v", facts)
	}
	if err := n.ForgetDevice(t.Context(), "ada", ada.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
	if again, _, isNew := n.remember(t, "ada", secret); !isNew || again.Trusted(t0) {
		t.Errorf("signed in from it again: new %v, trusted %v", isNew, again.Trusted(t0))
	}
}

func TestTrustJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	d, secret, _ := n.remember(t, "ada", "")
	events := storetest.Count(t, n.db, "events")
	wrong := errors.New("the flow goes wrong later")
	for name, change := range map[string]func(context.Context) error{
		"trust":  func(ctx context.Context) error { return n.Trust(ctx, "ada", d.ID, t0.Add(day)) },
		"forget": func(ctx context.Context) error { return n.ForgetDevice(ctx, "ada", d.ID) },
	} {
		err := n.db.InTx(t.Context(), func(ctx context.Context) error { return errors.Join(change(ctx), wrong) })
		if !errors.Is(err, wrong) || n.recognize(t, "ada", secret) != d || storetest.Count(t, n.db, "events") != events {
			t.Errorf("%s: the transaction ended with %v and left something", name, err)
		}
	}
	if got, err := n.DevicesOf(t.Context(), "ada"); err != nil || !slices.Equal(got, []Device{d}) {
		t.Errorf("DevicesOf() = %+v, %v", got, err)
	}
}
