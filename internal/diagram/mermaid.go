package diagram

import (
	"fmt"
	"strings"
)

// Mermaid is the graph as an erDiagram. Names that Mermaid has no word for are changed and told in a comment beside them.
func Mermaid(g Graph) string {
	g, left := tidy(g)
	var b strings.Builder
	b.WriteString("erDiagram\n")
	fields := map[[2]string]Field{}
	targets := map[[2]string]int{}
	for _, e := range g.Edges {
		targets[[2]string{e.From, e.Field}]++
	}
	for _, t := range g.Types {
		if len(t.Fields) == 0 {
			fmt.Fprintf(&b, "  %s\n", quoted(t.Key))
			continue
		}
		fmt.Fprintf(&b, "  %s {\n", quoted(t.Key))
		for _, f := range t.Fields {
			at := [2]string{t.Key, f.Name}
			fields[at] = f
			b.WriteString("    " + attribute(f, targets[at] > 0) + "\n")
		}
		b.WriteString("  }\n")
	}
	for _, name := range g.others() {
		fmt.Fprintf(&b, "  %s\n", quoted(caption(name)))
	}
	for _, e := range g.Edges {
		to := e.To
		if _, known := find(g.Types, to); !known {
			to = caption(to)
		}
		at := [2]string{e.From, e.Field}
		fmt.Fprintf(&b, "  %s }o--%s %s : %s\n", quoted(e.From), ending(fields[at], targets[at] == 1), quoted(to), quoted(e.Field+" "+e.OnDelete))
	}
	if left > 0 {
		fmt.Fprintf(&b, "  %%%% %d references more\n", left)
	}
	return b.String()
}

// ending tells how many targets of one kind a field has: exactly one, at most one, or any number.
func ending(f Field, alone bool) string {
	switch {
	case strings.Contains(f.Name, "[]"), strings.HasSuffix(f.Kind, "[]"):
		return "o{"
	case f.Required && alone && !strings.Contains(f.Name, "."):
		return "||"
	}
	return "o|"
}

// attribute is a line in the body of an entity.
func attribute(f Field, points bool) string {
	line := word(f.Kind) + " " + word(f.Name)
	if points {
		line += " FK"
	}
	var notes []string
	if f.Required {
		notes = append(notes, "required")
	}
	if word(f.Name) != f.Name {
		notes = append(notes, f.Name)
	}
	if len(notes) > 0 {
		line += " " + quoted(strings.Join(notes, ", "))
	}
	return line
}

// word is a text as a single word of Mermaid.
func word(s string) string {
	w := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '[', r == ']':
			return r
		}
		return '_'
	}, s)
	letter := w != "" && (w[0] >= 'a' && w[0] <= 'z' || w[0] >= 'A' && w[0] <= 'Z' || w[0] == '_')
	if key := w == "PK" || w == "FK" || w == "UK"; !letter || key {
		w = "_" + w
	}
	return w
}

// quoted is a text in quotes, in which Mermaid knows no escapes.
func quoted(s string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '%', r == '\\', r == '<', r == '>', r == '&', r == '#', r == ';', r == '`':
			return '_'
		case r < ' ', r == 0x7f, r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "_"))
	if strings.TrimSpace(clean) == "" {
		clean = "_"
	}
	return `"` + clean + `"`
}
