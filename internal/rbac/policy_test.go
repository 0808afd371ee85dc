package rbac

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/ref"
)

// oracle is the policy as plain lists, answered by walking.
type oracle struct {
	roles  []Role
	grants map[string]Grant
}

func (o *oracle) held(member ref.Ref, at time.Time, expired bool) []string {
	var all []string
	for _, g := range o.grants {
		if g.Member == member && (expired || g.ExpiresAt == nil || at.Before(*g.ExpiresAt)) {
			all = append(all, g.Role)
		}
	}
	return all
}

// can walks from the user; live edges or all of them.
func (o *oracle) can(user, permission string, at time.Time, expired bool) bool {
	seen := map[string]bool{}
	for todo := o.held(ref.New(ref.User, user), at, expired); len(todo) > 0; todo = todo[1:] {
		if seen[todo[0]] {
			continue
		}
		seen[todo[0]] = true
		for _, r := range o.roles {
			if r.ID == todo[0] && slices.Contains(r.Permissions, permission) {
				return true
			}
		}
		todo = append(todo, o.held(ref.New(ref.Role, todo[0]), at, expired)...)
	}
	return false
}

// longest is how many roles the longest path from a role has.
func (o *oracle) longest(role string) int {
	n := 1
	for _, up := range o.held(ref.New(ref.Role, role), time.Time{}, true) {
		n = max(n, 1+o.longest(up))
	}
	return n
}

// shortest is the length of a shortest path in roles, 0 when there is none.
func (o *oracle) shortest(from, to string) int {
	if from == to {
		return 1
	}
	best := 0
	for _, up := range o.held(ref.New(ref.Role, from), time.Time{}, true) {
		if n := o.shortest(up, to); n > 0 && (best == 0 || n+1 < best) {
			best = n + 1
		}
	}
	return best
}

func (o *oracle) reason(user, permission string, at time.Time) Reason {
	switch {
	case o.can(user, permission, at, false):
		return Allowed
	case o.can(user, permission, at, true):
		return Expired
	default:
		return NoGrant
	}
}

var testUsers = []string{"u0", "u1", "u2"}

