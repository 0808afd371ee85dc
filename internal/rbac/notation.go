package rbac

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/backendbook/backendbook/internal/fault"
)

// Any is, as the value of a parameter, the word for all values.
const Any = "*"

// MaxParams is how many parameters a role or a permission has at most.
const MaxParams = 4

// ParamType is what the values of a role's parameter look like.
type ParamType string

// The types of parameters.
const (
	ParamEnum   ParamType = "ENUM"   // one of Values
	ParamString ParamType = "STRING" // any text that a binding can hold
	ParamInt    ParamType = "INT"    // a whole number
	ParamID     ParamType = "ID"     // the id of an object
)

// Param is a parameter of a role: a grant of the role says which value it has.
type Param struct {
	Name   string    `bson:"name" yaml:"name"` // a lower-case letter, then up to 31 letters and digits
	Type   ParamType `bson:"type" yaml:"type"`
	Values []string  `bson:"values,omitempty" yaml:"values,omitempty"` // of an ENUM
}

// Bindings says what each parameter is bound to, in the order of their names, such as "region=EU,team=$team": a value, [Any],
// or "$" and a parameter of the role that holds. Empty when there are no parameters. A value has 1 to 100 letters, digits
// and characters of "_.:/@+-".
type Bindings string

// Map is the bindings by parameter; nil when there are none.
func (b Bindings) Map() map[string]string {
	if b == "" {
		return nil
	}
	all := map[string]string{}
	for part := range strings.SplitSeq(string(b), ",") {
		name, value, _ := strings.Cut(part, "=")
		all[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return all
}

// BindingsOf is the map in its one canonical form.
func BindingsOf(m map[string]string) Bindings {
	parts := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, name+"="+m[name])
	}
	return Bindings(strings.Join(parts, ","))
}

// Instance is a permission or a role with its bindings, written "report.view(region=EU)"; without parameters just the key.
type Instance string

// InstanceOf writes an instance.
func InstanceOf(key string, b Bindings) Instance {
	if b == "" {
		return Instance(key)
	}
	return Instance(key + "(" + string(b) + ")")
}

// Split is the key and the bindings, in canonical form. What is not an instance is a key without bindings that nothing has.
func (i Instance) Split() (key string, b Bindings) {
	key, rest, found := strings.Cut(string(i), "(")
	inner, closed := strings.CutSuffix(rest, ")")
	if !found || !closed || inner == "" {
		return string(i), ""
	}
	return key, BindingsOf(Bindings(inner).Map())
}

// isValue reports whether s can be the value of a parameter.
func isValue(s string) bool {
	return s != "" && len(s) <= 100 && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.:/@+-", r)
	}) < 0
}

// isParam reports whether s can name a parameter.
func isParam(s string) bool {
	return s != "" && len(s) <= 32 && s[0] >= 'a' && s[0] <= 'z' && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) < 0
}

// checkParams refuses what can't be the parameters of a role.
func checkParams(params []Param) error {
	if len(params) > MaxParams {
		return fault.ErrInput.On("input.params").Saying("a role has at most %d parameters", MaxParams)
	}
	seen := map[string]bool{}
	for _, p := range params {
		switch {
		case !isParam(p.Name) || seen[p.Name]:
			return fault.ErrInput.On("input.params").Saying("the name of a parameter is a lower-case letter, then up to 31 letters and digits, and no other's")
		case !slices.Contains([]ParamType{ParamEnum, ParamString, ParamInt, ParamID}, p.Type):
			return fault.ErrInput.On("input.params").Saying("a parameter is an ENUM, a STRING, an INT or an ID")
		case (p.Type == ParamEnum) != (len(p.Values) > 0) || len(p.Values) > 100 || !valid(p.Values):
			return fault.ErrInput.On("input.params").Saying("an ENUM, and nothing else, has 1 to 100 values")
		}
		seen[p.Name] = true
	}
	return nil
}

func valid(values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !isValue(v) })
}

// takes reports whether the parameter can have that value.
func (p Param) takes(value string) bool {
	if !isValue(value) {
		return false
	}
	switch p.Type { //nolint:exhaustive // the others take any
	case ParamEnum:
		return slices.Contains(p.Values, value)
	case ParamInt:
		_, err := strconv.ParseInt(value, 10, 64)
		return err == nil
	default:
		return true
	}
}

// checkBindings refuses bindings that do not bind exactly these parameters, each to a value of its type, to [Any], or to a
// parameter of the holder.
//
// Errors: RBAC_UNBOUND_PARAM, RBAC_BAD_VALUE, each with the parameter in the details.
func checkBindings(b Bindings, params, holder []Param) error {
	bound := b.Map()
	for _, p := range params {
		value, ok := bound[p.Name]
		if !ok {
			return ErrUnbound.With("param", p.Name)
		}
		if source, isVar := strings.CutPrefix(value, "$"); isVar {
			if !slices.ContainsFunc(holder, func(h Param) bool { return h.Name == source }) {
				return ErrValue.With("param", p.Name)
			}
		} else if value != Any && !p.takes(value) {
			return ErrValue.With("param", p.Name)
		}
		delete(bound, p.Name)
	}
	for name := range bound {
		return ErrValue.With("param", name)
	}
	return nil
}

// slot is what one parameter of a [template] or a hold is.
type slot struct {
	value string // when bound
	from  int8   // bound, anyValue, or the place of a parameter of the role that holds
}

const (
	bound    int8 = -1
	anyValue int8 = -2
)

// nothing is no value, not even that of an argument that was not given.
const nothing = "\x00"

// slots are the parameters of one instance, in the order the role or permission declares them.
type slots [MaxParams]slot

// slotsOf compiles bindings of these parameters, held by a role with those of holder. A parameter that is not bound, which
// no write can make, is bound to a value that nothing has.
func slotsOf(b Bindings, params, holder []string) slots {
	all := slots{}
	values := b.Map()
	for i, name := range params {
		value := values[name]
		source, isVar := strings.CutPrefix(value, "$")
		switch at := slices.Index(holder, source); {
		case value == Any:
			all[i].from = anyValue
		case isVar && at >= 0:
			all[i].from = int8(at) //nolint:gosec // at most MaxParams
		case isVar || value == "":
			all[i] = slot{value: nothing, from: bound}
		default:
			all[i] = slot{value: value, from: bound}
		}
	}
	return all
}

// through is the slots as seen by a holder who has bound the parameters like that.
func (s *slots) through(holder *slots, n int) slots {
	all := *s
	for i := range n {
		if s[i].from >= 0 {
			all[i] = holder[s[i].from]
		}
	}
	return all
}

// covers reports whether each of the first n is any value or the one asked for. A variable is covered by any alone.
func (s *slots) covers(t *slots, n int) bool {
	for i := range n {
		if s[i].from != anyValue && s[i] != t[i] {
			return false
		}
	}
	return true
}

// bindings writes slots, the parameters of holder by their names.
func (s *slots) bindings(params, holder []string) Bindings {
	m := make(map[string]string, len(params))
	for i, name := range params {
		switch from := s[i].from; {
		case from == anyValue:
			m[name] = Any
		case from >= 0 && int(from) < len(holder):
			m[name] = "$" + holder[from]
		default:
			m[name] = s[i].value
		}
	}
	return BindingsOf(m)
}

func paramNames(params []Param) []string {
	if len(params) == 0 {
		return nil
	}
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	return names
}
