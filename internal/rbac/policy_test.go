package rbac

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/ref"
)

// oracle is the policy as plain lists and maps, answered by walking.
type oracle struct {
	roles  []Role
	grants map[string]Grant
}

// ways are the edges that a walk may use.
type ways func(g Grant) bool

func counting(at time.Time) ways {
	return func(g Grant) bool {
		return g.Inherit() && (g.ExpiresAt == nil || at.Before(*g.ExpiresAt)) && (g.NotBefore == nil || !at.Before(*g.NotBefore))
	}
}

func anyWay(Grant) bool { return true }

func (o *oracle) held(member ref.Ref, pass ways) []Grant {
	var all []Grant
	for _, g := range o.grants {
		if g.Member == member && pass(g) {
			all = append(all, g)
		}
	}
	return all
}

func (o *oracle) role(id string) Role {
	return o.roles[slices.IndexFunc(o.roles, func(r Role) bool { return r.ID == id })]
}

// bind is bindings with the variables replaced by what the holder's parameters are.
func bind(b Bindings, holder map[string]string) map[string]string {
	m := b.Map()
	for k, v := range m {
		if name, isVar := strings.CutPrefix(v, "$"); isVar {
			m[k] = holder[name]
		}
	}
	return m
}

// can walks from the user to every instance there is.
func (o *oracle) can(user, permission string, args map[string]string, pass ways) bool {
	type state struct {
		role string
		bind Bindings
	}
	seen := map[state]bool{}
	var todo []state
	push := func(member ref.Ref, holder map[string]string) {
		for _, g := range o.held(member, pass) {
			todo = append(todo, state{g.Role, BindingsOf(bind(g.Bind, holder))})
		}
	}
	for push(ref.New(ref.User, user), nil); len(todo) > 0; todo = todo[1:] {
		at := todo[0]
		if seen[at] {
			continue
		}
		seen[at] = true
		for _, i := range o.role(at.role).Permissions {
			key, b := i.Split()
			given := bind(b, at.bind.Map())
			if key == permission && !slices.ContainsFunc(slices.Collect(maps.Keys(given)), func(name string) bool {
				return given[name] != Any && given[name] != args[name]
			}) {
				return true
			}
		}
		push(ref.New(ref.Role, at.role), at.bind.Map())
	}
	return false
}

// longest is how many roles the longest path from a role has.
func (o *oracle) longest(role string) int {
	n := 1
	for _, up := range o.held(ref.New(ref.Role, role), anyWay) {
		n = max(n, 1+o.longest(up.Role))
	}
	return n
}

// shortest is the length of a shortest path in roles, 0 when there is none.
func (o *oracle) shortest(from, to string) int {
	if from == to {
		return 1
	}
	best := 0
	for _, up := range o.held(ref.New(ref.Role, from), anyWay) {
		if n := o.shortest(up.Role, to); n > 0 && (best == 0 || n+1 < best) {
			best = n + 1
		}
	}
	return best
}

var testUsers = []string{"u0", "u1", "u2"}

// asked is every question about a permission of the test catalogue.
func asked(cat *catalogue) (all []Check) {
	for i, key := range cat.keys {
		if len(cat.params[i]) == 0 {
			all = append(all, Check{Permission: key})
			continue
		}
		for _, args := range []map[string]string{nil, {"region": "EU"}, {"region": "US"}} {
			all = append(all, Check{Permission: key, Args: args})
		}
	}
	return all
}

// agrees compares every decision of a policy with the walk.
func (o *oracle) agrees(t interface{ Fatalf(string, ...any) }, p *policy, at time.Time) {
	s := &Service{cat: p.graph.cat}
	for _, user := range testUsers {
		who := p.people.of(user)
		for _, c := range asked(p.graph.cat) {
			perm := p.graph.cat.ids[c.Permission]
			q := question{perm: perm, n: len(p.graph.cat.params[perm])}
			s.fill(&q, c, nil)
			d := decision(p.decide(&who, &q, at.UnixMilli()), p.rev)
			if want := o.can(user, c.Permission, c.Args, counting(at)); d.Allowed != want || (d.Reason == Allowed) != want {
				t.Fatalf("may %s %s %v? %+v, want %v", user, c.Permission, c.Args, d, want)
			}
			if d.Reason == NoPath && o.can(user, c.Permission, map[string]string{"region": Any}, anyWay) {
				t.Fatalf("%s has a way to %s: %+v", user, c.Permission, d)
			}
			w := search{p: p, q: &q, now: at.UnixMilli()}
			if path, edges := w.run(&who); (len(path) > 0) != d.Allowed || edges < len(path) {
				t.Fatalf("%s %s %v: %+v by %v of %d", user, c.Permission, c.Args, d, path, edges)
			}
		}
	}
}

