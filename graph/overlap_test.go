package graph

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// overlapSchema has what can go wrong with merging: interfaces, unions, types that share field names with other types of
// value, arguments of each kind, and recursion.
const overlapSchema = `
	interface Named { name: String  best: Named }
	type Dog implements Named { name: String best: Named barks: Boolean size: Int! friends(first: Int, like: Like): [Animal!]! owner: Person id: ID }
	type Cat implements Named { name: String best: Named meows: Boolean size: String friends(first: Int, like: Like): [Animal] owner: Person id: ID! }
	type Person implements Named { name: String best: Named pets(first: Int, names: [String]): [Animal] self: Person dog: Dog }
	union Animal = Dog | Cat
	input Like { a: Int b: String }
	type Query { dog: Dog cat: Cat animal: Animal named: Named person(id: ID): Person }
`

func conflicts(schema *ast.Schema, doc *ast.QueryDocument) gqlerror.List {
	o := overlaps{schema: schema, left: maxOverlap}
	for _, op := range doc.Operations {
		o.operation(op)
	}
	return o.errs
}

// walked is a document with its definitions filled in. Fragments nobody spreads are left out: another rule refuses them.
func walked(t testing.TB, schema *ast.Schema, text string) *ast.QueryDocument {
	doc := parsed(t, text)
	used := map[string]bool{}
	var use func(set ast.SelectionSet)
	use = func(set ast.SelectionSet) {
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.Field:
				use(sel.SelectionSet)
			case *ast.InlineFragment:
				use(sel.SelectionSet)
			case *ast.FragmentSpread:
				used[sel.Name] = true
				use(doc.Fragments.ForName(sel.Name).SelectionSet)
			}
		}
	}
	for _, op := range doc.Operations {
		use(op.SelectionSet)
	}
	doc.Fragments = slices.DeleteFunc(doc.Fragments, func(f *ast.FragmentDefinition) bool { return !used[f.Name] })
	core.Walk(schema, doc, &core.Events{})
	return doc
}

func TestOverlaps(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: overlapSchema})
	for text, want := range map[string]string{
		`{ dog { name name } }`:                                                                                    "",
		`{ dog { n: name n: name } }`:                                                                              "",
		`{ dog { n: name n: barks } }`:                                                                             `they return conflicting types`,
		`{ dog { n: name } dog { n: best { name } } }`:                                                             `they return conflicting types`,
		`{ dog { name: best { name } name: owner { name } } }`:                                                     `"best" and "owner" are different fields`,
		`{ dog { friends(first: 1) { __typename } friends(first: 2) { __typename } } }`:                            `they have differing arguments`,
		`{ dog { friends(first: 1) { __typename } friends { __typename } } }`:                                      `they have differing arguments`,
		`{ dog { friends(like: {a: 1, b: "x"}) { __typename } friends(like: {b: "x", a: 1}) { __typename } } }`:    "",
		`{ dog { friends(like: {a: 1}) { __typename } friends(like: {a: 2}) { __typename } } }`:                    `they have differing arguments`,
		`{ person { pets(names: ["a", "b"]) { __typename } pets(names: ["b", "a"]) { __typename } } }`:             `they have differing arguments`,
		`query ($a: Int, $b: Int) { dog { friends(first: $a) { __typename } friends(first: $b) { __typename } } }`: `they have differing arguments`,
		`{ animal { ... on Dog { x: barks } ... on Cat { x: meows } } }`:                                           "", // never one object
		`{ animal { ... on Dog { x: name } ... on Cat { x: meows } } }`:                                            `they return conflicting types`,
		`{ animal { ... on Dog { size } ... on Cat { size } } }`:                                                   `they return conflicting types "Int!" and "String"`,
		`{ animal { ... on Dog { id } ... on Cat { id } } }`:                                                       `they return conflicting types "ID" and "ID!"`,
		`{ animal { ... on Dog { friends { __typename } } ... on Cat { friends { __typename } } } }`:               `they return conflicting types`,
		`{ animal { ... on Dog { owner { x: name } } ... on Cat { owner { x: best { name } } } } }`:                `they return conflicting types`,
		`{ animal { ... on Dog { owner { x: name } } ... on Cat { owner { x: name } } } }`:                         "",
		`{ animal { ... on Dog { o: owner { x: dog { barks } } } ... on Cat { o: best { x: name } } } }`:           `they return conflicting types`,
		`{ named { x: name ... on Dog { x: barks } } }`:                                                            `they return conflicting types`,
		`{ named { x: best { name } ... on Dog { x: owner { name } } } }`:                                          `are different fields`,
		`{ named { ... on Dog { x: owner { name } } ... on Person { x: self { name } } } }`:                        "",
		`{ named { ... on Dog { x: owner { name } } ... on Person { x: self { name } } x: best { name } } }`:       `are different fields`,
		`{ dog { ...A ...B } } fragment A on Dog { x: name } fragment B on Dog { x: barks }`:                       `they return conflicting types`,
		`{ dog { ...A x: name } } fragment A on Dog { ...B } fragment B on Dog { x: barks }`:                       `they return conflicting types`,
		`{ dog { best { ...A } } dog { best { n: __typename } } } fragment A on Named { n: name }`:                 `"name" and "__typename" are different fields`,
		`{ person(id: "a") { name } person(id: "b") { name } }`:                                                    `they have differing arguments`,
		`query A { x: dog { name } } query B { x: cat { name } }`:                                                  "", // never one answer
	} {
		errs := conflicts(schema, walked(t, schema, text))
		if len(errs) == 0 && want != "" || len(errs) > 0 && (want == "" || !strings.Contains(errs[0].Message, want)) {
			t.Errorf("%s: %v, want %q", text, errs, want)
		}
		if reference := referee(schema, walked(t, schema, text)); reference != (want != "") {
			t.Errorf("%s: gqlparser says %v", text, reference)
		}
	}
}

