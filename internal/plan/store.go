package plan

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	has := func(field string) bson.D { return bson.D{{Key: field, Value: bson.D{{Key: "$exists", Value: true}}}} }
	return []store.Collection{
		{Name: "plans", Indexes: []store.Index{
			{Name: "key_version", Keys: []string{"key", "version"}, Unique: true},
			{Name: "current", Keys: []string{"key", "current"}, Unique: true, Partial: bson.D{{Key: "current", Value: true}}},
			{Name: "default", Keys: []string{"default"}, Unique: true, Partial: bson.D{{Key: "default", Value: true}}},
		}},
		{Name: "features"},
		{Name: "addons"},
		{Name: "coupons"},
		{Name: "memberships", Indexes: []store.Index{
			{Name: "subject", Keys: []string{"subject.type", "subject.id"}, Unique: true},
			{Name: "plan", Keys: []string{"plan", "_id"}},
			{Name: "next_plan", Keys: []string{"next.plan"}, Partial: has("next.plan")},
			{Name: "due", Keys: []string{"dueAt"}, Partial: has("dueAt")},
			{Name: "intent", Keys: []string{"intent.key"}, Unique: true, Partial: has("intent.key")},
		}},
		{Name: "usage", Indexes: []store.Index{
			{Name: "subject", Keys: []string{"subject.type", "subject.id"}},
			{Name: "over", Keys: []string{"expiresAt"}, Expires: true},
		}},
		{Name: "usage_events", Indexes: []store.Index{{Name: "over", Keys: []string{"expiresAt"}, Expires: true}}},
		{Name: "plan_previews", Indexes: []store.Index{{Name: "over", Keys: []string{"keepUntil"}, Expires: true}}},
		{Name: "plan_ledger", Indexes: []store.Index{
			{Name: "subject_newest", Keys: []string{"subject.type", "subject.id", "-_id"}},
			{Name: "key", Keys: []string{"key"}, Unique: true, Partial: has("key")},
			{Name: "provider_ref", Keys: []string{"providerRef"}, Partial: has("providerRef")},
		}},
		{Name: "plan_numbers"},
	}
}

type mongoStore struct {
	plans, features, addons, coupons, members, use, uses, previews, ledger, numbers *mongo.Collection
}

func newStore(db *store.DB) mongoStore {
	return mongoStore{
		plans: db.Collection("plans"), features: db.Collection("features"), addons: db.Collection("addons"), coupons: db.Collection("coupons"),
		members: db.Collection("memberships"), use: db.Collection("usage"), uses: db.Collection("usage_events"),
		previews: db.Collection("plan_previews"), ledger: db.Collection("plan_ledger"), numbers: db.Collection("plan_numbers"),
	}
}

// catalogue reads everything on offer: dozens of each. Features that the code declares are there whether stored or not.
func (m mongoStore) catalogue(ctx context.Context, now time.Time, declared []Feature) (*catalogue, error) {
	plans, err := store.Find[Plan](ctx, m.plans, bson.D{})
	if err != nil {
		return nil, err
	}
	features, err := store.Find[Feature](ctx, m.features, bson.D{})
	if err != nil {
		return nil, err
	}
	addons, err := store.Find[Addon](ctx, m.addons, bson.D{})
	if err != nil {
		return nil, err
	}
	coupons, err := store.Find[Coupon](ctx, m.coupons, bson.D{})
	if err != nil {
		return nil, err
	}
	return newCatalogue(plans, append(features, declared...), addons, coupons, now), nil // of two the declared one
}

// put writes a document of the catalogue, whether it is there or not.
func put(ctx context.Context, c *mongo.Collection, id string, doc any) error {
	_, err := c.ReplaceOne(ctx, bson.D{store.Eq("_id", id)}, doc, options.Replace().SetUpsert(true))
	if store.DuplicateOf(err, "default") {
		return ErrNoDefault.Because(err)
	}
	return store.Wrap("put into "+c.Name(), err)
}

// deletePlan takes a version off all lists.
func (m mongoStore) deletePlan(ctx context.Context, p Plan, now time.Time) error {
	p.Current, p.Default, p.DeletedAt = false, false, &now
	return put(ctx, m.plans, p.ID, p)
}

func remove(ctx context.Context, c *mongo.Collection, id string) error {
	_, err := c.DeleteOne(ctx, bson.D{store.Eq("_id", id)})
	return store.Wrap("delete from "+c.Name(), err)
}

// redeem counts one more redemption of a coupon; false when it was redeemed as often as it may be.
func (m mongoStore) redeem(ctx context.Context, c Coupon) (bool, error) {
	filter := bson.D{store.Eq("_id", c.Key)}
	if c.Most > 0 {
		filter = append(filter, bson.E{Key: "redeemed", Value: bson.D{{Key: "$lt", Value: c.Most}}})
	}
	res, err := m.coupons.UpdateOne(ctx, filter, bson.D{{Key: "$inc", Value: bson.D{{Key: "redeemed", Value: int64(1)}}}})
	if err != nil {
		return false, store.Wrap("redeem coupon", err)
	}
	return res.MatchedCount == 1, nil
}

// countOn is how many memberships are on a version of a plan, or are about to be.
func (m mongoStore) countOn(ctx context.Context, plan string) (int64, error) {
	n, err := m.members.CountDocuments(ctx, bson.D{{Key: "$or", Value: bson.A{bson.D{store.Eq("plan", plan)}, bson.D{store.Eq("next.plan", plan)}}}})
	return n, store.Wrap("count members", err)
}

func (m mongoStore) membership(ctx context.Context, subject ref.Ref) (v Membership, ok bool, err error) {
	return one[Membership](ctx, m.members, store.Points("subject", subject))
}

