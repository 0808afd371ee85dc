package rbac

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

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
func benchService(b *testing.B) *Service {
	b.Helper()
	rnd := rand.New(rand.NewPCG(42, 42))
	name := func(kind string, i int) string { return fmt.Sprintf("%s.%05d", kind, i) }
	about := map[string]string{}
	roles := make([]Role, benchRoles)
	var grants []Grant
	hold := func(member ref.Ref, role int) {
		grants = append(grants, Grant{ID: strconv.Itoa(len(grants)), Member: member, Role: name("role", role)})
	}
	const layer = benchRoles / 8
	for i := range roles {
		about[name("perm", i)] = "bench"
		roles[i] = Role{ID: name("role", i), Key: name("role", i), Permissions: []string{name("perm", i)}}
		for range min(i/layer, 1) * 2 {
			hold(roles[i].Ref(), (i/layer-1)*layer+rnd.IntN(layer))
		}
	}
	for u := range benchUsers {
		for range 2 {
			hold(ref.New(ref.User, name("user", u)), rnd.IntN(benchRoles))
		}
	}
	s := New(storetest.DB(b), nil, clock.System(), about, func() time.Duration { return 0 }, slog.New(slog.DiscardHandler), Config{})
	s.snap.Store(build(s.cat, 1, roles, grants, s.now().UnixMilli()))
	return s
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
			held := s.snap.Load().people.of(ask[i].user)
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
		if _, ok := p.apply(change{kind: kindGrantCreated, Rev: 2, Grant: &g}, 0); !ok {
			b.Fatal("does not fit")
		}
	}
}

// BenchmarkEdgeChange is the patch for one edge between roles.
func BenchmarkEdgeChange(b *testing.B) {
	s := benchService(b)
	p := s.snap.Load()
	g := Grant{ID: "new", Member: ref.New(ref.Role, "role.00999"), Role: "role.00001"}
	for b.Loop() {
		if _, ok := p.apply(change{kind: kindGrantCreated, Rev: 2, Grant: &g}, 0); !ok {
			b.Fatal("does not fit")
		}
	}
}
