package plan

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/store"
)

// Migrations declares how what older releases stored becomes what this package reads.
func Migrations() []store.Migration {
	return []store.Migration{{ID: "0007_plan_versions", Up: toVersions}, {ID: "0010_plan_attachment_bytes", Up: allowFiles}}
}

const codeIndexNotFound = 27

// toVersions turns plans with one price and {limits} into first versions with prices and features, and gives memberships their
// periods. Plans of the first release had access keys without saying so, and their members, who were never asked for money, keep what
// they have for nothing until they choose anew.
func toVersions(ctx context.Context, db *store.DB) error {
	err := db.Collection("plans").Indexes().DropOne(ctx, "key")
	if se := mongo.ServerError(nil); err != nil && (!errors.As(err, &se) || !se.HasErrorCode(codeIndexNotFound)) {
		return store.Wrap("drop index", err)
	}
	old := bson.D{{Key: "limits", Value: bson.D{{Key: "$exists", Value: true}}}}
	features := bson.D{{Key: "$concatArrays", Value: bson.A{"$limits", bson.A{bson.D{{Key: "feature", Value: "access.keys"}, {Key: "on", Value: true}}}}}}
	price := bson.D{
		{Key: "currency", Value: "$price.currency"},
		{Key: "amountMinor", Value: "$price.amountMinor"},
		{Key: "every", Value: bson.D{{Key: "n", Value: int32(1)}, {Key: "unit", Value: Month}}},
	}
	prices := bson.D{{Key: "$cond", Value: bson.A{bson.D{{Key: "$gt", Value: bson.A{"$price.amountMinor", int32(0)}}}, bson.A{price}, bson.A{}}}}
	_, err = db.Collection("plans").UpdateMany(ctx, old, bson.A{
		bson.D{{Key: "$set", Value: bson.D{
			{Key: "version", Value: int32(1)}, {Key: "current", Value: true}, {Key: "features", Value: features}, {Key: "prices", Value: prices},
		}}},
		bson.D{{Key: "$unset", Value: bson.A{"limits", "price"}}},
	})
	if err != nil {
		return store.Wrap("make versions of plans", err)
	}
	if err := declareLimits(ctx, db); err != nil {
		return err
	}
	_, err = db.Collection("memberships").UpdateMany(ctx, bson.D{{Key: "anchor", Value: bson.D{{Key: "$exists", Value: false}}}}, bson.A{
		bson.D{{Key: "$set", Value: bson.D{
			{Key: "anchor", Value: "$since"},
			{Key: "from", Value: "$since"},
			{Key: "toldUntil", Value: "$$NOW"},
			{Key: "balance", Value: bson.D{{Key: "amountMinor", Value: int64(0)}, {Key: "currency", Value: ""}}},
		}}},
	})
	return store.Wrap("give memberships periods", err)
}

// declareLimits enters the features that plans of the first release limited: all of them counted.
func declareLimits(ctx context.Context, db *store.DB) error {
	plans, err := store.Find[Plan](ctx, db.Collection("plans"), bson.D{})
	if err != nil {
		return err
	}
	for _, p := range plans {
		for _, r := range p.Features {
			if r.On {
				continue
			}
			if _, known, err := one[Feature](ctx, db.Collection("features"), bson.D{store.Eq("_id", r.Feature)}); err != nil || known {
				if err != nil {
					return err
				}
				continue
			}
			if err := put(ctx, db.Collection("features"), r.Feature, Feature{Key: r.Feature, Kind: Counted, Name: r.Feature}); err != nil {
				return err
			}
		}
	}
	return nil
}

// What the default plan of a new installation says of attachments.
const (
	fileBytes      = "registry.attachment_bytes"
	fileBytesLimit = int64(100 << 20)
)

// allowFiles adds to the default plan what it could not say when it was made: how many bytes of files its members own. Else nobody
// there could own any, as what no plan says is nothing. Plans that say nothing of it have what the default plan says, and one
// that does say something stays as it is. It is the one change of terms that are there: it only gives.
func allowFiles(ctx context.Context, db *store.DB) error {
	silent := bson.D{{Key: "default", Value: true}, {Key: "features.feature", Value: bson.D{{Key: "$ne", Value: fileBytes}}}}
	rule := bson.D{{Key: "feature", Value: fileBytes}, {Key: "limit", Value: fileBytesLimit}}
	_, err := db.Collection("plans").UpdateMany(ctx, silent, bson.A{bson.D{{Key: "$set", Value: bson.D{
		{Key: "features", Value: bson.D{{Key: "$concatArrays", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$features", bson.A{}}}}, bson.A{rule}}}}},
	}}}})
	return store.Wrap("allow attachments by the default plan", err)
}
