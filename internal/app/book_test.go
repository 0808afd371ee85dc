package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// page is a chapter of the book.
type page struct {
	file string
	text string
}

func book(t *testing.T) (pages []page) {
	t.Helper()
	files, err := filepath.Glob("../../docs/book/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("there is no book: ", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page{file, string(b)})
	}
	return pages
}

var (
	// fenced is a block of code with its language.
	fenced = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// answered is a place in a variable that an earlier answer fills.
	answered = regexp.MustCompile(`\{\{([\w.]+)\}\}`)
)

// TestBookLinks: every link of the book leads to a file, and every anchor to a heading; every chapter has its parts.
func TestBookLinks(t *testing.T) {
	t.Parallel()
	for _, p := range book(t) {
		prose := fenced.ReplaceAllString(p.text, "")
		for _, l := range link.FindAllStringSubmatch(prose, -1) {
			path, anchor, _ := strings.Cut(l[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := p.file
			if path != "" {
				target = filepath.Join(filepath.Dir(p.file), path)
			}
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s leads to %s: %v", p.file, l[1], err)
			} else if anchor != "" && !info.IsDir() && !slices.Contains(anchors(t, target), anchor) {
				t.Errorf("%s leads to %s, which has no such heading", p.file, l[1])
			}
		}
		if filepath.Base(p.file) == "README.md" {
			continue
		}
		for _, part := range []string{"## The problem", "## How Django does it", "## How this code does it", "## The path through the code", "## Try it", "## Exercises"} {
			if !strings.Contains(p.text, "\n"+part+"\n") {
				t.Errorf("%s has no part %q", p.file, part)
			}
		}
	}
}

var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors are those of the headings of a Markdown file, as they are made of them.
func anchors(t *testing.T, file string) (all []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if title, is := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); is && strings.HasPrefix(line, "#") {
			all = append(all, strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-"))
		}
	}
	return all
}

// TestBookExamples runs every example of the book on the data of the demo, chapter by chapter.
func TestBookExamples(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--demo", "--demo-data-dir=../demo/testdata", "--demo-speed=1"}})
	for _, p := range book(t) {
		t.Run(filepath.Base(p.file), func(t *testing.T) { runPage(t, admin(t, s), p) })
	}
}

func runPage(t *testing.T, c *apptest.Client, p page) {
	t.Helper()
	blocks, answers, ran := fenced.FindAllStringSubmatch(p.text, -1), map[string]any{}, 0
	for i, b := range blocks {
		if b[1] != "graphql" {
			continue
		}
		var variables map[string]any
		if i+1 < len(blocks) && blocks[i+1][1] == "json" {
			filled := answered.ReplaceAllStringFunc(blocks[i+1][2], func(place string) string {
				return fmt.Sprint(at(t, answers, steps(place)...))
			})
			if err := json.Unmarshal([]byte(filled), &variables); err != nil {
				t.Fatalf("the variables %s: %v", filled, err)
			}
		}
		r := c.Do(b[2], variables)
		if r.Status != http.StatusOK || len(r.Errors) > 0 || len(r.Data) == 0 {
			t.Fatalf("%d %+v to %s%v", r.Status, r.Errors, b[2], variables)
		}
		for field, data := range r.Data {
			answers[field] = data
		}
		ran++
	}
	if ran == 0 && filepath.Base(p.file) != "README.md" {
		t.Error("there is nothing to try")
	}
}

// steps are the names and list indexes of a place such as {{users.nodes.0.id}}.
func steps(place string) (path []any) {
	for _, step := range strings.Split(strings.Trim(place, "{}"), ".") {
		if n, err := strconv.Atoi(step); err == nil {
			path = append(path, n)
		} else {
			path = append(path, step)
		}
	}
	return path
}
