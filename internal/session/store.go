package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/token"
)

const collection = "sessions"

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{
		{Name: collection, Indexes: []store.Index{
			{Name: "tokenHash", Keys: []string{"tokenHash"}, Unique: true},
			{Name: "prevHash", Keys: []string{"prevHash"}, Unique: true, Partial: bson.D{exists("prevHash")}},
			{Name: "user", Keys: []string{"user", "_id"}},
			{Name: "acting", Keys: []string{"expiresAt"}, Partial: bson.D{exists("impersonator"), notEnded()}},
			{Name: "open", Keys: []string{"user", "expiresAt"}, Partial: bson.D{notEnded()}},
			{Name: "keys", Keys: []string{"user", "_id"}, Partial: bson.D{{Key: "kind", Value: KindKey}}},
		}},
		{Name: refreshCollection, Indexes: []store.Index{
			{Name: "session_spentAt", Keys: []string{"session", "spentAt"}},
			{Name: "user", Keys: []string{"user"}},
			{Name: "expiresAt", Keys: []string{"expiresAt"}, Expires: true},
		}},
		{Name: ownerCollection},
		{Name: deviceCollection, Indexes: []store.Index{
			{Name: "tokenHash_user", Keys: []string{"tokenHash", "user"}, Unique: true},
			{Name: "user", Keys: []string{"user"}},
		}},
	}
}

// Follower is what the node's change stream must feed: sessions that end or change on other nodes do so here too.
func (s *Service) Follower() event.Follower {
	return event.Follower{
		Name: "session",
		OnEvent: func(_ context.Context, e event.Event, _ bson.Timestamp) {
			switch e.Kind {
			case kindEnded, kindKeyRevoked:
				s.cache.forget(e.On.ID)
			case kindElevated, kindRenamed, kindRenewed:
				s.cache.refresh(e.On.ID)
			case kindRoleActivated, kindRoleReset:
				s.turned(e.On.ID)
			}
		},
		OnLost: func(context.Context) { s.cache.doubt() },
	}
}

// record is a session or a key as stored. It never leaves this package.
type record struct {
	Session `bson:",inline"`
	Tokens  tokens   `bson:",inline"`
	Name    string   `bson:"name,omitempty"`   // of keys
	Hint    string   `bson:"hint,omitempty"`   // of keys
	Scopes  []string `bson:"scopes,omitempty"` // of keys
}

// scoped is the session with its limits. A kind this version does not know may do nothing.
func (r record) scoped() Session {
	if r.Kind != Interactive {
		r.Scope = actor.NewScope(r.Scopes...)
	}
	return r.Session
}

type mongoStore struct{ sessions, refreshes, owners, devices *mongo.Collection }

func newStore(db *store.DB) *mongoStore {
	return &mongoStore{db.Collection(collection), db.Collection(refreshCollection), db.Collection(ownerCollection), db.Collection(deviceCollection)}
}

func (m *mongoStore) insert(ctx context.Context, r record) error {
	if _, err := m.sessions.InsertOne(ctx, r); err != nil {
		return fmt.Errorf("insert session %s: %w", r.ID, store.Translate(err))
	}
	return nil
}

// byDigest reads the session of a token or key. One read by two unique indexes.
//
// Errors: SESSION_ENDED.
func (m *mongoStore) byDigest(ctx context.Context, d token.Digest) (known, error) {
	r, err := store.FindOne[record](ctx, m.sessions, digestIs(d))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return known{}, ErrEnded
	}
	return known{r.scoped(), r.Tokens.passes()}, err
}

func digestIs(d token.Digest) bson.D {
	return bson.D{{Key: "$or", Value: bson.A{bson.D{store.Eq("tokenHash", d[:])}, bson.D{store.Eq("prevHash", d[:])}}}}
}

func (m *mongoStore) byID(ctx context.Context, id string) (r record, found bool, err error) {
	r, err = store.FindByID[record](ctx, m.sessions, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return r, false, nil
	}
	return r, err == nil, err
}

func (m *mongoStore) byIDs(ctx context.Context, ids []string) (map[string]record, error) {
	return store.FindByIDs(ctx, m.sessions, ids, func(r record) string { return r.ID })
}

