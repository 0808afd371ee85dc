package graph

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/page"
)

// pageArgs are the four paging arguments of a connection field.
func pageArgs(first *int, after *string, last *int, before *string) page.Args {
	return page.Args{First: first, After: after, Last: last, Before: before}
}

// sizeOf is the size of a page that is asked for from the beginning.
func sizeOf(first *int) int {
	if first == nil {
		return page.DefaultSize
	}
	return *first
}

// pageInfo is the pageInfo of a connection.
func pageInfo[T any](p page.Page[T]) model.PageInfo {
	info := model.PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious}
	if n := len(p.Cursors); n > 0 {
		info.StartCursor, info.EndCursor = &p.Cursors[0], &p.Cursors[n-1]
	}
	return info
}

// edges makes the edges of a connection, if they are selected.
func edges[T, E any](ctx context.Context, p page.Page[T], edge func(cursor string, node T) E) []E {
	if !selects(ctx, "edges") {
		return []E{}
	}
	out := make([]E, len(p.Items))
	for i, v := range p.Items {
		out[i] = edge(p.Cursors[i], v)
	}
	return out
}

// selects reports whether a path of fields is selected below the field that is being resolved, in whatever fragment and
// under whatever condition.
func selects(ctx context.Context, path ...string) bool {
	f := graphql.GetFieldContext(ctx)
	return f == nil || selected(f.Field.Selections, path)
}

func selected(set ast.SelectionSet, path []string) bool {
	if len(path) == 0 {
		return true
	}
	return slices.ContainsFunc(set, func(sel ast.Selection) bool {
		switch sel := sel.(type) {
		case *ast.Field:
			return sel.Name == path[0] && selected(sel.SelectionSet, path[1:])
		case *ast.InlineFragment:
			return selected(sel.SelectionSet, path)
		case *ast.FragmentSpread:
			return selected(sel.Definition.SelectionSet, path)
		default:
			return true
		}
	})
}
