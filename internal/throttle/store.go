package throttle

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

const collection = "throttles"

// keep is how long the document of a full bucket stays: longer than clocks of nodes and server differ.
const keep = time.Hour

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		{Name: "expiresAt", Keys: []string{"expiresAt"}, Expires: true},
	}}}
}

// record is a bucket as stored. No document is the zero record.
type record struct {
	Tat     time.Time `bson:"tat"`     // when it will be full again ("theoretical arrival time")
	Refused bool      `bson:"refused"` // the event for the refusals that go on is written
}

type mongoStore struct{ throttles *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{throttles: db.Collection(collection)} }

// fullAt sets when a bucket will be full.
func fullAt(tat any) bson.D {
	return bson.D{{Key: "$set", Value: bson.D{
		{Key: "tat", Value: tat},
		{Key: "expiresAt", Value: bson.D{{Key: "$add", Value: bson.A{tat, keep.Milliseconds()}}}},
	}}}
}

// take counts an attempt at now unless the bucket has nothing left, and gives the bucket as it was, from which
// [Limit.wait] tells which of the two happened. A refused attempt leaves the document as it is.
func (m *mongoStore) take(ctx context.Context, b Bucket, now time.Time) (record, error) {
	from := bson.D{{Key: "$max", Value: bson.A{"$tat", now}}} // now, when there is no document
	free := bson.D{{Key: "$lte", Value: bson.A{from, now.Add(b.Limit.slack())}}}
	next := bson.D{{Key: "$add", Value: bson.A{from, b.Limit.Every.Milliseconds()}}}
	update := bson.A{fullAt(bson.D{{Key: "$cond", Value: bson.A{free, next, "$tat"}}})}
	for first := true; ; first = false {
		raw, err := m.throttles.FindOneAndUpdate(ctx, bson.D{store.Eq("_id", b.id())}, update, options.FindOneAndUpdate().SetUpsert(true)).Raw()
		switch {
		case errors.Is(err, mongo.ErrNoDocuments): // made just now
			return record{}, nil
		case first && store.IsDuplicate(err): // two made it at the same instant: now it is there
			continue
		case err != nil:
			return record{}, fmt.Errorf("take of limit %s: %w", b.Limit.Name, store.Translate(err))
		}
		r, err := store.Decode[record](raw)
		if err != nil {
			return record{}, fmt.Errorf("decode bucket of limit %s: %w", b.Limit.Name, err)
		}
		return r, nil
	}
}

// give puts one attempt back into each bucket that is not full.
func (m *mongoStore) give(ctx context.Context, buckets []Bucket, now time.Time) error {
	if len(buckets) == 0 {
		return nil
	}
	writes := make([]mongo.WriteModel, len(buckets))
	for i, b := range buckets {
		earlier := bson.D{{Key: "$subtract", Value: bson.A{"$tat", b.Limit.Every.Milliseconds()}}}
		writes[i] = mongo.NewUpdateOneModel().
			SetFilter(bson.D{store.Eq("_id", b.id()), {Key: "tat", Value: bson.D{{Key: "$gt", Value: now}}}}).
			SetUpdate(bson.A{fullAt(bson.D{{Key: "$max", Value: bson.A{earlier, now}}})})
	}
	_, err := m.throttles.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	return store.Wrap("give attempts back", err)
}

// refused marks that the refusals of a bucket have been told of. It reports false when they had been before.
func (m *mongoStore) refused(ctx context.Context, b Bucket) (first bool, err error) {
	res, err := m.throttles.UpdateOne(ctx, bson.D{store.Eq("_id", b.id())}, bson.D{{Key: "$set", Value: bson.D{{Key: "refused", Value: true}}}})
	if err != nil {
		return false, store.Wrap("mark limit "+b.Limit.Name, err)
	}
	return res.ModifiedCount == 1, nil
}

// passed takes the marks off: the next refusal of these buckets is a first one.
func (m *mongoStore) passed(ctx context.Context, buckets []Bucket) error {
	if len(buckets) == 0 {
		return nil
	}
	_, err := m.throttles.UpdateMany(ctx, these(buckets), bson.D{{Key: "$unset", Value: bson.D{{Key: "refused", Value: ""}}}})
	return store.Wrap("unmark limits", err)
}

func these(buckets []Bucket) bson.D {
	ids := make([]string, len(buckets))
	for i, b := range buckets {
		ids[i] = b.id()
	}
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
}
