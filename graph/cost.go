package graph

import (
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/internal/page"
)

// CostHeader asks, as "1", for the cost of an operation: it comes back as extensions.cost. So does {"cost": true} in the
// extensions of the request. With "only" instead, the operation is checked and priced as ever but not executed: it counts as one of
// those the plan allows in a minute, and takes nothing of the cost.
const CostHeader = "X-Cost"

const costOnly = "only"

// operationCost is extensions.cost.
type operationCost struct {
	Requested int        `json:"requested"`           // of this operation
	Allowed   int        `json:"allowed"`             // of one operation, by the server and the plan
	Remaining *int64     `json:"remaining,omitempty"` // of what the plan allows in a minute; absent where it sets nothing
	Dearest   []costStep `json:"dearest,omitempty"`   // for who asks for the cost alone: the way down to most of it
}

// costStep is a field on the way to most of the cost.
type costStep struct {
	Field string `json:"field"` // its response name
	Size  int    `json:"size"`  // how often what is below counts
	Cost  int    `json:"cost"`  // of it and what is below, for one parent
}

// pricedOnly reports whether a request asks for the cost instead of the execution.
func pricedOnly(headers http.Header, extensions map[string]any) bool {
	return headers.Get(CostHeader) == costOnly || extensions["cost"] == costOnly
}

// unsized is how many elements a list counts for that has no argument for its size.
const unsized = 10

// costOf is the cost of an operation: how many fields its answer may have at most. A list multiplies what is below it by
// the size that is asked for, literally or by a variable, by the default size of a page, or by 10 where there is no
// argument for it; of a connection that is what is below nodes and edges. Introspection costs 1. Linear in the length of
// the document, for a fragment is counted once.
func costOf(op *ast.OperationDefinition, vars map[string]any) int {
	return newCosting(vars).set(op.SelectionSet).once
}

// cost is that of a selection: what counts once, and what counts for each element of the connection it is selected of.
type cost struct{ once, each int }

func (c *cost) add(o cost) { c.once, c.each = min(c.once+o.once, far), min(c.each+o.each, far) }

type costing struct {
	vars      map[string]any
	fragments map[*ast.FragmentDefinition]cost
}

func newCosting(vars map[string]any) *costing {
	return &costing{vars: vars, fragments: map[*ast.FragmentDefinition]cost{}}
}

func (c *costing) set(set ast.SelectionSet) (sum cost) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			sum.add(c.field(sel))
		case *ast.InlineFragment:
			sum.add(c.set(sel.SelectionSet))
		case *ast.FragmentSpread:
			n, known := c.fragments[sel.Definition]
			if !known {
				n = c.set(sel.Definition.SelectionSet)
				c.fragments[sel.Definition] = n
			}
			sum.add(n)
		}
	}
	return sum
}

func (c *costing) field(f *ast.Field) cost {
	if strings.HasPrefix(f.Name, "__") || len(f.SelectionSet) == 0 {
		return cost{once: 1}
	}
	below := c.set(f.SelectionSet)
	if inConnection(f) && (f.Name == "nodes" || f.Name == "edges") {
		return cost{once: 1, each: below.once}
	}
	size, connection := c.size(f)
	if connection {
		return cost{once: 1 + min(below.once+times(size, below.each), far)}
	}
	return cost{once: 1 + times(size, min(below.once+below.each, far))}
}

// times multiplies what is at most far.
func times(n, cost int) int { return int(min(int64(n)*int64(cost), far)) }

// size is how many elements are below a field at most, and whether they are those of a connection.
func (c *costing) size(f *ast.Field) (n int, connection bool) {
	typ := f.Definition.Type
	connection = typ.Elem == nil && strings.HasSuffix(typ.Name(), "Connection")
	sized := false
	for _, name := range []string{"first", "last", "limit"} {
		def := f.Definition.Arguments.ForName(name)
		if def == nil {
			continue
		}
		sized = true
		value := def.DefaultValue
		if arg := f.Arguments.ForName(name); arg != nil {
			value = arg.Value
		}
		if value == nil {
			continue
		}
		if v, err := value.Value(c.vars); err == nil && v != nil {
			if n, err := graphql.UnmarshalInt(v); err == nil {
				if connection { // a page that is too large is refused by its own code
					n = min(n, page.MaxSize)
				}
				return min(max(n, 1), far), connection
			}
		}
	}
	switch {
	case connection, sized && typ.Elem != nil:
		return page.DefaultSize, connection
	case typ.Elem != nil:
		return unsized, false
	default:
		return 1, false
	}
}

// inConnection reports whether a field is one of a connection.
func inConnection(f *ast.Field) bool {
	return f.ObjectDefinition != nil && strings.HasSuffix(f.ObjectDefinition.Name, "Connection")
}

// dearest is the way down to most of the cost: of each selection the field that costs most, while it has any below.
func (c *costing) dearest(set ast.SelectionSet) (way []costStep) {
	for {
		var top *ast.Field
		most := 1
		for _, f := range fieldsOf(set) {
			if n := c.field(f); n.once+n.each > most {
				top, most = f, n.once+n.each
			}
		}
		if top == nil {
			return way
		}
		size := 1
		if !inConnection(top) {
			size, _ = c.size(top)
		}
		way = append(way, costStep{Field: cut(top.Alias, maxEcho), Size: size, Cost: most})
		set = top.SelectionSet
	}
}

// fieldsOf are the fields of a selection, those of its fragments too.
func fieldsOf(set ast.SelectionSet) (fields []*ast.Field) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			fields = append(fields, sel)
		case *ast.InlineFragment:
			fields = append(fields, fieldsOf(sel.SelectionSet)...)
		case *ast.FragmentSpread:
			fields = append(fields, fieldsOf(sel.Definition.SelectionSet)...)
		}
	}
	return fields
}
