package graph

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// court is a server over a real rbac and a real plan; the header X-User says who asks. The user "root" administers.
type court struct {
	*rig
	rights *rbac.Service
	plans  *plan.Service
	finds  atomic.Pointer[store.Counter] // of the last operation
}

func newCourt(t *testing.T) *court {
	t.Helper()
	db := storetest.DB(t)
	schema := store.Plan{Collections: slices.Concat(rbac.Collections(), plan.Collections(), event.Collections())}
	if _, err := db.Migrate(t.Context(), schema, false); err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)).Now
	log, quiet := event.NewLog(db, now), slog.New(slog.DiscardHandler)
	catalogue := rbac.Permissions()
	maps.Copy(catalogue, plan.Permissions())
	catalogue["test.a"], catalogue["test.b"] = "a", "b"
	c := &court{rig: &rig{t: t, log: &logbook{}}}
	c.rights = rbac.New(db, log, now, catalogue, func() time.Duration { return 0 }, quiet, rbac.Config{})
	c.plans = plan.New(db, log, now, c.rights, c.rights, plan.Config{Payments: payment.NewTest(db, now, "")})
	sys := actor.With(t.Context(), actor.System())
	c.ok(c.rights.Load(sys))
	c.ok(c.rights.Ensure(sys, []rbac.RoleSpec{
		{Key: rbac.RoleAdmin, Name: "Administrator", Permissions: []rbac.Instance{rbac.Every}},
		{Key: "pro", Name: "Pro", Permissions: []rbac.Instance{"test.b"}},
	}))
	admin, err := c.rights.ByKey(sys, rbac.RoleAdmin)
	c.ok(err)
	_, err = c.rights.Grant(sys, rbac.GrantCmd{Role: admin.ID, Member: ref.New(ref.User, "root")})
	c.ok(err)
	_, err = c.plans.Apply(sys, plan.ApplyCmd{Book: plan.Book{
		Features: []plan.Feature{{Key: "docs", Kind: plan.Counted, Name: "Documents"}},
		Plans: []plan.BookPlan{
			{Key: "free", Name: "Free", Default: true, Features: []plan.Rule{{Feature: "docs", Limit: new(int64(3))}}},
			{
				Key: "pro", Name: "Pro", Rank: 1, Role: "pro", Features: []plan.Rule{{Feature: "docs"}},
				Prices: []plan.Price{{Currency: "EUR", AmountMinor: 900, Every: plan.Every{N: 1, Unit: plan.Month}}},
			},
		},
	}})
	c.ok(err)
	root := &Resolver{Rights: c.rights, Plans: c.plans}
	c.srv = newServer(root, c.rights, proven{}, loader.Sources{Roles: c.rights.ByIDs, Plans: c.plans.ByIDs, Standings: c.plans.Standings}, Config{}, slog.New(slog.NewJSONHandler(c.log, nil)), Hooks{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, finds := store.WithCounter(actor.With(req.Context(), actor.Actor{User: req.Header.Get("X-User")}))
		c.finds.Store(finds)
		c.srv.ServeHTTP(w, req.WithContext(ctx))
	}))
	t.Cleanup(web.Close)
	c.url = web.URL
	return c
}

