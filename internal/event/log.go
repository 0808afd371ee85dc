package event

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Event is one fact. Kinds read domain.noun.verb-past, such as "plan.membership.changed", and never change their meaning.
// Data is what the fact says of the object, before and after where both matter, and never holds a secret.
type Event struct {
	ID        string    `bson:"_id"`
	Kind      string    `bson:"kind"`
	On        ref.Ref   `bson:"on"`
	At        time.Time `bson:"at"`
	Actor     Actor     `bson:"actor"`
	RequestID string    `bson:"requestId,omitempty"`
	IP        string    `bson:"ip,omitempty"`
	Data      bson.Raw  `bson:"data,omitempty"`
}

// Actor is who did it, as recorded.
type Actor struct {
	User         string `bson:"user,omitempty"`
	Session      string `bson:"session,omitempty"`
	Key          string `bson:"key,omitempty"` // access key
	Impersonator string `bson:"impersonator,omitempty"`
	System       bool   `bson:"system,omitempty"`
}

// errOutside is a mistake of the programmer: a fact must commit with the change it tells of.
var errOutside = errors.New("event: Append outside a transaction")

const collection = "events"

// Collections declares the log for the migration.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		{Name: "on_newest", Keys: []string{"on.type", "on.id", "-_id"}},
		{Name: "actor_newest", Keys: []string{"actor.user", "-_id"}},
	}}}
}

// Log appends facts and reads them back.
type Log struct {
	db  *store.DB
	now clock.Clock
}

// NewLog makes the log of one database.
func NewLog(db *store.DB, now clock.Clock) *Log { return &Log{db: db, now: now} }

// Append records that something happened to on, by the actor and the request of ctx. It must be called inside
// [store.DB.InTx]; data is any value BSON can hold, or nil. Cost: one insert.
func (l *Log) Append(ctx context.Context, kind string, on ref.Ref, data any) error {
	if !store.InTransaction(ctx) {
		return errOutside
	}
	a, r := actor.From(ctx), actor.RequestFrom(ctx)
	e := Event{
		ID: ref.NewID(), Kind: kind, On: on, At: l.now(), RequestID: r.ID, IP: r.IP,
		Actor: Actor{User: a.User, Session: a.Session, Key: a.Key, Impersonator: a.Impersonator, System: a.System},
	}
	if data != nil {
		raw, err := bson.Marshal(data)
		if err != nil {
			return fmt.Errorf("event %s: %w", kind, err)
		}
		e.Data = raw
	}
	if _, err := l.db.Collection(collection).InsertOne(ctx, e); err != nil {
		return fmt.Errorf("append event %s: %w", kind, store.Translate(err))
	}
	return nil
}

// On reads the facts about one object, newest first.
func (l *Log) On(ctx context.Context, on ref.Ref, args page.Args) (page.Page[Event], error) {
	return l.read(ctx, store.Points("on", on), args)
}

// Around reads the facts of some domains (the first words of their kinds) about a user and by them, newest first. One
// find: the server merges two indexes that both end with the order asked for.
func (l *Log) Around(ctx context.Context, user string, domains []string, args page.Args) (page.Page[Event], error) {
	kinds := make(bson.A, len(domains))
	for i, d := range domains {
		kinds[i] = bson.Regex{Pattern: "^" + regexp.QuoteMeta(d+".")}
	}
	return l.read(ctx, bson.D{
		{Key: "$or", Value: bson.A{store.Points("on", ref.New(ref.User, user)), bson.D{store.Eq("actor.user", user)}}},
		{Key: "kind", Value: bson.D{{Key: "$in", Value: kinds}}},
	}, args)
}

// Since reads up to n facts that happened at a time or later, in the order of their ids, which are made as things happen: one
// may commit after another of a greater id. after is the id to go on after; empty for the first. One find by id.
func (l *Log) Since(ctx context.Context, from time.Time, after string, n int) ([]Event, error) {
	if first := firstID(from); after < first {
		after = first
	}
	return store.Find[Event](ctx, l.db.Collection(collection), bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(n)))
}

// firstID sorts before all ids of that millisecond and later, and after all before it: a UUID of version 7 begins with its
// time.
func firstID(at time.Time) string {
	hex := fmt.Sprintf("%012x", max(at.UnixMilli(), 0))
	return hex[:8] + "-" + hex[8:]
}

func (l *Log) read(ctx context.Context, filter bson.D, args page.Args) (page.Page[Event], error) {
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Event]{}, err
	}
	read, err := store.FindPage[Event](ctx, l.db.Collection(collection), filter, w, store.Key{Field: "_id", Desc: true})
	if err != nil {
		return page.Page[Event]{}, err
	}
	return page.Fold(w, read, func(e Event) page.Cursor { return page.Cursor{e.ID} }), nil
}
