package payment

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: "payers"}, {Name: "payment_sessions"}, {Name: "test_payments"}, {Name: "test_payers"}}
}

type mongoStore struct{ payers, sessions, tests, behaviors *mongo.Collection }

func newStore(db *store.DB) mongoStore {
	return mongoStore{db.Collection("payers"), db.Collection("payment_sessions"), db.Collection("test_payments"), db.Collection("test_payers")}
}

// one reads the document with that id, which may be missing.
func one[T any](ctx context.Context, c *mongo.Collection, id string) (v T, ok bool, err error) {
	v, err = store.FindByID[T](ctx, c, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return v, false, nil
	}
	return v, err == nil, err
}

func upsert(ctx context.Context, c *mongo.Collection, id string, fields bson.D) error {
	_, err := c.UpdateOne(ctx, bson.D{store.Eq("_id", id)}, bson.D{{Key: "$set", Value: fields}}, options.UpdateOne().SetUpsert(true))
	return store.Wrap("put into "+c.Name(), err)
}

// Known is what is remembered for a provider. It is safe for concurrent use.
type Known struct{ store mongoStore }

// NewKnown opens it.
func NewKnown(db *store.DB) *Known { return &Known{newStore(db)} }

type payerDoc struct {
	Customer string `bson:"customer"`
	Method   string `bson:"method"`
}

// Payer is by which names a provider knows a payer and the way they pay; empty when it does not.
func (k *Known) Payer(ctx context.Context, payer ref.Ref) (customer, method string, err error) {
	d, _, err := one[payerDoc](ctx, k.store.payers, payer.String())
	return d.Customer, d.Method, err
}

// Remember keeps these names; an empty method leaves the one there is.
func (k *Known) Remember(ctx context.Context, payer ref.Ref, customer, method string) error {
	fields := bson.D{{Key: "customer", Value: customer}}
	if method != "" {
		fields = append(fields, bson.E{Key: "method", Value: method})
	}
	return upsert(ctx, k.store.payers, payer.String(), fields)
}

type sessionDoc struct {
	Session string `bson:"session"`
}

// Session is the name of the page a payer was sent to for a charge; empty for none.
func (k *Known) Session(ctx context.Context, key string) (string, error) {
	d, _, err := one[sessionDoc](ctx, k.store.sessions, key)
	return d.Session, err
}

// KeepSession keeps it.
func (k *Known) KeepSession(ctx context.Context, key, session string) error {
	return upsert(ctx, k.store.sessions, key, bson.D{{Key: "session", Value: session}})
}

type behaviorDoc struct {
	Behavior Behavior `bson:"behavior"`
}

func (m mongoStore) behave(ctx context.Context, payer ref.Ref, b Behavior) error {
	return upsert(ctx, m.behaviors, payer.String(), bson.D{{Key: "behavior", Value: b}})
}

func (m mongoStore) behavior(ctx context.Context, payer ref.Ref) (Behavior, error) {
	d, found, err := one[behaviorDoc](ctx, m.behaviors, payer.String())
	if !found {
		return Pays, err
	}
	return d.Behavior, err
}

func (m mongoStore) test(ctx context.Context, key string) (testDoc, bool, error) {
	return one[testDoc](ctx, m.tests, key)
}

// insertTest keeps a charge, or gives the one that was faster.
func (m mongoStore) insertTest(ctx context.Context, d testDoc) (testDoc, error) {
	_, err := m.tests.InsertOne(ctx, d)
	if store.IsDuplicate(err) {
		d, _, err = m.test(ctx, d.Key)
		return d, err
	}
	return d, store.Wrap("keep test payment", err)
}

// finishTest closes a charge of a payer if it is pending, and gives it as it is.
func (m mongoStore) finishTest(ctx context.Context, payer ref.Ref, key string, s State) (testDoc, bool, error) {
	filter := append(store.Points("payer", payer), store.Eq("_id", key), store.Eq("state", Pending))
	if _, err := m.tests.UpdateOne(ctx, filter, bson.D{{Key: "$set", Value: bson.D{{Key: "state", Value: s}}}}); err != nil {
		return testDoc{}, false, store.Wrap("finish test payment", err)
	}
	d, found, err := m.test(ctx, key)
	return d, found && d.Payer == payer, err
}

func (m mongoStore) refundTest(ctx context.Context, r Refund) error {
	res, err := m.tests.UpdateOne(ctx, bson.D{store.Eq("_id", r.Of[min(len("test:"), len(r.Of)):]), store.Eq("state", Paid)},
		bson.D{{Key: "$addToSet", Value: bson.D{{Key: "refunds", Value: r.Key}}}})
	if err == nil && res.MatchedCount == 0 {
		return fault.ErrInternal.Because(errors.New("the test provider knows no payment " + r.Of))
	}
	return store.Wrap("refund test payment", err)
}
