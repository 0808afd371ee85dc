package registry

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// Bounds of a filter.
const (
	maxFilterDepth      = 6
	maxFilterConditions = 100
	maxFilterValues     = 1000
	maxTargetDepth      = 3      // a filter of targets within one of targets
	maxTargetIDs        = 10_000 // that one filter of targets may select
)

// FilterOp is an operator of the filter language.
type FilterOp string

// The operators. Several of one field must all hold.
const (
	FilterEq         FilterOp = "eq"
	FilterNe         FilterOp = "ne" // also where the field is absent
	FilterIn         FilterOp = "in"
	FilterGt         FilterOp = "gt"
	FilterGte        FilterOp = "gte"
	FilterLt         FilterOp = "lt"
	FilterLte        FilterOp = "lte"
	FilterExists     FilterOp = "exists"
	FilterHas        FilterOp = "has"    // a list holds the value
	FilterHasAny     FilterOp = "hasAny" // a list holds one of the values
	FilterContains   FilterOp = "contains"
	FilterStartsWith FilterOp = "startsWith" // for the label whatever its case and accents
	FilterTarget     FilterOp = "target"     // what the reference leads to
)

// Operators are those a field has.
func (f Field) Operators() []FilterOp {
	switch {
	case f.List && f.Kind == KindReference:
		return []FilterOp{FilterHas, FilterHasAny, FilterExists, FilterTarget}
	case f.List:
		return []FilterOp{FilterHas, FilterHasAny, FilterExists}
	case f.Kind == KindReference && f.Path == nil:
		return []FilterOp{FilterEq, FilterNe, FilterIn}
	case f.Kind == KindReference:
		return []FilterOp{FilterEq, FilterNe, FilterIn, FilterExists, FilterTarget}
	case f.Kind == KindBoolean:
		return []FilterOp{FilterEq, FilterNe, FilterExists}
	}
	ops := []FilterOp{FilterEq, FilterNe, FilterIn, FilterGt, FilterGte, FilterLt, FilterLte}
	if f.Name == "label" {
		ops = ops[:3] // its index is of the folded label
	}
	if f.Path != nil {
		ops = append(ops, FilterExists)
	}
	if f.Kind == KindText {
		ops = append(ops, FilterContains, FilterStartsWith)
	}
	return ops
}

// condition is a filter, and whether an index serves it.
type condition struct {
	predicate.Filter
	served bool
}

// filterReader reads filters of one content type for one caller.
type filterReader struct {
	s      *Service
	t      *compiled
	m      mask
	live   bool // no look at targets
	nested int  // filters of targets around this one
	scan   bool // without an index too
	bounds *filterBounds

	pointers []string
	unserved string // the first field that no index serves
}

// filterBounds is what is left to a whole filter.
type filterBounds struct{ conditions, values int }

func newBounds() *filterBounds { return &filterBounds{maxFilterConditions, maxFilterValues} }

func (r *filterReader) refuse(format string, args ...any) error {
	return ErrFilter.Saying(format, args...).With("pointer", pointer(r.pointers))
}

// inside reads a part of the filter.
func (r *filterReader) inside(token string, read func() (condition, error)) (condition, error) {
	r.pointers = append(r.pointers, token)
	c, err := read()
	if err == nil {
		r.pointers = r.pointers[:len(r.pointers)-1]
	}
	return c, err
}

// read compiles a whole filter. Cost: none, but for targets.
//
// Errors: FILTER_INVALID, FIELD_FORBIDDEN, NOT_INDEXED (with the field), FILTER_TOO_BROAD.
func (r *filterReader) read(ctx context.Context, raw map[string]any, served bool) (predicate.Filter, error) {
	c, err := r.object(ctx, raw, maxFilterDepth)
	switch {
	case err != nil:
		return predicate.None(), err
	case !c.served && !served && !c.IsAll() && !c.IsNone() && !r.scan:
		return predicate.None(), notIndexed(r.unserved)
	}
	return canonical(c.Filter), nil
}

func notIndexed(field string) error {
	return ErrNotIndexed.Saying("no index serves this list: %s has none that this condition can use", field).With("field", field)
}

// canonical orders the parts, so that filters which say the same have the same text.
func canonical(f predicate.Filter) predicate.Filter {
	if len(f.Sub) > 0 {
		f.Sub = slices.Clone(f.Sub)
		for i := range f.Sub {
			f.Sub[i] = canonical(f.Sub[i])
		}
		slices.SortFunc(f.Sub, func(a, b predicate.Filter) int { return strings.Compare(a.String(), b.String()) })
	}
	return f
}

