package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/backendbook/backendbook"

// The libraries that only some packages may know.
const (
	driver    = "go.mongodb.org/mongo-driver"
	gqlgen    = "github.com/99designs/gqlgen"
	gqlparser = "github.com/vektah/gqlparser"
	kong      = "github.com/alecthomas/kong"
	otel      = "go.opentelemetry.io"
)

// row says what the packages of one place may import. Paths are below the module.
type row struct {
	below    bool // the row also holds for what is below it
	tier     int
	uses     []int    // tiers it may import
	also     []string // single packages it may import besides
	never    []string // packages it may not import though their tier would allow it
	outside  []string // of the restricted libraries above, those it may use
	onlyHere string   // pattern of the file names that may use them; empty for any
}

var all = []int{0, 1, 2, 3, 4, 5, 6}

// rows is the table. A package that is in no row fails the test: decide where it belongs before it grows.
var rows = map[string]row{
	"internal/fault":    {tier: 0, uses: []int{0}},
	"internal/ref":      {tier: 0, uses: []int{0}},
	"internal/clock":    {tier: 0, uses: []int{0}},
	"internal/page":     {tier: 0, uses: []int{0}},
	"internal/actor":    {tier: 0, uses: []int{0}},
	"internal/label":    {tier: 0, uses: []int{0}},
	"internal/token":    {tier: 0},
	"internal/keyring":  {tier: 0},
	"internal/outbound": {tier: 0, uses: []int{0}},
	"internal/health":   {tier: 0, uses: []int{0}},
	"internal/trace":    {tier: 0, outside: []string{otel}},
	"internal/place":    {tier: 0, uses: []int{0}},

	"internal/predicate": {tier: 0},
	"internal/invoice":   {tier: 0},
	"internal/diagram":   {tier: 0},
	"internal/ijson":     {tier: 0},
	"internal/table":     {tier: 0, uses: []int{0}},
	"internal/cron":      {tier: 0},
	"internal/chart":     {tier: 0},

	"web":          {tier: 0},
	"client/track": {tier: 0}, // what other programs send events with: nothing but the standard library
	"schema":       {tier: 0, outside: []string{gqlparser}},

	"internal/store":           {tier: 1, uses: []int{0}, outside: []string{driver}},
	"internal/store/mongod":    {tier: 1, uses: []int{0}, outside: []string{driver}},
	"internal/store/storetest": {tier: 1, uses: []int{0, 1}, outside: []string{driver}},

	"internal/event":          {tier: 2, uses: []int{0, 1}, outside: []string{driver}},
	"internal/mail":           {tier: 2, uses: []int{0, 1}, outside: []string{driver}, onlyHere: "store*.go"},
	"internal/ticket":         {tier: 2, uses: []int{0, 1}, outside: []string{driver}, onlyHere: "store*.go"},
	"internal/payment":        {tier: 2, uses: []int{0, 1}, outside: []string{driver}, onlyHere: "store*.go"},
	"internal/payment/stripe": {tier: 2, uses: []int{0}, also: []string{"internal/payment"}},
	"internal/job":            {tier: 2, uses: []int{0, 1}, outside: []string{driver}, onlyHere: "store*.go"},
	"internal/blob":           {tier: 2, uses: []int{0, 1}, outside: []string{driver}},

	"internal/account":     domain,
	"internal/session":     domain,
	"internal/rbac":        domain,
	"internal/plan":        domain,
	"internal/registry":    domain,
	"internal/analytics":   domain,
	"internal/live":        domain,
	"internal/factor":      domain,
	"internal/social":      domain,
	"internal/throttle":    domain,
	"internal/bag":         domain,
	"internal/topic":       domain,
	"internal/idempotency": domain,
	"internal/presence":    domain,

	"internal/webauth":    {tier: 4, uses: []int{0, 1, 2, 3}},
	"internal/demo":       {tier: 4, uses: []int{0, 1, 2, 3}},
	"internal/export":     {tier: 4, uses: []int{0, 1, 2, 3}},
	"internal/attachment": {tier: 4, uses: []int{0, 1, 2, 3}, outside: []string{driver}, onlyHere: "store*.go"},
	"internal/backup":     {tier: 4, uses: []int{0, 1, 2}, outside: []string{driver}, onlyHere: "store*.go"},
	"internal/reporting":  {tier: 4, uses: []int{0, 1, 2, 3}, outside: []string{driver}, onlyHere: "store*.go"},

	"graph":              {tier: 5, uses: []int{0, 3, 4}, also: []string{"graph/exec", "graph/generated", "graph/model", "graph/scalar", "graph/loader", "internal/payment", "internal/job"}, outside: []string{gqlgen, gqlparser}},
	"graph/exec":         {tier: 5, outside: []string{gqlgen, gqlparser}},
	"graph/exec/rewrite": {tier: 5},
	"graph/generated":    {tier: 5, uses: []int{0, 3, 4}, also: []string{"graph/exec", "graph/model", "graph/scalar", "internal/payment", "internal/job"}, outside: []string{gqlgen, gqlparser}},
	"graph/model":        {tier: 5, uses: []int{0, 3, 4}, also: []string{"graph/scalar", "internal/payment", "internal/job"}, outside: []string{gqlgen}},
	"graph/scalar":       {tier: 5, uses: []int{0}, outside: []string{gqlgen}},
	"graph/loader":       {tier: 5, uses: []int{0, 3, 4}},
	"internal/httpapi":   {tier: 5, uses: []int{0, 3, 4}},
	"internal/cli":       {tier: 5, uses: []int{0, 3, 4}, also: []string{"internal/job"}, outside: []string{kong}},

	"internal/config":      {tier: 6, uses: []int{0, 1, 2, 3, 4, 5}, never: []string{"internal/cli"}, outside: []string{kong}},
	"internal/app":         {tier: 6, uses: all},
	"internal/app/apptest": {tier: 6, uses: all},
	"internal/arch":        {tier: 6},
	"internal/chaos":       {tier: 6, also: []string{"internal/app"}},
	"internal/bench":       {tier: 6, below: true, uses: all, outside: []string{driver, gqlgen, gqlparser}}, // the product and what it is measured against
	"":                     {tier: 6, also: []string{"internal/app"}},
}

