package reporting

import (
	"context"
	"errors"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/store"
)

// Template is a dashboard that can be made ready to use.
type Template string

// The templates.
const (
	TemplateFlights Template = "FLIGHTS" // the demo's metrics
	TemplateProduct Template = "PRODUCT" // the product's own operation
)

// tileSpec is a report of a template, and its place.
type tileSpec struct {
	title, kind string
	query       map[string]any
	x, y, w, h  int
}

type templateSpec struct {
	title, description string
	tiles              []tileSpec
}

func query(metric, aggregate, step string, last int, more ...any) map[string]any {
	q := map[string]any{"metric": metric, "aggregate": aggregate, "step": step, "last": last}
	for i := 0; i+1 < len(more); i += 2 {
		name, _ := more[i].(string)
		q[name] = more[i+1]
	}
	return q
}

var templates = map[Template]templateSpec{
	TemplateFlights: {"Flights", "Flights and their delays, as they come in.", []tileSpec{
		{"Flights in the last hour", kindValue, query("flights.count", "COUNT", "MINUTE", 60), 0, 0, 3, 2},
		{"Mean delay in the last hour", kindValue, query("flights.delay", "AVG", "MINUTE", 60), 3, 0, 3, 2},
		{"Worst delay in the last hour", kindValue, query("flights.delay", "MAX", "MINUTE", 60), 6, 0, 3, 2},
		{"Miles in the last hour", kindValue, query("flights.distance", "SUM", "MINUTE", 60), 9, 0, 3, 2},
		{"Flights a minute", kindArea, query("flights.count", "COUNT", "MINUTE", 120, "fill", "ZERO"), 0, 2, 12, 4},
		{"Mean delay by origin", kindLine, query("flights.delay", "AVG", "MINUTE", 60, "by", "origin", "top", 5), 0, 6, 6, 4},
		{"Flights by destination", kindBar, query("flights.count", "COUNT", "HOUR", 12, "by", "destination", "top", 5), 6, 6, 6, 4},
	}},
	TemplateProduct: {"Operation", "How this server is used, and how it does.", []tileSpec{
		{"Sign-ins in the last day", kindValue, query("product.sign_ins", "COUNT", "HOUR", 24), 0, 0, 3, 2},
		{"Denials in the last day", kindValue, query("product.denials", "COUNT", "HOUR", 24), 3, 0, 3, 2},
		{"Uses in the last day", kindValue, query("product.usage", "COUNT", "HOUR", 24), 6, 0, 3, 2},
		{"Mean latency in the last hour", kindValue, query("product.latency", "AVG", "MINUTE", 60), 9, 0, 3, 2},
		{"Sign-ins an hour", kindBar, query("product.sign_ins", "COUNT", "HOUR", 48, "fill", "ZERO"), 0, 2, 6, 4},
		{"Denials an hour", kindBar, query("product.denials", "COUNT", "HOUR", 48, "fill", "ZERO"), 6, 2, 6, 4},
		{"Latency a minute", kindLine, query("product.latency", "AVG", "MINUTE", 120), 0, 6, 6, 4},
		{"Uses an hour", kindArea, query("product.usage", "COUNT", "HOUR", 48, "fill", "ZERO"), 6, 6, 6, 4},
	}},
}

const (
	templateLease = 10 * time.Second
	templatePause = 50 * time.Millisecond
)

// FromTemplate makes the dashboard of a template with its reports, owned by the caller, in one transaction; or gives the one
// they have from that template already, as it is now. Of two calls at once the second waits for the first.
//
// Errors: TEMPLATE_UNKNOWN, and those of [registry.Service.Create].
func (s *Service) FromTemplate(ctx context.Context, name Template) (registry.Dashboard, error) {
	spec, known := templates[name]
	if !known {
		return registry.Dashboard{}, ErrTemplate.On("input.template")
	}
	me := actor.From(ctx).Ref()
	if me.IsZero() {
		return registry.Dashboard{}, fault.ErrUnauthenticated
	}
	lease, err := s.DB.TryLease(ctx, "reporting.template."+me.String(), templateLease)
	for errors.Is(err, store.ErrLeaseHeld) && clock.Sleep(ctx, templatePause) {
		lease, err = s.DB.TryLease(ctx, "reporting.template."+me.String(), templateLease)
	}
	if err != nil {
		return registry.Dashboard{}, err
	}
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }()
	ctx, cancel := context.WithTimeout(ctx, templateLease)
	defer cancel()
	one := 1
	there, err := s.Documents.List(ctx, registry.ListCmd{Type: DashboardKey, Page: page.Args{First: &one}, Filter: map[string]any{
		"template": map[string]any{"eq": string(name)}, "owner": map[string]any{"eq": me.String()},
	}})
	if err != nil {
		return registry.Dashboard{}, err
	}
	if len(there.Items) > 0 {
		board, _ := registry.AsNative(there.Items[0]).(registry.Dashboard)
		return board, nil
	}
	var board registry.Dashboard
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		var tiles []any
		for _, t := range spec.tiles {
			made, err := s.Documents.Create(ctx, registry.CreateCmd{Type: ReportKey, Data: map[string]any{
				"title": t.title, "kind": t.kind, "query": t.query,
			}})
			if err != nil {
				return err
			}
			tiles = append(tiles, map[string]any{"report": made.Ref().String(), "x": t.x, "y": t.y, "w": t.w, "h": t.h})
		}
		made, err := s.Documents.Create(ctx, registry.CreateCmd{Type: DashboardKey, Data: map[string]any{
			"title": spec.title, "description": spec.description, "template": string(name), "tiles": tiles,
		}})
		board, _ = registry.AsNative(made).(registry.Dashboard)
		return err
	})
	return board, err
}
