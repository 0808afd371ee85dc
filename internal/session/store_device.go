package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/token"
)

const deviceCollection = "devices"

// deviceRecord is a device as stored. It never leaves this package.
type deviceRecord struct {
	Device    `bson:",inline"`
	TokenHash []byte `bson:"tokenHash"`
}

func byDeviceToken(d token.Digest, user string) bson.D {
	return bson.D{store.Eq("tokenHash", d[:]), store.Eq("user", user)}
}

// device reads the device of a user. One read by unique index.
func (m *mongoStore) device(ctx context.Context, d token.Digest, user string) (Device, bool, error) {
	found, err := store.FindOne[Device](ctx, m.devices, byDeviceToken(d, user))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Device{}, false, nil
	}
	return found, err == nil, err
}

// isDevice reports whether anybody has signed in from the device.
func (m *mongoStore) isDevice(ctx context.Context, d token.Digest) (bool, error) {
	_, err := store.FindOne[bson.Raw](ctx, m.devices, bson.D{store.Eq("tokenHash", d[:])})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, err
}

// seeDevice notes another sign-in from a known device and gives it; false when the user is not known there.
func (m *mongoStore) seeDevice(ctx context.Context, d token.Digest, seen Device) (Device, bool, error) {
	raw, err := m.devices.FindOneAndUpdate(ctx, byDeviceToken(d, seen.User), bson.D{
		{Key: "$set", Value: bson.D{{Key: "userAgent", Value: seen.UserAgent}, {Key: "ip", Value: seen.IP}}},
		{Key: "$max", Value: bson.D{{Key: "lastSeenAt", Value: seen.LastSeenAt}}},
	}, options.FindOneAndUpdate().SetReturnDocument(options.After)).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Device{}, false, nil
	}
	if err != nil {
		return Device{}, false, store.Wrap("see device", err)
	}
	found, err := store.Decode[Device](raw)
	return found, err == nil, store.Wrap("decode device", err)
}

func (m *mongoStore) addDevice(ctx context.Context, d token.Digest, dev Device) error {
	if _, err := m.devices.InsertOne(ctx, deviceRecord{dev, d[:]}); err != nil {
		return fmt.Errorf("insert device %s: %w", dev.ID, store.Translate(err))
	}
	return nil
}

// trust writes down until when a device of the user is trusted.
//
// Errors: NOT_FOUND.
func (m *mongoStore) trust(ctx context.Context, user, id string, until time.Time) error {
	res, err := m.devices.UpdateOne(ctx, bson.D{store.Eq("_id", id), store.Eq("user", user)},
		bson.D{{Key: "$set", Value: bson.D{{Key: "trustedUntil", Value: until}}}})
	switch {
	case err != nil:
		return fmt.Errorf("trust device %s: %w", id, store.Translate(err))
	case res.MatchedCount == 0:
		return fault.ErrNotFound
	}
	return nil
}

func (m *mongoStore) devicesOf(ctx context.Context, user string) ([]Device, error) {
	return store.Find[Device](ctx, m.devices, bson.D{store.Eq("user", user)},
		options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(MaxDevices))
}

// deleteDevice deletes a device of the user.
//
// Errors: NOT_FOUND.
func (m *mongoStore) deleteDevice(ctx context.Context, user, id string) error {
	res, err := m.devices.DeleteOne(ctx, bson.D{store.Eq("_id", id), store.Eq("user", user)})
	switch {
	case err != nil:
		return fmt.Errorf("delete device %s: %w", id, store.Translate(err))
	case res.DeletedCount == 0:
		return fault.ErrNotFound
	}
	return nil
}

func (m *mongoStore) deleteDevices(ctx context.Context, user string) (int, error) {
	res, err := m.devices.DeleteMany(ctx, bson.D{store.Eq("user", user)})
	if err != nil {
		return 0, fmt.Errorf("delete devices of %s: %w", user, store.Translate(err))
	}
	return int(res.DeletedCount), nil
}