// object reads an object, all of whose members must hold.
func (r *filterReader) object(ctx context.Context, raw map[string]any, depth int) (condition, error) {
	if depth == 0 {
		return condition{}, r.refuse("a filter has at most %d levels", maxFilterDepth)
	}
	if name, leaf := raw["field"].(string); leaf {
		return r.leaf(ctx, raw, name)
	}
	all := make([]condition, 0, len(raw))
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		c, err := r.inside(key, func() (condition, error) { return r.member(ctx, key, raw[key], depth) })
		if err != nil {
			return c, err
		}
		all = append(all, c)
	}
	return both(all), nil
}

// both is what all conditions select: one that an index serves is enough.
func both(all []condition) condition {
	fs, served := filtersOf(all)
	return condition{predicate.And(fs...), slices.Contains(served, true)}
}

// either is what any selects: an index must serve each.
func either(all []condition) condition {
	fs, served := filtersOf(all)
	return condition{predicate.Or(fs...), !slices.Contains(served, false)}
}

func filtersOf(all []condition) (fs []predicate.Filter, served []bool) {
	for _, c := range all {
		fs, served = append(fs, c.Filter), append(served, c.served)
	}
	return fs, served
}

func (r *filterReader) member(ctx context.Context, key string, v any, depth int) (condition, error) {
	switch key {
	case "and", "or":
		parts, err := r.parts(ctx, v, depth)
		if err != nil || key == "or" {
			return either(parts), err
		}
		return both(parts), nil
	case "not":
		sub, ok := v.(map[string]any)
		if !ok {
			return condition{}, r.refuse("not takes a filter")
		}
		c, err := r.object(ctx, sub, depth-1)
		if err == nil && c.served && r.unserved == "" {
			r.unserved = "not"
		}
		return condition{predicate.Not(c.Filter), false}, err
	}
	f, err := r.field(key)
	if err != nil {
		return condition{}, err
	}
	ops, ok := v.(map[string]any)
	if !ok || len(ops) == 0 {
		return condition{}, r.refuse(`a field takes an object of operators, such as {"eq": …}`)
	}
	all := make([]condition, 0, len(ops))
	for _, op := range slices.Sorted(maps.Keys(ops)) {
		c, err := r.inside(op, func() (condition, error) { return r.compare(ctx, f, FilterOp(op), ops[op]) })
		if err != nil {
			return c, err
		}
		all = append(all, c)
	}
	return both(all), nil
}

