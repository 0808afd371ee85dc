package registry

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// documentPrefixes gives each document its folded label, chunk by chunk. No content type of older releases has indexed or
// searched fields, so nothing else is missing.
func documentPrefixes(ctx context.Context, db *store.DB) error {
	c := db.Collection("documents")
	for last := ""; ; {
		type row struct {
			ID    string `bson:"_id"`
			Label string `bson:"label"`
		}
		rows, err := store.Find[row](ctx, c, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: last}}}},
			options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(chunk).SetProjection(bson.D{{Key: "label", Value: 1}}))
		if err != nil || len(rows) == 0 {
			return err
		}
		writes := make([]mongo.WriteModel, len(rows))
		for i, r := range rows {
			writes[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{store.Eq("_id", r.ID), store.Eq("label", r.Label)}).
				SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "prefix", Value: fold(r.Label)}}}})
		}
		if _, err := c.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
			return store.Wrap("fold labels", err)
		}
		last = rows[len(rows)-1].ID
	}
}
