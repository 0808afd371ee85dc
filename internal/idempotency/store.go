package idempotency

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/store"
)

const collection = "idempotency_keys"

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{{Name: "expireAt", Keys: []string{"expireAt"}, Expires: true}}}}
}

// doc is a claim as it is stored.
type doc struct {
	ID       string    `bson:"_id"` // digest of who and of the key
	Print    string    `bson:"print"`
	Run      string    `bson:"run"`     // whose it is
	Until    time.Time `bson:"until"`   // nobody is at work any more from then on
	Commits  int       `bson:"commits"` // transactions that were made under it
	Answer   []byte    `bson:"answer,omitempty"`
	ExpireAt time.Time `bson:"expireAt"`
}

type mongoStore struct{ keys *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{db.Collection(collection)} }

// insert stores a claim, or gives the one that is there.
func (m *mongoStore) insert(ctx context.Context, d doc) (was *doc, err error) {
	for {
		if _, err = m.keys.InsertOne(ctx, d); !store.IsDuplicate(err) {
			return nil, store.Wrap("insert idempotency key", err)
		}
		var there doc
		err = m.keys.FindOne(ctx, bson.D{{Key: "_id", Value: d.ID}}).Decode(&there)
		if !errors.Is(err, mongo.ErrNoDocuments) { // else forgotten meanwhile
			return &there, store.Wrap("find idempotency key", err)
		}
	}
}

// takeOver replaces a claim whose request is over, unless that has changed.
func (m *mongoStore) takeOver(ctx context.Context, was, d doc) (bool, error) {
	res, err := m.keys.ReplaceOne(ctx, bson.D{{Key: "_id", Value: d.ID}, {Key: "run", Value: was.Run}, {Key: "commits", Value: 0}}, d)
	if err != nil {
		return false, store.Wrap("take over idempotency key", err)
	}
	return res.MatchedCount > 0, nil
}

// count counts the transaction of ctx; false when the claim is another's.
func (m *mongoStore) count(ctx context.Context, id, run string) (bool, error) {
	res, err := m.keys.UpdateOne(ctx, mine(id, run), bson.D{{Key: "$inc", Value: bson.D{{Key: "commits", Value: 1}}}})
	if err != nil {
		return false, store.Wrap("count commit", err)
	}
	return res.MatchedCount > 0, nil
}

// forget drops a claim under which nothing was changed.
func (m *mongoStore) forget(ctx context.Context, id, run string) (bool, error) {
	res, err := m.keys.DeleteOne(ctx, append(mine(id, run), bson.E{Key: "commits", Value: 0}))
	if err != nil {
		return false, store.Wrap("forget idempotency key", err)
	}
	return res.DeletedCount > 0, nil
}

// release says that nobody is at work any more.
func (m *mongoStore) release(ctx context.Context, id, run string, now time.Time) error {
	_, err := m.keys.UpdateOne(ctx, mine(id, run), bson.D{{Key: "$set", Value: bson.D{{Key: "until", Value: now}}}})
	return store.Wrap("release idempotency key", err)
}

func (m *mongoStore) answer(ctx context.Context, id, run string, sealed []byte) error {
	_, err := m.keys.UpdateOne(ctx, mine(id, run), bson.D{{Key: "$set", Value: bson.D{{Key: "answer", Value: sealed}}}})
	return store.Wrap("keep answer", err)
}

func mine(id, run string) bson.D { return bson.D{{Key: "_id", Value: id}, {Key: "run", Value: run}} }
