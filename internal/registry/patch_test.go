package registry

import (
	"encoding/json"
	"reflect"
	"testing"
)

// The test cases of RFC 7396, appendix A.
var rfc7396 = []struct{ target, patch, want string }{
	{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
	{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
	{`{"a":"b"}`, `{"a":null}`, `{}`},
	{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
	{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
	{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
	{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
	{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
	{`["a","b"]`, `["c","d"]`, `["c","d"]`},
	{`{"a":"b"}`, `["c"]`, `["c"]`},
	{`{"a":"foo"}`, `null`, `null`},
	{`{"a":"foo"}`, `"bar"`, `"bar"`},
	{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
	{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
	{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
}

func parse(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestMergePatch(t *testing.T) {
	t.Parallel()
	for _, tc := range rfc7396 {
		target, patch := parse(t, tc.target), parse(t, tc.patch)
		if got := mergePatch(target, patch); !reflect.DeepEqual(got, parse(t, tc.want)) {
			t.Errorf("mergePatch(%s, %s) = %v; want %s", tc.target, tc.patch, got, tc.want)
		}
		if !reflect.DeepEqual(target, parse(t, tc.target)) || !reflect.DeepEqual(patch, parse(t, tc.patch)) {
			t.Errorf("mergePatch(%s, %s) changed an argument", tc.target, tc.patch)
		}
	}
}

// What must hold of any patch: applying it twice is applying it once; the arguments stay; and the members it does not
// name stay.
func FuzzMergePatch(f *testing.F) {
	for _, tc := range rfc7396 {
		f.Add(tc.target, tc.patch)
	}
	f.Fuzz(func(t *testing.T, targetText, patchText string) {
		var target, patch any
		if json.Unmarshal([]byte(targetText), &target) != nil || json.Unmarshal([]byte(patchText), &patch) != nil {
			return
		}
		once := mergePatch(target, patch)
		if !reflect.DeepEqual(target, parse(t, targetText)) || !reflect.DeepEqual(patch, parse(t, patchText)) {
			t.Fatal("an argument changed")
		}
		if twice := mergePatch(once, patch); !reflect.DeepEqual(once, twice) {
			t.Fatalf("once %v, twice %v", once, twice)
		}
		to, isObject := target.(map[string]any)
		po, isPatch := patch.(map[string]any)
		out, _ := once.(map[string]any)
		if !isPatch {
			if !reflect.DeepEqual(once, patch) {
				t.Fatalf("%v replaced by %v gave %v", target, patch, once)
			}
			return
		}
		for k, v := range po {
			if _, there := out[k]; there == (v == nil) {
				t.Fatalf("member %q of %v after %v: there = %v", k, out, po, there)
			}
		}
		for k, v := range to {
			if _, named := po[k]; isObject && !named && !reflect.DeepEqual(out[k], v) {
				t.Fatalf("member %q changed from %v to %v", k, v, out[k])
			}
		}
	})
}
