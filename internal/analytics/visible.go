package analytics

import (
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/predicate"
)

// rowFilters reads from the scope of [PermRows] which rows of a metric it lets see: one filter for each dimension.
//
// A scope is a tree of conditions on the metric ("id"), "dimension" and "value". Which values it speaks of stands in it;
// each pair of them is then asked for, so whatever else the tree says is respected.
func rowFilters(sc predicate.Filter, metric string) []DimFilter {
	if sc.IsNone() {
		return nil
	}
	dims, values := constants(sc, "dimension"), constants(sc, "value")
	var filters []DimFilter
	for _, d := range dims {
		f := DimFilter{Dim: d}
		for _, v := range values {
			if sc.Match(map[string]any{"id": metric, "dimension": d, "value": v}) {
				f.In = append(f.In, v)
			}
		}
		if len(f.In) > 0 {
			filters = append(filters, f)
		}
	}
	return filters
}

// constants are the texts a filter compares an attribute with, sorted.
func constants(f predicate.Filter, path string) []string {
	var all []string
	if strings.Join(f.Path, ".") == path {
		for _, v := range append(slices.Clone(f.Values), f.Value) {
			if s, ok := v.(string); ok {
				all = append(all, s)
			}
		}
	}
	for _, sub := range f.Sub {
		all = append(all, constants(sub, path)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
