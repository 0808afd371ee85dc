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
	q := analytics.Query{
		Metric: in.Metric, Aggregate: in.Aggregate, Step: in.Step, WeekStart: in.WeekStart, Top: in.Top, Other: in.Other,
		Where: in.Where, Fill: in.Fill, Compare: in.Compare, Cumulative: in.Cumulative,
	}
	if in.Top == 0 {
		q.Top = -1 // 0 means the default in Go; a client that writes it is told that it is out of range
	}
	give(&q.Quantile, in.Quantile)
	give(&q.TimeZone, in.TimeZone)
	give(&q.Last, in.Last)
	give(&q.From, in.From)
	give(&q.To, in.To)
	give(&q.By, in.By)
	give(&q.MovingAverage, in.MovingAverage)
	return q
}

// give puts what is given, if anything is.
func give[T any](to, v *T) {
	if v != nil {
		*to = *v
	}
}

// metricOf is the metric an input defines.
func metricOf(in model.DefineMetricInput) analytics.Metric {
	m := analytics.Metric{
		Key: in.Key, Event: in.Event, Quantiles: in.Quantiles, Where: in.Where, Dimensions: in.Dimensions,
		MaxKeys: in.MaxKeys, MinuteDays: in.MinuteDays, HourDays: in.HourDays,
	}
	give(&m.Value, in.Value)
	give(&m.Unique, in.Unique)
	return m
}
