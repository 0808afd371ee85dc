package graph

import (
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
)

// shown previews a change as somebody and gives its token.
func (c *court) shown(as string, input map[string]any) string {
	c.t.Helper()
	var out struct{ PreviewChange struct{ Token string } }
	c.read(as, `query($in: PreviewChangeInput!) { previewChange(input: $in) { token } }`, map[string]any{"in": input}, &out)
	return out.PreviewChange.Token
}

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
	c.read("", `{ plans { id key name rank isDefault prices { key amountMinor currency every { n unit } } features { feature limit onOver reset } role { key } } }`, nil, &out)
	if len(out.Plans) != 2 || out.Plans[0].Key != "free" || out.Plans[1].Key != "pro" {
		t.Fatalf("by rank, to anybody: %+v", out)
	}
	free, pro := out.Plans[0].ID, out.Plans[1].ID
	const preview = `query($in: PreviewChangeInput!) { previewChange(input: $in) { net { amountMinor currency } due { amountMinor } lines { kind amountMinor } } }`
	const change = `mutation($t: String!) { changePlan(input: {token: $t}) { result {
		__typename ... on MembershipChanged { membership { status standing plan { key } chosen { key } } } ... on CheckoutRequired { url membership { plan { key } } } } } }`
	const can = `{ can(checks: [{permission: "test.b"}]) { reason } }`
	for _, tc := range []struct {
		name, user string
		input      map[string]any
		want       string
	}{
		{"nobody", "", map[string]any{"plan": pro}, "UNAUTHENTICATED"},
		{"another's", "v", map[string]any{"plan": pro, "user": "user:u"}, "FORBIDDEN"},
		{"no plan", "u", map[string]any{"plan": "role:x"}, "PLAN_UNKNOWN"},
		{"the same", "u", map[string]any{"plan": free}, "PLAN_SAME"},
		{"no price", "u", map[string]any{"plan": pro, "price": "usd-1-month"}, "PRICE_UNKNOWN"},
		{"up", "u", map[string]any{"plan": pro}, `{"previewChange":{"net":{"amountMinor":900,"currency":"EUR"},"due":{"amountMinor":900},"lines":[{"kind":"CHARGE","amountMinor":900}]}}`},
	} {
		if got := c.ask(tc.user, preview, map[string]any{"in": tc.input}); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	token := c.shown("u", map[string]any{"plan": pro})
	if got := c.ask("v", change, map[string]any{"t": token}); got != "FORBIDDEN" {
		t.Errorf("another's token: %s", got)
	}
	changed := `{"changePlan":{"result":{"__typename":"MembershipChanged","membership":{"status":"ACTIVE","standing":"OK","plan":{"key":"pro"},"chosen":{"key":"pro"}}}}}`
	for range 2 { // the second changes nothing
		if got := c.ask("u", change, map[string]any{"t": token}); got != changed {
			t.Errorf("%s", got)
		}
	}
	if got := c.ask("u", can, nil); !strings.Contains(got, `"ALLOWED"`) { // the role counts with the reply
		t.Errorf("then %s", got)
	}
	if got := c.ask("root", `mutation { putOnPlan(input: {user: "user:u", plan: "free"}) { membership { plan { key } } } }`, nil); got != `{"putOnPlan":{"membership":{"plan":{"key":"free"}}}}` {
		t.Errorf("%s", got)
	}
	if got := c.ask("u", can, nil); !strings.Contains(got, `"NO_PATH"`) {
		t.Errorf("then %s", got)
	}
	// The test provider asks the payer to pay at an address first.
	c.ask("u", `mutation { setPaymentBehavior(input: {behavior: ASKS_PAYER}) { behavior } }`, nil)
	got := c.ask("u", change, map[string]any{"t": c.shown("u", map[string]any{"plan": pro})})
	if !strings.Contains(got, `"CheckoutRequired"`) || !strings.Contains(got, `"key":"free"`) {
		t.Fatalf("%s", got)
	}
	_, key, _ := strings.Cut(got, `"url":"`)
	key, _, _ = strings.Cut(key, `"`)
	const pay = `mutation($k: String!) { completeTestPayment(input: {key: $k, pay: true}) { membership { plan { key } } } }`
	if got := c.ask("v", pay, map[string]any{"k": key}); got != "NOT_FOUND" {
		t.Errorf("another pays: %s", got)
	}
	if got := c.ask("u", pay, map[string]any{"k": key}); got != `{"completeTestPayment":{"membership":{"plan":{"key":"pro"}}}}` {
		t.Errorf("%s", got)
	}
	ledger := c.ask("u", `{ ledger(first: 10) { nodes { kind amount { amountMinor } number invoicePath } } }`, nil)
	if strings.Count(ledger, `"CHARGE"`) != 2 || strings.Count(ledger, `/invoices/`) != 2 {
		t.Errorf("%s", ledger)
	}
	if got := c.ask("v", `{ ledger(user: "user:u") { nodes { kind } } }`, nil); got != "FORBIDDEN" {
		t.Errorf("%s", got)
	}
}

