package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
)

// Errors of the interface itself. The ones of limits tell nothing but their code and that there is a limit.
var (
	ErrBadRequest    = fault.Define(fault.Invalid, "BAD_REQUEST", "this is not a GraphQL request")
	ErrBatch         = fault.Define(fault.Invalid, "BATCHING_UNSUPPORTED", "send one operation in a request")
	ErrBody          = fault.Define(fault.Invalid, "BODY_TOO_LARGE", "the request is too large")
	ErrMediaType     = fault.Define(fault.Invalid, "UNSUPPORTED_MEDIA_TYPE", "send the request as application/json in UTF-8")
	ErrNotAcceptable = fault.Define(fault.Invalid, "NOT_ACCEPTABLE", "answers are application/graphql-response+json or application/json in UTF-8")
	ErrMethod        = fault.Define(fault.Invalid, "METHOD_NOT_ALLOWED", "send queries by GET or POST, and everything else by POST")
	ErrDeadline      = fault.Define(fault.Invalid, "BAD_DEADLINE", "X-Request-Timeout is a whole number of milliseconds, or a duration such as 1.5s")
	ErrParse         = fault.Define(fault.Invalid, "GRAPHQL_PARSE_FAILED", "the document is not GraphQL")
	ErrValidation    = fault.Define(fault.Invalid, "GRAPHQL_VALIDATION_FAILED", "the document is not valid by the schema")
	ErrOperation     = fault.Define(fault.Invalid, "OPERATION_RESOLUTION_FAILURE", "the document has no such operation, or several and operationName does not say which")
	ErrIntrospection = fault.Define(fault.Forbidden, "INTROSPECTION_DISABLED", "the schema cannot be asked for here")
	ErrTooLarge      = fault.Define(fault.Invalid, "QUERY_TOO_LARGE", "the document is too large")
	ErrTooDeep       = fault.Define(fault.Invalid, "QUERY_TOO_DEEP", "the document is nested too deeply")
	ErrTooComplex    = fault.Define(fault.Invalid, "QUERY_TOO_COMPLEX", "the document asks for too much at once")
)

// Present turns any error into the one that is sent: message, path, locations, and extensions with code, field,
// requestId and the details of the fault. An error nobody classified becomes INTERNAL; its text is for the log alone.
// An error the operation's context explains becomes that: what failed because time was up did not fail by itself.
func Present(ctx context.Context, err error) *gqlerror.Error {
	out := &gqlerror.Error{Path: graphql.GetPath(ctx)}
	var shown *gqlerror.Error
	if errors.As(err, &shown) {
		out.Locations = shown.Locations
		if shown.Path != nil {
			out.Path = shown.Path
		}
	}
	if wrap, ok := err.(*gqlerror.Error); ok && wrap.Err != nil { //nolint:errorlint // this very one: gqlgen's wrapping adds what is sent and logged beside the text
		err = wrap.Err
	}
	f := fault.From(err)
	var crash *panicError
	unclassified := f.Code == fault.ErrInternal.Code && !errors.As(err, &crash)
	if unclassified && ctx.Err() != nil {
		f, unclassified = fault.From(ctx.Err()).Because(err), false
	}
	if in := inputPath(ctx, out.Path); in != "" {
		if unclassified {
			// gqlgen refused the value itself, and nobody else was asked. Its text may hold the value.
			f = fault.ErrInput.Because(err)
		}
		if f.Field == "" {
			f = f.On(in)
		}
		out.Path = graphql.GetFieldContext(ctx).Path()
	}
	out.Err, out.Message = f, f.Msg
	out.Extensions = make(map[string]any, len(f.Details)+3)
	for k, v := range f.Details {
		out.Extensions[k] = v
	}
	out.Extensions["code"] = f.Code
	if f.Field != "" {
		out.Extensions["field"] = f.Field
	}
	if id := actor.RequestFrom(ctx).ID; id != "" {
		out.Extensions["requestId"] = id
	}
	return out
}

// inputPath is the part of an error's path that lies within the arguments of the field being resolved, dotted; empty when
// the error is not about them. gqlgen appends it to the path of the field, where a response path must not have it.
func inputPath(ctx context.Context, path ast.Path) string {
	fc := graphql.GetFieldContext(ctx)
	if fc == nil {
		return ""
	}
	if n := len(fc.Path()); n > 0 && len(path) > n {
		return dotted(path[n:])
	}
	return ""
}

// maxEcho bounds any name of the client's that is sent back.
const maxEcho = 128

func dotted(path ast.Path) string {
	var b strings.Builder
	for i, p := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		switch p := p.(type) {
		case ast.PathIndex:
			b.WriteString(strconv.Itoa(int(p)))
		case ast.PathName:
			b.WriteString(string(p))
		}
	}
	return cut(b.String(), maxEcho)
}

// cut shortens s to about n bytes, between characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// present is the presenter gqlgen calls: it logs each error once, at the level of its kind, and sends what Present says.
func (s *Server) present(ctx context.Context, err error) *gqlerror.Error {
	out := Present(ctx, err)
	s.logError(ctx, out)
	var denied *rbac.DeniedError
	if why, ok := s.rights.(explainer); ok && s.cfg.Development && errors.As(err, &denied) {
		out.Extensions["explanation"] = why.Because(ctx, denied)
	}
	return out
}

// explainer is an [Authorizer] that can say why, for development.
type explainer interface {
	Because(ctx context.Context, d *rbac.DeniedError) string
}

// presentAll presents the errors that keep a request from being executed.
func (s *Server) presentAll(ctx context.Context, errs gqlerror.List) gqlerror.List {
	out := make(gqlerror.List, len(errs))
	for i, e := range errs {
		out[i] = s.present(ctx, e)
	}
	return out
}

func (s *Server) logError(ctx context.Context, e *gqlerror.Error) {
	f := fault.From(e.Err)
	if !s.log.Enabled(ctx, f.Kind.Level()) {
		return
	}
	r := actor.RequestFrom(ctx)
	attrs := []slog.Attr{
		slog.String("request_id", r.ID),
		slog.String("actor", actor.From(ctx).Ref().String()),
		slog.String("operation", r.Operation),
		slog.String("code", f.Code),
		slog.String("path", e.Path.String()),
	}
	if f.Err != nil {
		attrs = append(attrs, slog.String("error", f.Err.Error()))
	}
	var crash *panicError
	if errors.As(f, &crash) {
		attrs = append(attrs, slog.String("stack", string(crash.stack)))
	}
	s.log.LogAttrs(ctx, f.Kind.Level(), "graphql_error", attrs...)
}

// panicError is a panic of a resolver on its way to the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// recovered turns a panic into an error: INTERNAL for the client, with the stack for the log.
func recovered(_ context.Context, value any) error {
	return fault.ErrInternal.Because(&panicError{value: value, stack: debug.Stack()})
}
