package ticket

import (
	"context"
	"crypto/subtle"
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

const collection = "tickets"

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: collection, Indexes: []store.Index{
		{Name: "flowHash", Keys: []string{"flowHash"}, Unique: true},
		{Name: "linkHash", Keys: []string{"linkHash"}, Unique: true, Partial: bson.D{mailed()}},
		{Name: "subject_kind", Keys: []string{"subject", "kind", "-_id"}},
		{Name: "kind_newest", Keys: []string{"kind", "-_id"}},
		{Name: "expiresAt", Keys: []string{"expiresAt"}, Expires: true},
	}}}
}

// Raw is data of a flow as stored: a BSON document.
type Raw = bson.Raw

// encode makes data a document; nil becomes the empty one.
func encode(data any) (Raw, error) {
	if data == nil {
		data = bson.D{}
	}
	raw, err := bson.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("ticket: data: %w", err)
	}
	return raw, nil
}

// Decode reads the data of the ticket into v, a pointer to what [Request] was given.
func (t Ticket) Decode(v any) error {
	if err := bson.Unmarshal(t.Data, v); err != nil {
		return fmt.Errorf("ticket: data of kind %s: %w", string(t.Kind), err)
	}
	return nil
}

// record is a ticket as stored. It never leaves this package.
type record struct {
	Ticket `bson:",inline"`
	Hashes digests `bson:",inline"`
	Rev    int     `bson:"rev"`
	Tries  int     `bson:"tries,omitempty"` // wrong codes left
}

// ticket is what the service may see.
func (r record) ticket() Ticket {
	t := r.Ticket
	t.rev = r.Rev
	return t
}

type mongoStore struct{ tickets *mongo.Collection }

func newStore(db *store.DB) *mongoStore { return &mongoStore{tickets: db.Collection(collection)} }

func live(at time.Time) bson.E {
	return bson.E{Key: "expiresAt", Value: bson.D{{Key: "$gt", Value: at}}}
}

func mailed() bson.E { return bson.E{Key: "linkHash", Value: bson.D{{Key: "$exists", Value: true}}} }

func notMailed() bson.E {
	return bson.E{Key: "linkHash", Value: bson.D{{Key: "$exists", Value: false}}}
}

// held matches the live ticket of a kind that has these secrets, the code left aside. One of them is given.
func held(kind Kind, at time.Time, d digests) bson.D {
	filter := bson.D{store.Eq("kind", kind), live(at)}
	if d.Flow != nil {
		filter = append(filter, store.Eq("flowHash", d.Flow))
	}
	if d.Link != nil {
		filter = append(filter, store.Eq("linkHash", d.Link))
	}
	return filter
}

// unchanged matches the live ticket that is still as t was read.
func unchanged(t Ticket, at time.Time) bson.D {
	return bson.D{store.Eq("_id", t.ID), store.Eq("rev", t.rev), live(at)}
}

func (m *mongoStore) insert(ctx context.Context, r record) error {
	if _, err := m.tickets.InsertOne(ctx, r); err != nil {
		return fmt.Errorf("insert ticket %s: %w", r.ID, store.Translate(err))
	}
	return nil
}

// find reads the live ticket that has these secrets.
//
// Errors: TICKET_INVALID.
func (m *mongoStore) find(ctx context.Context, kind Kind, at time.Time, d digests, also ...bson.E) (Ticket, error) {
	r, err := store.FindOne[record](ctx, m.tickets, append(held(kind, at, d), also...))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Ticket{}, ErrInvalid
	}
	return r.ticket(), err
}

// try compares a code. The server takes one of the tries in the same step if it is wrong, so guesses that come at once are
// counted one by one, and none is answered before it is. A right code changes nothing.
//
// Errors: TICKET_INVALID.
func (m *mongoStore) try(ctx context.Context, kind Kind, at time.Time, d digests) (Ticket, error) {
	left := bson.E{Key: "tries", Value: bson.D{{Key: "$gt", Value: 0}}}
	right := bson.D{{Key: "$eq", Value: bson.A{"$codeHash", d.Code}}}
	oneLess := bson.D{{Key: "$subtract", Value: bson.A{"$tries", 1}}}
	raw, err := m.tickets.FindOneAndUpdate(ctx, append(held(kind, at, d), left), bson.A{bson.D{{Key: "$set", Value: bson.D{
		{Key: "tries", Value: bson.D{{Key: "$cond", Value: bson.A{right, "$tries", oneLess}}}},
	}}}}).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return Ticket{}, ErrInvalid
	case err != nil:
		return Ticket{}, fmt.Errorf("try a code: %w", store.Translate(err))
	}
	r, err := store.Decode[record](raw)
	if err != nil {
		return Ticket{}, fmt.Errorf("decode ticket: %w", err)
	}
	if subtle.ConstantTimeCompare(r.Hashes.Code, d.Code) != 1 {
		return Ticket{}, ErrInvalid
	}
	return r.ticket(), nil
}

