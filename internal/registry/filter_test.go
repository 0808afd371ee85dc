package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// films is the schema that the tests filter.
func films() m {
	return object(m{
		"title": m{"type": "string", "index": true, "search": true}, "year": m{"type": "integer", "index": true},
		"seen": m{"type": []any{"boolean", "null"}, "index": true}, "tags": m{"type": "array", "items": m{"type": "string"}, "index": true},
		"out": m{"type": "string", "format": "date", "index": true}, "plot": m{"type": "string", "search": true},
		"by":   m{"type": "string", "index": true, "reference": m{"to": []any{"*"}, "onDelete": "KEEP"}},
		"cast": m{"type": "array", "index": true, "items": reference(Keep, "*")},
		"made": object(m{"where": m{"type": "string", "index": true}, "cost": m{"type": "number"}}),
		"and":  m{"type": "number", "index": true}, "label": m{"type": "string"},
	})
}

// cinema is a world with some films by people.
func cinema(t testing.TB) (w *world, people map[string]Document) {
	t.Helper()
	w = newWorld(t, Config{})
	w.define("person", object(m{"name": m{"type": "string", "index": true}, "born": m{"type": "integer", "index": true}, "home": reference(Keep, "*")}))
	w.define("film", films())
	w.RegisterTarget(ref.User, w.finderOf("test_quota"))
	people = map[string]Document{}
	for name, born := range map[string]int{"Ada": 1900, "Bob": 1950, "Cleo": 1980} {
		people[name] = w.create("person", m{"name": name, "born": born})
	}
	by := func(names ...string) []any {
		var out []any
		for _, n := range names {
			out = append(out, people[n].Ref().String())
		}
		return out
	}
	for _, data := range []m{
		{"title": "Alien", "year": 1979, "seen": true, "tags": a{"space", "fear"}, "out": "1979-05-25", "by": by("Ada")[0], "cast": by("Bob", "Cleo"), "plot": "A ship answers.", "label": "x"},
		{"title": "Émilie", "year": 2001, "seen": false, "tags": a{"love"}, "out": "2001-04-25", "by": by("Bob")[0], "made": m{"where": "FR", "cost": 7.5}},
		{"title": "Brazil", "year": 1985, "tags": a{}, "made": m{"where": "UK"}, "and": 3, "plot": "An office and a SHIP."},
		{"title": "Solaris", "year": 1972, "seen": nil, "tags": a{"space"}, "cast": by("Ada")},
		{"title": "émile"},
	} {
		w.create("film", data)
	}
	return w, people
}

// titles lists by a command, and checks that the count and a live list agree where there can be one.
func (w *world) titles(cmd ListCmd) string {
	w.Helper()
	cmd.Type = "film"
	p, err := w.List(w.ctx, cmd)
	if err != nil {
		w.Fatalf("%v: %v", cmd.Filter, err)
	}
	if n, err := w.Count(w.ctx, cmd, MaxCount); err != nil || n != len(p.Items) {
		w.Errorf("%v lists %d and counts %d, %v", cmd.Filter, len(p.Items), n, err)
	}
	return titlesOf(p.Items)
}

