package graph

import (
	"context"

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
	return f == nil || len(selected(f.Field.Selections, path)) > 0
}

// selected are the fields at a path.
func selected(set ast.SelectionSet, path []string) (found []*ast.Field) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			switch {
			case sel.Name != path[0]:
			case len(path) == 1:
				found = append(found, sel)
			default:
				found = append(found, selected(sel.SelectionSet, path[1:])...)
			}
		case *ast.InlineFragment:
			found = append(found, selected(sel.SelectionSet, path)...)
		case *ast.FragmentSpread:
			found = append(found, selected(sel.Definition.SelectionSet, path)...)
		}
	}
	return found
}