var instancesOfTest = []Instance{permP, permQ, permR, PermRoleRead, "report.view(region=EU)", "report.view(region=*)"}

// drawGrant makes an edge with options; bound as the roles need it.
func drawGrant(o *oracle, role Role, member ref.Ref, pick func(n int) int, at time.Time) Grant {
	g := Grant{ID: ref.NewID(), Role: role.ID, Member: member, NoInherit: pick(4) == 0, NoSet: pick(4) == 0, Admin: pick(4) == 0}
	for _, p := range role.Params {
		words := []string{"EU", "US", Any}
		if member.Type == ref.Role && len(o.role(member.ID).Params) > 0 {
			words = append(words, "$"+o.role(member.ID).Params[0].Name)
		}
		g.Bind = BindingsOf(map[string]string{p.Name: words[pick(len(words))]})
	}
	if pick(3) == 0 {
		g.ExpiresAt = new(at.Add(time.Duration(pick(8)-2) * time.Second))
	}
	if pick(4) == 0 {
		g.NotBefore = new(at.Add(time.Duration(pick(6)-3) * time.Second))
	}
	return g
}

func drawRole(pick func(n int) int) Role {
	id := ref.NewID()
	r := Role{ID: id, Key: id}
	words := instancesOfTest
	if pick(2) == 0 {
		r.Params = []Param{{Name: "where", Type: ParamEnum, Values: []string{"EU", "US"}}}
		words = append(slices.Clone(words), "report.view(region=$where)")
	}
	for range pick(3) {
		r.Permissions = append(r.Permissions, words[pick(len(words))])
	}
	r.Permissions = normal(r.Permissions)
	return r
}

// TestRandomGraphs compares the decisions of 1,000 random policies, compiled at once, with walks.
func TestRandomGraphs(t *testing.T) {
	t.Parallel()
	cat := newCatalogue(testCatalogue())
	allowed := 0
	for seed := range uint64(1000) {
		rnd := rand.New(rand.NewPCG(seed, 6))
		o := &oracle{grants: map[string]Grant{}}
		for range 2 + rnd.IntN(8) {
			o.roles = append(o.roles, drawRole(rnd.IntN))
		}
		for range rnd.IntN(20) {
			member := ref.New(ref.User, testUsers[rnd.IntN(len(testUsers))])
			role := o.roles[rnd.IntN(len(o.roles))]
			if rnd.IntN(3) > 0 {
				member = o.roles[rnd.IntN(len(o.roles))].Ref()
			}
			if member.Type == ref.User || o.shortest(role.ID, member.ID) == 0 {
				g := drawGrant(o, role, member, rnd.IntN, t0)
				o.grants[g.ID] = g
			}
		}
		p := build(cat, stored{roles: o.roles, grants: slices.Collect(maps.Values(o.grants))}, t0.UnixMilli())
		o.agrees(t, p, t0)
		for _, user := range testUsers {
			who := p.people.of(user)
			allowed += len(p.graph.instances(p.rights(&who, t0.UnixMilli()), nil))
		}
	}
	if allowed < 1000 {
		t.Errorf("only %d instances were held: these graphs prove nothing", allowed)
	}
}