func titlesOf(ds []Document) string {
	var out []string
	for _, d := range ds {
		s, _ := d.Data["title"].(string)
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestFilterOperators(t *testing.T) {
	t.Parallel()
	w, people := cinema(t)
	ada := people["Ada"].Ref().String()
	target := func(field string, kinds ...any) m { return m{field: m{"target": kinds}} }
	for i, tc := range []struct {
		filter m
		want   string
	}{
		{nil, "émile Solaris Brazil Émilie Alien"},
		{m{}, "émile Solaris Brazil Émilie Alien"},
		{m{"title": m{"eq": "Alien"}}, "Alien"},
		{m{"title": m{"startsWith": "S"}}, "Solaris"},
		{m{"title": m{"startsWith": "."}}, ""},
		{m{"title": m{"in": a{"Alien", "Brazil", "Nope"}}}, "Brazil Alien"},
		{m{"title": m{"in": a{}}}, ""},
		{m{"title": m{"gte": "Brazil", "lt": "Z"}}, "Solaris Brazil"},
		{m{"year": m{"gt": 1979}}, "Brazil Émilie"},
		{m{"year": m{"gte": 1979.0, "lte": 1985}}, "Brazil Alien"},
		{m{"year": m{"lt": 1979}}, "Solaris"},
		{m{"year": m{"exists": false}}, "émile"},
		{m{"seen": m{"eq": true}}, "Alien"},
		{m{"seen": m{"exists": false}}, "émile Solaris Brazil"},
		{m{"seen": m{"exists": true}, "year": m{"gt": 0}}, "Émilie Alien"},
		{m{"year": m{"gt": 0, "ne": 1979}}, "Solaris Brazil Émilie"},
		{m{"tags": m{"has": "space"}}, "Solaris Alien"},
		{m{"tags": m{"hasAny": a{"love", "fear"}}}, "Émilie Alien"},
		{m{"tags": m{"exists": false}}, "émile"},
		{m{"out": m{"gt": "1980-01-01"}}, "Émilie"},
		{m{"by": m{"eq": ada}}, "Alien"},
		{m{"cast": m{"has": ada}}, "Solaris"},
		{m{"owner": m{"eq": ann.String()}, "year": m{"lt": 1975}}, "Solaris"},
		{m{"owner": m{"eq": "role:x"}}, ""},
		{m{"createdAt": m{"gte": "2026-01-02T04:04:05+01:00"}, "title": m{"eq": "Alien"}}, "Alien"},
		{m{"createdAt": m{"gt": "2026-01-02T03:04:05Z"}}, ""},
		{m{"label": m{"eq": "Alien"}}, "Alien"},
		{m{"label": m{"eq": "alien"}}, ""},
		{m{"label": m{"in": a{"Alien", "émile"}}}, "émile Alien"},
		{m{"label": m{"startsWith": "EMIL"}}, "émile Émilie"},
		{m{"label": m{"startsWith": "émile"}}, "émile"},
		{m{"data.label": m{"eq": "x"}, "year": m{"gt": 0}}, "Alien"},
		{m{"or": a{m{"year": m{"eq": 1979}}, m{"title": m{"eq": "Brazil"}}}}, "Brazil Alien"},
		{m{"or": a{}}, ""},
		{m{"and": a{m{"year": m{"gt": 1979}}, m{"not": m{"seen": m{"eq": false}}}}}, "Brazil"},
		{m{"field": "and", "op": "eq", "value": 3}, "Brazil"},
		{m{"field": "made.where", "op": "in", "value": a{"FR", "UK"}}, "Brazil Émilie"},
		{m{"made.where": m{"eq": "UK"}}, "Brazil"},
		{m{"and": a{m{"field": "made.cost", "op": "gt", "value": 1}, m{"year": m{"gt": 0}}}}, "Émilie"},
		{m{"year": m{"gt": 0}, "title": m{"contains": "il"}}, "Brazil Émilie"},
		{target("by", m{"type": "person", "where": m{"born": m{"lt": 1940}}}), "Alien"},
		{target("by", m{"type": "person", "where": m{"born": m{"lt": 1940}}}, m{"type": "person", "where": m{"name": m{"eq": "Bob"}}}), "Émilie Alien"},
		{target("by", m{"type": "person"}), "Émilie Alien"},
		{target("by", m{"type": "document"}), "Émilie Alien"},
		{target("by", m{"type": "user"}), ""},
		{target("cast", m{"type": "person", "where": m{"born": m{"gt": 1940}}}), "Alien"},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			if got := w.titles(ListCmd{Filter: tc.filter}); got != tc.want {
				t.Errorf("%v selects %q; want %q", tc.filter, got, tc.want)
			}
			_, _, newSource, _, err := w.ListChannel(w.ctx, FollowCmd{Type: "film", First: 20, Filter: tc.filter})
			if strings.Contains(fmt.Sprint(tc.filter), "target") {
				wantFault(t, err, ErrFilter)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			live := newSource()
			if err := live.Load(w.ctx); err != nil || titlesOf(live.Snapshot().(List).Documents) != tc.want {
				t.Errorf("live: %v, %v", live.Snapshot(), err)
			}
			for _, d := range mustList(t, w, ListCmd{Type: "film"}) { // in memory it is the same
				_, seen := live.shows(d)
				if seen != slices.Contains(strings.Fields(tc.want), d.Data["title"].(string)) {
					t.Errorf("in memory %v: %v", d.Data["title"], seen)
				}
			}
		})
	}
}

func mustList(t testing.TB, w *world, cmd ListCmd) []Document {
	t.Helper()
	p, err := w.List(w.ctx, cmd)
	if err != nil {
		t.Fatal(err)
	}
	return p.Items
}

func TestFilterRefused(t *testing.T) {
	t.Parallel()
	w, _ := cinema(t)
	w.rights.deny(PermScan)
	deep := m{"year": m{"eq": 1}}
	for range maxFilterDepth {
		deep = m{"not": deep}
	}
	many := make(a, maxFilterConditions+1)
	for i := range many {
		many[i] = m{"year": m{"eq": i}}
	}
	values := make(a, maxFilterValues+1)
	for i := range values {
		values[i] = i
	}
	for i, tc := range []struct {
		cmd     ListCmd
		want    *fault.Error
		pointer string
	}{
		{ListCmd{Filter: m{"nope": m{"eq": 1}}}, ErrFilter, "/filter/nope"},
		{ListCmd{Filter: m{"year": m{"eq": "1979"}}}, ErrFilter, "/filter/year/eq"},
		{ListCmd{Filter: m{"year": m{"eq": nil}}}, ErrFilter, "/filter/year/eq"},
		{ListCmd{Filter: m{"year": m{"$where": "1"}}}, ErrFilter, "/filter/year/$where"},
		{ListCmd{Filter: m{"year": 1979}}, ErrFilter, "/filter/year"},
		{ListCmd{Filter: m{"year": m{"in": a{1979, "x"}}}}, ErrFilter, "/filter/year/in/1"},
		{ListCmd{Filter: m{"title": m{"eq": m{"$gt": ""}}}}, ErrFilter, "/filter/title/eq"},
		{ListCmd{Filter: m{"title": m{"eq": strings.Repeat("x", maxValue+1)}}}, ErrFilter, "/filter/title/eq"},
		{ListCmd{Filter: m{"title": m{"eq": "\x00"}}}, ErrFilter, "/filter/title/eq"},
		{ListCmd{Filter: m{"tags": m{"eq": "x"}}}, ErrFilter, "/filter/tags/eq"},
		{ListCmd{Filter: m{"seen": m{"exists": 1}}}, ErrFilter, "/filter/seen/exists"},
		{ListCmd{Filter: m{"or": m{}}}, ErrFilter, "/filter/or"},
		{ListCmd{Filter: m{"or": a{m{"year": m{"eq": 1}}, 3}}}, ErrFilter, "/filter/or/1"},
		{ListCmd{Filter: m{"not": a{}}}, ErrFilter, "/filter/not"},
		{ListCmd{Filter: m{"field": "year", "op": "eq"}}, ErrFilter, "/filter"},
		{ListCmd{Filter: m{"by": m{"eq": "x"}}}, ErrFilter, "/filter/by/eq"},
		{ListCmd{Filter: m{"by": m{"target": a{m{"type": "nope"}}}}}, ErrFilter, "/filter/by/target/0"},
		{ListCmd{Filter: m{"by": m{"target": a{m{"type": "user", "where": m{}}}}}}, ErrFilter, "/filter/by/target/0"},
		{ListCmd{Filter: m{"by": m{"target": a{m{"type": "person", "where": m{"x": m{"eq": 1}}}}}}}, ErrFilter, "/filter/by/target/0/where/x"},
		{ListCmd{Filter: deep}, ErrFilter, strings.Repeat("/not", maxFilterDepth)},
		{ListCmd{Filter: m{"or": many}}, ErrFilter, "/filter/or/100/year/eq"},
		{ListCmd{Filter: m{"year": m{"in": values}}}, ErrFilter, "/filter/year/in/1000"},
		{ListCmd{Sort: []Sort{{Field: "tags"}}}, ErrFilter, "/sort/0"},
		{ListCmd{Sort: []Sort{{Field: "year"}, {Field: "year"}}}, ErrFilter, "/sort/1"},
		{ListCmd{Search: "!"}, ErrFilter, "/search"},
		{ListCmd{Prefix: " "}, ErrFilter, "/prefix"},
		{ListCmd{Filter: m{"title": m{"contains": "x"}}}, ErrNotIndexed, ""},
		{ListCmd{Filter: m{"year": m{"ne": 3}}}, ErrNotIndexed, ""},
		{ListCmd{Filter: m{"plot": m{"eq": "x"}}}, ErrNotIndexed, ""},
		{ListCmd{Filter: m{"not": m{"year": m{"eq": 3}}}}, ErrNotIndexed, ""},
		{ListCmd{Filter: m{"or": a{m{"year": m{"eq": 3}}, m{"rev": m{"eq": 3}}}}}, ErrNotIndexed, ""},
		{ListCmd{Sort: []Sort{{Field: "rev"}}}, ErrNotIndexed, ""},
		{ListCmd{Filter: m{"by": m{"target": a{m{"type": "person", "where": m{"rev": m{"eq": 1}}}}}}}, ErrNotIndexed, ""},
		{ListCmd{Filter: m{"plot": m{"eq": "x"}}, AllowScan: true}, fault.ErrForbidden, ""},
		{ListCmd{Sort: []Sort{{Field: "year"}}, Page: page.Args{After: new("WyJ4Il0")}}, page.ErrCursor, ""},
		{ListCmd{Sort: []Sort{{Field: "year"}}, Page: page.Args{After: new(page.Cursor{"{}", "1"}.Encode())}}, page.ErrCursor, ""},
	} {
		tc.cmd.Type = "film"
		_, err := w.List(w.ctx, tc.cmd)
		f := wantFault(t, err, tc.want)
		if got, _ := f.Details["pointer"].(string); !strings.HasSuffix(got, tc.pointer) {
			t.Errorf("%d: pointer %q; want %q", i, got, tc.pointer)
		}
		if tc.want == ErrNotIndexed && f.Details["field"] == "" {
			t.Errorf("%d: no field", i)
		}
	}
	// Who may scan is answered.
	p, err := w.List(w.system, ListCmd{Type: "film", AllowScan: true, Filter: m{"plot": m{"contains": "ship"}, "rev": m{"eq": 1}}, Sort: []Sort{{Field: "rev"}}})
	if err != nil || titlesOf(p.Items) != "Alien" {
		t.Errorf("a scan: %v, %v", p, err)
	}
}

// What is hidden does not show through a filter, a sort, a facet, a search or a prefix; what is out of scope is in none of them.
func TestFilterHidesWhatIsHidden(t *testing.T) {
	t.Parallel()
	w, people := cinema(t)
	list := func(cmd ListCmd) error { cmd.Type = "film"; _, err := w.List(w.ctx, cmd); return err }
	w.rights.hidden = []string{"title", "born"}
	for name, err := range map[string]error{
		"filter": list(ListCmd{Filter: m{"title": m{"eq": "Alien"}}}),
		"not":    list(ListCmd{Filter: m{"not": m{"title": m{"eq": "Alien"}}}}),
		"sort":   list(ListCmd{Sort: []Sort{{Field: "title"}}}),
		"second": list(ListCmd{Sort: []Sort{{Field: "year"}, {Field: "title"}}}),
		"label":  list(ListCmd{Filter: m{"label": m{"startsWith": "A"}}}),
		"labels": list(ListCmd{Sort: []Sort{{Field: "label"}}}),
		"search": list(ListCmd{Search: "ship"}),
		"prefix": list(ListCmd{Prefix: "al"}),
		"target": list(ListCmd{Filter: m{"by": m{"target": a{m{"type": "person", "where": m{"born": m{"gt": 1}}}}}}}),
		"facet": func() error {
			_, err := w.Facets(w.ctx, FacetsCmd{Type: "film", Fields: []string{"title"}})
			return err
		}(),
		"live": func() error {
			_, _, _, _, err := w.ListChannel(w.ctx, FollowCmd{Type: "film", First: 1, Filter: m{"title": m{"eq": "Alien"}}}) //nolint:dogsled // only the refusal matters
			return err
		}(),
	} {
		if f := wantFault(t, err, ErrField); f.Details["field"] == "" {
			t.Errorf("%s names no field", name)
		}
	}
	w.rights.hidden = nil
	scope := predicate.Or(predicate.Eq("data.seen", true), predicate.Eq("data.year", 1972))
	w.rights.scope = &scope
	if got := w.titles(ListCmd{Filter: m{"year": m{"gt": 0}}, Sort: []Sort{{Field: "year"}}}); got != "Solaris Alien" {
		t.Errorf("in scope: %s", got)
	}
	facets, err := w.Facets(w.ctx, FacetsCmd{Type: "film", Fields: []string{"tags", "seen"}})
	if want := "[{tags [{space 2} {fear 1}]} {seen [{<nil> 1} {true 1}]}]"; err != nil || fmt.Sprint(facets) != want {
		t.Errorf("facets %v, %v; want %s", facets, err, want)
	}
	// The scope of the targets is the caller's too: no person is in it.
	if got := w.titles(ListCmd{Filter: m{"by": m{"target": a{m{"type": "person", "where": m{"born": m{"gt": 1}}}}}}}); got != "" {
		t.Errorf("through a target out of scope, %s: %s", people["Ada"].ID, got)
	}
}

func TestSearchPrefixAndFacets(t *testing.T) {
	t.Parallel()
	w, _ := cinema(t)
	for want, cmd := range map[string]ListCmd{
		"Brazil Alien":   {Search: "ship"},
		"Brazil":         {Search: "SHIP, office"},
		"émile":          {Search: "emile"},
		"Alien":          {Search: "ship", Filter: m{"year": m{"lt": 1980}}},
		"émile Émilie":   {Prefix: "émIL"},
		"Émilie":         {Prefix: "emil", Filter: m{"made.where": m{"eq": "FR"}, "plot": m{"exists": false}}},
		"":               {Search: `"-ship`, Prefix: "zzz"},
		"Brazil Solaris": {Prefix: "", Filter: m{"or": a{m{"year": m{"eq": 1985}}, m{"year": m{"eq": 1972}}}}, Sort: []Sort{{Field: "label"}}},
	} {
		if got := w.titles(cmd); got != want {
			t.Errorf("%+v gives %q; want %q", cmd, got, want)
		}
	}
	_, err := w.List(w.ctx, ListCmd{Type: "person", Search: "x"})
	wantFault(t, err, ErrFilter)
	f, err := w.Facets(w.ctx, FacetsCmd{Type: "film", Search: "ship", Fields: []string{"year"}})
	if err != nil || fmt.Sprint(f) != "[{year [{1979 1} {1985 1}]}]" {
		t.Errorf("facets of a search: %v, %v", f, err)
	}
	_, err = w.Facets(w.ctx, FacetsCmd{Type: "film", Fields: []string{"plot"}})
	wantFault(t, err, ErrNotIndexed)
	_, err = w.Facets(w.ctx, FacetsCmd{Type: "film"})
	wantFault(t, err, ErrFilter)
	if n, err := w.Count(w.ctx, ListCmd{Type: "film"}, 3); n != 3 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
	_, err = w.Count(w.ctx, ListCmd{Type: "film"}, MaxCount+1)
	wantFault(t, err, ErrFilter)
}

// Pages of any size in any order, either way, are the list cut into parts.
func TestSortedPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("film", films())
	rnd := rand.New(rand.NewPCG(1, 2))
	long := strings.Repeat("long ", 60)
	for range 40 {
		d := m{}
		if rnd.IntN(4) > 0 {
			d["year"] = rnd.IntN(5)
		}
		if rnd.IntN(4) > 0 {
			d["title"] = []string{"a", "B", "ä", long + "1", long + "2", ""}[rnd.IntN(6)]
		}
		if rnd.IntN(4) > 0 {
			d["seen"] = rnd.IntN(2) == 0
		}
		w.create("film", d)
	}
	for _, sorts := range [][]Sort{
		{{Field: "year"}},
		{{Field: "year", Desc: true}},
		{{Field: "title"}, {Field: "year", Desc: true}},
		{{Field: "seen", Desc: true}, {Field: "title"}, {Field: "rev"}},
		{{Field: "label"}},
		{{Field: "createdAt"}, {Field: "year"}},
		{{Field: "id"}},
		nil,
	} {
		whole := mustList(t, w, ListCmd{Type: "film", Sort: sorts, Page: page.Args{First: new(100)}})
		keys, err := sortKeys(mustType(w), mask{}, sorts, false)
		if err != nil || len(whole) != 40 || !slices.IsSortedFunc(whole, func(a, b Document) int { return compareBy(keys, a, b) }) {
			t.Fatalf("%v: %d in no order, %v", sorts, len(whole), err)
		}
		for _, forward := range []bool{true, false} {
			var got []Document
			args := page.Args{First: new(7)}
			if !forward {
				args = page.Args{Last: new(7)}
			}
			for more := true; more; {
				p, err := w.List(w.ctx, ListCmd{Type: "film", Sort: sorts, Page: args})
				if err != nil {
					t.Fatal(err)
				}
				if forward {
					got, more = append(got, p.Items...), p.HasNext
					args.After = &p.Cursors[len(p.Cursors)-1]
				} else {
					got, more = append(p.Items, got...), p.HasPrevious
					args.Before = &p.Cursors[0]
				}
			}
			if !slices.EqualFunc(got, whole, func(a, b Document) bool { return a.ID == b.ID }) {
				t.Errorf("%v, forward %v: the pages are not the list", sorts, forward)
			}
		}
	}
}

