package graph

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

func rawParams(text string, vars map[string]any) *graphql.RawParams {
	return &graphql.RawParams{Query: text, Variables: vars}
}

// Budgets of a document of at most 64 KiB. The race detector makes everything about ten times slower.
const (
	cpuBudget    = 50 * time.Millisecond
	answerBudget = 64 << 10
)

// hostile are documents built to hurt a parser, a validator or a presenter.
func hostile() map[string]string {
	wide := func(n int, sel string) string { return "{" + strings.Repeat(" "+sel, n) + " }" }
	full := func(unit string) string { return strings.Repeat(unit, (64<<10-200)/len(unit)) }
	return map[string]string{
		"unknown fields":                      "{" + repeat(2400, " unknown%d") + " }",
		"unknown fields below":                "{ plans {" + repeat(2400, " unknown%d") + " } }",
		"long unknown fields":                 "{" + repeat(10, " "+strings.Repeat("u", 6000)+"%d") + " }",
		"unknown arguments":                   "{ plans(" + repeat(1600, " a%d: 1") + ") { id } }",
		"equal fields":                        wide(2400, "plans"),
		"equal fields below one another":      "{ contentTypes {" + strings.Repeat(" schema", 20) + " } }",
		"equal fields on three levels":        equalTree(10, 3),
		"equal fields within the limit":       equalTree(5, 4),
		"equal fields with equal arguments":   wide(19, `documents(type: "t") { nodes {`+strings.Repeat(" owner { id }", 19)+` } }`),
		"aliases":                             "{" + repeat(1200, " a%d: plans { id }") + " }",
		"directives":                          "{ plans" + strings.Repeat(" @skip(if: true)", 4000) + " { id } }",
		"unknown directives":                  "{ plans" + repeat(2400, " @x%d") + " { id } }",
		"unknown directives on the operation": "query" + repeat(2400, " @x%d") + " { plans { id } }",
		"fragments that double":               chain(24, 2),
		"fragments that double by fields":     doubling(12),
		"fragments of introspection":          introspectionTree(12),
		"fragments in a ring":                 ring(300),
		"fragments that contain themselves":   "{ ...A } fragment A on Query {" + strings.Repeat(" ...A", 2000) + " }",
		"fragments, each walked from each":    chain(540, 1),
		"fragments of one name":               "{ plans { ...A } }" + strings.Repeat(" fragment A on Plan { id ...A }", 400),
		"many operations on one fragment":     repeat(400, " query Q%d { ...A }") + " fragment A on Query {" + repeat(300, " u%d") + " }",
		"unused fragments":                    "{ plans { id } }" + repeat(600, " fragment F%d on Plan { id }"),
		"unknown fragments":                   "{" + repeat(1200, " ...F%d") + " }",
		"variables nobody uses":               "query (" + repeat(1200, " $v%d: Int") + ") { plans { id } }",
		"variables of unknown types":          "query (" + repeat(1200, " $v%d: T%d") + ") { plans { id } }",
		"unknown variables":                   "{ can(checks: [" + repeat(1200, " $v%d") + "]) { allowed } }",
		"variables used often":                "query (" + repeat(500, " $v%d: CheckInput!") + ") { can(checks: [" + repeat(500, " $v%d") + strings.Repeat(" $v499", 1000) + "]) { allowed } }",
		"a wide literal":                      "{ can(checks: [" + strings.Repeat(" {}", 1600) + "]) { allowed } }",
		"a wide literal of unknown fields":    "{ can(checks: [{" + repeat(1600, " a%d: 1") + "}]) { allowed } }",
		"a deep literal":                      `mutation { createDocument(input: {type: "t", data: ` + strings.Repeat("{a:", 900) + "1" + strings.Repeat("}", 900) + "}) { document { id } } }",
		"a deep list":                         "{ nodes(ids: " + strings.Repeat("[", 900) + strings.Repeat("]", 900) + ") { id } }",
		"levels":                              strings.Repeat("{ a ", 900) + strings.Repeat("}", 900),
		"inline fragments in one another":     "{" + strings.Repeat(" ... {", 900) + " plans { id } " + strings.Repeat("}", 900) + " }",
		"open braces":                         full("{"),
		"open brackets":                       "{ a(a: " + full("["),
		"a comment":                           "#" + full("x"),
		"many comments":                       full("#\n"),
		"comments between":                    "{" + full(" a #\n"),
		"commas":                              full(","),
		"a block text":                        `{ a(a: """` + full(" \n") + `""") }`,
		"a block text of quotes":              `{ a(a: """` + full(`\"""`) + `""") }`,
		"a text of escapes":                   `{ a(a: "` + full(`\u0041`) + `") }`,
		"a text without end":                  `{ a(a: "` + full(`x`),
		"a name":                              "{ " + full("a") + " }",
		"a number":                            "{ a(a: " + full("9") + ") }",
		"a description":                       `"` + full("x") + `" { a }`,
		"NUL":                                 full("\x00"),
		"byte order marks":                    full("\ufeff"),
		"enum values":                         "mutation {" + repeat(18, " signInAnonymously(input: {transport: X%d}) { result { __typename } }") + " }",
		"subscriptions of many fields":        "subscription {" + repeat(20, " live(channels: []) { seq }") + " }",
		"the empty text":                      "",
		"spaces":                              full(" "),
		"operations of one name":              strings.Repeat(" query A { plans { id } }", 700),
		"nothing but spreads":                 "{" + strings.Repeat(" ...A", 1600) + " } fragment A on Query { plans { id } }",
	}
}

