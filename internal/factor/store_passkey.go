package factor

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/store"
)

// byCredential reads the passkey with that credential id, whoever it is of. One read by unique index.
func (m *mongoStore) byCredential(ctx context.Context, credential []byte) (r record, found bool, err error) {
	r, err = store.FindOne[record](ctx, m.factors, bson.D{store.Eq("passkey.credential", credential)})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return record{}, false, nil
	}
	return r, err == nil, err
}

// usePasskey writes down a use. It reports false when the signature counter did not go up, unless it is one that always
// shows 0, and when the passkey is gone.
func (m *mongoStore) usePasskey(ctx context.Context, id string, counter int64, flags int32, at time.Time) (Factor, bool, error) {
	behind := bson.E{Key: "passkey.signCount", Value: bson.D{{Key: "$lt", Value: counter}}}
	if counter == 0 {
		behind = store.Eq("passkey.signCount", counter)
	}
	return m.update(ctx, "use passkey", bson.D{store.Eq("_id", id), behind}, bson.D{{Key: "$set", Value: bson.D{
		{Key: "passkey.signCount", Value: counter}, {Key: "passkey.flags", Value: flags}, {Key: "lastUsedAt", Value: at},
	}}})
}
