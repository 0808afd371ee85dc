package registry

import (
	"reflect"
	"strings"
	"testing"
)

// compiledOf compiles a schema as Define does.
func compiledOf(t testing.TB, schema m) (*compiled, error) {
	t.Helper()
	plain, err := plainSchema(schema)
	if err != nil {
		return nil, err
	}
	b, err := text(plain)
	if err != nil {
		return nil, err
	}
	return compile(ContentType{ID: "t", Key: "t"}, b)
}

func mustCompile(t testing.TB, schema m) *compiled {
	t.Helper()
	c, err := compiledOf(t, schema)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSchemaRefused(t *testing.T) {
	t.Parallel()
	refers := reference(Restrict, "*")
	doubling := m{"type": "object", "$defs": m{}, "$ref": "#/$defs/d0"}
	for i := range 12 {
		next := "#/$defs/d" + string(rune('a'+i))
		this := "d0"
		if i > 0 {
			this = "d" + string(rune('a'+i-1))
		}
		doubling["$defs"].(m)[this] = m{"allOf": a{m{"$ref": next}, m{"$ref": next}}}
	}
	doubling["$defs"].(m)["dl"] = m{"type": "object"}
	for name, tc := range map[string]struct {
		schema m
		says   string
	}{
		"no type":             {m{"properties": m{}}, `"type": "object"`},
		"an array":            {m{"type": "array"}, `"type": "object"`},
		"no schema":           {m{"type": "object", "properties": 3}, "/properties"},
		"bad pattern":         {object(m{"a": m{"pattern": "("}}), "/properties/a/pattern"},
		"look-behind":         {object(m{"a": m{"pattern": "(?<=x)y"}}), "/properties/a/pattern"},
		"remote $ref":         {object(m{"a": m{"$ref": "https://example.com/s.json"}}), "remote"},
		"file $ref":           {object(m{"a": m{"$ref": "file:///etc/passwd"}}), "remote"},
		"relative $ref":       {object(m{"a": m{"$ref": "other.json"}}), "remote"},
		"remote metaschema":   {m{"$schema": "https://example.com/meta", "type": "object"}, "remote"},
		"absent $ref":         {object(m{"a": m{"$ref": "#/$defs/nope"}}), "not found"},
		"draft 7":             {m{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, "2020-12"},
		"over 64 KiB":         {m{"type": "object", "description": strings.Repeat("x", MaxSchema)}, "too large"},
		"41 levels":           {deep(41), "deep"},
		"label of no name":    {m{"type": "object", "label": 3}, "label"},
		"reference of string": {object(m{"a": m{"reference": "x"}}), "/properties/a/reference"},
		"reference to none":   {object(m{"a": m{"reference": m{"to": a{}}}}), "/properties/a/reference/to"},
		"reference to what":   {object(m{"a": m{"reference": m{"onDelete": "KEEP"}}}), "/properties/a/reference"},
		"bad rule":            {object(m{"a": m{"reference": m{"to": a{"*"}, "onDelete": "NO ACTION"}}}), "onDelete"},
		"bad target":          {object(m{"a": m{"reference": m{"to": a{"A b"}}}}), "/to/0"},
		"misspelt keyword":    {object(m{"a": m{"reference": m{"to": a{"*"}, "ondelete": "KEEP"}}}), "ondelete"},
		"under anyOf":         {object(m{"a": m{"anyOf": a{refers, m{"type": "null"}}}}), "may stand"},
		"under if":            {m{"type": "object", "if": m{}, "then": object(m{"a": refers})}, "may stand"},
		"under not":           {object(m{"a": m{"not": refers}}), "may stand"},
		"under contains":      {object(m{"a": m{"contains": refers}}), "may stand"},
		"under prefixItems":   {object(m{"a": m{"prefixItems": a{refers}}}), "may stand"},
		"behind oneOf and $ref": {
			m{"type": "object", "$defs": m{"r": refers}, "properties": m{"a": m{"oneOf": a{m{"$ref": "#/$defs/r"}}}}}, "may stand",
		},
		"endless $ref":        {m{"type": "object", "$ref": "#"}, "complex"},
		"endless mutual $ref": {m{"type": "object", "$ref": "#/$defs/a", "$defs": m{"a": m{"$ref": "#/$defs/b"}, "b": m{"$ref": "#/$defs/a"}}}, "complex"},
		"doubling $ref":       {doubling, "complex"},
		"doubling by level":   {object(m{"a": m{"items": m{"allOf": a{m{"$ref": "#/properties/a"}, m{"$ref": "#/properties/a"}}}}}), "complex"},
		"the metaschema":      {object(m{"a": m{"$ref": "https://json-schema.org/draft/2020-12/schema"}}), "complex"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := compiledOf(t, tc.schema)
			e := wantFault(t, err, ErrSchema)
			p, _ := e.Details["pointer"].(string)
			if !strings.Contains(e.Msg+" "+p, tc.says) {
				t.Errorf("says %q at %q; want %q", e.Msg, p, tc.says)
			}
			if len(e.Msg) > 600 {
				t.Errorf("the message has %d bytes", len(e.Msg))
			}
		})
	}
}

// Schemas of people are not in the way of the bound on work.
func TestSchemaAccepted(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]m{
		"tree": object(m{"left": m{"$ref": "#"}, "right": m{"$ref": "#"}, "v": m{"type": "number"}}),
		"thread": {
			"type": "object", "$defs": m{"base": object(m{"by": reference(Keep, "user")})},
			"allOf": a{m{"$ref": "#/$defs/base"}, object(m{"replies": m{"items": m{"$ref": "#"}}})},
		},
		"said draft":        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
		"field 'reference'": object(m{"reference": m{"type": "string"}}),
		"conditions":        {"type": "object", "if": m{"required": a{"a"}}, "then": m{"required": a{"b"}}},
		"own id":            {"$id": "https://example.com/mine", "type": "object", "$defs": m{"x": m{"$anchor": "x"}}, "$ref": "#x"},
		"wide":              wide(200),
	} {
		if _, err := compiledOf(t, schema); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func wide(n int) m {
	p := m{}
	for i := range n {
		p["field"+strings.Repeat("x", i)] = m{"type": []any{"string", "null"}, "maxLength": i}
	}
	return object(p)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, m{
		"type": "object", "required": a{"title"}, "additionalProperties": false,
		"properties": m{
			"title": m{"type": "string", "minLength": 1},
			"year":  m{"type": "integer", "minimum": 1888},
			"mail":  m{"type": "string", "format": "email"},
			"tags":  m{"type": "array", "items": m{"enum": a{"a", "b"}}, "uniqueItems": true},
			"big":   m{"const": 9007199254740993},
			"cents": m{"multipleOf": 0.01},
		},
	})
	for name, tc := range map[string]struct {
		data    m
		pointer string // "-" for valid
	}{
		"valid":                      {m{"title": "x", "year": 1990, "tags": a{"a", "b"}, "mail": "a@b.example"}, "-"},
		"whole double is an integer": {m{"title": "x", "year": 1990.0}, "-"},
		"2^53 + 1 is itself":         {m{"title": "x", "big": int64(9007199254740993)}, "-"},
		"2^53 is not":                {m{"title": "x", "big": int64(9007199254740992)}, "/big"},
		"0.07 is cents":              {m{"title": "x", "cents": 0.07}, "-"},
		"missing":                    {m{}, ""},
		"wrong type":                 {m{"title": 3}, "/title"},
		"below the minimum":          {m{"title": "x", "year": 3}, "/year"},
		"no mail":                    {m{"title": "x", "mail": "nobody"}, "/mail"},
		"deep":                       {m{"title": "x", "tags": a{"a", "c"}}, "/tags/1"},
		"unknown field":              {m{"title": "x", "more": 1}, ""},
	} {
		plain, err := plainData(tc.data)
		if err != nil {
			t.Fatal(err)
		}
		if err = c.validate(plain); tc.pointer == "-" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if e := wantFault(t, err, ErrInvalid); e.Details["pointer"] != tc.pointer {
			t.Errorf("%s: pointer %q; want %q (%s)", name, e.Details["pointer"], tc.pointer, e.Msg)
		}
	}
}

// A refusal quotes little of the value and names a bounded number of violations.
func TestViolationsAreBounded(t *testing.T) {
	t.Parallel()
	c := mustCompile(t, object(m{"a": m{"items": m{"pattern": "^x$"}}}))
	items := make(a, 500)
	for i := range items {
		items[i] = strings.Repeat("ä", 500)
	}
	e := wantFault(t, c.validate(m{"a": items}), ErrInvalid)
	all, _ := e.Details["violations"].([]map[string]any)
	if len(all) != maxViolations || len(e.Msg) > 600 {
		t.Fatalf("%d violations, message of %d bytes", len(all), len(e.Msg))
	}
	for _, v := range all {
		if s, _ := v["message"].(string); len(s) > maxMessage+len("…") || !strings.HasSuffix(s, "…") {
			t.Errorf("message %q", s)
		}
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		keyword any
		data    m
		want    string
	}{
		"name first":    {nil, m{"name": "n", "title": "t"}, "n"},
		"then title":    {nil, m{"title": "t", "label": "l"}, "t"},
		"empty name":    {nil, m{"name": " ", "label": "l"}, "l"},
		"none":          {nil, m{"x": "y"}, "id"},
		"by property":   {"code", m{"name": "n", "code": "ABC"}, "ABC"},
		"by pointer":    {"/a/0/b", m{"a": a{m{"b": "deep"}}}, "deep"},
		"a number":      {"n", m{"n": int64(42)}, "42"},
		"absent":        {"code", m{"name": "n"}, "id"},
		"an object":     {"o", m{"o": m{}}, "id"},
		"one line":      {"s", m{"s": "a\n\tb  c"}, "a b c"},
		"at most 200":   {"s", m{"s": strings.Repeat("ä", 300)}, strings.Repeat("ä", 200)},
		"$ as property": {"price $", m{"price $": "x"}, "x"},
	} {
		schema := object(m{})
		if tc.keyword != nil {
			schema["label"] = tc.keyword
		}
		if got := mustCompile(t, schema).labelOf("id", tc.data); got != tc.want {
			t.Errorf("%s: %q; want %q", name, got, tc.want)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	to := reference(Cascade, "*")
	c := mustCompile(t, m{
		"type":  "object",
		"$defs": m{"by": m{"type": a{"string", "null"}, "reference": m{"to": a{"user"}}}},
		"properties": m{
			"one":    to,
			"many":   m{"type": "array", "items": to},
			"pairs":  m{"type": "array", "prefixItems": a{m{"type": "integer"}}, "items": to},
			"nested": object(m{"by": m{"$ref": "#/$defs/by"}}),
			"twice":  m{"allOf": a{to, to}},
			"free":   m{"type": "string"},
		},
		"patternProperties":    m{"^x-": to},
		"additionalProperties": m{"type": "object", "properties": m{"ref": to}},
	})
	data := m{
		"one": "user:1", "many": a{"plan:2", "plan:2"}, "pairs": a{int64(1), "role:3"}, "nested": m{"by": nil}, "twice": "user:4",
		"free": "user:5", "x-a": "user:6", "other": m{"ref": "document:7"},
	}
	if err := c.validate(data); err != nil {
		t.Fatal(err)
	}
	ls, err := c.links(data)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range ls {
		got[l.path] = l.to.String()
	}
	want := map[string]string{
		"/one": "user:1", "/many/0": "plan:2", "/many/1": "plan:2", "/pairs/1": "role:3", "/twice": "user:4", "/x-a": "user:6",
		"/other/ref": "document:7",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("links = %v; want %v", got, want)
	}

	for name, bad := range map[string]m{
		"no global id":   {"one": "somebody"},
		"operator in id": {"one": "user:$ne"},
		"not a text":     {"other": m{"ref": m{}}},
		"too many":       {"many": many(MaxReferences+1, "user:1")},
	} {
		if _, err := c.links(bad); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			wantFault(t, err, ErrInvalid)
		}
	}
	two := mustCompile(t, object(m{"a": m{"allOf": a{reference(Keep, "*"), reference(Restrict, "*")}}}))
	_, err = two.links(m{"a": "user:1"})
	wantFault(t, err, ErrInvalid)
}

func many(n int, v any) a {
	out := make(a, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func TestDifference(t *testing.T) {
	t.Parallel()
	row := func(id, path, to string) Reference {
		return Reference{ID: id, Path: path, To: reftest(to), OnDelete: Keep}
	}
	old := []Reference{row("1", "/a", "user:1"), row("2", "/b", "user:2"), row("3", "/c", "user:3")}
	next := []Reference{row("4", "/a", "user:1"), row("5", "/b", "user:9"), row("6", "/d", "user:3")}
	gone, added := difference(old, next)
	if !reflect.DeepEqual(gone, []string{"2", "3"}) || !reflect.DeepEqual(added, next[1:]) {
		t.Errorf("difference = %v, %v", gone, added)
	}
	stricter := []Reference{{ID: "7", Path: "/a", To: reftest("user:1"), OnDelete: Restrict}}
	if gone, added := difference(old[:1], stricter); len(gone) != 1 || len(added) != 1 {
		t.Errorf("another rule is another row: %v, %v", gone, added)
	}
}

// The compiler of schemas meets anything a client sends: it answers or refuses, and never panics or hangs.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`{"type":"object","properties":{"a":{"type":"string","reference":{"to":["*"]}}}}`,
		`{"type":"object","$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#"}]}}}`,
		`{"type":"object","$id":"x","$anchor":"y","$dynamicRef":"#y"}`, `{"type":"object","minimum":1e308,"enum":[[]],"not":false}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var schema m
		if jsonUnmarshal(b, &schema) != nil {
			return
		}
		c, err := compiledOf(t, schema)
		if err != nil {
			wantFault(t, err, ErrSchema)
			return
		}
		if err := c.validate(m{"a": "user:1", "b": m{"a": a{nil, int64(1)}}}); err == nil {
			_, _ = c.links(m{"a": "user:1", "b": m{"a": a{nil, int64(1)}}})
		}
	})
}
