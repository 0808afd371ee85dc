package schema

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
)

// What is printed says all that the files say: read again it is the same schema.
func TestPrint(t *testing.T) {
	t.Parallel()
	text, err := Print()
	if err != nil {
		t.Fatal(err)
	}
	again, err := gqlparser.LoadSchema(&ast.Source{Name: "printed", Input: text})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	formatter.NewFormatter(&b, formatter.WithIndent("  ")).FormatSchema(again)
	if b.String() != text {
		t.Error("the schema changes when it is printed twice")
	}
	if strings.Contains(text, "extend ") {
		t.Error("there are extensions in it")
	}
	files, err := Parse()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files.Types {
		checkSame(t, want, again.Types[name])
	}
}

// checkSame compares what the printer could lose: descriptions, defaults, types, directives.
func checkSame(t *testing.T, want, got *ast.Definition) {
	t.Helper()
	if got == nil || got.Description != want.Description || len(got.Fields) != len(want.Fields) || len(got.Directives) != len(want.Directives) {
		t.Errorf("%s was printed as something else", want.Name)
		return
	}
	for i, f := range want.Fields {
		g := got.Fields[i]
		same := g.Name == f.Name && g.Description == f.Description && g.Type.String() == f.Type.String() && len(g.Directives) == len(f.Directives) &&
			len(g.Arguments) == len(f.Arguments) && (g.DefaultValue == nil) == (f.DefaultValue == nil) && (f.DefaultValue == nil || g.DefaultValue.String() == f.DefaultValue.String())
		if !same {
			t.Errorf("%s.%s was printed as something else: %q", want.Name, f.Name, g.Description)
		}
	}
}

func TestPossibleTypes(t *testing.T) {
	t.Parallel()
	all, err := PossibleTypes()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(all["ChangeResult"], " "); got != "CheckoutRequired MembershipChanged" {
		t.Errorf("ChangeResult may be %s", got)
	}
	if got := " " + strings.Join(all["Node"], " ") + " "; !strings.Contains(got, " Document ") || !strings.Contains(got, " User ") {
		t.Errorf("Node may be %s", got)
	}
	if _, ok := all["User"]; ok {
		t.Error("an object type is listed")
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	const good = "query Me { me { user { id } } }\n"
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  string // of the error
	}{
		{"good", map[string]string{"a/me.graphql": good, "b/README.md": "not one"}, ""},
		{"the same twice", map[string]string{"a.graphql": good, "b.graphql": good}, ""},
		{"no file", map[string]string{"b/README.md": "not one"}, "there is no *.graphql"},
		{"no such field", map[string]string{"a.graphql": good, "b.graphql": "{ nothing }"}, "b.graphql: "},
		{"not GraphQL", map[string]string{"a.graphql": "{"}, "a.graphql: "},
		{"only a fragment", map[string]string{"a.graphql": "fragment F on User { id }"}, "a.graphql: "},
		{"empty", map[string]string{"a.graphql": ""}, "a.graphql: it holds no operation"},
	} {
		folder := fstest.MapFS{}
		for name, text := range tc.files {
			folder[name] = &fstest.MapFile{Data: []byte(text)}
		}
		got, err := Manifest(folder)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		// The id is what `sha256sum` says of the file.
		if tc.want == "" && (len(got) != 1 || got["baf78c973fafda5943dcb645c8090e5977c40215fed5658824b73cc87c5b1f19"] != good) {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
}
