package scalar

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/backendbook/backendbook/internal/fault"
)

// MarshalJSONSchema writes a JSON Schema.
func MarshalJSONSchema(v map[string]any) graphql.Marshaler { return MarshalJSON(v) }

// UnmarshalJSONSchema reads a JSON Schema. Its keys may begin with $, for it is stored as text; the registry measures it.
//
// Errors: BAD_USER_INPUT.
func UnmarshalJSONSchema(v any) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fault.ErrInput.Saying("a JSON Schema is written as a JSON object")
	}
	return m, nil
}
