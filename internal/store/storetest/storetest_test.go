package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/store"
)

func TestMain(m *testing.M) { Main(m) }

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := DB(t), DB(t)
	Insert(t, a, "things", bson.D{{Key: "n", Value: 1}}, bson.D{{Key: "n", Value: 2}})
	if n, m := Count(t, a, "things"), Count(t, b, "things"); n != 2 || m != 0 {
		t.Errorf("counted %d and %d", n, m)
	}
	if n := Count(t, a, "things", bson.D{{Key: "n", Value: 2}}); n != 1 {
		t.Errorf("filtered count %d", n)
	}
	again := Open(t, a.Database().Name())
	if n := Count(t, again, "things"); n != 2 {
		t.Errorf("a second connection sees %d", n)
	}
}

func TestFailPointHitsOnlyItsOwnDB(t *testing.T) {
	t.Parallel()
	a, b := DB(t), DB(t)
	off := FailPoint(t, a, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"find"}}, {Key: "errorCode", Value: 2},
	})
	find := func(db *store.DB) error {
		_, err := store.Find[bson.D](context.Background(), db.Collection("x"), bson.D{})
		return err
	}
	if find(a) == nil {
		t.Error("the fail point did not hit")
	}
	if err := find(b); err != nil {
		t.Errorf("the fail point hit another test: %v", err)
	}
	if _, err := takeTurn(a); err == nil {
		t.Error("a test could wait for itself")
	}
	off()
	if err := find(a); err != nil {
		t.Errorf("the fail point is still on: %v", err)
	}
}

func TestEventually(t *testing.T) {
	t.Parallel()
	n := 0
	Eventually(t, time.Second, func() bool { n++; return n > 3 }, "n grows")
	_, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("done"))
}
