package store

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// rewriteBatch is how many documents are read at once.
const rewriteBatch = 200

// RewriteBinary gives each binary field of that dotted name a new value, in the order of ids, which are strings; nil leaves the old
// one. A document that somebody else has changed meanwhile keeps what they wrote. It gives how many were changed.
func RewriteBinary(ctx context.Context, c *mongo.Collection, field string, change func(id string, old []byte) ([]byte, error)) (changed int, err error) {
	path := strings.Split(field, ".")
	for last := ""; ; {
		batch, err := Find[bson.Raw](ctx, c, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: last}}}, {Key: field, Value: bson.D{{Key: "$exists", Value: true}}}},
			options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(rewriteBatch).SetProjection(bson.D{{Key: field, Value: 1}}))
		if err != nil {
			return changed, err
		}
		for _, d := range batch {
			last = d.Lookup("_id").StringValue()
			_, old := d.Lookup(path...).Binary()
			fresh, err := change(last, old)
			if err != nil {
				return changed, err
			}
			if fresh == nil {
				continue
			}
			res, err := c.UpdateOne(ctx, bson.D{{Key: "_id", Value: last}, {Key: field, Value: old}}, bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: fresh}}}})
			if err != nil {
				return changed, wrap(c, "rewrite", err)
			}
			changed += int(res.ModifiedCount)
		}
		if len(batch) < rewriteBatch {
			return changed, nil
		}
	}
}