// domain is the row of a business package: domains never import one another, and speak BSON in store*.go alone.
var domain = row{tier: 3, uses: []int{0, 1, 2}, outside: []string{driver}, onlyHere: "store*.go"}

// restricted are the libraries a row must name in outside.
var restricted = []string{driver, gqlgen, gqlparser, kong, otel}

// helpers are packages of tests that are no test files.
var helpers = []string{"internal/store/storetest", "internal/app/apptest"}

// standard are the parts of the standard library that would let a package break a rule unseen.
var standard = map[string][]string{
	"net/http":       {"internal/blob", "internal/httpapi", "internal/app", "internal/app/apptest", "graph", "internal/outbound", "internal/social", "internal/payment", "internal/payment/stripe", "client/track"}, // HTTP is an interface, not business; blob and the last five call others
	"net/http/pprof": {"internal/httpapi"},
	"flag":           nil,
	"log":            nil,
	"plugin":         nil,
	"unsafe":         nil,
}

func TestImports(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	files := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(root, name, d.Name())
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		if rel = filepath.ToSlash(rel); rel == "." {
			rel = ""
		}
		files++
		seen[rel] = true
		for _, problem := range check(t, rel, name) {
			t.Errorf("%s: %s", filepath.ToSlash(name), problem)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 || !seen["internal/fault"] {
		t.Fatalf("only %d files were read: the test looks at the wrong folder", files)
	}
}

// skip leaves out what holds no code of ours.
func skip(root, name, base string) error {
	if name != root && (strings.HasPrefix(base, ".") || base == "node_modules" || base == "testdata" || base == "bin" || base == "dist") {
		return filepath.SkipDir
	}
	if name != root {
		if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil { // a module of its own
			return filepath.SkipDir
		}
	}
	return nil
}

// check reads the imports of one file and names what it must not import.
func check(t *testing.T, pkg, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Errorf("%v", err)
		return nil
	}
	r, known := rowOf(pkg)
	if !known {
		return []string{"package " + pkg + " has no row in internal/arch: decide which tier it belongs to"}
	}
	var problems []string
	for _, spec := range f.Imports {
		if p := r.refuses(pkg, filepath.Base(file), importPath(spec)); p != "" {
			problems = append(problems, p)
		}
	}
	return problems
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err)
	}
	return p
}

