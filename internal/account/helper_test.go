package account

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// t0 is what the clock of every test shows.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// cheap is a cost for tests that are not about the cost.
var cheap = Cost{MemoryKiB: 64, Passes: 1, Threads: 1}

// readers allows [PermRead] to the users in it and to the system.
type readers []string

func (r readers) Require(ctx context.Context, permission string, _ ref.Ref) error {
	a := actor.From(ctx)
	switch {
	case a.System:
		return nil
	case a.IsAnonymous():
		return fault.ErrUnauthenticated
	}
	for _, u := range r {
		if u == a.User && permission == PermRead {
			return nil
		}
	}
	return fault.ErrForbidden
}

type env struct {
	*Service
	db *store.DB
}

func setUp(t testing.TB, cfg Config, allowed ...string) env {
	t.Helper()
	db := storetest.DB(t)
	cols := append(Collections(), event.Collections()...)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: cols}, false); err != nil {
		t.Fatal(err)
	}
	if cfg.Cost == (Cost{}) {
		cfg.Cost = cheap
	}
	if cfg.HashWait == 0 {
		cfg.HashWait = time.Minute
	}
	now := clock.NewManual(t0).Now
	return env{New(db, event.NewLog(db, now), now, readers(allowed), cfg), db}
}

func (e env) create(t testing.TB, email string) User {
	t.Helper()
	u, err := e.Create(t.Context(), CreateCmd{Email: email, Name: "Ada Lovelace", Password: goodPassword})
	if err != nil {
		t.Fatalf("create %s: %v", email, err)
	}
	return u
}

const goodPassword = "a tune for nine harpsichords"

// storedHash reads the hash of a user as it lies in the database.
func (e env) storedHash(t testing.TB, id string) string {
	t.Helper()
	r, err := store.FindByID[record](t.Context(), e.db.Collection(collection), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Password
}

func (e env) putHash(t testing.TB, id, hash string) {
	t.Helper()
	if err := e.store.setPassword(t.Context(), id, hash); err != nil {
		t.Fatal(err)
	}
}

func (e env) events(t testing.TB) []event.Event {
	t.Helper()
	all, err := store.Find[event.Event](t.Context(), e.db.Collection("events"), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func as(t testing.TB, user string) context.Context {
	return actor.With(t.Context(), actor.Actor{User: user})
}

func system(t testing.TB) context.Context { return actor.With(t.Context(), actor.System()) }

// refuses answers every question with err.
type refuses struct{ err error }

func (r refuses) Require(context.Context, string, ref.Ref) error { return r.err }
