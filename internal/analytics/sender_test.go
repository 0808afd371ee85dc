package analytics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// stored are the events in the database, by id.
func (w world) stored(t testing.TB) map[string]Event {
	t.Helper()
	all, err := store.Find[Event](context.Background(), w.store.events, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]Event{}
	for _, e := range all {
		byID[e.ID] = e
	}
	return byID
}

func TestWithoutConsentNothingPointsAtAnybody(t *testing.T) {
	t.Parallel()
	w := worldOn(t, storetest.DB(t), Config{Network: true})
	ctx := actor.WithRequest(actor.With(t.Context(), actor.Actor{User: "u1"}), actor.Request{IP: "203.0.113.77"})
	about := func(id string, c Consent) EventCmd {
		return EventCmd{ID: id, Name: "x", Actor: "anonymous-1", Session: "session-1", Consent: c, Dims: map[string]any{"page": "/"}}
	}
	if _, err := w.Track(ctx, []EventCmd{about("silent-1", ""), about("granted1", Granted), about("denied-1", Denied)}); err != nil {
		t.Fatal(err)
	}
	got := w.stored(t)
	for _, id := range []string{"silent-1", "granted1"} {
		e := got[id]
		if e.User != "u1" || e.Actor != "anonymous-1" || e.Session != "session-1" || e.Dims["network"] != "203.0.113.0/24" {
			t.Errorf("%s: %+v", id, e)
		}
	}
	e := got["denied-1"]
	if e.User != "" || e.Actor != "" || e.Session != "" || !maps.Equal(e.Dims, map[string]string{"page": "/"}) || e.Name != "x" {
		t.Errorf("without consent: %+v", e)
	}
	raw, err := store.Find[bson.M](t.Context(), w.store.events, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(raw); strings.Contains(text, "203.0.113.77") {
		t.Errorf("an address was stored: %s", text)
	}
}

func TestNetworkIsCoarse(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"203.0.113.77": "203.0.113.0/24", "::ffff:203.0.113.77": "203.0.113.0/24", "2001:db8:1:2:3:4:5:6": "2001:db8:1::/48",
		"fe80::1%eth0": "fe80::/48", "": "", "unix": "",
	} {
		if got := network(ip); got != want {
			t.Errorf("network(%q) = %q, want %q", ip, got, want)
		}
	}
}

func TestNetworkOnlyWhenConfigured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := actor.WithRequest(t.Context(), actor.Request{IP: "203.0.113.77"})
	if _, err := w.Track(ctx, []EventCmd{{ID: "12345678", Name: "x"}}); err != nil {
		t.Fatal(err)
	}
	if e := w.stored(t)["12345678"]; len(e.Dims) > 0 {
		t.Errorf("dims %v", e.Dims)
	}
}

func TestTheServersOwnNamesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cmd := EventCmd{ID: "12345678", Name: "product.sign_in"}
	_, err := w.Track(actor.With(t.Context(), actor.Actor{User: "u1"}), []EventCmd{cmd})
	if f := fault.From(err); !errors.Is(err, ErrEvent) || f.Field != "input.events.0.name" {
		t.Errorf("Track() = %v on %s", err, f.Field)
	}
	if _, err := w.Track(actor.With(t.Context(), actor.System()), []EventCmd{cmd}); err != nil {
		t.Errorf("the server itself: %v", err)
	}
}

// counter is a plan that allows so many events.
type counter struct {
	limit, used int64
	of          ref.Ref
}

var errQuota = fault.Define(fault.Exhausted, "TEST_QUOTA", "no more events")

func (c *counter) Consume(_ context.Context, subject ref.Ref, feature string, n int64) error {
	if feature != FeatureEvents || c.used+n > c.limit {
		return errQuota
	}
	c.used, c.of = c.used+n, subject
	return nil
}

func (c *counter) Release(_ context.Context, _ ref.Ref, _ string, n int64) error {
	c.used -= n
	return nil
}

func TestPlansBoundWhatIsStored(t *testing.T) {
	t.Parallel()
	quota := &counter{limit: 6}
	w := worldOn(t, storetest.DB(t), Config{Quota: quota})
	ctx := actor.With(t.Context(), actor.Actor{User: "u1"})
	for range 2 { // the second time they are duplicates, which count for nothing
		if _, err := w.Track(ctx, flights("a", 3)); err != nil {
			t.Fatal(err)
		}
		if quota.used != 3 || quota.of != ref.New(ref.User, "u1") {
			t.Errorf("%d used by %v, want 3 by u1", quota.used, quota.of)
		}
	}
	if _, err := w.Track(ctx, flights("b", 4)); !errors.Is(err, errQuota) || quota.used != 3 {
		t.Errorf("Track() = %v, %d used", err, quota.used)
	}
	if n := storetest.Count(t, w.db, eventsCollection); n != 3 {
		t.Errorf("%d events stored, want 3", n)
	}
	storetest.FailPoint(t, w.db, bson.D{{Key: "times", Value: 1}}, bson.D{
		{Key: "failCommands", Value: bson.A{"insert"}}, {Key: "errorCode", Value: 2},
	})
	if _, err := w.Track(ctx, flights("c", 2)); err == nil || quota.used != 3 {
		t.Errorf("Track() = %v, %d used; what was not stored counts for nothing", err, quota.used)
	}
	if _, err := w.Track(actor.With(t.Context(), actor.System()), flights("d", 100)); err != nil || quota.used != 3 {
		t.Errorf("the server itself: %v, %d used; it is on no plan", err, quota.used)
	}
}
