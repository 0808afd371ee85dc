package rbac

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// never is the end of a grant without one, in unix milliseconds.
const never = math.MaxInt64

// What a hold does not do, or does besides.
const (
	noInherit uint8 = 1 << iota // the member has the rights only after activating the role
	noSet                       // the member cannot activate the role
	withAdmin                   // the member may let others hold the role
)

// hold is one grant as the snapshot keeps it: in the list of its member.
type hold struct {
	role  uint32 // row
	flags uint8
	from  int64  // unix ms before which it does not count yet
	until int64  // unix ms from which on it counts no more
	bind  *slots // of the parameters of the role; nil when it has none
	grant string // id; last, since a check has no use for it
}

// lives reports whether the grant is neither early nor over.
func (h *hold) lives(now int64) bool { return h.from <= now && now < h.until }

// counts reports whether the member has the rights of the role by it.
func (h *hold) counts(now int64) bool { return h.flags&noInherit == 0 && h.lives(now) }

// next is when the hold begins or ends to count, if that is to come.
func (h *hold) next(now int64) int64 {
	switch {
	case now < h.from:
		return h.from
	case now < h.until:
		return h.until
	default:
		return never
	}
}

// putHold is the list with h, in place of the hold of the same grant if there is one. Lists are kept by grant id, which
// makes every walk deterministic.
func putHold(list []hold, h hold) []hold {
	i, found := slices.BinarySearchFunc(list, h.grant, func(x hold, id string) int { return cmp.Compare(x.grant, id) })
	list = slices.Clone(list)
	if found {
		list[i] = h
		return list
	}
	return slices.Insert(list, i, h)
}

func dropHold(list []hold, grant string) []hold {
	return slices.DeleteFunc(slices.Clone(list), func(h hold) bool { return h.grant == grant })
}

// node is one role in the graph. It is immutable once the graph is compiled.
type node struct {
	role    Role // of a deleted role nothing is left
	params  []string
	own     *closure
	up      []hold       // what the role includes
	down    []uint32     // rows of the roles that include it, one for each edge
	objects []objectHold // what it may do with single objects

	live *closure // over the edges that count
	ever *closure // over all edges, those too that do not count; the same as live when there is no difference
}

// graph is the roles and their edges, compiled for a time. It is immutable: what changes it gives a new one that shares the
// nodes that stayed. A role keeps its row for the life of the process.
type graph struct {
	cat   *catalogue
	nodes []*node
	live  []set             // of each node the set of its live closure, where a check finds it with one look
	ever  []set             // the same of the other closure
	rows  map[string]uint32 // by role id
	keys  map[string]uint32 // by role key
	until int64             // when the next edge begins or ceases to count: from then on live is out of date
}

func newGraph(cat *catalogue) *graph {
	return &graph{cat: cat, rows: map[string]uint32{}, keys: map[string]uint32{}, until: never}
}

// copied is a graph whose nodes can be replaced.
func (g *graph) copied() *graph {
	n := *g
	n.nodes, n.live, n.ever = slices.Clone(g.nodes), slices.Clone(g.live), slices.Clone(g.ever)
	return &n
}

// edit is the node of that row, to be changed in a graph that is being built.
func (g *graph) edit(row uint32) *node {
	n := *g.nodes[row]
	g.nodes[row] = &n
	return &n
}

// setRole adds or replaces a role in a graph that is being built.
func (g *graph) setRole(r Role) uint32 {
	row, ok := g.rows[r.ID]
	if !ok {
		row = uint32(len(g.nodes)) //nolint:gosec // roles are counted in thousands
		g.rows[r.ID] = row
		g.nodes, g.live, g.ever = append(g.nodes, &node{}), append(g.live, nil), append(g.ever, nil)
	}
	g.keys[r.Key] = row
	n := g.edit(row)
	n.role, n.params = r, paramNames(r.Params)
	n.own = g.cat.compile(r.Permissions, n.params)
	return row
}

func (g *graph) withRole(r Role, now int64) *graph {
	n := g.copied()
	n.rows, n.keys = maps.Clone(g.rows), maps.Clone(g.keys)
	n.recompute(n.setRole(r), now)
	return n
}

// withoutRole is the graph after the deletion of a role that neither holds nor is held any more.
func (g *graph) withoutRole(r Role, now int64) *graph {
	row, ok := g.rows[r.ID]
	if !ok {
		return g
	}
	n := g.copied()
	n.rows, n.keys = maps.Clone(g.rows), maps.Clone(g.keys)
	delete(n.rows, r.ID)
	delete(n.keys, r.Key)
	*n.edit(row) = node{own: &closure{set: make(set, g.cat.words())}}
	n.recompute(row, now)
	return n
}

// withHolds is the graph in which the role of that row includes these.
func (g *graph) withHolds(row uint32, list []hold, now int64) *graph {
	n := g.copied()
	n.setHolds(row, list)
	for i := range list {
		n.until = min(n.until, list[i].next(now))
	}
	n.recompute(row, now)
	return n
}

