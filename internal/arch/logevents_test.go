package arch

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const catalogue = "docs/operations/log-events.md"

// logged is what the code logs under one name.
type logged struct {
	level  string   // "varies" where the code computes it
	fields []string // sorted, without those that every line may have
	at     string   // where it was found first
}

// everywhere are the fields that the handler of the process adds to each line.
var everywhere = []string{"request_id", "trace_id", "operation", "actor"}

// logCalls are the methods of slog.Logger that write a line: the place of the message among the arguments, and the level.
var logCalls = map[string]struct {
	message int
	level   string
}{
	"Debug": {0, "DEBUG"}, "Info": {0, "INFO"}, "Warn": {0, "WARN"}, "Error": {0, "ERROR"},
	"DebugContext": {1, "DEBUG"}, "InfoContext": {1, "INFO"}, "WarnContext": {1, "WARN"}, "ErrorContext": {1, "ERROR"},
	"Log": {2, ""}, "LogAttrs": {2, ""},
}

var eventName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// TestLogEvents holds the catalogue and the code to one another: names, levels and fields.
func TestLogEvents(t *testing.T) {
	t.Parallel()
	said := logEvents(t, filepath.Join("..", ".."))
	if len(said) < 50 {
		t.Fatalf("only %d events were found: the test looks at the wrong folder", len(said))
	}
	described := readCatalogue(t)
	for _, name := range slices.Sorted(maps.Keys(said)) {
		is, there := said[name], described[name]
		switch {
		case there == nil:
			t.Errorf("%s logs %s, which %s lacks: | `%s` | %s | `%s` | … | … |", is.at, name, catalogue, name, is.level, strings.Join(is.fields, "` `"))
		case there.level != is.level || !slices.Equal(there.fields, is.fields):
			t.Errorf("%s: %s is %s with %v, and %s says %s with %v", is.at, name, is.level, is.fields, catalogue, there.level, there.fields)
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("%s describes %s, which no code logs", catalogue, name)
	}
}

// row of the catalogue: name, level, fields, meaning, what to do.
var catalogueRow = regexp.MustCompile("^\\| `([^`]+)` \\| ([^|]+) \\| ([^|]* )?\\| ([^|]+) \\| ([^|]+) \\|$")

var quoted = regexp.MustCompile("`([^`]+)`")

func readCatalogue(t *testing.T) map[string]*logged {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", catalogue))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*logged{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		m := catalogueRow.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil || all[m[1]] != nil {
			t.Errorf("%s: not a row of five cells, or an event that is described twice: %s", catalogue, line)
			continue
		}
		row := &logged{level: m[2]}
		for _, f := range quoted.FindAllStringSubmatch(m[3], -1) {
			row.fields = append(row.fields, f[1])
		}
		slices.Sort(row.fields)
		all[m[1]] = row
	}
	return all
}

// logEvents reads what the program logs: every call of a logger in code that is no test. What it cannot read is a failure, so that nothing
// is logged unseen: a message must be a literal, and each key too.
func logEvents(t *testing.T, root string) map[string]*logged {
	t.Helper()
	found := map[string]*logged{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if slices.Contains(helpers, rel) || rel == "internal/bench" {
				return filepath.SkipDir
			}
			return skip(root, name, d.Name())
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		return readLogCalls(t, found, name, rel, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// readLogCalls adds the events of one file; src is its text where it is no file.
func readLogCalls(t testing.TB, found map[string]*logged, name, rel string, src any) error {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range f.Decls {
		ast.Inspect(decl, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			on, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			how, ok := logCalls[on.Sel.Name]
			if !ok || len(call.Args) <= how.message || how.message != 1 && on.Sel.Name != "LogAttrs" && !isLogger(on.X) {
				return true // such as err.Error()
			}
			at := rel + ":" + strconv.Itoa(set.Position(call.Pos()).Line)
			note(t, found, at, cmp.Or(how.level, levelOf(call.Args[how.message-min(how.message, 1)])), text(call.Args[how.message]), keysOf(t, at, decl, on, call, call.Args[how.message+1:]))
			return true
		})
	}
	return nil
}

// levelOf is the level that a call names, or "" where the code computes it.
func levelOf(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if level, found := strings.CutPrefix(s.Sel.Name, "Level"); found {
			return strings.ToUpper(level)
		}
	}
	return ""
}

// isLogger tells by its name whether the value before a method that others have too is a logger.
func isLogger(x ast.Expr) bool {
	name := ""
	switch x := x.(type) {
	case *ast.Ident:
		name = x.Name
	case *ast.SelectorExpr:
		name = x.Sel.Name
	}
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "log") || strings.HasSuffix(name, "logger") || name == "calm"
}

