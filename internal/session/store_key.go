package session

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
)

const ownerCollection = "key_owners" // who starts sessions queues there as well: see countStart

// key is the access key that the record holds.
func (r record) key() Key {
	k := Key{
		ID: r.ID, User: r.User, Name: r.Name, Hint: r.Hint, Scopes: r.Scopes,
		CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt, EndedAt: r.EndedAt,
	}
	if !r.LastSeenAt.IsZero() {
		k.LastUsedAt = &r.LastSeenAt
	}
	return k
}

// queueForKeys makes transactions that mint keys for one user wait for one another: each writes the same document, so of
// two at once one is tried again and then counts the other's key.
func (m *mongoStore) queueForKeys(ctx context.Context, user string) error {
	_, err := m.owners.UpdateOne(ctx, bson.D{store.Eq("_id", user)},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "minted", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("queue for keys of %s: %w", user, store.Translate(err))
	}
	return nil
}

// countKeys counts the live keys of a user, to MaxKeys.
func (m *mongoStore) countKeys(ctx context.Context, user string, at time.Time) (int, error) {
	n, err := m.sessions.CountDocuments(ctx, append(keysOf(user), notEnded(),
		bson.E{Key: "expiresAt", Value: bson.D{{Key: "$gt", Value: at}}}), options.Count().SetLimit(MaxKeys))
	if err != nil {
		return 0, fmt.Errorf("count keys of %s: %w", user, store.Translate(err))
	}
	return int(n), nil
}

func (m *mongoStore) keysOf(ctx context.Context, user string, w page.Window) ([]Key, error) {
	read, err := store.FindPage[record](ctx, m.sessions, keysOf(user), w, store.Key{Field: "_id", Desc: true})
	keys := make([]Key, len(read))
	for i, r := range read {
		keys[i] = r.key()
	}
	return keys, err
}

func keysOf(user string) bson.D {
	return bson.D{store.Eq("user", user), store.Eq("kind", KindKey)}
}
