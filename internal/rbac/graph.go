package rbac

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// never is the end of a grant without one, in unix milliseconds.
const never = math.MaxInt64

// hold is one grant as the snapshot keeps it: in the list of its member.
type hold struct {
	grant string // id
	role  uint32 // row
	until int64  // unix ms from which on it counts no more
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

// graph is the roles and their edges, compiled for a time. It is immutable: with and without give a new one that
// shares what did not change. A role keeps its row for the life of the process.
type graph struct {
	cat   *catalogue
	roles []Role
	rows  map[string]uint32 // by role id
	keys  map[string]uint32 // by role key
	up    [][]hold          // row -> what the role includes

	live  []uint64 // one set for each row: the closure over the edges that count
	ever  []uint64 // the same over all edges, the expired too; shares live's memory when none has expired
	until int64    // when the next edge expires: from then on live is out of date
}

func newGraph(cat *catalogue) *graph {
	return &graph{cat: cat, rows: map[string]uint32{}, keys: map[string]uint32{}, until: never}
}

// setRole adds or replaces a role in a graph that is being built.
func (g *graph) setRole(r Role) {
	if row, ok := g.rows[r.ID]; ok {
		g.roles[row] = r
		return
	}
	row := uint32(len(g.roles)) //nolint:gosec // roles are counted in thousands
	g.rows[r.ID], g.keys[r.Key] = row, row
	g.roles, g.up = append(g.roles, r), append(g.up, nil)
}

func (g *graph) withRole(r Role, now int64) *graph {
	n := *g
	n.rows, n.keys = maps.Clone(g.rows), maps.Clone(g.keys)
	n.roles, n.up = slices.Clone(g.roles), slices.Clone(g.up)
	n.setRole(r)
	n.compile(now)
	return &n
}

// withHolds is the graph in which the role of that row includes these.
func (g *graph) withHolds(row uint32, list []hold, now int64) *graph {
	n := *g
	n.up = slices.Clone(g.up)
	n.up[row] = list
	n.compile(now)
	return &n
}

// at is the graph with the edges that count at that time.
func (g *graph) at(now int64) *graph {
	n := *g
	n.compile(now)
	return &n
}

func (g *graph) row(all []uint64, row uint32) set {
	w := g.cat.words()
	return all[int(row)*w : (int(row)+1)*w]
}

// compile computes the closures: each role after those it includes, so one pass suffices.
func (g *graph) compile(now int64) {
	order := g.order()
	g.until = never
	expired := false
	for _, list := range g.up {
		for _, h := range list {
			if h.until <= now {
				expired = true
			} else {
				g.until = min(g.until, h.until)
			}
		}
	}
	g.live = g.closures(order, now)
	g.ever = g.live
	if expired {
		g.ever = g.closures(order, math.MinInt64)
	}
}

func (g *graph) closures(order []uint32, now int64) []uint64 {
	all := make([]uint64, len(g.roles)*g.cat.words())
	for _, r := range order {
		row := g.row(all, r)
		row.merge(g.cat.of(g.roles[r].Permissions))
		for _, h := range g.up[r] {
			if now < h.until {
				row.merge(g.row(all, h.role))
			}
		}
	}
	return all
}

// order is all rows, each after those it includes. Were there a cycle in the data, it would still end.
func (g *graph) order() []uint32 {
	seen := make([]bool, len(g.roles))
	order := make([]uint32, 0, len(g.roles))
	var visit func(r uint32)
	visit = func(r uint32) {
		if seen[r] {
			return
		}
		seen[r] = true
		for _, h := range g.up[r] {
			visit(h.role)
		}
		order = append(order, r)
	}
	for r := range g.roles {
		visit(uint32(r))
	}
	return order
}

// path is the keys of the roles on a shortest path of edges from one role to another, both included; nil when there is
// none. Expired edges count: they can be extended. Of several it takes the one with the lowest grant ids.
func (g *graph) path(from, to uint32) []string {
	came := map[uint32]uint32{from: from}
	for queue := []uint32{from}; len(queue) > 0; queue = queue[1:] {
		r := queue[0]
		if r == to {
			return g.trace(came, to)
		}
		for _, h := range g.up[r] {
			if _, seen := came[h.role]; !seen {
				came[h.role] = r
				queue = append(queue, h.role)
			}
		}
	}
	return nil
}

func (g *graph) trace(came map[uint32]uint32, to uint32) []string {
	keys := []string{g.roles[to].Key}
	for r := to; came[r] != r; {
		r = came[r]
		keys = append(keys, g.roles[r].Key)
	}
	slices.Reverse(keys)
	return keys
}

// chain is how many roles lie on the longest path that an edge from member to role would be part of.
func (g *graph) chain(member, role uint32) int {
	above := make([]int, len(g.roles)) // roles on the longest path from here to member, 0 when there is none
	below := make([]int, len(g.roles)) // roles on the longest path that begins here
	longest := 1
	for _, r := range g.order() {
		below[r] = 1
		if r == member {
			above[r] = 1
		}
		for _, h := range g.up[r] {
			below[r] = max(below[r], below[h.role]+1)
			if above[h.role] > 0 {
				above[r] = max(above[r], above[h.role]+1)
			}
		}
		longest = max(longest, above[r])
	}
	return longest + below[role]
}

// reaches reports whether a role is or includes another by edges that count.
func (g *graph) reaches(from, to uint32, now int64) bool {
	seen := make([]bool, len(g.roles))
	for todo := []uint32{from}; len(todo) > 0; {
		r := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if r == to {
			return true
		}
		if seen[r] {
			continue
		}
		seen[r] = true
		for _, h := range g.up[r] {
			if now < h.until {
				todo = append(todo, h.role)
			}
		}
	}
	return false
}

// admit refuses an edge that would close a cycle or make a path too long.
func (g *graph) admit(member, role uint32) error {
	if back := g.path(role, member); back != nil {
		return ErrCycle.With("path", append([]string{g.roles[member].Key}, back...))
	}
	if n := g.chain(member, role); n > MaxDepth {
		return ErrDepth.With("depth", n)
	}
	return nil
}

// includes is what a role includes directly by edges that count, by key; never nil.
func (g *graph) includes(roleID string, now int64) []Role {
	all := []Role{}
	if row, ok := g.rows[roleID]; ok {
		for _, h := range g.up[row] {
			if now < h.until {
				all = append(all, g.roles[h.role])
			}
		}
	}
	slices.SortFunc(all, func(a, b Role) int { return cmp.Compare(a.Key, b.Key) })
	return slices.CompactFunc(all, func(a, b Role) bool { return a.ID == b.ID })
}
