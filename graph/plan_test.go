package graph

import (
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
)

func TestChangePlan(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	sys := actor.With(t.Context(), actor.System())
	for _, user := range []string{"u", "v"} {
		_, err := c.plans.Enroll(sys, ref.New(ref.User, user), "")
		c.ok(err)
	}
	c.ok(c.rights.Sync(sys))
	var out struct{ Plans []struct{ ID, Key string } }
	c.read("", `{ plans { id key name rank isDefault price { amountMinor currency } limits { feature limit } } }`, nil, &out)
	if len(out.Plans) != 2 || out.Plans[0].Key != "free" || out.Plans[1].Key != "pro" {
		t.Fatalf("by rank, to anybody: %+v", out)
	}
	free, pro := out.Plans[0].ID, out.Plans[1].ID
	const change = `mutation($plan: ID!, $v: Int!, $user: ID) { changePlan(input: {plan: $plan, version: $v, user: $user}) { membership { version plan { key } } } }`
	const can = `{ can(checks: [{permission: "test.b"}]) { reason } }`
	at := func(version, key string) string {
		return `{"changePlan":{"membership":{"version":` + version + `,"plan":{"key":"` + key + `"}}}}`
	}
	for _, tc := range []struct {
		name, user, plan string
		version          int
		of               any
		want, rights     string // the answer, and what u may after it
	}{
		{"nobody", "", pro, 1, nil, "UNAUTHENTICATED", "NO_PATH"},
		{"another's", "v", pro, 1, "user:u", "FORBIDDEN", "NO_PATH"},
		{"no plan", "u", "role:x", 1, nil, "PLAN_UNKNOWN", "NO_PATH"},
		{"the same", "u", free, 1, nil, "PLAN_SAME", "NO_PATH"},
		{"up", "u", pro, 1, nil, at("2", "pro"), "ALLOWED"}, // the role counts with the reply
		{"seen too early", "u", free, 1, nil, "PLAN_STALE", "ALLOWED"},
		{"down by an administrator", "root", free, 2, "user:u", at("3", "free"), "NO_PATH"},
		{"one who is not there", "root", pro, 0, "user:ghost", "NOT_FOUND", "NO_PATH"},
		{"not a user", "root", pro, 0, "role:x", "NOT_FOUND", "NO_PATH"},
	} {
		if got := c.ask(tc.user, change, map[string]any{"plan": tc.plan, "v": tc.version, "user": tc.of}); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		if got := c.ask("u", can, nil); !strings.Contains(got, `"`+tc.rights+`"`) {
			t.Errorf("%s: then %s, want %s", tc.name, got, tc.rights)
		}
	}
}
