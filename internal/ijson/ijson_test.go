package ijson

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`null`:                nil,
		"\ttrue\n":            true,
		`false`:               false,
		`"a\"b\\\/\n\t☃"`:     "a\"b\\/\n\t☃",
		`"\u2603"`:            "☃",
		`"\ud83d\uDE00"`:      "😀",
		`"\ufffd"`:            "\ufffd",
		`0`:                   int64(0),
		`-12`:                 int64(-12),
		`1.0`:                 1.0,
		`1e3`:                 1000.0,
		`-2.5E-1`:             -0.25,
		`9223372036854775807`: int64(math.MaxInt64),
		`9223372036854775808`: float64(1 << 63),
		`[]`:                  []any{},
		`[1,[2],{}]`:          []any{int64(1), []any{int64(2)}, map[string]any{}},
		`{"a":{"b":[null]}}`:  map[string]any{"a": map[string]any{"b": []any{nil}}},
		`{"":1}`:              map[string]any{"": int64(1)},
	} {
		if got, err := Parse([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%s) = %#v, %v; want %#v", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                 ``,
		"a word":                  `nul`,
		"two values":              `1 2`,
		"the same key twice":      `{"a":1,"a":2}`,
		"one key in two writings": `{"a":1,"\u0061":2}`,
		"a comma at the end":      `[1,]`,
		"a comma in an object":    `{"a":1,}`,
		"an open object":          `{"a":1`,
		"an open array":           `[1`,
		"an open text":            `"abc`,
		"an open escape":          `"abc\`,
		"no escape":               `"\x"`,
		"half an escape":          `"\u12"`,
		"a high surrogate":        `"\ud83d"`,
		"a low surrogate":         `"\ude00"`,
		"two high surrogates":     `"\ud83d\ud83d"`,
		"a line break in a text":  "\"a\nb\"",
		"a break after an escape": "\"\\n\n\"",
		"bytes that are no UTF-8": "\"a\xff\"",
		"a leading zero":          `01`,
		"a bare minus":            `-`,
		"a bare point":            `1.`,
		"a bare exponent":         `1e`,
		"a plus":                  `+1`,
		"NaN":                     `NaN`,
		"a number out of range":   `1e999`,
		"a key that is no text":   `{1:2}`,
		"no colon":                `{"a" 1}`,
		"a byte order mark":       "\ufeff1",
		"a NUL":                   "1\x00",
		"too many levels":         strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2),
		"10,000 levels":           strings.Repeat(`{"a":`, 10_000),
	} {
		v, err := Parse([]byte(text))
		var where *Error
		if !errors.As(err, &where) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

// The parser must never accept what encoding/json refuses, and mean the same where both accept.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,-3e4,"x\u00e9\n",null,true]}`, `"\ud83d\ude00"`, `[[[]]]`, `{"a":1,"a":2}`, `1e999`, "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Parse(text)
		if err != nil {
			if strings.Contains(err.Error(), string(text)) && len(text) > 12 {
				t.Errorf("the error repeats the text: %v", err)
			}
			return
		}
		var want any
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", text, err)
		}
		if !reflect.DeepEqual(asFloats(got), want) {
			t.Errorf("Parse(%q) = %#v, want %#v", text, got, want)
		}
	})
}

func asFloats(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case []any:
		for i := range v {
			v[i] = asFloats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = asFloats(v[k])
		}
	}
	return v
}

func BenchmarkParse(b *testing.B) {
	body := []byte(`{"query":"query Q($id: ID!) {\n  node(id: $id) { id ... on Document { label rev owner { name } } }\n}","operationName":"Q","variables":{"id":"document:0197a0c0-0000-7000-8000-000000000001"}}`)
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Parse(body)
		}
	})
	b.Run("encoding", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v any
			_ = json.Unmarshal(body, &v)
		}
	})
}
