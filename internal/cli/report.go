package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/export"
	"github.com/backendbook/backendbook/internal/table"
)

// ReportCmd prints a report.
type ReportCmd struct {
	Metric    string    `arg:"" help:"Key of the metric."`
	Aggregate string    `enum:"count,sum,avg,min,max,last,rate,unique,quantile" default:"count" help:"How the events of a bucket become one number: count, sum, avg, min, max, last, rate, unique or quantile."`
	Quantile  float64   `help:"Which quantile, 0 to 1."`
	Step      string    `enum:"minute,hour,day,week,month,quarter,year" default:"minute" help:"Width of a bucket: minute, hour, day, week, month, quarter or year."`
	TimeZone  string    `help:"Whose days, weeks and hours: a name such as Europe/Berlin. Empty for UTC."`
	Last      int       `default:"15" help:"The last so many buckets."`
	From      time.Time `help:"Begin, instead of last."`
	To        time.Time `help:"End, with from."`
	By        string    `help:"Dimension to break down by."`
	Top       int       `default:"10" help:"How many values of the dimension to show."`
	Where     []string  `placeholder:"DIM=VALUE" help:"Only events with this value of a dimension."`
	JSON      bool      `help:"Print JSON."`
	Format    string    `enum:",csv,json,ndjson,xlsx" default:"" help:"Write its rows as csv, json, ndjson or xlsx instead."`
	Out       string    `short:"o" type:"path" help:"File to write them to, instead of standard output."`
}

// settleWait is how long a report waits for what was stored just before it.
const settleWait = 10 * time.Second

// settle folds what is stored into the rollups, or waits until a server that runs has done it. When that takes too long
// the report is made of what there is, and says so.
func settle(ctx context.Context, a *analytics.Service) {
	ctx, stop := context.WithTimeout(ctx, settleWait)
	defer stop()
	folding(ctx, a, func(ctx context.Context) { _ = a.Settled(ctx) })
}

// folding does something that waits for a folder, which may be a server that runs.
func folding(ctx context.Context, a *analytics.Service, do func(ctx context.Context)) {
	ctx, stop := context.WithCancel(ctx)
	var folder sync.WaitGroup
	folder.Go(func() { a.Fold(ctx) })
	do(ctx)
	stop()
	folder.Wait()
}

// Run computes and prints it.
func (c *ReportCmd) Run(ctx context.Context, env *Env) error {
	q := analytics.Query{
		Metric: c.Metric, Aggregate: analytics.Aggregate(strings.ToUpper(c.Aggregate)), Step: analytics.Step(strings.ToUpper(c.Step)),
		Quantile: c.Quantile, TimeZone: c.TimeZone, Last: c.Last, From: c.From, To: c.To, By: c.By, Top: c.Top,
	}
	var err error
	if q.Where, err = dimFilters(c.Where); err != nil {
		return err
	}
	if c.From.IsZero() != c.To.IsZero() {
		return usage("give both --from and --to, or --last alone")
	}
	if !c.From.IsZero() {
		q.Last = 0
	}
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	settle(ctx, s.Analytics)
	if c.Format != "" {
		return into(c.Out, env.Out, func(w io.Writer) error {
			_, err := s.Exports.Report(ctx, export.ReportCmd{Query: q, Format: table.Format(strings.ToUpper(c.Format))}, w)
			return err
		})
	}
	r, err := s.Analytics.Report(ctx, q)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Out, r)
	}
	cells := [][]string{{"FROM", "KEY", "VALUE", "EVENTS"}}
	for _, p := range r.Points {
		value := "-"
		if p.Value != nil {
			value = strconv.FormatFloat(*p.Value, 'f', -1, 64)
		}
		cells = append(cells, []string{p.At.Format(time.RFC3339), p.Key, value, strconv.FormatInt(p.Count, 10)})
	}
	if err := printTable(env.Out, cells); err != nil {
		return err
	}
	note := "exact, from " + string(r.Source)
	if r.Approximate {
		note = fmt.Sprintf("within about %g %%, from %s", 100*r.Error, r.Source)
	}
	if !r.Exact {
		note = "not exact: the rollups are being computed anew"
	}
	through := "no event yet"
	if r.Through != nil {
		through = "events stored up to " + r.Through.Format(time.RFC3339) + " are in it"
	}
	env.say("%s; %s", note, through)
	return nil
}
