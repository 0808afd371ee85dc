package diagram

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// library has every rule, a cycle, a loop, a field that leads to several, and targets that are no types.
func library() Graph {
	return Graph{
		Types: []Type{
			{Key: "book", Name: "Book", Version: 3, Count: 12345, Fields: []Field{
				{"title", "string", true}, {"author", "ref", true}, {"sequel", "ref", false}, {"tags", "ref[]", false},
			}},
			{Key: "person", Name: "Person", Version: 1, Count: -1, Native: true, Fields: []Field{
				{"name", "string", true}, {"favourite", "ref", false}, {"account", "ref", false},
			}},
			{Key: "note", Retired: true, Count: 0, Fields: []Field{{"about", "ref", true}, {"text", "string", false}}},
			{Key: "empty", Count: -1},
		},
		Edges: []Edge{
			{"book", "author", "person", "RESTRICT"},
			{"book", "sequel", "book", "SET_NULL"},
			{"book", "tags", "person", "KEEP"},
			{"book", "tags", "plan", "KEEP"},
			{"person", "favourite", "book", "SET_NULL"},
			{"person", "account", "user", "CASCADE"},
			{"note", "about", "*", "KEEP"},
		},
	}
}

// random is a graph of n types like those of a busy installation.
func random(seed uint64, n int) Graph {
	r := rand.New(rand.NewPCG(seed, 1))
	var g Graph
	for i := range n {
		t := Type{Key: fmt.Sprintf("type-%02d", i), Name: fmt.Sprintf("Type %d", i), Version: 1 + r.IntN(4), Count: r.Int64N(100_000)}
		for f := range 2 + r.IntN(10) {
			field := Field{fmt.Sprintf("field%d", f), []string{"string", "number", "date-time", "boolean"}[r.IntN(4)], r.IntN(3) == 0}
			if r.IntN(5) == 0 {
				field.Name, field.Kind = fmt.Sprintf("ref%d", f), "ref"
				rule := rules[r.IntN(4)].key
				for range 1 + r.IntN(6)/5 {
					to := fmt.Sprintf("type-%02d", r.IntN(n))
					if pick := r.IntN(8); pick < 2 {
						to = []string{"user", "*"}[pick]
					}
					g.Edges = append(g.Edges, Edge{t.Key, field.Name, to, rule})
				}
			}
			t.Fields = append(t.Fields, field)
		}
		g.Types = append(g.Types, t)
	}
	return g
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -update and look at it. Got:\n%s", name, got)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	golden(t, "library.mmd", []byte(Mermaid(library())))
	golden(t, "library.svg", SVG(library()))
	golden(t, "nothing.mmd", []byte(Mermaid(Graph{})))
}

