package rbac

import (
	"context"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
)

// Step is one edge of a way to a permission: by a grant, the member holds the role.
type Step struct {
	Grant string   // id
	Role  *Role    // what is held by it
	Bind  Bindings // of the role's parameters on this way
	edge  Bindings // as the edge says
}

// Explanation is why somebody may do something, or why not.
type Explanation struct {
	Decision
	User       string
	Permission Instance // with the arguments of the question; "report.view" when there were none
	On         ref.Ref

	Path       []Step    // the shortest way of grants that gives it, of several that with the lowest grant ids; nil for none
	Object     string    // id of the grant on the object that gives it, if no way does
	Supporting int       // how many grants lie on any way that gives it
	Predicates []Verdict // what each predicate said, the abstaining ones too
	Missing    []string  // when refused: what would be needed
	Roles      []Role    // when refused for want of a grant: roles that give it, at most 10, by key
}

// Explain answers a check for a user, and why. Needs rbac.role.read, or to be that user; who is that alone is not told of roles
// and expressions that are not on their way. Cost: as [Service.Require].
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, UNKNOWN_PERMISSION.
func (s *Service) Explain(ctx context.Context, user string, c Check) (Explanation, error) {
	a := actor.From(ctx)
	if a.User == "" || a.User != user {
		if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
			return Explanation{}, err
		}
		a = actor.Actor{User: user}
	}
	e, err := s.explain(ctx, a, c)
	if err == nil && !s.mayRead(ctx) {
		e.Roles = nil
		for i := range e.Predicates {
			e.Predicates[i].Expression = ""
		}
		if e.Reason == Predicated {
			e.Missing = []string{e.Predicate}
		}
	}
	return e, err
}

// DeniedError is why somebody was refused, as the cause of a FORBIDDEN. Logs show it, clients don't.
type DeniedError struct {
	Check  Check
	Reason Reason
}

// Error implements error.
func (d *DeniedError) Error() string {
	if d.Check.On.IsZero() {
		return d.Check.Permission + ": " + string(d.Reason)
	}
	return d.Check.Permission + " on " + d.Check.On.String() + ": " + string(d.Reason)
}

// Because explains to the actor of ctx why they were refused, in one line; empty if it can't. It is for development: it tells
// of roles they may not read.
func (s *Service) Because(ctx context.Context, d *DeniedError) string {
	e, err := s.explain(ctx, actor.From(ctx), d.Check)
	if err != nil {
		return ""
	}
	return e.Text()
}

func (s *Service) explain(ctx context.Context, a actor.Actor, c Check) (Explanation, error) {
	perm, ok := s.cat.ids[c.Permission]
	if !ok {
		return Explanation{}, unknown(c.Permission)
	}
	e := Explanation{User: a.User, On: c.On}
	d, p := s.consider(ctx, a, perm, c, &e.Predicates)
	if e.Decision = d; p == nil {
		return Explanation{}, ErrStale
	}
	now := s.now().UnixMilli()
	who := p.principal(a, now)
	q := question{perm: perm, n: len(s.cat.params[perm]), on: c.On}
	var object map[string]any
	if s.lacksArgs(perm, c) {
		var err error
		if object, err = s.attributes(ctx, c.On); err != nil {
			return Explanation{}, err
		}
	}
	s.fill(&q, c, object)
	e.Permission = s.instance(&q)
	w := search{p: p, q: &q, now: now}
	e.Path, e.Supporting = w.run(&who)
	if e.Path == nil && !c.On.IsZero() {
		e.Object = p.object(&who, &q, now)
	}
	if !d.Allowed {
		e.Missing, e.Roles = s.lacks(p, &e, &q)
	}
	return e, nil
}

// instance is the permission asked for with the arguments that were given.
func (s *Service) instance(q *question) Instance {
	if q.n == 0 {
		return Instance(s.cat.keys[q.perm])
	}
	m := map[string]string{}
	for i, name := range s.cat.params[q.perm] {
		if v := q.args[i].value; v != "" {
			m[name] = v
		}
	}
	return InstanceOf(s.cat.keys[q.perm], BindingsOf(m))
}

