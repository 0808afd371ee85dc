package social

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	collection = "identities"
	bySubject  = "subject"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		{Name: bySubject, Keys: []string{"issuer", "subject"}, Unique: true},
		{Name: "user", Keys: []string{"user", "_id"}},
	}}}
}

type mongoStore struct{ identities *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{db.Collection(collection)} }

// bySubject reads the identity of an account at a provider. One read by unique index.
func (m *mongoStore) bySubject(ctx context.Context, issuer, subject string) (i Identity, found bool, err error) {
	i, err = store.FindOne[Identity](ctx, m.identities, bson.D{store.Eq("issuer", issuer), store.Eq("subject", subject)})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Identity{}, false, nil
	}
	return i, err == nil, err
}

// insert adds an identity. A duplicate is told without its cause: the server's text quotes the subject.
//
// Errors: IDENTITY_TAKEN.
func (m *mongoStore) insert(ctx context.Context, i Identity) error {
	_, err := m.identities.InsertOne(ctx, i)
	if store.DuplicateOf(err, bySubject) {
		return ErrTaken
	}
	return store.Wrap("insert identity "+i.ID, err)
}

func (m *mongoStore) of(ctx context.Context, user string) ([]Identity, error) {
	return store.Find[Identity](ctx, m.identities, bson.D{store.Eq("user", user)}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
}

// take deletes an identity of a user and gives what it was.
//
// Errors: NOT_FOUND, also for one of somebody else.
func (m *mongoStore) take(ctx context.Context, user, id string) (Identity, error) {
	raw, err := m.identities.FindOneAndDelete(ctx, bson.D{store.Eq("_id", id), store.Eq("user", user)}).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return Identity{}, fault.ErrNotFound
	case err != nil:
		return Identity{}, store.Wrap("delete identity", err)
	}
	return store.Decode[Identity](raw)
}

// used writes when an identity was used last and the address the provider told then.
//
// Errors: NOT_FOUND.
func (m *mongoStore) used(ctx context.Context, i Identity, at time.Time) error {
	res, err := m.identities.UpdateOne(ctx, bson.D{store.Eq("_id", i.ID), store.Eq("user", i.User)},
		bson.D{{Key: "$set", Value: bson.D{{Key: "lastUsedAt", Value: at}, {Key: "email", Value: i.Email}}}})
	if err == nil && res.MatchedCount == 0 {
		return fault.ErrNotFound
	}
	return store.Wrap("write last use of identity", err)
}

func (m *mongoStore) deleteOf(ctx context.Context, user string) error {
	_, err := m.identities.DeleteMany(ctx, bson.D{store.Eq("user", user)})
	return store.Wrap("delete identities", err)
}
