package session

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/store"
)

// impersonationsBy reads the sessions in which the user acts as somebody else that nobody has ended and whose time is not up.
func (m *mongoStore) impersonationsBy(ctx context.Context, user string, at time.Time) ([]Session, error) {
	return store.Find[Session](ctx, m.sessions, actingAt(at, store.Eq("impersonator", user)))
}

// countImpersonation writes to the session from which one begins: to write what is there already would be no write, and
// collide with nothing.
func (m *mongoStore) countImpersonation(ctx context.Context, parent string) error {
	return m.change(ctx, "count impersonation of", parent, "$inc", bson.D{{Key: "impersonations", Value: 1}})
}

func (m *mongoStore) impersonations(ctx context.Context, at time.Time) ([]Session, error) {
	return store.Find[Session](ctx, m.sessions, actingAt(at, exists("impersonator")))
}

// actingAt is served by the index "acting", which leads past whatever number of impersonations is history: of those that
// nobody has ended, none ends later than an hour from now.
func actingAt(at time.Time, who bson.E) bson.D {
	return bson.D{who, notEnded(), {Key: "expiresAt", Value: bson.D{{Key: "$gt", Value: at}}}}
}

// useOfParent is the write by which the use of an impersonation counts as one of the session it was begun from, as long as
// that has not been idle for too long itself; idle is how long one without a limit of its own may be.
func useOfParent(one Session, idle time.Duration) mongo.WriteModel {
	own := bson.D{{Key: "$ifNull", Value: bson.A{"$idleFor", idle}}}
	until := bson.D{{Key: "$add", Value: bson.A{one.LastSeenAt, bson.D{{Key: "$divide", Value: bson.A{own, time.Millisecond}}}}}}
	return mongo.NewUpdateOneModel().
		SetFilter(bson.D{store.Eq("_id", one.Parent), notEnded(), {Key: "idleUntil", Value: bson.D{{Key: "$gt", Value: one.LastSeenAt}}}}).
		SetUpdate(mongo.Pipeline{{{Key: "$set", Value: bson.D{
			{Key: "lastSeenAt", Value: bson.D{{Key: "$max", Value: bson.A{"$lastSeenAt", one.LastSeenAt}}}},
			{Key: "idleUntil", Value: bson.D{{Key: "$max", Value: bson.A{
				"$idleUntil", bson.D{{Key: "$min", Value: bson.A{"$expiresAt", until}}},
			}}}},
		}}}})
}
