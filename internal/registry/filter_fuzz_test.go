package registry

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/ijson"
	"github.com/backendbook/backendbook/internal/predicate"
)

// FuzzFilter: whatever a client sends as a filter is refused as one, or asks about fields of the type and nothing else.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		`{"year":{"gte":1979,"lt":1985},"title":{"startsWith":"A"}}`, `{"or":[{"seen":{"eq":true}},{"not":{"tags":{"has":"space"}}}]}`,
		`{"field":"and","eq":3}`, `{"made.where":{"in":["FR","UK"]}}`, `{"title":{"eq":{"$gt":""}}}`, `{"$where":"1"}`, `{"year":{"$ne":null}}`, `{"label":{"contains":"x"}}`,
	} {
		f.Add([]byte(s))
	}
	t, err := compiledOf(f, films())
	if err != nil {
		f.Fatal(err)
	}
	var known []string
	for _, field := range t.fields {
		known = append(known, field.Column)
	}
	known = append(known, "data")
	f.Fuzz(func(test *testing.T, text []byte) {
		v, err := ijson.Parse(text)
		raw, ok := v.(map[string]any)
		if err != nil || !ok {
			return
		}
		r := &filterReader{t: t, live: true, scan: true, bounds: newBounds()}
		filter, err := r.read(test.Context(), raw, true)
		switch {
		case err != nil && !errors.Is(err, ErrFilter) && !errors.Is(err, ErrNotIndexed):
			test.Fatalf("%s: %v", text, err)
		case err == nil:
			checkPaths(test, filter, known)
		}
	})
}

// checkPaths checks that a filter looks at known columns alone.
func checkPaths(t *testing.T, f predicate.Filter, known []string) {
	t.Helper()
	for _, s := range f.Sub {
		checkPaths(t, s, known)
	}
	if len(f.Path) > 0 && !slices.ContainsFunc(known, func(k string) bool {
		return f.Path[0] == k || len(k) > len(f.Path[0]) && k[:len(f.Path[0])+1] == f.Path[0]+"."
	}) {
		t.Errorf("the filter asks about %q", f.Path)
	}
	for _, v := range append(f.Values, f.Value) {
		switch v.(type) {
		case map[string]any, []any, bson.D, bson.M:
			t.Errorf("the filter compares with %v", v)
		}
	}
}

// FuzzDecodeRaw: whatever a collection holds, a document is read as the driver reads it, or is an error of its own.
func FuzzDecodeRaw(f *testing.F) {
	for _, d := range []Document{
		{ID: "a", Type: "t", Version: 1, Rev: 2, Label: "l", Data: map[string]any{"a": []any{int64(1), 2.5, nil, true, "x"}, "b": map[string]any{"c": "d"}}},
		{ID: "b"},
	} {
		raw, err := bson.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add(bytes.Repeat([]byte{3, 0, 0, 0}, 40))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d Document
		if err := d.DecodeRaw(raw); err != nil && !errors.Is(err, errStored) {
			t.Errorf("%v", err)
		}
	})
}
