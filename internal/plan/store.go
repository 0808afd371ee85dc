package plan

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{
		{Name: "plans", Indexes: []store.Index{
			{Name: "key", Keys: []string{"key"}, Unique: true},
			{Name: "default", Keys: []string{"default"}, Unique: true, Partial: bson.D{{Key: "default", Value: true}}},
		}},
		{Name: "memberships", Indexes: []store.Index{
			{Name: "subject", Keys: []string{"subject.type", "subject.id"}, Unique: true},
		}},
		{Name: "usage", Indexes: []store.Index{
			{Name: "subject", Keys: []string{"subject.type", "subject.id"}},
		}},
	}
}

type mongoStore struct {
	catalogue, members, use *mongo.Collection
}

func newStore(db *store.DB) mongoStore {
	return mongoStore{catalogue: db.Collection("plans"), members: db.Collection("memberships"), use: db.Collection("usage")}
}

// plans reads the whole catalogue: dozens.
func (m mongoStore) plans(ctx context.Context) ([]Plan, error) {
	return store.Find[Plan](ctx, m.catalogue, bson.D{})
}

func (m mongoStore) plan(ctx context.Context, id string) (Plan, error) {
	p, err := store.FindByID[Plan](ctx, m.catalogue, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return p, ErrUnknown
	}
	return p, err
}

func (m mongoStore) putPlan(ctx context.Context, p Plan) error {
	_, err := m.catalogue.ReplaceOne(ctx, bson.D{store.Eq("_id", p.ID)}, p, options.Replace().SetUpsert(true))
	if store.DuplicateOf(err, "default") {
		return ErrNoDefault.Because(err)
	}
	return store.Wrap("put plan", err)
}

func (m mongoStore) membership(ctx context.Context, subject ref.Ref) (v Membership, ok bool, err error) {
	v, err = store.FindOne[Membership](ctx, m.members, store.Points("subject", subject))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return v, false, nil
	}
	return v, err == nil, err
}

func (m mongoStore) membershipsByID(ctx context.Context, ids []string) (map[string]Membership, error) {
	return store.FindByIDs(ctx, m.members, ids, func(v Membership) string { return v.ID })
}

func (m mongoStore) insert(ctx context.Context, v Membership) error {
	_, err := m.members.InsertOne(ctx, v)
	if store.IsDuplicate(err) {
		return ErrStale.Because(err)
	}
	return store.Wrap("insert membership", err)
}

// replace writes v over the stored version old, or makes it when old is 0: else ErrStale.
func (m mongoStore) replace(ctx context.Context, v Membership, old int64) error {
	if old == 0 {
		return m.insert(ctx, v)
	}
	res, err := m.members.ReplaceOne(ctx, bson.D{store.Eq("_id", v.ID), store.Eq("v", old)}, v)
	switch {
	case err != nil:
		return store.Wrap("replace membership", err)
	case res.MatchedCount == 0:
		return ErrStale
	}
	return nil
}

type usageDoc struct {
	ID      string  `bson:"_id"`
	Subject ref.Ref `bson:"subject"`
	Feature string  `bson:"feature"`
	Used    int64   `bson:"used"`
}

func usageID(subject ref.Ref, feature string) string { return subject.String() + ":" + feature }

// usage reads what a subject uses of each feature.
func (m mongoStore) usage(ctx context.Context, subject ref.Ref) (map[string]int64, error) {
	all, err := store.Find[usageDoc](ctx, m.use, store.Points("subject", subject))
	if err != nil {
		return nil, err
	}
	used := make(map[string]int64, len(all))
	for _, d := range all {
		used[d.Feature] = d.Used
	}
	return used, nil
}

func (m mongoStore) used(ctx context.Context, subject ref.Ref, feature string) (n int64, found bool, err error) {
	d, err := store.FindByID[usageDoc](ctx, m.use, usageID(subject, feature))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, false, nil
	}
	return d.Used, err == nil, err
}

// add counts n more if that stays within the limit; false when it does not or when nothing was counted before.
func (m mongoStore) add(ctx context.Context, subject ref.Ref, feature string, n int64, limit *int64) (bool, error) {
	filter := bson.D{store.Eq("_id", usageID(subject, feature))}
	if limit != nil {
		filter = append(filter, bson.E{Key: "used", Value: bson.D{{Key: "$lte", Value: *limit - n}}})
	}
	res, err := m.use.UpdateOne(ctx, filter, bson.D{{Key: "$inc", Value: bson.D{{Key: "used", Value: n}}}})
	if err != nil {
		return false, store.Wrap("count usage", err)
	}
	return res.MatchedCount == 1, nil
}

// begin counts the first use.
func (m mongoStore) begin(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	_, err := m.use.InsertOne(ctx, usageDoc{usageID(subject, feature), subject, feature, n})
	return store.Wrap("begin usage", err)
}

func (m mongoStore) subtract(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	less := bson.D{{Key: "$max", Value: bson.A{int64(0), bson.D{{Key: "$subtract", Value: bson.A{"$used", n}}}}}}
	_, err := m.use.UpdateOne(ctx, bson.D{store.Eq("_id", usageID(subject, feature))}, bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "used", Value: less}}}}})
	return store.Wrap("release usage", err)
}
