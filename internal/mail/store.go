package mail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
)

const collection = "outbox"

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		{Name: "due", Keys: []string{"state", "dueAt"}},
		{Name: "state", Keys: []string{"state", "_id"}},
		{Name: "expiresAt", Keys: []string{"expiresAt"}, Expires: true},
	}}}
}

// The states of a letter.
const (
	stateWaiting = "waiting" // to be sent, now or later
	stateSent    = "sent"
	stateDead    = "dead" // given up
	stateKept    = "kept" // in the mailbox
)

// letter is a mail in the outbox.
type letter struct {
	ID        string     `bson:"_id"`
	To        string     `bson:"to"`
	Locale    string     `bson:"locale"`
	Template  string     `bson:"template"`
	State     string     `bson:"state"`
	Body      []byte     `bson:"body,omitempty"` // sealed
	Tries     int        `bson:"tries"`          // attempts begun
	Fence     int64      `bson:"fence"`          // +1 each time somebody takes it: who wrote down less has lost it
	QueuedAt  time.Time  `bson:"queuedAt"`
	DueAt     time.Time  `bson:"dueAt"`
	EndedAt   *time.Time `bson:"endedAt,omitempty"` // sent or dead
	Error     string     `bson:"error,omitempty"`   // of the last attempt
	ExpiresAt *time.Time `bson:"expiresAt,omitempty"`
}

type mongoStore struct{ outbox *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{outbox: db.Collection(collection)} }

func (m *mongoStore) insert(ctx context.Context, l letter) error {
	if _, err := m.outbox.InsertOne(ctx, l); err != nil {
		return fmt.Errorf("insert mail %s: %w", l.ID, store.Translate(err))
	}
	return nil
}

// claim takes the letter that has been due for the longest, until the given time. It reports false when none is due. One
// read and write by index, atomic: of many who ask, one gets it.
func (m *mongoStore) claim(ctx context.Context, now, until time.Time) (l letter, found bool, err error) {
	raw, err := m.outbox.FindOneAndUpdate(ctx,
		bson.D{{Key: "state", Value: stateWaiting}, {Key: "dueAt", Value: bson.D{{Key: "$lte", Value: now}}}},
		bson.D{
			{Key: "$set", Value: bson.D{{Key: "dueAt", Value: until}}},
			{Key: "$inc", Value: bson.D{{Key: "tries", Value: 1}, {Key: "fence", Value: int64(1)}}},
		},
		options.FindOneAndUpdate().SetSort(bson.D{{Key: "dueAt", Value: 1}}).SetReturnDocument(options.After)).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return l, false, nil
	case err != nil:
		return l, false, store.Wrap("claim mail", err)
	}
	l, err = store.Decode[letter](raw)
	return l, err == nil, err
}

// delivered marks a claimed letter as sent and forgets what it said. Like the others below it reports false when the lease
// was lost to somebody else.
func (m *mongoStore) delivered(ctx context.Context, l letter, at, expires time.Time) (bool, error) {
	return m.settle(ctx, l, bson.D{
		{Key: "$set", Value: bson.D{{Key: "state", Value: stateSent}, {Key: "endedAt", Value: at}, {Key: "expiresAt", Value: expires}}},
		{Key: "$unset", Value: bson.D{{Key: "body", Value: ""}, {Key: "error", Value: ""}}},
	})
}

// postpone gives a claimed letter back for another attempt at due.
func (m *mongoStore) postpone(ctx context.Context, l letter, due time.Time, reason string) (bool, error) {
	return m.settle(ctx, l, bson.D{{Key: "$set", Value: bson.D{{Key: "dueAt", Value: due}, {Key: "error", Value: reason}}}})
}

// release gives a claimed letter back as if it had not been taken: the attempt was cut short.
func (m *mongoStore) release(ctx context.Context, l letter, now time.Time) (bool, error) {
	return m.settle(ctx, l, bson.D{
		{Key: "$set", Value: bson.D{{Key: "dueAt", Value: now}}},
		{Key: "$inc", Value: bson.D{{Key: "tries", Value: -1}}},
	})
}

