package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// admit writes down that a user who is not disabled was let in, when, and how often. found is false when there is no such
// user.
func (m *mongoStore) admit(ctx context.Context, id string, at time.Time) (r record, found bool, err error) {
	raw, err := m.users.FindOneAndUpdate(ctx,
		bson.D{store.Eq("_id", id), {Key: "disabledAt", Value: bson.D{{Key: "$exists", Value: false}}}},
		bson.D{
			{Key: "$set", Value: bson.D{{Key: "admittedAt", Value: at}}},
			// The server does not write what changes nothing, and what is not written collides with nobody: the time alone
			// is the same for two within a millisecond.
			{Key: "$inc", Value: bson.D{{Key: "admissions", Value: int64(1)}}},
		},
		options.FindOneAndUpdate().SetReturnDocument(options.After)).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return record{}, false, nil
	case err != nil:
		return record{}, false, fmt.Errorf("admit user %s: %w", id, store.Translate(err))
	}
	r, err = store.Decode[record](raw)
	return r, err == nil, err
}
