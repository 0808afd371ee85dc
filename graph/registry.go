package graph

import (
	"fmt"
	"strconv"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/registry"
)

// refTarget is what a reference leads to as a member of the union.
func refTarget(t registry.Target) model.RefTarget {
	switch t.Outcome {
	case registry.Found, registry.Gone:
		return t.Object
	case registry.Unknown:
		return model.UnknownTarget{ID: t.Of}
	case registry.Hidden:
	}
	return model.Forbidden{ID: t.Of}
}

// given is an optional text, empty when there is none.
func given(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// words are operators as texts.
func words(ops []registry.FilterOp) []string {
	out := make([]string, len(ops))
	for i, op := range ops {
		out[i] = string(op)
	}
	return out
}

// documentFacets are facets with their values as texts.
func documentFacets(all []registry.Facet) []model.DocumentFacet {
	out := make([]model.DocumentFacet, len(all))
	for i, f := range all {
		out[i] = model.DocumentFacet{Field: f.Field, Values: make([]model.DocumentFacetValue, len(f.Values))}
		for j, v := range f.Values {
			out[i].Values[j].Count = v.Count
			if v.Value != nil {
				out[i].Values[j].Value = new(facetText(v.Value))
			}
		}
	}
	return out
}

// facetText is a value as JSON writes it, a text without its quotes.
func facetText(v any) string {
	if n, ok := v.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
