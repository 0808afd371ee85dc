package account

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/store"
)

// Migrations declares how older users become what this package reads.
func Migrations() []store.Migration {
	return []store.Migration{{ID: "0002_account_addresses", Up: manyAddresses}}
}

// manyAddresses turns {email, emailKey} into {kind, emails: [{email, key, verifiedAt}]}. The one address of a user was
// their name to sign in with, so it counts as verified since the beginning. The indexes that served the old fields go.
func manyAddresses(ctx context.Context, db *store.DB) error {
	c := db.Collection(collection)
	_, err := c.UpdateMany(ctx, there("emailKey"), bson.A{
		bson.D{{Key: "$set", Value: bson.D{
			{Key: "emails", Value: bson.A{bson.D{
				{Key: "email", Value: "$email"}, {Key: "key", Value: "$emailKey"}, {Key: "verifiedAt", Value: "$createdAt"},
			}}},
		}}},
		bson.D{{Key: "$unset", Value: bson.A{"email", "emailKey"}}},
	})
	if err != nil {
		return fmt.Errorf("move addresses: %w", store.Translate(err))
	}
	_, err = c.UpdateMany(ctx, bson.D{{Key: "kind", Value: bson.D{{Key: "$exists", Value: false}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "kind", Value: KindPerson}}}})
	if err != nil {
		return fmt.Errorf("set kinds: %w", store.Translate(err))
	}
	for _, name := range []string{"emailKey", "name"} {
		if err := dropIndex(ctx, db, name); err != nil {
			return err
		}
	}
	return nil
}

func dropIndex(ctx context.Context, db *store.DB, name string) error {
	specs, err := db.Collection(collection).Indexes().ListSpecifications(ctx)
	if err != nil {
		return fmt.Errorf("list indexes: %w", store.Translate(err))
	}
	for _, s := range specs {
		if s.Name == name {
			if err := db.Collection(collection).Indexes().DropOne(ctx, name); err != nil {
				return fmt.Errorf("drop index %s: %w", name, store.Translate(err))
			}
		}
	}
	return nil
}
