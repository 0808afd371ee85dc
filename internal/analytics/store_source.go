package analytics

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

const (
	sourcesCollection = "event_sources"
	typesCollection   = "event_types"
)

// sourceDoc is an event source with the digest of its key.
type sourceDoc struct {
	EventSource `bson:",inline"`

	Hash []byte `bson:"hash"`
}

// sourcesByKey reads all sources by the digest of their key.
func (m *mongoStore) sourcesByKey(ctx context.Context) (map[token.Digest]EventSource, error) {
	docs, err := store.Find[sourceDoc](ctx, m.sources, bson.D{})
	byKey := make(map[token.Digest]EventSource, len(docs))
	for _, d := range docs {
		if len(d.Hash) == len(token.Digest{}) {
			byKey[token.Digest(d.Hash)] = d.EventSource
		}
	}
	return byKey, err
}

func (m *mongoStore) eventSources(ctx context.Context) ([]EventSource, error) {
	return store.Find[EventSource](ctx, m.sources, bson.D{})
}

// source reads one source.
//
// Errors: NOT_FOUND.
func (m *mongoStore) source(ctx context.Context, id string) (EventSource, error) {
	e, err := store.FindByID[EventSource](ctx, m.sources, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return e, fault.ErrNotFound
	}
	return e, err
}

func (m *mongoStore) putSource(ctx context.Context, e EventSource, digest token.Digest) error {
	_, err := m.sources.InsertOne(ctx, sourceDoc{EventSource: e, Hash: digest[:]})
	return store.Wrap("put event source", err)
}

// updateSource writes what may change; with a digest the key too.
func (m *mongoStore) updateSource(ctx context.Context, e EventSource, digest *token.Digest) error {
	set := bson.D{
		{Key: "name", Value: e.Name},
		{Key: "hint", Value: e.Hint},
		{Key: "events", Value: e.Events},
		{Key: "origins", Value: e.Origins},
		{Key: "disabled", Value: e.Disabled},
	}
	if digest != nil {
		set = append(set, bson.E{Key: "hash", Value: digest[:]})
	}
	_, err := m.sources.UpdateOne(ctx, bson.D{store.Eq("_id", e.ID)}, bson.D{{Key: "$set", Value: set}})
	return store.Wrap("update event source", err)
}

func (m *mongoStore) deleteSource(ctx context.Context, id string) error {
	_, err := m.sources.DeleteOne(ctx, bson.D{store.Eq("_id", id)})
	return store.Wrap("delete event source", err)
}

func (m *mongoStore) touchSource(ctx context.Context, id string, at time.Time) error {
	_, err := m.sources.UpdateOne(ctx, bson.D{store.Eq("_id", id)}, bson.D{{Key: "$max", Value: bson.D{{Key: "lastUsedAt", Value: at}}}})
	return store.Wrap("touch event source", err)
}

func (m *mongoStore) eventTypes(ctx context.Context) (map[string]EventType, error) {
	all, err := store.Find[EventType](ctx, m.types, bson.D{})
	byName := make(map[string]EventType, len(all))
	for _, t := range all {
		byName[t.Name] = t
	}
	return byName, err
}

func (m *mongoStore) putEventType(ctx context.Context, t EventType) error {
	_, err := m.types.ReplaceOne(ctx, bson.D{store.Eq("_id", t.Name)}, t, options.Replace().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("put event type %s: %w", t.Name, store.Translate(err))
	}
	return nil
}

// named are the names of the stored events. The server jumps from one name to the next in the index (DISTINCT_SCAN), and then
// counts up to a bound.
func (m *mongoStore) named(ctx context.Context) ([]Named, error) {
	type row struct {
		Name   string    `bson:"_id"`
		LastAt time.Time `bson:"lastAt"`
		Counts []struct {
			N int64 `bson:"n"`
		} `bson:"counts"`
	}
	rows, err := store.Aggregate[row](ctx, m.events, namesPipeline())
	all := make([]Named, len(rows))
	for i, r := range rows {
		all[i] = Named{EventType: EventType{Name: r.Name}, LastAt: &r.LastAt}
		if len(r.Counts) > 0 {
			all[i].Stored = r.Counts[0].N
		}
	}
	return all, err
}

func namesPipeline() bson.A {
	return bson.A{
		bson.D{{Key: "$sort", Value: bson.D{{Key: "name", Value: -1}, {Key: "at", Value: -1}}}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$name"}, {Key: "lastAt", Value: bson.D{{Key: "$first", Value: "$at"}}}}}},
		bson.D{{Key: "$limit", Value: maxNames}},
		bson.D{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: eventsCollection},
			{Key: "localField", Value: "_id"},
			{Key: "foreignField", Value: "name"},
			{Key: "as", Value: "counts"},
			{Key: "pipeline", Value: bson.A{bson.D{{Key: "$limit", Value: maxStored}}, bson.D{{Key: "$count", Value: "n"}}}},
		}}},
	}
}