// setHolds keeps both ends of the edges alike.
func (g *graph) setHolds(row uint32, list []hold) {
	for i := range g.nodes[row].up {
		t := g.edit(g.nodes[row].up[i].role)
		at := slices.Index(t.down, row)
		t.down = slices.Delete(slices.Clone(t.down), at, at+1)
	}
	g.edit(row).up = list
	for i := range list {
		t := g.edit(list[i].role)
		t.down = append(slices.Clone(t.down), row)
	}
}

// link sets all edges of a graph that is being built.
func (g *graph) link(up map[uint32][]hold) {
	for row, list := range up {
		g.nodes[row].up = list
		for i := range list {
			t := g.nodes[list[i].role]
			t.down = append(t.down, row)
		}
	}
}

// withObjects is the graph in which the role of that row may do these things with single objects.
func (g *graph) withObjects(row uint32, list []objectHold, now int64) *graph {
	n := g.copied()
	n.edit(row).objects = list
	n.recompute(row, now)
	return n
}

// at is the graph with the edges that count at that time.
func (g *graph) at(now int64) *graph {
	n := g.copied()
	for row := range n.nodes {
		n.edit(uint32(row))
	}
	n.compile(now)
	return n
}

// compile computes all closures: each role after those it includes, so one pass suffices.
func (g *graph) compile(now int64) {
	g.until = never
	for _, row := range g.order(nil) {
		n := g.nodes[row]
		for i := range n.up {
			g.until = min(g.until, n.up[i].next(now))
		}
		n.live, n.ever = g.closures(n, now)
		g.live[row], g.ever[row] = n.live.set, n.ever.set
	}
}

// recompute computes the closure of a role that changed, and those of the roles above which it changes.
func (g *graph) recompute(row uint32, now int64) {
	within := map[uint32]bool{}
	for todo := []uint32{row}; len(todo) > 0; {
		r := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !within[r] {
			within[r] = true
			todo = append(todo, g.nodes[r].down...)
		}
	}
	changed := map[uint32]bool{}
	for _, r := range g.order(within) {
		if r != row && !slices.ContainsFunc(g.nodes[r].up, func(h hold) bool { return changed[h.role] }) {
			continue
		}
		was := g.nodes[r]
		live, ever := g.closures(was, now)
		if was.live != nil && live.equal(was.live) && ever.equal(was.ever) {
			continue
		}
		n := g.edit(r)
		n.live, n.ever = live, ever
		g.live[r], g.ever[r] = live.set, ever.set
		changed[r] = true
	}
}

// closures is what a role gives by the edges that count, and by all.
func (g *graph) closures(n *node, now int64) (live, ever *closure) {
	same := true
	for i := range n.up {
		t := g.nodes[n.up[i].role]
		same = same && n.up[i].counts(now) && t.live == t.ever
	}
	ever = g.union(n, func(h *hold) *closure { return g.nodes[h.role].ever })
	if same {
		return ever, ever
	}
	return g.union(n, func(h *hold) *closure {
		if h.counts(now) {
			return g.nodes[h.role].live
		}
		return nil
	}), ever
}

func (g *graph) union(n *node, of func(*hold) *closure) *closure {
	if len(n.up) == 0 && len(n.objects) == 0 {
		return n.own
	}
	all := &closure{set: slices.Clone(n.own.set), templates: slices.Clone(n.own.templates), objects: len(n.objects) > 0}
	for i := range n.up {
		if c := of(&n.up[i]); c != nil {
			all.include(g.cat, c, &n.up[i])
		}
	}
	all.order()
	return all
}

// order is the rows, or those of them that are within, each after those it includes. Were there a cycle in the data, it
// would still end.
func (g *graph) order(within map[uint32]bool) []uint32 {
	seen := make([]bool, len(g.nodes))
	order := make([]uint32, 0, max(len(within), 1))
	var visit func(r uint32)
	visit = func(r uint32) {
		if seen[r] || within != nil && !within[r] {
			return
		}
		seen[r] = true
		for i := range g.nodes[r].up {
			visit(g.nodes[r].up[i].role)
		}
		order = append(order, r)
	}
	if within == nil {
		for r := range g.nodes {
			visit(uint32(r))
		}
	}
	for r := range within {
		visit(r)
	}
	return order
}

// includes is what a role includes directly by edges that count, by key; never nil.
func (g *graph) includes(roleID string, now int64) []Role {
	all := []Role{}
	if row, ok := g.rows[roleID]; ok {
		for i := range g.nodes[row].up {
			if h := &g.nodes[row].up[i]; h.counts(now) {
				all = append(all, g.nodes[h.role].role)
			}
		}
	}
	slices.SortFunc(all, func(a, b Role) int { return cmp.Compare(a.Key, b.Key) })
	return slices.CompactFunc(all, func(a, b Role) bool { return a.ID == b.ID })
}

// instances writes what a closure gives, sorted; the parameters of the role by their names.
func (g *graph) instances(c *closure, params []string) []Instance {
	all := []Instance{}
	for p := range c.set.each() {
		if len(g.cat.params[p]) == 0 {
			all = append(all, Instance(g.cat.keys[p]))
			continue
		}
		for _, t := range c.of(p) {
			all = append(all, InstanceOf(g.cat.keys[p], t.slots.bindings(g.cat.params[p], params)))
		}
	}
	slices.Sort(all)
	return all
}
