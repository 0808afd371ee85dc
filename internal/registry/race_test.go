package registry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// Golden 13: the target is deleted between the check and the commit. The transaction aborts, runs again, and says so.
func TestGolden13DeletedMeanwhile(t *testing.T) {
	t.Parallel()
	w := comments(t, Restrict, Config{})
	n := w.create("note", m{})
	var tries atomic.Int32
	w.quota.before = func(context.Context) { // the snapshot is taken: the target is in it
		if tries.Add(1) > 1 {
			return
		}
		outside := w.node(Config{})
		if _, err := outside.Delete(w.system, DeleteCmd{On: n.Ref()}); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	// The note is the system's: its deletion meets the creation at the target alone, not at the quota.
	if _, err := w.db.Collection("documents").UpdateOne(t.Context(), m{"_id": n.ID}, m{"$set": m{"owner": ref.New(ref.System, ref.System)}}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Create(w.ctx, CreateCmd{Type: "comment", Data: m{"about": n.Ref().String()}})
	wantFault(t, err, ErrRefMissing)
	if tries.Load() < 2 {
		t.Error("the transaction was not tried again: what did it test?")
	}
	if n := storetest.Count(t, w.db, "references"); n != 0 {
		t.Errorf("%d references lead nowhere", n)
	}
}

// A reference made, or moved, while its target is deleted never dangles, whichever wins, by each rule. Snapshot isolation
// alone would let both commit: neither reads what the other writes.
func TestNoDanglingReference(t *testing.T) {
	t.Parallel()
	for _, rule := range []OnDelete{Restrict, Cascade, SetNull, Keep} {
		t.Run(string(rule), func(t *testing.T) {
			t.Parallel()
			w := comments(t, rule, Config{})
			var made, refused, deleted atomic.Int32
			var all sync.WaitGroup
			for round := range 25 {
				target, holder := w.create("note", m{}), w.create("comment", m{})
				all.Add(3)
				count := func(err error) {
					switch code := fault.From(err); {
					case err == nil:
						made.Add(1)
					case errors.Is(err, ErrRefMissing):
						refused.Add(1)
					default:
						t.Errorf("unexpected: %v", code)
					}
				}
				late := func() { // gives the deletion, which has more to read, a start of a few reads
					for range round % 7 {
						_, _ = w.ByIDs(w.system, ref.Document, []string{holder.ID})
					}
				}
				go func() {
					defer all.Done()
					late()
					_, err := w.Create(w.system, CreateCmd{Type: "comment", Data: m{"about": target.Ref().String()}})
					count(err)
				}()
				go func() {
					defer all.Done()
					late()
					_, err := w.Update(w.system, UpdateCmd{On: holder.Ref(), Rev: 1, Patch: m{"cc": a{target.Ref().String()}}})
					count(err)
				}()
				go func() {
					defer all.Done()
					_, err := w.del(w.system, target.Ref())
					if err == nil {
						deleted.Add(1)
					} else if !errors.Is(err, ErrRefRestricted) {
						t.Errorf("unexpected: %v", err)
					}
				}()
				if rule == Restrict || rule == Keep {
					all.Wait() // one target at a time: the three meet more often
				}
			}
			all.Wait()
			w.noStrands()
			t.Logf("%d references made, %d refused, %d targets deleted", made.Load(), refused.Load(), deleted.Load())
			if made.Load() == 0 {
				t.Error("no reference was ever made: the test tested nothing")
			}
		})
	}
}

// Many references to one target at once are all made in the end: they wait for each other, and do not fail.
func TestPopularTarget(t *testing.T) {
	t.Parallel()
	w := comments(t, Keep, Config{})
	n := w.create("note", m{})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := w.Create(w.system, CreateCmd{Type: "comment", Data: m{"about": n.Ref().String()}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.noStrands()
}
