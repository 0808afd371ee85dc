package registry

import "slices"

// diff tells how one list of documents becomes another: what leaves, then what enters or moves from the top down, then what
// changed in its place. Each document has one change at most.
func diff(before, after []Document) ListDelta {
	was := make(map[string]int, len(before)) // id -> rev
	for _, d := range before {
		was[d.ID] = d.Rev
	}
	stays := make(map[string]bool, len(after))
	for _, d := range after {
		stays[d.ID] = true
	}
	var delta ListDelta
	w := arrangement{after: after, settled: map[string]bool{}}
	for _, d := range before {
		if stays[d.ID] {
			w.ids = append(w.ids, d.ID)
		} else {
			delta.Changes = append(delta.Changes, ListChange{Op: Leave, ID: d.Ref(), Index: -1})
		}
	}
	w.settle()
	moved := map[string]bool{}
	for i := range after {
		for _, c := range w.fill(i, was) {
			moved[c.ID.ID] = true
			delta.Changes = append(delta.Changes, c)
		}
	}
	for i := range after {
		d := &after[i]
		if rev, known := was[d.ID]; known && rev != d.Rev && !moved[d.ID] {
			delta.Changes = append(delta.Changes, ListChange{Op: Update, ID: d.Ref(), Index: i, Document: d})
		}
	}
	return delta
}

// arrangement is a list on the way to another.
type arrangement struct {
	ids     []string // as it is now
	after   []Document
	settled map[string]bool // those in the right order among themselves
}

// settle picks as many as possible that need not move: a longest run of the list that is in order already.
func (w *arrangement) settle() {
	want := make(map[string]int, len(w.after))
	for i, d := range w.after {
		want[d.ID] = i
	}
	best, from := make([]int, len(w.ids)), make([]int, len(w.ids))
	last := -1
	for i, id := range w.ids {
		best[i], from[i] = 1, -1
		for j := range i {
			if want[w.ids[j]] < want[id] && best[j]+1 > best[i] {
				best[i], from[i] = best[j]+1, j
			}
		}
		if last < 0 || best[i] > best[last] {
			last = i
		}
	}
	for ; last >= 0; last = from[last] {
		w.settled[w.ids[last]] = true
	}
}

// fill makes the place i what it shall be; those before are.
func (w *arrangement) fill(i int, was map[string]int) []ListChange {
	var made []ListChange
	d := &w.after[i]
	if _, known := was[d.ID]; !known {
		w.ids = slices.Insert(w.ids, i, d.ID)
		return append(made, ListChange{Op: Enter, ID: d.Ref(), Index: i, Document: d})
	}
	if !w.settled[d.ID] {
		if from := slices.Index(w.ids, d.ID); from != i {
			return append(made, w.move(d, from, i))
		}
		w.settled[d.ID] = true
		return made
	}
	for w.ids[i] != d.ID { // in the way of one that stays stands one that moves down
		k := slices.IndexFunc(w.after, func(x Document) bool { return x.ID == w.ids[i] })
		to := i
		for q := k - 1; q >= 0; q-- {
			if w.settled[w.after[q].ID] {
				to = slices.Index(w.ids, w.after[q].ID)
				break
			}
		}
		made = append(made, w.move(&w.after[k], i, to))
	}
	return made
}

func (w *arrangement) move(d *Document, from, to int) ListChange {
	w.ids = slices.Insert(slices.Delete(w.ids, from, from+1), to, d.ID)
	w.settled[d.ID] = true
	return ListChange{Op: Move, ID: d.Ref(), Index: to, From: &from, Document: d}
}
