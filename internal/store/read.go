package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/xoptions"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
)

// The driver's Cursor.All and Decode allocate a 4 KiB reader for every document and fail on a long field name, so
// nothing here uses them: documents are taken raw and unmarshalled from their own bytes.

// AsOf runs fn with a context whose reads see the data as it was at one time of the cluster; the zero time is now. The server keeps at
// least the last five minutes.
func (d *DB) AsOf(ctx context.Context, at bson.Timestamp, fn func(ctx context.Context) error) error {
	opts := options.Session().SetSnapshot(true)
	if !at.IsZero() {
		opts.SetSnapshotTime(at)
	}
	sess, err := d.client.StartSession(opts)
	if err != nil {
		return Translate(err)
	}
	defer sess.EndSession(context.WithoutCancel(ctx))
	return fn(mongo.NewSessionContext(ctx, sess))
}

// FindOne reads the first match. No match is mongo.ErrNoDocuments, which the domain turns into its own error.
func FindOne[T any](ctx context.Context, c *mongo.Collection, filter any, opts ...options.Lister[options.FindOneOptions]) (T, error) {
	var v T
	raw, err := c.FindOne(ctx, filter, opts...).Raw()
	if err != nil {
		return v, wrap(c, "find", err)
	}
	if err := decode(raw, &v); err != nil {
		return v, wrap(c, "decode", err)
	}
	return v, nil
}

// FindByID reads the document with that _id.
func FindByID[T any](ctx context.Context, c *mongo.Collection, id any) (T, error) {
	return FindOne[T](ctx, c, bson.D{Eq("_id", id)})
}

// Find reads all matches. The caller bounds them by a limit or by a filter on ids.
func Find[T any](ctx context.Context, c *mongo.Collection, filter any, opts ...options.Lister[options.FindOptions]) ([]T, error) {
	bound := options.Find()
	if ms, ok := timeLeft(ctx); ok {
		// The driver leaves maxTimeMS out of commands that make a cursor, and this is its only door for it.
		if err := xoptions.SetInternalFindOptions(bound, "addCommandFields", bson.D{{Key: "maxTimeMS", Value: ms}}); err != nil {
			return nil, wrap(c, "find", err)
		}
	}
	cur, err := c.Find(ctx, filter, append(opts, bound)...)
	if err != nil {
		return nil, wrap(c, "find", err)
	}
	return drain[T](ctx, c, cur)
}

// FindByIDs reads the documents with these ids into a map; absent ones are left out. One find whatever the number.
func FindByIDs[T any](ctx context.Context, c *mongo.Collection, ids []string, idOf func(T) string) (map[string]T, error) {
	if len(ids) == 0 {
		return map[string]T{}, nil
	}
	all, err := Find[T](ctx, c, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return nil, err
	}
	found := make(map[string]T, len(all))
	for _, v := range all {
		found[idOf(v)] = v
	}
	return found, nil
}

// Aggregate runs a pipeline and reads all of its answer.
func Aggregate[T any](ctx context.Context, c *mongo.Collection, pipeline any, opts ...options.Lister[options.AggregateOptions]) ([]T, error) {
	if ms, ok := timeLeft(ctx); ok {
		opts = append(opts, options.Aggregate().SetCustom(bson.M{"maxTimeMS": ms})) //nolint:staticcheck // as for Find: the only door there is
	}
	cur, err := c.Aggregate(ctx, pipeline, opts...)
	if err != nil {
		return nil, wrap(c, "aggregate", err)
	}
	return drain[T](ctx, c, cur)
}

// Each runs a pipeline and hands out its answer document by document, each valid until the next, while fn wants more.
func Each(ctx context.Context, c *mongo.Collection, pipeline any, fn func(bson.Raw) (more bool, err error), opts ...options.Lister[options.AggregateOptions]) error {
	if ms, ok := timeLeft(ctx); ok {
		opts = append(opts, options.Aggregate().SetCustom(bson.M{"maxTimeMS": ms})) //nolint:staticcheck // as for Find: the only door there is
	}
	cur, err := c.Aggregate(ctx, pipeline, opts...)
	if err != nil {
		return wrap(c, "aggregate", err)
	}
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	for cur.Next(ctx) {
		if more, err := fn(cur.Current); err != nil || !more {
			return err
		}
	}
	return Wrap("read "+c.Name(), cur.Err())
}

// timeLeft is how long the server may work for ctx, in milliseconds; false when ctx sets no bound.
func timeLeft(ctx context.Context) (ms int64, ok bool) {
	end, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return max(time.Until(end).Milliseconds(), 1), true
}

