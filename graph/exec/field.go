package exec

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// ReadField is [graphql.ResolveField] for a field that is a member of its object. A leaf without arguments is marshalled
// at once. Only when that gives null the field is resolved with a context of its own, which knows what to say about it.
func ReadField[T any](
	ctx context.Context,
	oc *graphql.OperationContext,
	field graphql.CollectedField,
	init func(ctx context.Context, field graphql.CollectedField) (*graphql.FieldContext, error),
	read func(ctx context.Context) (any, error),
	middleware func(ctx context.Context, next graphql.Resolver) graphql.Resolver,
	marshal func(ctx context.Context, sel ast.SelectionSet, v T) graphql.Marshaler,
	recovers, nonNull bool,
) graphql.Marshaler {
	if len(field.Selections) == 0 && len(field.Definition.Arguments) == 0 && middleware == nil && simple[T]() {
		if v, err := read(ctx); err == nil && !empty(v) {
			if v, ok := v.(T); ok {
				return marshal(ctx, nil, v)
			}
		}
	}
	return graphql.ResolveField(ctx, oc, field, init, read, middleware, marshal, recovers, nonNull)
}

// simple reports whether values of a type are marshalled without an error, the empty ones aside.
func simple[T any]() bool {
	kind := reflect.TypeFor[T]().Kind() // a float may be infinite, a list or a pointer nil
	return slices.Contains([]reflect.Kind{reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Struct}, kind)
}

func empty(v any) bool {
	t, is := v.(time.Time)
	return v == nil || is && t.IsZero()
}