// bury gives a claimed letter up. It keeps what it says, sealed, for somebody may yet order another attempt.
func (m *mongoStore) bury(ctx context.Context, l letter, at, expires time.Time, reason string) (bool, error) {
	return m.settle(ctx, l, bson.D{{Key: "$set", Value: bson.D{
		{Key: "state", Value: stateDead}, {Key: "endedAt", Value: at}, {Key: "expiresAt", Value: expires}, {Key: "error", Value: reason},
	}}})
}

func (m *mongoStore) settle(ctx context.Context, l letter, change bson.D) (bool, error) {
	res, err := m.outbox.UpdateOne(ctx, bson.D{{Key: "_id", Value: l.ID}, {Key: "state", Value: stateWaiting}, {Key: "fence", Value: l.Fence}}, change)
	if err != nil {
		return false, fmt.Errorf("settle mail %s: %w", l.ID, store.Translate(err))
	}
	return res.MatchedCount == 1, nil
}

// revive makes a dead letter wait again, with all of its tries.
//
// Errors: NOT_FOUND.
func (m *mongoStore) revive(ctx context.Context, id string, now time.Time) error {
	res, err := m.outbox.UpdateOne(ctx, bson.D{store.Eq("_id", id), {Key: "state", Value: stateDead}}, bson.D{
		{Key: "$set", Value: bson.D{{Key: "state", Value: stateWaiting}, {Key: "dueAt", Value: now}, {Key: "tries", Value: 0}}},
		{Key: "$unset", Value: bson.D{{Key: "endedAt", Value: ""}, {Key: "expiresAt", Value: ""}, {Key: "error", Value: ""}}},
	})
	switch {
	case err != nil:
		return fmt.Errorf("retry mail: %w", store.Translate(err))
	case res.MatchedCount == 0:
		return fault.ErrNotFound
	}
	return nil
}

// page reads the letters in a state, newest first.
func (m *mongoStore) page(ctx context.Context, state string, args page.Args) (page.Page[letter], error) {
	w, err := args.Check(1)
	if err != nil {
		return page.Page[letter]{}, err
	}
	read, err := store.FindPage[letter](ctx, m.outbox, bson.D{{Key: "state", Value: state}}, w, store.Key{Field: "_id", Desc: true})
	if err != nil {
		return page.Page[letter]{}, err
	}
	return page.Fold(w, read, func(l letter) page.Cursor { return page.Cursor{l.ID} }), nil
}

// trim deletes all mails of the mailbox but the newest n.
func (m *mongoStore) trim(ctx context.Context, n int) error {
	oldest, err := store.FindOne[letter](ctx, m.outbox, bson.D{{Key: "state", Value: stateKept}},
		options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}}).SetSkip(int64(n)))
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return nil
	case err != nil:
		return err
	}
	_, err = m.outbox.DeleteMany(ctx, bson.D{{Key: "state", Value: stateKept}, {Key: "_id", Value: bson.D{{Key: "$lte", Value: oldest.ID}}}})
	return store.Wrap("trim mailbox", err)
}

// tally is how many letters there are in a state, and since when the oldest.
type tally struct {
	State  string    `bson:"_id"`
	N      int       `bson:"n"`
	Oldest time.Time `bson:"oldest"`
}

// tallies counts what has not arrived, by state. One aggregation over the index by state.
func (m *mongoStore) tallies(ctx context.Context) (map[string]tally, error) {
	all, err := store.Aggregate[tally](ctx, m.outbox, mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "state", Value: bson.D{{Key: "$in", Value: bson.A{stateWaiting, stateDead}}}}}}},
		{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: "$state"},
			{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
			{Key: "oldest", Value: bson.D{{Key: "$min", Value: "$queuedAt"}}},
		}}},
	})
	if err != nil {
		return nil, err
	}
	by := make(map[string]tally, len(all))
	for _, t := range all {
		by[t.State] = t
	}
	return by, nil
}
