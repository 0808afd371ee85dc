package registry

import (
	"strconv"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
)

// placed is a type of what lies in something, with indexes on both.
func placed() m {
	in := reference(Keep, "*")
	in["index"] = true
	return object(m{"name": m{"type": "string", "index": true}, "in": in})
}

// inTarget is the filter of what lies in something of a type that a filter selects.
func inTarget(typ string, where m) m {
	return m{"in": m{"target": a{m{"type": typ, "where": where}}}}
}

// named are the names of the documents that a filter selects.
func (w *world) named(typ string, filter m) (string, error) {
	w.Helper()
	p, err := w.List(w.ctx, ListCmd{Type: typ, Filter: filter, Page: page.Args{}})
	names := make([]string, len(p.Items))
	for i, d := range p.Items {
		names[i], _ = d.Data["name"].(string)
	}
	return strings.Join(names, " "), err
}

// Targets of targets are followed three times, to documents of any home, and no further.
func TestTargetsThreeDeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	kinds := []string{"room", "house", "city", "land"}
	for _, kind := range kinds {
		w.define(kind, placed())
	}
	for _, land := range []string{"fr", "de"} {
		in := m{}
		for i := len(kinds) - 1; i >= 0; i-- {
			in["name"] = land + "-" + kinds[i]
			d := w.create(kinds[i], in)
			in = m{"in": d.Ref().String()}
		}
	}
	is := func(name string) m { return m{"name": m{"eq": name}} }
	three := inTarget("house", inTarget("city", inTarget("land", is("fr-land"))))
	if got, err := w.named("room", three); err != nil || got != "fr-room" {
		t.Errorf("three deep: %q, %v", got, err)
	}
	if got, err := w.named("room", inTarget("house", inTarget("city", inTarget("land", is("nowhere"))))); err != nil || got != "" {
		t.Errorf("in nothing: %q, %v", got, err)
	}
	either := m{"or": a{three, inTarget("house", inTarget("city", is("de-city")))}}
	if got, err := w.named("room", either); err != nil || got != "de-room fr-room" {
		t.Errorf("either: %q, %v", got, err)
	}
	w.define("desk", placed())
	_, err := w.named("desk", inTarget("room", three))
	const deepest = "/filter/in/target/0/where/in/target/0/where/in/target/0/where/in/target"
	if f := wantFault(t, err, ErrFilter); f.Details["pointer"] != deepest {
		t.Errorf("four deep: %v", f.Details)
	}

	task := w.create("core.task", m{"title": "paint", "status": "TODO"})
	w.create("room", m{"name": "to-paint", "in": task.Ref().String()})
	if got, err := w.named("room", m{"in": m{"target": a{m{"type": "core.task"}}}}); err != nil || got != "to-paint" {
		t.Errorf("targets of a type of the code: %q, %v", got, err)
	}
	if got, err := w.named("room", inTarget("core.task", m{"status": m{"eq": "DONE"}})); err != nil || got != "" {
		t.Errorf("of other ones: %q, %v", got, err)
	}

	w.rights.scope = new(predicate.Not(predicate.Eq("label", "fr-land")))
	if got, err := w.named("room", three); err != nil || got != "" {
		t.Errorf("by a land that the caller may not see: %q, %v", got, err)
	}
	w.rights.scope = nil
	if _, err := w.SetState(w.system, "city", Retired); err != nil {
		t.Fatal(err)
	}
	_, err = w.named("room", three)
	wantFault(t, err, ErrFilter)
}

// A filter of targets may select 10,000 of them.
func TestTargetsTooMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("city", placed())
	w.define("house", placed())
	items := make([]map[string]any, maxTargetIDs+1)
	for i := range items {
		items[i] = m{"name": "c" + strconv.Itoa(i)}
	}
	cities, err := w.BulkCreate(w.ctx, "city", items, ann)
	if err != nil {
		t.Fatal(err)
	}
	w.create("house", m{"name": "first", "in": cities[0].Ref().String()})
	w.create("house", m{"name": "last", "in": cities[maxTargetIDs].Ref().String()})
	all := inTarget("city", m{"name": m{"startsWith": "c"}})
	for name, filter := range map[string]m{"with a filter": all, "of a type alone": {"in": m{"target": a{m{"type": "city"}}}}} {
		_, err := w.named("house", filter)
		if f := wantFault(t, err, ErrFilterBroad); f.Details["limit"] != maxTargetIDs || f.Details["pointer"] != "/filter/in/target/0" {
			t.Errorf("%s: %v", name, f.Details)
		}
	}
	_, err = w.Count(w.ctx, ListCmd{Type: "house", Filter: all}, 10)
	wantFault(t, err, ErrFilterBroad)
	if _, err := w.del(w.ctx, cities[1].Ref()); err != nil {
		t.Fatal(err)
	}
	if got, err := w.named("house", all); err != nil || got != "last first" {
		t.Errorf("of 10,000: %q, %v", got, err)
	}
}
