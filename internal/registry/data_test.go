package registry

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func deep(levels int) m {
	v := m{}
	for range levels - 1 {
		v = m{"a": v}
	}
	return v
}

func TestPlainData(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want m }{
		"empty":            {nil, m{}},
		"every kind":       {m{"s": "x", "b": true, "n": nil, "o": m{"k": a{}}}, m{"s": "x", "b": true, "n": nil, "o": m{"k": a{}}}},
		"go numbers":       {m{"i": 1, "j": int32(2), "k": int64(3), "f": float32(0.5)}, m{"i": int64(1), "j": int64(2), "k": int64(3), "f": 0.5}},
		"json numbers":     {m{"i": json.Number("7"), "f": json.Number("0.1"), "e": json.Number("1e3")}, m{"i": int64(7), "f": 0.1, "e": 1000.0}},
		"64 bits are kept": {m{"i": json.Number("9007199254740993")}, m{"i": int64(9007199254740993)}},
		"JavaScript's 1e20": {
			m{"i": json.Number("100000000000000000000")}, m{"i": 1e20},
		},
		"20 levels": {deep(20), deep(20)},
	} {
		if got, err := plainData(tc.in); err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: plainData(%v) = %v, %v; want %v", name, tc.in, got, err, tc.want)
		}
	}
}

func TestPlainDataRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in      m
		pointer string
	}{
		"operator":              {m{"$where": "1"}, ""},
		"operator deep":         {m{"a": a{m{"b": m{"$gt": 1}}}}, "/a/0/b"},
		"dotted":                {m{"x": m{"a.b": 1}}, "/x"},
		"empty key":             {m{"": 1}, ""},
		"NUL in a key":          {m{"a\x00": 1}, ""},
		"invalid UTF-8":         {m{"a": "\xff"}, "/a"},
		"invalid UTF-8 key":     {m{"\xff": "a"}, ""},
		"21 levels":             {deep(21), strings.Repeat("/a", 20)},
		"over 1 MiB":            {m{"a": strings.Repeat("x", MaxDataBytes)}, "/a"},
		"NaN":                   {m{"a": math.NaN()}, "/a"},
		"infinity":              {m{"a": a{1, math.Inf(1)}}, "/a/1"},
		"1e400":                 {m{"a": json.Number("1e400")}, "/a"},
		"rounded whole number":  {m{"a": json.Number("12345678901234567891")}, "/a"},
		"not JSON":              {m{"a": make(chan int)}, "/a"},
		"BSON type":             {m{"a": bson.NewObjectID()}, "/a"},
		"pointer is escaped":    {m{"a/b": m{"~": m{"$x": 1}}}, "/a~1b/~0"},
		"a million small items": {m{"a": make([]any, MaxDataBytes)}, ""},
	} {
		_, err := plainData(tc.in)
		e := wantFault(t, err, ErrInvalid)
		if p := e.Details["pointer"]; p != tc.pointer && name != "a million small items" {
			t.Errorf("%s: pointer %v; want %q", name, p, tc.pointer)
		}
	}
}

// What plainData lets through must come back from the database as it was, and be let through again unchanged.
func FuzzPlainData(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":[1,2.5,null,true,{"b":"c"}]}`, `{"$a":1}`, `{"a.b":1}`, `{"a":1e309}`, `{"a":-0}`, `{"":0}`, `{"a":"\u0000"}`,
		`{"a":9223372036854775808}`, `{"a":{"b":{"c":[[[[]]]]}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		var in map[string]any
		if d.Decode(&in) != nil {
			return
		}
		plain, err := plainData(in)
		if err != nil {
			return
		}
		again, err := plainData(plain)
		if err != nil || !reflect.DeepEqual(plain, again) {
			t.Fatalf("again: %v, %v; want %v", again, err, plain)
		}
		raw, err := bson.Marshal(Document{Data: plain})
		if err != nil {
			t.Fatalf("cannot be stored: %v", err)
		}
		var back Document
		if err := bson.Unmarshal(raw, &back); err != nil {
			t.Fatalf("cannot be read back: %v", err)
		}
		if got := plainMap(back.Data); !reflect.DeepEqual(got, plain) {
			t.Fatalf("read back %#v; want %#v", got, plain)
		}
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				for k, e := range v {
					if k == "" || k[0] == '$' || strings.ContainsAny(k, ".\x00") {
						t.Fatalf("key %q got through", k)
					}
					walk(e)
				}
			case []any:
				for _, e := range v {
					walk(e)
				}
			}
		}
		walk(plain)
	})
}

func TestPointers(t *testing.T) {
	t.Parallel()
	doc := m{"a": a{m{"b/c": m{"~d": 1}}, 2}, "~1": "x"}
	for p, want := range map[string]any{
		"": doc, "/a/0/b~1c/~0d": 1, "/a/1": 2, "/~01": "x", "/a/2": nil, "/a/x": nil, "/a/-1": nil, "/nope": nil, "/~01/x": nil,
	} {
		if got, ok := at(doc, tokens(p)); !reflect.DeepEqual(got, want) || ok != (want != nil) {
			t.Errorf("at %q = %v, %v; want %v", p, got, ok, want)
		}
		if back := pointer(tokens(p)); back != p {
			t.Errorf("pointer(tokens(%q)) = %q", p, back)
		}
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	in := m{"keep": 1, "gone": 2, "list": a{"x", "y", m{"gone": 1, "in": 2}, "z"}}
	got := without(in, map[string]bool{"/gone": true, "/list/0": true, "/list/2/gone": true, "/list/3": true, "/nope": true})
	if want := (m{"keep": 1, "list": a{"y", m{"in": 2}}}); !reflect.DeepEqual(got, want) {
		t.Errorf("without() = %v; want %v", got, want)
	}
	if len(in) != 3 || len(in["list"].(a)) != 4 {
		t.Errorf("the argument changed: %v", in)
	}
}
