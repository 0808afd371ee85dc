package account

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// admittedAt reads when a user was let in last, as it lies in the database; zero when never.
func (e env) admittedAt(t testing.TB, id string) time.Time {
	t.Helper()
	r, err := store.FindByID[struct {
		At time.Time `bson:"admittedAt"`
	}](t.Context(), e.db.Collection(collection), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.At
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(e env, id string) error // none when nil
		err    error
		cost   int // commands
	}{
		{"active", nil, nil, 1},
		{"deactivated", func(e env, id string) error { return second(e.Deactivate(t.Context(), id)) }, nil, 1},
		{"on its way to deletion", func(e env, id string) error { return second(e.ScheduleDeletion(t.Context(), id, t0)) }, nil, 1},
		{"disabled", func(e env, id string) error { return second(e.Disable(system(t), id)) }, ErrDisabled, 2},
		{"enabled again", func(e env, id string) error {
			return errors.Join(second(e.Disable(system(t), id)), second(e.Enable(system(t), id)))
		}, nil, 1},
		{"deleted", func(e env, id string) error {
			return errors.Join(second(e.ScheduleDeletion(t.Context(), id, t0)), e.Purge(t.Context(), id))
		}, fault.ErrNotFound, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			u, bob := e.create(t, "ada@example.org"), e.create(t, "bob@example.org")
			if tc.change != nil {
				if err := tc.change(e, u.ID); err != nil {
					t.Fatal(err)
				}
			}
			events := len(e.events(t))
			e.clock.Advance(time.Hour)
			ctx, count := store.WithCounter(t.Context())
			got, err := e.Admit(ctx, u.ID)
			if !errors.Is(err, tc.err) || count.Total() != tc.cost {
				t.Fatalf("Admit() = %v, %v after %d commands; want %v after %d", got, err, count.Total(), tc.err, tc.cost)
			}
			if n := len(e.events(t)); n != events {
				t.Errorf("%d events of letting somebody in: the session has its own", n-events)
			}
			if at := e.admittedAt(t, bob.ID); !at.IsZero() {
				t.Errorf("somebody else was let in at %v", at)
			}
			switch {
			case err == nil:
				if want := e.stored(t, u.ID); !reflect.DeepEqual(got, want) || !got.HasPassword {
					t.Errorf("Admit() = %#v\nwant %#v", got, want)
				}
				if at := e.admittedAt(t, u.ID); !at.Equal(t0.Add(time.Hour)) {
					t.Errorf("let in at %v", at)
				}
			case got.ID != "":
				t.Errorf("refused, and given %#v", got)
			case errors.Is(err, ErrDisabled) && !e.admittedAt(t, u.ID).IsZero():
				t.Errorf("refused, and noted at %v", e.admittedAt(t, u.ID))
			}
		})
	}
}

// What is noted lasts over other changes of the user, and the newest counts; a transaction that fails notes nothing.
func TestAdmitNotes(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "ada@example.org")
	undone := errors.New("no session could be made")
	err := e.db.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := e.Admit(ctx, u.ID); err != nil {
			return err
		}
		return undone
	})
	if at := e.admittedAt(t, u.ID); !errors.Is(err, undone) || !at.IsZero() {
		t.Errorf("the transaction ended with %v and noted %v", err, at)
	}
	for _, want := range []time.Time{t0, t0.Add(time.Minute)} {
		if err := second(e.Admit(t.Context(), u.ID)); err != nil {
			t.Fatal(err)
		}
		if err := second(e.AcceptTerms(t.Context(), u.ID, want.String())); err != nil {
			t.Fatal(err)
		}
		if at := e.admittedAt(t, u.ID); !at.Equal(want) {
			t.Errorf("let in at %v, want %v", at, want)
		}
		e.clock.Advance(time.Minute)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Admit(ctx, u.ID); !errors.Is(err, fault.ErrCanceled) {
		t.Errorf("Admit() for somebody who has left = %v", err)
	}
}

// entrances stands for the sessions: the flow lets in by Admit and begins one, and shuts out by a change and ends all.
const entrances = "entrances"

// enter is the flow that lets a user in; first runs when its snapshot is taken, and tries counts how often it ran.
func (e env) enter(ctx context.Context, id string, tries *atomic.Int32, first func()) (u User, err error) {
	err = e.db.InTx(ctx, func(ctx context.Context) error {
		n := tries.Add(1)
		if _, err := e.ByID(ctx, id); err != nil {
			return err
		}
		if n == 1 {
			first()
		}
		if u, err = e.Admit(ctx, id); err != nil {
			return err
		}
		_, err := e.db.Collection(entrances).InsertOne(ctx, bson.D{{Key: "user", Value: id}})
		return store.Wrap("enter", err)
	})
	return u, err
}