// TestPolicyAgainstWalking changes a policy at random, by the same steps as a node does, and compares every decision, path
// and depth with a walk over plain lists; and the patched policy with one compiled anew.
func TestPolicyAgainstWalking(t *testing.T) {
	t.Parallel()
	cat := newCatalogue(testCatalogue())
	rapid.Check(t, func(t *rapid.T) {
		o := &oracle{grants: map[string]Grant{}}
		clk := clock.NewManual(t0)
		ms := func() int64 { return clk.Now().UnixMilli() }
		pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }
		p := build(cat, stored{}, ms())
		apply := func(c change) {
			c.Rev = p.rev + 1
			next, ok := p.apply([]change{c}, ms())
			if !ok {
				t.Fatalf("%+v does not fit", c)
			}
			p = next
		}
		role := func() Role { return o.roles[pick(len(o.roles))] }
		grant := func() Grant {
			return o.grants[rapid.SampledFrom(slices.Sorted(maps.Keys(o.grants))).Draw(t, "grant")]
		}
		addRole := func(*rapid.T) {
			r := drawRole(pick)
			o.roles = append(o.roles, r)
			apply(change{kind: kindRoleCreated, Role: &r})
		}
		addRole(t)
		t.Repeat(map[string]func(*rapid.T){
			"role": addRole,
			"update": func(*rapid.T) {
				i := pick(len(o.roles))
				o.roles[i].Permissions = []Instance{instancesOfTest[pick(len(instancesOfTest))]}
				r := o.roles[i]
				apply(change{kind: kindRoleUpdated, Role: &r})
			},
			"grant": func(t *rapid.T) {
				member := ref.New(ref.User, testUsers[pick(len(testUsers))])
				if pick(2) == 0 {
					member = role().Ref()
				}
				g := drawGrant(o, role(), member, pick, clk.Now())
				if member.Type == ref.Role {
					checkEdge(t, o, p.graph, g)
					if o.shortest(g.Role, g.Member.ID) > 0 {
						return // a cycle, refused
					}
				}
				o.grants[g.ID] = g
				apply(change{kind: kindGrantCreated, Grant: &g})
			},
			"change": func(*rapid.T) {
				if len(o.grants) > 0 {
					g := grant()
					g.ExpiresAt, g.NoInherit = nil, pick(2) == 0
					o.grants[g.ID] = g
					apply(change{kind: kindGrantChanged, Grant: &g})
				}
			},
			"revoke": func(*rapid.T) {
				if len(o.grants) > 0 {
					g := grant()
					delete(o.grants, g.ID)
					apply(change{kind: kindGrantRevoked, Grant: &g})
				}
			},
			"delete": func(*rapid.T) {
				if len(o.roles) < 2 {
					return
				}
				i := pick(len(o.roles))
				gone := o.roles[i]
				for _, id := range slices.Sorted(maps.Keys(o.grants)) {
					if g := o.grants[id]; g.Role == gone.ID || g.Member == gone.Ref() {
						delete(o.grants, id)
						apply(change{kind: kindGrantCascaded, Grant: &g})
					}
				}
				apply(change{kind: kindRoleDeleted, Role: &gone})
				o.roles = slices.Delete(o.roles, i, i+1)
				addRole(t)
			},
			"wait": func(*rapid.T) {
				clk.Advance(time.Duration(1+pick(2000)) * time.Millisecond)
				if ms() >= p.graph.until {
					next := *p
					next.graph = p.graph.at(ms())
					p = &next
				}
			},
			"": func(t *rapid.T) {
				whole := build(cat, stored{rev: p.rev, roles: o.roles, grants: slices.Collect(maps.Values(o.grants))}, ms())
				o.agrees(t, p, clk.Now())
				o.agrees(t, whole, clk.Now())
				for _, user := range testUsers {
					a, b := p.people.of(user), whole.people.of(user)
					if !slices.Equal(p.graph.instances(p.rights(&a, ms()), nil), whole.graph.instances(whole.rights(&b, ms()), nil)) {
						t.Fatalf("the rights of %s differ", user)
					}
				}
				if p.graph.until > whole.graph.until {
					t.Fatalf("until %d, want no later than %d", p.graph.until, whole.graph.until)
				}
			},
		})
	})
}

// checkEdge compares what the graph says of a new edge with walking.
func checkEdge(t *rapid.T, o *oracle, g *graph, edge Grant) {
	member, role := g.rows[edge.Member.ID], g.rows[edge.Role]
	path := g.path(role, member)
	if len(path) != o.shortest(edge.Role, edge.Member.ID) {
		t.Fatalf("path %v, shortest %d", path, o.shortest(edge.Role, edge.Member.ID))
	}
	if path != nil {
		return
	}
	above := 1
	for _, r := range o.roles {
		if o.shortest(r.ID, edge.Member.ID) > 0 {
			above = max(above, o.longestTo(r.ID, edge.Member.ID))
		}
	}
	if want := above + o.longest(edge.Role); g.chain(member, role) != want {
		t.Fatalf("chain %d, want %d", g.chain(member, role), want)
	}
}

