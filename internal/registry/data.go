package registry

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/fault"
)

// reader takes a JSON value apart and builds it anew of plain values: map[string]any, []any, string, int64, float64, bool
// and nil. What comes out shares nothing with what came in, has been measured, and is stored and read back unchanged.
type reader struct {
	err      *fault.Error // of the kind of value it is: ErrInvalid or ErrSchema
	depth    int          // levels still allowed
	left     int          // bytes still allowed, counted as compact JSON without escapes
	anyKey   bool         // keys may mean something to MongoDB: the value is stored as text
	pointers []string     // where it is
}

// plainData checks the data of a document, whoever sent it, and gives it in plain values.
//
// Errors: DOCUMENT_INVALID with a pointer.
func plainData(v map[string]any) (map[string]any, error) {
	r := &reader{err: ErrInvalid, depth: MaxDepth, left: MaxDataBytes}
	return r.object(v)
}

// plainSchema is plainData for a JSON Schema, whose keys may begin with $.
//
// Errors: SCHEMA_INVALID with a pointer.
func plainSchema(v map[string]any) (map[string]any, error) {
	r := &reader{err: ErrSchema, depth: 2 * MaxDepth, left: MaxSchema, anyKey: true}
	return r.object(v)
}

func (r *reader) refuse(msg string) error {
	return r.err.Saying("%s", msg).With("pointer", pointer(r.pointers))
}

// spend counts n bytes.
func (r *reader) spend(n int) error {
	if r.left -= n; r.left < 0 {
		return r.refuse("the value is too large")
	}
	return nil
}

func (r *reader) value(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, r.spend(len("null"))
	case bool:
		return v, r.spend(len("true"))
	case string:
		return v, r.text(v)
	case map[string]any:
		return r.object(v)
	case []any:
		return r.array(v)
	default:
		n, ok := plainNumber(v)
		if !ok {
			return nil, r.refuse("the value has no exact form: numbers are whole ones of 64 bits, or doubles")
		}
		return n, r.spend(8)
	}
}

func (r *reader) text(s string) error {
	if !utf8.ValidString(s) {
		return r.refuse("a text is not valid UTF-8")
	}
	return r.spend(len(s) + 2)
}

func (r *reader) object(m map[string]any) (map[string]any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(m))
	for k, e := range m {
		if !r.anyKey && (k == "" || k[0] == '$' || strings.ContainsAny(k, ".\x00")) {
			return nil, r.refuse("a key must not be empty, begin with $ or hold a dot or NUL")
		}
		if err := r.text(k); err != nil {
			return nil, err
		}
		if err := r.inside(k, e, func(v any) { out[k] = v }); err != nil {
			return nil, err
		}
	}
	r.depth++
	return out, nil
}

func (r *reader) array(a []any) ([]any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	out := make([]any, len(a))
	for i, e := range a {
		if err := r.inside(strconv.Itoa(i), e, func(v any) { out[i] = v }); err != nil {
			return nil, err
		}
	}
	r.depth++
	return out, nil
}

func (r *reader) enter() error {
	if r.depth--; r.depth < 0 {
		return r.refuse("the value is nested too deep")
	}
	return r.spend(2)
}

func (r *reader) inside(token string, v any, put func(any)) error {
	r.pointers = append(r.pointers, token)
	p, err := r.value(v)
	if err != nil {
		return err
	}
	put(p)
	r.pointers = r.pointers[:len(r.pointers)-1]
	return r.spend(1)
}

// plainNumber gives an int64 or a float64 that is exactly v: what JSON writes as a whole number stays one, and a number
// that would change is refused rather than rounded.
func plainNumber(v any) (any, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case float32:
		return plainNumber(float64(v))
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n, true
		}
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, false
		}
		// A whole number beyond 64 bits is welcome when a double holds it: JavaScript writes 1e20 with all its zeros.
		whole := !strings.ContainsAny(string(v), ".eE")
		return f, !whole || strconv.FormatFloat(f, 'f', 0, 64) == string(v)
	default:
		return nil, false
	}
}

// pointer is the JSON Pointer (RFC 6901) of these tokens.
func pointer(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(t, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// tokens is the inverse of pointer.
func tokens(p string) []string {
	if p == "" {
		return nil
	}
	parts := strings.Split(p[1:], "/")
	for i, t := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return parts
}

// at finds the value at path.
func at(v any, path []string) (any, bool) {
	for _, t := range path {
		switch c := v.(type) {
		case map[string]any:
			e, ok := c[t]
			if !ok {
				return nil, false
			}
			v = e
		case []any:
			i, err := strconv.Atoi(t)
			if err != nil || i < 0 || i >= len(c) {
				return nil, false
			}
			v = c[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// without is v less the values at these pointers: members of objects go, items of arrays close ranks.
func without(v any, pointers map[string]bool) any {
	return prune(v, nil, pointers)
}

func prune(v any, path []string, gone map[string]bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if p := append(path, k); !gone[pointer(p)] { //nolint:gocritic // p is used before path grows again
				out[k] = prune(e, p, gone)
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for i, e := range v {
			if p := append(path, strconv.Itoa(i)); !gone[pointer(p)] { //nolint:gocritic // as above
				out = append(out, prune(e, p, gone))
			}
		}
		return out
	default:
		return v
	}
}
