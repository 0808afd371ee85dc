package rbac

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

const (
	benchRoles = 1_000
	benchUsers = 100_000
)

// benchService holds a policy of 8 layers of roles with diamonds, one permission for each role, two roles for each user.
func benchService(b *testing.B) *Service { return benchPolicy(b, benchRoles, benchUsers) }

func benchPolicy(b *testing.B, benchRoles, benchUsers int) *Service {
	b.Helper()
	rnd := rand.New(rand.NewPCG(42, 42))
	name := func(kind string, i int) string { return fmt.Sprintf("%s.%05d", kind, i) }
	about := map[string]string{}
	roles := make([]Role, benchRoles)
	var grants []Grant
	hold := func(member ref.Ref, role int) {
		grants = append(grants, Grant{ID: strconv.Itoa(len(grants)), Member: member, Role: name("role", role)})
	}
	layer := benchRoles / 8
	for i := range roles {
		about[name("perm", i)] = "bench"
		roles[i] = Role{ID: name("role", i), Key: name("role", i), Permissions: []Instance{Instance(name("perm", i))}}
		for range min(i/layer, 1) * 2 {
			hold(roles[i].Ref(), (i/layer-1)*layer+rnd.IntN(layer))
		}
	}
	for u := range benchUsers {
		for range 2 {
			hold(ref.New(ref.User, name("user", u)), rnd.IntN(benchRoles))
		}
	}
	return Compiled(about, roles, grants, clock.System())
}

// BenchmarkCheck is a check from two strings in a policy of 1,000 roles and 100,000 users, about half of them allowed,
// beside one read by _id of the same server: what a check would cost at the very least that asked the database.
func BenchmarkCheck(b *testing.B) {
	s := benchService(b)
	rnd := rand.New(rand.NewPCG(7, 7))
	type question struct{ user, perm string }
	ask := make([]question, 4096)
	for i := range ask {
		ask[i].user = fmt.Sprintf("user.%05d", rnd.IntN(benchUsers))
		ask[i].perm = fmt.Sprintf("perm.%05d", rnd.IntN(benchRoles))
		if i%2 == 0 { // one the user holds
			held := s.snap.Load().people.of(ask[i].user).holds
			ask[i].perm = fmt.Sprintf("perm.%05d", held[0].role)
		}
	}
	i, allowed := 0, 0
	check := func() {
		q := &ask[i%len(ask)]
		i++
		if s.Allows(q.user, q.perm).Allowed {
			allowed++
		}
	}
	if n := testing.AllocsPerRun(1000, check); n != 0 {
		b.Fatalf("%v allocations in a check", n)
	}
	db := storetest.DB(b)
	storetest.Insert(b, db, "roles", Role{ID: "r", Key: "r"})
	coll := db.Collection("roles")
	const reads = 200
	start := time.Now()
	for range reads {
		if _, err := store.FindByID[Role](b.Context(), coll, "r"); err != nil {
			b.Fatal(err)
		}
	}
	read := time.Since(start) / reads

	b.ReportAllocs()
	for b.Loop() {
		check()
	}
	perCheck := float64(b.Elapsed()) / float64(b.N)
	b.ReportMetric(float64(read)/perCheck, "checks/read")
	b.ReportMetric(float64(allowed)/float64(i), "allowed")
}

// BenchmarkUserChange is the patch for one grant to a user, beside compiling everything anew.
func BenchmarkUserChange(b *testing.B) {
	s := benchService(b)
	p := s.snap.Load()
	g := Grant{ID: "new", Member: ref.New(ref.User, "user.00007"), Role: "role.00500"}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := p.apply([]change{{kind: kindGrantCreated, Rev: 2, Grant: &g}}, 0); !ok {
			b.Fatal("does not fit")
		}
	}
}

// BenchmarkEdgeChange is the patch for one edge between roles of 10,000, beside compiling all of them anew. The edges that come
// and go are those of roles in the middle of the layers, so that others above change with them.
func BenchmarkEdgeChange(b *testing.B) {
	s := benchPolicy(b, 10_000, 100)
	p := s.snap.Load()
	rnd := rand.New(rand.NewPCG(3, 3))
	role := func(i int) string { return fmt.Sprintf("role.%05d", i) }
	patch := func() {
		below, above := rnd.IntN(5_000), 5_000+rnd.IntN(5_000)
		g := Grant{ID: "new", Member: ref.New(ref.Role, role(above)), Role: role(below)}
		if _, ok := p.apply([]change{{kind: kindGrantCreated, Rev: 2, Grant: &g}}, 0); !ok {
			b.Fatal("does not fit")
		}
	}
	var patched, whole time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		for range 20 {
			patch()
		}
		patched += time.Since(start) / 20
		start = time.Now()
		p.graph.at(0)
		whole += time.Since(start)
		n++
	}
	b.ReportMetric(float64(patched)/float64(whole), "to-full-compile-ratio")
	b.ReportMetric(float64(patched.Microseconds())/float64(n), "µs/edge")
}

// BenchmarkExplain is a whole explanation beside a check of the same questions, all of them allowed.
func BenchmarkExplain(b *testing.B) {
	s := benchService(b)
	p := s.snap.Load()
	rnd := rand.New(rand.NewPCG(7, 7))
	type question struct {
		user, perm string
	}
	ask := make([]question, 512)
	for i := range ask {
		ask[i].user = fmt.Sprintf("user.%05d", rnd.IntN(benchUsers))
		c := p.graph.nodes[p.people.of(ask[i].user).holds[0].role].live
		all := s.cat.list(c.set)
		ask[i].perm = all[rnd.IntN(len(all))]
	}
	contexts := make([]context.Context, len(ask))
	for i := range ask {
		contexts[i] = actor.With(b.Context(), actor.Actor{User: ask[i].user}) //nolint:fatcontext // one for each question
	}
	var checks, explained time.Duration
	for b.Loop() {
		start := time.Now()
		for i := range ask {
			if !s.Allows(ask[i].user, ask[i].perm).Allowed {
				b.Fatal("refused")
			}
		}
		checks += time.Since(start)
		start = time.Now()
		for i := range ask {
			if e, err := s.Explain(contexts[i], ask[i].user, Check{Permission: ask[i].perm}); err != nil || e.Path == nil {
				b.Fatal(err)
			}
		}
		explained += time.Since(start)
	}
	b.ReportMetric(float64(explained)/float64(checks), "to-check-ratio")
}
