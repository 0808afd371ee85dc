package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/token"
)

const refreshCollection = "refresh_tokens"

// refreshToken reads one link of a family. One read by id.
//
// Errors: SESSION_ENDED.
func (m *mongoStore) refreshToken(ctx context.Context, d token.Digest) (refreshToken, error) {
	r, err := store.FindOne[refreshToken](ctx, m.refreshes, bson.D{store.Eq("_id", d[:])})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return r, ErrEnded
	}
	return r, err
}

func (m *mongoStore) insertRefresh(ctx context.Context, r refreshToken) error {
	if _, err := m.refreshes.InsertOne(ctx, r); err != nil {
		return fmt.Errorf("insert refresh token of session %s: %w", r.Session, store.Translate(err))
	}
	return nil
}

// spend uses a link up that was read as unused in the same transaction.
func (m *mongoStore) spend(ctx context.Context, r refreshToken, salt []byte, at time.Time) error {
	_, err := m.refreshes.UpdateOne(ctx, bson.D{store.Eq("_id", r.Hash)},
		bson.D{{Key: "$set", Value: bson.D{{Key: "spentAt", Value: at}, {Key: "salt", Value: salt}}}})
	if err != nil {
		return fmt.Errorf("use up a refresh token of session %s: %w", r.Session, store.Translate(err))
	}
	return nil
}

// dropUnspent deletes the newest link of a family. Those that were used stay: a copy of one still gives itself away.
func (m *mongoStore) dropUnspent(ctx context.Context, session string) error {
	_, err := m.refreshes.DeleteMany(ctx, bson.D{store.Eq("session", session), store.Eq("spentAt", nil)})
	if err != nil {
		return fmt.Errorf("drop refresh token of session %s: %w", session, store.Translate(err))
	}
	return nil
}

// rotate writes down the next tokens and the use of a session that was read in the same transaction.
func (m *mongoStore) rotate(ctx context.Context, s Session, t tokens) error {
	return m.update(ctx, "rotate tokens of", s.ID, bson.D{
		{Key: "$set", Value: bson.D{
			{Key: "tokenHash", Value: t.Hash},
			{Key: "tokenUntil", Value: t.Until},
			{Key: "prevHash", Value: t.PrevHash},
			{Key: "prevUntil", Value: t.PrevUntil},
		}},
		{Key: "$max", Value: bson.D{{Key: "lastSeenAt", Value: s.LastSeenAt}, {Key: "idleUntil", Value: s.IdleUntil}}},
	})
}
