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

// liveAt matches the sessions of people, no keys, that count at that time: [Session.Live] as a filter, but for limits that
// have become stricter since.
func liveAt(user string, at time.Time) bson.D {
	return append(openAt(user, at), store.Eq("kind", nil), bson.E{Key: "idleUntil", Value: bson.D{{Key: "$gt", Value: at}}})
}

func (m *mongoStore) listOf(ctx context.Context, user string, at time.Time, w page.Window) ([]Session, error) {
	return store.FindPage[Session](ctx, m.sessions, liveAt(user, at), w, store.Key{Field: "_id", Desc: true})
}

// liveOf reads the live sessions of a user themself, the least recently used first.
func (m *mongoStore) liveOf(ctx context.Context, user string, at time.Time) ([]Session, error) {
	return store.Find[Session](ctx, m.sessions, append(liveAt(user, at), store.Eq("impersonator", nil)),
		options.Find().SetSort(bson.D{{Key: "lastSeenAt", Value: 1}, {Key: "_id", Value: 1}}))
}

// rename writes down the name of a session that was read in the same transaction; an empty one is taken away.
func (m *mongoStore) rename(ctx context.Context, id, name string) error {
	op := "$set"
	if name == "" {
		op = "$unset"
	}
	return m.change(ctx, "rename", id, op, bson.D{{Key: "label", Value: name}})
}

// countStart raises the upper bound of a user's live sessions by one and gives it. As every start writes this document, of
// two at once one is tried again and then sees what the other did.
func (m *mongoStore) countStart(ctx context.Context, user string) (int, error) {
	raw, err := m.owners.FindOneAndUpdate(ctx, bson.D{store.Eq("_id", user)},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "open", Value: 1}}}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	if err != nil {
		return 0, fmt.Errorf("count sessions of %s: %w", user, store.Translate(err))
	}
	owner, err := store.Decode[struct {
		Open int `bson:"open"`
	}](raw)
	return owner.Open, store.Wrap("decode owner", err)
}

// setBound puts down how many live sessions a user has at most, in the transaction that counted them.
func (m *mongoStore) setBound(ctx context.Context, user string, n int) error {
	_, err := m.owners.UpdateOne(ctx, bson.D{store.Eq("_id", user)}, bson.D{{Key: "$set", Value: bson.D{{Key: "open", Value: n}}}})
	if err != nil {
		return fmt.Errorf("set count of sessions of %s: %w", user, store.Translate(err))
	}
	return nil
}

func (m *mongoStore) setRole(ctx context.Context, id, role string) error {
	op := "$set"
	if role == "" {
		op = "$unset"
	}
	return m.change(ctx, "set role", id, op, bson.D{{Key: "role", Value: role}})
}
