package graph

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/ref"
)

// gates allow what they hold.
type gates struct {
	on      map[string]bool
	numbers map[string]int64
	used    map[string]int64
}

func (g *gates) Entitled(_ context.Context, _ ref.Ref, feature string) error {
	if !g.on[feature] {
		return plan.ErrFeature.With("feature", feature).With("plan", "free").With("allowedBy", []string{"pro"})
	}
	return nil
}

func (g *gates) Consume(_ context.Context, _ ref.Ref, feature string, n int64) error {
	if g.used[feature] += n; g.used[feature] > g.numbers[feature] {
		return plan.ErrQuota
	}
	return nil
}

func (g *gates) Within(_ context.Context, _ ref.Ref, feature string, n int64, resets *time.Time) error {
	limit, set := g.numbers[feature]
	if !set || n <= limit {
		return nil
	}
	e := plan.ErrQuota.With("feature", feature).With("limit", limit).With("used", n)
	if resets != nil {
		e = e.With("resetsAt", resets.UTC().Format(time.RFC3339))
	}
	return e
}

func (g *gates) Number(_ context.Context, _ ref.Ref, feature string) (*int64, bool) {
	n, set := g.numbers[feature]
	return &n, set
}

func TestEntitledFields(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	g := &gates{on: map[string]bool{}, numbers: map[string]int64{}, used: map[string]int64{}}
	c.srv.gate(g, clock.System())
	if err := c.srv.CheckGates(func(string) bool { return false }); err == nil || !strings.Contains(err.Error(), "createAccessKey") {
		t.Errorf("a feature nobody declares: %v", err)
	}
	if err := c.srv.CheckGates(func(f string) bool { return f == "access.keys" }); err != nil {
		t.Errorf("%v", err)
	}
	// A field of the schema, gated by what a test wants.
	for f, a := range c.srv.access {
		if f.Name == "plans" {
			a.entitled = entitlement{feature: "shop"}
			c.srv.access[f] = a
		}
		if f.Name == "features" {
			a.entitled = entitlement{feature: "looks", uses: 2}
			c.srv.access[f] = a
		}
	}
	if got := c.ask("u", `{ plans { key } }`, nil); got != "FEATURE_NOT_IN_PLAN" {
		t.Errorf("%s", got)
	}
	g.on["shop"] = true
	if got := c.ask("u", `{ plans { key } }`, nil); !strings.HasPrefix(got, `{"plans":[`) {
		t.Errorf("%s", got)
	}
	g.numbers["looks"] = 5
	for i, want := range []string{`{"features":[{"key":"docs"}]}`, `{"features":[{"key":"docs"}]}`, "QUOTA_EXCEEDED"} {
		if got := c.ask("u", `{ features { key } }`, nil); got != want {
			t.Errorf("call %d: %s", i, got)
		}
	}
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	g := &gates{numbers: map[string]int64{FeatureDepth: 2, FeatureCost: 31}}
	c.srv.gate(g, now.Now)
	for query, want := range map[string]string{
		`{ plans { key } }`:                                                     "",
		`{ plans { prices { currency } } }`:                                     "QUOTA_EXCEEDED",
		`{ plans { key name rank } }`:                                           "",
		`{ plans { key name rank version } }`:                                   "QUOTA_EXCEEDED",
		`query A { plans { key } } query B { plans { key name rank version } }`: "", // the document: see below
	} {
		got := c.ask("u", query, nil)
		if strings.Contains(query, "query B") {
			if got != "QUOTA_EXCEEDED" && got != "OPERATION_RESOLUTION_FAILURE" {
				t.Errorf("%s: %s", query, got)
			}
			continue
		}
		if (got == "QUOTA_EXCEEDED") != (want != "") {
			t.Errorf("%s: %s", query, got)
		}
	}
	g.numbers = map[string]int64{FeatureRate: 3}
	ask := func(user string) string { t.Helper(); return c.ask(user, `{ plans { key } }`, nil) }
	for i := range 3 {
		if got := ask("u"); !strings.HasPrefix(got, "{") {
			t.Errorf("%d: %s", i, got)
		}
	}
	if got := ask("u"); got != "QUOTA_EXCEEDED" {
		t.Errorf("the fourth in a minute: %s", got)
	}
	if got := ask("v"); !strings.HasPrefix(got, "{") {
		t.Errorf("another: %s", got)
	}
	now.Advance(20 * time.Second)
	if got := ask("u"); !strings.HasPrefix(got, "{") {
		t.Errorf("a third of a minute later: %s", got)
	}
	g.numbers[FeatureRate] = 10 // another plan
	if got := ask("u"); !strings.HasPrefix(got, "{") {
		t.Errorf("on another plan: %s", got)
	}
}