// one reads a document that may be missing.
func one[T any](ctx context.Context, c *mongo.Collection, filter bson.D) (v T, ok bool, err error) {
	v, err = store.FindOne[T](ctx, c, filter)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return v, false, nil
	}
	return v, err == nil, err
}

func (m mongoStore) membershipsByID(ctx context.Context, ids []string) (map[string]Membership, error) {
	return store.FindByIDs(ctx, m.members, ids, func(v Membership) string { return v.ID })
}

func (m mongoStore) byIntent(ctx context.Context, key string) (Membership, bool, error) {
	return one[Membership](ctx, m.members, bson.D{store.Eq("intent.key", key)})
}

// page reads the memberships on a plan; of all plans for none.
func (m mongoStore) page(ctx context.Context, plans []string, w page.Window) ([]Membership, error) {
	filter := bson.D{}
	if plans != nil {
		filter = bson.D{{Key: "plan", Value: bson.D{{Key: "$in", Value: plans}}}}
	}
	return store.FindPage[Membership](ctx, m.members, filter, w, store.Key{Field: "_id", Desc: true})
}

// due reads memberships that a job has to look at, the most urgent first.
func (m mongoStore) due(ctx context.Context, now time.Time, n int64) ([]Membership, error) {
	return store.Find[Membership](ctx, m.members, bson.D{{Key: "dueAt", Value: bson.D{{Key: "$lte", Value: now}}}},
		options.Find().SetSort(bson.D{{Key: "dueAt", Value: 1}}).SetLimit(n))
}

// write puts v in the place of the stored version old, or makes it when old is 0: else PLAN_STALE.
func (m mongoStore) write(ctx context.Context, v Membership, old int64) error {
	if old == 0 {
		_, err := m.members.InsertOne(ctx, v)
		if store.IsDuplicate(err) {
			return ErrStale.Because(err)
		}
		return store.Wrap("insert membership", err)
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

func (m mongoStore) insertPreview(ctx context.Context, p previewDoc) error {
	_, err := m.previews.InsertOne(ctx, p)
	return store.Wrap("keep preview", err)
}

func (m mongoStore) preview(ctx context.Context, id string) (previewDoc, bool, error) {
	return one[previewDoc](ctx, m.previews, bson.D{store.Eq("_id", id)})
}

func (m mongoStore) insertEntries(ctx context.Context, all []Entry) error {
	docs := make([]any, len(all))
	for i, e := range all {
		docs[i] = e
	}
	_, err := m.ledger.InsertMany(ctx, docs)
	return store.Wrap("append to ledger", err)
}

func (m mongoStore) entry(ctx context.Context, filter bson.D) (Entry, bool, error) {
	return one[Entry](ctx, m.ledger, filter)
}

func (m mongoStore) entryByID(ctx context.Context, id string) (Entry, bool, error) {
	return m.entry(ctx, bson.D{store.Eq("_id", id)})
}

func (m mongoStore) entryByKey(ctx context.Context, key string) (Entry, bool, error) {
	return m.entry(ctx, bson.D{store.Eq("key", key)})
}

func (m mongoStore) payment(ctx context.Context, providerRef string) (Entry, bool, error) {
	return m.entry(ctx, bson.D{store.Eq("providerRef", providerRef), store.Eq("kind", KindPayment)})
}

// refunds reads what was given back of a payment.
func (m mongoStore) refunds(ctx context.Context, providerRef string) ([]Entry, error) {
	return store.Find[Entry](ctx, m.ledger, bson.D{store.Eq("providerRef", providerRef), store.Eq("kind", KindRefund)})
}

func (m mongoStore) entries(ctx context.Context, subject ref.Ref, w page.Window) ([]Entry, error) {
	return store.FindPage[Entry](ctx, m.ledger, store.Points("subject", subject), w, store.Key{Field: "_id", Desc: true})
}

// number is the next number of a series: 1, 2, 3 with no gap, as it is taken in the transaction that uses it.
func (m mongoStore) number(ctx context.Context, series string) (int64, error) {
	raw, err := m.numbers.FindOneAndUpdate(ctx, bson.D{store.Eq("_id", series)}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(1)}}}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	if err != nil {
		return 0, store.Wrap("take number", err)
	}
	n, _ := raw.Lookup("n").AsInt64OK()
	return n, nil
}

// bill notes that all that is above the limit in a counter is on an invoice.
func (m mongoStore) bill(ctx context.Context, id string) error {
	_, err := m.use.UpdateOne(ctx, bson.D{store.Eq("_id", id)}, bson.D{{Key: "$set", Value: bson.D{{Key: "billed", Value: true}}}})
	return store.Wrap("bill overage", err)
}

// on reads memberships on some versions of plans, the oldest first.
func (m mongoStore) on(ctx context.Context, plans []string, n int64) ([]Membership, error) {
	return store.Find[Membership](ctx, m.members, bson.D{{Key: "plan", Value: bson.D{{Key: "$in", Value: plans}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(n))
}

// membershipsOf reads the memberships of some subjects: one find.
func (m mongoStore) membershipsOf(ctx context.Context, subjects []ref.Ref) (map[ref.Ref]Membership, error) {
	types, ids := bson.A{}, bson.A{}
	for _, s := range subjects {
		types, ids = append(types, s.Type), append(ids, s.ID)
	}
	all, err := store.Find[Membership](ctx, m.members, bson.D{
		{Key: "subject.type", Value: bson.D{{Key: "$in", Value: types}}}, {Key: "subject.id", Value: bson.D{{Key: "$in", Value: ids}}},
	})
	if err != nil {
		return nil, err
	}
	found := make(map[ref.Ref]Membership, len(all))
	for _, v := range all {
		found[v.Subject] = v
	}
	return found, nil
}
