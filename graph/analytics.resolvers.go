package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
)

// Track is the resolver for the track field.
func (r *mutationResolver) Track(ctx context.Context, input model.TrackInput) (*model.TrackPayload, error) {
	cmds := make([]analytics.EventCmd, len(input.Events))
	for i, e := range input.Events {
		cmds[i] = eventCmd(e, input.Consent)
	}
	done, err := r.Analytics.Track(ctx, cmds)
	if err != nil {
		return nil, err
	}
	return &model.TrackPayload{Accepted: done.Accepted, Duplicates: done.Duplicates}, nil
}

// DefineMetric is the resolver for the defineMetric field.
func (r *mutationResolver) DefineMetric(ctx context.Context, input model.DefineMetricInput) (*model.DefineMetricPayload, error) {
	m, err := r.Analytics.DefineMetric(ctx, metricOf(input))
	if err != nil {
		return nil, err
	}
	return &model.DefineMetricPayload{Metric: m}, nil
}

// DeleteMetric is the resolver for the deleteMetric field.
func (r *mutationResolver) DeleteMetric(ctx context.Context, input model.DeleteMetricInput) (*model.DeleteMetricPayload, error) {
	if err := r.Analytics.DeleteMetric(ctx, analytics.DeleteMetricCmd{Key: input.Key, Force: input.Force}); err != nil {
		return nil, err
	}
	return &model.DeleteMetricPayload{Key: input.Key}, nil
}

// RebuildMetrics is the resolver for the rebuildMetrics field.
func (r *mutationResolver) RebuildMetrics(ctx context.Context) (*model.RebuildMetricsPayload, error) {
	if err := r.Analytics.Rebuild(ctx); err != nil {
		return nil, err
	}
	all, err := r.Analytics.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	return &model.RebuildMetricsPayload{Metrics: all}, nil
}

// Metrics is the resolver for the metrics field.
func (r *queryResolver) Metrics(ctx context.Context) ([]analytics.Metric, error) {
	return r.Analytics.Metrics(ctx)
}

// Report is the resolver for the report field.
func (r *queryResolver) Report(ctx context.Context, input model.ReportInput) (*analytics.Report, error) {
	report, err := r.Analytics.Report(ctx, reportQuery(input))
	if err != nil {
		return nil, err
	}
	return &report, nil
}
