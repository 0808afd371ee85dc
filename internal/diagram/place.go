package diagram

import (
	"cmp"
	"math"
	"slices"
)

const (
	margin     = 24
	partGap    = 40
	minGap     = 84  // between columns
	maxGap     = 210 // the same
	loopRoom   = 36  // right of a box with a link to itself
	heightRuns = 25
)

// sheet is a picture whose boxes and links have their places.
type sheet struct {
	boxes []*box
	links []*link
	parts []*part
	w, h  int
}

// lay lays a tidy graph out.
func lay(g Graph) *sheet {
	s := &sheet{}
	s.boxes, s.links = boxesOf(g)
	s.parts = partsOf(s.boxes, s.links)
	for _, p := range s.parts {
		order := p.sequence()
		p.layers(order)
		p.fill(order)
		p.arrange()
		p.heights()
		p.widths()
	}
	s.pack()
	return s
}

// apart is the room between two items of a column.
func apart(a, b *item) int {
	switch {
	case a.box != nil && b.box != nil:
		return boxGap
	case a.box == nil && b.box == nil:
		return 4
	}
	return boxGap / 2
}

// heights moves the items of the columns up and down, in their order, until the hops are as straight as may be.
func (p *part) heights() {
	for _, column := range p.columns {
		y := 0
		for i, it := range column {
			if i > 0 {
				y += apart(column[i-1], it)
			}
			it.at.y = y
			y += it.h
		}
	}
	for run := range heightRuns {
		for c := range p.columns {
			if run%2 == 1 {
				c = len(p.columns) - 1 - c
			}
			left, right := run%2 == 0, run%2 == 1
			if run >= heightRuns-4 {
				left, right = true, true
			}
			settle(p.columns[c], left, right)
		}
	}
	top := math.MaxInt
	for _, column := range p.columns {
		top = min(top, column[0].at.y)
	}
	for _, column := range p.columns {
		for _, it := range column {
			it.at.y -= top
			p.h = max(p.h, it.at.y+it.h)
		}
	}
}

// block is a run of items that touch.
type block struct {
	first, n    int
	sum, weight float64
}

func (b block) mean() float64 { return b.sum / b.weight }

// settle puts each item of a column where its neighbours want it, as near as the order and the room between items allow:
// the weighted least squares, by pooling adjacent violators. Products are converted so that no machine fuses them with
// the sum: the picture is the same everywhere.
func settle(column []*item, left, right bool) {
	var blocks []block
	offsets := make([]int, len(column))
	for i, it := range column {
		if i > 0 {
			offsets[i] = offsets[i-1] + column[i-1].h + apart(column[i-1], it)
		}
		y, weight := it.wish(left, right)
		b := block{first: i, n: 1, weight: weight}
		b.sum = float64((y - float64(offsets[i])) * weight)
		for len(blocks) > 0 && blocks[len(blocks)-1].mean() > b.mean() {
			last := blocks[len(blocks)-1]
			blocks = blocks[:len(blocks)-1]
			b = block{last.first, last.n + b.n, last.sum + b.sum, last.weight + b.weight}
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		y := int(math.Floor(b.mean() + 0.5))
		for i := b.first; i < b.first+b.n; i++ {
			column[i].at.y = y + offsets[i]
		}
	}
}

// wish is where the neighbours want an item, and how much. Without a neighbour on the asked side the other side speaks.
func (it *item) wish(left, right bool) (y, weight float64) {
	if left && len(it.lefts) == 0 || right && len(it.rights) == 0 {
		left, right = len(it.lefts) > 0, len(it.rights) > 0
	}
	sum, n := 0, 0
	if left {
		for _, h := range it.lefts {
			sum += h.weight * (h.left.y() - h.right.dy)
			n += h.weight
		}
	}
	if right {
		for _, h := range it.rights {
			sum += h.weight * (h.right.y() - h.left.dy)
			n += h.weight
		}
	}
	if n == 0 {
		return float64(it.at.y), 1
	}
	return float64(sum) / float64(n), float64(n)
}

// widths puts the columns side by side. The types of a column become equally wide.
func (p *part) widths() {
	x := 0
	for i, column := range p.columns {
		widest, steepest, room := 0, 0, 0
		for _, it := range column {
			if it.box != nil {
				widest = max(widest, it.box.w)
			}
			for _, h := range it.rights {
				steepest = max(steepest, h.left.y()-h.right.y(), h.right.y()-h.left.y())
			}
		}
		for _, it := range column {
			it.at.x, it.w = x, widest
			if it.box != nil && it.box.loops {
				room = loopRoom
			}
		}
		x += widest
		p.w = x + room
		if i < len(p.columns)-1 {
			x += min(minGap+room+steepest/5, maxGap)
		}
	}
}

// pack puts the parts on the sheet, the highest first, each as far up as there is room, left before right. Of some widths
// it takes the one with which the sheet fills a screen best.
func (s *sheet) pack() {
	order := slices.Clone(s.parts)
	slices.SortStableFunc(order, func(a, b *part) int { return cmp.Or(cmp.Compare(b.h, a.h), cmp.Compare(b.w, a.w)) })
	area, widest := 0, 0
	for _, p := range order {
		area += (p.w + partGap) * (p.h + partGap)
		widest = max(widest, p.w+partGap)
	}
	best, smallest := widest, math.MaxInt
	for percent := 80; percent <= 240; percent += 10 {
		wide := max(widest, root(area)*percent/100)
		s.put(order, wide)
		if size := max(s.w*9, s.h*16); size < smallest {
			best, smallest = wide, size
		}
	}
	s.put(order, best)
	for _, p := range order {
		p.move()
	}
	s.w, s.h = s.w+2*margin, s.h+2*margin
}

// put places the parts on a sheet of some width.
func (s *sheet) put(order []*part, wide int) {
	s.w, s.h = 0, 0
	sky := []point{{0, 0}, {wide, math.MaxInt}} // from each x on, the y down to which the sheet is taken
	for _, p := range order {
		p.at, sky = drop(sky, p.w+partGap, p.h+partGap, wide)
		s.w, s.h = max(s.w, p.at.x+p.w), max(s.h, p.at.y+p.h)
	}
}

// move brings everything in a part to where the part is on the sheet.
func (p *part) move() {
	for _, column := range p.columns {
		for _, it := range column {
			it.at = point{it.at.x + p.at.x + margin, it.at.y + p.at.y + margin}
			if it.box != nil {
				it.box.at = it.at
			}
			if it.box != nil && it.box.typ != nil {
				it.box.w = it.w
			}
		}
	}
}

// drop finds the place of a rectangle under the sky and raises that.
func drop(sky []point, w, h, wide int) (at point, next []point) {
	at = point{0, math.MaxInt}
	for i, start := range sky {
		if start.x+w > wide {
			break
		}
		y := 0
		for _, s := range sky[i:] {
			if s.x < start.x+w {
				y = max(y, s.y)
			}
		}
		if y < at.y {
			at = point{start.x, y}
		}
	}
	end, after := at.x+w, 0
	for _, s := range sky {
		if s.x <= end {
			after = s.y // what the sheet is taken to where the rectangle ends
		}
		if s.x < at.x || s.x > end {
			next = append(next, s)
		}
	}
	next = append(next, point{at.x, at.y + h}, point{end, after})
	slices.SortFunc(next, func(a, b point) int { return cmp.Compare(a.x, b.x) })
	return at, next
}
