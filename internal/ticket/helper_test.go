package ticket

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// t0 is far ahead: the server deletes by its own clock what expired before now, each minute, also under a running test.
var t0 = time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	reset  Kind = "reset"
	verify Kind = "verify"
)

// node is one process: a service on a database that others may share, and a clock to be moved.
type node struct {
	*Service
	db    *store.DB
	clock *clock.Manual
}

func setUp(t testing.TB) node {
	t.Helper()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: Collections()}, false); err != nil {
		t.Fatal(err)
	}
	c := clock.NewManual(t0)
	return node{New(db, c.Now), db, c}
}

// peer is another process on the same database, whose clock is off by that much.
func (n node) peer(off time.Duration) node {
	c := clock.NewManual(n.now().Add(off))
	return node{New(n.db, c.Now), n.db, c}
}

type note struct {
	Email string `bson:"email"`
	Step  int    `bson:"step"`
}

func request(mailed bool) Request {
	return Request{Kind: reset, Subject: "ada", Data: note{"ada@example.org", 1}, TTL: time.Hour, Mailed: mailed}
}

func (n node) issue(t testing.TB, r Request) Issued {
	t.Helper()
	made, err := n.Issue(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (n node) mustVerify(t testing.TB, p Proof) Ticket {
	t.Helper()
	got, err := n.Verify(t.Context(), reset, p)
	if err != nil {
		t.Fatalf("Verify() = %v", err)
	}
	return got
}

// refuses checks that a proof is refused as every bad one is.
func (n node) refuses(t testing.TB, why string, p Proof) {
	t.Helper()
	got, err := n.Verify(t.Context(), reset, p)
	isRefusal(t, why, got, err)
}

func isRefusal(t testing.TB, why string, got Ticket, err error) {
	t.Helper()
	if !errors.Is(err, ErrInvalid) || err.Error() != ErrInvalid.Error() || got.ID != "" || got.Data != nil {
		t.Errorf("%s: %+v, %v; want TICKET_INVALID and nothing more", why, got, err)
	}
}

// stored is the document of a ticket as it is.
func (n node) stored(t testing.TB, id string) bson.Raw {
	t.Helper()
	raw, err := store.FindByID[bson.Raw](t.Context(), n.db.Collection(collection), id)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (n node) tries(t testing.TB, id string) int {
	t.Helper()
	left, _ := n.stored(t, id).Lookup("tries").AsInt64OK()
	return int(left)
}

func (n node) count(t testing.TB) int { return storetest.Count(t, n.db, collection) }

// wrong is the i-th code that is not the right one.
func wrong(right string, i int) string {
	b := []byte(right)
	b[i%codeDigits] = '0' + (b[i%codeDigits]-'0'+1+byte(i/codeDigits%9))%10
	return string(b)
}

// race runs f twenty times at once and tells how many of them succeeded; the others must have failed with want.
func race(t *testing.T, want error, f func(i int) error) int {
	t.Helper()
	var wg sync.WaitGroup
	var good atomic.Int32
	begin := make(chan struct{})
	for i := range 20 {
		wg.Go(func() {
			<-begin
			switch err := f(i); {
			case err == nil:
				good.Add(1)
			case !errors.Is(err, want):
				t.Errorf("one of twenty failed with %v, want %v", err, want)
			}
		})
	}
	close(begin)
	wg.Wait()
	return int(good.Load())
}

// use verifies a proof and spends the ticket in one transaction with what it allows: a mark.
func (n node) use(ctx context.Context, p Proof) error {
	got, err := n.Verify(ctx, reset, p)
	if err != nil {
		return err
	}
	return n.db.InTx(ctx, func(ctx context.Context) error {
		if err := n.Spend(ctx, got); err != nil {
			return err
		}
		_, err := n.db.Collection("marks").InsertOne(ctx, bson.D{{Key: "by", Value: got.ID}})
		return store.Translate(err)
	})
}
