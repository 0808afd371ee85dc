package reporting

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// The kinds of saved reports that show a report of analytics.
const (
	kindLine  = "LINE"
	kindBar   = "BAR"
	kindArea  = "AREA"
	kindTable = "TABLE"
	kindValue = "VALUE"
)

// Ran is a saved report with what came of it.
type Ran struct {
	Saved  registry.SavedReport
	Report analytics.Report
}

// Report runs a saved report with the rights of the caller, who must be allowed to read the document and the metric. Cost: one read
// and those of [analytics.Service.Report].
//
// Errors: NOT_FOUND, REPORT_QUERY, REPORT_KIND, and those of Report.
func (s *Service) Report(ctx context.Context, on ref.Ref) (Ran, error) {
	saved, q, err := s.saved(ctx, on)
	if err != nil {
		return Ran{}, err
	}
	r, err := s.Reports.Report(ctx, q)
	return Ran{saved, r}, err
}

// Channel opens the channel that the query of a saved report opens: whoever follows the same numbers shares them. A change of
// the document is not followed; the channel of the document tells it. The right to the document is part of that to follow.
//
// Errors: those of [Service.Report] and [analytics.Service.ReportChannel].
func (s *Service) Channel(ctx context.Context, on ref.Ref) (
	key string, topics []string, newSource func() *analytics.ReportSource, allowed func(ctx context.Context) error, err error,
) {
	_, q, err := s.saved(ctx, on)
	if err != nil {
		return "", nil, nil, nil, err
	}
	key, topics, newSource, metric, err := s.Reports.ReportChannel(ctx, q)
	allowed = func(ctx context.Context) error {
		if err := s.Authz.Require(ctx, registry.PermRead, on); err != nil {
			return err
		}
		return metric(ctx)
	}
	return key, topics, newSource, allowed, err
}

// saved reads a saved report and its query.
func (s *Service) saved(ctx context.Context, on ref.Ref) (registry.SavedReport, analytics.Query, error) {
	if on.Type != ref.Report {
		return registry.SavedReport{}, analytics.Query{}, fault.ErrNotFound
	}
	found, err := s.Documents.ByRefs(ctx, []ref.Ref{on})
	if err != nil {
		return registry.SavedReport{}, analytics.Query{}, err
	}
	d, there := found[on]
	saved, is := registry.AsNative(d).(registry.SavedReport)
	if !there || !is {
		return registry.SavedReport{}, analytics.Query{}, fault.ErrNotFound
	}
	q, err := queryOf(saved)
	return saved, q, err
}

// input is a report as the GraphQL API has it (ReportInput), which is how its query is saved.
type input struct {
	Metric        string                `json:"metric"`
	Aggregate     analytics.Aggregate   `json:"aggregate"`
	Quantile      float64               `json:"quantile"`
	Step          analytics.Step        `json:"step"`
	TimeZone      string                `json:"timeZone"`
	WeekStart     analytics.Weekday     `json:"weekStart"`
	Last          int                   `json:"last"`
	From          time.Time             `json:"from"`
	To            time.Time             `json:"to"`
	By            string                `json:"by"`
	Top           int                   `json:"top"`
	Other         bool                  `json:"other"`
	Where         []analytics.DimFilter `json:"where"`
	Fill          analytics.Fill        `json:"fill"`
	Compare       analytics.Compare     `json:"compare"`
	MovingAverage int                   `json:"movingAverage"`
	Cumulative    bool                  `json:"cumulative"`
}

// queryOf reads the query of a saved report. Whether the metric can answer it is found when it runs.
//
// Errors: REPORT_QUERY, REPORT_KIND.
func queryOf(saved registry.SavedReport) (analytics.Query, error) {
	switch saved.Kind {
	case kindLine, kindBar, kindArea, kindTable, kindValue:
	default:
		return analytics.Query{}, ErrKind
	}
	text, err := json.Marshal(saved.Query)
	if err != nil {
		return analytics.Query{}, err
	}
	in := input{Aggregate: analytics.Count, Step: analytics.Minute}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // a misspelt member would be a report of something else
	if err := d.Decode(&in); err != nil && err != io.EOF {
		return analytics.Query{}, ErrQuery.Saying("the query of the saved report is not valid: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return analytics.Query(in), nil
}
