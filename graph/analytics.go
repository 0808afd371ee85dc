package graph

import (
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
)

// reportQuery is the report an input asks for.
func reportQuery(in model.ReportInput) analytics.Query {
	q := analytics.Query{Metric: in.Metric, Aggregate: in.Aggregate, Step: in.Step, Top: in.Top}
	if in.Last != nil {
		q.Last = *in.Last
	}
	if in.From != nil {
		q.From = *in.From
	}
	if in.To != nil {
		q.To = *in.To
	}
	if in.By != nil {
		q.By = *in.By
	}
	return q
}
