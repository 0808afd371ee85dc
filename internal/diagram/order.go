package diagram

import (
	"cmp"
	"slices"
)

// item is what has a place in a column: a box, or a lane in which links pass it.
type item struct {
	box           *box // nil for a lane
	column        int
	index         int // in the column
	at            point
	w, h          int // as wide as the column
	lefts, rights []*hop
}

// hop is a piece of one or more links between neighbouring columns.
type hop struct {
	left, right port
	weight      int // how straight it wants to be
}

// port is where a hop meets an item, from its upper edge.
type port struct {
	item *item
	dy   int
}

// rank is the place of a port in the order of its column.
func (p port) rank() int { return p.item.index<<12 + p.dy<<12/(p.item.h+1) }

func (p port) y() int { return p.item.at.y + p.dy }

const laneHeight = 8

// fill makes the columns: boxes in the given order, and the lanes of the links that pass.
func (p *part) fill(order []*box) {
	deepest := 0
	for _, b := range order {
		deepest = max(deepest, b.layer)
	}
	p.columns = make([][]*item, deepest+1)
	put := func(it *item) *item {
		it.index = len(p.columns[it.column])
		p.columns[it.column] = append(p.columns[it.column], it)
		return it
	}
	items := map[*box]*item{}
	for _, b := range order {
		items[b] = put(&item{box: b, column: deepest - b.layer, h: b.h})
	}
	type lane struct {
		to     *box
		rule   rule
		column int
	}
	lanes := map[lane]*item{}
	p.slots()
	hops := map[[2]port]*hop{}
	for _, l := range p.links {
		if l.self() {
			continue
		}
		l.items = append(l.items, items[l.left])
		for c := items[l.left].column + 1; c < items[l.right].column; c++ {
			at := lane{l.to, l.rule, c}
			if lanes[at] == nil {
				lanes[at] = put(&item{column: c, h: laneHeight})
			}
			l.items = append(l.items, lanes[at])
		}
		l.items = append(l.items, items[l.right])
		l.connect(hops)
	}
}

// connect makes the hops of a link.
func (l *link) connect(hops map[[2]port]*hop) {
	for i, right := range l.items[1:] {
		ends := [2]port{l.port(l.items[i]), l.port(right)}
		h := hops[ends]
		if h == nil {
			h = &hop{left: ends[0], right: ends[1]}
			hops[ends] = h
			ends[0].item.rights = append(ends[0].item.rights, h)
			right.lefts = append(right.lefts, h)
		}
		switch {
		case l.items[i].box == nil && right.box == nil:
			h.weight += 4
		case l.items[i].box == nil || right.box == nil:
			h.weight += 2
		default:
			h.weight++
		}
	}
}

// port is where a link meets one of its items.
func (l *link) port(it *item) port {
	switch it.box {
	case nil:
		return port{it, laneHeight / 2}
	case l.from:
		return port{it, rowY(l.row)}
	}
	return port{it, l.slot}
}

// slots spreads the links that end at one side of a head, those of one rule together.
func (p *part) slots() {
	type side struct {
		box  *box
		back bool
	}
	ends := map[side][]rule{}
	for _, l := range p.links {
		at := side{l.to, l.back() || l.self()}
		if !slices.Contains(ends[at], l.rule) {
			ends[at] = append(ends[at], l.rule)
		}
	}
	for _, l := range p.links {
		all := ends[side{l.to, l.back() || l.self()}]
		above := 0
		for _, r := range all {
			if r < l.rule {
				above++
			}
		}
		l.slot = headHeight/2 + above*slotHeight - (len(all)-1)*slotHeight/2
	}
}

const sweeps = 24

// arrange orders the columns so that hops cross little: sweeps by the middle of the neighbours, of which the best order
// stays, and then exchanges of neighbours.
func (p *part) arrange() {
	best, kept := -1, [][]*item{}
	keep := func() {
		n := p.crossings()
		if best >= 0 && n >= best {
			return
		}
		best, kept = n, nil
		for _, c := range p.columns {
			kept = append(kept, slices.Clone(c))
		}
	}
	keep()
	for i := 0; i < sweeps && best > 0; i++ {
		for c := range p.columns {
			if i%2 == 1 {
				c = len(p.columns) - 1 - c
			}
			sortByNeighbours(p.columns[c], i%2 == 0)
		}
		keep()
	}
	for i, c := range kept {
		copy(p.columns[i], c)
		number(c)
	}
	for i := 0; i < sweeps && p.exchange(); i++ {
		continue
	}
}

func number(column []*item) {
	for i, it := range column {
		it.index = i
	}
}

// sortByNeighbours orders a column by the middle of its neighbours on one side. What has none there keeps its place.
func sortByNeighbours(column []*item, left bool) {
	middle := make(map[*item]int, len(column))
	for _, it := range column {
		hops := it.rights
		if left {
			hops = it.lefts
		}
		middle[it] = it.index << 12
		if len(hops) > 0 {
			sum := 0
			for _, h := range hops {
				end := h.right
				if left {
					end = h.left
				}
				sum += end.rank()
			}
			middle[it] = sum / len(hops)
		}
	}
	slices.SortStableFunc(column, func(a, b *item) int { return cmp.Compare(middle[a], middle[b]) })
	number(column)
}

// crossings counts the pairs of hops that cross.
func (p *part) crossings() int {
	sum := 0
	for _, column := range p.columns {
		var hops []*hop
		for _, it := range column {
			hops = append(hops, it.rights...)
		}
		slices.SortStableFunc(hops, func(a, b *hop) int {
			return cmp.Or(cmp.Compare(a.left.rank(), b.left.rank()), cmp.Compare(a.right.rank(), b.right.rank()))
		})
		ranks := make([]int, len(hops))
		for i, h := range hops {
			ranks[i] = h.right.rank()
		}
		sum += inversions(ranks)
	}
	return sum
}

// inversions counts the pairs that stand in the wrong order, and sorts them.
func inversions(a []int) int {
	if len(a) < 2 {
		return 0
	}
	left, right := slices.Clone(a[:len(a)/2]), slices.Clone(a[len(a)/2:])
	n := inversions(left) + inversions(right)
	for i, j, k := 0, 0, 0; k < len(a); k++ {
		if j == len(right) || i < len(left) && left[i] <= right[j] {
			a[k] = left[i]
			i++
		} else {
			a[k] = right[j]
			j++
			n += len(left) - i
		}
	}
	return n
}

// exchange swaps neighbours in a column where that takes crossings away, and reports whether it did.
func (p *part) exchange() bool {
	changed := false
	for _, column := range p.columns {
		for i := 1; i < len(column); i++ {
			a, b := column[i-1], column[i]
			if between(a, b) > between(b, a) {
				column[i-1], column[i] = b, a
				a.index, b.index = i, i-1
				changed = true
			}
		}
	}
	return changed
}

const maxPairs = 20_000 // of hops looked at for one exchange

// between counts the crossings of the hops of two items, the first standing above the second.
func between(a, b *item) int {
	if len(a.lefts)*len(b.lefts)+len(a.rights)*len(b.rights) > maxPairs {
		return 0
	}
	n := 0
	for _, x := range a.lefts {
		for _, y := range b.lefts {
			if x.left.rank() > y.left.rank() {
				n++
			}
		}
	}
	for _, x := range a.rights {
		for _, y := range b.rights {
			if x.right.rank() > y.right.rank() {
				n++
			}
		}
	}
	return n
}
