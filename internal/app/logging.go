package app

import (
	"context"
	"io"
	"log/slog"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/trace"
)

// newLogger makes the log of the process. format is console or json, level one of slog's words in small letters.
func newLogger(w io.Writer, format, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // config lets no other word through
	}
	opts := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(contextHandler{slog.NewJSONHandler(w, opts)})
	}
	return slog.New(contextHandler{slog.NewTextHandler(w, opts)})
}

// WithRequest is a log whose lines say who asked for what; see newLogger. For tests that make their own.
func WithRequest(log *slog.Logger) *slog.Logger { return slog.New(contextHandler{log.Handler()}) }

// contextHandler adds to each line who asked for what: the request, its trace, the operation and the actor of its context.
type contextHandler struct{ slog.Handler }

// Handle implements [slog.Handler]. What the line says of them itself stays.
func (h contextHandler) Handle(ctx context.Context, r slog.Record) error {
	req := actor.RequestFrom(ctx)
	for _, a := range [...]slog.Attr{
		slog.String("request_id", req.ID),
		slog.String("trace_id", trace.ID(ctx)),
		slog.String("operation", req.Operation),
		slog.String("actor", actor.From(ctx).Ref().String()),
	} {
		if a.Value.String() != "" && !has(r, a.Key) {
			r.AddAttrs(a)
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}

func has(r slog.Record, key string) bool {
	found := false
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}