// shut is the flow of a change that ends what the user has open; first and tries are as those of enter.
func (e env) shut(ctx context.Context, id string, tries *atomic.Int32, first func(), change func(ctx context.Context) error) error {
	return e.db.InTx(ctx, func(ctx context.Context) error {
		n := tries.Add(1)
		if _, err := e.ByID(ctx, id); err != nil {
			return err
		}
		if n == 1 {
			first()
		}
		if err := change(ctx); err != nil {
			return err
		}
		_, err := e.db.Collection(entrances).DeleteMany(ctx, bson.D{store.Eq("user", id)})
		return store.Wrap("shut", err)
	})
}

// closing are the changes of an account that end what is open, and what who comes after them hears.
func (e env) closing(t *testing.T, id string) map[string]struct {
	change func(ctx context.Context) error
	err    error
} {
	t.Helper()
	if err := second(e.Admit(t.Context(), id)); err != nil { // somebody in this very millisecond: the next one still collides
		t.Fatal(err)
	}
	h, err := e.PreparePassword(t.Context(), id, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if err := second(e.ScheduleDeletion(t.Context(), id, t0)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.db.Collection(entrances).InsertOne(t.Context(), bson.D{{Key: "user", Value: "somebody else"}}); err != nil {
		t.Fatal(err)
	}
	return map[string]struct {
		change func(ctx context.Context) error
		err    error
	}{
		"Disable":    {func(ctx context.Context) error { return second(e.Disable(actor.With(ctx, actor.System()), id)) }, ErrDisabled},
		"Deactivate": {func(ctx context.Context) error { return second(e.Deactivate(ctx, id)) }, nil},
		"Purge":      {func(ctx context.Context) error { return e.Purge(ctx, id) }, fault.ErrNotFound},
		"SetHash":    {func(ctx context.Context) error { return e.SetHash(ctx, id, h) }, nil},
	}
}

// One commits between the first read of the other and its write. The other collides and runs again, and finds what the
// first has left: no order leaves somebody in whom the change has shut out.
func TestAdmitCollides(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Disable", "Deactivate", "Purge", "SetHash"} {
		t.Run(name+" comes between", func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			u := e.create(t, "ada@example.org")
			c := e.closing(t, u.ID)[name]
			var outer, inner atomic.Int32
			got, err := e.enter(t.Context(), u.ID, &outer, func() {
				if err := e.shut(t.Context(), u.ID, &inner, func() {}, c.change); err != nil {
					t.Errorf("%s = %v", name, err)
				}
			})
			if !errors.Is(err, c.err) || outer.Load() != 2 || inner.Load() != 1 {
				t.Fatalf("enter() = %v, %v, tries %d and %d; want %v after 2 and 1", got, err, outer.Load(), inner.Load(), c.err)
			}
			in := 0
			if err == nil { // it came after the change, and saw it
				in = 1
				if want := e.stored(t, u.ID); !reflect.DeepEqual(got, want) {
					t.Errorf("enter() = %#v\nwant %#v", got, want)
				}
			}
			if n := storetest.Count(t, e.db, entrances, bson.D{store.Eq("user", u.ID)}); n != in {
				t.Errorf("%d are in, want %d", n, in)
			}
		})
		t.Run("Admit comes between, "+name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			u := e.create(t, "ada@example.org")
			c := e.closing(t, u.ID)[name]
			var outer, inner atomic.Int32
			err := e.shut(t.Context(), u.ID, &outer, func() {
				if _, err := e.enter(t.Context(), u.ID, &inner, func() {}); err != nil {
					t.Errorf("enter() = %v", err)
				}
			}, c.change)
			if err != nil || outer.Load() != 2 || inner.Load() != 1 {
				t.Fatalf("%s = %v, tries %d and %d; want 2 and 1", name, err, outer.Load(), inner.Load())
			}
			if n := storetest.Count(t, e.db, entrances, bson.D{store.Eq("user", u.ID)}); n != 0 {
				t.Errorf("%d are still in", n)
			}
		})
	}
}

// Twenty sign-ins and the disabling of the account all begin at once: whoever got in is out in the end.
func TestAdmitRacesWithDisable(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "ada@example.org")
	disable := e.closing(t, u.ID)["Disable"].change
	var ready sync.WaitGroup
	ready.Add(21)
	begin := func() { // everybody has a snapshot from before all the others
		ready.Done()
		ready.Wait()
	}
	var wg sync.WaitGroup
	var tries [21]atomic.Int32
	wg.Go(func() {
		if err := e.shut(t.Context(), u.ID, &tries[20], begin, disable); err != nil {
			t.Errorf("Disable = %v", err)
		}
	})
	won := race(t, ErrDisabled, func(i int) error { return second(e.enter(t.Context(), u.ID, &tries[i], begin)) })
	wg.Wait()
	all := 0
	for i := range tries {
		all += int(tries[i].Load())
	}
	if all <= len(tries) {
		t.Errorf("%d tries: nobody has seen the others", all)
	}
	if e.stored(t, u.ID).DisabledAt == nil {
		t.Error("the account is not disabled")
	}
	if n := storetest.Count(t, e.db, entrances, bson.D{store.Eq("user", u.ID)}); n != 0 {
		t.Errorf("%d of %d who got in are still in", n, won)
	}
}
