package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/export"
)

// ExportEvents is the resolver for the exportEvents field.
func (r *mutationResolver) ExportEvents(ctx context.Context, input model.ExportEventsInput) (*model.ExportEventsPayload, error) {
	cmd := export.EventsCmd{
		Scan: analytics.Scan{Name: input.Name, Where: input.Where}, Format: input.Format, Dims: input.Dims, Values: input.Values,
	}
	give(&cmd.From, input.From)
	give(&cmd.To, input.To)
	j, err := r.Exports.StartEvents(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return &model.ExportEventsPayload{Job: j}, nil
}

// ExportReport is the resolver for the exportReport field.
func (r *mutationResolver) ExportReport(ctx context.Context, input model.ExportReportInput) (*model.ExportReportPayload, error) {
	j, err := r.Exports.StartReport(ctx, export.ReportCmd{Query: reportQuery(input.Report), Format: input.Format})
	if err != nil {
		return nil, err
	}
	return &model.ExportReportPayload{Job: j}, nil
}