// openOf reads the sessions and keys of a user that nobody has ended and whose time is not up.
func (m *mongoStore) openOf(ctx context.Context, user string, at time.Time) ([]Session, error) {
	return store.Find[Session](ctx, m.sessions, openAt(user, at))
}

// openAt is served by the index "open", however many sessions of the user are history.
func openAt(user string, at time.Time) bson.D {
	return bson.D{store.Eq("user", user), notEnded(), {Key: "expiresAt", Value: bson.D{{Key: "$gt", Value: at}}}}
}

// end marks a session that was read in the same transaction as ended.
func (m *mongoStore) end(ctx context.Context, id string, at time.Time) error {
	return m.change(ctx, "end", id, "$set", bson.D{{Key: "endedAt", Value: at}})
}

// renew replaces the tokens of a session that was read in the same transaction, and writes down what was proved of it.
func (m *mongoStore) renew(ctx context.Context, s Session, t tokens) error {
	set := bson.D{
		{Key: "authAt", Value: s.AuthAt},
		{Key: "methods", Value: s.Methods},
		{Key: "level", Value: s.Level},
		{Key: "tokenHash", Value: t.Hash},
	}
	unset := bson.D{{Key: "prevHash", Value: ""}, {Key: "prevUntil", Value: ""}}
	if t.Until != nil {
		set = append(set, bson.E{Key: "tokenUntil", Value: t.Until})
	}
	return m.update(ctx, "renew", s.ID, bson.D{{Key: "$set", Value: set}, {Key: "$unset", Value: unset}})
}

// change changes a session that nobody has ended.
func (m *mongoStore) change(ctx context.Context, what, id, op string, fields bson.D) error {
	return m.update(ctx, what, id, bson.D{{Key: op, Value: fields}})
}

// update changes a session that nobody has ended. Somebody has when none is changed: that aborts the transaction.
func (m *mongoStore) update(ctx context.Context, what, id string, how bson.D) error {
	res, err := m.sessions.UpdateOne(ctx, bson.D{store.Eq("_id", id), notEnded()}, how)
	switch {
	case err != nil:
		return fmt.Errorf("%s session %s: %w", what, id, store.Translate(err))
	case res.MatchedCount == 0:
		return ErrEnded
	}
	return nil
}

// deleteOf deletes everything of a user.
func (m *mongoStore) deleteOf(ctx context.Context, user string) error {
	if _, err := m.sessions.DeleteMany(ctx, bson.D{store.Eq("user", user)}); err != nil {
		return fmt.Errorf("delete sessions of %s: %w", user, store.Translate(err))
	}
	if _, err := m.refreshes.DeleteMany(ctx, bson.D{store.Eq("user", user)}); err != nil {
		return fmt.Errorf("delete refresh tokens of %s: %w", user, store.Translate(err))
	}
	if _, err := m.owners.DeleteOne(ctx, bson.D{store.Eq("_id", user)}); err != nil {
		return fmt.Errorf("delete owner of keys %s: %w", user, store.Translate(err))
	}
	_, err := m.deleteDevices(ctx, user)
	return err
}

// touch writes down uses. The later one wins whatever the order they come in, and no use revives an ended session. idle is
// how long a session without a limit of its own may be unused.
func (m *mongoStore) touch(ctx context.Context, uses map[string]Session, idle time.Duration) error {
	writes := make([]mongo.WriteModel, 0, len(uses))
	for id, s := range uses {
		writes = append(writes, mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: id}, notEnded()}).
			SetUpdate(bson.D{{Key: "$max", Value: bson.D{{Key: "lastSeenAt", Value: s.LastSeenAt}, {Key: "idleUntil", Value: s.IdleUntil}}}}))
		if s.Parent != "" {
			writes = append(writes, useOfParent(s, idle))
		}
	}
	if _, err := m.sessions.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("write last use of sessions: %w", store.Translate(err))
	}
	return nil
}

func exists(field string) bson.E {
	return bson.E{Key: field, Value: bson.D{{Key: "$exists", Value: true}}}
}

// notEnded is in the form that a partial index may have as well.
func notEnded() bson.E { return store.Eq("endedAt", nil) }
