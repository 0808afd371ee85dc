package graph

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/presence"
	"github.com/backendbook/backendbook/internal/trace"
)

// TraceHeader asks, as "1", for what the operation did: it comes back as extensions.trace. So does {"trace": true} in the extensions of
// the request. It needs the permission system.health.read; to others extensions.trace tells only the code of the refusal.
const TraceHeader = "X-Trace"

// operationTrace is extensions.trace: names, numbers and durations, and nothing of arguments, documents or answers.
type operationTrace struct {
	RequestID  string         `json:"requestId,omitempty"`
	TraceID    string         `json:"traceId,omitempty"` // where spans are collected
	Cached     bool           `json:"cached"`            // the document was parsed and validated before
	ParseMs    float64        `json:"parseMs"`
	ValidateMs float64        `json:"validateMs"`
	ExecuteMs  float64        `json:"executeMs"`
	Finds      int            `json:"finds"`
	MongoMs    float64        `json:"mongoMs"` // the sum, of commands at the same time too
	Commands   []commandTrace `json:"commands"`
	Omitted    int            `json:"omitted"` // commands beyond those
}

// commandTrace is one command of the database.
type commandTrace struct {
	Command    string  `json:"command"`
	Collection string  `json:"collection,omitempty"`
	AtMs       float64 `json:"atMs"` // after the execution began
	Ms         float64 `json:"ms"`
	Failed     bool    `json:"failed,omitempty"`
}

// traceIfAsked has the work of an operation listed if the client asks for it and may, and gives what puts it into the answer.
func (s *Server) traceIfAsked(ctx context.Context, op *graphql.OperationContext, work *trace.Work) func(ctx context.Context, resp *graphql.Response) {
	if op.Headers.Get(TraceHeader) != "1" && op.Extensions["trace"] != true {
		return func(context.Context, *graphql.Response) {}
	}
	if err := s.rights.RequireSome(ctx, presence.PermHealth); err != nil {
		code := fault.From(err).Code
		return func(_ context.Context, resp *graphql.Response) { extend(resp, "trace", map[string]any{"code": code}) }
	}
	began := graphql.Now()
	work.List(began)
	return func(ctx context.Context, resp *graphql.Response) {
		extend(resp, "trace", traceOf(ctx, op.Stats, work, time.Since(began)))
	}
}

func extend(resp *graphql.Response, name string, with any) {
	if resp.Extensions == nil {
		resp.Extensions = map[string]any{}
	}
	resp.Extensions[name] = with
}

func traceOf(ctx context.Context, stats graphql.Stats, work *trace.Work, took time.Duration) operationTrace {
	listed := work.Listed()
	t := operationTrace{
		RequestID: actor.RequestFrom(ctx).ID, TraceID: trace.ID(ctx), Cached: stats.Parsing.Start.IsZero(),
		ParseMs: ms(stats.Parsing.End.Sub(stats.Parsing.Start)), ValidateMs: ms(stats.Validation.End.Sub(stats.Validation.Start)), ExecuteMs: ms(took),
		Finds: work.Finds(), MongoMs: ms(work.Took()), Commands: make([]commandTrace, len(listed)), Omitted: work.Total() - len(listed),
	}
	for i, c := range listed {
		t.Commands[i] = commandTrace{Command: c.Name, Collection: c.Collection, AtMs: ms(c.At), Ms: ms(c.Took), Failed: c.Failed}
	}
	return t
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