func mustType(w *world) *compiled {
	t, err := w.types.key(w.ctx, "film")
	if err != nil {
		w.Fatal(err)
	}
	return t
}

// Filters and sorts are served by an index of the type, and the first field of a sort without sorting.
func TestFilterPlans(t *testing.T) {
	t.Parallel()
	w, _ := cinema(t)
	for i, tc := range []struct {
		cmd   ListCmd
		index string // "" for any
		sorts bool   // a sort may be needed
	}{
		{ListCmd{}, "type_newest", false},
		{ListCmd{Filter: m{"title": m{"eq": "Alien"}}}, "slot", false},
		{ListCmd{Filter: m{"year": m{"gt": 1980, "lt": 1990}}, Sort: []Sort{{Field: "year"}}}, "slot", false},
		{ListCmd{Filter: m{"tags": m{"has": "space"}}}, "slot", false},
		{ListCmd{Filter: m{"title": m{"startsWith": "A"}}, Sort: []Sort{{Field: "title"}}}, "slot", false},
		{ListCmd{Filter: m{"or": a{m{"title": m{"eq": "A"}}, m{"year": m{"eq": 3}}}}}, "slot", true},
		{ListCmd{Filter: m{"by": m{"eq": "document:x"}}}, "slot", false},
		{ListCmd{Sort: []Sort{{Field: "year", Desc: true}}}, "slot", false},
		{ListCmd{Sort: []Sort{{Field: "label"}}}, "type_prefix", false},
		{ListCmd{Sort: []Sort{{Field: "createdAt", Desc: true}}}, "type_created", false},
		{ListCmd{Prefix: "al", Sort: []Sort{{Field: "label"}}}, "type_prefix", false},
		{ListCmd{Filter: m{"createdAt": m{"gt": "2026-01-01T00:00:00Z"}}, Sort: []Sort{{Field: "createdAt"}}}, "type_created", false},
		{ListCmd{Search: "ship"}, "type_words", true},
	} {
		tc.cmd.Type = "film"
		q, err := w.selection(w.ctx, tc.cmd)
		if err != nil {
			t.Fatal(err)
		}
		order := bson.D{}
		for _, k := range q.sort {
			dir := 1
			if k.desc {
				dir = -1
			}
			order = append(order, bson.E{Key: k.field, Value: dir})
		}
		var out bson.M
		if err := w.db.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: bson.D{
			{Key: "find", Value: "documents"}, {Key: "filter", Value: q.query()}, {Key: "sort", Value: order}, {Key: "limit", Value: 21},
		}}}).Decode(&out); err != nil {
			t.Fatal(err)
		}
		raw, err := bson.MarshalExtJSON(out["queryPlanner"].(bson.D), false, false)
		if err != nil {
			t.Fatal(err)
		}
		plan := string(raw)
		if j := strings.Index(plan, `"winningPlan"`); j >= 0 {
			plan, _, _ = strings.Cut(plan[j:], `"rejectedPlans"`)
		}
		if strings.Contains(plan, "COLLSCAN") || !strings.Contains(plan, tc.index) || !tc.sorts && strings.Contains(plan, `"stage":"SORT"`) {
			t.Errorf("%d: %+v is planned as %s", i, tc.cmd, plan)
		}
	}
	if n := storetest.Count(t, w.db, "documents", bson.D{{Key: "x.k0", Value: bson.D{{Key: "$exists", Value: true}}}}); n != 8 {
		t.Errorf("%d documents have a slot; want all", n)
	}
}

