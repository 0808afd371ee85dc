package registry

import (
	"context"
	"slices"
	"strings"
)

// FilterSchema is a JSON Schema (2020-12) of the filters of a content type, by its id: for clients that want types and for
// builders of forms. A field without an index has "x-indexed": false. Cost: no read when warm, else one.
//
// Errors: CONTENT_TYPE_UNKNOWN.
func (s *Service) FilterSchema(ctx context.Context, typeID string) (map[string]any, error) {
	t, err := s.types.id(ctx, typeID)
	if err != nil {
		return nil, err
	}
	self := map[string]any{"$ref": "#"}
	list := map[string]any{"type": "array", "items": self}
	var names, ops []any
	var seen []FilterOp
	properties := map[string]any{}
	for _, f := range t.fields {
		names = append(names, f.Name)
		for _, op := range f.Operators() {
			if !slices.Contains(seen, op) {
				seen, ops = append(seen, op), append(ops, string(op))
			}
		}
		if !strings.Contains(f.Name, ".") {
			properties[f.Name] = f.filterSchema()
		}
	}
	properties["and"], properties["or"], properties["not"] = list, list, self
	properties["field"] = map[string]any{"enum": names}
	properties["op"], properties["value"] = map[string]any{"enum": ops}, true
	leaf := []any{"field", "op", "value"}
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Filter of " + t.Name,
		"type": "object", "properties": properties, "additionalProperties": false,
		"dependentRequired": map[string]any{"field": leaf, "op": leaf, "value": leaf},
	}, nil
}

// filterSchema is the schema of the operators of a field.
func (f Field) filterSchema() map[string]any {
	one := f.valueSchema()
	many := map[string]any{"type": "array", "items": one, "maxItems": maxFilterValues}
	kinds := map[string]any{"type": "array", "minItems": 1, "maxItems": 20, "items": map[string]any{
		"type": "object", "required": []any{"type"}, "additionalProperties": false,
		"properties": map[string]any{"type": map[string]any{"type": "string"}, "where": map[string]any{"type": "object"}},
	}}
	properties := map[string]any{}
	for _, op := range f.Operators() {
		switch op { //nolint:exhaustive // the rest takes one value
		case FilterIn, FilterHasAny:
			properties[string(op)] = many
		case FilterExists:
			properties[string(op)] = map[string]any{"type": "boolean"}
		case FilterTarget:
			properties[string(op)] = kinds
		default:
			properties[string(op)] = one
		}
	}
	return map[string]any{
		"type": "object", "properties": properties, "additionalProperties": false, "minProperties": int64(1), "x-indexed": f.Indexed,
	}
}

func (f Field) valueSchema() map[string]any {
	switch f.Kind {
	case KindNumber:
		return map[string]any{"type": "number"}
	case KindBoolean:
		return map[string]any{"type": "boolean"}
	case KindDate:
		if f.Path == nil {
			return map[string]any{"type": "string", "format": "date-time"}
		}
	case KindReference:
		return map[string]any{"type": "string", "pattern": "^[a-z_]+:."}
	case KindText:
	}
	return map[string]any{"type": "string", "maxLength": maxValue}
}
