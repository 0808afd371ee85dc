package account

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

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

// readers allows every permission of this package to the users in it, and to the system.
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
		if _, known := Permissions()[permission]; u == a.User && known {
			return nil
		}
	}
	return fault.ErrForbidden
}

type env struct {
	*Service
	db    *store.DB
	clock *clock.Manual
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
	c := clock.NewManual(t0)
	return env{New(db, event.NewLog(db, c.Now), c.Now, readers(allowed), cfg), db, c}
}

// register prepares and inserts a user, as the flows do.
func (e env) register(ctx context.Context, c CreateCmd) (User, error) {
	d, err := e.Prepare(ctx, c)
	if err != nil {
		return User{}, err
	}
	return e.Insert(ctx, d)
}

func (e env) create(t testing.TB, email string) User {
	t.Helper()
	u, err := e.register(t.Context(), CreateCmd{Email: email, Name: "Ada Lovelace", Password: goodPassword})
	if err != nil {
		t.Fatalf("create %s: %v", email, err)
	}
	return u
}

// guest makes an anonymous user.
func (e env) guest(t testing.TB) User {
	t.Helper()
	u, err := e.register(t.Context(), CreateCmd{Kind: KindAnonymous})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// robot makes a service account.
func (e env) robot(t testing.TB, name string) User {
	t.Helper()
	u, err := e.register(t.Context(), CreateCmd{Kind: KindService, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// verify signs in where no registration waits.
func (e env) verify(ctx context.Context, identifier, password string) (User, error) {
	v, err := e.VerifyAny(ctx, identifier, password, func(context.Context, string) (Hashed, bool, error) {
		return Hashed{}, false, nil
	})
	if v.Pending {
		return v.User, errors.New("a registration waits, though there is none")
	}
	return v.User, err
}

// changePassword prepares and commits a change.
func (e env) changePassword(ctx context.Context, user, current, password string) error {
	c, err := e.PrepareChange(ctx, user, current, password)
	if err != nil {
		return err
	}
	return e.CommitChange(ctx, c)
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

// expect checks that the newest event is of that kind and about that user, and that there are n in all.
func (e env) expect(t testing.TB, n int, kind string, on User) bson.Raw {
	t.Helper()
	all := e.events(t)
	if len(all) != n || n == 0 {
		t.Fatalf("%d events, want %d: %+v", len(all), n, all)
	}
	last := all[n-1]
	if last.Kind != kind || last.On != on.Ref() || last.At != e.clock.Now() {
		t.Errorf("event: %+v, want %s on %v", last, kind, on)
	}
	return last.Data
}

// stored reads a user as it lies in the database.
func (e env) stored(t testing.TB, id string) User {
	t.Helper()
	u, err := e.ByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// race runs do in 20 goroutines at once and counts the successes; every other outcome must be refusal.
func race(t testing.TB, refusal error, do func(i int) error) (won int) {
	t.Helper()
	var n atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			switch err := do(i); {
			case err == nil:
				n.Add(1)
			case !errors.Is(err, refusal):
				t.Errorf("refused with %v, want %v", err, refusal)
			}
		})
	}
	wg.Wait()
	return int(n.Load())
}

// data reads the data of an event.
func data[T any](t testing.TB, raw bson.Raw) T {
	t.Helper()
	v, err := store.Decode[T](raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (e env) events(t testing.TB) []event.Event {
	t.Helper()
	sorted := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}})
	all, err := store.Find[event.Event](t.Context(), e.db.Collection("events"), bson.D{}, sorted)
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
