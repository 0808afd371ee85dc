package graph

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// maxOverlap is how many fields the search for conflicts may visit. The limits let no operation have more than maxFields;
// the rest is for fields of interfaces, which are looked at once for each type beside them.
const maxOverlap = 3 * maxFields

// overlaps finds fields that answer to the same name and cannot be merged: FieldsInSetCanMerge of the specification.
//
// gqlparser compares each pair of such fields, and each pair below them again: more than the fourth power of what a
// client writes. Here all fields of one response name are compared with the first of them, which is enough because being
// mergeable is an equivalence among fields that can meet, and what is below them is merged into one set and looked at
// once. The work is linear in the operation with its fragments written out.
//
// It must run on a document that passed all other rules: every fragment is there and none contains itself.
type overlaps struct {
	schema *ast.Schema
	left   int
	errs   gqlerror.List
}

// group are the fields of one response name.
type group struct {
	name   string
	fields []*ast.Field
}

func (o *overlaps) operation(op *ast.OperationDefinition) {
	set := []ast.SelectionSet{op.SelectionSet}
	o.sameShape(set)
	o.sameField(set)
}

// collect gives the fields of several sets that are merged, by response name in the order they are met.
func (o *overlaps) collect(sets []ast.SelectionSet) []group {
	var (
		groups []group
		index  = map[string]int{}
		spread = map[string]bool{}
		walk   func(set ast.SelectionSet)
	)
	walk = func(set ast.SelectionSet) {
		for _, sel := range set {
			if o.left--; o.left < 0 {
				return
			}
			switch sel := sel.(type) {
			case *ast.Field:
				i, known := index[sel.Alias]
				if !known {
					i = len(groups)
					index[sel.Alias] = i
					groups = append(groups, group{name: sel.Alias})
				}
				groups[i].fields = append(groups[i].fields, sel)
			case *ast.InlineFragment:
				walk(sel.SelectionSet)
			case *ast.FragmentSpread:
				if !spread[sel.Name] {
					spread[sel.Name] = true
					walk(sel.Definition.SelectionSet)
				}
			}
		}
	}
	for _, set := range sets {
		walk(set)
	}
	return groups
}

func below(fields []*ast.Field) []ast.SelectionSet {
	var sets []ast.SelectionSet
	for _, f := range fields {
		if len(f.SelectionSet) > 0 {
			sets = append(sets, f.SelectionSet)
		}
	}
	return sets
}

// sameShape checks what holds even for fields of different types: a client must be able to tell what it gets.
func (o *overlaps) sameShape(sets []ast.SelectionSet) {
	if len(sets) == 0 || o.done() {
		return
	}
	for _, g := range o.collect(sets) {
		first := g.fields[0]
		for _, f := range g.fields[1:] {
			if a, b := first.Definition.Type, f.Definition.Type; o.shapesDiffer(a, b) {
				o.conflict(g.name, f, fmt.Sprintf("they return conflicting types %q and %q", a, b))
				return
			}
		}
		o.sameShape(below(g.fields))
	}
}

func (o *overlaps) shapesDiffer(a, b *ast.Type) bool {
	if a.NonNull != b.NonNull || (a.Elem == nil) != (b.Elem == nil) {
		return true
	}
	if a.Elem != nil {
		return o.shapesDiffer(a.Elem, b.Elem)
	}
	if a.NamedType == b.NamedType {
		return false
	}
	return o.schema.Types[a.NamedType].IsLeafType() || o.schema.Types[b.NamedType].IsLeafType()
}

// sameField checks that fields which can meet in one object are the same field with the same arguments. Fields of two
// different object types never meet.
func (o *overlaps) sameField(sets []ast.SelectionSet) {
	if len(sets) == 0 || o.done() {
		return
	}
	for _, g := range o.collect(sets) {
		for _, meeting := range meetings(g.fields) {
			first := meeting[0]
			for _, f := range meeting[1:] {
				switch {
				case first.Name != f.Name:
					o.conflict(g.name, f, fmt.Sprintf("%q and %q are different fields", first.Name, f.Name))
					return
				case !sameArguments(first.Arguments, f.Arguments):
					o.conflict(g.name, f, "they have differing arguments")
					return
				}
			}
			o.sameField(below(meeting))
		}
	}
}

// meetings splits fields into those that can meet in one object: for each object type the fields selected on it and the
// fields selected on interfaces.
func meetings(fields []*ast.Field) [][]*ast.Field {
	var abstract []*ast.Field
	var types []string
	concrete := map[string][]*ast.Field{}
	for _, f := range fields {
		d := f.ObjectDefinition
		if d.Kind != ast.Object {
			abstract = append(abstract, f)
			continue
		}
		if concrete[d.Name] == nil {
			types = append(types, d.Name)
		}
		concrete[d.Name] = append(concrete[d.Name], f)
	}
	if len(types) == 0 {
		return [][]*ast.Field{abstract}
	}
	split := make([][]*ast.Field, len(types))
	for i, t := range types {
		split[i] = append(abstract[:len(abstract):len(abstract)], concrete[t]...)
	}
	return split
}

func (o *overlaps) done() bool { return o.left < 0 || len(o.errs) >= maxErrors }

func (o *overlaps) conflict(name string, at *ast.Field, why string) {
	if o.done() {
		return
	}
	e := &gqlerror.Error{Message: fmt.Sprintf("Fields %q conflict because %s. Use different aliases on the fields to fetch both if this was intentional.", name, why)}
	if p := at.Position; p != nil {
		e.Locations = []gqlerror.Location{{Line: p.Line, Column: p.Column}}
	}
	o.errs = append(o.errs, invalid(e))
}

// sameArguments compares arguments whose names are known to be unique.
func sameArguments(a, b ast.ArgumentList) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		y := b.ForName(x.Name)
		if y == nil || !sameValue(x.Value, y.Value) {
			return false
		}
	}
	return true
}

func sameValue(a, b *ast.Value) bool {
	if a.Kind != b.Kind || a.Raw != b.Raw || len(a.Children) != len(b.Children) {
		return false
	}
	if a.Kind != ast.ObjectValue {
		for i, c := range a.Children {
			if !sameValue(c.Value, b.Children[i].Value) {
				return false
			}
		}
		return true
	}
	for _, c := range a.Children {
		other := b.Children.ForName(c.Name)
		if other == nil || !sameValue(c.Value, other) {
			return false
		}
	}
	return true
}
