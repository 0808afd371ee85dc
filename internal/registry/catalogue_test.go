package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/backendbook/backendbook/internal/store"
)

// Types are read once; a type made inside a transaction that aborts is never remembered.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	typ := w.define("note", object(m{}))
	d := w.create("note", m{})
	ctx, counted := store.WithCounter(w.ctx)
	for range 3 {
		if types, err := w.TypesByIDs(ctx, []string{typ.ID, d.Type}); err != nil || types[typ.ID].Key != "note" {
			t.Fatalf("TypesByIDs() = %v, %v", types, err)
		}
	}
	if counted.Total() != 0 {
		t.Errorf("%d commands for a type in memory", counted.Total())
	}
	boom := errors.New("boom")
	err := w.db.InTx(w.system, func(ctx context.Context) error {
		if _, err := w.Define(ctx, DefineCmd{Key: "ghost", Name: "Ghost", Schema: object(m{})}); err != nil {
			return err
		}
		if _, err := w.Create(ctx, CreateCmd{Type: "ghost", Data: m{}}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	_, err = w.Create(w.ctx, CreateCmd{Type: "ghost", Data: m{}})
	wantFault(t, err, ErrTypeUnknown)
}

// A cache must not keep what it read before it was told to forget.
func TestForgetWhileReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	typ := w.define("note", object(m{}))
	row, err := w.store.typeWhere(t.Context(), "_id", typ.ID)
	if err != nil {
		t.Fatal(err)
	}
	c := w.types
	epoch := c.epoch
	c.forget(typ.ID)
	if _, err := c.keep(t.Context(), row, epoch); err != nil || c.byID[typ.ID] != nil {
		t.Errorf("kept what was read before it was forgotten: %v, %d", err, len(c.byID))
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if _, err := c.key(t.Context(), "note"); err != nil {
					t.Error(err)
				}
				if rand.N(4) == 0 {
					c.forget([]string{typ.ID, ""}[rand.N(2)])
				}
			}
		})
	}
	all.Wait()
}
