package casbin

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	casbin "github.com/casbin/casbin/v3"
	"github.com/casbin/casbin/v3/model"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const (
	roles  = 1_000
	users  = 100_000
	layers = 8
)

// world is a policy of layers of roles with diamonds, one permission for each role, two roles for each user: as lists for us and as
// rules for casbin.
type world struct {
	catalogue map[string]string
	roles     []rbac.Role
	grants    []rbac.Grant
	policies  [][]string
	groups    [][]string
	holds     [users][2]int
}

func role(i int) string       { return fmt.Sprintf("role.%04d", i) }
func permission(i int) string { return fmt.Sprintf("perm.%04d", i) }
func person(i int) string     { return fmt.Sprintf("user.%06d", i) }

func newWorld() *world {
	w := &world{catalogue: map[string]string{}}
	rnd := rand.New(rand.NewPCG(42, 42))
	hold := func(member ref.Ref, of int) {
		w.grants = append(w.grants, rbac.Grant{ID: fmt.Sprintf("%07d", len(w.grants)), Member: member, Role: role(of)})
		w.groups = append(w.groups, []string{member.ID, role(of)})
	}
	const layer = roles / layers
	for i := range roles {
		w.catalogue[permission(i)] = "to measure"
		w.roles = append(w.roles, rbac.Role{ID: role(i), Key: role(i), Permissions: []rbac.Instance{rbac.Instance(permission(i))}})
		w.policies = append(w.policies, []string{role(i), permission(i), "read"})
		if i >= layer {
			first := (i/layer-1)*layer + rnd.IntN(layer)
			second := (i/layer-1)*layer + (first+1+rnd.IntN(layer-1))%layer
			hold(ref.New(ref.Role, role(i)), first)
			hold(ref.New(ref.Role, role(i)), second)
		}
	}
	for i := range users {
		first := rnd.IntN(roles)
		w.holds[i] = [2]int{first, (first + 1 + rnd.IntN(roles-1)) % roles}
		hold(ref.New(ref.User, person(i)), w.holds[i][0])
		hold(ref.New(ref.User, person(i)), w.holds[i][1])
	}
	return w
}

// matcher compares the object first: the other order takes casbin 36 to 100 times as long.
const matcher = `[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.obj == p.obj && r.act == p.act && g(r.sub, p.sub)
`

type enforcer interface {
	Enforce(args ...any) (bool, error)
	AddPolicies(rules [][]string) (bool, error)
	AddGroupingPolicies(rules [][]string) (bool, error)
}

func loaded[E enforcer](b *testing.B, build func(args ...any) (E, error), policies, groups [][]string) E {
	b.Helper()
	m, err := model.NewModelFromString(matcher)
	if err != nil {
		b.Fatal(err)
	}
	e, err := build(m)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := e.AddPolicies(policies); err != nil {
		b.Fatal(err)
	}
	if _, err := e.AddGroupingPolicies(groups); err != nil {
		b.Fatal(err)
	}
	return e
}

// passes is how often the questions that are hot are asked in a row.
const passes = 200

type question struct{ user, permission string }

