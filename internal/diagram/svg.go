package diagram

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

const (
	stem       = 14 // from a row to where its links part
	arrow      = 8
	legendRoom = 46
	minSheet   = 760 // wide: the legend must fit
)

// SVG is the graph as a picture that needs nothing from elsewhere and follows the reader's colour scheme. What comes from
// the graph stands in it as text alone.
func SVG(g Graph) []byte {
	g, left := tidy(g)
	s := lay(g)
	p := &pen{}
	p.open(g, s)
	p.legend(left)
	p.printf(`<g transform="translate(0 %d)">`+"\n", legendRoom)
	p.links(s)
	for _, b := range s.boxes {
		p.box(b)
	}
	p.printf("</g>\n</svg>\n")
	return p.Bytes()
}

// pen writes the picture.
type pen struct{ bytes.Buffer }

func (p *pen) printf(format string, args ...any) { _, _ = fmt.Fprintf(p, format, args...) }

// escaped is a text that may stand between tags and in attributes; what XML has no character for is replaced.
func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(clean(s)))
	return b.String()
}

// style colours everything, for light and dark. All names begin with the class of the root, so that a page the picture is
// put into keeps its own.
const style = `.bbd{color:#1f2933;font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;font-size:12px}
.bbd text{fill:currentColor}
.bbd .sheet{fill:#ffffff}
.bbd .card{fill:#ffffff;stroke:#b6c2cf;stroke-width:1.2}
.bbd .head{fill:#e6edf5}
.bbd .key{font-size:13px;font-weight:600}
.bbd .tag{font-size:11px;text-anchor:end;fill-opacity:.65}
.bbd .kind{text-anchor:end;fill-opacity:.6}
.bbd .must{font-weight:600}
.bbd .dot{fill:currentColor}
.bbd .other .card{fill:#f4f6f8;stroke-dasharray:4 3}
.bbd .retired .card{stroke-dasharray:6 3}
.bbd .retired text{fill-opacity:.5}
.bbd .legend text{font-size:11px;fill-opacity:.75}
.bbd .legend .word{font-weight:600;fill-opacity:1}
.bbd .link{fill:none;stroke-width:1.6}
.bbd .r0{stroke:#2563eb}.bbd .tip.r0{fill:#2563eb}
.bbd .r1{stroke:#d02f2f;stroke-dasharray:11 3}.bbd .tip.r1{fill:#d02f2f}
.bbd .r2{stroke:#b45309;stroke-dasharray:6 4}.bbd .tip.r2{fill:#b45309}
.bbd .r3{stroke:#0f7a5a;stroke-dasharray:2 3}.bbd .tip.r3{fill:#0f7a5a}
.bbd .r4{stroke:#64748b}.bbd .tip.r4{fill:#64748b}
.bbd .tip{stroke:none}
@media (prefers-color-scheme:dark){.bbd{color:#dfe5ec}
.bbd .sheet{fill:#1a1d21}
.bbd .card{fill:#22262c;stroke:#4a5563}
.bbd .head{fill:#303844}
.bbd .other .card{fill:#1e2227}
.bbd .r0{stroke:#6ea8fe}.bbd .tip.r0{fill:#6ea8fe}
.bbd .r1{stroke:#ff7b7b}.bbd .tip.r1{fill:#ff7b7b}
.bbd .r2{stroke:#f0b04a}.bbd .tip.r2{fill:#f0b04a}
.bbd .r3{stroke:#3fcf9b}.bbd .tip.r3{fill:#3fcf9b}
.bbd .r4{stroke:#94a3b8}.bbd .tip.r4{fill:#94a3b8}
.bbd .tip{stroke:none}}`

func (p *pen) open(g Graph, s *sheet) {
	w, h := max(s.w, minSheet), s.h+legendRoom
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" class="bbd" width="%d" height="%d" viewBox="0 0 %d %d" role="img" `+
		`aria-labelledby="bbd-title bbd-desc">`+"\n", w, h, w, h)
	p.printf("<title id=\"bbd-title\">Content types and references</title>\n<desc id=\"bbd-desc\">%s</desc>\n", description(g))
	p.printf("<style>%s</style>\n<rect class=\"sheet\" width=\"%d\" height=\"%d\"/>\n", style, w, h)
}