// Decode unmarshals one raw document.
func Decode[T any](raw bson.Raw) (T, error) {
	var v T
	err := decode(raw, &v)
	return v, err
}

func drain[T any](ctx context.Context, c *mongo.Collection, cur *mongo.Cursor) ([]T, error) {
	defer func() { _ = cur.Close(context.WithoutCancel(ctx)) }()
	all := make([]T, 0, max(cur.RemainingBatchLength(), 0))
	for cur.Next(ctx) {
		all = append(all, *new(T))
		if err := decode(cur.Current, &all[len(all)-1]); err != nil {
			return nil, wrap(c, "decode", err)
		}
	}
	if err := cur.Err(); err != nil {
		return nil, wrap(c, "read", err)
	}
	return all, nil
}

// RawDecoder is a type that decodes itself, for documents that are read in long lists. It keeps nothing of raw.
type RawDecoder interface{ DecodeRaw(raw bson.Raw) error }

func decode[T any](raw bson.Raw, into *T) error {
	if d, ok := any(into).(RawDecoder); ok {
		return d.DecodeRaw(raw)
	}
	return bson.Unmarshal(raw, into)
}

// Eq matches a field that equals a value. The operator keeps a value that comes from outside from being one itself.
func Eq(field string, value any) bson.E {
	return bson.E{Key: field, Value: bson.D{{Key: "$eq", Value: value}}}
}

// Points matches a field that holds the reference r.
func Points(field string, r ref.Ref) bson.D {
	return bson.D{Eq(field+".type", r.Type), Eq(field+".id", r.ID)}
}

// Wrap says what failed, in our words. Wrap of nil is nil.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, Translate(err))
}

func wrap(c *mongo.Collection, op string, err error) error {
	if errors.Is(err, mongo.ErrNoDocuments) {
		return err
	}
	return fmt.Errorf("%s %s: %w", op, c.Name(), Translate(err))
}

// Key is one field a list is sorted by.
type Key struct {
	Field string
	Desc  bool
}

// FindPage reads the window w of the matches, sorted by keys, the last of which must be unique. It reads one document
// more than asked so that [page.Fold] can tell whether there is another page: one find in one batch.
// The sort keys must hold strings; the filter with the keys must be covered by an index.
func FindPage[T any](ctx context.Context, c *mongo.Collection, filter bson.D, w page.Window, keys ...Key) ([]T, error) {
	return FindPageWithout[T](ctx, c, nil, filter, w, keys...)
}

// FindPageWithout is [FindPage] of documents without some of their fields, which are then zero: what a list does not show and is large.
func FindPageWithout[T any](ctx context.Context, c *mongo.Collection, fields []string, filter bson.D, w page.Window, keys ...Key) ([]T, error) {
	and := bson.A{filter}
	if w.After != nil {
		and = append(and, beyond(keys, w.After, false))
	}
	if w.Before != nil {
		and = append(and, beyond(keys, w.Before, true))
	}
	if len(and) > 1 {
		filter = bson.D{{Key: "$and", Value: and}}
	}
	sort := make(bson.D, len(keys))
	for i, k := range keys {
		dir := 1
		if k.Desc != w.Backward {
			dir = -1
		}
		sort[i] = bson.E{Key: k.Field, Value: dir}
	}
	n := w.Size + 1
	opts := options.Find().SetSort(sort).SetLimit(int64(n)).SetBatchSize(int32(n)) //nolint:gosec // Size is at most page.MaxSize
	if len(fields) > 0 {
		without := make(bson.D, len(fields))
		for i, f := range fields {
			without[i] = bson.E{Key: f, Value: 0}
		}
		opts.SetProjection(without)
	}
	return Find[T](ctx, c, filter, opts)
}

// beyond matches what lies after the position at (before it, if before): the rows whose first differing key is past it.
func beyond(keys []Key, at page.Cursor, before bool) bson.D {
	or := make(bson.A, 0, len(keys))
	for i, k := range keys {
		var row bson.D
		for j := range i {
			row = append(row, bson.E{Key: keys[j].Field, Value: bson.D{{Key: "$eq", Value: at[j]}}})
		}
		op := "$gt"
		if k.Desc != before {
			op = "$lt"
		}
		or = append(or, append(row, bson.E{Key: k.Field, Value: bson.D{{Key: op, Value: at[i]}}}))
	}
	return bson.D{{Key: "$or", Value: or}}
}
