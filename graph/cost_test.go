package graph

import (
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

func TestCost(t *testing.T) {
	t.Parallel()
	s := plainServer(t, Config{})
	for text, want := range map[string]int{
		`{ __typename }`: 1,
		`{ documents(type: "a", first: 50) { nodes { id owner { id } } } }`:                                                                    1 + 1 + 50*3,
		`{ documents(type: "a") { nodes { id } } }`:                                                                                            1 + 1 + 20,
		`{ documents(type: "a", last: 7) { edges { cursor node { id } } pageInfo { hasNextPage } count } }`:                                    1 + 1 + 7*3 + 2 + 1,
		`query($n: Int) { documents(type: "a", first: $n) { nodes { id } } }`:                                                                  1 + 1 + 30,
		`query($m: Int) { documents(type: "a", first: $m) { nodes { id } } }`:                                                                  1 + 1 + 20,
		`{ documents(type: "a", first: 10) { ...c } } fragment c on DocumentConnection { nodes { id ...d } } fragment d on Document { label }`: 1 + 1 + 10*2,
		`{ documents(type: "a", first: 20) { nodes { id backlinks(first: 5) { nodes { from { id } } } } } }`:                                   1 + 1 + 20*(1+1+1+5*2),
		`{ contentTypes { key fields { name } } }`:                                                                                             1 + 10*(1+1+10*1),
		`{ documents(type: "a", first: 2147483647) { nodes { id } } }`:                                                                         1 + 1 + 100,
		`{ __schema { types { name fields { name } } } }`:                                                                                      1,
	} {
		doc, errs := s.document(t.Context(), text)
		if plain := plainServer(t, Config{Introspection: true}); len(errs) > 0 {
			doc, errs = plain.document(t.Context(), text)
		}
		if len(errs) > 0 {
			t.Fatal(text, errs)
		}
		if got := costOf(doc.ast.Operations[0], map[string]any{"n": int64(30)}); got != want {
			t.Errorf("%s costs %d, want %d", text, got, want)
		}
	}
}

func TestCostIsBounded(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	g := &gates{numbers: map[string]int64{FeatureBudget: 100}}
	c.srv.gate(g, now.Now)
	c.srv.cfg.MaxCost = 60
	if got := c.ask("u", `{ plans { prices { currency } } }`, nil); got != "QUERY_TOO_COMPLEX" { // 1 + 10 * (1 + 10)
		t.Errorf("above the bound of the server: %s", got)
	}
	ask := func() string { return c.ask("u", `{ plans { key name rank version } }`, nil) } // 41
	for range 2 {
		if got := ask(); !strings.HasPrefix(got, "{") {
			t.Error(got)
		}
	}
	if got := ask(); got != "QUOTA_EXCEEDED" {
		t.Errorf("above the budget: %s", got)
	}
	now.Advance(time.Minute)
	if got := ask(); !strings.HasPrefix(got, "{") {
		t.Errorf("a minute later: %s", got)
	}
}

// Whoever asks for the cost is told.
func TestCostOfAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{}, Config{})
	for name, g := range map[string]got{
		"header":    r.query(`{ __typename }`, nil, CostHeader, "1"),
		"extension": r.post(`{"query": "{ __typename }", "extensions": {"cost": true}}`),
	} {
		if want := `"extensions":{"cost":{"requested":1,"allowed":100000}}`; !strings.Contains(g.body, want) {
			t.Errorf("%s: %s", name, g.body)
		}
	}
	if g := r.query(`{ __typename }`, nil); strings.Contains(g.body, "extensions") {
		t.Errorf("unasked: %s", g.body)
	}
}

// Who asks for the cost alone is counted, but nothing is taken of the budget, and the plan's bound of one operation is told.
func TestCostAloneIsFree(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	c.srv.gate(&gates{numbers: map[string]int64{FeatureBudget: 100, FeatureCost: 50, FeatureRate: 4}}, now.Now)
	price := func() got {
		return c.query(`{ plans { key name rank version } }`, nil, "X-User", "u", CostHeader, costOnly)
	}
	for range 4 {
		want := `{"data":null,"extensions":{"cost":{"requested":41,"allowed":50,"remaining":100,"dearest":[{"field":"plans","size":10,"cost":41}]}}}`
		if g := price(); g.body != want {
			t.Errorf("got %s, want %s", g.body, want)
		}
	}
	if g := price(); g.code() != "QUOTA_EXCEEDED" {
		t.Errorf("above the rate: %s", g.body)
	}
}
