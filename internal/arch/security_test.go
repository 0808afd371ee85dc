package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest    = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	declaredTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(\w+ \*testing\.[TF]\)`)
)

// TestThreatsHaveTests: every test that docs/security.md names exists, and every flaw it lists names one.
func TestThreatsHaveTests(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := declaredTests(t, "../..")
	_, flaws, _ := strings.Cut(string(doc), "## What went wrong elsewhere")
	rows := 0
	for line := range strings.Lines(flaws) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| **") || strings.HasPrefix(line, "| what went wrong") {
			continue
		}
		rows++
		if !namedTest.MatchString(line) {
			t.Errorf("no test for: %s", line)
		}
	}
	if rows < 40 {
		t.Errorf("only %d flaws were found in the document", rows)
	}
	for _, name := range namedTest.FindAllStringSubmatch(string(doc), -1) {
		if !declared[name[1]] {
			t.Errorf("%s does not exist", name[1])
		}
	}
}

// declaredTests are the names of all tests and fuzz targets below root.
func declaredTests(t *testing.T, root string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != root):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, name := range declaredTest.FindAllSubmatch(text, -1) {
			all[string(name[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
