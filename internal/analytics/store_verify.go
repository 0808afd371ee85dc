package analytics

import (
	"cmp"
	"context"
	"fmt"
	"time"

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
	c.key = doc.ID.key()
	if c.cell, err = doc.Cell.cell(); err != nil {
		return false, err
	}
	return true, nil
}

func (c *cellCursor) close(ctx context.Context) { _ = c.cur.Close(context.WithoutCancel(ctx)) }

// compare orders the cells of one dimension as the server does.
func (k rollupKey) compare(o rollupKey) int {
	return cmp.Or(cmp.Compare(k.at, o.at), cmp.Compare(k.key, o.key))
}

// side is one dimension of a metric in one resolution, from a time on.
type side struct {
	of    *Metric
	res   resolution
	dim   string
	since time.Time // zero for all
	own   []string  // the values that have rollups of their own; nil if all have
}

// stored are its rollups, without sketches.
func (m *mongoStore) stored(ctx context.Context, s side) (*cellCursor, error) {
	cur, err := m.rollups.Find(ctx, between(s.of.Key, s.res, s.dim, s.since, time.Time{}), options.Find().
		SetSort(bson.D{{Key: "_id", Value: 1}}).SetProjection(bson.D{{Key: "uniq", Value: 0}, {Key: "dd", Value: 0}}))
	if err != nil {
		return nil, fmt.Errorf("read rollups: %w", store.Translate(err))
	}
	return &cellCursor{cur: cur}, nil
}

// counted are the same counters made by the server from the events: on purpose not by the code that folds.
func (m *mongoStore) counted(ctx context.Context, s side) (*cellCursor, error) {
	match := happened(s.of.Event, s.since, time.Time{}, s.of.Where)
	unit := map[resolution]string{byMinute: "minute", byHour: "hour", byDay: "day"}[s.res]
	id := bson.D{
		{Key: "t", Value: bson.D{{Key: "$dateTrunc", Value: bson.D{{Key: "date", Value: "$at"}, {Key: "unit", Value: unit}}}}},
		{Key: "k", Value: ""},
	}
	if s.dim != "" {
		field := "$dims." + s.dim
		match = append(match, bson.E{Key: "dims." + s.dim, Value: bson.D{{Key: "$exists", Value: true}}})
		id[1].Value = field
		if s.own != nil {
			id[1].Value = bson.D{{Key: "$cond", Value: bson.A{
				bson.D{{Key: "$in", Value: bson.A{field, bson.D{{Key: "$literal", Value: s.own}}}}}, field, bson.D{{Key: "$literal", Value: Other}},
			}}}
		}
	}
	group := bson.D{{Key: "_id", Value: id}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}
	if s.of.Value != "" {
		v := "$values." + s.of.Value
		last := bson.D{{Key: "$cond", Value: bson.A{bson.D{{Key: "$isNumber", Value: v}}, bson.D{{Key: "t", Value: "$at"}, {Key: "v", Value: v}}, nil}}}
		group = append(group,
			bson.E{Key: "c", Value: bson.D{{Key: "$sum", Value: bson.D{{Key: "$cond", Value: bson.A{bson.D{{Key: "$isNumber", Value: v}}, 1, 0}}}}}},
			bson.E{Key: "sum", Value: bson.D{{Key: "$sum", Value: v}}},
			bson.E{Key: "min", Value: bson.D{{Key: "$min", Value: v}}},
			bson.E{Key: "max", Value: bson.D{{Key: "$max", Value: v}}},
			bson.E{Key: "last", Value: bson.D{{Key: "$max", Value: last}}},
		)
	}
	cur, err := m.events.Aggregate(ctx, bson.A{
		bson.D{{Key: "$match", Value: match}},
		bson.D{{Key: "$group", Value: group}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "_id.m", Value: s.of.Key}, {Key: "_id.r", Value: s.res}, {Key: "_id.d", Value: s.dim}}}},
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, fmt.Errorf("recount events: %w", store.Translate(err))
	}
	return &cellCursor{cur: cur}, nil
}

// ctxError is why ctx ended, in our words.
func ctxError(ctx context.Context) error { return store.Translate(ctx.Err()) }
