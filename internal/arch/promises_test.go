package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	promises = "docs/operations/promises.md"
	faults   = 54 // that are to be answered
)

var (
	promiseRow = regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`)
	testNamed  = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz|Benchmark)\\w+)`")
)

// TestPromises: each fault is answered once, what is called proven names tests, and every test named exists.
func TestPromises(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", promises))
	if err != nil {
		t.Fatal(err)
	}
	var answered []int
	for _, row := range promiseRow.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		answered = append(answered, n)
		named := testNamed.MatchString(row[5])
		switch row[3] {
		case "proven", "in part":
			if !named {
				t.Errorf("fault %d is %s, and names no test", n, row[3])
			}
		case "not proven", "not made":
		default:
			t.Errorf("fault %d is %q", n, row[3])
		}
	}
	slices.Sort(answered)
	for n := 1; n <= faults; n++ {
		if i, found := slices.BinarySearch(answered, n); !found || i+1 < len(answered) && answered[i+1] == n {
			t.Errorf("fault %d is not answered once", n)
		}
	}
	known := map[string]string{} // the tests of a package, as text
	for _, m := range testNamed.FindAllStringSubmatch(string(text), -1) {
		pkg, name := m[1], m[2]
		if _, read := known[pkg]; !read {
			known[pkg] = testsOf(t, pkg)
		}
		if !strings.Contains(known[pkg], "\nfunc "+name+"(") {
			t.Errorf("there is no test %s in %s, which %s names", name, pkg, promises)
		}
	}
}

func testsOf(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
