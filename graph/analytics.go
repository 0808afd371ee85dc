package graph

import (
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/analytics"
)

// eventCmd is the event an input brings, with the consent of its batch where it says nothing of it.
func eventCmd(in model.EventInput, consent analytics.Consent) analytics.EventCmd {
	cmd := analytics.EventCmd{ID: in.ID, Name: in.Name, At: in.At, Consent: consent, Dims: in.Dims, Values: in.Values}
	if in.Actor != nil {
		cmd.Actor = *in.Actor
	}
	if in.Session != nil {
		cmd.Session = *in.Session
	}
	if in.Consent != nil {
		cmd.Consent = *in.Consent
	}
	return cmd
}

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
