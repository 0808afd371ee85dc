package analytics

import (
	"context"
	"math"
	"slices"

	"github.com/backendbook/backendbook/internal/ref"
)

// DeleteMetricCmd asks to delete a metric.
type DeleteMetricCmd struct {
	Key   string
	Force bool // whoever shows it still
}

// OnDelete registers functions to call before a metric is deleted without force, and in the transaction that deletes it; what they
// refuse is refused. Only before serving.
func (s *Service) OnDelete(unused func(ctx context.Context, metric string) error, deleted func(ctx context.Context, on ref.Ref, label string) error) {
	s.unused, s.deleted = unused, deleted
}

// DeleteMetric deletes the definition of a metric. From then on its reports are METRIC_UNKNOWN, and live ones end with that; the
// folder removes its rollups and key sets in the background. The events stay: a metric of the same key that is defined later counts
// them anew. Cost: 2 reads, 3 writes, 1 commit.
//
// Errors: FORBIDDEN, METRIC_UNKNOWN, and those of what is registered with OnDelete.
func (s *Service) DeleteMetric(ctx context.Context, c DeleteMetricCmd) error {
	on := ref.New(ref.Metric, c.Key)
	if err := s.authz.Require(ctx, PermManage, on); err != nil {
		return err
	}
	if _, err := s.store.metric(ctx, c.Key); err != nil {
		return err
	}
	if !c.Force && s.unused != nil {
		if err := s.unused(ctx, c.Key); err != nil {
			return err
		}
	}
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		m, err := s.store.metric(ctx, c.Key)
		if err != nil {
			return err
		}
		if err := s.store.dropMetric(ctx, m); err != nil {
			return err
		}
		if s.deleted != nil {
			if err := s.deleted(ctx, on, c.Key); err != nil {
				return err
			}
		}
		return s.events.Append(ctx, eventDeleted, on, deletion{Before: m})
	})
	s.metrics.forget()
	return err
}

type deletion struct {
	Before Metric `bson:"before"`
}

// sweep removes what is left of metrics that are deleted: rollups, key sets, and at the end their entries, so a sweep that dies is
// done again.
func (f *folder) sweep(ctx context.Context, all []Metric) error {
	for _, done := range f.cp.Metrics {
		if slices.ContainsFunc(all, func(m Metric) bool { return m.Key == done.Key }) {
			continue
		}
		left := outdated{metric: &Metric{Key: done.Key}, rev: math.MaxInt64}
		err := f.s.store.outdated(ctx, left, func(ids []rawID) error {
			return f.move(ctx, f.cp.next(), write{remove: ids})
		})
		if err != nil {
			return err
		}
		for id := range f.keys {
			if id.metric == done.Key {
				delete(f.keys, id)
			}
		}
		err = f.move(ctx, f.cp.next().without(done.Key), write{also: func(ctx context.Context) error {
			return f.s.store.dropKeys(ctx, done.Key)
		}})
		if err != nil {
			return err
		}
		f.s.cfg.Log.InfoContext(ctx, "analytics_metric_swept", "metric", done.Key)
	}
	return nil
}

// without is the checkpoint without the entry of a metric.
func (c checkpoint) without(key string) checkpoint {
	c.Metrics = slices.DeleteFunc(slices.Clone(c.Metrics), func(o folded) bool { return o.Key == key })
	return c
}
