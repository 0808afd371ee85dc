package graph

import (
	"context"
	"fmt"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
)

// Track is the resolver for the track field.
func (r *mutationResolver) Track(ctx context.Context, input model.TrackInput) (*model.TrackPayload, error) {
	panic(fmt.Errorf("not implemented: Track - track"))
}

// Metrics is the resolver for the metrics field.
func (r *queryResolver) Metrics(ctx context.Context) ([]analytics.Metric, error) {
	panic(fmt.Errorf("not implemented: Metrics - metrics"))
}

// Report is the resolver for the report field.
func (r *queryResolver) Report(ctx context.Context, input model.ReportInput) (*analytics.Report, error) {
	panic(fmt.Errorf("not implemented: Report - report"))
}
