package trace

import (
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Config says where spans go.
type Config struct {
	Endpoint string  // collector that takes OTLP over HTTP, such as http://localhost:4318; empty for no spans
	Sample   float64 // share of the traces that are kept, 0 to 1
	Version  string  // of the service
}

// Tracer makes spans. A nil Tracer makes none, at no cost. It is safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   oteltrace.Tracer
}

// scope is the name of the instrumentation.
const scope = "github.com/backendbook/backendbook"

// New makes a tracer that sends its spans in the background, and drops them rather than wait when the collector cannot take them; nil
// without an endpoint.
func New(ctx context.Context, cfg Config, log *slog.Logger) (*Tracer, error) {
	if cfg.Endpoint == "" {
		return nil, nil //nolint:nilnil // a nil tracer is one that makes no spans
	}
	at, err := url.JoinPath(cfg.Endpoint, "v1/traces")
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(at))
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("backendbook"), semconv.ServiceVersion(cfg.Version)), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	// Whoever calls names the trace, and may ask for none; that there be one is decided here: it costs us, not them.
	kept := sdktrace.TraceIDRatioBased(cfg.Sample)
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(quiet{exporter, log}), sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(kept, sdktrace.WithRemoteParentSampled(kept))))
	return &Tracer{provider: provider, tracer: provider.Tracer(scope)}, nil
}

// quiet tells the log of this process that spans are lost, and nobody else.
type quiet struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

// ExportSpans implements [sdktrace.SpanExporter].
func (q quiet) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := q.SpanExporter.ExportSpans(ctx, spans); err != nil {
		q.log.WarnContext(ctx, "spans_not_exported", "spans", len(spans), "error", err.Error())
	}
	return nil
}

// Close sends what waits, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Span is something under way. The zero Span does nothing.
type Span struct{ span oteltrace.Span }

// Answered names the span of a request, by its route and never by its path or query, which may hold secrets of links.
func (s Span) Answered(method, route string, status int, requestID string) {
	if s.span == nil {
		return
	}
	s.span.SetName(method + " " + route)
	s.span.SetAttributes(semconv.HTTPRequestMethodKey.String(method), semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(status),
		attribute.String("backendbook.request_id", requestID))
	if status >= failedFrom {
		s.Fail(strconv.Itoa(status))
	}
}

const failedFrom = 500 // the first status that says the server is at fault

// Fail marks it as failed, with the code of the error and no text.
func (s Span) Fail(code string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, "")
		s.span.SetAttributes(semconv.ErrorTypeKey.String(code))
	}
}

// End ends it.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}

// w3c reads and writes traceparent; baggage is not taken in: nothing here reads it.
var w3c propagation.TraceContext

// Serve begins the span of a request, in the trace that its sender names.
func (t *Tracer) Serve(ctx context.Context, headers map[string][]string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx = w3c.Extract(ctx, propagation.HeaderCarrier(headers))
	ctx, span := t.tracer.Start(ctx, "HTTP", oteltrace.WithSpanKind(oteltrace.SpanKindServer))
	return ctx, Span{span}
}

// Here is the span ctx is in.
func (t *Tracer) Here(ctx context.Context) Span {
	if t == nil {
		return Span{}
	}
	return Span{oteltrace.SpanFromContext(ctx)}
}

// Operation begins the span of a GraphQL operation. Its name is the client's, an identifier: it is noted, but names no span.
func (t *Tracer) Operation(ctx context.Context, typ, name string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	facts := []attribute.KeyValue{semconv.GraphQLOperationTypeKey.String(typ)}
	if name != "" {
		facts = append(facts, semconv.GraphQLOperationName(name))
	}
	ctx, span := t.tracer.Start(ctx, typ, oteltrace.WithAttributes(facts...))
	return ctx, Span{span}
}

// Job begins the span of a step of background work, in the trace of who asked for it.
func (t *Tracer) Job(ctx context.Context, kind, carried string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	if carried != "" {
		ctx = w3c.Extract(ctx, propagation.MapCarrier{"traceparent": carried})
	}
	ctx, span := t.tracer.Start(ctx, "job "+kind)
	return ctx, Span{span}
}

// Watches reports whether the commands of ctx become spans.
func (t *Tracer) Watches(ctx context.Context) bool {
	return t != nil && oteltrace.SpanFromContext(ctx).IsRecording()
}

// Did makes the span of a command of the database that has just ended. code is empty when it did well.
func (t *Tracer) Did(ctx context.Context, c Command, code string) {
	end := time.Now() //nolint:forbidigo // collectors compare the clocks of machines, not ours
	name := c.Name
	if c.Collection != "" {
		name += " " + c.Collection
	}
	facts := []attribute.KeyValue{semconv.DBSystemNameMongoDB, semconv.DBOperationName(c.Name), semconv.DBNamespace(c.Database)}
	if c.Collection != "" {
		facts = append(facts, semconv.DBCollectionName(c.Collection))
	}
	_, span := t.tracer.Start(ctx, name, oteltrace.WithSpanKind(oteltrace.SpanKindClient), oteltrace.WithTimestamp(end.Add(-c.Took)), oteltrace.WithAttributes(facts...))
	if code != "" {
		span.SetAttributes(semconv.DBResponseStatusCode(code))
		Span{span}.Fail(code)
	}
	span.End(oteltrace.WithTimestamp(end))
}

// Apart is ctx outside of any trace, for what goes on for long: each thing done in it begins a trace of its own.
func Apart(ctx context.Context) context.Context {
	if ID(ctx) == "" {
		return ctx
	}
	return oteltrace.ContextWithSpanContext(ctx, oteltrace.SpanContext{})
}

// ID is the id of the trace ctx is in; empty outside of one.
func ID(ctx context.Context) string {
	at := oteltrace.SpanContextFromContext(ctx)
	if !at.HasTraceID() {
		return ""
	}
	return at.TraceID().String()
}

// Carry writes down where ctx is, as a W3C traceparent, for [Tracer.Job]; empty outside of a trace.
func Carry(ctx context.Context) string {
	if ID(ctx) == "" {
		return ""
	}
	to := propagation.MapCarrier{}
	w3c.Inject(ctx, to)
	return to["traceparent"]
}
