package attachment

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

const collection = "attachment_files"

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		{Name: "content", Keys: []string{"content.key"}, Unique: true},
		{Name: "thumbnail", Keys: []string{"thumbnail.key"}},
		{Name: "owner_newest", Keys: []string{"owner.type", "owner.id", "-_id"}},
	}}}
}

type mongoStore struct{ all *mongo.Collection }

func newStore(db *store.DB) mongoStore { return mongoStore{db.Collection(collection)} }

func (m mongoStore) insert(ctx context.Context, k kept) error {
	_, err := m.all.InsertOne(ctx, k)
	return store.Wrap("keep attachment", store.Translate(err))
}

// byID reads what is served for a document.
//
// Errors: NOT_FOUND.
func (m mongoStore) byID(ctx context.Context, id string) (kept, error) {
	k, err := store.FindByID[kept](ctx, m.all, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return kept{}, fault.ErrNotFound
	}
	return k, err
}

// delete reports whether it was there.
func (m mongoStore) delete(ctx context.Context, id string) (bool, error) {
	res, err := m.all.DeleteOne(ctx, bson.D{store.Eq("_id", id)})
	if err != nil {
		return false, store.Wrap("delete attachment", store.Translate(err))
	}
	return res.DeletedCount == 1, nil
}

// after reads the next n by id.
func (m mongoStore) after(ctx context.Context, id string, n int) ([]kept, error) {
	return store.Find[kept](ctx, m.all, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: id}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(n)))
}

// byKeys reads those that keep something under these keys.
func (m mongoStore) byKeys(ctx context.Context, keys []string) ([]kept, error) {
	some := bson.D{{Key: "$in", Value: keys}}
	return store.Find[kept](ctx, m.all, bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "content.key", Value: some}}, bson.D{{Key: "thumbnail.key", Value: some}},
	}}})
}

// newestOf reads the newest of an owner.
func (m mongoStore) newestOf(ctx context.Context, owner ref.Ref, n int) ([]kept, error) {
	return store.Find[kept](ctx, m.all, store.Points("owner", owner), options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(int64(n)))
}

// Follower hears of documents that are gone and lets [Service.Run] remove their content. Every node hears of it; one does it.
func (s *Service) Follower() event.Follower {
	return event.Follower{
		Name: "attachment",
		OnEvent: func(ctx context.Context, e event.Event, _ bson.Timestamp) {
			if e.On.Type != ref.Attachment || e.Kind != "registry.document.deleted" && e.Kind != "registry.document.purged" {
				return
			}
			select {
			case s.gone <- e.On.ID:
			default: // the sweep finds it
				s.Log.WarnContext(ctx, "attachment_left_for_the_sweep", "document", e.On.ID, "error", "too many go at once")
			}
		},
	}
}
