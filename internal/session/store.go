package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
)

const collection = "sessions"

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		{Name: "tokenHash", Keys: []string{"tokenHash"}, Unique: true},
		{Name: "user", Keys: []string{"user", "_id"}},
	}}}
}

// Follower is what the node's change stream must feed: sessions that end on other nodes end here too.
func (s *Service) Follower() event.Follower {
	return event.Follower{
		Name: "session",
		OnEvent: func(_ context.Context, e event.Event, _ bson.Timestamp) {
			if e.Kind == kindEnded {
				s.cache.forget(e.On.ID)
			}
		},
		OnLost: func(context.Context) { s.cache.doubt() },
	}
}

// record is a session as stored. It never leaves this package.
type record struct {
	Session   `bson:",inline"`
	TokenHash []byte `bson:"tokenHash"`
}

type mongoStore struct{ sessions *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{sessions: db.Collection(collection)} }

func (m *mongoStore) insert(ctx context.Context, s Session, d digest) error {
	if _, err := m.sessions.InsertOne(ctx, record{s, d[:]}); err != nil {
		return fmt.Errorf("insert session %s: %w", s.ID, store.Translate(err))
	}
	return nil
}

// byDigest reads the session of a token. One read by unique index.
//
// Errors: SESSION_ENDED.
func (m *mongoStore) byDigest(ctx context.Context, d digest) (Session, error) {
	s, err := store.FindOne[Session](ctx, m.sessions, bson.D{{Key: "tokenHash", Value: bson.D{{Key: "$eq", Value: d[:]}}}})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return s, ErrEnded
	}
	return s, err
}

func (m *mongoStore) byID(ctx context.Context, id string) (s Session, found bool, err error) {
	s, err = store.FindByID[Session](ctx, m.sessions, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return s, false, nil
	}
	return s, err == nil, err
}

func (m *mongoStore) byIDs(ctx context.Context, ids []string) (map[string]Session, error) {
	return store.FindByIDs(ctx, m.sessions, ids, func(s Session) string { return s.ID })
}

// openOf reads the sessions of a user that nobody has ended and whose time is not up.
func (m *mongoStore) openOf(ctx context.Context, user string, at time.Time) ([]Session, error) {
	return store.Find[Session](ctx, m.sessions, bson.D{
		{Key: "user", Value: bson.D{{Key: "$eq", Value: user}}}, notEnded(), {Key: "expiresAt", Value: bson.D{{Key: "$gt", Value: at}}},
	})
}

// end marks a session as ended. It reports false when it was before.
func (m *mongoStore) end(ctx context.Context, id string, at time.Time) (bool, error) {
	res, err := m.sessions.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}, notEnded()}, bson.D{{Key: "$set", Value: bson.D{{Key: "endedAt", Value: at}}}})
	if err != nil {
		return false, fmt.Errorf("end session %s: %w", id, store.Translate(err))
	}
	return res.ModifiedCount == 1, nil
}

// touch writes down uses. The later one wins whatever the order they come in, and no use revives an ended session.
func (m *mongoStore) touch(ctx context.Context, uses map[string]Session) error {
	writes := make([]mongo.WriteModel, 0, len(uses))
	for id, s := range uses {
		writes = append(writes, mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: id}, notEnded()}).
			SetUpdate(bson.D{{Key: "$max", Value: bson.D{{Key: "lastSeenAt", Value: s.LastSeenAt}, {Key: "idleUntil", Value: s.IdleUntil}}}}))
	}
	if _, err := m.sessions.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("write last use of sessions: %w", store.Translate(err))
	}
	return nil
}

func notEnded() bson.E { return bson.E{Key: "endedAt", Value: bson.D{{Key: "$exists", Value: false}}} }
