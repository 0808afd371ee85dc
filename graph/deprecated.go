package graph

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// deprecatedIn are the deprecated fields and arguments that a validated document uses, such as "Query.search" and
// "Query.search(words)", each once and sorted.
func deprecatedIn(doc *ast.QueryDocument) []string {
	var used []string
	for _, op := range doc.Operations {
		used = appendDeprecated(used, op.SelectionSet)
	}
	for _, f := range doc.Fragments {
		used = appendDeprecated(used, f.SelectionSet)
	}
	slices.Sort(used)
	return slices.Compact(used)
}

// appendDeprecated looks through a selection, but not into the fragments it spreads, which the document has beside it.
func appendDeprecated(used []string, set ast.SelectionSet) []string {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			name := sel.ObjectDefinition.Name + "." + sel.Name
			if sel.Definition.Directives.ForName("deprecated") != nil {
				used = append(used, name)
			}
			for _, a := range sel.Arguments {
				if def := sel.Definition.Arguments.ForName(a.Name); def != nil && def.Directives.ForName("deprecated") != nil {
					used = append(used, name+"("+a.Name+")")
				}
			}
			used = appendDeprecated(used, sel.SelectionSet)
		case *ast.InlineFragment:
			used = appendDeprecated(used, sel.SelectionSet)
		case *ast.FragmentSpread:
		}
	}
	return used
}
