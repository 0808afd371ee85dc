package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/token"
)

// from is a request of a browser.
func from(t testing.TB, ip, agent string) context.Context {
	return actor.WithRequest(t.Context(), actor.Request{IP: ip, UserAgent: agent})
}

func (n node) remember(t testing.TB, user, secret string) (Device, string, bool) {
	t.Helper()
	d, secret, isNew, err := n.Remember(t.Context(), user, secret)
	if err != nil {
		t.Fatal(err)
	}
	return d, secret, isNew
}

func TestRemember(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	d, secret, isNew, err := n.Remember(from(t, "192.0.2.7", "Firefox/1"+strings.Repeat("x", 300)), "ada", "")
	want := Device{ID: d.ID, User: "ada", UserAgent: "Firefox/1" + strings.Repeat("x", 247), IP: "192.0.2.7", CreatedAt: t0, LastSeenAt: t0}
	if err != nil || d != want || d.ID == "" || !isNew || !strings.HasPrefix(secret, "bbd_") {
		t.Fatalf("Remember() = %+v, %q, %v, %v\nwant %+v", d, secret, isNew, err, want)
	}
	if facts := n.facts(t, "session.device.added"); len(facts) != 1 || facts[0].On != ref.New(ref.Device, d.ID) || data[about](t, facts[0]).User != "ada" {
		t.Errorf("events: %+v", facts)
	}
	n.clock.Advance(time.Hour)
	ctx, count := store.WithCounter(from(t, "192.0.2.8", "Firefox/2"))
	again, same, isNew, err := n.Remember(ctx, "ada", secret)
	want.UserAgent, want.IP, want.LastSeenAt = "Firefox/2", "192.0.2.8", t0.Add(time.Hour)
	if err != nil || again != want || same != secret || isNew || count.Count("findAndModify") != 1 {
		t.Errorf("the second time: %+v, %v, %v\nwant %+v", again, isNew, err, want)
	}
	ctx, count = store.WithCounter(t.Context())
	if found, ok, err := n.Recognize(ctx, "ada", secret); err != nil || !ok || found != want || count.Total() != 1 {
		t.Errorf("Recognize() = %+v, %v, %v, %d reads", found, ok, err, count.Total())
	}
	if len(n.facts(t, "session.device.added")) != 1 || storetest.Count(t, n.db, deviceCollection) != 1 {
		t.Error("a known device was added once more")
	}
}

// One browser keeps one token for all who use it, and is new to each of them once.
func TestDeviceOfTwoUsers(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	ada, secret, _ := n.remember(t, "ada", "")
	if _, ok, err := n.Recognize(t.Context(), "eve", secret); ok || err != nil {
		t.Errorf("Recognize() of somebody who was never there = %v, %v", ok, err)
	}
	eve, same, isNew := n.remember(t, "eve", secret)
	if same != secret || !isNew || eve.ID == ada.ID || eve.User != "eve" {
		t.Errorf("Remember() = %+v, new %v, same token %v", eve, isNew, same == secret)
	}
	for user, want := range map[string]Device{"ada": ada, "eve": eve} {
		if d, ok, err := n.Recognize(t.Context(), user, secret); err != nil || !ok || d != want {
			t.Errorf("%s: Recognize() = %+v, %v, %v", user, d, ok, err)
		}
	}
	if err := n.ForgetDevices(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := n.Recognize(t.Context(), "ada", secret); ok {
		t.Error("forgotten, and recognised")
	}
	if _, ok, _ := n.Recognize(t.Context(), "eve", secret); !ok {
		t.Error("the device of another user was forgotten along with it")
	}
	if _, same, isNew := n.remember(t, "ada", secret); same != secret || !isNew {
		t.Errorf("after forgetting: new %v, same token %v", isNew, same == secret)
	}
	facts := n.facts(t, "session.device.forgotten")
	if len(facts) != 1 || facts[0].On != ref.New(ref.User, "ada") || data[forgotten](t, facts[0]).Devices != 1 {
		t.Errorf("events: %+v", facts)
	}
	if err := n.ForgetDevices(t.Context(), "bob"); err != nil || len(n.facts(t, "session.device.forgotten")) != 1 {
		t.Errorf("nothing to forget: %v", err)
	}
}

// A token that was not made here would let a stranger choose it: the browser gets another.
func TestDeviceTokensThatAreNotOurs(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	unknown, _ := token.New(devicePrefix)
	s, ofSession := n.start(t, "ada")
	_, known, _ := n.remember(t, "eve", "")
	for name, given := range map[string]string{
		"none": "", "unknown": unknown, "malformed": "bbd_x", "a session's": ofSession, "an id": s.ID,
		"cut": known[:len(known)-1], "an operator": `{"$ne":""}`,
	} {
		ctx, count := store.WithCounter(t.Context())
		if d, ok, err := n.Recognize(ctx, "ada", given); ok || err != nil || d != (Device{}) || name != "unknown" && count.Total() != 0 {
			t.Errorf("%s: Recognize() = %+v, %v, %v, %d reads", name, d, ok, err, count.Total())
		}
		d, got, isNew := n.remember(t, "ada", given)
		if got == given || !isNew {
			t.Errorf("%s: Remember() kept it", name)
		}
		if found, ok, err := n.Recognize(t.Context(), "ada", got); err != nil || !ok || found != d {
			t.Errorf("%s: the new token is not known: %v, %v", name, ok, err)
		}
	}
}

func TestRememberJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	wrong := errors.New("the flow goes wrong later")
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		if _, _, _, err := n.Remember(ctx, "ada", ""); err != nil {
			return err
		}
		return wrong
	})
	if !errors.Is(err, wrong) || storetest.Count(t, n.db, deviceCollection) != 0 || storetest.Count(t, n.db, "events") != 0 {
		t.Errorf("the transaction ended with %v and left something", err)
	}
}

// Twenty tabs of one browser sign in at once: one device, new to one of them.
func TestRememberRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	_, secret, _ := n.remember(t, "eve", "")
	var mu sync.Mutex
	ids, news := map[string]bool{}, 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			d, same, isNew, err := n.Remember(t.Context(), "ada", secret)
			if err != nil || same != secret {
				t.Errorf("Remember() = %v, same token %v", err, same == secret)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[d.ID] = true
			if isNew {
				news++
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || news != 1 || len(n.facts(t, "session.device.added")) != 2 {
		t.Errorf("%d devices, new to %d", len(ids), news)
	}
}
