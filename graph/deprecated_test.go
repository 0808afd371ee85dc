package graph

import (
	"slices"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

func TestDeprecatedIn(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: `
		type Query { old: Item @deprecated(reason: "new"), new(was: Int @deprecated, is: Int): Item }
		type Item { id: ID! name: String @deprecated }`})
	for text, want := range map[string][]string{
		`{ new(is: 1) { id } }`:                nil,
		`{ old { id } }`:                       {"Query.old"},
		`{ old { name } again: old { name } }`: {"Item.name", "Query.old"},
		`{ new(was: 1) { ... on Item { ...f } } } fragment f on Item { name }`: {"Item.name", "Query.new(was)"},
		`{ __typename }`: nil,
	} {
		doc, errs := gqlparser.LoadQueryWithRules(schema, text, nil)
		if errs != nil {
			t.Fatal(errs)
		}
		if got := deprecatedIn(doc); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
