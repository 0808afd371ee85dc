package graph

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ijson"
)

const variablesSchema = `
	scalar JSON
	enum Color { RED GREEN }
	input Point { x: Int! y: Int! = 3 next: Point tags: [String!] }
	type Query { a(i: Int, f: Float, s: String, b: Boolean, id: ID, c: Color, j: JSON, p: Point, l: [Int!], m: [[Int]]): Int }
`

func TestCoerceVariables(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: variablesSchema})
	for _, tc := range []struct {
		decl, given string
		want        string // the variables as JSON; empty when refused
		field       string // that is blamed
	}{
		{"$i: Int", `{}`, `{}`, ""},
		{"$i: Int", `{"i":null}`, `{"i":null}`, ""},
		{"$i: Int", `{"i":5,"nobody":1}`, `{"i":5}`, ""},
		{"$i: Int", `{"i":5.0}`, `{"i":5}`, ""},
		{"$i: Int", `{"i":2147483647}`, `{"i":2147483647}`, ""},
		{"$i: Int", `{"i":2147483648}`, "", "i"},
		{"$i: Int", `{"i":5.5}`, "", "i"},
		{"$i: Int", `{"i":1e300}`, "", "i"},
		{"$i: Int", `{"i":"5"}`, "", "i"},
		{"$i: Int", `{"i":true}`, "", "i"},
		{"$i: Int", `{"i":[5]}`, "", "i"},
		{"$i: Int", `{"i":{"$ne":null}}`, "", "i"},
		{"$i: Int!", `{}`, "", "i"},
		{"$i: Int!", `{"i":null}`, "", "i"},
		{"$i: Int! = 7", `{}`, `{"i":7}`, ""},
		{"$i: Int = 7", `{"i":null}`, `{"i":null}`, ""},
		{"$f: Float", `{"f":1}`, `{"f":1}`, ""},
		{"$f: Float", `{"f":"1"}`, "", "f"},
		{"$s: String", `{"s":"x"}`, `{"s":"x"}`, ""},
		{"$s: String", `{"s":1}`, "", "s"},
		{"$s: String", `{"s":{"$ne":null}}`, "", "s"},
		{"$s: String", `{"s":["x"]}`, "", "s"},
		{"$b: Boolean", `{"b":false}`, `{"b":false}`, ""},
		{"$b: Boolean", `{"b":"false"}`, "", "b"},
		{"$id: ID", `{"id":"user:1"}`, `{"id":"user:1"}`, ""},
		{"$id: ID", `{"id":1}`, "", "id"},
		{"$c: Color", `{"c":"RED"}`, `{"c":"RED"}`, ""},
		{"$c: Color", `{"c":"red"}`, "", "c"},
		{"$c: Color", `{"c":0}`, "", "c"},
		{"$c: Color = GREEN", `{}`, `{"c":"GREEN"}`, ""},
		{"$j: JSON", `{"j":{"a":[1,2.5,"x",null]}}`, `{"j":{"a":[1,2.5,"x",null]}}`, ""},
		{"$l: [Int!]", `{"l":[1,2]}`, `{"l":[1,2]}`, ""},
		{"$l: [Int!]", `{"l":1}`, `{"l":[1]}`, ""},
		{"$l: [Int!]", `{"l":[]}`, `{"l":[]}`, ""},
		{"$l: [Int!]", `{"l":[1,null]}`, "", "l.1"},
		{"$l: [Int!]", `{"l":[1,"2"]}`, "", "l.1"},
		{"$m: [[Int]]", `{"m":[[1],2,null]}`, `{"m":[[1],[2],null]}`, ""},
		{"$p: Point", `{"p":{"x":1}}`, `{"p":{"x":1}}`, ""},
		{"$p: Point", `{"p":{"x":1,"y":2,"next":{"x":3,"tags":["a"]}}}`, `{"p":{"x":1,"y":2,"next":{"x":3,"tags":["a"]}}}`, ""},
		{"$p: Point", `{"p":{"x":1,"next":null}}`, `{"p":{"x":1,"next":null}}`, ""},
		{"$p: Point", `{"p":{}}`, "", "p.x"},
		{"$p: Point", `{"p":{"x":1,"y":null}}`, "", "p.y"},
		{"$p: Point", `{"p":{"x":1,"z":2}}`, "", "p.z"},
		{"$p: Point", `{"p":{"x":1,"next":{"x":2,"tags":["a",5]}}}`, "", "p.next.tags.1"},
		{"$p: Point", `{"p":"x"}`, "", "p"},
		{"$p: [Point!]!", `{"p":[{"x":1},{"y":1}]}`, "", "p.1.x"},
	} {
		doc := walked(t, schema, "query ("+tc.decl+") { a }")
		given, err := ijson.Parse([]byte(tc.given))
		if err != nil {
			t.Fatal(err)
		}
		before, _ := json.Marshal(given)
		got, err := coerceVariables(schema, doc.Operations[0], given.(map[string]any))
		if after, _ := json.Marshal(given); string(after) != string(before) {
			t.Errorf("%s of %s changed the values it was given: %s", tc.decl, before, after)
		}
		if tc.want == "" {
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != "BAD_USER_INPUT" || f.Field != tc.field || !strings.Contains(f.Msg, "$"+tc.field+" ") {
				t.Errorf("%s of %s: %v, %v; want %s to be blamed", tc.decl, tc.given, got, err, tc.field)
			}
			continue
		}
		want, _ := ijson.Parse([]byte(tc.want))
		if gotJSON, _ := json.Marshal(got); err != nil || string(gotJSON) != string(must(json.Marshal(want))) {
			t.Errorf("%s of %s: %s, %v; want %s", tc.decl, tc.given, gotJSON, err, tc.want)
		}
	}
}

func must[T any](v T, _ error) T { return v }

// Numbers reach the resolvers as the types they are declared with.
func TestCoercedTypes(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: variablesSchema})
	doc := walked(t, schema, "query ($i: Int, $f: Float, $j: JSON) { a }")
	got, err := coerceVariables(schema, doc.Operations[0], map[string]any{"i": 5.0, "f": int64(1), "j": map[string]any{"n": int64(1)}})
	want := map[string]any{"i": int64(5), "f": 1.0, "j": map[string]any{"n": int64(1)}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v", got, err)
	}
}

// A long key of the client's is not sent back in full.
func TestBlamedPathIsShort(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: variablesSchema})
	doc := walked(t, schema, "query ($p: Point) { a }")
	_, err := coerceVariables(schema, doc.Operations[0], map[string]any{"p": map[string]any{"x": int64(1), strings.Repeat("é", 5000): 1}})
	if err == nil || len(err.Error()) > 4*maxEcho {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

func BenchmarkCoerceVariables(b *testing.B) {
	s := plainServer(b, Config{})
	doc, errs := s.document(b.Context(), `mutation ($in: TrackInput!) { track(input: $in) { accepted } }`)
	if len(errs) > 0 {
		b.Fatal(errs)
	}
	events := make([]any, 1000)
	for i := range events {
		events[i] = map[string]any{"id": "abcdefgh", "name": "flight", "dims": map[string]any{"origin": "SEA"}, "values": map[string]any{"delay": int64(3)}}
	}
	vars := map[string]any{"in": map[string]any{"events": events}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := coerceVariables(s.schema, doc.ast.Operations[0], vars); err != nil {
			b.Fatal(err)
		}
	}
}
