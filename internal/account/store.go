package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	collection      = "users"
	indexByEmail    = "emails"
	indexByUsername = "username"

	fieldEmail    = "emails.key"
	fieldUsername = "usernameKey"
	fieldPassword = "password"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		// Partial: a unique index takes "missing" for a value, and there are users without.
		{Name: indexByEmail, Keys: []string{fieldEmail}, Unique: true, Partial: there(fieldEmail)},
		{Name: indexByUsername, Keys: []string{fieldUsername}, Unique: true, Partial: there(fieldUsername)},
		{Name: "kind_name", Keys: []string{"kind", "nameKey", "_id"}},
		{Name: "due", Keys: []string{"deleteAfter"}, Partial: there("deleteAfter")},
	}}}
}

func there(field string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$exists", Value: true}}}}
}

// record is a user as stored. It never leaves this package.
type record struct {
	User     `bson:",inline"`
	Password string `bson:"password,omitempty"` // argon2id as a PHC string, or an imported hash; absent when there is none

	PasswordRev int64 `bson:"passwordRev,omitempty"` // how often another one was set
}

// user is the record without what must not leave the package.
func (r record) user() User {
	u := r.User
	u.HasPassword = r.Password != ""
	return u
}

type mongoStore struct{ users *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{users: db.Collection(collection)} }

// insert adds a user.
//
// Errors: EMAIL_TAKEN, USERNAME_TAKEN.
func (m *mongoStore) insert(ctx context.Context, r record) error {
	_, err := m.users.InsertOne(ctx, r)
	return refusal("insert", r.ID, err)
}

// refusal puts a failed write into our words. A duplicate is told without its cause: the server's text quotes the
// address.
func refusal(op, id string, err error) error {
	switch {
	case err == nil:
		return nil
	case store.DuplicateOf(err, indexByEmail):
		return ErrEmailTaken.On("input.email")
	case store.DuplicateOf(err, indexByUsername):
		return ErrUsernameTaken.On("input.username")
	default:
		return fmt.Errorf("%s user %s: %w", op, id, store.Translate(err))
	}
}

// byEmail reads the user with that normal form of an address. found is false when there is none.
func (m *mongoStore) byEmail(ctx context.Context, key string) (r record, found bool, err error) {
	return m.byKey(ctx, fieldEmail, key)
}

// byUsername reads the user with that normal form of a username. found is false when there is none.
func (m *mongoStore) byUsername(ctx context.Context, key string) (r record, found bool, err error) {
	return m.byKey(ctx, fieldUsername, key)
}

func (m *mongoStore) byKey(ctx context.Context, field, key string) (r record, found bool, err error) {
	r, err = store.FindOne[record](ctx, m.users, bson.D{store.Eq(field, key)})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return record{}, false, nil
	}
	return r, err == nil, err
}

// Errors: NOT_FOUND.
func (m *mongoStore) byID(ctx context.Context, id string) (record, error) {
	r, err := store.FindByID[record](ctx, m.users, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return r, fault.ErrNotFound
	}
	return r, err
}

func (m *mongoStore) byIDs(ctx context.Context, ids []string) (map[string]User, error) {
	read, err := store.FindByIDs(ctx, m.users, ids, func(r record) string { return r.ID })
	if err != nil {
		return nil, err
	}
	all := make(map[string]User, len(read))
	for id, r := range read {
		all[id] = r.user()
	}
	return all, nil
}

func (m *mongoStore) list(ctx context.Context, kind Kind, w page.Window) ([]User, error) {
	read, err := store.FindPage[record](ctx, m.users, bson.D{store.Eq("kind", kind)}, w, store.Key{Field: "nameKey"}, store.Key{Field: "_id"})
	return users(read), err
}

// due reads users whose deletion was due at that time, the oldest first.
func (m *mongoStore) due(ctx context.Context, at time.Time, limit int) ([]User, error) {
	read, err := store.Find[record](ctx, m.users, isDue(at), options.Find().SetSort(bson.D{{Key: "deleteAfter", Value: 1}}).SetLimit(int64(limit)))
	return users(read), err
}

func users(read []record) []User {
	all := make([]User, len(read))
	for i, r := range read {
		all[i] = r.user()
	}
	return all
}

func isDue(at time.Time) bson.D {
	return bson.D{{Key: "deleteAfter", Value: bson.D{{Key: "$lte", Value: at}}}}
}

// optional are the fields of a user that are absent when they are empty.
var optional = []string{
	"emails", "username", "usernameKey", "locale", "terms", "deactivatedAt", "disabledAt", "deleteAfter",
}

// save writes a user over the stored one and leaves the password alone, and fields that a newer version may have.
//
// Errors: NOT_FOUND, EMAIL_TAKEN, USERNAME_TAKEN.
func (m *mongoStore) save(ctx context.Context, u User) error {
	raw, err := bson.Marshal(u)
	if err != nil {
		return fmt.Errorf("encode user %s: %w", u.ID, err)
	}
	update := bson.D{{Key: "$set", Value: bson.Raw(raw)}}
	var gone bson.D
	for _, field := range optional {
		if _, err := bson.Raw(raw).LookupErr(field); err != nil {
			gone = append(gone, bson.E{Key: field, Value: ""})
		}
	}
	if gone != nil {
		update = append(update, bson.E{Key: "$unset", Value: gone})
	}
	res, err := m.users.UpdateOne(ctx, bson.D{store.Eq("_id", u.ID)}, update)
	if err == nil && res.MatchedCount == 0 {
		return fault.ErrNotFound
	}
	return refusal("save", u.ID, err)
}

// setPassword writes a hash.
//
// Errors: NOT_FOUND.
func (m *mongoStore) setPassword(ctx context.Context, id, hash string) error {
	n, err := m.writeHash(ctx, bson.D{store.Eq("_id", id)}, hash, 1)
	if err == nil && n == 0 {
		return fault.ErrNotFound
	}
	return err
}

// swapPassword writes a hash over the old one, empty for none; others is 1 if it is of another password, 0 if of the same.
// If another change came first, that one stays.
func (m *mongoStore) swapPassword(ctx context.Context, id, old, hash string, others int) (swapped bool, err error) {
	was := store.Eq(fieldPassword, old)
	if old == "" {
		was = bson.E{Key: fieldPassword, Value: bson.D{{Key: "$exists", Value: false}}}
	}
	n, err := m.writeHash(ctx, bson.D{store.Eq("_id", id), was}, hash, others)
	return n == 1, err
}

func (m *mongoStore) writeHash(ctx context.Context, filter bson.D, hash string, others int) (int64, error) {
	res, err := m.users.UpdateOne(ctx, filter, bson.D{
		{Key: "$set", Value: bson.D{{Key: fieldPassword, Value: hash}}},
		{Key: "$inc", Value: bson.D{{Key: "passwordRev", Value: int64(others)}}},
	})
	if err != nil {
		return 0, fmt.Errorf("write password: %w", store.Translate(err))
	}
	return res.MatchedCount, nil
}

// purge deletes a user who was due at that time.
//
// Errors: NOT_FOUND, DELETION_NOT_DUE.
func (m *mongoStore) purge(ctx context.Context, id string, at time.Time) error {
	res, err := m.users.DeleteOne(ctx, append(isDue(at), store.Eq("_id", id)))
	if err != nil {
		return fmt.Errorf("purge user %s: %w", id, store.Translate(err))
	}
	if res.DeletedCount == 1 {
		return nil
	}
	if _, err := m.byID(ctx, id); err != nil {
		return err
	}
	return ErrNotDue
}