// lacks is what is missing for a yes.
func (s *Service) lacks(p *policy, e *Explanation, q *question) (missing []string, roles []Role) {
	switch e.Reason { //nolint:exhaustive // the rest lacks a grant
	case Predicated:
		for _, v := range e.Predicates {
			if v.Name == e.Predicate {
				missing = append(missing, v.Name+": "+v.Expression)
			}
		}
		return missing, nil
	case OutOfScope:
		return []string{"a credential whose scope holds " + s.cat.keys[q.perm]}, nil
	}
	for _, n := range p.graph.nodes {
		if n.own.set.has(q.perm) && len(roles) < 10 {
			roles = append(roles, n.role)
		}
	}
	slices.SortFunc(roles, func(a, b Role) int { return strings.Compare(a.Key, b.Key) })
	return []string{string(e.Permission)}, roles
}

// search walks the edges that count, breadth first, only where they can still lead to the instance.
type search struct {
	p   *policy
	q   *question
	now int64

	queue []stop
}

// stop is a role reached, with its parameters bound, and how.
type stop struct {
	role uint32
	from int    // place in the queue; -1 for the start
	bind *slots // nil for a role without parameters
	by   *hold
}

// same reports whether it is the same role with the same bindings.
func (s *stop) same(role uint32, bind *slots) bool {
	return s.role == role && (s.bind == bind || s.bind != nil && bind != nil && *s.bind == *bind)
}

// run gives the first of the shortest ways, and how many edges lie on any.
func (w *search) run(who *person) (path []Step, edges int) {
	w.queue = make([]stop, 0, 16)
	edges = w.expand(who.holds, nil, -1)
	end := -1
	for i := 0; i < len(w.queue); i++ {
		at := w.queue[i]
		n := w.p.graph.nodes[at.role]
		if end < 0 && n.own.set.has(w.q.perm) && n.own.covers(w.q.perm, w.q.n, at.bind, &w.q.args) {
			end = i
		}
		edges += w.expand(n.up, at.bind, i)
	}
	if end < 0 {
		return nil, 0
	}
	return w.steps(end), edges
}

// expand queues the roles that these edges lead to and counts the edges that can lead on.
func (w *search) expand(list []hold, holder *slots, from int) (edges int) {
	for i := range list {
		h := &list[i]
		if !h.counts(w.now) || !w.p.graph.live[h.role].has(w.q.perm) {
			continue
		}
		var bind *slots
		if h.bind != nil {
			bind = new(bindOf(h, holder))
		}
		if w.q.n > 0 && !w.p.graph.nodes[h.role].live.covers(w.q.perm, w.q.n, bind, &w.q.args) {
			continue
		}
		edges++
		if !w.reached(h.role, bind) {
			w.queue = append(w.queue, stop{h.role, from, bind, h})
		}
	}
	return edges
}

func (w *search) reached(role uint32, bind *slots) bool {
	for i := range w.queue {
		if w.queue[i].same(role, bind) {
			return true
		}
	}
	return false
}

func (w *search) steps(end int) []Step {
	long := 0
	for i := end; i >= 0; i = w.queue[i].from {
		long++
	}
	path := make([]Step, 0, long)
	for i := end; i >= 0; i = w.queue[i].from {
		at := w.queue[i]
		n := w.p.graph.nodes[at.role]
		step := Step{Grant: at.by.grant, Role: &n.role}
		if len(n.params) > 0 {
			step.Bind = at.bind.bindings(n.params, nil)
			var holder []string
			if at.from >= 0 {
				holder = w.p.graph.nodes[w.queue[at.from].role].params
			}
			step.edge = at.by.bind.bindings(n.params, holder)
		}
		path = append(path, step)
	}
	slices.Reverse(path)
	return path
}

// Text is the way as one line: "u -[g1]-> eu-lead -[g2 region=EU]-> report-viewer(region=EU) => report.view(region=EU)".
// Without a way it is the reason, and what is missing.
func (e Explanation) Text() string {
	var b strings.Builder
	b.WriteString(e.User)
	for _, s := range e.Path {
		b.WriteString(" -[" + s.Grant)
		if s.edge != "" {
			b.WriteString(" " + string(s.edge))
		}
		b.WriteString("]-> " + string(InstanceOf(s.Role.Key, s.Bind)))
	}
	if e.Object != "" {
		b.WriteString(" -[" + e.Object + "]-> " + e.On.String())
	}
	if e.Path != nil || e.Object != "" {
		b.WriteString(" => " + string(e.Permission))
	}
	for _, v := range e.Predicates {
		b.WriteString("; " + v.Name + " says " + v.Outcome.String())
	}
	if !e.Allowed {
		b.WriteString(": " + string(e.Reason))
		if len(e.Missing) > 0 {
			b.WriteString(", missing " + strings.Join(e.Missing, ", "))
		}
	}
	return b.String()
}
