package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
)

// MetricListCmd lists the metrics.
type MetricListCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run lists them by key.
func (c *MetricListCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	all, err := s.Analytics.Metrics(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Out, all)
	}
	cells := [][]string{{"KEY", "EVENT", "VALUE", "UNIQUE", "QUANTILES", "DIMENSIONS"}}
	for _, m := range all {
		cells = append(cells, []string{m.Key, m.Event, m.Value, m.Unique, strconv.FormatBool(m.Quantiles), strings.Join(m.Dimensions, ",")})
	}
	return printTable(env.Out, cells)
}

// MetricVerifyCmd compares every rollup with a recount of the events.
type MetricVerifyCmd struct{}

// Run tells what differs; it fails if anything does.
func (c *MetricVerifyCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	var v analytics.Verification
	folding(ctx, s.Analytics, func(ctx context.Context) { v, err = s.Analytics.Verify(ctx) })
	if err != nil {
		return err
	}
	if len(v.Differences) > 0 {
		cells := [][]string{{"METRIC", "ROLLUP", "FROM", "DIMENSION", "KEY", "EVENTS", "COUNTED", "SKETCH"}}
		for _, d := range v.Differences {
			cells = append(cells, []string{
				d.Metric, string(d.Rollup), d.At.Format(time.RFC3339), d.Dim, d.Key,
				strconv.FormatInt(d.Stored, 10), strconv.FormatInt(d.Counted, 10), strconv.FormatBool(d.Sketch),
			})
		}
		if err := printTable(env.Out, cells); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(env.Out, "%d metrics, %d rollups, %d differ\n", v.Metrics, v.Rollups, v.Differing); err != nil {
		return err
	}
	if v.Differing > 0 {
		return fmt.Errorf("%d rollups are not what their events say: metric rebuild computes them anew", v.Differing)
	}
	return nil
}

// MetricRebuildCmd computes every rollup anew from the events.
type MetricRebuildCmd struct{}

// Run waits until that is done.
func (c *MetricRebuildCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := s.Analytics.Rebuild(ctx); err != nil {
		return err
	}
	folding(ctx, s.Analytics, func(ctx context.Context) { err = s.Analytics.Settled(ctx) })
	if err == nil {
		env.say("done")
	}
	return err
}

// MetricDeleteCmd deletes a metric and what was counted for it.
type MetricDeleteCmd struct {
	Key   string `arg:"" help:"Key of the metric."`
	Force bool   `help:"Also if saved reports show it."`
}

// Run waits until its rollups are gone.
func (c *MetricDeleteCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := s.Analytics.DeleteMetric(ctx, analytics.DeleteMetricCmd{Key: c.Key, Force: c.Force}); err != nil {
		return err
	}
	folding(ctx, s.Analytics, func(ctx context.Context) { err = s.Analytics.Settled(ctx) })
	if err == nil {
		env.say("%s is gone", c.Key)
	}
	return err
}
