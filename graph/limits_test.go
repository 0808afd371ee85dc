package graph

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/internal/fault"
)

// plainServer only prepares documents.
func plainServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	return newServer(&Resolver{}, holder{}, proven{}, loader.Sources{}, cfg, slog.New(slog.DiscardHandler), Hooks{})
}

// chain is a document of n fragments, each spreading the next as often as doubled.
func chain(n, doubled int) string {
	var b strings.Builder
	b.WriteString("{ ...F0 }")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Query {%s }", i, strings.Repeat(fmt.Sprintf(" ...F%d", i+1), doubled))
	}
	fmt.Fprintf(&b, " fragment F%d on Query { __typename }", n)
	return b.String()
}

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, strings.ReplaceAll(format, "%d", "%[1]d"), i)
	}
	return b.String()
}

func nested(n int) string {
	return "{ contentTypes " + strings.Repeat("{ x ", n-2) + "{ id }" + strings.Repeat(" }", n-2) + " }"
}

// Each limit refuses the first document beyond it and takes the last one within.
func TestLimits(t *testing.T) {
	t.Parallel()
	cfg := Config{}.withDefaults()
	for _, tc := range []struct {
		name    string
		within  string
		beyond  string
		refused *fault.Error
	}{
		{"depth", nested(15), nested(16), ErrTooDeep},
		{"depth through fragments", "{ a { ...F } } fragment F on X { b { c } }", "{ a { ...F } } fragment F on X " + nested(15), ErrTooDeep},
		{"depth in a fragment nobody spreads", "{ a } fragment F on X " + nested(15), "{ a } fragment F on X " + nested(16), ErrTooDeep},
		{"aliases", "{ x {" + repeat(30, " a%d: a") + " } }", "{ x {" + repeat(31, " a%d: a") + " } }", ErrTooComplex},
		{"aliases through fragments", "{ ...F x { ...F } } fragment F on X {" + repeat(15, " a%d: a") + " }", "{ ...F x { ...F } } fragment F on X {" + repeat(16, " a%d: a") + " }", ErrTooComplex},
		{"root fields", "{" + repeat(20, " a%d") + " }", "{" + repeat(21, " a%d") + " }", ErrTooComplex},
		{"root fields through fragments", "{ ...F ... { ...F } } fragment F on Query {" + repeat(10, " a%d") + " }", "{ ...F ... { ...F } } fragment F on Query {" + repeat(11, " a%d") + " }", ErrTooComplex},
		{"directives", "{ a" + strings.Repeat(" @x", 50) + " }", "{ a" + strings.Repeat(" @x", 51) + " }", ErrTooComplex},
		{"directives here and there", "query ($v: Int @x) @x { a ... @x { a } ...F @x" + strings.Repeat(" @x", 45) + " } fragment F on X @x { a }", "query ($v: Int @x) @x { a ... @x { a } ...F @x" + strings.Repeat(" @x", 46) + " } fragment F on X @x { a }", ErrTooComplex},
		{"repeats", "{ x {" + strings.Repeat(" a", 20) + " } }", "{ x {" + strings.Repeat(" a", 21) + " } }", ErrTooComplex},
		{"repeats through inline fragments", "{ x {" + strings.Repeat(" ... { a }", 20) + " } }", "{ x {" + strings.Repeat(" ... { a }", 21) + " } }", ErrTooComplex},
		{"fragments that double", chain(4, 2), chain(24, 2), ErrTooComplex},
		{"fragments that go on", chain(100, 1), chain(250, 1), ErrTooComplex},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for text, want := range map[string]*fault.Error{tc.within: nil, tc.beyond: tc.refused} {
				_, err := cfg.measure(parsed(t, text))
				if want == nil && err != nil || want != nil && !errors.Is(err, want) {
					t.Errorf("%.200s: %v, want %v", text, err, want)
				}
			}
		})
	}
}

func parsed(t testing.TB, text string) *ast.QueryDocument {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return doc
}

// Fragments that contain themselves, are defined twice or not at all are for validation to refuse, and cost nothing here.
func TestMeasureSurvivesNonsense(t *testing.T) {
	t.Parallel()
	cfg := Config{}.withDefaults()
	for _, text := range []string{
		"{ ...A } fragment A on Query { ...B a { ...A } } fragment B on Query { ...A }",
		"{ ...Gone }",
		"{ ...A } fragment A on Query { a } fragment A on Query { b { ...A } }",
	} {
		if _, err := cfg.measure(parsed(t, text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The second fragment of a name counts too: the validator walks it before it refuses it.
func TestMeasureCountsFragmentsOfOneName(t *testing.T) {
	t.Parallel()
	text := "{ a } fragment A on Query { a } fragment A on Query " + nested(16)
	if _, err := (Config{}.withDefaults()).measure(parsed(t, text)); !errors.Is(err, ErrTooDeep) {
		t.Errorf("err = %v", err)
	}
}

func TestDocumentSize(t *testing.T) {
	t.Parallel()
	s := plainServer(t, Config{})
	for name, text := range map[string]string{
		"bytes":                        "{ __typename } #" + strings.Repeat("x", 64<<10),
		"tokens":                       "{" + strings.Repeat(" a", 5000) + " }",
		"levels of the parser":         strings.Repeat("{ a ", 1100),
		"levels of a literal":          "{ a(x: " + strings.Repeat("[", 1100),
		"levels of a type of variable": "query ($a: " + strings.Repeat("[", 1100),
	} {
		if _, errs := s.document(t.Context(), text); !errors.Is(errs, ErrTooLarge) {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

// The introspection of graphql-js, as GraphiQL sends it, passes the limits as they are by default.
func TestIntrospectionPasses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := plainServer(t, Config{Introspection: true}).document(t.Context(), string(text)); len(errs) > 0 {
		t.Errorf("%v", errs)
	}
	for _, hidden := range []string{
		string(text),
		`{ __type(name: "User") { name } }`,
		`{ x: __schema { types { name } } }`,
		`{ ...F } fragment F on Query { ... { __type(name: "User") { name } } }`,
		`{ __typename } fragment F on Query { __schema { types { name } } }`, // not even validated
	} {
		if _, errs := plainServer(t, Config{}).document(t.Context(), hidden); !errors.Is(errs, ErrIntrospection) {
			t.Errorf("%.60s: %v", hidden, errs)
		}
	}
	if _, errs := plainServer(t, Config{}).document(t.Context(), `{ __typename plans { __typename } }`); len(errs) > 0 {
		t.Errorf("__typename is not introspection: %v", errs)
	}
}

// A limit tells its code and nothing of its number, the schema or the document.
func TestLimitsTellNothing(t *testing.T) {
	t.Parallel()
	s := plainServer(t, Config{})
	for _, text := range []string{nested(16), chain(24, 2), "{" + strings.Repeat(" a", 5000) + " }"} {
		_, errs := s.Prepare(t.Context(), rawParams(text, nil))
		if len(errs) != 1 || len(errs[0].Locations) > 0 || strings.ContainsAny(errs[0].Message, "0123456789") {
			t.Errorf("%.40s: %+v", text, errs)
		}
	}
}

func codesOf(errs gqlerror.List) []string {
	codes := make([]string, len(errs))
	for i, e := range errs {
		codes[i], _ = e.Extensions["code"].(string)
	}
	return codes
}
