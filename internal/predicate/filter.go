package predicate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Op is what a [Filter] does.
type Op string

// The operators. The paths of the comparisons are attributes of the object.
const (
	OpAll  Op = "ALL"  // every object
	OpNone Op = "NONE" // no object
	OpAnd  Op = "AND"  // those of all Sub
	OpOr   Op = "OR"   // those of any Sub
	OpNot  Op = "NOT"  // all but those of the one Sub
	OpEq   Op = "EQ"   // the attribute is Value
	OpLt   Op = "LT"   // the attribute is less than Value, and of its type
	OpLe   Op = "LE"   // the same, or equal
	OpGt   Op = "GT"   // the attribute is more than Value, and of its type
	OpGe   Op = "GE"   // the same, or equal
	OpIn   Op = "IN"   // the attribute is one of Values
	OpHas  Op = "HAS"  // the attribute is an array that holds Value

	OpHasAny   Op = "HAS_ANY"  // the attribute is an array that holds one of Values
	OpStarts   Op = "STARTS"   // the attribute is a text that begins with Value, a text
	OpContains Op = "CONTAINS" // the attribute is a text with Value, a text, in it
)

// Filter selects objects by their attributes. It is immutable.
type Filter struct {
	Op     Op
	Sub    []Filter
	Path   []string
	Value  any // string, float64, bool or nil
	Values []any
}

// All selects every object.
func All() Filter { return Filter{Op: OpAll} }

// None selects no object.
func None() Filter { return Filter{Op: OpNone} }

// Eq selects by the value of an attribute, such as "owner".
func Eq(path string, value any) Filter {
	return Filter{Op: OpEq, Path: strings.Split(path, "."), Value: normal(value)}
}

// In selects by several values of an attribute.
func In(path string, values ...any) Filter {
	if len(values) == 0 {
		return None()
	}
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = normal(v)
	}
	return Filter{Op: OpIn, Path: strings.Split(path, "."), Values: all}
}

// Compare selects by an attribute at a path with one of the operators that compare with one value.
func Compare(op Op, path []string, value any) Filter {
	return Filter{Op: op, Path: path, Value: normal(value)}
}

// CompareAny selects by an attribute at a path with OpIn or OpHasAny; without values no object.
func CompareAny(op Op, path []string, values []any) Filter {
	if len(values) == 0 {
		return None()
	}
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = normal(v)
	}
	return Filter{Op: op, Path: path, Values: all}
}

// And selects what all do; with none every object.
func And(filters ...Filter) Filter { return join(OpAnd, OpAll, OpNone, filters) }

// Or selects what any does; with none no object.
func Or(filters ...Filter) Filter { return join(OpOr, OpNone, OpAll, filters) }

// join flattens, leaves out the neutral, and is absorbed by the absorbing.
func join(op, neutral, absorbing Op, filters []Filter) Filter {
	var all []Filter
	for _, f := range filters {
		switch f.Op { //nolint:exhaustive // the rest stays as it is
		case absorbing:
			return f
		case neutral:
		case op:
			all = append(all, f.Sub...)
		default:
			all = append(all, f)
		}
	}
	switch len(all) {
	case 0:
		return Filter{Op: neutral}
	case 1:
		return all[0]
	default:
		return Filter{Op: op, Sub: all}
	}
}

// Not selects what f does not.
func Not(f Filter) Filter {
	switch f.Op { //nolint:exhaustive // the rest is wrapped
	case OpAll:
		return None()
	case OpNone:
		return All()
	case OpNot:
		return f.Sub[0]
	default:
		return Filter{Op: OpNot, Sub: []Filter{f}}
	}
}

// Match reports whether the object is selected.
func (f Filter) Match(object map[string]any) bool {
	switch f.Op { //nolint:exhaustive // the comparisons follow
	case OpAll:
		return true
	case OpAnd:
		return !slices.ContainsFunc(f.Sub, func(s Filter) bool { return !s.Match(object) })
	case OpOr:
		return slices.ContainsFunc(f.Sub, func(s Filter) bool { return s.Match(object) })
	case OpNot:
		return !f.Sub[0].Match(object)
	case OpNone:
		return false
	}
	have := at(object, f.Path)
	switch f.Op { //nolint:exhaustive // see above
	case OpEq:
		return have == f.Value
	case OpIn:
		return slices.Contains(f.Values, have)
	case OpHas:
		l, _ := have.(*list)
		return l.has(f.Value)
	case OpHasAny:
		l, _ := have.(*list)
		return slices.ContainsFunc(f.Values, l.has)
	case OpStarts, OpContains:
		whole, ok := have.(string)
		part, isText := f.Value.(string)
		return ok && isText && (f.Op == OpStarts && strings.HasPrefix(whole, part) || f.Op == OpContains && strings.Contains(whole, part))
	default:
		sign, ok := order(have, f.Value)
		return ok && holds(f.Op, sign)
	}
}

// holds reports whether the comparison is true of operands in that order.
func holds(op Op, sign int) bool {
	switch op { //nolint:exhaustive // only these compare
	case OpLt:
		return sign < 0
	case OpLe:
		return sign <= 0
	case OpGt:
		return sign > 0
	case OpGe:
		return sign >= 0
	default:
		return sign == 0
	}
}

// String writes the filter in one canonical way: equal filters have equal texts.
func (f Filter) String() string {
	switch f.Op { //nolint:exhaustive // the rest is a comparison
	case OpAll, OpNone:
		return string(f.Op)
	case OpAnd, OpOr, OpNot:
		parts := make([]string, len(f.Sub))
		for i, s := range f.Sub {
			parts[i] = s.String()
		}
		return string(f.Op) + "(" + strings.Join(parts, " ") + ")"
	case OpIn, OpHasAny:
		return fmt.Sprintf("(%s %s %#v)", strings.Join(f.Path, "."), f.Op, f.Values)
	default:
		return fmt.Sprintf("(%s %s %#v)", strings.Join(f.Path, "."), f.Op, f.Value)
	}
}

// at is the value at a path, normalised; nil when there is none.
func at(object map[string]any, path []string) any {
	var v any = object
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return normal(v)
}

// list is an array, and opaque what equals nothing that an expression can write. Both are pointers, so that they can be compared.
type (
	list   struct{ items []any }
	opaque struct{ _ byte }
)

// normal brings the kinds of values that BSON and JSON have down to string, float64, bool and nil.
func normal(v any) any {
	switch v := v.(type) {
	case nil, string, bool, float64:
		return v
	case int:
		return float64(v)
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case float32:
		return float64(v)
	case time.Time:
		return Moment(v)
	case []any:
		return &list{v}
	default:
		return &opaque{}
	}
}

// Moment is a time as expressions compare it: RFC 3339 in UTC with milliseconds.
func Moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (l *list) has(value any) bool {
	return l != nil && slices.ContainsFunc(l.items, func(v any) bool { return normal(v) == value })
}

// order compares two strings or two numbers.
func order(a, b any) (sign int, comparable bool) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), true
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b), true
		}
	}
	return 0, false
}

// IsAll reports whether every object is selected.
func (f Filter) IsAll() bool { return f.Op == OpAll }

// IsNone reports whether no object is: no query needs to be sent. The zero Filter selects nothing.
func (f Filter) IsNone() bool { return f.Op == OpNone || f.Op == "" }