// maxSpoken is how many references the description tells one by one.
const maxSpoken = 200

// description says what the picture shows.
func description(g Graph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d content types, %d references.", len(g.Types), len(g.Edges))
	for i, e := range g.Edges {
		if i == maxSpoken {
			b.WriteString(" And so on.")
			break
		}
		b.WriteString(" " + sentence(e.From, e.Field, target(g, e.To), e.OnDelete))
	}
	return escaped(b.String())
}

func target(g Graph, to string) string {
	if _, known := find(g.Types, to); known {
		return to
	}
	return caption(to)
}

func sentence(from, field, to, rule string) string {
	return fmt.Sprintf("%s.%s leads to %s (%s).", from, field, to, rule)
}

// legend tells what the lines mean, and how many are missing.
func (p *pen) legend(left int) {
	p.printf("<g class=\"legend\">\n")
	x, y := margin, 22
	for i, r := range rules[:len(rules)-1] {
		p.printf(`<path class="link r%d" d="M%d %dh28"/><path class="tip r%d" d="%s"/>`, i, x, y, i, tip(point{x + 34, y}, 1))
		p.printf(`<text class="word" x="%d" y="%d">%s</text><text x="%d" y="%d">%s</text>`+"\n", x+42, y, r.key, x+42, y+14, r.says)
		x += 42 + max(width(r.key, 12), width(r.says, 11)) + 16
	}
	p.printf(`<circle class="dot" cx="%d" cy="%d" r="2.5"/><text x="%d" y="%d">required</text>`+"\n", x+4, y-4, x+12, y)
	if left > 0 {
		p.printf(`<text x="%d" y="%d">%d references more</text>`+"\n", x, y+14, left)
	}
	p.printf("</g>\n")
}

// tip is an arrowhead that ends at p; sign is 1 when it points to the right.
func tip(p point, sign int) string {
	return fmt.Sprintf("M%d %dl%d -4v8z", p.x, p.y, -sign*arrow)
}

// links draws the links under the boxes. A piece that several share is drawn once.
func (p *pen) links(s *sheet) {
	p.printf("<g>\n")
	drawn := map[string]bool{}
	for _, l := range s.links {
		var own strings.Builder
		for _, piece := range l.draw() {
			if !drawn[piece] {
				drawn[piece] = true
				own.WriteString(piece)
			}
		}
		to := l.to.name
		if own.Len() > 0 {
			p.printf("<g><title>%s</title>%s</g>\n", escaped(sentence(l.from.name, l.field, to, rules[l.rule].key)), own.String())
		}
	}
	p.printf("</g>\n")
}

// draw gives the pieces of a link, from its row to its target.
func (l *link) draw() []string {
	way := l.way()
	line := func(d string) string { return fmt.Sprintf(`<path class="link r%d" d="%s"/>`, l.rule, d) }
	var pieces []string
	if l.forks() {
		pieces = append(pieces, fmt.Sprintf(`<path class="link r%d" d="M%d %dH%d"/><circle class="tip r%d" cx="%d" cy="%d" r="3"/>`,
			l.rule, l.start().x, way[0].from.y, way[0].from.x, l.rule, way[0].from.x, way[0].from.y))
	}
	for _, c := range way {
		pieces = append(pieces, line(c.path()))
	}
	end := way[len(way)-1]
	return append(pieces, fmt.Sprintf(`<path class="tip r%d" d="%s"/>`, l.rule, tip(end.tip, end.sign)))
}

// curve is a piece of a way: it leaves and arrives level.
type curve struct {
	from, to point
	bulge    int   // of a loop: how far it goes out; else 0
	on       int   // where a lane it enters ends; 0 without
	tip      point // of the arrow at the end of the last
	sign     int   // 1 to the right, -1 to the left
}