// note adds a call to its event, which must be the same wherever it is logged.
func note(t testing.TB, found map[string]*logged, at, level, name string, fields []string) {
	t.Helper()
	if !eventName.MatchString(name) {
		t.Errorf("%s: the message of a log line is a literal in snake_case, the name of its event", at)
		return
	}
	fields = slices.DeleteFunc(fields, func(f string) bool { return slices.Contains(everywhere, f) })
	slices.Sort(fields)
	is := logged{cmp.Or(level, "varies"), slices.Compact(fields), at}
	before := found[name]
	if before == nil {
		found[name] = &is
		return
	}
	if before.level != is.level || !slices.Equal(before.fields, is.fields) {
		t.Errorf("%s: %s is %s with %v, and at %s it is %s with %v", at, name, is.level, is.fields, before.at, before.level, before.fields)
	}
}

// keysOf gives the keys of a line. Attributes that come as a list are all that the function around the call makes, and a logger
// that is a variable has the keys of the With in that function.
func keysOf(t testing.TB, at string, around ast.Node, on *ast.SelectorExpr, call *ast.CallExpr, args []ast.Expr) (keys []string) {
	t.Helper()
	with := ast.Node(on.X)
	if _, local := on.X.(*ast.Ident); local {
		with = around
	}
	keys = made(with, func(s *ast.SelectorExpr) bool { return s.Sel.Name == "With" }, 2)
	if call.Ellipsis.IsValid() {
		list := made(around, func(s *ast.SelectorExpr) bool { x, ok := s.X.(*ast.Ident); return ok && x.Name == "slog" }, 0)
		if len(list) == 0 {
			t.Errorf("%s: the attributes of a log line are made where it is written", at)
		}
		return append(keys, list...)
	}
	for i := 0; i < len(args); i += 2 {
		key := text(args[i])
		if !eventName.MatchString(key) {
			t.Errorf("%s: the key of a field is a literal in snake_case", at)
		}
		keys = append(keys, key)
	}
	return keys
}

// made gives the literals that the calls in a node are made with: each first argument, or with a step every argument at one.
func made(in ast.Node, is func(*ast.SelectorExpr) bool, step int) (keys []string) {
	ast.Inspect(in, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		if on, ok := call.Fun.(*ast.SelectorExpr); !ok || !is(on) {
			return true
		}
		for i := 0; i < len(call.Args); i += step {
			if key := text(call.Args[i]); key != "" {
				keys = append(keys, key)
			}
			if step == 0 {
				break
			}
		}
		return true
	})
	return keys
}

// text is the value of a literal string, or "".
func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		panic(err)
	}
	return s
}

// TestReadLogCalls proves that the walk sees what is logged, however it is written.
func TestReadLogCalls(t *testing.T) {
	t.Parallel()
	found := map[string]*logged{}
	err := readLogCalls(t, found, "x.go", "x.go", `package x
func f() {
	log := s.log.With("a", 1)
	log.WarnContext(ctx, "one_thing", "b", 2)
	s.cfg.Log.Info("two_things")
	attrs := []slog.Attr{slog.String("c", d), slog.Int("actor", 1)}
	s.log.LogAttrs(ctx, slog.LevelError, "three_things", attrs...)
	s.log.LogAttrs(ctx, level, "four_things", attrs...)
	http.Error(w, "no event", 500)
	_ = err.Error()
}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]logged{
		"one_thing": {"WARN", []string{"a", "b"}, "x.go:4"}, "two_things": {"INFO", nil, "x.go:5"},
		"three_things": {"ERROR", []string{"c"}, "x.go:7"}, "four_things": {"varies", []string{"c"}, "x.go:8"},
	} {
		got := found[name]
		if got == nil || got.level != want.level || !slices.Equal(got.fields, want.fields) || got.at != want.at {
			t.Errorf("%s: %+v, not %+v", name, got, want)
		}
	}
	if len(found) != 4 {
		t.Errorf("%d events", len(found))
	}
	for name, line := range map[string]string{
		"a message that is made": `log.WarnContext(ctx, "one_"+x)`, "a message of words": `log.WarnContext(ctx, "claim a job")`,
		"a key that is made": `log.WarnContext(ctx, "one_thing", key, 1)`, "attributes from elsewhere": `log.LogAttrs(ctx, level, "four_things", attrs...)`,
		"the same name with other fields": `log.WarnContext(ctx, "two_things")`,
	} {
		var refused refusals
		if err := readLogCalls(&refused, maps.Clone(found), "y.go", "y.go", "package y\nfunc f() { "+line+" }"); err != nil || refused.n == 0 {
			t.Errorf("%s passes: %v", name, err)
		}
	}
}

// refusals counts the failures of a test that is meant to fail.
type refusals struct {
	testing.TB
	n int
}

// Helper implements [testing.TB].
func (r *refusals) Helper() {}

// Errorf implements [testing.TB].
func (r *refusals) Errorf(string, ...any) { r.n++ }