// refuses says why the file of that package may not import the path, or "".
func (r row) refuses(pkg, file, imported string) string {
	test := strings.HasSuffix(file, "_test.go")
	if only, limited := standard[imported]; limited && !test && !r.below {
		if !slices.Contains(only, pkg) {
			return imported + " is not for this package"
		}
		return ""
	}
	for _, lib := range restricted {
		if imported != lib && !strings.HasPrefix(imported, lib+"/") {
			continue
		}
		switch {
		case test: // tests look into the database, and read the schema
		case !slices.Contains(r.outside, lib):
			return lib + " is not for this package"
		case r.onlyHere != "":
			if ok, _ := path.Match(r.onlyHere, file); !ok {
				return lib + " is only for files named " + r.onlyHere
			}
		}
		return ""
	}
	inner, ours := strings.CutPrefix(imported, module+"/")
	if !ours {
		return ""
	}
	target, known := rowOf(inner)
	switch {
	case !known:
		return inner + " has no row in internal/arch"
	case inner == pkg, slices.Contains(r.also, inner):
		return ""
	case slices.Contains(helpers, inner):
		if test || slices.Contains(helpers, pkg) {
			return ""
		}
		return inner + " is for tests"
	case slices.Contains(r.never, inner):
		return inner + " is excluded for this package"
	case inner == "internal/store/mongod" && r.tier < 6 && !slices.Contains(helpers, pkg):
		return "only app starts a server"
	case !slices.Contains(r.uses, target.tier) && !test:
		return "tier " + strconv.Itoa(r.tier) + " may not import " + inner + ", which is tier " + strconv.Itoa(target.tier)
	case test && target.tier >= r.tier && target.tier > 2 && inner != pkg && !slices.Contains(r.uses, target.tier):
		return "a test of tier " + strconv.Itoa(r.tier) + " may not import " + inner + " either"
	}
	return ""
}

// rowOf finds the row of a package.
func rowOf(pkg string) (row, bool) {
	if r, known := rows[pkg]; known {
		return r, true
	}
	for at := path.Dir(pkg); at != "."; at = path.Dir(at) {
		if r, known := rows[at]; known && r.below {
			return r, true
		}
	}
	return row{}, false
}

// TestRefuses proves that the rules bite.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, pkg, file, imported string
		refused                   bool
	}{
		{"a leaf is free for all", "internal/plan", "service.go", module + "/internal/fault", false},
		{"a domain uses the store", "internal/plan", "service.go", module + "/internal/store", false},
		{"a domain never asks another", "internal/plan", "service.go", module + "/internal/rbac", true},
		{"nor in its tests", "internal/plan", "service_test.go", module + "/internal/rbac", true},
		{"a leaf knows no store", "internal/fault", "fault.go", module + "/internal/store", true},
		{"BSON in the store file", "internal/plan", "store.go", driver + "/v2/bson", false},
		{"and in its parts", "internal/plan", "store_members.go", driver + "/v2/bson", false},
		{"no BSON in business", "internal/plan", "service.go", driver + "/v2/bson", true},
		{"tests may look", "internal/plan", "service_test.go", driver + "/v2/bson", false},
		{"GraphQL knows no driver", "graph", "errors.go", driver + "/v2/mongo", true},
		{"GraphQL knows no store", "graph", "errors.go", module + "/internal/store", true},
		{"gqlgen in graph", "graph", "handler.go", gqlgen + "/graphql", false},
		{"spans are made in one package", "internal/httpapi", "server.go", otel + "/otel/trace", true},
		{"gqlgen nowhere else", "internal/httpapi", "server.go", gqlgen + "/graphql", true},
		{"interfaces don't know each other", "internal/httpapi", "server.go", module + "/graph", true},
		{"flows may use several domains", "internal/webauth", "service.go", module + "/internal/session", false},
		{"but not one another", "internal/webauth", "service.go", module + "/internal/demo", true},
		{"nor the other way", "internal/demo", "demo.go", module + "/internal/webauth", true},
		{"business speaks no HTTP", "internal/account", "service.go", "net/http", true},
		{"nobody is above app", "internal/cli", "serve.go", module + "/internal/app", true},
		{"app knows everybody", "internal/app", "app.go", module + "/graph", false},
		{"main knows app alone", "", "server.go", module + "/internal/config", true},
		{"a test helper stays out of the product", "internal/app", "app.go", module + "/internal/store/storetest", true},
		{"a test helper stays out of domains", "internal/plan", "service.go", module + "/internal/store/storetest", true},
		{"a package nobody placed", "internal/plan", "service.go", module + "/internal/newborn", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if why := rows[tc.pkg].refuses(tc.pkg, tc.file, tc.imported); (why != "") != tc.refused {
				t.Errorf("%s/%s importing %s: refused = %q, want refused = %t", tc.pkg, tc.file, tc.imported, why, tc.refused)
			}
		})
	}
}

// TestRowsAreSane: a tier only looks down.
func TestRowsAreSane(t *testing.T) {
	t.Parallel()
	for _, pkg := range slices.Sorted(maps.Keys(rows)) {
		r := rows[pkg]
		for _, used := range r.uses {
			if used > r.tier || used == r.tier && r.tier > 0 && !slices.Contains([]string{"internal/store/storetest", "internal/app", "internal/app/apptest", "internal/bench"}, pkg) {
				t.Errorf("%q of tier %d uses tier %d", pkg, r.tier, used)
			}
		}
	}
}
