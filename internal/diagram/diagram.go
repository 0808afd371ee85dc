package diagram

import (
	"cmp"
	"slices"
	"strings"
)

// Any is the target of a reference that may lead to any object.
const Any = "*"

// Bounds of one picture. What is beyond them is counted, not drawn.
const (
	MaxRows  = 40   // fields of a box
	MaxEdges = 4000 // of a graph
)

// Graph is what is drawn. The order of types and edges does not matter.
type Graph struct {
	Types []Type
	Edges []Edge
}

// Type is a content type.
type Type struct {
	Key     string // unique
	Name    string
	Fields  []Field // in the order shown
	Native  bool    // defined by the code of the server
	Retired bool    // takes no new documents
	Version int     // 0 shows none
	Count   int64   // of documents; -1 is unknown
}

// Field is a property of a content type. A name may be a path, such as lines[].price.
type Field struct {
	Name     string
	Kind     string
	Required bool
}

// Edge is a reference that documents of a type may hold in a field. A field that may lead to several kinds of objects has an
// edge to each.
type Edge struct {
	From     string // key of a type; an edge from elsewhere is left out
	Field    string // name of its field
	To       string // key of a type, the name of a built-in type of objects, or [Any]
	OnDelete string // RESTRICT, CASCADE, SET_NULL or KEEP
}

// tidy is the graph in a fixed order, without what is there twice and what leads from nowhere, and how many edges are left
// out because they are too many.
func tidy(g Graph) (tidied Graph, left int) {
	types := slices.Clone(g.Types)
	slices.SortStableFunc(types, func(a, b Type) int { return strings.Compare(a.Key, b.Key) })
	types = slices.CompactFunc(types, func(a, b Type) bool { return a.Key == b.Key })
	var edges []Edge
	for _, e := range g.Edges {
		if _, known := find(types, e.From); known {
			edges = append(edges, e)
		}
	}
	slices.SortFunc(edges, func(a, b Edge) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.Field, b.Field), strings.Compare(a.To, b.To),
			strings.Compare(a.OnDelete, b.OnDelete))
	})
	edges = slices.Compact(edges)
	shown := min(len(edges), MaxEdges)
	return Graph{Types: types, Edges: edges[:shown]}, len(edges) - shown
}

// find looks a key up among sorted types.
func find(types []Type, key string) (int, bool) {
	return slices.BinarySearchFunc(types, key, func(t Type, key string) int { return strings.Compare(t.Key, key) })
}

// others are the targets of a tidy graph that are none of its types, sorted.
func (g Graph) others() []string {
	var names []string
	for _, e := range g.Edges {
		if _, known := find(g.Types, e.To); !known {
			names = append(names, e.To)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// caption is how a target that is no type is called.
func caption(name string) string {
	switch name {
	case Any:
		return "any object"
	case "document":
		return "any document"
	}
	return name
}
