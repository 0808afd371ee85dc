package analytics

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
)

// Follower hears of definitions and of rollups as they commit. It forgets definitions, and publishes what live reports
// listen to.
func (s *Service) Follower(publish func(topic string, change any)) event.Follower {
	return event.Follower{
		Name:       "analytics",
		Collection: rollupsCollection,
		OnEvent: func(_ context.Context, e event.Event, _ bson.Timestamp) {
			switch {
			case strings.HasPrefix(e.Kind, eventPrefix):
				s.metrics.forget()
				publish(topicMetric(e.On.ID), metricChanged{})
			case strings.HasPrefix(e.Kind, sourcePrefix):
				s.sources.forget()
			case strings.HasPrefix(e.Kind, typePrefix):
				s.types.forget()
			}
		},
		OnChange: func(ctx context.Context, c event.Change) {
			rc, err := rollupChange(c)
			if err != nil {
				s.cfg.Log.ErrorContext(ctx, "rollup_unreadable", "error", err.Error())
				return
			}
			publish(topicRollups(slice{metric: rc.Metric, res: rc.res, dim: rc.Dim}), rc)
		},
		OnLost: func(context.Context) {
			s.metrics.forget()
			s.sources.forget()
			s.types.forget()
		},
	}
}

// change is the whole rollup as a change.
func (d rollupDoc) change() RollupChange {
	return RollupChange{
		Metric: d.ID.Metric, res: d.ID.Res, Dim: d.ID.Dim, Key: d.ID.Key, At: d.ID.At.UTC(), Rev: d.Rev, Through: d.Through,
		whole: true, n: &d.Cell.N, c: &d.Cell.C, sum: &d.Cell.Sum, min: d.Cell.Min, max: d.Cell.Max, last: d.Cell.Last,
		uniques: d.Cell.Uniques, spread: d.Cell.Spread,
	}
}

// rollupChange reads a change of the collection.
func rollupChange(c event.Change) (RollupChange, error) {
	if c.Doc != nil {
		var d rollupDoc
		err := bson.Unmarshal(c.Doc, &d)
		return d.change(), err
	}
	var id rollupID
	if err := c.Key.Unmarshal(&id); err != nil {
		return RollupChange{}, err
	}
	rc := RollupChange{Metric: id.Metric, res: id.Res, Dim: id.Dim, Key: id.Key, At: id.At.UTC(), removed: c.Op == "delete"}
	if rc.removed {
		return rc, nil
	}
	var u struct {
		N, C          *int64
		Sum, Min, Max *float64
		Last          *lastDoc
		Uniques       []byte `bson:"uniq"`
		Spread        []byte `bson:"dd"`
		Rev           int64
		Through       *time.Time
	}
	err := bson.Unmarshal(c.Updated, &u)
	rc.n, rc.c, rc.sum, rc.min, rc.max, rc.last, rc.Rev, rc.Through = u.N, u.C, u.Sum, u.Min, u.Max, u.Last, u.Rev, u.Through
	rc.uniques, rc.spread = u.Uniques, u.Spread
	return rc, err
}
