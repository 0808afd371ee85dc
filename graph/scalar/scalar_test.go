package scalar

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

func written(m graphql.Marshaler) string {
	var b bytes.Buffer
	m.MarshalGQL(&b)
	return b.String()
}

func TestID(t *testing.T) {
	t.Parallel()
	id := ref.New(ref.User, ref.NewID())
	if got := written(MarshalID(id)); got != `"`+id.String()+`"` {
		t.Errorf("MarshalID = %s", got)
	}
	if got, err := UnmarshalID(id.String()); err != nil || got != id {
		t.Errorf("UnmarshalID = %v, %v", got, err)
	}
	for _, v := range []any{nil, 1, int64(1), 1.5, true, "", "user", "user:", "user:$ne", []any{"user:1"}, map[string]any{"$ne": nil}, json.Number("1")} {
		if got, err := UnmarshalID(v); !errors.Is(err, ref.ErrID) {
			t.Errorf("UnmarshalID(%v) = %v, %v", v, got, err)
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-01-02T03:04:05Z":                `"2026-01-02T03:04:05.000Z"`,
		"2026-01-02T03:04:05.6789Z":           `"2026-01-02T03:04:05.678Z"`, // cut to what BSON keeps
		"2026-01-02T03:04:05.678+02:00":       `"2026-01-02T01:04:05.678Z"`,
		"2024-02-29T23:59:59.999999999-12:00": `"2024-03-01T11:59:59.999Z"`,
		"0001-01-01T00:00:00Z":                `"0001-01-01T00:00:00.000Z"`,
		"9999-12-31T23:59:59Z":                `"9999-12-31T23:59:59.000Z"`,
	} {
		got, err := UnmarshalTime(text)
		if err != nil || written(MarshalTime(got)) != want || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
	for _, v := range []any{
		nil, int64(0), 1.5, "", "now", "2026-01-02", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "2025-02-29T03:04:05Z",
		"2026-01-02T25:04:05Z", "12026-01-02T03:04:05Z",
		map[string]any{"$gt": ""},
	} {
		if got, err := UnmarshalTime(v); !errors.Is(err, fault.ErrInput) {
			t.Errorf("UnmarshalTime(%v) = %v, %v", v, got, err)
		}
	}
}

// nest is an object of so many levels.
func nest(levels int) map[string]any {
	m := map[string]any{}
	for range levels - 1 {
		m = map[string]any{"a": m}
	}
	return m
}

func TestJSON(t *testing.T) {
	t.Parallel()
	wide := map[string]any{"a": make([]any, maxNodes-2)}
	for name, m := range map[string]map[string]any{
		"empty":           {},
		"every kind":      {"s": "x", "i": int64(1), "f": 1.5, "b": true, "n": nil, "l": []any{map[string]any{"k": "$v.w"}}},
		"odd keys":        {"a$b": 1, " ": 2, "__proto__": 3, "é": 4, "a-b": 5},
		"the last level":  nest(maxDepth),
		"the last node":   wide,
		"a list in a lot": {"l": []any{[]any{[]any{}}}},
	} {
		got, err := UnmarshalJSON(m)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, v := range map[string]any{
		"null":              nil,
		"a text":            "{}",
		"a list":            []any{},
		"a number":          int64(1),
		"an operator":       map[string]any{"$ne": nil},
		"one further down":  map[string]any{"a": []any{map[string]any{"b": map[string]any{"$where": "1"}}}},
		"a path":            map[string]any{"a.b": 1},
		"a NUL":             map[string]any{"a\x00b": 1},
		"an empty key":      map[string]any{"": 1},
		"one level more":    nest(maxDepth + 1),
		"one node more":     map[string]any{"a": make([]any, maxNodes-1)},
		"levels of a list":  map[string]any{"a": deepList(maxDepth)},
		"a key in the list": map[string]any{"a": []any{[]any{map[string]any{"$a": 1}}}},
	} {
		if got, err := UnmarshalJSON(v); !errors.Is(err, fault.ErrInput) {
			t.Errorf("%s: %v, %v", name, got, err)
		} else if strings.Contains(err.Error(), "where") || strings.Contains(err.Error(), "a.b") {
			t.Errorf("%s: the error repeats the key: %v", name, err)
		}
	}
}

func deepList(levels int) []any {
	l := []any{}
	for range levels - 1 {
		l = []any{l}
	}
	return l
}

func TestJSONIsWritten(t *testing.T) {
	t.Parallel()
	in := map[string]any{"b": []any{int64(9007199254740993), 1.5, nil, "<&>\u2028"}, "a": map[string]any{}}
	var out map[string]any
	text := written(MarshalJSON(in))
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if !strings.Contains(text, "9007199254740993") {
		t.Errorf("a whole number lost digits: %s", text)
	}
	if keys := maps.Keys(out); keys == nil || !reflect.DeepEqual(out["b"].([]any)[3], "<&>\u2028") {
		t.Errorf("%s", text)
	}
	if got := written(MarshalJSON(map[string]any{"x": math.NaN()})); got != "null" {
		t.Errorf("NaN: %s", got)
	}
}

// What passes can be stored and read back by its keys: none means anything to MongoDB.
func FuzzGoodKey(f *testing.F) {
	for _, s := range []string{"", "a", "$a", "a.b", "a\x00", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		good := GoodKey(key)
		if bad := key == "" || strings.HasPrefix(key, "$") || strings.Contains(key, ".") || strings.Contains(key, "\x00"); good == bad {
			t.Errorf("GoodKey(%q) = %v", key, good)
		}
	})
}
