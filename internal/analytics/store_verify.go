package analytics

import (
	"cmp"
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// cellCursor reads cells by time, then by key.
type cellCursor struct {
	cur  *mongo.Cursor
	key  rollupKey
	cell cell
}

func (c *cellCursor) next(ctx context.Context) (bool, error) {
	if !c.cur.Next(ctx) {
		return false, store.Translate(c.cur.Err())
	}
	doc, err := store.Decode[rollupDoc](c.cur.Current)
	if err != nil {
		return false, fmt.Errorf("decode rollup: %w", err)
	}
	c.key, c.cell = doc.ID.key(), doc.Cell.cell()
	return true, nil
}

func (c *cellCursor) close(ctx context.Context) { _ = c.cur.Close(context.WithoutCancel(ctx)) }

// compare orders the cells of one dimension as the server does.
func (k rollupKey) compare(o rollupKey) int {
	return cmp.Or(cmp.Compare(k.at, o.at), cmp.Compare(k.key, o.key))
}

// stored are the rollups of one dimension.
func (m *mongoStore) stored(ctx context.Context, of Metric, dim string) (*cellCursor, error) {
	// From the least value of any type on: a foreign rollup with an odd time must be seen too.
	all := bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: bson.D{{Key: "m", Value: of.Key}, {Key: "d", Value: dim}}},
		{Key: "$lt", Value: bson.D{{Key: "m", Value: of.Key}, {Key: "d", Value: dim}, {Key: "t", Value: bson.MaxKey{}}}},
	}}}
	cur, err := m.rollups.Find(ctx, all, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("read rollups: %w", store.Translate(err))
	}
	return &cellCursor{cur: cur}, nil
}

// counted are the same counters made by the server from the events: on purpose not by the code that folds.
func (m *mongoStore) counted(ctx context.Context, of Metric, dim string) (*cellCursor, error) {
	match := bson.D{{Key: "name", Value: of.Event}}
	id := bson.D{
		{Key: "t", Value: bson.D{{Key: "$dateTrunc", Value: bson.D{{Key: "date", Value: "$at"}, {Key: "unit", Value: "minute"}}}}},
		{Key: "k", Value: ""},
	}
	if dim != "" {
		match = append(match, bson.E{Key: "dims." + dim, Value: bson.D{{Key: "$exists", Value: true}}})
		id[1].Value = "$dims." + dim
	}
	group := bson.D{{Key: "_id", Value: id}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}
	if of.Value != "" {
		v := "$values." + of.Value
		group = append(group,
			bson.E{Key: "c", Value: bson.D{{Key: "$sum", Value: bson.D{{Key: "$cond", Value: bson.A{bson.D{{Key: "$isNumber", Value: v}}, 1, 0}}}}}},
			bson.E{Key: "sum", Value: bson.D{{Key: "$sum", Value: v}}},
			bson.E{Key: "min", Value: bson.D{{Key: "$min", Value: v}}},
			bson.E{Key: "max", Value: bson.D{{Key: "$max", Value: v}}},
		)
	}
	cur, err := m.events.Aggregate(ctx, bson.A{
		bson.D{{Key: "$match", Value: match}},
		bson.D{{Key: "$group", Value: group}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "_id.m", Value: of.Key}, {Key: "_id.d", Value: dim}}}},
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, fmt.Errorf("recount events: %w", store.Translate(err))
	}
	return &cellCursor{cur: cur}, nil
}

// ctxError is why ctx ended, in our words.
func ctxError(ctx context.Context) error { return store.Translate(ctx.Err()) }
