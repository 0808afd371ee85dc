package rbac

import (
	"slices"
)

// path is the keys of the roles on a shortest path of edges from one role to another, both included; nil when there is
// none. Edges that do not count are edges. Of several it takes the one with the lowest grant ids.
func (g *graph) path(from, to uint32) []string {
	came := map[uint32]uint32{from: from}
	for queue := []uint32{from}; len(queue) > 0; queue = queue[1:] {
		r := queue[0]
		if r == to {
			return g.trace(came, to)
		}
		for _, h := range g.nodes[r].up {
			if _, seen := came[h.role]; !seen {
				came[h.role] = r
				queue = append(queue, h.role)
			}
		}
	}
	return nil
}

func (g *graph) trace(came map[uint32]uint32, to uint32) []string {
	keys := []string{g.nodes[to].role.Key}
	for r := to; came[r] != r; {
		r = came[r]
		keys = append(keys, g.nodes[r].role.Key)
	}
	slices.Reverse(keys)
	return keys
}

// chain is how many roles lie on the longest path that an edge from member to role would be part of.
func (g *graph) chain(member, role uint32) int {
	above := make([]int, len(g.nodes)) // roles on the longest path from here to member, 0 when there is none
	below := make([]int, len(g.nodes)) // roles on the longest path that begins here
	longest := 1
	for _, r := range g.order(nil) {
		below[r] = 1
		if r == member {
			above[r] = 1
		}
		for _, h := range g.nodes[r].up {
			below[r] = max(below[r], below[h.role]+1)
			if above[h.role] > 0 {
				above[r] = max(above[r], above[h.role]+1)
			}
		}
		longest = max(longest, above[r])
	}
	return longest + below[role]
}

// admit refuses an edge that would close a cycle or make a path too long.
func (g *graph) admit(member, role uint32) error {
	if back := g.path(role, member); back != nil {
		return ErrCycle.With("path", append([]string{g.nodes[member].role.Key}, back...))
	}
	if n := g.chain(member, role); n > MaxDepth {
		return ErrDepth.With("depth", n)
	}
	return nil
}

// reaches reports whether a role is or includes another by edges that count.
func (g *graph) reaches(from, to uint32, now int64) bool {
	seen := make([]bool, len(g.nodes))
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
		for i := range g.nodes[r].up {
			if h := &g.nodes[r].up[i]; h.counts(now) {
				todo = append(todo, h.role)
			}
		}
	}
	return false
}