// spend deletes the ticket if it is as it was.
//
// Errors: TICKET_INVALID.
func (m *mongoStore) spend(ctx context.Context, t Ticket, at time.Time) error {
	res, err := m.tickets.DeleteOne(ctx, unchanged(t, at))
	switch {
	case err != nil:
		return fmt.Errorf("spend ticket %s: %w", t.ID, store.Translate(err))
	case res.DeletedCount == 0:
		return ErrInvalid
	}
	return nil
}

// renew gives a mailed ticket other secrets for the mail.
//
// Errors: TICKET_INVALID.
func (m *mongoStore) renew(ctx context.Context, kind Kind, at time.Time, d digests) (Ticket, error) {
	raw, err := m.tickets.FindOneAndUpdate(ctx, append(held(kind, at, digests{Flow: d.Flow}), mailed()), bson.D{
		{Key: "$set", Value: bson.D{{Key: "linkHash", Value: d.Link}, {Key: "codeHash", Value: d.Code}, {Key: "tries", Value: Tries}}},
		{Key: "$inc", Value: bson.D{{Key: "rev", Value: 1}}},
	}, options.FindOneAndUpdate().SetReturnDocument(options.After)).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return Ticket{}, ErrInvalid
	case err != nil:
		return Ticket{}, fmt.Errorf("renew ticket: %w", store.Translate(err))
	}
	r, err := store.Decode[record](raw)
	return r.ticket(), err
}

// amend replaces the data of the ticket if it is as it was.
//
// Errors: TICKET_INVALID.
func (m *mongoStore) amend(ctx context.Context, t Ticket, data Raw, at time.Time) error {
	res, err := m.tickets.UpdateOne(ctx, unchanged(t, at), bson.D{
		{Key: "$set", Value: bson.D{{Key: "data", Value: data}}}, {Key: "$inc", Value: bson.D{{Key: "rev", Value: 1}}},
	})
	switch {
	case err != nil:
		return fmt.Errorf("amend ticket %s: %w", t.ID, store.Translate(err))
	case res.MatchedCount == 0:
		return ErrInvalid
	}
	return nil
}

// ofSubject matches the tickets of a subject, of these kinds or of all when there are none.
func ofSubject(subject string, kinds []Kind) bson.D {
	filter := bson.D{store.Eq("subject", subject)}
	if len(kinds) > 0 {
		filter = append(filter, bson.E{Key: "kind", Value: bson.D{{Key: "$in", Value: kinds}}})
	}
	return filter
}

func (m *mongoStore) deleteOf(ctx context.Context, subject string, kinds []Kind) (int, error) {
	res, err := m.tickets.DeleteMany(ctx, ofSubject(subject, kinds))
	if err != nil {
		return 0, fmt.Errorf("void tickets: %w", store.Translate(err))
	}
	return int(res.DeletedCount), nil
}

func (m *mongoStore) of(ctx context.Context, subject string, kinds []Kind, at time.Time) ([]Ticket, error) {
	return tickets(store.Find[record](ctx, m.tickets, append(ofSubject(subject, kinds), live(at)),
		options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(maxOf)))
}

func (m *mongoStore) list(ctx context.Context, kind Kind, w page.Window, at time.Time) ([]Ticket, error) {
	filter := bson.D{store.Eq("kind", kind), live(at)}
	return tickets(store.FindPage[record](ctx, m.tickets, filter, w, store.Key{Field: "_id", Desc: true}))
}

func tickets(read []record, err error) ([]Ticket, error) {
	if err != nil {
		return nil, err
	}
	all := make([]Ticket, len(read))
	for i, r := range read {
		all[i] = r.ticket()
	}
	return all, nil
}

// get reads a live ticket by id.
//
// Errors: NOT_FOUND.
func (m *mongoStore) get(ctx context.Context, kind Kind, id string, at time.Time) (Ticket, error) {
	r, err := store.FindOne[record](ctx, m.tickets, bson.D{store.Eq("_id", id), store.Eq("kind", kind), live(at)})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Ticket{}, fault.ErrNotFound
	}
	return r.ticket(), err
}

// delete deletes a live ticket by id.
//
// Errors: NOT_FOUND.
func (m *mongoStore) delete(ctx context.Context, kind Kind, id string, at time.Time) error {
	res, err := m.tickets.DeleteOne(ctx, bson.D{store.Eq("_id", id), store.Eq("kind", kind), live(at)})
	switch {
	case err != nil:
		return fmt.Errorf("delete ticket %s: %w", id, store.Translate(err))
	case res.DeletedCount == 0:
		return fault.ErrNotFound
	}
	return nil
}
