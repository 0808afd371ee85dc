package factor

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// recoverySet is the recovery codes of a user as stored. It never leaves this package.
type recoverySet struct {
	User      string    `bson:"_id"`
	Key       []byte    `bson:"key"`   // of the HMAC, sealed
	Codes     [][]byte  `bson:"codes"` // HMACs of those not used yet
	CreatedAt time.Time `bson:"createdAt"`
	Touched   int64     `bson:"touched"` // see touchRecovery
}

func (m *mongoStore) putRecovery(ctx context.Context, set recoverySet) error {
	_, err := m.recoveries.ReplaceOne(ctx, bson.D{store.Eq("_id", set.User)}, set, options.Replace().SetUpsert(true))
	return store.Wrap("write recovery codes", err)
}

func (m *mongoStore) recovery(ctx context.Context, user string) (set recoverySet, found bool, err error) {
	set, err = store.FindByID[recoverySet](ctx, m.recoveries, user)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return recoverySet{}, false, nil
	}
	return set, err == nil, err
}

// takeRecovery removes a code and tells how many are left. It reports false when it was not there.
func (m *mongoStore) takeRecovery(ctx context.Context, user string, hash []byte) (left int, taken bool, err error) {
	var set recoverySet
	err = m.recoveries.FindOneAndUpdate(ctx,
		bson.D{store.Eq("_id", user), store.Eq("codes", hash)},
		bson.D{{Key: "$pull", Value: bson.D{{Key: "codes", Value: hash}}}},
		options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&set)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, false, nil
	}
	return len(set.Codes), err == nil, store.Wrap("use recovery code", err)
}

// touchRecovery changes the set, if there is one, so that transactions that must not overlap conflict.
func (m *mongoStore) touchRecovery(ctx context.Context, user string) error {
	_, err := m.recoveries.UpdateOne(ctx, bson.D{store.Eq("_id", user)}, bson.D{{Key: "$inc", Value: bson.D{{Key: "touched", Value: 1}}}})
	return store.Wrap("touch recovery codes", err)
}

func (m *mongoStore) deleteRecovery(ctx context.Context, user string) (set recoverySet, found bool, err error) {
	err = m.recoveries.FindOneAndDelete(ctx, bson.D{store.Eq("_id", user)}).Decode(&set)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return recoverySet{}, false, nil
	}
	return set, err == nil, store.Wrap("delete recovery codes", err)
}
