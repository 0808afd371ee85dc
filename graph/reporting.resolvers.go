package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/reporting"
)

// Owner is the resolver for the owner field.
func (r *alertResolver) Owner(ctx context.Context, obj *reporting.Alert) (*account.User, error) {
	return loader.User(ctx, obj.Owner)
}

// Report is the resolver for the report field.
func (r *alertResolver) Report(ctx context.Context, obj *reporting.Alert) (model.RefTarget, error) {
	return target(ctx, obj.On.String())
}

// Recipients is the resolver for the recipients field.
func (r *alertResolver) Recipients(ctx context.Context, obj *reporting.Alert) ([]account.User, error) {
	return recipients(ctx, obj.Recipients)
}

// Reason is the resolver for the reason field.
func (r *alertResolver) Reason(ctx context.Context, obj *reporting.Alert) (*string, error) {
	return some(obj.Reason), nil
}

// Report is the resolver for the report field.
func (r *dashboardTileResolver) Report(ctx context.Context, obj *registry.Tile) (model.RefTarget, error) {
	return pointed(ctx, obj.Report)
}

// CreateDashboardFromTemplate is the resolver for the createDashboardFromTemplate field.
func (r *mutationResolver) CreateDashboardFromTemplate(ctx context.Context, input model.CreateDashboardFromTemplateInput) (*model.CreateDashboardFromTemplatePayload, error) {
	d, err := r.Reporting.FromTemplate(ctx, input.Template)
	if err != nil {
		return nil, err
	}
	return &model.CreateDashboardFromTemplatePayload{Dashboard: d}, nil
}

// CreateSchedule is the resolver for the createSchedule field.
func (r *mutationResolver) CreateSchedule(ctx context.Context, input model.CreateScheduleInput) (*model.CreateSchedulePayload, error) {
	v, err := r.Reporting.CreateSchedule(ctx, reporting.ScheduleCmd{
		On: input.Report, Cron: &input.Cron, TimeZone: &input.TimeZone, Recipients: input.Recipients, Format: &input.Format,
	})
	if err != nil {
		return nil, err
	}
	return &model.CreateSchedulePayload{Schedule: v}, nil
}

// UpdateSchedule is the resolver for the updateSchedule field.
func (r *mutationResolver) UpdateSchedule(ctx context.Context, input model.UpdateScheduleInput) (*model.UpdateSchedulePayload, error) {
	v, err := r.Reporting.UpdateSchedule(ctx, input.ID.ID, reporting.ScheduleCmd{
		Cron: input.Cron, TimeZone: input.TimeZone, Recipients: input.Recipients, Format: input.Format, Paused: input.Paused,
	})
	if err != nil {
		return nil, err
	}
	return &model.UpdateSchedulePayload{Schedule: v}, nil
}

// PauseSchedule is the resolver for the pauseSchedule field.
func (r *mutationResolver) PauseSchedule(ctx context.Context, input model.PauseScheduleInput) (*model.PauseSchedulePayload, error) {
	v, err := r.Reporting.PauseSchedule(ctx, input.ID.ID)
	if err != nil {
		return nil, err
	}
	return &model.PauseSchedulePayload{Schedule: v}, nil
}

// RunScheduleNow is the resolver for the runScheduleNow field.
func (r *mutationResolver) RunScheduleNow(ctx context.Context, input model.RunScheduleNowInput) (*model.RunScheduleNowPayload, error) {
	v, err := r.Reporting.RunScheduleNow(ctx, input.ID.ID)
	if err != nil {
		return nil, err
	}
	return &model.RunScheduleNowPayload{Schedule: v}, nil
}

// DeleteSchedule is the resolver for the deleteSchedule field.
func (r *mutationResolver) DeleteSchedule(ctx context.Context, input model.DeleteScheduleInput) (*model.DeleteSchedulePayload, error) {
	if err := r.Reporting.DeleteSchedule(ctx, input.ID.ID); err != nil {
		return nil, err
	}
	return &model.DeleteSchedulePayload{ID: input.ID}, nil
}

// CreateAlert is the resolver for the createAlert field.
func (r *mutationResolver) CreateAlert(ctx context.Context, input model.CreateAlertInput) (*model.CreateAlertPayload, error) {
	a, err := r.Reporting.CreateAlert(ctx, reporting.AlertCmd{
		On: input.Report, Condition: &input.Condition, Threshold: input.Threshold, Recover: input.Recover, For: &input.For, Recipients: input.Recipients,
	})
	if err != nil {
		return nil, err
	}
	return &model.CreateAlertPayload{Alert: a}, nil
}

