package graph

import "github.com/backendbook/backendbook/internal/analytics"

// orNil is what a service gave, by pointer: a resolver answers null beside an error.
func orNil[T any](v T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// jsonOf is a map as a JSON object, empty for nil.
func jsonOf[T any](m map[string]T) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// eventFilter is the filter an input asks for; none lets everything through.
func eventFilter(in *analytics.EventFilter) analytics.EventFilter {
	if in == nil {
		return analytics.EventFilter{}
	}
	return *in
}
