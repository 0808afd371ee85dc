package account

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// before is what the schema was when a user had one address.
func before() store.Plan {
	return store.Plan{Collections: append(event.Collections(), store.Collection{Name: collection, Indexes: []store.Index{
		{Name: "emailKey", Keys: []string{"emailKey"}, Unique: true, Partial: there("emailKey")},
		{Name: "name", Keys: []string{"nameKey", "_id"}},
	}})}
}

func TestMigration(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), before(), false); err != nil {
		t.Fatal(err)
	}
	hash, err := newHasher(Config{Cost: cheap}).hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	old := func(id, email, key, name string) bson.D {
		return bson.D{
			{Key: "_id", Value: id},
			{Key: "email", Value: email},
			{Key: "emailKey", Value: key},
			{Key: "name", Value: name},
			{Key: "nameKey", Value: nameKey(name)},
			{Key: "createdAt", Value: t0},
			{Key: "password", Value: hash},
		}
	}
	storetest.Insert(t, db, collection, old("1", "Ada@example.org", "ada@example.org", "Ada"), old("2", "bob@example.org", "bob@example.org", "Bob"))

	now := store.Plan{Collections: append(event.Collections(), Collections()...), Migrations: Migrations()}
	for range 2 { // the second time as if the process had died before it was recorded
		if r, err := db.Migrate(t.Context(), now, false); err != nil || len(r.Applied) != 1 {
			t.Fatalf("Migrate() = %+v, %v", r, err)
		}
		if _, err := db.Collection("migrations").DeleteMany(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := db.Migrate(t.Context(), now, true); err != nil || len(r.Warnings)+len(r.Created) != 0 {
		t.Errorf("afterwards: %+v, %v", r, err)
	}
	c := clock.NewManual(t0)
	e := env{New(db, event.NewLog(db, c.Now), c.Now, readers{}, Config{Cost: cheap}), db, c}
	u, err := e.verify(t.Context(), "ADA@example.org", goodPassword)
	want := User{ID: "1", Emails: []Address{{"Ada@example.org", "ada@example.org", t0}}, Name: "Ada", NameKey: "ada", HasPassword: true, CreatedAt: t0}
	if err != nil || !reflect.DeepEqual(u, want) {
		t.Errorf("verify() = %#v, %v\nwant %#v", u, err, want)
	}
	if p, err := e.List(system(t), page.Args{}); err != nil || names(p) != "Ada Bob" {
		t.Errorf("List() = %s, %v", names(p), err)
	}
	if _, err := e.register(t.Context(), CreateCmd{Email: "BOB@example.org", Name: "Eve"}); !errors.Is(err, ErrEmailTaken) {
		t.Errorf("register() = %v", err)
	}
	if n := storetest.Count(t, db, collection, there("emailKey")); n != 0 {
		t.Errorf("%d users still have the old field", n)
	}
}

// A migration that fails says so in our words, and runs again.
func TestMigrationFails(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), before(), false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Migrations()[0].Up(ctx, db); err == nil || errors.Is(err, mongo.ErrNoDocuments) {
		t.Errorf("Up() = %v", err)
	}
	if err := Migrations()[0].Up(t.Context(), db); err != nil {
		t.Errorf("Up() = %v", err)
	}
}