// longestTo is how many roles the longest path from one role to another has; there is one.
func (o *oracle) longestTo(from, to string) int {
	if from == to {
		return 1
	}
	best := 0
	for _, up := range o.held(ref.New(ref.Role, from), anyWay) {
		if o.shortest(up.Role, to) > 0 {
			best = max(best, 1+o.longestTo(up.Role, to))
		}
	}
	return best
}

// A policy in force does not change under those who look at it.
func TestPolicyIsImmutable(t *testing.T) {
	t.Parallel()
	cat := newCatalogue(testCatalogue())
	now := t0.UnixMilli()
	a, b := Role{ID: "a", Key: "a", Permissions: []Instance{permP}}, Role{ID: "b", Key: "b"}
	user := ref.New(ref.User, "u")
	before := build(cat, stored{rev: 1, roles: []Role{a, b}, grants: []Grant{{ID: "g1", Member: user, Role: "b"}}}, now)
	may := func(p *policy) bool {
		who := p.people.of("u")
		return p.decide(&who, &question{perm: cat.ids[permP]}, now) == Allowed
	}
	for _, c := range []change{
		{kind: kindGrantCreated, Rev: 2, Grant: &Grant{ID: "g2", Member: user, Role: "a"}},
		{kind: kindGrantCreated, Rev: 2, Grant: &Grant{ID: "g2", Member: b.Ref(), Role: "a"}},
		{kind: kindRoleUpdated, Rev: 2, Role: &Role{ID: "b", Key: "b", Permissions: []Instance{permP}}},
	} {
		after, ok := before.apply([]change{c}, now)
		if !ok || !may(after) || after.rev != 2 {
			t.Errorf("%+v has no effect", c)
		}
		if may(before) || before.rev != 1 {
			t.Fatalf("%+v changed the policy in force", c)
		}
	}
	for _, c := range []change{
		{Rev: 2},
		{kind: kindGrantCreated, Rev: 2, Grant: &Grant{ID: "g", Member: user, Role: "nowhere"}},
		{kind: kindGrantCreated, Rev: 2, Grant: &Grant{ID: "g", Member: ref.New(ref.Role, "nowhere"), Role: "a"}},
	} {
		if _, ok := before.apply([]change{c}, now); ok {
			t.Errorf("%+v fits", c)
		}
	}
}

// A cycle that somebody wrote into the database by hand ends no check and no walk in a loop.
func TestCycleInTheData(t *testing.T) {
	t.Parallel()
	cat := newCatalogue(testCatalogue())
	a, b := Role{ID: "a", Key: "a", Permissions: []Instance{permP}}, Role{ID: "b", Key: "b"}
	p := build(cat, stored{rev: 1, roles: []Role{a, b}, grants: []Grant{
		{ID: "1", Member: a.Ref(), Role: "b"}, {ID: "2", Member: b.Ref(), Role: "a"}, {ID: "3", Member: ref.New(ref.User, "u"), Role: "a"},
	}}, 0)
	who := p.people.of("u")
	if p.decide(&who, &question{perm: cat.ids[permP]}, 0) != Allowed {
		t.Error("the role's own permission is lost")
	}
	if p.graph.chain(0, 1) < 2 || p.graph.path(0, 1) == nil || !p.graph.reaches(1, 0, 0) {
		t.Error("walks")
	}
}

// More permissions than fit one word.
func TestWideCatalogue(t *testing.T) {
	t.Parallel()
	about := map[string]string{}
	for i := range 130 {
		about[fmt.Sprintf("x.%03d", i)] = "x"
	}
	cat := newCatalogue(about)
	s := cat.compile([]Instance{"x.000", "x.063", "x.064", "x.129", "unknown"}, nil).set
	if got := cat.list(s); !slices.Equal(got, []string{"x.000", "x.063", "x.064", "x.129"}) {
		t.Errorf("%v", got)
	}
	if all := cat.compile([]Instance{Every}, nil).set; len(cat.list(all)) != 130 {
		t.Error("sets")
	}
}
