package graph

import (
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/page"
)

// pageArgs are the four paging arguments of a connection field.
func pageArgs(first *int, after *string, last *int, before *string) page.Args {
	return page.Args{First: first, After: after, Last: last, Before: before}
}

// pageInfo is the pageInfo of a connection.
func pageInfo[T any](p page.Page[T]) model.PageInfo {
	info := model.PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious}
	if n := len(p.Cursors); n > 0 {
		info.StartCursor, info.EndCursor = &p.Cursors[0], &p.Cursors[n-1]
	}
	return info
}

// edges makes the edges of a connection.
func edges[T, E any](p page.Page[T], edge func(cursor string, node T) E) []E {
	out := make([]E, len(p.Items))
	for i, v := range p.Items {
		out[i] = edge(p.Cursors[i], v)
	}
	return out
}
