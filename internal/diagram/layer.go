package diagram

import "slices"

// part is a piece of the graph that hangs together.
type part struct {
	boxes   []*box
	links   []*link
	columns [][]*item // from left to right
	at      point
	w, h    int
}

// partsOf splits the graph; both keep their order.
func partsOf(boxes []*box, links []*link) []*part {
	up := map[*box]*box{}
	top := func(b *box) *box {
		for up[b] != nil {
			b = up[b]
		}
		return b
	}
	for _, l := range links {
		if a, b := top(l.from), top(l.to); a != b {
			up[b] = a
		}
	}
	var parts []*part
	byTop := map[*box]*part{}
	for _, b := range boxes {
		p := byTop[top(b)]
		if p == nil {
			p = &part{}
			parts, byTop[top(b)] = append(parts, p), p
		}
		p.boxes = append(p.boxes, b)
	}
	for _, l := range links {
		p := byTop[top(l.from)]
		p.links = append(p.links, l)
	}
	return parts
}

// sequence orders the boxes so that few links lead backwards, and turns those: the greedy heuristic of Eades, Lin and
// Smyth. Sources come first.
func (p *part) sequence() []*box {
	in, out := map[*box]int{}, map[*box]int{}
	to, from := map[*box][]*box{}, map[*box][]*box{}
	for _, l := range p.links {
		if !l.self() {
			in[l.to]++
			out[l.from]++
			to[l.from], from[l.to] = append(to[l.from], l.to), append(from[l.to], l.from)
		}
	}
	rest := slices.Clone(p.boxes)
	var first, last []*box
	for len(rest) > 0 {
		i, sink := next(rest, in, out)
		b := rest[i]
		rest = slices.Delete(rest, i, i+1)
		if sink {
			last = append(last, b)
		} else {
			first = append(first, b)
		}
		for _, other := range to[b] {
			in[other]--
		}
		for _, other := range from[b] {
			out[other]--
		}
	}
	slices.Reverse(last)
	order := slices.Concat(first, last)
	place := make(map[*box]int, len(order))
	for i, b := range order {
		place[b] = i
	}
	for _, l := range p.links {
		if place[l.from] > place[l.to] {
			l.left, l.right = l.to, l.from
		}
	}
	return order
}

// next picks a sink, else a source, else the box that is most like a source.
func next(rest []*box, in, out map[*box]int) (i int, sink bool) {
	best := 0
	for i, b := range rest {
		switch {
		case out[b] == 0:
			return i, true
		case in[b] == 0 && in[rest[best]] > 0, in[rest[best]] > 0 && out[b]-in[b] > out[rest[best]]-in[rest[best]]:
			best = i
		}
	}
	return best, false
}

const boxGap = 22 // between boxes of a column

// layers gives each box its layer, 0 being the column furthest right: left of all that it leads to, and further left
// when the column would become too high.
func (p *part) layers(order []*box) {
	area, tallest := 0, 0
	for _, b := range p.boxes {
		area += (b.h + boxGap) * (b.w + 130)
		tallest = max(tallest, b.h)
	}
	limit := max(tallest+boxGap, root(area*2/3))
	var high []int // of the columns
	lefts, rights := map[*box][]*box{}, map[*box][]*box{}
	for _, l := range p.links {
		if !l.self() {
			lefts[l.right], rights[l.left] = append(lefts[l.right], l.left), append(rights[l.left], l.right)
		}
	}
	for _, b := range slices.Backward(order) {
		for _, r := range rights[b] {
			b.layer = max(b.layer, r.layer+1)
		}
		for len(high) <= b.layer || high[b.layer] > 0 && high[b.layer]+b.h+boxGap > limit {
			if len(high) <= b.layer {
				high = append(high, 0)
			} else {
				b.layer++
			}
		}
		high[b.layer] += b.h + boxGap
	}
	for _, b := range order { // nearer to what points at it, unless that draws it away from more
		if len(lefts[b]) == 0 || len(lefts[b]) < len(rights[b]) {
			continue
		}
		nearest := lefts[b][0].layer - 1
		for _, l := range lefts[b] {
			nearest = min(nearest, l.layer-1)
		}
		for ; nearest > b.layer; nearest-- {
			if high[nearest]+b.h+boxGap <= limit {
				high[b.layer] -= b.h + boxGap
				high[nearest] += b.h + boxGap
				b.layer = nearest
			}
		}
	}
	p.closeRanks()
}

// closeRanks leaves out layers without a box.
func (p *part) closeRanks() {
	var used []int
	for _, b := range p.boxes {
		used = append(used, b.layer)
	}
	slices.Sort(used)
	used = slices.Compact(used)
	for _, b := range p.boxes {
		b.layer, _ = slices.BinarySearch(used, b.layer)
	}
}