// TestProperties looks at what must hold for any graph.
func TestProperties(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		g := random(seed, int(seed*7%61))
		s := laid(g)
		checkBoxes(t, s)
		for _, l := range s.links {
			checkLink(t, s, l)
		}
		picture := SVG(g)
		checkXML(t, picture)
		rand.New(rand.NewPCG(seed, 2)).Shuffle(len(g.Types), func(i, j int) { g.Types[i], g.Types[j] = g.Types[j], g.Types[i] })
		slices.Reverse(g.Edges)
		if !bytes.Equal(SVG(g), picture) {
			t.Errorf("seed %d: the order of what is drawn changes the picture", seed)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func laid(g Graph) *sheet {
	g, _ = tidy(g)
	return lay(g)
}

func checkBoxes(t *testing.T, s *sheet) {
	t.Helper()
	for i, a := range s.boxes {
		if a.at.x < 0 || a.at.y < 0 || a.at.x+a.w > s.w || a.at.y+a.h > s.h {
			t.Errorf("%s stands outside the sheet", a.name)
		}
		for _, b := range s.boxes[i+1:] {
			if a.at.x < b.at.x+b.w && b.at.x < a.at.x+a.w && a.at.y < b.at.y+b.h && b.at.y < a.at.y+a.h {
				t.Errorf("%s and %s overlap", a.name, b.name)
			}
		}
	}
}

// checkLink follows a link: it begins at the edge of its row, ends at its target's head, has no gap, and meets no box.
func checkLink(t *testing.T, s *sheet, l *link) {
	t.Helper()
	name := l.from.name + "." + l.field + " to " + l.to.name
	start, way := l.start(), l.way()
	if start.x != l.from.at.x && start.x != l.from.at.x+l.from.w || start.y <= l.from.at.y || start.y >= l.from.at.y+l.from.h {
		t.Errorf("%s begins at %v, not at its box", name, start)
	}
	at := way[0].from
	if at.y != start.y {
		t.Errorf("%s does not begin at its row", name)
	}
	for _, c := range way {
		if c.from != at {
			t.Errorf("%s has a gap at %v", name, at)
		}
		at = c.to
		if c.on != 0 {
			at.x = c.on
		}
		for _, b := range s.boxes {
			if p, hit := hits(c, b); hit {
				t.Errorf("%s runs through %s at %v", name, b.name, p)
			}
		}
	}
	end := way[len(way)-1].tip
	if end.x != l.to.at.x && end.x != l.to.at.x+l.to.w || end.y <= l.to.at.y || end.y >= l.to.at.y+headHeight || at.y != end.y {
		t.Errorf("%s ends at %v, not at the head of its target", name, end)
	}
}

// hits samples a curve for points inside a box.
func hits(c curve, b *box) (point, bool) {
	mid := float64(c.from.x+c.to.x) / 2
	x1, x2 := mid, mid
	if c.bulge > 0 {
		x1, x2 = float64(c.from.x+c.bulge), float64(c.to.x+c.bulge)
	}
	const steps = 40
	for i := range steps + 1 {
		f := float64(i) / steps
		e := 1 - f
		x := e*e*e*float64(c.from.x) + 3*e*e*f*x1 + 3*e*f*f*x2 + f*f*f*float64(c.to.x)
		y := e*e*e*float64(c.from.y) + 3*e*e*f*float64(c.from.y) + 3*e*f*f*float64(c.to.y) + f*f*f*float64(c.to.y)
		if c.on != 0 && i == steps {
			x = float64(c.to.x+c.on) / 2
		}
		if x > float64(b.at.x)+.5 && x < float64(b.at.x+b.w)-.5 && y > float64(b.at.y)+.5 && y < float64(b.at.y+b.h)-.5 {
			return point{int(x), int(y)}, true
		}
	}
	return point{}, false
}

// checkXML reads the picture as XML and gives its text; no element but those of the pen may be there.
func checkXML(t *testing.T, picture []byte) string {
	t.Helper()
	known := []string{"svg", "title", "desc", "style", "rect", "g", "path", "text", "circle"}
	var text strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return text.String()
		}
		if err != nil {
			t.Errorf("not XML: %v", err)
			return ""
		}
		switch token := token.(type) {
		case xml.StartElement:
			if !slices.Contains(known, token.Name.Local) {
				t.Errorf("there is an element %s", token.Name.Local)
			}
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
					t.Errorf("there is an attribute %s", a.Name.Local)
				}
			}
		case xml.CharData:
			text.Write(token)
		}
	}
}

// TestHostileNames: what people wrote is text, whatever it looks like.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	bad := []string{
		`"><script>alert(1)</script>`, `</style><img src=x onerror=alert(1)>`, "a\x00b\x1b[31m", "\xff\xfe", "\u202egnp.exe", "]]>", "&lt;&#0;",
		"\ufffe\uffff", "a\nb\"\n  evil {", strings.Repeat("long", 1000), "日本語のとても長い名前", "", "%%{init: {}}%%", "PK",
	}
	var g Graph
	for i, s := range bad {
		g.Types = append(g.Types, Type{Key: s, Name: s, Fields: []Field{{s, s, true}, {"x" + s, s, false}}, Count: int64(i)})
		g.Edges = append(g.Edges, Edge{s, s, bad[(i+1)%len(bad)], s}, Edge{s, "no such field", "to" + s, "KEEP"}, Edge{"no such type" + s, s, s, s})
	}
	text := checkXML(t, SVG(g))
	if !strings.Contains(text, `"><script>alert(1)</script>`) {
		t.Error("a name is not told as it is")
	}
	checkBoxes(t, laid(g))
	for line := range strings.Lines(Mermaid(g)) {
		if strings.Count(line, `"`)%2 != 0 || strings.ContainsAny(line, "<>%\\\x00") {
			t.Errorf("Mermaid would stumble over %q", line)
		}
	}
}

// TestBounds: a graph beyond the bounds is cut, and says so.
func TestBounds(t *testing.T) {
	t.Parallel()
	var g Graph
	for i := range 110 {
		ty := Type{Key: fmt.Sprintf("t%03d", i), Count: -1}
		for f := range MaxRows + 9 {
			ty.Fields = append(ty.Fields, Field{fmt.Sprintf("f%d", f), "ref", false})
			g.Edges = append(g.Edges, Edge{ty.Key, fmt.Sprintf("f%d", f), fmt.Sprintf("t%03d", (i*7+f)%110), "KEEP"})
		}
		g.Types = append(g.Types, ty)
	}
	text := checkXML(t, SVG(g))
	if !strings.Contains(Mermaid(g), "%% 1390 references more\n") {
		t.Error("the text does not tell what is left out")
	}
	if !strings.Contains(text, "10 more") || !strings.Contains(text, "references more") {
		t.Error("what is left out is not told")
	}
}

// BenchmarkSVG lays out and writes 60 types.
func BenchmarkSVG(b *testing.B) {
	g := random(1, 60)
	b.ReportAllocs()
	for b.Loop() {
		SVG(g)
	}
}