func (r *filterReader) parts(ctx context.Context, v any, depth int) ([]condition, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, r.refuse("and and or take a list of filters")
	}
	all := make([]condition, 0, len(list))
	for i, e := range list {
		c, err := r.inside(strconv.Itoa(i), func() (condition, error) {
			sub, ok := e.(map[string]any)
			if !ok {
				return condition{}, r.refuse("a filter is an object")
			}
			return r.object(ctx, sub, depth-1)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// leaf reads {"field": "a.b", "op": "eq", "value": …}: the form for names that cannot be keys of JSON here.
func (r *filterReader) leaf(ctx context.Context, raw map[string]any, name string) (condition, error) {
	op, ok := raw["op"].(string)
	v, has := raw["value"]
	if !ok || !has || len(raw) != 3 {
		return condition{}, r.refuse("this form has exactly field, op and value")
	}
	var f Field
	if _, err := r.inside("field", func() (_ condition, err error) { f, err = r.field(name); return condition{}, err }); err != nil {
		return condition{}, err
	}
	return r.inside("value", func() (condition, error) { return r.compare(ctx, f, FilterOp(op), v) })
}

// field finds a field the caller may know of.
func (r *filterReader) field(name string) (Field, error) {
	f, ok := r.t.field(name)
	if !ok {
		return f, r.refuse("there is no field %q to filter by", cut(name, maxMessage))
	}
	return f, r.m.knows(r.t, f)
}

// knows refuses a field that is hidden, and the label if it may be made of one.
//
// Errors: FIELD_FORBIDDEN.
func (m mask) knows(t *compiled, f Field) error {
	if len(m.hidden) == 0 {
		return nil
	}
	heads := []string{}
	switch {
	case f.Path != nil:
		heads = append(heads, f.Path[0])
	case f.Name == "label":
		heads = append(heads, t.labelHeads()...)
	}
	for _, head := range heads {
		if slices.Contains(m.hidden, head) {
			return ErrField.Saying("this field is hidden from you").With("field", f.Name)
		}
	}
	return nil
}

// labelHeads are the members of the data that the label may be made of.
func (c *compiled) labelHeads() []string {
	if c.label != nil {
		return c.label[:1]
	}
	return []string{"name", "title", "label"}
}

func (r *filterReader) compare(ctx context.Context, f Field, op FilterOp, v any) (condition, error) {
	if r.bounds.conditions--; r.bounds.conditions < 0 {
		return condition{}, r.refuse("a filter has at most %d conditions", maxFilterConditions)
	}
	if !slices.Contains(f.Operators(), op) {
		return condition{}, r.refuse("%s has no operator %q", f.Name, cut(string(op), maxMessage))
	}
	c, err := r.comparison(ctx, f, op, v)
	if err == nil && !c.served && r.unserved == "" {
		r.unserved = f.Name
	}
	return c, err
}

var filterOps = map[FilterOp]predicate.Op{
	FilterEq: predicate.OpEq, FilterGt: predicate.OpGt, FilterGte: predicate.OpGe, FilterLt: predicate.OpLt, FilterLte: predicate.OpLe,
	FilterHas: predicate.OpHas, FilterContains: predicate.OpContains, FilterStartsWith: predicate.OpStarts,
	FilterIn: predicate.OpIn, FilterHasAny: predicate.OpHasAny,
}

func (r *filterReader) comparison(ctx context.Context, f Field, op FilterOp, v any) (condition, error) {
	path := f.attribute()
	switch op { //nolint:exhaustive // the rest compares with one value
	case FilterTarget:
		return r.targets(ctx, f, v)
	case FilterExists:
		want, ok := v.(bool)
		if !ok {
			return condition{}, r.refuse("exists takes true or false")
		}
		absent := predicate.Compare(predicate.OpEq, path, nil)
		if want {
			return condition{predicate.Not(absent), false}, nil
		}
		return condition{absent, f.Indexed}, nil
	case FilterIn, FilterHasAny:
		values, err := r.values(f, v)
		if err != nil {
			return condition{}, err
		}
		c := condition{predicate.CompareAny(filterOps[op], path, values), f.Indexed}
		if f.Name == "label" && f.Path == nil {
			c.Filter = predicate.And(predicate.CompareAny(predicate.OpIn, prefixPath, folded(values)), c.Filter)
		}
		return c, nil
	}
	value, err := r.value(f, v)
	if err != nil {
		return condition{}, err
	}
	label := f.Name == "label" && f.Path == nil
	switch {
	case op == FilterNe:
		return condition{predicate.Not(predicate.Compare(predicate.OpEq, path, value)), false}, nil
	case label && op == FilterStartsWith:
		return condition{predicate.Compare(predicate.OpStarts, prefixPath, folded([]any{value})[0]), true}, nil
	case label && op == FilterEq:
		return condition{predicate.And(
			predicate.Compare(predicate.OpEq, prefixPath, folded([]any{value})[0]), predicate.Compare(predicate.OpEq, path, value)), true}, nil
	}
	return condition{predicate.Compare(filterOps[op], path, value), f.Indexed && op != FilterContains}, nil
}

// prefixPath is the attribute of the folded label, which its index keeps.
var prefixPath = []string{"prefix"}

func folded(values []any) []any {
	out := make([]any, len(values))
	for i, v := range values {
		s, _ := v.(string)
		out[i] = fold(s)
	}
	return out
}

func (r *filterReader) values(f Field, v any) ([]any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, r.refuse("this operator takes a list")
	}
	out := make([]any, len(list))
	for i, e := range list {
		_, err := r.inside(strconv.Itoa(i), func() (_ condition, err error) { out[i], err = r.value(f, e); return condition{}, err })
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// value checks a value by the kind of the field.
func (r *filterReader) value(f Field, v any) (any, error) {
	if r.bounds.values--; r.bounds.values < 0 {
		return nil, r.refuse("a filter has at most %d values", maxFilterValues)
	}
	switch f.Kind {
	case KindNumber:
		n, ok := plainNumber(v)
		if i, whole := n.(int64); whole {
			return float64(i), nil
		}
		if !ok {
			return nil, r.refuse("%s is a number", f.Name)
		}
		return n, nil
	case KindBoolean:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, r.refuse("%s is true or false", f.Name)
	case KindText, KindDate, KindReference:
	}
	s, ok := v.(string)
	switch {
	case !ok:
		return nil, r.refuse("%s takes a text", f.Name)
	case len(s) > maxValue || strings.Contains(s, "\x00") || strings.ToValidUTF8(s, "") != s:
		return nil, r.refuse("a text in a filter has at most %d bytes of UTF-8, none of them NUL", maxValue)
	case f.Kind == KindReference:
		return r.reference(f, s)
	case f.Kind == KindDate && f.Path == nil:
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil, r.refuse("%s takes a time as RFC 3339 has it", f.Name)
		}
		return predicate.Moment(at), nil
	}
	return s, nil
}

// reference reads a global id: as data holds it, or the id alone for fields that are no data.
func (r *filterReader) reference(f Field, s string) (any, error) {
	to, err := ref.Parse(s)
	switch {
	case err != nil:
		return nil, r.refuse("%s takes a global id", f.Name)
	case f.Path != nil:
		return to.String(), nil
	case f.Name == "owner" && to.Type != ref.User || f.Name == "id" && to.Type != ref.Document:
		return "", nil // no document has it
	}
	return to.ID, nil
}

// targets reads a list of what a reference may lead to: {"type": …} alone, or with a filter of documents of that type.
// Cost: one read for each that has a filter, or is a content type.
func (r *filterReader) targets(ctx context.Context, f Field, v any) (condition, error) {
	list, ok := v.([]any)
	switch {
	case r.live:
		return condition{}, r.refuse("a live list cannot look at targets")
	case r.nested == maxTargetDepth:
		return condition{}, r.refuse("targets of targets are followed %d times", maxTargetDepth)
	case !ok || len(list) == 0 || len(list) > 20:
		return condition{}, r.refuse("target takes a list of 1 to 20 kinds of objects")
	}
	all := make([]condition, 0, len(list))
	for i, e := range list {
		c, err := r.inside(strconv.Itoa(i), func() (condition, error) { return r.target(ctx, f, e) })
		if err != nil {
			return c, err
		}
		all = append(all, c)
	}
	return either(all), nil
}

func (r *filterReader) target(ctx context.Context, f Field, v any) (condition, error) {
	o, _ := v.(map[string]any)
	key, ok := o["type"].(string)
	where, filtered := o["where"].(map[string]any)
	if _, given := o["where"]; !ok || given != filtered || len(o) > 1 && !filtered || len(o) > 2 {
		return condition{}, r.refuse(`a kind of object is {"type": …} or {"type": …, "where": {…}}`)
	}
	if _, builtIn := r.s.finder(key); builtIn || key == ref.Document {
		if filtered || f.List {
			return condition{}, r.refuse("%s can only be asked for by its type, and of a single reference", key)
		}
		return condition{predicate.Compare(predicate.OpStarts, f.attribute(), key+":"), f.Indexed}, nil
	}
	t, err := r.s.types.key(ctx, key)
	if err != nil {
		return condition{}, r.refuse("there is no content type %q", cut(key, maxMessage))
	}
	if t.State == Retired {
		return condition{}, r.refuse("the content type %s is out of use", t.Key)
	}
	ids, err := r.selected(ctx, t, where)
	if err != nil {
		return condition{}, err
	}
	op := predicate.OpIn
	if f.List {
		op = predicate.OpHasAny
	}
	values := make([]any, len(ids))
	for i, id := range ids {
		values[i] = ref.New(homeOf(t.ID), id).String()
	}
	return condition{predicate.CompareAny(op, f.attribute(), values), f.Indexed}, nil
}

// selected gives the ids of the documents of a type that a filter selects and the caller may see.
func (r *filterReader) selected(ctx context.Context, t *compiled, where map[string]any) ([]string, error) {
	sc, err := r.s.visible(ctx, homeOf(t.ID))
	if err != nil {
		return nil, err
	}
	m, err := r.s.mask(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	sub := &filterReader{s: r.s, t: t, m: m, nested: r.nested + 1, scan: r.scan, bounds: r.bounds, pointers: append(slices.Clone(r.pointers), "where")}
	f, err := sub.read(ctx, where, len(where) == 0)
	if err != nil {
		return nil, err
	}
	ids, err := r.s.store.idsWhere(ctx, selection{t: t, scope: sc, filter: f}, maxTargetIDs+1)
	switch {
	case err != nil:
		return nil, err
	case len(ids) > maxTargetIDs:
		return nil, ErrFilterBroad.With("pointer", pointer(r.pointers)).With("limit", maxTargetIDs)
	}
	return ids, nil
}

// mayScan refuses to read without an index, unless the caller may.
//
// Errors: UNAUTHENTICATED, FORBIDDEN.
func (s *Service) mayScan(ctx context.Context, asked bool) error {
	if !asked {
		return nil
	}
	return s.authz.Require(ctx, PermScan, ref.Ref{})
}