// BenchmarkCheck asks all engines the same questions in turn, half of them allowed, and compares their answers.
func BenchmarkCheck(b *testing.B) {
	w := newWorld()
	ours := rbac.Compiled(w.catalogue, w.roles, w.grants, clock.System())
	plain := loaded(b, casbin.NewEnforcer, w.policies, w.groups)
	cached := loaded(b, casbin.NewCachedEnforcer, w.policies, w.groups)
	rnd := rand.New(rand.NewPCG(7, 7))
	ask := make([]question, 4096)
	for i := range ask {
		who := rnd.IntN(users)
		ask[i] = question{person(who), permission(w.holds[who][i/2%2])}
		if i%2 == 1 {
			ask[i].permission = permission(rnd.IntN(roles))
		}
	}
	enforce := func(e enforcer, q question) bool {
		ok, err := e.Enforce(q.user, q.permission, "read")
		if err != nil || ok != ours.Allows(q.user, q.permission).Allowed {
			b.Fatalf("%+v: %v, %v", q, ok, err)
		}
		return ok
	}
	hot := ask[:256]
	for _, q := range hot {
		enforce(cached, q)
	}
	at := 0
	if n := testing.AllocsPerRun(1000, func() {
		q := &ask[at%len(ask)]
		at++
		ours.Allows(q.user, q.permission)
	}); n != 0 {
		b.Fatalf("%v allocations in a check", n)
	}
	var mine, mineHot, theirs, theirsHot time.Duration // of one check
	rounds := 0
	for b.Loop() {
		some := (rounds * 16) % len(ask)
		rounds++
		start := time.Now()
		for range 4 {
			for i := range ask {
				ours.Allows(ask[i].user, ask[i].permission)
			}
		}
		mine += time.Since(start) / time.Duration(4*len(ask))
		start = time.Now()
		for _, q := range ask[some : some+16] {
			_, _ = plain.Enforce(q.user, q.permission, "read")
		}
		theirs += time.Since(start) / 16
		start = time.Now()
		for range passes {
			for _, q := range hot {
				_, _ = cached.Enforce(q.user, q.permission, "read")
			}
		}
		theirsHot += time.Since(start) / time.Duration(passes*len(hot))
		start = time.Now()
		for range passes {
			for i := range hot {
				ours.Allows(hot[i].user, hot[i].permission)
			}
		}
		mineHot += time.Since(start) / time.Duration(passes*len(hot))
	}
	for _, q := range ask[:64] {
		enforce(plain, q)
	}
	b.ReportMetric(float64(mine)/float64(theirs), "to-casbin-ratio")
	b.ReportMetric(float64(mineHot)/float64(theirsHot), "to-cached-casbin-ratio")
	b.ReportMetric(float64(mine.Nanoseconds())/float64(rounds), "ns/check")
	b.ReportMetric(float64(mineHot.Nanoseconds())/float64(rounds), "ns/hot-check")
	b.ReportMetric(float64(theirsHot.Nanoseconds())/float64(rounds), "ns/casbin-cached")
}

// BenchmarkFirstAfterRevoke takes a role back and asks at once: we must say no; the cached enforcer of casbin still says yes.
func BenchmarkFirstAfterRevoke(b *testing.B) {
	db := storetest.DB(b)
	if _, err := db.Migrate(b.Context(), store.Plan{Collections: append(rbac.Collections(), event.Collections()...)}, false); err != nil {
		b.Fatal(err)
	}
	s := rbac.New(db, event.NewLog(db, clock.System()), clock.System(), catalogue(),
		func() time.Duration { return 0 }, slog.New(slog.DiscardHandler), rbac.Config{})
	ctx := actor.With(b.Context(), actor.System())
	if err := s.Load(ctx); err != nil {
		b.Fatal(err)
	}
	if err := s.Ensure(ctx, []rbac.RoleSpec{{Key: "role.0000", Name: "Role", Permissions: []rbac.Instance{"perm.0000"}}}); err != nil {
		b.Fatal(err)
	}
	r, err := s.ByKey(ctx, "role.0000")
	if err != nil {
		b.Fatal(err)
	}
	wrong, theirs := 0, 0
	rounds := 0
	for b.Loop() {
		g, err := s.Grant(ctx, rbac.GrantCmd{Role: r.ID, Member: ref.New(ref.User, "u")})
		if err != nil || !s.Allows("u", "perm.0000").Allowed {
			b.Fatal(err)
		}
		if _, err := s.Revoke(ctx, g.ID, rbac.Restrict); err != nil {
			b.Fatal(err)
		}
		if s.Allows("u", "perm.0000").Allowed {
			wrong++
		}
		cached := loaded(b, casbin.NewCachedEnforcer, [][]string{{"r", "p", "read"}}, [][]string{{"u", "r"}})
		if ok, err := cached.Enforce("u", "p", "read"); !ok || err != nil {
			b.Fatal(ok, err)
		}
		if _, err := cached.RemoveGroupingPolicy("u", "r"); err != nil {
			b.Fatal(err)
		}
		if ok, _ := cached.Enforce("u", "p", "read"); ok {
			theirs++
		}
		rounds++
	}
	if wrong > 0 {
		b.Fatalf("%d of %d first checks after a revoke were wrong", wrong, rounds)
	}
	b.ReportMetric(float64(theirs)/float64(rounds), "casbin-cached-wrong-ratio")
}

func catalogue() map[string]string {
	all := rbac.Permissions()
	all["perm.0000"] = "to measure"
	return all
}