// referee is gqlparser's own rule.
func referee(schema *ast.Schema, doc *ast.QueryDocument) bool {
	found := false
	events := &core.Events{}
	rules.OverlappingFieldsCanBeMergedRule.RuleFunc(events, func(...core.ErrorOption) { found = true })
	core.Walk(schema, doc, events)
	return found
}

// Random documents: this algorithm and gqlparser's agree on whether there is a conflict.
func TestOverlapsAgreesWithTheReference(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: overlapSchema})
	rnd := rand.New(rand.NewPCG(1, 2))
	clean, clashing := 0, 0
	for range 5000 {
		text := randomDocument(rnd, schema)
		mine := len(conflicts(schema, walked(t, schema, text))) > 0
		if reference := referee(schema, walked(t, schema, text)); mine != reference {
			t.Fatalf("conflict = %v, gqlparser says %v: %s", mine, reference, text)
		}
		if mine {
			clashing++
		} else {
			clean++
		}
	}
	if clean < 500 || clashing < 500 {
		t.Errorf("%d clean and %d clashing documents: the generator is one-sided", clean, clashing)
	}
}

// randomDocument is valid but for conflicts.
func randomDocument(rnd *rand.Rand, schema *ast.Schema) string {
	var b strings.Builder
	var set func(def *ast.Definition, depth, from int)
	field := func(def *ast.Definition, depth, from int) {
		f := def.Fields[rnd.IntN(len(def.Fields))]
		for strings.HasPrefix(f.Name, "__") {
			f = def.Fields[rnd.IntN(len(def.Fields))]
		}
		b.WriteByte(' ')
		if rnd.IntN(3) == 0 {
			b.WriteString([]string{"x", "y", "name"}[rnd.IntN(3)] + ": ")
		}
		b.WriteString(f.Name)
		if f.Arguments.ForName("first") != nil && rnd.IntN(2) == 0 {
			b.WriteString([]string{"(first: 1)", "(first: 2)"}[rnd.IntN(2)])
		}
		if below := schema.Types[f.Type.Name()]; !below.IsLeafType() {
			if depth == 0 {
				b.WriteString(" { __typename }")
			} else {
				set(below, depth-1, from)
			}
		}
	}
	types := map[string][]string{"Animal": {"Dog", "Cat"}, "Named": {"Dog", "Cat", "Person", "Named"}}
	fragments := []string{"Dog", "Cat", "Person", "Named", "Dog"}
	set = func(def *ast.Definition, depth, from int) {
		b.WriteString(" {")
		for range 1 + rnd.IntN(3) {
			switch choice := rnd.IntN(6); {
			case choice == 0:
				b.WriteString(" __typename")
			case choice <= 2 && types[def.Name] != nil:
				on := types[def.Name][rnd.IntN(len(types[def.Name]))]
				b.WriteString(" ... on " + on)
				set(schema.Types[on], depth, from)
			case choice == 3 && from < len(fragments) && (fragments[from] == def.Name || def.Name == "Named"):
				b.WriteString(" ...F" + string(rune('0'+from)))
			case def.Kind == ast.Union:
				b.WriteString(" __typename")
			default:
				field(def, depth, from)
			}
		}
		b.WriteString(" }")
	}
	set(schema.Query, 3, rnd.IntN(len(fragments)))
	for i, on := range fragments {
		b.WriteString(" fragment F" + string(rune('0'+i)) + " on " + on)
		set(schema.Types[on], 1, i+1)
	}
	return b.String()
}

// A search that would be too long ends, and says that the document asks for too much.
func TestOverlapsAreBounded(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: overlapSchema})
	o := overlaps{schema: schema, left: 10}
	o.operation(walked(t, schema, `{ dog { a: name b: name c: name d: name e: name f: name g: name h: name } }`).Operations[0])
	if o.left >= 0 || len(o.errs) > 0 {
		t.Errorf("%d left, %v", o.left, o.errs)
	}
}

// The document that takes gqlparser's rule a second takes this one no time worth naming.
func TestOverlapsAreLinear(t *testing.T) {
	t.Parallel()
	schema := plainServer(t, Config{}).schema
	start := time.Now()
	if errs := conflicts(schema, walked(t, schema, equalTree(20, 3))); len(errs) > 0 {
		t.Error(errs)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}

func BenchmarkOverlaps(b *testing.B) {
	schema := plainServer(b, Config{}).schema
	doc := walked(b, schema, equalTree(10, 3))
	b.Run("own", func(b *testing.B) {
		for b.Loop() {
			_ = conflicts(schema, doc)
		}
	})
	b.Run("gqlparser", func(b *testing.B) {
		for b.Loop() {
			referee(schema, doc)
		}
	})
}
