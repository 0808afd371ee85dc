package graph

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/graph/exec"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/trace"
)

// Hooks are how the program watches operations. Nil functions are left out.
type Hooks struct {
	// Observe is called after each operation, and when a subscription has begun: with the name of its root field
	// ("several" for more than one, "none" for what was no operation), its type, "OK" or the code of its first error, and
	// how long it took. All three texts are from small fixed sets; so is trusted, the name of the operation if its document is
	// a trusted one, else empty.
	Observe func(root, typ, code, trusted string, took time.Duration)
	// Deprecated is called with the deprecated fields and arguments of each operation that uses any: names of the schema.
	Deprecated func(used []string)
	// Slow is called after each query or mutation that took longer than [Config.Slow].
	Slow func(ctx context.Context, op Slow)
	// Tracer makes spans of queries and mutations, and of what is asked of the database for them; nil for none. A subscription has none:
	// it lasts.
	Tracer *trace.Tracer
}

// Slow is an operation that took long.
type Slow struct {
	Root, Type, Code string // as for [Hooks.Observe]
	Took             time.Duration
	Work             *trace.Work
}

// Execute runs a prepared operation as the actor of ctx. The handler of a query or mutation gives one response and then
// nil; that of a subscription one for each event, and nil at its end. Call the handler from one goroutine at a time.
//
// A query or mutation gets the default deadline unless ctx has one; when it passes, or ctx is cancelled, everything done
// for the operation is cancelled. Each operation, and each event of a subscription, has loaders of its own.
// A panic is logged with its stack and answered with INTERNAL. Whoever asks for the cost alone is told that, and nothing is executed.
func (s *Server) Execute(ctx context.Context, op *graphql.OperationContext) graphql.ResponseHandler {
	if pricedOnly(op.Headers, op.Extensions) {
		return graphql.OneShot(s.price(ctx, op))
	}
	ctx = withOperationName(ctx, op.Operation.Name)
	info := describe(op)
	if doc := s.planned(op); doc != nil {
		ctx = exec.With(ctx, doc.plan)
		info.trusted = doc.trusted
		if len(doc.deprecated) > 0 && s.hooks.Deprecated != nil {
			s.hooks.Deprecated(doc.deprecated)
		}
	}
	if op.Operation.Operation == ast.Subscription {
		return s.subscribe(ctx, op, info)
	}
	answered := false
	return func(context.Context) *graphql.Response {
		if answered {
			return nil
		}
		answered = true
		return s.answer(ctx, op, info)
	}
}

func (s *Server) answer(ctx context.Context, op *graphql.OperationContext, info operationInfo) *graphql.Response {
	leave, err := s.admit(op)
	if err != nil {
		refused := &graphql.Response{Errors: gqlerror.List{s.present(ctx, err)}}
		s.observe(ctx, info, op.Stats.OperationStart, refused.Errors)
		return refused
	}
	defer leave()
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.cfg.Timeout)
		defer cancel()
	}
	ctx, info.work = trace.Watch(ctx)
	ctx, span := s.hooks.Tracer.Operation(ctx, info.typ, cut(info.name, maxEcho))
	defer span.End()
	traced := s.traceIfAsked(ctx, op, info.work)
	ctx = loader.With(ctx, s.sources)
	resp := s.once(ctx, op, func(ctx context.Context) *graphql.Response { return s.dispatch(ctx, op) })
	slices.SortStableFunc(resp.Errors, byPath) // fields fail at the same time, and in any order
	if code := s.observe(ctx, info, op.Stats.OperationStart, resp.Errors); code != codeOK {
		span.Fail(code)
	}
	traced(ctx, resp)
	if cost := s.costOfAnswer(ctx, op); cost != nil {
		extend(resp, "cost", cost)
	}
	return resp
}

func (s *Server) dispatch(ctx context.Context, op *graphql.OperationContext) *graphql.Response {
	resp := s.safely(ctx, func() *graphql.Response {
		handler, inner := s.exec.DispatchOperation(ctx, op)
		return handler(inner)
	})
	if resp == nil { // gqlgen does not begin what has ended already
		resp = &graphql.Response{Errors: gqlerror.List{s.present(ctx, context.Cause(ctx))}, Data: []byte("null")}
	}
	return resp
}

// byPath orders errors by where they happened.
func byPath(a, b *gqlerror.Error) int {
	return slices.CompareFunc(a.Path, b.Path, func(x, y ast.PathElement) int {
		xi, xIsIndex := x.(ast.PathIndex)
		yi, yIsIndex := y.(ast.PathIndex)
		if xIsIndex && yIsIndex {
			return cmp.Compare(xi, yi)
		}
		return strings.Compare(fmt.Sprint(x), fmt.Sprint(y))
	})
}