func (c curve) path() string {
	if c.bulge > 0 {
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", c.from.x, c.from.y, c.from.x+c.bulge, c.from.y, c.to.x+c.bulge, c.to.y, c.to.x, c.to.y)
	}
	mid := (c.from.x + c.to.x) / 2
	d := fmt.Sprintf("M%d %dC%d %d %d %d %d %d", c.from.x, c.from.y, mid, c.from.y, mid, c.to.y, c.to.x, c.to.y)
	if c.from.y == c.to.y {
		d = fmt.Sprintf("M%d %dH%d", c.from.x, c.from.y, c.to.x)
	}
	if c.on != 0 {
		d += fmt.Sprintf("H%d", c.on)
	}
	return d
}

// forks reports whether a row leads to more than this target: its links then leave as one.
func (l *link) forks() bool { return !l.self() && l.from.fans[l.row] > 1 }

// start is where a link leaves its box.
func (l *link) start() point {
	p := point{l.from.at.x + l.from.w, l.from.at.y + rowY(l.row)}
	if l.back() {
		p.x = l.from.at.x
	}
	return p
}

// way is the link as curves.
func (l *link) way() []curve {
	start, end := l.start(), point{l.to.at.x, l.to.at.y + l.slot}
	sign := 1
	if l.back() {
		sign = -1
	}
	if l.self() || l.back() {
		end.x += l.to.w
	}
	if l.self() {
		return []curve{{from: start, to: point{end.x + arrow - 1, end.y}, bulge: loopRoom - 4, tip: end, sign: -1}}
	}
	items := l.items
	at := start
	if l.forks() {
		at.x += sign * stem
	}
	var way []curve
	for i := 1; i < len(items)-1; i++ {
		it := items[i]
		if l.back() {
			it = items[len(items)-1-i]
		}
		in, out := point{it.at.x, it.at.y + laneHeight/2}, it.at.x+it.w
		if l.back() {
			in.x, out = out, in.x
		}
		way = append(way, curve{from: at, to: in, on: out, sign: sign})
		at = point{out, in.y}
	}
	return append(way, curve{from: at, to: point{end.x - sign*(arrow-1), end.y}, tip: end, sign: sign})
}

// box draws a box.
func (p *pen) box(b *box) {
	class, about := "other", b.name
	if b.typ != nil {
		class, about = "type", b.typ.Key
		if b.typ.Name != "" && b.typ.Name != b.typ.Key {
			about += ": " + b.typ.Name
		}
		if b.typ.Retired {
			class += " retired"
		}
	}
	p.printf(`<g class="%s" transform="translate(%d %d)"><title>%s</title>`+"\n", class, b.at.x, b.at.y, escaped(about))
	radius := 6
	if b.typ == nil {
		radius = headHeight / 2
	}
	p.printf(`<rect class="card" width="%d" height="%d" rx="%d"/>`+"\n", b.w, b.h, radius)
	if b.typ != nil {
		p.printf(`<path class="head" d="%s"/>`+"\n", headPath(b))
	}
	p.printf(`<text class="key" x="14" y="20">%s</text>`+"\n", escaped(b.name))
	if b.tag != "" {
		p.printf(`<text class="tag" x="%d" y="20">%s</text>`+"\n", b.w-12, escaped(b.tag))
	}
	for i, r := range b.rows {
		y, must := rowY(i), ""
		if r.required {
			p.printf(`<circle class="dot" cx="12" cy="%d" r="2.5"/>`, y)
			must = ` class="must"`
		}
		p.printf(`<text%s x="22" y="%d">%s</text>`, must, y+4, escaped(r.name))
		if r.kind != "" {
			p.printf(`<text class="kind" x="%d" y="%d">%s</text>`, b.w-12, y+4, escaped(r.kind))
		}
		p.printf("\n")
	}
	p.printf("</g>\n")
}

// headPath is the ground of a head, within the border of the card.
func headPath(b *box) string {
	low := headHeight
	if len(b.rows) == 0 {
		return fmt.Sprintf("M1 6a5 5 0 0 1 5 -5h%da5 5 0 0 1 5 5v%da5 5 0 0 1 -5 5h%da5 5 0 0 1 -5 -5z", b.w-12, low-12, 12-b.w)
	}
	return fmt.Sprintf("M1 6a5 5 0 0 1 5 -5h%da5 5 0 0 1 5 5v%dh%dz", b.w-12, low-6, 2-b.w)
}