// equalTree is n equal fields on each of some levels: the work of comparing each with each grows with the fourth power.
func equalTree(n, levels int) string {
	sel := "name"
	for range levels {
		sel = strings.Repeat(" ofType {"+sel+"}", n)
	}
	return `{ __type(name: "User") {` + sel + ` } }`
}

// doubling is fragments that spread the next under two fields: the answer would double with each.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString(`{ documents(type: "t") { nodes { ...F0 } } }`)
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Document { backlinks { nodes { from { ...F%d } } edges { node { from { ...F%d } } } } }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Document { id }", n)
	return b.String()
}

func introspectionTree(n int) string {
	var b strings.Builder
	b.WriteString(`{ __type(name: "User") { ...F0 } }`)
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on __Type { ofType { ...F%d } interfaces { ...F%d } possibleTypes { ...F%d } }", i, i+1, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on __Type { name }", n)
	return b.String()
}

func ring(n int) string {
	return "{ ...F0 }" + repeat(n, " fragment F%d on Query { ...N%d }") + repeat(n, " fragment N%d on Query { ...F0 }")
}

// cpu is the time this process has used.
func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Every hostile document is answered with an error or prepared within the budgets, with limits as they are by default:
// development shows more, and is held to the same.
func TestHostileDocuments(t *testing.T) { //nolint:paralleltest // it measures the CPU time of the process
	budget := cpuBudget
	if raceEnabled {
		budget *= 15
	}
	for _, cfg := range []Config{{}, {Development: true}} {
		s := plainServer(t, cfg)
		for name, text := range hostile() {
			if len(text) > 64<<10 {
				t.Fatalf("%s: %d bytes", name, len(text))
			}
			runtime.GC()
			before := cpu(t)
			_, errs := s.Prepare(t.Context(), rawParams(text, nil))
			if took := cpu(t) - before; took > budget {
				t.Errorf("%s (development %v): %v of CPU", name, cfg.Development, took)
			} else if os.Getenv("HOSTILE_TIMES") != "" {
				t.Logf("%-40s %8v %v", name, took, slices.Compact(codesOf(errs)))
			}
			sent, err := json.Marshal(errs)
			if err != nil || len(sent) > answerBudget || len(errs) > maxErrors {
				t.Errorf("%s: %d errors, %d bytes, %v", name, len(errs), len(sent), err)
			}
		}
	}
}

// Whatever text a client sends, it is answered: within the budgets, with coded errors, without a panic.
func FuzzPrepare(f *testing.F) {
	for _, text := range hostile() {
		if len(text) < 4<<10 {
			f.Add(text)
		}
	}
	f.Add(`query Q($id: ID! = "user:1", $in: [CheckInput!]) @skip(if: false) { node(id: $id) { ...F ... on User { name @include(if: true) } } can(checks: $in) { allowed } } fragment F on Node { id }`)
	f.Add("subscription { live(channels: [{key: \"a\", report: {metric: \"m\", last: 5}}]) { channel data { ... on Report { points { at } } } } }")
	s := plainServer(f, Config{Development: true})
	f.Fuzz(func(t *testing.T, text string) {
		op, errs := s.Prepare(t.Context(), rawParams(text, nil))
		if (op == nil) == (len(errs) == 0) {
			t.Fatalf("%v, %v", op, errs)
		}
		if len(errs) > maxErrors {
			t.Errorf("%d errors", len(errs))
		}
		for _, e := range errs {
			if e.Extensions["code"] == "" || e.Extensions["code"] == "INTERNAL" || !utf8.ValidString(e.Message) && utf8.ValidString(text) {
				t.Errorf("%+v", e)
			}
		}
	})
}
