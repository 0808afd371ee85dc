package graph

import (
	"math"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/internal/fault"
)

// coerceVariables checks the values of an operation's variables against their types, as CoerceVariableValues of the
// specification has it. gqlparser's own takes texts for numbers, any case of an enum's value, writes into the values it
// is given, and repeats them in its errors. The result holds the variables that have a value, with numbers as int64 and
// float64; the values given are not changed, and may be parts of the result.
//
// Errors: BAD_USER_INPUT with the dotted path of the value.
func coerceVariables(schema *ast.Schema, op *ast.OperationDefinition, given map[string]any) (map[string]any, error) {
	coerced := make(map[string]any, len(op.VariableDefinitions))
	for _, def := range op.VariableDefinitions {
		v, has := given[def.Variable]
		path := &spot{name: def.Variable}
		switch {
		case !has && def.DefaultValue != nil:
			d, err := def.DefaultValue.Value(nil)
			if err != nil {
				return nil, refuse(path, "has a default that is not valid")
			}
			coerced[def.Variable] = d
		case !has && def.Type.NonNull:
			return nil, refuse(path, "is missing")
		case has:
			c, err := coerce(schema, def.Type, v, path)
			if err != nil {
				return nil, err
			}
			coerced[def.Variable] = c
		}
	}
	return coerced, nil
}

// spot is where in the variables a value stands. It is made for every value and read only for a bad one, so it is a list
// that lives on the stack.
type spot struct {
	up    *spot
	name  string
	index int // of a list, when name is empty
}

func (p *spot) String() string {
	var path ast.Path
	for ; p != nil; p = p.up {
		if p.name == "" {
			path = append(path, ast.PathIndex(p.index))
		} else {
			path = append(path, ast.PathName(p.name))
		}
	}
	slices.Reverse(path)
	return dotted(path)
}

func refuse(at *spot, why string) error {
	path := at.String()
	return fault.ErrInput.Saying("variable $%s %s", path, why).On(path)
}

func coerce(schema *ast.Schema, t *ast.Type, v any, at *spot) (any, error) {
	if v == nil {
		if t.NonNull {
			return nil, refuse(at, "must not be null")
		}
		return nil, nil //nolint:nilnil // null is a value
	}
	if t.Elem != nil {
		return coerceList(schema, t, v, at)
	}
	def := schema.Types[t.NamedType]
	switch def.Kind {
	case ast.Enum:
		if s, ok := v.(string); ok && def.EnumValues.ForName(s) != nil {
			return s, nil
		}
		return nil, refuse(at, "is not a value of "+def.Name)
	case ast.InputObject:
		return coerceObject(schema, def, v, at)
	case ast.Scalar:
		if c, ok := coerceScalar(def.Name, v); ok {
			return c, nil
		}
	case ast.Object, ast.Interface, ast.Union: // validation lets no variable be of these
	}
	return nil, refuse(at, "is not "+article(def.Name))
}

func coerceList(schema *ast.Schema, t *ast.Type, v any, at *spot) (any, error) {
	list, ok := v.([]any)
	if !ok { // one value stands for a list of it
		c, err := coerce(schema, t.Elem, v, at)
		return []any{c}, err
	}
	out := make([]any, len(list))
	for i, e := range list {
		c, err := coerce(schema, t.Elem, e, &spot{up: at, index: i})
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

func coerceObject(schema *ast.Schema, def *ast.Definition, v any, at *spot) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, refuse(at, "is not "+article(def.Name))
	}
	out := make(map[string]any, len(m))
	for _, f := range def.Fields {
		v, has := m[f.Name]
		path := &spot{up: at, name: f.Name}
		switch {
		case has:
			c, err := coerce(schema, f.Type, v, path)
			if err != nil {
				return nil, err
			}
			out[f.Name] = c
		case f.Type.NonNull && f.DefaultValue == nil:
			return nil, refuse(path, "is missing")
		}
	}
	if len(out) == len(m) {
		return out, nil
	}
	for name := range m {
		if def.Fields.ForName(name) == nil {
			return nil, refuse(&spot{up: at, name: cut(name, maxEcho)}, "is not known")
		}
	}
	return out, nil
}

func coerceScalar(name string, v any) (any, bool) {
	switch name {
	case "Int":
		f, isFloat := v.(float64)
		if isFloat && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			v = int64(f) // 1.0 is an Int
		}
		i, ok := v.(int64)
		return i, ok && i >= math.MinInt32 && i <= math.MaxInt32
	case "Float":
		if i, ok := v.(int64); ok {
			return float64(i), true
		}
		f, ok := v.(float64)
		return f, ok
	case "String", "ID": // ids are texts here: no object of ours has a number for an id
		s, ok := v.(string)
		return s, ok
	case "Boolean":
		b, ok := v.(bool)
		return b, ok
	default:
		return v, true // our own scalars check for themselves
	}
}

func article(typ string) string {
	switch typ[0] {
	case 'A', 'E', 'I', 'O':
		return "an " + typ
	default:
		return "a " + typ
	}
}