// A list of memberships asks the database as often as one of them does.
func TestMembershipsAreBatched(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	sys := actor.With(t.Context(), actor.System())
	const list = `{ memberships { nodes { id status standing plan { key role { key } } chosen { key } pending { plan { key } } } } }`
	finds := func(users ...string) int {
		t.Helper()
		for _, user := range users {
			_, err := c.plans.Enroll(sys, ref.New(ref.User, user), "pro")
			c.ok(err)
		}
		if got := c.ask("root", list, nil); !strings.HasPrefix(got, `{"memberships":{"nodes":[{`) {
			t.Fatalf("%s", got)
		}
		n := c.finds.Load()
		return n.Count("find") + n.Count("aggregate")
	}
	finds("warm")                                                        // the catalogue is in memory then
	if one, many := finds("a"), finds("b", "c", "d", "e"); one != many { // each asks for somebody who is not in memory
		t.Errorf("%d finds for one, %d for four", one, many)
	}
}

func TestUsageOverGraphQL(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	const use = `mutation($n: Int!, $id: String!) { consumeFeature(input: {user: "user:u", feature: "docs", amount: $n, source: "s", id: $id}) { usage { used remaining duplicate } } }`
	if got := c.ask("u", use, map[string]any{"n": 1, "id": "a"}); got != "FORBIDDEN" {
		t.Errorf("the user: %s", got)
	}
	for range 2 {
		if got := c.ask("root", use, map[string]any{"n": 2, "id": "a"}); !strings.Contains(got, `"used":2,"remaining":1`) {
			t.Errorf("%s", got)
		}
	}
	if got := c.ask("root", use, map[string]any{"n": 3, "id": "a"}); got != "IDEMPOTENCY_CONFLICT" {
		t.Errorf("%s", got)
	}
	if got := c.ask("root", use, map[string]any{"n": 2, "id": "b"}); got != "QUOTA_EXCEEDED" {
		t.Errorf("%s", got)
	}
	var out struct {
		ReserveFeature struct{ Usage struct{ Reservation string } }
	}
	c.read("root", `mutation { reserveFeature(input: {user: "user:u", feature: "docs"}) { usage { reservation } } }`, nil, &out)
	hold := map[string]any{"r": out.ReserveFeature.Usage.Reservation}
	if got := c.ask("root", `mutation($r: String!) { commitReservation(input: {reservation: $r}) { usage { used } } }`, hold); got != `{"commitReservation":{"usage":{"used":3}}}` {
		t.Errorf("%s", got)
	}
	if got := c.ask("root", `mutation($r: String!) { releaseReservation(input: {reservation: $r}) { usage { used } } }`, hold); got != "HOLD_NOT_FOUND" {
		t.Errorf("%s", got)
	}
	want := `{"entitlement":{"limit":3,"used":3,"level":"NEAR","source":"plan","why":["the plan Free (version 1) allows 3"]}}`
	if got := c.ask("u", `{ entitlement(feature: "docs") { limit used level source why } }`, nil); got != want {
		t.Errorf("%s", got)
	}
}

func TestCatalogueOverGraphQL(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	const apply = `mutation($y: String!, $dry: Boolean!) { applyCatalogue(input: {yaml: $y, dryRun: $dry}) { changes catalogue { plans { key version } } } }`
	args := map[string]any{"y": "plans: [{key: free, name: Free, default: true, features: [{feature: docs, limit: 5}]}]", "dry": true}
	if got := c.ask("u", apply, args); got != "FORBIDDEN" {
		t.Errorf("%s", got)
	}
	for _, dry := range []bool{true, false} {
		args["dry"] = dry
		got := c.ask("root", apply, args)
		if !strings.Contains(got, "~ plan free: version 2, features docs.limit 3 -\\u003e 5") && !strings.Contains(got, "~ plan free: version 2, features docs.limit 3 -> 5") {
			t.Errorf("%s", got)
		}
		if strings.Contains(got, `"version":2`) == dry {
			t.Errorf("dry %t: %s", dry, got)
		}
	}
	args["y"] = "plans: [{key: free, nam: x}]"
	if got := c.ask("root", apply, args); got != "BAD_USER_INPUT" {
		t.Errorf("%s", got)
	}
}
