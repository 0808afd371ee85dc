package registry

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/backendbook/backendbook/internal/diagram"
)

// Bounds of what a diagram shows of one content type.
const (
	diagramLevels = 2   // properties, and the properties of those
	diagramFields = 200 // more are left out
	countUnknown  = -1
)

// Diagram is the graph of all content types with their fields and of what their references may lead to. It shows schemas,
// not documents, so it needs what [Service.Types] needs and shows no more. Cost: one read, and one more when types are cold.
//
// Errors: UNAUTHENTICATED, FORBIDDEN.
func (s *Service) Diagram(ctx context.Context) (diagram.Graph, error) {
	all, err := s.Types(ctx)
	if err != nil {
		return diagram.Graph{}, err
	}
	ids := make([]string, len(all))
	for i, t := range all {
		ids[i] = t.ID
	}
	ready, err := s.types.ids(ctx, ids)
	if err != nil {
		return diagram.Graph{}, err
	}
	var g diagram.Graph
	for _, id := range ids {
		if t, ok := ready[id]; ok {
			d := drawing{of: t.Key}
			d.members(t.schema, "", 1, t.label)
			g.Types = append(g.Types, diagram.Type{Key: t.Key, Name: t.Name, Version: t.Version, Native: t.Native, Retired: t.State == Retired, Count: countUnknown, Fields: d.fields})
			g.Edges = append(g.Edges, d.edges...)
		}
	}
	slices.SortFunc(g.Edges, func(a, b diagram.Edge) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.Field, b.Field), strings.Compare(a.To, b.To),
			strings.Compare(a.OnDelete, b.OnDelete))
	})
	g.Edges = slices.Compact(g.Edges)
	return g, nil
}

// drawing collects what a diagram shows of one content type.
type drawing struct {
	of     string
	fields []diagram.Field
	edges  []diagram.Edge
}

// property is a member of an object, as a schema knows it.
type property struct {
	name     string
	schema   *jsonschema.Schema
	required bool
}

// members adds the properties of an object: the one that names a document first, then the required ones, each by name.
func (d *drawing) members(s *jsonschema.Schema, path string, level int, label []string) {
	all := map[string]property{}
	collect(s, all)
	order := slices.SortedFunc(maps.Values(all), func(a, b property) int {
		first := func(p property) int {
			switch {
			case len(label) == 1 && label[0] == p.name:
				return 0
			case p.required:
				return 1
			}
			return 2
		}
		return cmp.Or(cmp.Compare(first(a), first(b)), strings.Compare(a.name, b.name))
	})
	for _, p := range order {
		d.field(p, path, level)
	}
}

// field adds one property and, up to the last level, what is in it. There all references further down count as its own.
func (d *drawing) field(p property, path string, level int) {
	if len(d.fields) == diagramFields {
		return
	}
	name := p.name
	if path != "" {
		name = path + "." + p.name
	}
	kind := kindOf(p.schema, 0)
	d.fields = append(d.fields, diagram.Field{Name: name, Kind: kind, Required: p.required})
	in := p.schema
	within := name
	for elements := elementsOf(in); elements != nil && strings.Count(within, "[]") < MaxDepth; elements = elementsOf(in) {
		d.point(name, rulesOf(in))
		in, within = elements, within+"[]"
	}
	if level == diagramLevels {
		d.deep(name, in, map[*jsonschema.Schema]bool{})
		return
	}
	d.point(name, rulesOf(in))
	d.members(in, within, level+1, nil)
}

// point adds the edges of the rules of a field.
func (d *drawing) point(field string, rules []*rule) {
	for _, r := range rules {
		for _, to := range r.To {
			d.edges = append(d.edges, diagram.Edge{From: d.of, Field: field, To: to, OnDelete: string(r.OnDelete)})
		}
	}
}

// deep adds every reference in a schema to one field.
func (d *drawing) deep(field string, s *jsonschema.Schema, seen map[*jsonschema.Schema]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	for _, x := range s.Extensions {
		if r, ok := x.(*rule); ok {
			d.point(field, []*rule{r})
		}
	}
	for _, sub := range inside(s) {
		d.deep(field, sub, seen)
	}
}

// inside are the subschemas a reference may stand under.
func inside(s *jsonschema.Schema) []*jsonschema.Schema {
	all := append([]*jsonschema.Schema{s.Ref, s.Items2020, schemaOf(s.AdditionalProperties)}, s.AllOf...)
	return slices.AppendSeq(slices.AppendSeq(all, maps.Values(s.Properties)), maps.Values(s.PatternProperties))
}

// same calls f with a schema and all that hold for the same value by $ref and allOf.
func same(s *jsonschema.Schema, seen map[*jsonschema.Schema]bool, f func(*jsonschema.Schema)) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	f(s)
	same(s.Ref, seen, f)
	for _, sub := range s.AllOf {
		same(sub, seen, f)
	}
}

// collect gathers the properties of an object. A pattern stands in slashes, and * for any other property.
func collect(s *jsonschema.Schema, all map[string]property) {
	must := map[string]bool{}
	put := func(name string, sub *jsonschema.Schema) {
		if p, twice := all[name]; twice { // both hold
			sub = &jsonschema.Schema{AllOf: []*jsonschema.Schema{p.schema, sub}}
		}
		all[name] = property{name: name, schema: sub}
	}
	same(s, map[*jsonschema.Schema]bool{}, func(s *jsonschema.Schema) {
		for _, name := range s.Required {
			must[name] = true
		}
		for name, sub := range s.Properties {
			put(name, sub)
		}
		for re, sub := range s.PatternProperties {
			put("/"+re.String()+"/", sub)
		}
		if sub := schemaOf(s.AdditionalProperties); sub != nil {
			put("*", sub)
		}
	})
	for name, p := range all {
		p.required = must[name]
		all[name] = p
	}
}

// rulesOf are the rules for a value itself.
func rulesOf(s *jsonschema.Schema) []*rule {
	var found []*rule
	same(s, map[*jsonschema.Schema]bool{}, func(s *jsonschema.Schema) {
		for _, x := range s.Extensions {
			if r, ok := x.(*rule); ok {
				found = append(found, r)
			}
		}
	})
	return found
}

// elementsOf is the schema of the elements of a list, nil for what is no list.
func elementsOf(s *jsonschema.Schema) *jsonschema.Schema {
	var found *jsonschema.Schema
	same(s, map[*jsonschema.Schema]bool{}, func(s *jsonschema.Schema) {
		if found == nil {
			found = s.Items2020
		}
	})
	return found
}

// kindOf is what a field holds, in a word: ref, enum, the format or the type; with [] for a list.
func kindOf(s *jsonschema.Schema, depth int) string {
	if len(rulesOf(s)) > 0 {
		return "ref"
	}
	if elements := elementsOf(s); elements != nil && depth < MaxDepth {
		return kindOf(elements, depth+1) + "[]"
	}
	kind := ""
	same(s, map[*jsonschema.Schema]bool{}, func(s *jsonschema.Schema) {
		if kind == "" {
			kind = plainKind(s)
		}
	})
	return cmp.Or(kind, "any")
}

func plainKind(s *jsonschema.Schema) string {
	switch {
	case s.Enum != nil, s.Const != nil:
		return "enum"
	case s.Format != nil:
		return s.Format.Name
	case s.Types == nil:
		return ""
	}
	kinds := slices.DeleteFunc(s.Types.ToStrings(), func(k string) bool { return k == "null" })
	if len(kinds) == 0 {
		return "null"
	}
	return strings.Join(kinds, "|")
}
