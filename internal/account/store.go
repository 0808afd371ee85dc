package account

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	collection = "users"
	byEmailKey = "emailKey"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		// Partial: users without an address may come, and a unique index takes "missing" for a value.
		{Name: byEmailKey, Keys: []string{"emailKey"}, Unique: true, Partial: bson.D{{Key: "emailKey", Value: bson.D{{Key: "$exists", Value: true}}}}},
		{Name: "name", Keys: []string{"nameKey", "_id"}},
	}}}
}

// record is a user as stored. It never leaves this package.
type record struct {
	User     `bson:",inline"`
	Password string `bson:"password"` // argon2id, PHC string
}

type mongoStore struct{ users *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{users: db.Collection(collection)} }

// insert adds a user. A duplicate is told without its cause: the server's text quotes the address.
//
// Errors: EMAIL_TAKEN.
func (m *mongoStore) insert(ctx context.Context, r record) error {
	_, err := m.users.InsertOne(ctx, r)
	switch {
	case err == nil:
		return nil
	case store.DuplicateOf(err, byEmailKey):
		return ErrEmailTaken.On("input.email")
	default:
		return fmt.Errorf("insert user %s: %w", r.ID, store.Translate(err))
	}
}

// byKey reads a user with the hash. found is false when there is none.
func (m *mongoStore) byKey(ctx context.Context, key string) (r record, found bool, err error) {
	r, err = store.FindOne[record](ctx, m.users, bson.D{{Key: "emailKey", Value: bson.D{{Key: "$eq", Value: key}}}})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return record{}, false, nil
	}
	return r, err == nil, err
}

// Errors: NOT_FOUND.
func (m *mongoStore) byID(ctx context.Context, id string) (User, error) {
	u, err := store.FindByID[User](ctx, m.users, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return u, fault.ErrNotFound
	}
	return u, err
}

func (m *mongoStore) byIDs(ctx context.Context, ids []string) (map[string]User, error) {
	return store.FindByIDs(ctx, m.users, ids, func(u User) string { return u.ID })
}

func (m *mongoStore) list(ctx context.Context, w page.Window) ([]User, error) {
	return store.FindPage[User](ctx, m.users, bson.D{}, w, store.Key{Field: "nameKey"}, store.Key{Field: "_id"})
}

// setPassword writes a hash.
//
// Errors: NOT_FOUND.
func (m *mongoStore) setPassword(ctx context.Context, id, hash string) error {
	n, err := m.writeHash(ctx, bson.D{{Key: "_id", Value: id}}, hash)
	if err == nil && n == 0 {
		return fault.ErrNotFound
	}
	return err
}

// swapPassword writes a hash over the old one. If another change came first, that one stays.
func (m *mongoStore) swapPassword(ctx context.Context, id, old, hash string) error {
	_, err := m.writeHash(ctx, bson.D{{Key: "_id", Value: id}, {Key: "password", Value: bson.D{{Key: "$eq", Value: old}}}}, hash)
	return err
}

func (m *mongoStore) writeHash(ctx context.Context, filter bson.D, hash string) (int64, error) {
	res, err := m.users.UpdateOne(ctx, filter, bson.D{{Key: "$set", Value: bson.D{{Key: "password", Value: hash}}}})
	if err != nil {
		return 0, fmt.Errorf("write password: %w", store.Translate(err))
	}
	return res.MatchedCount, nil
}
