package rbac

import (
	"slices"
	"sort"

	"github.com/backendbook/backendbook/internal/ref"
)

// question is a check in the words of one policy. Its slots are the arguments; one that was not given has no value.
type question struct {
	perm uint32
	n    int // how many parameters the permission has
	args slots
	some bool // is any instance of the permission held?
	on   ref.Ref
}

// decide answers a question from grants alone; predicates narrow it after. It is the hot path: no lock, no allocation.
func (p *policy) decide(who *person, q *question, now int64) Reason {
	if q.n == 0 && q.on.IsZero() && !q.some {
		if why := p.glance(who, q.perm); why != "" {
			return why
		}
	}
	for i := range who.holds {
		h := &who.holds[i]
		if !h.counts(now) || !p.graph.live[h.role].has(q.perm) {
			continue
		}
		if q.n == 0 || q.some || p.graph.nodes[h.role].live.covers(q.perm, q.n, h.bind, &q.args) {
			return Allowed
		}
	}
	if q.some || !q.on.IsZero() {
		if p.object(who, q, now) != "" {
			return Allowed
		}
	}
	return p.refusal(who, q, now)
}

// glance answers most questions about a permission as such that has no parameters; empty if it takes a longer look.
func (p *policy) glance(who *person, perm uint32) Reason {
	ever := !who.only
	for _, row := range who.plain {
		if row == 0 {
			continue
		}
		if p.graph.live[row-1].has(perm) {
			return Allowed
		}
		ever = ever || p.graph.ever[row-1].has(perm)
	}
	if ever {
		return ""
	}
	return NoPath
}

// refusal is why there is no right. Of several ways that fail it tells of the one that is nearest to success.
func (p *policy) refusal(who *person, q *question, now int64) Reason {
	near := false
	for i := range who.holds {
		near = near || p.graph.nodes[who.holds[i].role].ever.set.has(q.perm)
	}
	if !near {
		return NoPath
	}
	for _, way := range []struct {
		pass   func(h *hold) bool
		reason Reason
	}{
		{func(h *hold) bool { return h.lives(now) }, NotInherited},
		{func(h *hold) bool { return h.flags&noInherit == 0 && h.from <= now }, Expired},
		{func(h *hold) bool { return h.flags&noInherit == 0 && now < h.until }, NotYet},
		{func(*hold) bool { return true }, NotInherited},
	} {
		w := walk{p: p, q: *q, pass: way.pass}
		if w.found(who) {
			return way.reason
		}
	}
	for i := range q.n {
		if q.args[i].value == "" {
			return ArgRequired
		}
	}
	return BindingMismatch
}

// walk looks for a way from a person to an instance over edges that pass, whether they count or not. It allocates: it serves
// refusals.
type walk struct {
	p    *policy
	q    question // a copy: what is put on the heap here stays off it in decide
	pass func(*hold) bool
	seen []visit
}

// visit is a role with its parameters bound.
type visit struct {
	role uint32
	bind slots
}

func (w *walk) found(who *person) bool {
	for i := range who.holds {
		if h := &who.holds[i]; w.pass(h) && w.from(visit{h.role, bindOf(h, nil)}) {
			return true
		}
	}
	return false
}

func (w *walk) from(v visit) bool {
	n := w.p.graph.nodes[v.role]
	if !n.ever.set.has(w.q.perm) || slices.Contains(w.seen, v) {
		return false
	}
	w.seen = append(w.seen, v)
	if n.own.set.has(w.q.perm) && (w.q.some || n.own.covers(w.q.perm, w.q.n, &v.bind, &w.q.args)) {
		return true
	}
	for i := range n.up {
		if h := &n.up[i]; w.pass(h) && w.from(visit{h.role, bindOf(h, &v.bind)}) {
			return true
		}
	}
	return false
}

// bindOf is how a role's parameters are bound by an edge from a holder whose own are bound like that.
func bindOf(h *hold, holder *slots) slots {
	switch {
	case h.bind == nil:
		return slots{}
	case holder == nil:
		return *h.bind
	default:
		return h.bind.through(holder, MaxParams)
	}
}

// object is the id of a grant on the very object that answers the question, or on any when that suffices; empty for none.
func (p *policy) object(who *person, q *question, now int64) string {
	if id := searchObject(who.objects, q, now); id != "" {
		return id
	}
	for i := range who.holds {
		if h := &who.holds[i]; h.counts(now) && p.graph.nodes[h.role].live.objects {
			if id := p.roleObject(h.role, q, now); id != "" {
				return id
			}
		}
	}
	return ""
}

func (p *policy) roleObject(row uint32, q *question, now int64) string {
	n := p.graph.nodes[row]
	if id := searchObject(n.objects, q, now); id != "" {
		return id
	}
	for i := range n.up {
		if h := &n.up[i]; h.counts(now) && p.graph.nodes[h.role].live.objects {
			if id := p.roleObject(h.role, q, now); id != "" {
				return id
			}
		}
	}
	return ""
}

func searchObject(list []objectHold, q *question, now int64) string {
	i := sort.Search(len(list), func(i int) bool {
		o := &list[i]
		if o.perm != q.perm || q.some {
			return o.perm >= q.perm
		}
		return o.on.Type > q.on.Type || o.on.Type == q.on.Type && o.on.ID >= q.on.ID
	})
	for ; i < len(list) && list[i].perm == q.perm && (q.some || list[i].on == q.on); i++ {
		if now < list[i].until {
			return list[i].grant
		}
	}
	return ""
}

// rights is all that a person is given, whatever the instance.
func (p *policy) rights(who *person, now int64) *closure {
	all := &closure{set: make(set, p.graph.cat.words())}
	for i := range who.holds {
		if h := &who.holds[i]; h.counts(now) {
			all.include(p.graph.cat, p.graph.nodes[h.role].live, h)
		}
	}
	all.order()
	return all
}

// missing is what is needed and not given, in words: of needed, the parameters of its role count as any value.
func (p *policy) missing(mine, needed *closure, holder *slots, params []string) []string {
	cat := p.graph.cat
	all := []string{}
	for perm := range needed.set.each() {
		n := len(cat.params[perm])
		if n == 0 {
			if !mine.set.has(perm) {
				all = append(all, cat.keys[perm])
			}
			continue
		}
		for _, t := range needed.of(perm) {
			need := t.slots
			if holder != nil {
				need = need.through(holder, n)
			}
			if !mine.set.has(perm) || !mine.covers(perm, n, nil, &need) {
				all = append(all, string(InstanceOf(cat.keys[perm], need.bindings(cat.params[perm], params))))
			}
		}
	}
	return all
}
