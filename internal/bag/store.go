package bag

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

const collection = "bags"

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		{Name: "expiresAt", Keys: []string{"expiresAt"}, Expires: true},
	}}}
}

type mongoStore struct{ bags *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{db.Collection(collection)} }

// box reads a bag; an empty one without a name when there is none.
func (m *mongoStore) box(ctx context.Context, name string) (box, error) {
	b, err := store.FindByID[box](ctx, m.bags, name)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return box{}, nil
	}
	return b, err
}

// put writes a bag that was read in the same transaction; an empty one is deleted.
func (m *mongoStore) put(ctx context.Context, b box) error {
	if len(b.Data) == 0 && len(b.Messages) == 0 {
		return m.delete(ctx, b.ID)
	}
	_, err := m.bags.ReplaceOne(ctx, bson.D{store.Eq("_id", b.ID)}, b, options.Replace().SetUpsert(true))
	return store.Wrap("put bag", store.Translate(err))
}

func (m *mongoStore) delete(ctx context.Context, name string) error {
	_, err := m.bags.DeleteOne(ctx, bson.D{store.Eq("_id", name)})
	return store.Wrap("delete bag", store.Translate(err))
}