// UpdateAlert is the resolver for the updateAlert field.
func (r *mutationResolver) UpdateAlert(ctx context.Context, input model.UpdateAlertInput) (*model.UpdateAlertPayload, error) {
	a, err := r.Reporting.UpdateAlert(ctx, input.ID.ID, reporting.AlertCmd{
		Condition: input.Condition, Threshold: input.Threshold, Recover: input.Recover, For: input.For, Recipients: input.Recipients, Paused: input.Paused,
	})
	if err != nil {
		return nil, err
	}
	return &model.UpdateAlertPayload{Alert: a}, nil
}

// PauseAlert is the resolver for the pauseAlert field.
func (r *mutationResolver) PauseAlert(ctx context.Context, input model.PauseAlertInput) (*model.PauseAlertPayload, error) {
	a, err := r.Reporting.PauseAlert(ctx, input.ID.ID)
	if err != nil {
		return nil, err
	}
	return &model.PauseAlertPayload{Alert: a}, nil
}

// DeleteAlert is the resolver for the deleteAlert field.
func (r *mutationResolver) DeleteAlert(ctx context.Context, input model.DeleteAlertInput) (*model.DeleteAlertPayload, error) {
	if err := r.Reporting.DeleteAlert(ctx, input.ID.ID); err != nil {
		return nil, err
	}
	return &model.DeleteAlertPayload{ID: input.ID}, nil
}

// SavedReport is the resolver for the savedReport field.
func (r *queryResolver) SavedReport(ctx context.Context, id ref.Ref) (*reporting.Ran, error) {
	ran, err := r.Reporting.Report(ctx, id)
	if err != nil {
		return nil, err
	}
	return &ran, nil
}

// Schedules is the resolver for the schedules field.
func (r *queryResolver) Schedules(ctx context.Context, everybody bool, first *int, after *string, last *int, before *string) (*model.ScheduleConnection, error) {
	p, err := r.Reporting.Schedules(ctx, everybody, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.ScheduleConnection{
		Nodes: p.Items, PageInfo: pageInfo(p),
		Edges: edges(ctx, p, func(cursor string, node reporting.Schedule) model.ScheduleEdge {
			return model.ScheduleEdge{Cursor: cursor, Node: node}
		}),
	}, nil
}

// Alerts is the resolver for the alerts field.
func (r *queryResolver) Alerts(ctx context.Context, everybody bool, first *int, after *string, last *int, before *string) (*model.AlertConnection, error) {
	p, err := r.Reporting.Alerts(ctx, everybody, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.AlertConnection{
		Nodes: p.Items, PageInfo: pageInfo(p),
		Edges: edges(ctx, p, func(cursor string, node reporting.Alert) model.AlertEdge {
			return model.AlertEdge{Cursor: cursor, Node: node}
		}),
	}, nil
}

// Result is the resolver for the result field.
func (r *savedReportResultResolver) Result(ctx context.Context, obj *reporting.Ran) (model.ReportResult, error) {
	return obj.Report, nil
}

// Owner is the resolver for the owner field.
func (r *scheduleResolver) Owner(ctx context.Context, obj *reporting.Schedule) (*account.User, error) {
	return loader.User(ctx, obj.Owner)
}

// Report is the resolver for the report field.
func (r *scheduleResolver) Report(ctx context.Context, obj *reporting.Schedule) (model.RefTarget, error) {
	return target(ctx, obj.On.String())
}

// Recipients is the resolver for the recipients field.
func (r *scheduleResolver) Recipients(ctx context.Context, obj *reporting.Schedule) ([]account.User, error) {
	return recipients(ctx, obj.Recipients)
}

// Reason is the resolver for the reason field.
func (r *scheduleResolver) Reason(ctx context.Context, obj *reporting.Schedule) (*string, error) {
	return some(obj.Reason), nil
}

// ErrorCode is the resolver for the errorCode field.
func (r *scheduleResolver) ErrorCode(ctx context.Context, obj *reporting.Schedule) (*string, error) {
	return some(obj.Code), nil
}

// Alert returns generated.AlertResolver implementation.
func (r *Resolver) Alert() generated.AlertResolver { return &alertResolver{r} }

// DashboardTile returns generated.DashboardTileResolver implementation.
func (r *Resolver) DashboardTile() generated.DashboardTileResolver { return &dashboardTileResolver{r} }

// SavedReportResult returns generated.SavedReportResultResolver implementation.
func (r *Resolver) SavedReportResult() generated.SavedReportResultResolver {
	return &savedReportResultResolver{r}
}

// Schedule returns generated.ScheduleResolver implementation.
func (r *Resolver) Schedule() generated.ScheduleResolver { return &scheduleResolver{r} }

type (
	alertResolver             struct{ *Resolver }
	dashboardTileResolver     struct{ *Resolver }
	savedReportResultResolver struct{ *Resolver }
	scheduleResolver          struct{ *Resolver }
)
