package registry

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The two checks of a compiled schema as a graph: what one value may cost, and where references may stand.

// maxWork bounds how many subschemas one value and the values above it can meet. Schemas of people stay below a hundred;
// `"items": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}` would meet 2^20 of them.
const maxWork = 1000

// branches sorts the subschemas of s by how they meet the value.
type branches struct {
	here []*jsonschema.Schema // at the same value
	each []*jsonschema.Schema // at a value inside, at most one of them
	all  []*jsonschema.Schema // at a value inside, any of them
}

func branchesOf(s *jsonschema.Schema) branches {
	var b branches
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, {s.Ref, s.Not, s.If, s.Then, s.Else}} {
		b.here = append(b.here, list...)
	}
	if s.DynamicRef != nil {
		b.here = append(b.here, s.DynamicRef.Ref)
	}
	for _, d := range s.DependentSchemas {
		b.here = append(b.here, d)
	}
	for _, p := range s.Properties {
		b.each = append(b.each, p)
	}
	b.each = append(append(b.each, s.PrefixItems...), s.Items2020, schemaOf(s.AdditionalProperties))
	for _, p := range s.PatternProperties {
		b.all = append(b.all, p)
	}
	b.all = append(b.all, s.Contains, s.PropertyNames, s.UnevaluatedItems, s.UnevaluatedProperties)
	return b
}

// schemaOf is the schema in a field that may also hold a bool.
func schemaOf(v any) *jsonschema.Schema {
	s, _ := v.(*jsonschema.Schema)
	return s
}

type workAt struct {
	schema *jsonschema.Schema
	depth  int
}

// checkWork refuses a schema that could keep the validator busy for long, or that refers to itself without an end.
//
// Errors: SCHEMA_INVALID.
func checkWork(s *jsonschema.Schema) error {
	if w := work(s, MaxDepth, map[workAt]int{}); w > maxWork {
		return ErrSchema.Saying("the schema is too complex: one value would be checked against more than %d subschemas, "+
			"or it refers to itself without an end", maxWork)
	}
	return nil
}

// work bounds from above how many subschemas are met on the way from a value to one of its innermost values.
func work(s *jsonschema.Schema, depth int, memo map[workAt]int) int {
	if s == nil || depth < 0 {
		return 0
	}
	key := workAt{s, depth}
	if w, ok := memo[key]; ok {
		return w
	}
	memo[key] = maxWork + 1 // met again before it is known: an endless loop
	b := branchesOf(s)
	sum, deepest := 1, 0
	for _, sub := range b.here {
		sum = min(sum+work(sub, depth, memo), maxWork+1)
	}
	for _, sub := range b.all {
		sum = min(sum+work(sub, depth-1, memo), maxWork+1)
	}
	for _, sub := range b.each {
		deepest = max(deepest, work(sub, depth-1, memo))
	}
	memo[key] = min(sum+deepest, maxWork+1)
	return memo[key]
}

// checkPlaces refuses other drafts than 2020-12, and the keyword `reference` where it would depend on other values whether
// a value is a reference. It reports whether there is any reference.
//
// Errors: SCHEMA_INVALID.
func checkPlaces(s *jsonschema.Schema) (bool, error) {
	w := places{seen: map[placeAt]bool{}}
	err := w.visit(s, true)
	return w.any, err
}

type placeAt struct {
	schema *jsonschema.Schema
	fixed  bool
}

type places struct {
	seen map[placeAt]bool
	any  bool
}

// visit walks the schema; fixed tells that every value which gets here does so by its place alone.
func (w *places) visit(s *jsonschema.Schema, fixed bool) error {
	if s == nil || w.seen[placeAt{s, fixed}] {
		return nil
	}
	w.seen[placeAt{s, fixed}] = true
	if s.Bool == nil && s.DraftVersion != 2020 {
		return ErrSchema.Saying("only JSON Schema 2020-12 is understood")
	}
	if slices.ContainsFunc(s.Extensions, func(x jsonschema.SchemaExt) bool { _, is := x.(*rule); return is }) {
		w.any = true
		if !fixed {
			return ErrSchema.Saying("the keyword reference may stand under properties, patternProperties, additionalProperties, " +
				"items, allOf and $ref only")
		}
	}
	always := map[*jsonschema.Schema]bool{s.Ref: true, s.Items2020: true, schemaOf(s.AdditionalProperties): true}
	for _, sub := range s.AllOf {
		always[sub] = true
	}
	for _, sub := range s.Properties {
		always[sub] = true
	}
	for _, sub := range s.PatternProperties {
		always[sub] = true
	}
	for sub := range always {
		if err := w.visit(sub, fixed); err != nil {
			return err
		}
	}
	b := branchesOf(s)
	for _, list := range [][]*jsonschema.Schema{b.here, b.each, b.all} {
		for _, sub := range list {
			if always[sub] {
				continue
			}
			if err := w.visit(sub, false); err != nil {
				return err
			}
		}
	}
	return nil
}
