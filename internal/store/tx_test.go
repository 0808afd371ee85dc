package store_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestInTxCommitsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	boom := errors.New("boom")
	for _, fail := range []bool{true, false} {
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			if !store.InTransaction(ctx) {
				t.Error("not in a transaction")
			}
			if _, err := db.Collection("a").InsertOne(ctx, row{ID: strconv.FormatBool(fail)}); err != nil {
				return err
			}
			return db.InTx(ctx, func(ctx context.Context) error { // joins
				if _, err := db.Collection("b").InsertOne(ctx, row{ID: strconv.FormatBool(fail)}); err != nil {
					return err
				}
				if fail {
					return boom
				}
				return nil
			})
		})
		if fail != errors.Is(err, boom) {
			t.Fatalf("InTx() = %v", err)
		}
	}
	if a, b := storetest.Count(t, db, "a"), storetest.Count(t, db, "b"); a != 1 || b != 1 {
		t.Errorf("a has %d, b has %d documents, want 1 and 1", a, b)
	}
}

func TestInTxSurvivesContention(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	storetest.Insert(t, db, "c", row{ID: "x"})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := db.InTx(t.Context(), func(ctx context.Context) error {
				r, err := store.FindByID[row](ctx, db.Collection("c"), "x")
				if err != nil {
					return err
				}
				_, err = db.Collection("c").UpdateOne(ctx, x(), bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: r.N + 1}}}})
				return store.Translate(err)
			})
			if err != nil {
				t.Errorf("InTx() = %v", err)
			}
		})
	}
	wg.Wait()
	if r, _ := store.FindByID[row](t.Context(), db.Collection("c"), "x"); r.N != 20 {
		t.Errorf("n = %d: an update was lost", r.N)
	}
}

// The driver's own loop needed 2 s for this: it commits on a background context.
func TestCommitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	storetest.Insert(t, db, "c", row{ID: "x"})
	storetest.FailPoint(t, db, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"commitTransaction"}},
		{Key: "errorCode", Value: 91},
		{Key: "errorLabels", Value: bson.A{"UnknownTransactionCommitResult", "RetryableWriteError"}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := db.InTx(ctx, func(ctx context.Context) error {
		_, err := db.Collection("c").UpdateOne(ctx, x(), inc())
		return err
	})
	if !errors.Is(err, store.ErrOutcomeUnknown) {
		t.Errorf("InTx() = %v, want OUTCOME_UNKNOWN", err)
	}
	if took := time.Since(begin); took > 1500*time.Millisecond {
		t.Errorf("took %v past a deadline of 300 ms", took)
	}
}

// A client that leaves while the first statement is on its way must not leave its locks behind: the abort overtakes the
// statement, and the server then kept the transaction, and the document from everybody, for ten seconds.
func TestLeavingHoldsNoLocks(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	storetest.Insert(t, db, "c", row{ID: "x"})
	off := storetest.FailPoint(t, db, bson.D{{Key: "times", Value: 1}}, bson.D{
		{Key: "failCommands", Value: bson.A{"update"}}, {Key: "blockConnection", Value: true}, {Key: "blockTimeMS", Value: 300},
	})
	ctx, leave := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, leave)
	err := db.InTx(ctx, func(ctx context.Context) error {
		_, err := db.Collection("c").UpdateOne(ctx, x(), inc())
		return store.Translate(err)
	})
	off()
	if !errors.Is(err, fault.ErrCanceled) {
		t.Errorf("InTx() = %v, want CANCELED", err)
	}
	begin := time.Now()
	if _, err := db.Collection("c").UpdateOne(t.Context(), x(), inc()); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(begin); waited > 3*time.Second {
		t.Errorf("the document was locked for %v after its writer had left", waited)
	}
	if r, _ := store.FindByID[row](t.Context(), db.Collection("c"), "x"); r.N != 1 {
		t.Errorf("n = %d: the writer that left has committed", r.N)
	}
}

func TestLostCommitAnswerIsRetriedOnce(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	storetest.Insert(t, db, "c", row{ID: "x"})
	storetest.FailPoint(t, db, bson.D{{Key: "times", Value: 3}}, bson.D{
		{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "closeConnection", Value: true},
	})
	runs := 0
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		runs++
		_, err := db.Collection("c").UpdateOne(ctx, x(), inc())
		return store.Translate(err)
	})
	r, _ := store.FindByID[row](t.Context(), db.Collection("c"), "x")
	if err != nil || r.N != 1 {
		t.Errorf("InTx() = %v after %d runs, n = %d: the effect must be there once", err, runs, r.N)
	}
}
