package plan

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// counterDoc is how much of a feature a subject uses: of all time, or of one period.
type counterDoc struct {
	ID        string     `bson:"_id"` // "type:id:feature", and for a period ":" and its begin in unix ms
	Subject   ref.Ref    `bson:"subject"`
	Feature   string     `bson:"feature"`
	Used      int64      `bson:"used"`
	Carry     int64      `bson:"carry,omitempty"` // left over of the period before
	Holds     []holdDoc  `bson:"holds,omitempty"`
	From      *time.Time `bson:"from,omitempty"`
	To        *time.Time `bson:"to,omitempty"`
	Billed    bool       `bson:"billed,omitempty"` // what is above the limit is on an invoice
	ExpiresAt *time.Time `bson:"expiresAt,omitempty"`
}

// holdDoc is a reservation. It counts before Until.
type holdDoc struct {
	ID    string    `bson:"id"`
	N     int64     `bson:"n"`
	Until time.Time `bson:"until"`
}

// useID is the name of a use. A subject's own, so no service can use up the names of another's.
type useID struct {
	Subject string `bson:"subject"`
	Source  string `bson:"source"`
	ID      string `bson:"id"`
}

// useDoc is a use with its result.
type useDoc struct {
	ID         useID      `bson:"_id"`
	Feature    string     `bson:"feature"`
	Amount     int64      `bson:"amount"`
	At         time.Time  `bson:"at"`
	ReceivedAt time.Time  `bson:"receivedAt"`
	Used       int64      `bson:"used"`
	Limit      *int64     `bson:"limit,omitempty"`
	Overage    int64      `bson:"overage,omitempty"`
	ResetsAt   *time.Time `bson:"resetsAt,omitempty"`
	Late       bool       `bson:"late,omitempty"`
	Hold       string     `bson:"hold,omitempty"`
	ExpiresAt  time.Time  `bson:"expiresAt"`
}

func (m mongoStore) counter(ctx context.Context, id string) (counterDoc, bool, error) {
	return one[counterDoc](ctx, m.use, bson.D{store.Eq("_id", id)})
}

// counters reads those of the ids that are there: one find.
func (m mongoStore) counters(ctx context.Context, ids []string) (map[string]counterDoc, error) {
	return store.FindByIDs(ctx, m.use, ids, func(d counterDoc) string { return d.ID })
}

// add counts n more if nothing is reserved and the counter is in one of the ranges; nil ranges allow any number. It gives the
// number after, and false when it did not count.
func (m mongoStore) add(ctx context.Context, id string, n int64, ranges []between) (int64, bool, error) {
	filter := bson.D{store.Eq("_id", id), {Key: "holds.0", Value: bson.D{{Key: "$exists", Value: false}}}}
	if ranges != nil {
		or := bson.A{}
		for _, r := range ranges {
			var b bson.D
			if r.from != nil {
				b = append(b, bson.E{Key: "$gte", Value: *r.from})
			}
			if r.to != nil {
				b = append(b, bson.E{Key: "$lte", Value: *r.to})
			}
			or = append(or, bson.D{{Key: "used", Value: b}})
		}
		filter = append(filter, bson.E{Key: "$or", Value: or})
	}
	raw, err := m.use.FindOneAndUpdate(ctx, filter, bson.D{{Key: "$inc", Value: bson.D{{Key: "used", Value: n}}}},
		options.FindOneAndUpdate().SetReturnDocument(options.After).SetProjection(bson.D{{Key: "used", Value: 1}})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, store.Wrap("count usage", err)
	}
	used, _ := raw.Lookup("used").AsInt64OK()
	return used, true, nil
}

func (m mongoStore) putCounter(ctx context.Context, d counterDoc, found bool) error {
	if !found {
		_, err := m.use.InsertOne(ctx, d)
		return store.Wrap("begin to count", err)
	}
	_, err := m.use.ReplaceOne(ctx, bson.D{store.Eq("_id", d.ID)}, d)
	return store.Wrap("count usage", err)
}

// subtract gives n back, down to 0; false for a counter that is above the limit, which is left as it is.
func (m mongoStore) subtract(ctx context.Context, id string, n int64, limit *int64) (bool, error) {
	filter := bson.D{store.Eq("_id", id)}
	if limit != nil {
		filter = append(filter, bson.E{Key: "used", Value: bson.D{{Key: "$lte", Value: *limit}}})
	}
	less := bson.D{{Key: "$max", Value: bson.A{int64(0), bson.D{{Key: "$subtract", Value: bson.A{"$used", n}}}}}}
	res, err := m.use.UpdateOne(ctx, filter, bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "used", Value: less}}}}})
	if err != nil {
		return false, store.Wrap("release usage", err)
	}
	return res.MatchedCount == 1, nil
}

func (m mongoStore) insertUse(ctx context.Context, d useDoc) error {
	_, err := m.uses.InsertOne(ctx, d)
	if store.IsDuplicate(err) {
		return errUsedBefore
	}
	return store.Wrap("record use", err)
}

func (m mongoStore) useOf(ctx context.Context, c UseCmd) (useDoc, bool, error) {
	return one[useDoc](ctx, m.uses, bson.D{store.Eq("_id", useID{c.Subject.String(), c.Source, c.ID})})
}

// usesOf reads those uses of these names that were counted: one find.
func (m mongoStore) usesOf(ctx context.Context, names []useID) (map[useID]useDoc, error) {
	all, err := store.Find[useDoc](ctx, m.uses, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: names}}}})
	return keyed(all, func(d useDoc) useID { return d.ID }), err
}

// putCounters writes counters, whether they are there or not: one write.
func (m mongoStore) putCounters(ctx context.Context, all []counterDoc) error {
	writes := make([]mongo.WriteModel, len(all))
	for i, d := range all {
		writes[i] = mongo.NewReplaceOneModel().SetFilter(bson.D{store.Eq("_id", d.ID)}).SetReplacement(d).SetUpsert(true)
	}
	_, err := m.use.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	return store.Wrap("count usage", err)
}

func (m mongoStore) insertUses(ctx context.Context, all []useDoc) error {
	_, err := m.uses.InsertMany(ctx, all)
	return store.Wrap("record uses", err)
}
