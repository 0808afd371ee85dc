package graph

import (
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
)

// reportQuery is the report an input asks for.
func reportQuery(in model.ReportInput) analytics.Query {
	q := analytics.Query{Metric: in.Metric, Aggregate: in.Aggregate, Step: in.Step, Top: in.Top}
	if in.Top == 0 {
		q.Top = -1 // 0 means the default in Go; a client that writes it is told that it is out of range
	}
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