func (s *Server) subscribe(ctx context.Context, op *graphql.OperationContext, info operationInfo) graphql.ResponseHandler {
	var next graphql.ResponseHandler
	refused := s.safely(ctx, func() *graphql.Response {
		if err := s.guardSubscription(ctx, op); err != nil {
			return &graphql.Response{Errors: gqlerror.List{err}}
		}
		next, _ = s.exec.DispatchOperation(ctx, op)
		return nil
	})
	if refused != nil {
		s.observe(ctx, info, op.Stats.OperationStart, refused.Errors)
		return graphql.OneShot(refused)
	}
	s.observe(ctx, info, op.Stats.OperationStart, nil)
	inner := graphql.WithOperationContext(ctx, op)
	return func(context.Context) *graphql.Response {
		ctx := loader.With(inner, s.sources)
		return s.safely(ctx, func() *graphql.Response { return next(ctx) })
	}
}

// safely runs a part of an execution. gqlgen recovers from panics of resolvers; this is for the rest.
func (s *Server) safely(ctx context.Context, run func() *graphql.Response) (resp *graphql.Response) {
	defer func() {
		if r := recover(); r != nil {
			resp = &graphql.Response{Errors: gqlerror.List{s.present(ctx, recovered(ctx, r))}, Data: []byte("null")}
		}
	}()
	return run()
}

// operationInfo is what the log and the metrics say of an operation.
type operationInfo struct {
	name    string // the client's, for the log alone
	root    string
	typ     string
	trusted bool        // its document is: the name is one of a few
	work    *trace.Work // nil for what was not executed, and for subscriptions
}

// codeOK is the code of an operation without an error.
const codeOK = "OK"

func describe(op *graphql.OperationContext) operationInfo {
	info := operationInfo{name: op.Operation.Name, typ: string(op.Operation.Operation), root: "none"}
	for _, f := range rootFields(op) {
		switch {
		case strings.HasPrefix(f.Name, "__"):
		case info.root == "none" || info.root == f.Name:
			info.root = f.Name
		default:
			info.root = "several"
		}
	}
	return info
}

// rootFields are the fields of the operation itself. gqlgen collects them too and finds them done.
func rootFields(op *graphql.OperationContext) []graphql.CollectedField {
	typ := "Query"
	switch op.Operation.Operation {
	case ast.Mutation:
		typ = "Mutation"
	case ast.Subscription:
		typ = "Subscription"
	case ast.Query:
	}
	return graphql.CollectFields(op, op.Operation.SelectionSet, []string{typ})
}

// observe tells of an operation: one event in the log, without variables and without anything of the answer, and the
// metrics. It gives the code.
func (s *Server) observe(ctx context.Context, info operationInfo, start time.Time, errs gqlerror.List) (code string) {
	took := time.Since(start)
	code = codeOK
	if len(errs) > 0 {
		code = fault.From(errs[0]).Code
	}
	if s.hooks.Observe != nil {
		trusted := ""
		if info.trusted {
			trusted = info.name
		}
		s.hooks.Observe(info.root, info.typ, code, trusted, took)
	}
	if info.work != nil && s.hooks.Slow != nil && s.cfg.Slow > 0 && took >= s.cfg.Slow {
		s.hooks.Slow(ctx, Slow{Root: info.root, Type: info.typ, Code: code, Took: took, Work: info.work})
	}
	level := slog.LevelDebug
	if info.typ == string(ast.Mutation) {
		level = slog.LevelInfo
	}
	if !s.log.Enabled(ctx, level) {
		return code
	}
	attrs := []slog.Attr{
		slog.String("request_id", actor.RequestFrom(ctx).ID),
		slog.String("actor", actor.From(ctx).Ref().String()),
		slog.String("operation", cut(info.name, maxEcho)),
		slog.String("root", info.root),
		slog.String("type", info.typ),
		slog.String("code", code),
		slog.Float64("ms", float64(took.Microseconds())/1000),
	}
	if info.work != nil {
		attrs = append(attrs, slog.Int("finds", info.work.Finds()))
	}
	s.log.LogAttrs(ctx, level, "graphql_operation", attrs...)
	return code
}

// withOperationName notes the operation in the facts of the request, for logs and audit.
func withOperationName(ctx context.Context, name string) context.Context {
	r := actor.RequestFrom(ctx)
	r.Operation = cut(name, maxEcho)
	return actor.WithRequest(ctx, r)
}
