package graph

import (
	"testing"
	"time"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
)

func TestReportQuery(t *testing.T) {
	t.Parallel()
	from, to := time.Unix(0, 0), time.Unix(3600, 0)
	last, by := 5, "origin"
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
			"a top of 0, which must not become the default",
			model.ReportInput{Metric: "m", Aggregate: analytics.Count, Step: analytics.Day, Last: &last},
			analytics.Query{Metric: "m", Aggregate: analytics.Count, Step: analytics.Day, Last: 5, Top: -1},
		},
	} {
		if got := reportQuery(tc.in); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}