func (c *court) ok(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// ask sends an operation as a user and gives the answer as one line: the data, or the code of the error.
func (c *court) ask(user, doc string, vars map[string]any) string {
	c.t.Helper()
	g := c.query(doc, vars, "X-User", user)
	if len(g.Errors) > 0 {
		return g.code()
	}
	return string(g.Data)
}

// read sends an operation that succeeds and reads its data.
func (c *court) read(user, doc string, vars map[string]any, data any) {
	c.t.Helper()
	answer := c.ask(user, doc, vars)
	if err := json.Unmarshal([]byte(answer), data); err != nil {
		c.t.Fatalf("%s: %s", doc, answer)
	}
}

// role makes a role as root and gives its global id.
func (c *court) role(key string, permissions ...string) string {
	c.t.Helper()
	var out struct {
		CreateRole struct{ Role struct{ ID string } }
	}
	c.read("root", `mutation($in: CreateRoleInput!) { createRole(input: $in) { role { id } } }`,
		map[string]any{"in": map[string]any{"key": key, "name": key, "permissions": append([]string{}, permissions...)}}, &out)
	return out.CreateRole.Role.ID
}

const grantDoc = `mutation($role: ID!, $member: ID!) { grantRole(input: {role: $role, member: $member}) { grant { id member source expiresAt role { key } } } }`

// grant lets a member hold a role, as root, and gives the global id of the grant.
func (c *court) grant(member, role string) string {
	c.t.Helper()
	var out struct {
		GrantRole struct {
			Grant struct {
				ID, Member, Source string
				ExpiresAt          *string
				Role               struct{ Key string }
			}
		}
	}
	c.read("root", grantDoc, map[string]any{"role": role, "member": member}, &out)
	if g := out.GrantRole.Grant; g.Member != member || g.Source != "manual" || g.ExpiresAt != nil || g.Role.Key == "" {
		c.t.Errorf("%+v", g)
	}
	return out.GrantRole.Grant.ID
}

func TestCan(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	a := c.role("aa", "test.a")
	const can = `query($on: ID) { can(checks: [{permission: "test.a", on: $on}, {permission: "test.b"}, {permission: "nope"}]) { allowed reason } }`
	const none = `{"can":[{"allowed":false,"reason":"%[1]s"},{"allowed":false,"reason":"%[1]s"},{"allowed":false,"reason":"UNKNOWN_PERMISSION"}]}`
	if got := c.ask("u", can, nil); got != fmt.Sprintf(none, "NO_PATH") {
		t.Errorf("before: %s", got)
	}
	if got := c.ask("", can, nil); got != fmt.Sprintf(none, "ANONYMOUS") {
		t.Errorf("nobody: %s", got)
	}
	g := c.grant("user:u", a)
	want := strings.Replace(fmt.Sprintf(none, "NO_PATH"), `false,"reason":"NO_PATH"`, `true,"reason":"ALLOWED"`, 1)
	if got := c.ask("u", can, map[string]any{"on": "document:d"}); got != want {
		t.Errorf("granted: %s", got)
	}
	if n := c.finds.Load().Total(); n != 0 {
		t.Errorf("%d commands for a check", n)
	}
	if got := c.ask("root", `mutation($g: ID!) { revokeGrant(input: {grant: $g}) { grant stillHeld } }`, map[string]any{"g": g}); got != fmt.Sprintf(`{"revokeGrant":{"grant":%q,"stillHeld":false}}`, g) {
		t.Errorf("revoke: %s", got)
	}
	if got := c.ask("u", can, nil); got != fmt.Sprintf(none, "NO_PATH") {
		t.Errorf("revoked: %s", got)
	}
	checks := make([]map[string]any, 101)
	for i := range checks {
		checks[i] = map[string]any{"permission": "test.a"}
	}
	const many = `query($c: [CheckInput!]!) { can(checks: $c) { allowed } }`
	if got := c.ask("u", many, map[string]any{"c": checks}); got != "BAD_USER_INPUT" {
		t.Errorf("101 questions: %s", got)
	}
	if got := c.ask("u", many, map[string]any{"c": checks[:100]}); strings.Count(got, "allowed") != 100 {
		t.Errorf("100 questions: %s", got)
	}
}

// A page of roles with all they include, at two levels, is one find.
func TestRolesAreOneFind(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	a, b := c.role("zz", "test.a"), c.role("yy", "test.b")
	for i := range 5 {
		r := c.role(fmt.Sprintf("r%d", i))
		c.grant(r, a)
		c.grant(r, b)
	}
	var out struct {
		Roles struct {
			Nodes []struct {
				Key                               string
				Permissions, EffectivePermissions []string
				Includes                          []struct {
					Key      string
					Includes []struct{ Key string }
				}
			}
			PageInfo struct{ HasNextPage bool }
		}
	}
	const doc = `{ roles(first: 7) { nodes { key permissions effectivePermissions includes { key includes { key } } } edges { cursor node { id } } pageInfo { hasNextPage } } }`
	c.read("root", doc, nil, &out)
	if n := c.finds.Load().Total(); n != 1 {
		t.Errorf("%d commands", n)
	}
	if len(out.Roles.Nodes) != 7 || out.Roles.Nodes[0].Key != "admin" || !out.Roles.PageInfo.HasNextPage {
		t.Fatalf("%+v", out)
	}
	for _, r := range out.Roles.Nodes[2:] {
		if len(r.Permissions) != 0 || !slices.Equal(r.EffectivePermissions, []string{"test.a", "test.b"}) || len(r.Includes) != 2 || r.Includes[0].Key != "yy" {
			t.Errorf("%+v", r)
		}
	}
	for user, want := range map[string]string{"": "UNAUTHENTICATED", "u": "FORBIDDEN"} {
		if got := c.ask(user, doc, nil); got != want {
			t.Errorf("%q: %s", user, got)
		}
	}
	if got := c.ask("u", `{ permissions { key description } }`, nil); !strings.Contains(got, `{"key":"test.a","description":"a"}`) {
		t.Errorf("catalogue: %s", got)
	}
}

func TestGrantRoleRefuses(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	a, b := c.role("aa", "test.a"), c.role("bb")
	c.grant(b, a)
	for _, tc := range []struct{ user, role, member, code string }{
		{"u", a, "user:u", "FORBIDDEN"},
		{"", a, "user:u", "UNAUTHENTICATED"},
		{"root", "user:u", "user:u", "NOT_FOUND"}, // not the id of a role
		{"root", "role:nowhere", "user:u", "NOT_FOUND"},
		{"root", a, "document:d", "BAD_USER_INPUT"},
		{"root", b, a, "RBAC_CYCLE"},
	} {
		if got := c.ask(tc.user, grantDoc, map[string]any{"role": tc.role, "member": tc.member}); got != tc.code {
			t.Errorf("%+v: %s", tc, got)
		}
	}
	g := c.query(grantDoc, map[string]any{"role": b, "member": a}, "X-User", "root")
	if path, _ := json.Marshal(g.Errors[0].Extensions["path"]); string(path) != `["aa","bb","aa"]` {
		t.Errorf("the path is not told: %s", g.body)
	}
	if got := c.ask("root", `mutation { revokeGrant(input: {grant: "user:u"}) { stillHeld } }`, nil); got != "NOT_FOUND" {
		t.Errorf("not the id of a grant: %s", got)
	}
	if got := c.ask("root", `mutation { createRole(input: {key: "aa", name: "again"}) { role { id } } }`, nil); got != "ROLE_KEY_TAKEN" {
		t.Errorf("taken: %s", got)
	}
}
