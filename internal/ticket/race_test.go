package ticket

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// Each way to prove a ticket, by twenty at once on two nodes: one gets what it allows.
func TestReq26OneSecretOneSuccess(t *testing.T) {
	t.Parallel()
	for name, proof := range map[string]func(mail, bare Issued) Proof{
		"link":          func(mail, _ Issued) Proof { return Proof{Link: mail.Link} },
		"flow and code": func(mail, _ Issued) Proof { return Proof{Flow: mail.Flow, Code: mail.Code} },
		"flow and link": func(mail, _ Issued) Proof { return Proof{Flow: mail.Flow, Link: mail.Link} },
		"flow":          func(_, bare Issued) Proof { return Proof{Flow: bare.Flow} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t)
			nodes := [2]node{n, n.peer(0)}
			p := proof(n.issue(t, request(true)), n.issue(t, request(false)))
			good := race(t, ErrInvalid, func(i int) error { return nodes[i%2].use(t.Context(), p) })
			if marks := storetest.Count(t, n.db, "marks"); good != 1 || marks != 1 {
				t.Errorf("%d of twenty succeeded and %d marks were made", good, marks)
			}
		})
	}
}

// All have verified before the first one spends.
func TestSpendRaced(t *testing.T) {
	t.Parallel()
	for _, inTx := range []bool{true, false} {
		n := setUp(t)
		got := n.mustVerify(t, Proof{Link: n.issue(t, request(true)).Link})
		good := race(t, ErrInvalid, func(int) error {
			if !inTx {
				return n.Spend(t.Context(), got)
			}
			return n.db.InTx(t.Context(), func(ctx context.Context) error { return n.Spend(ctx, got) })
		})
		if good != 1 {
			t.Errorf("in a transaction %v: %d of twenty spent it", inTx, good)
		}
	}
}

// Twenty who guess at once have the same five tries as one who guesses slowly.
func TestParallelGuessesAreCounted(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	nodes := [2]node{n, n.peer(0)}
	made := n.issue(t, request(true))
	race(t, ErrInvalid, func(i int) error {
		_, err := nodes[i%2].Verify(t.Context(), reset, Proof{Flow: made.Flow, Code: wrong(made.Code, i)})
		if err == nil {
			t.Errorf("guess %d was right", i)
		}
		return err
	})
	if left := n.tries(t, made.ID); left != 0 {
		t.Errorf("%d tries left after twenty guesses", left)
	}
	n.refuses(t, "the right code, too late", Proof{Flow: made.Flow, Code: made.Code})
	n.mustVerify(t, Proof{Link: made.Link})
}

// Who clicks twenty times with the right code uses up nothing, and each click is answered.
func TestParallelRightCodesCostNothing(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	good := race(t, ErrInvalid, func(int) error {
		_, err := n.Verify(t.Context(), reset, Proof{Flow: made.Flow, Code: made.Code})
		return err
	})
	if left := n.tries(t, made.ID); good != 20 || left != Tries {
		t.Errorf("%d of twenty were answered, %d tries left", good, left)
	}
}

// One try less for each wrong code, and the right one is good to the last.
func TestTriesAreCountedOneByOne(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	for i := range Tries {
		n.mustVerify(t, Proof{Flow: made.Flow, Code: made.Code})
		n.refuses(t, "wrong", Proof{Flow: made.Flow, Code: wrong(made.Code, i)})
		if left := n.tries(t, made.ID); left != Tries-1-i {
			t.Fatalf("%d tries left after %d wrong codes", left, i+1)
		}
	}
	n.refuses(t, "the right one", Proof{Flow: made.Flow, Code: made.Code})
	n.refuses(t, "a wrong one", Proof{Flow: made.Flow, Code: wrong(made.Code, 7)})
	if left := n.tries(t, made.ID); left != 0 {
		t.Errorf("%d tries: they went below zero", left)
	}
}

// A flow that fails later, or that asks inside its transaction, gets no try back.
func TestARollbackGivesNoTryBack(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	for i := range 3 {
		err := n.db.InTx(t.Context(), func(ctx context.Context) error {
			if _, err := n.Peek(ctx, reset, made.Flow); err != nil { // the transaction has begun
				return err
			}
			_, err := n.Verify(ctx, reset, Proof{Flow: made.Flow, Code: wrong(made.Code, i)})
			if !store.InTransaction(ctx) {
				t.Error("the caller has lost its transaction")
			}
			return err
		})
		if !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
		if left := n.tries(t, made.ID); left != Tries-1-i {
			t.Errorf("%d tries left after %d rolled back guesses", left, i+1)
		}
	}
	// A right code asked for inside is spent inside.
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		got, err := n.Verify(ctx, reset, Proof{Flow: made.Flow, Code: made.Code})
		if err != nil {
			return err
		}
		return n.Spend(ctx, got)
	})
	if err != nil || n.count(t) != 0 {
		t.Errorf("InTx() = %v, %d tickets", err, n.count(t))
	}
}

// Of twenty renewals the last is good and the others are dead, whichever it was.
func TestRenewRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	var mu sync.Mutex
	var all []Issued
	if good := race(t, ErrInvalid, func(int) error {
		again, err := n.Renew(t.Context(), reset, made.Flow)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, again)
		return err
	}); good != 20 {
		t.Errorf("%d of twenty renewed", good)
	}
	alive := 0
	for _, one := range append(all, made) {
		if _, err := n.Verify(t.Context(), reset, Proof{Link: one.Link}); err == nil {
			alive++
			n.mustVerify(t, Proof{Flow: one.Flow, Code: one.Code})
		}
	}
	if alive != 1 {
		t.Errorf("%d of %d links are good", alive, len(all)+1)
	}
}

// Of twenty who amend what all have read one succeeds, and its data is what is there.
func TestAmendRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(false))
	read := n.mustVerify(t, Proof{Flow: made.Flow})
	var mu sync.Mutex
	won := 0
	good := race(t, ErrInvalid, func(i int) error {
		err := n.db.InTx(t.Context(), func(ctx context.Context) error { return n.Amend(ctx, read, note{Step: i + 100}) })
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			won = i + 100
		}
		return err
	})
	var data note
	if got := n.mustVerify(t, Proof{Flow: made.Flow}); got.Decode(&data) != nil || good != 1 || data.Step != won {
		t.Errorf("%d of twenty amended; %+v is there, want step %d", good, data, won)
	}
}

// An operator who takes a ticket back and a holder who uses it: one of the two, never both.
func TestVoidAndUseRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	for range 5 {
		made := n.issue(t, request(true))
		before := storetest.Count(t, n.db, "marks")
		var wg sync.WaitGroup
		var voided int
		var usedErr, voidErr error
		wg.Go(func() { usedErr = n.use(t.Context(), Proof{Link: made.Link}) })
		wg.Go(func() {
			voidErr = n.db.InTx(t.Context(), func(ctx context.Context) (err error) {
				voided, err = n.Void(ctx, "ada")
				return err
			})
		})
		wg.Wait()
		used := storetest.Count(t, n.db, "marks") - before
		if voidErr != nil || used+voided != 1 || (usedErr == nil) != (used == 1) {
			t.Errorf("used %d times (%v), voided %d (%v)", used, usedErr, voided, voidErr)
		}
	}
}
