package graph

import (
	"reflect"
	"testing"
	"time"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
)

func TestReportQuery(t *testing.T) {
	t.Parallel()
	from, to := time.Unix(0, 0), time.Unix(3600, 0)
	last, by, zone, half, three := 5, "origin", "Europe/Berlin", 0.5, 3
	for _, tc := range []struct {
		name string
		in   model.ReportInput
		want analytics.Query
	}{
		{
			"by last",
			model.ReportInput{Metric: "m", Aggregate: analytics.Sum, Step: analytics.Hour, Last: &last, By: &by, Top: 3},
			analytics.Query{Metric: "m", Aggregate: analytics.Sum, Step: analytics.Hour, Last: 5, By: "origin", Top: 3},
		},
		{
			"by range",
			model.ReportInput{Metric: "m", Aggregate: analytics.Count, Step: analytics.Day, From: &from, To: &to, Top: 10},
			analytics.Query{Metric: "m", Aggregate: analytics.Count, Step: analytics.Day, From: from, To: to, Top: 10},
		},
		{
			"everything",
			model.ReportInput{
				Metric: "m", Aggregate: analytics.Quantile, Quantile: &half, Step: analytics.Week, TimeZone: &zone, WeekStart: analytics.Sunday, Last: &last,
				By: &by, Top: 1, Other: true, Where: []analytics.DimFilter{{Dim: "d", In: []string{"x"}, Not: true}}, Fill: analytics.FillZero,
				Compare: analytics.CompareYear, MovingAverage: &three, Cumulative: true,
			},
			analytics.Query{
				Metric: "m", Aggregate: analytics.Quantile, Quantile: 0.5, Step: analytics.Week, TimeZone: zone, WeekStart: analytics.Sunday, Last: 5,
				By: "origin", Top: 1, Other: true, Where: []analytics.DimFilter{{Dim: "d", In: []string{"x"}, Not: true}}, Fill: analytics.FillZero,
				Compare: analytics.CompareYear, MovingAverage: 3, Cumulative: true,
			},
		},
		{
			"a top of 0, which must not become the default",
			model.ReportInput{Metric: "m", Aggregate: analytics.Count, Step: analytics.Day, Last: &last},
			analytics.Query{Metric: "m", Aggregate: analytics.Count, Step: analytics.Day, Last: 5, Top: -1},
		},
	} {
		if got := reportQuery(tc.in); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}
