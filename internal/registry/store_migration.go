package registry

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Migrations brings stored documents to what this package reads.
func Migrations() []store.Migration {
	return []store.Migration{{ID: "0008_document_versions", Up: documentVersions}, {ID: "0009_document_prefixes", Up: documentPrefixes}}
}

// documentVersions gives documents the version of their schema and who made them, content types their names, and references the
// type of the document they are in.
func documentVersions(ctx context.Context, db *store.DB) error {
	lacks := func(field string) bson.D { return bson.D{{Key: field, Value: bson.D{{Key: "$exists", Value: false}}}} }
	set := func(v bson.D) bson.A { return bson.A{bson.D{{Key: "$set", Value: v}}} }
	for _, step := range []struct {
		collection string
		which      bson.D
		update     bson.A
	}{
		{"content_types", lacks("names"), set(bson.D{{Key: "names", Value: bson.A{"$key"}}, {Key: "state", Value: Active}})},
		{"documents", lacks("v"), set(bson.D{
			{Key: "v", Value: 1},
			{Key: "by", Value: bson.D{{Key: "user", Value: "$owner"}}},
			{Key: "op", Value: bson.D{{Key: "$cond", Value: bson.A{bson.D{{Key: "$eq", Value: bson.A{"$rev", 1}}}, OpCreate, OpUpdate}}}},
		})},
	} {
		if _, err := db.Collection(step.collection).UpdateMany(ctx, step.which, step.update); err != nil {
			return fmt.Errorf("update %s: %w", step.collection, store.Translate(err))
		}
	}
	_, err := store.Aggregate[bson.Raw](ctx, db.Collection("references"), bson.A{
		bson.D{{Key: "$match", Value: lacks("fromType")}},
		bson.D{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: "documents"}, {Key: "localField", Value: "from.id"}, {Key: "foreignField", Value: "_id"}, {Key: "as", Value: "doc"},
		}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "fromType", Value: bson.D{{Key: "$ifNull", Value: bson.A{bson.D{{Key: "$first", Value: "$doc.type"}}, ref.Document}}}}}}},
		bson.D{{Key: "$unset", Value: "doc"}},
		bson.D{{Key: "$merge", Value: bson.D{{Key: "into", Value: "references"}, {Key: "whenMatched", Value: "replace"}, {Key: "whenNotMatched", Value: "discard"}}}},
	})
	if err != nil {
		return err
	}
	var server mongo.ServerError
	err = db.Collection("references").Indexes().DropOne(ctx, "to_rule")
	if errors.As(err, &server) && server.HasErrorCode(27) { // IndexNotFound
		return nil
	}
	if err != nil {
		return fmt.Errorf("drop index to_rule: %w", store.Translate(err))
	}
	return nil
}