func TestSlots(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	typ := w.define("film", films())
	if len(typ.Slots) != 9 {
		t.Errorf("slots %v", typ.Slots)
	}
	more := slices.Concat(mustType(w).fields, []Field{{Name: "a", Path: []string{"a"}, Indexed: true}})
	more = slices.DeleteFunc(more, func(f Field) bool { return f.Path == nil || f.Name == "year" })
	next, err := assignSlots(typ.Slots, more)
	if err != nil || next["a"] != typ.Slots["year"] {
		t.Errorf("a new field has slot %d, %v; want the free one, %d", next["a"], err, typ.Slots["year"])
	}
	for name, n := range next {
		if name != "a" && typ.Slots[name] != n {
			t.Errorf("%s moved from %d to %d", name, typ.Slots[name], n)
		}
	}
	many := m{}
	for i := range MaxIndexed + 1 {
		many[fmt.Sprint("f", i)] = m{"type": "string", "index": true}
	}
	for name, schema := range map[string]m{
		"too many":    object(many),
		"an object":   object(m{"x": m{"type": "object", "index": true}}),
		"no kind":     object(m{"x": m{"index": true}}),
		"two kinds":   object(m{"x": m{"type": a{"string", "number"}, "index": true}}),
		"additional":  {"type": "object", "additionalProperties": m{"type": "string", "index": true}},
		"a number":    object(m{"x": m{"type": "number", "search": true}}),
		"no boolean":  object(m{"x": m{"type": "string", "index": "yes"}}),
		"no place":    {"type": "object", "anyOf": a{object(m{"x": m{"type": "string", "index": true}})}},
		"null in one": object(m{"x": m{"type": "array", "items": m{"type": a{"string", "null"}}, "index": true}}),
	} {
		_, err := w.Define(w.system, DefineCmd{Key: "bad", Name: "bad", Schema: schema})
		if wantFault(t, err, ErrSchema); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// No event and no answer holds what the indexes keep.
func TestDerivedStaysInside(t *testing.T) {
	t.Parallel()
	w, _ := cinema(t)
	d := w.create("film", m{"title": "secret words"})
	d2, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: m{"title": "other words"}})
	if err != nil || d.Index != nil || d.Prefix != "" || d.Words != "" || d2.Index != nil || d2.Words != "" {
		t.Errorf("answered %+v, %+v, %v", d, d2, err)
	}
	made, err := w.BulkCreate(w.ctx, "film", []m{{"title": "bulk"}}, ann)
	if err != nil || made[0].Index != nil {
		t.Errorf("imported %+v, %v", made, err)
	}
	if got := w.titles(ListCmd{Search: "words"}); got != "other words" {
		t.Errorf("after the change: %s", got)
	}
	if got := w.titles(ListCmd{Filter: m{"title": m{"in": a{"secret words", "other words", "bulk"}}}}); got != "bulk other words" {
		t.Errorf("after the change: %s", got)
	}
	for _, field := range []string{"data.document.x", "data.document.words", "data.document.prefix", "data.documents.x", "data.documents.words"} {
		if n := storetest.Count(t, w.db, "events", bson.D{{Key: field, Value: bson.D{{Key: "$exists", Value: true}}}}); n != 0 {
			t.Errorf("%d events have %s", n, field)
		}
	}
}

// Documents of older releases are found by their labels after the migration.
func TestDocumentPrefixes(t *testing.T) {
	t.Parallel()
	w, _ := cinema(t)
	if _, err := w.db.Collection("documents").UpdateMany(t.Context(), bson.D{}, bson.D{{Key: "$unset", Value: bson.D{{Key: "prefix", Value: ""}}}}); err != nil {
		t.Fatal(err)
	}
	if got := w.titles(ListCmd{Prefix: "emil"}); got != "" {
		t.Fatalf("found %s", got)
	}
	for range 2 {
		if err := documentPrefixes(t.Context(), w.db); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.titles(ListCmd{Prefix: "emil"}); got != "émile Émilie" {
		t.Errorf("found %s", got)
	}
}
