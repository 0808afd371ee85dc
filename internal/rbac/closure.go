package rbac

import (
	"cmp"
	"slices"
	"sort"

	"github.com/backendbook/backendbook/internal/actor"
)

// template is a permission with parameters as a role gives it: which values are covered once the parameters of the role are
// bound.
type template struct {
	perm  uint32
	slots slots
}

func anySlots() (all slots) {
	for i := range all {
		all[i].from = anyValue
	}
	return all
}

// closure is what a role gives: its own permissions and those of all it includes. It is immutable once it is ordered.
type closure struct {
	set       set        // the permissions it has in some instance
	templates []template // the instances of those that have parameters, by permission; none covers another
	objects   bool       // the role, or one it includes, has grants on single objects
}

// add puts in one instance. The closure must be put in order after.
func (c *closure) add(cat *catalogue, t template) {
	c.set.add(t.perm)
	if len(cat.params[t.perm]) > 0 {
		c.templates = append(c.templates, t)
	}
}

// include puts in what another role gives, its parameters bound as the edge says. The closure must be put in order after.
func (c *closure) include(cat *catalogue, other *closure, h *hold) {
	c.set.merge(other.set)
	c.objects = c.objects || other.objects
	for _, t := range other.templates {
		if h.bind != nil {
			t.slots = t.slots.through(h.bind, len(cat.params[t.perm]))
		}
		c.templates = append(c.templates, t)
	}
}

// order sorts the templates and leaves out those that others cover.
func (c *closure) order() {
	if len(c.templates) == 0 {
		return
	}
	slices.SortStableFunc(c.templates, func(a, b template) int { return cmp.Compare(a.perm, b.perm) })
	kept := c.templates[:0]
	for i := 0; i < len(c.templates); {
		end := i
		for end < len(c.templates) && c.templates[end].perm == c.templates[i].perm {
			end++
		}
		kept = append(kept, minimal(c.templates[i:end])...)
		i = end
	}
	c.templates = slices.Clip(kept)
}

// minimal is the templates of one permission without those that another one covers. Only what has a parameter of any value can
// cover anything but itself, and there are few of those; so thousands of instances with values do not have to be compared.
func minimal(all []template) []template {
	if len(all) == 1 {
		return all
	}
	seen := make(map[slots]bool, len(all))
	var wide, narrow []template
	for _, t := range all {
		switch {
		case seen[t.slots]:
		case slices.ContainsFunc(t.slots[:], func(s slot) bool { return s.from == anyValue }):
			wide = append(wide, t)
		default:
			narrow = append(narrow, t)
		}
		seen[t.slots] = true
	}
	covered := func(t template) bool {
		return slices.ContainsFunc(wide, func(w template) bool { return w.slots != t.slots && w.slots.covers(&t.slots, MaxParams) })
	}
	kept := make([]template, 0, len(wide)+len(narrow))
	for _, list := range [][]template{wide, narrow} {
		for _, t := range list {
			if !covered(t) {
				kept = append(kept, t)
			}
		}
	}
	return kept
}

// of is the templates of a permission.
func (c *closure) of(perm uint32) []template {
	i := sort.Search(len(c.templates), func(i int) bool { return c.templates[i].perm >= perm })
	end := i
	for end < len(c.templates) && c.templates[end].perm == perm {
		end++
	}
	return c.templates[i:end]
}

// covers reports whether the role, its parameters bound like that, gives the instance asked for of a permission it has in
// some instance; n is how many parameters that has.
func (c *closure) covers(perm uint32, n int, holder, asked *slots) bool {
	if n == 0 {
		return true
	}
	all := c.of(perm)
	for i := range all {
		if all[i].gives(n, holder, asked) {
			return true
		}
	}
	return false
}

// gives is [slots.covers] after [slots.through], without making the latter.
func (t *template) gives(n int, holder, asked *slots) bool {
	for i := range n {
		s := &t.slots[i]
		if s.from >= 0 && holder != nil {
			s = &holder[s.from]
		}
		if s.from != anyValue && *s != asked[i] {
			return false
		}
	}
	return true
}

// equal reports whether two closures give the same.
func (c *closure) equal(d *closure) bool {
	return c == d || c.objects == d.objects && slices.Equal(c.set, d.set) && slices.Equal(c.templates, d.templates)
}

// limit takes away what an access key or an impersonator may not use.
func (c *closure) limit(cat *catalogue, scope *actor.Scope) {
	if scope == nil {
		return
	}
	for p := range c.set.each() {
		if !scope.Has(cat.keys[p]) {
			c.set[p>>6] &^= 1 << (p & 63)
		}
	}
	c.templates = slices.DeleteFunc(c.templates, func(t template) bool { return !c.set.has(t.perm) })
}
