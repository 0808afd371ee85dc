package graph

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/idempotency"
)

// IdempotencyHeader is the header that makes the retry of a mutation safe. Where there are no headers, as on a socket, the
// `idempotencyKey` of the request's extensions does the same.
const IdempotencyHeader = "Idempotency-Key"

// once runs an operation; a mutation with an idempotency key changes nothing a second time, and gets the answer of the first.
func (s *Server) once(ctx context.Context, op *graphql.OperationContext, run func(ctx context.Context) *graphql.Response) *graphql.Response {
	key, given := idempotencyKey(op)
	if !given || op.Operation.Operation != ast.Mutation || s.keys == nil {
		return run(ctx)
	}
	var fresh *graphql.Response
	kept, replayed, err := s.keys.Do(ctx, key, requestOf(op), func(ctx context.Context) ([]byte, idempotency.Outcome) {
		fresh = run(ctx)
		b, err := json.Marshal(fresh)
		if err != nil {
			return nil, idempotency.Unknown // nothing that could be kept
		}
		return b, outcomeOf(fresh.Errors)
	})
	if err == nil && replayed {
		fresh = &graphql.Response{}
		if err = json.Unmarshal(kept, fresh); err == nil {
			extend(fresh, "idempotency", map[string]bool{"replayed": true})
		}
	}
	if err != nil {
		return &graphql.Response{Errors: gqlerror.List{s.present(ctx, err)}, Data: []byte("null")}
	}
	return fresh
}

// idempotencyKey is what the request gives as such. Two that differ are none that is valid.
func idempotencyKey(op *graphql.OperationContext) (key string, given bool) {
	inHeader, inBody := op.Headers.Values(IdempotencyHeader), op.Extensions["idempotencyKey"]
	text, isText := inBody.(string)
	switch {
	case len(inHeader) == 0 && inBody == nil:
		return "", false
	case inBody == nil && len(inHeader) == 1:
		return inHeader[0], true
	case isText && (len(inHeader) == 0 || len(inHeader) == 1 && inHeader[0] == text):
		return text, true
	default:
		return "", true
	}
}

// requestOf is what must be the same when a key comes again.
func requestOf(op *graphql.OperationContext) []byte {
	b, _ := json.Marshal([]any{op.RawQuery, op.OperationName, op.Variables}) // came as JSON
	return b
}

func outcomeOf(errs gqlerror.List) idempotency.Outcome {
	outcome := idempotency.Done
	for _, err := range errs {
		if outcome = idempotency.Failed; idempotency.IsUnknown(fault.From(err)) {
			return idempotency.Unknown
		}
	}
	return outcome
}
