package registry

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/diagram"
	"github.com/backendbook/backendbook/internal/fault"
)

func TestDiagram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	define := func(key, text string) {
		schema := m{}
		if err := json.Unmarshal([]byte(text), &schema); err != nil {
			t.Fatal(err)
		}
		w.define(key, schema)
	}
	define("person", `{"type": "object", "label": "nick", "required": ["born"], "properties": {
		"born": {"type": "string", "format": "date"}, "age": {"type": ["integer", "null"]}, "nick": {"type": "string"}}}`)
	define("order", `{"type": "object", "required": ["buyer"], "$defs": {
			"person": {"type": "string", "reference": {"to": ["person", "user"], "onDelete": "CASCADE"}},
			"tree": {"type": "object", "properties": {"leaf": {"$ref": "#/$defs/person"}, "below": {"$ref": "#/$defs/tree"}}}},
		"properties": {
			"buyer": {"$ref": "#/$defs/person"},
			"state": {"enum": ["open", "done"]},
			"tags": {"type": "array", "items": {"type": "string", "reference": {"to": ["*"], "onDelete": "KEEP"}}},
			"lines": {"type": "array", "items": {"type": "object", "required": ["amount"], "properties": {
				"amount": {"type": "number"}, "deep": {"$ref": "#/$defs/tree"}}}}},
		"allOf": [{"properties": {"note": {"reference": {"to": ["order"], "onDelete": "SET_NULL"}}}}, {"properties": {"note": {"type": "string"}}}],
		"additionalProperties": {"type": "string", "reference": {"to": ["person"]}}}`)
	got, err := w.Diagram(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	native := func(t diagram.Type) bool { return t.Native }
	if n := len(got.Types); n != 2+len(natives) {
		t.Errorf("%d types", n)
	}
	got.Types = slices.DeleteFunc(got.Types, native)
	got.Edges = slices.DeleteFunc(got.Edges, func(e diagram.Edge) bool { return strings.HasPrefix(e.From, "core.") })
	want := diagram.Graph{
		Types: []diagram.Type{
			{Key: "order", Name: "order", Version: 1, Count: -1, Fields: []diagram.Field{
				{Name: "buyer", Kind: "ref", Required: true},
				{Name: "*", Kind: "ref"},
				{Name: "lines", Kind: "object[]"},
				{Name: "lines[].amount", Kind: "number", Required: true},
				{Name: "lines[].deep", Kind: "object"},
				{Name: "note", Kind: "ref"},
				{Name: "state", Kind: "enum"},
				{Name: "tags", Kind: "ref[]"},
			}},
			{Key: "person", Name: "person", Version: 1, Count: -1, Fields: []diagram.Field{
				{Name: "nick", Kind: "string"}, {Name: "born", Kind: "date", Required: true}, {Name: "age", Kind: "integer"},
			}},
		},
		Edges: []diagram.Edge{
			{From: "order", Field: "*", To: "person", OnDelete: "RESTRICT"},
			{From: "order", Field: "buyer", To: "person", OnDelete: "CASCADE"},
			{From: "order", Field: "buyer", To: "user", OnDelete: "CASCADE"},
			{From: "order", Field: "lines[].deep", To: "person", OnDelete: "CASCADE"},
			{From: "order", Field: "lines[].deep", To: "user", OnDelete: "CASCADE"},
			{From: "order", Field: "note", To: "order", OnDelete: "SET_NULL"},
			{From: "order", Field: "tags", To: "*", OnDelete: "KEEP"},
		},
	}
	if len(got.Types) != len(want.Types) {
		t.Fatalf("there are %d types", len(got.Types))
	}
	for i, a := range want.Types {
		if b := got.Types[i]; b.Key != a.Key || b.Version != a.Version || b.Count != a.Count || !slices.Equal(b.Fields, a.Fields) {
			t.Errorf("type %s:\n got %+v\nwant %+v", a.Key, b, a)
		}
	}
	if !slices.Equal(got.Edges, want.Edges) {
		t.Errorf("edges:\n got %v\nwant %v", got.Edges, want.Edges)
	}
	w.rights.deny(PermRead)
	if _, err := w.Diagram(w.ctx); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("who may not read gets %v", err)
	}
}
