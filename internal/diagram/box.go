package diagram

import "strconv"

// Sizes, in pixels.
const (
	headHeight = 30
	rowHeight  = 19
	footHeight = 6 // below the last row
	headFont   = 13
	rowFont    = 12
	minWidth   = 130
	maxHead    = 240
	maxName    = 170
	maxKind    = 100
	slotHeight = 8 // between arrows that end at the same side of a head
)

// rule is what happens to an edge when its target is deleted, as an index of rules.
type rule int

// rules are the known ones; any other is drawn as the last.
var rules = [...]struct{ key, says string }{
	{"RESTRICT", "forbids the deletion"},
	{"CASCADE", "is deleted along"},
	{"SET_NULL", "loses the field"},
	{"KEEP", "keeps the reference"},
	{"OTHER", "does something else"},
}

func ruleOf(onDelete string) rule {
	last := rule(len(rules) - 1)
	for i := range last {
		if rules[i].key == onDelete {
			return i
		}
	}
	return last
}

type point struct{ x, y int }

// box is a type, or another target of an edge. Its place is the upper left corner.
type box struct {
	typ   *Type // nil for another target
	name  string
	tag   string // at the right of the head
	rows  []row
	at    point
	w, h  int
	layer int         // columns to the right of it
	fans  map[int]int // how many links leave each row to another box
	loops bool        // whether a link leads back to it
}

// row is a line of a box.
type row struct {
	name, kind string
	required   bool
}

func newBox(t *Type, name string) *box {
	b := &box{typ: t, name: fit(clean(name), headFont, maxHead), fans: map[int]int{}, h: headHeight}
	b.w = width(b.name, headFont+1) + 28 // the head is bold
	if t == nil {
		return b
	}
	b.tag = tagOf(*t)
	b.w += width(b.tag, rowFont-1)
	if b.tag != "" {
		b.w += 14
	}
	b.w = max(b.w, minWidth)
	shown := t.Fields
	if len(shown) > MaxRows {
		shown = shown[:MaxRows-1]
	}
	for _, f := range shown {
		b.rows = append(b.rows, row{fit(clean(f.Name), rowFont, maxName), fit(clean(f.Kind), rowFont, maxKind), f.Required})
	}
	if more := len(t.Fields) - len(shown); more > 0 {
		b.rows = append(b.rows, row{name: strconv.Itoa(more) + " more"})
	}
	for _, r := range b.rows {
		b.w = max(b.w, 22+width(r.name, rowFont)+16+width(r.kind, rowFont)+12)
	}
	if len(b.rows) > 0 {
		b.h += len(b.rows)*rowHeight + footHeight
	}
	return b
}

// tagOf is what stands beside the key.
func tagOf(t Type) string {
	var tag string
	add := func(s string) {
		if tag != "" {
			tag += " · "
		}
		tag += s
	}
	if t.Native {
		add("native")
	}
	if t.Retired {
		add("retired")
	}
	if t.Version > 0 {
		add("v" + strconv.Itoa(t.Version))
	}
	if t.Count >= 0 {
		add(grouped(t.Count))
	}
	return tag
}

// grouped is a number with its thousands apart.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rowOf is where a field is shown: -1 is the head, for a field that the type does not have.
func (b *box) rowOf(field string) int {
	for i, f := range b.typ.Fields {
		if f.Name == field {
			return min(i, len(b.rows)-1)
		}
	}
	return -1
}

// rowY is the middle of a row, from the upper edge of the box.
func rowY(row int) int {
	if row < 0 {
		return headHeight / 2
	}
	return headHeight + row*rowHeight + rowHeight/2 + 1
}

// link is an edge between boxes. Its left box is the one in the column further left, whatever way the edge points.
type link struct {
	from, to    *box
	row         int
	rule        rule
	field       string
	left, right *box
	items       []*item // what it passes, from left to right, its boxes included
	slot        int     // where it ends, from the upper edge of its target
}

func (l *link) back() bool { return l.from != l.left }
func (l *link) self() bool { return l.from == l.to }

// boxesOf makes the boxes and links of a tidy graph.
func boxesOf(g Graph) (boxes []*box, links []*link) {
	byName := map[string]*box{}
	for i := range g.Types {
		b := newBox(&g.Types[i], g.Types[i].Key)
		boxes, byName[g.Types[i].Key] = append(boxes, b), b
	}
	for _, name := range g.others() {
		b := newBox(nil, caption(name))
		boxes, byName[name] = append(boxes, b), b
	}
	type end struct {
		from, to *box
		row      int
		rule     rule
	}
	seen := map[end]bool{}
	for _, e := range g.Edges {
		from, to := byName[e.From], byName[e.To]
		l := &link{from: from, to: to, row: from.rowOf(e.Field), rule: ruleOf(e.OnDelete), field: e.Field, left: from, right: to}
		at := end{from, to, l.row, l.rule}
		if seen[at] { // of fields in one row
			continue
		}
		seen[at] = true
		links = append(links, l)
		if l.self() {
			from.loops = true
		} else {
			from.fans[l.row]++
		}
	}
	return boxes, links
}