// TestPolicyAgainstWalking changes a policy at random, by the same steps as a node does, and compares every decision, path
// and depth with a walk over plain lists; and the patched policy with one compiled anew.
func TestPolicyAgainstWalking(t *testing.T) {
	t.Parallel()
	cat := newCatalogue(testCatalogue())
	rapid.Check(t, func(t *rapid.T) {
		o := &oracle{grants: map[string]Grant{}}
		clk := clock.NewManual(t0)
		ms := func() int64 { return clk.Now().UnixMilli() }
		p := build(cat, 0, nil, nil, ms())
		apply := func(c change) {
			c.Rev = p.rev + 1
			next, ok := p.apply(c, ms())
			if !ok {
				t.Fatalf("%+v does not fit", c)
			}
			p = next
		}
		role := func(label string) Role {
			return o.roles[rapid.IntRange(0, len(o.roles)-1).Draw(t, label)]
		}
		addRole := func(t *rapid.T) {
			id := fmt.Sprintf("r%d", len(o.roles))
			r := Role{ID: id, Key: id, Permissions: rapid.SliceOfDistinct(rapid.SampledFrom(cat.keys), rapid.ID).Draw(t, "permissions")}
			o.roles = append(o.roles, r)
			apply(change{kind: kindRoleCreated, Role: &r})
		}
		addRole(t)
		t.Repeat(map[string]func(*rapid.T){
			"role": addRole,
			"update": func(t *rapid.T) {
				i := rapid.IntRange(0, len(o.roles)-1).Draw(t, "role")
				o.roles[i].Permissions = []string{rapid.SampledFrom(cat.keys).Draw(t, "permission")}
				r := o.roles[i]
				apply(change{kind: kindRoleUpdated, Role: &r})
			},
			"grant": func(t *rapid.T) {
				g := Grant{ID: ref.NewID(), Role: role("role").ID}
				if rapid.Bool().Draw(t, "to a user") {
					g.Member = ref.New(ref.User, rapid.SampledFrom(testUsers).Draw(t, "user"))
				} else {
					g.Member = role("member").Ref()
				}
				if rapid.Bool().Draw(t, "ends") {
					g.ExpiresAt = new(clk.Now().Add(time.Duration(rapid.IntRange(-2, 5).Draw(t, "in")) * time.Second))
				}
				if g.Member.Type == ref.Role {
					checkEdge(t, o, p.graph, g)
					if o.shortest(g.Role, g.Member.ID) > 0 {
						return // a cycle, refused
					}
				}
				o.grants[g.ID] = g
				apply(change{kind: kindGrantCreated, Grant: &g})
			},
			"extend": func(t *rapid.T) {
				if len(o.grants) > 0 {
					g := o.grants[rapid.SampledFrom(slices.Sorted(maps.Keys(o.grants))).Draw(t, "grant")]
					g.ExpiresAt = nil
					o.grants[g.ID] = g
					apply(change{kind: kindGrantExtended, Grant: &g})
				}
			},
			"revoke": func(t *rapid.T) {
				if len(o.grants) > 0 {
					g := o.grants[rapid.SampledFrom(slices.Sorted(maps.Keys(o.grants))).Draw(t, "grant")]
					delete(o.grants, g.ID)
					apply(change{kind: kindGrantRevoked, Grant: &g})
				}
			},
			"wait": func(t *rapid.T) {
				clk.Advance(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
				if ms() >= p.graph.until {
					p = &policy{rev: p.rev, graph: p.graph.at(ms()), people: p.people}
				}
			},
			"": func(t *rapid.T) {
				whole := build(cat, p.rev, o.roles, slices.Collect(maps.Values(o.grants)), ms())
				for _, user := range testUsers {
					for id, key := range cat.keys {
						want := o.reason(user, key, clk.Now())
						for name, q := range map[string]*policy{"patched": p, "compiled": whole} {
							if d := q.decide(user, uint32(id), ms()); d.Reason != want || d.Allowed != (want == Allowed) {
								t.Fatalf("%s: may %s %s? %+v, want %s", name, user, key, d, want)
							}
						}
					}
					if !slices.Equal(p.rights(user, ms()), whole.rights(user, ms())) {
						t.Fatal("the rights differ")
					}
				}
				if p.graph.until != whole.graph.until {
					t.Fatalf("until %d, want %d", p.graph.until, whole.graph.until)
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
	if g.reaches(role, member, math.MinInt64) != (path != nil) {
		t.Fatal("reaches and path disagree")
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
	for _, up := range o.held(ref.New(ref.Role, from), time.Time{}, true) {
		if o.shortest(up, to) > 0 {
			best = max(best, 1+o.longestTo(up, to))
		}
	}
	return best
}

// A policy in force does not change under those who look at it.
func TestPolicyIsImmutable(t *testing.T) {
	t.Parallel()
	cat := newCatalogue(testCatalogue())
	now := t0.UnixMilli()
	a, b := Role{ID: "a", Key: "a", Permissions: []string{permP}}, Role{ID: "b", Key: "b"}
	user := ref.New(ref.User, "u")
	before := build(cat, 1, []Role{a, b}, []Grant{{ID: "g1", Member: user, Role: "b"}}, now)
	perm := cat.ids[permP]
	for _, c := range []change{
		{kind: kindGrantCreated, Rev: 2, Grant: &Grant{ID: "g2", Member: user, Role: "a"}},
		{kind: kindGrantCreated, Rev: 2, Grant: &Grant{ID: "g2", Member: b.Ref(), Role: "a"}},
		{kind: kindRoleUpdated, Rev: 2, Role: &Role{ID: "b", Key: "b", Permissions: []string{permP}}},
	} {
		after, ok := before.apply(c, now)
		if !ok || !after.decide("u", perm, now).Allowed || after.rev != 2 {
			t.Errorf("%+v has no effect", c)
		}
		if before.decide("u", perm, now).Allowed || before.rev != 1 {
			t.Fatalf("%+v changed the policy in force", c)
		}
	}
	for _, c := range []change{
		{Rev: 2},
		{kind: kindGrantCreated, Rev: 2, Grant: &Grant{ID: "g", Member: user, Role: "nowhere"}},
		{kind: kindGrantCreated, Rev: 2, Grant: &Grant{ID: "g", Member: ref.New(ref.Role, "nowhere"), Role: "a"}},
	} {
		if _, ok := before.apply(c, now); ok {
			t.Errorf("%+v fits", c)
		}
	}
}

// A cycle that somebody wrote into the database by hand ends no check and no walk in a loop.
func TestCycleInTheData(t *testing.T) {
	t.Parallel()
	cat := newCatalogue(testCatalogue())
	a, b := Role{ID: "a", Key: "a", Permissions: []string{permP}}, Role{ID: "b", Key: "b"}
	p := build(cat, 1, []Role{a, b}, []Grant{
		{ID: "1", Member: a.Ref(), Role: "b"}, {ID: "2", Member: b.Ref(), Role: "a"}, {ID: "3", Member: ref.New(ref.User, "u"), Role: "a"},
	}, 0)
	if !p.decide("u", cat.ids[permP], 0).Allowed {
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
	s := cat.of([]string{"x.000", "x.063", "x.064", "x.129", "unknown"})
	if got := cat.list(s); !slices.Equal(got, []string{"x.000", "x.063", "x.064", "x.129"}) {
		t.Errorf("%v", got)
	}
	if all := cat.of([]string{Every}); len(cat.list(all)) != 130 || !s.without(all).empty() || len(cat.list(all.without(s))) != 126 {
		t.Error("sets")
	}
}
