package factor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

const (
	collection = "factors"
	recoveries = "recovery_codes"

	byCredentialIndex = "credential"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{
		{Name: collection, Indexes: []store.Index{
			{Name: "user", Keys: []string{"user", "_id"}},
			{Name: byCredentialIndex, Keys: []string{"passkey.credential"}, Unique: true, Partial: exists("passkey.credential")},
			// One enrolment at a time: the next one takes its place.
			{Name: "pending", Keys: []string{"user"}, Unique: true, Partial: exists("pendingUntil")},
			{Name: "pendingUntil", Keys: []string{"pendingUntil"}, Expires: true},
		}},
		{Name: recoveries},
	}
}

func exists(field string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$exists", Value: true}}}}
}

// record is a factor as stored. It never leaves this package.
type record struct {
	Factor       `bson:",inline"`
	PendingUntil *time.Time  `bson:"pendingUntil,omitempty"` // an enrolment that nobody confirmed: no factor
	TOTP         *totpSecret `bson:"totp,omitempty"`
	Passkey      *passkey    `bson:"passkey,omitempty"`
}

type totpSecret struct {
	Seed []byte `bson:"seed"` // sealed
	Step int64  `bson:"step"` // of the last code that counted
}

type passkey struct {
	Credential []byte   `bson:"credential"` // id, chosen by the authenticator
	PublicKey  []byte   `bson:"publicKey"`  // COSE
	AAGUID     []byte   `bson:"aaguid"`     // the make of the authenticator, or zeros
	Transports []string `bson:"transports,omitempty"`
	Flags      int32    `bson:"flags"` // those of the authenticator data, one byte
	SignCount  int64    `bson:"signCount"`
}

type mongoStore struct{ factors, recoveries *mongo.Collection }

func newStore(db *store.DB) *mongoStore {
	return &mongoStore{factors: db.Collection(collection), recoveries: db.Collection(recoveries)}
}

func notPending() bson.E {
	return bson.E{Key: "pendingUntil", Value: bson.D{{Key: "$exists", Value: false}}}
}

// owned matches one confirmed factor of a user.
func owned(user, id string) bson.D {
	return bson.D{store.Eq("_id", id), store.Eq("user", user), notPending()}
}

func ofKinds(user string, kinds []Kind) bson.D {
	return bson.D{store.Eq("user", user), {Key: "kind", Value: bson.D{{Key: "$in", Value: kinds}}}, notPending()}
}

// of reads the confirmed factors of a user, all of them: they are few.
func (m *mongoStore) of(ctx context.Context, user string, kinds ...Kind) ([]record, error) {
	return store.Find[record](ctx, m.factors, ofKinds(user, kinds), options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
}

func (m *mongoStore) count(ctx context.Context, user string, kinds ...Kind) (int, error) {
	n, err := m.factors.CountDocuments(ctx, ofKinds(user, kinds))
	return int(n), store.Wrap("count factors", err)
}

// insert adds a factor. A duplicate is told without its cause: the server's text quotes the credential.
//
// Errors: PASSKEY_TAKEN.
func (m *mongoStore) insert(ctx context.Context, r record) error {
	_, err := m.factors.InsertOne(ctx, r)
	if store.DuplicateOf(err, byCredentialIndex) {
		return ErrPasskeyTaken
	}
	return store.Wrap("insert factor "+r.ID, err)
}

// rename sets the name; an empty one becomes the default of the kind.
func (m *mongoStore) rename(ctx context.Context, user, id, name string) (Factor, bool, error) {
	var to any = bson.D{{Key: "$literal", Value: name}} // the update is an expression, and a name may begin with a dollar
	if name == "" {
		isApp := bson.D{{Key: "$eq", Value: bson.A{"$kind", TOTP}}}
		to = bson.D{{Key: "$cond", Value: bson.A{isApp, defaultAppName, defaultKeyName}}}
	}
	return m.update(ctx, "rename factor", owned(user, id), bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "name", Value: to}}}}})
}

// update changes one factor and reads what it is after that; found is false when none matched.
func (m *mongoStore) update(ctx context.Context, op string, filter bson.D, change any) (f Factor, found bool, err error) {
	err = m.factors.FindOneAndUpdate(ctx, filter, change, options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&f)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Factor{}, false, nil
	}
	return f, err == nil, store.Wrap(op, err)
}

func (m *mongoStore) remove(ctx context.Context, user, id string) (f Factor, found bool, err error) {
	err = m.factors.FindOneAndDelete(ctx, owned(user, id)).Decode(&f)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Factor{}, false, nil
	}
	return f, err == nil, store.Wrap("remove factor", err)
}

func (m *mongoStore) deleteAll(ctx context.Context, user string) error {
	_, err := m.factors.DeleteMany(ctx, bson.D{store.Eq("user", user)})
	return store.Wrap("delete factors", err)
}

// replacePending puts an enrolment in the place of the one that the user has, if any. Of two at once one is tried again.
func (m *mongoStore) replacePending(ctx context.Context, r record) error {
	if _, err := m.factors.DeleteMany(ctx, append(exists("pendingUntil"), store.Eq("user", r.User))); err != nil {
		return fmt.Errorf("delete enrolment: %w", store.Translate(err))
	}
	_, err := m.factors.InsertOne(ctx, r)
	return store.Wrap("insert enrolment", err)
}

func (m *mongoStore) pending(ctx context.Context, user, id string, at time.Time) (r record, found bool, err error) {
	r, err = store.FindOne[record](ctx, m.factors, bson.D{
		store.Eq("_id", id), store.Eq("user", user), {Key: "pendingUntil", Value: bson.D{{Key: "$gt", Value: at}}},
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return record{}, false, nil
	}
	return r, err == nil, err
}

// confirm makes an enrolment a factor, unless it is one or was replaced.
func (m *mongoStore) confirm(ctx context.Context, id, name string, step int64, at time.Time) (Factor, bool, error) {
	return m.update(ctx, "confirm factor", append(exists("pendingUntil"), store.Eq("_id", id)), bson.D{
		{Key: "$set", Value: bson.D{{Key: "name", Value: name}, {Key: "createdAt", Value: at}, {Key: "totp.step", Value: step}}},
		{Key: "$unset", Value: bson.D{{Key: "pendingUntil", Value: ""}}},
	})
}

// useStep writes down that the code of a step counted. It reports false when that or a later one has counted before.
func (m *mongoStore) useStep(ctx context.Context, id string, step int64, at time.Time) (Factor, bool, error) {
	return m.update(ctx, "use factor",
		bson.D{store.Eq("_id", id), {Key: "totp.step", Value: bson.D{{Key: "$lt", Value: step}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "totp.step", Value: step}, {Key: "lastUsedAt", Value: at}}}})
}
