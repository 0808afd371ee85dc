package plan

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// fullBook is the test book with everything else that a book can say.
func fullBook() Book {
	b := testBook()
	until := t0.Add(30 * day)
	b.Plans = append(b.Plans, BookPlan{
		Key: "special", Name: "Special", Description: "For one: \"quoted\", ü, and\ntwo lines", Rank: 40, Hidden: true, OnlyFor: "user:v", TrialDays: 3, GraceDays: 2,
		Prices: []Price{{Currency: "USD", AmountMinor: 0, Every: Every{3, Month}, Overages: []Overage{{"calls", 0}, {"docs", 7}}}, {Currency: "EUR", AmountMinor: 5, Every: Every{10, Day}}},
		Features: []Rule{
			{Feature: "calls", Limit: num(0), OnOver: ReadOnly, Reset: EachMonth, Rollover: 5},
			{Feature: "docs", OnOver: Bill},
			{Feature: "export"},
		},
	}, BookPlan{Key: "old", Name: "Old", Rank: 5, Closed: true, Prices: []Price{eur(1, Year)}})
	b.Addons = []Addon{
		{Key: "boost", Name: "Boost", Days: 7, Gives: []Give{{"docs", 1}, {"calls", 2}}, Prices: []Price{eur(50, Month)}},
		{Key: "more-docs", Name: "More documents", Recurring: true, Closed: true, Gives: []Give{{"docs", 5}}, Prices: []Price{eur(310, Month), eur(3000, Year)}},
	}
	b.Coupons = []Coupon{
		{Key: "half", Name: "Half", Percent: 50, Periods: 2, Plans: []string{"basic", "pro"}},
		{Key: "less", Name: "Less", Off: []payment.Money{{AmountMinor: 300, Currency: "EUR"}, {AmountMinor: 1, Currency: "USD"}}, Most: 9, Until: &until},
	}
	return b
}

// part is the book with only what changes.
func (w *world) part(change func(b *Book)) Book {
	b := fullBook()
	change(&b)
	return b
}

func (w *world) export() Book {
	w.t.Helper()
	b, err := w.Export(w.sys())
	w.must(err)
	return b
}

// edits are the changes of the catalogue in the log, oldest first.
func (w *world) edits() (lines []string) {
	w.t.Helper()
	all, err := store.Find[event.Event](w.t.Context(), w.db.Collection("events"), bson.D{store.Eq("kind", "plan.catalogue.changed")})
	w.must(err)
	slices.SortFunc(all, func(a, b event.Event) int { return strings.Compare(a.ID, b.ID) })
	for _, e := range all {
		f, err := store.Decode[struct {
			Change string `bson:"change"`
		}](e.Data)
		w.must(err)
		lines = append(lines, f.Change)
	}
	return lines
}

func TestExportAppliedAgainChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(fullBook())
	before := len(w.edits())
	for _, prune := range []bool{false, true} {
		for name, s := range map[string]*Service{"this node": w.Service, "another": w.node(Config{})} {
			b, err := s.Export(w.as(boss))
			w.must(err)
			lines, err := s.Apply(w.as(boss), ApplyCmd{Book: b, Prune: prune})
			if err != nil || len(lines) != 0 {
				t.Errorf("%s, prune %v: %v, %v", name, prune, lines, err)
			}
		}
	}
	// The book as it was written says the same as the one that comes back, and neither order nor defaults in words matter.
	b := fullBook()
	slices.Reverse(b.Plans)
	slices.Reverse(b.Features)
	slices.Reverse(b.Addons)
	slices.Reverse(b.Coupons)
	for i := range b.Plans {
		for j := range b.Plans[i].Features {
			if r := &b.Plans[i].Features[j]; r.Feature == "docs" && r.OnOver == "" {
				r.OnOver = Block
			} else if r.Feature == "calls" && r.Reset == "" {
				r.Reset = EachPeriod
			}
		}
	}
	lines, err := w.Apply(w.as(boss), ApplyCmd{Book: b, Prune: true})
	if err != nil || len(lines) != 0 {
		t.Errorf("reversed: %v, %v", lines, err)
	}
	if got := w.edits(); len(got) != before {
		t.Errorf("told: %v", got[before:])
	}
	lines, err = w.Apply(w.as(boss), ApplyCmd{})
	if err != nil || len(lines) != 0 {
		t.Errorf("an empty book: %v, %v", lines, err)
	}
}

func TestBookAsYAML(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(fullBook())
	b := w.export()
	text, err := b.YAML()
	w.must(err)
	again, err := ParseBook(text)
	w.must(err)
	for what, pair := range map[string][2]any{
		"features": {b.Features, again.Features}, "addons": {b.Addons, again.Addons}, "coupons": {len(b.Coupons), len(again.Coupons)}, "plans": {len(b.Plans), len(again.Plans)},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: %+v\nbecame %+v", what, pair[0], pair[1])
		}
	}
	lines, err := w.Apply(w.as(boss), ApplyCmd{Book: again, Prune: true})
	if err != nil || len(lines) != 0 {
		t.Errorf("applied again: %v, %v\n%s", lines, err, text)
	}
	c, err := w.WholeCatalogue(w.as(boss))
	w.must(err)
	if c.YAML != string(text) || len(c.Plans) != 5 || len(c.Features) != 5 || len(c.Addons) != 2 || len(c.Coupons) != 2 {
		t.Errorf("%+v", c)
	}
	if _, err := w.WholeCatalogue(w.as("u")); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("%v", err)
	}
	for _, hidden := range []string{"redeemed", "createdat", "version", "current", "id:"} {
		if strings.Contains(strings.ToLower(string(text)), hidden) {
			t.Errorf("it says %s:\n%s", hidden, text)
		}
	}
	for name, bad := range map[string]string{
		"an unknown field":   "plans:\n- {key: xx, name: X, rank: 1, colour: red}\n",
		"an unknown part":    "roles: []\n",
		"inside a rule":      "plans:\n- {key: xx, name: X, rank: 1, features: [{feature: docs, most: 3}]}\n",
		"a field of the log": "coupons:\n- {key: xx, name: X, percent: 5, redeemed: 7}\n",
		"a text as a number": "plans:\n- {key: xx, name: X, rank: first}\n",
		"no YAML":            "plans: [\n",
		"a list":             "- key: xx\n",
	} {
		if b, err := ParseBook([]byte(bad)); !errors.Is(err, fault.ErrInput) || fault.From(err).Field != "input.yaml" || !strings.Contains(err.Error(), "[") {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
	if b, err := ParseBook(nil); err != nil || !reflect.DeepEqual(b, Book{}) {
		t.Errorf("nothing: %+v, %v", b, err)
	}
}

// Each kind of edit has its line, commits its event, and is what is read back.
func TestBookLines(t *testing.T) {
	t.Parallel()
	plan := func(key string, change func(p *BookPlan)) func(b *Book) {
		return func(b *Book) {
			i := slices.IndexFunc(b.Plans, func(p BookPlan) bool { return p.Key == key })
			change(&b.Plans[i])
		}
	}
	later := t0.Add(60 * day)
	for _, tc := range []struct {
		name   string
		change func(b *Book)
		prune  bool
		lines  []string
	}{
		{"a feature", func(b *Book) { b.Features = append(b.Features, Feature{Key: "new", Kind: Boolean, Name: "New"}) }, false, []string{"+ feature new"}},
		{"its name", func(b *Book) { b.Features[0].Name, b.Features[0].Unit = "Papers", "sheets" }, false, []string{"~ feature docs: name Documents -> Papers, unit none -> sheets"}},
		{"a plan", func(b *Book) { b.Plans = append(b.Plans, BookPlan{Key: "xl", Name: "XL", Rank: 99}) }, false, []string{"+ plan xl"}},
		{"a limit", plan("basic", func(p *BookPlan) { p.Features[0].Limit = num(20) }), false, []string{"~ plan basic: version 2, features docs.limit 10 -> 20"}},
		{"no limit", plan("basic", func(p *BookPlan) { p.Features[0].Limit = nil }), false, []string{"~ plan basic: version 2, features docs.limit 10 -> none"}},
		{"a price", plan("pro", func(p *BookPlan) { p.Prices[1].AmountMinor = 24000 }), false, []string{"~ plan pro: version 2, prices eur-1-year.amountMinor 25000 -> 24000"}},
		{"a price more and one less", plan("pro", func(p *BookPlan) { p.Prices[1] = Price{"USD", 1, Every{1, Month}, nil} }), false, []string{"~ plan pro: version 2, prices eur-1-year gone, prices usd-1-month new"}},
		{"the overage", plan("pro", func(p *BookPlan) { p.Prices[0].Overages = nil }), false, []string{"~ plan pro: version 2, prices eur-1-month.overages [{calls 2}] -> []"}},
		{"a feature more and one less", plan("free", func(p *BookPlan) { p.Features[0] = Rule{Feature: "calls", Limit: num(1)} }), false, []string{"~ plan free: version 2, features docs gone, features calls new"}},
		{"a role", plan("basic", func(p *BookPlan) { p.Role = "other" }), false, []string{"~ plan basic: version 2, role role-basic -> role-other"}},
		{"no role", plan("basic", func(p *BookPlan) { p.Role = "" }), false, []string{"~ plan basic: version 2, role role-basic -> none"}},
		{"the grace and the trial", plan("pro", func(p *BookPlan) { p.GraceDays, p.TrialDays = 1, 2 }), false, []string{"~ plan pro: version 2, graceDays 7 -> 1, trialDays 14 -> 2"}},
		{"the window", plan("pro", func(p *BookPlan) { p.Name, p.Rank, p.Hidden, p.Closed, p.TrialDays = "Professional", 21, true, true, 0 }), false, []string{"~ plan pro: name Pro -> Professional, rank 20 -> 21, hidden false -> true, closed false -> true, trialDays 14 -> 0"}},
		{"for everybody", plan("special", func(p *BookPlan) { p.OnlyFor = "" }), false, []string{"~ plan special: onlyFor user:v -> none"}},
		{"for another", plan("special", func(p *BookPlan) { p.OnlyFor = "user:u" }), false, []string{"~ plan special: onlyFor user:v -> user:u"}},
		{"an add-on", func(b *Book) {
			b.Addons = append(b.Addons, Addon{Key: "a2", Name: "A", Gives: []Give{{"docs", 1}}, Prices: []Price{eur(1, Month)}})
		}, false, []string{"+ add-on a2"}},
		{"its price", func(b *Book) { b.Addons[0].Prices[0].AmountMinor, b.Addons[0].Closed = 60, true }, false, []string{"~ add-on boost: closed false -> true, prices eur-1-month.amountMinor 50 -> 60"}},
		{"a coupon", func(b *Book) { b.Coupons = append(b.Coupons, Coupon{Key: "c2", Name: "C", Percent: 100}) }, false, []string{"+ coupon c2"}},
		{"its end", func(b *Book) { b.Coupons[1].Until = &later }, false, []string{"~ coupon less: until 2026-02-01 03:04:05 +0000 UTC -> 2026-03-03 03:04:05 +0000 UTC"}},
		{"its plans", func(b *Book) { b.Coupons[0].Plans = nil }, false, []string{"~ coupon half: plans [basic pro] -> []"}},
		{"what is missing stays", func(b *Book) { *b = Book{} }, false, nil},
		{"prune", func(b *Book) {
			b.Features, b.Plans, b.Addons, b.Coupons = b.Features[:4], b.Plans[:2], b.Addons[1:], b.Coupons[:1]
			b.Plans[0].Features = b.Plans[0].Features[:2]
		}, true, []string{
			"- feature support", "~ plan free: version 2, features support gone", "- plan old, version 1", "- plan pro, version 1", "- plan special, version 1",
			"- add-on boost", "- coupon less",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.apply(fullBook())
			before, told := w.export(), len(w.edits())
			cmd := ApplyCmd{Book: w.part(tc.change), Prune: tc.prune, DryRun: true}
			dry, err := w.Apply(w.as(boss), cmd)
			w.must(err)
			if !reflect.DeepEqual(w.export(), before) || !reflect.DeepEqual(w.reread(), before) || len(w.edits()) != told {
				t.Errorf("a dry run has written: %v", w.edits()[told:])
			}
			cmd.DryRun = false
			lines, err := w.Apply(w.as(boss), cmd)
			w.must(err)
			got := slices.Sorted(slices.Values(lines))
			want := slices.Sorted(slices.Values(tc.lines))
			same(t, "lines", got, want)
			same(t, "lines of the dry run", dry, lines)
			same(t, "events", w.edits()[told:], lines)
			if again, err := w.Apply(w.as(boss), cmd); err != nil || len(again) != 0 {
				t.Errorf("again: %v, %v", again, err)
			}
			if !reflect.DeepEqual(w.export(), w.reread()) {
				t.Errorf("this node says %+v, another %+v", w.export(), w.reread())
			}
		})
	}
}

// reread is the catalogue as a node sees it that has just started.
func (w *world) reread() Book {
	w.t.Helper()
	b, err := w.node(Config{}).Export(w.sys())
	w.must(err)
	return b
}

// Other terms are another version, and who is on the old one keeps it; what the shop window shows is the same version.
func TestVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	old := w.plan["basic"]
	w.edit("basic", func(p *BookPlan) { p.Name, p.Rank, p.TrialDays = "Better", 11, 5 })
	if p := w.plan["basic"]; p.ID != old.ID || p.Version != 1 || p.Name != "Better" || w.place("u").Plan.Name != "Better" {
		t.Errorf("the window: %+v", p)
	}
	w.edit("basic", func(p *BookPlan) { p.Features = []Rule{{Feature: "docs", Limit: num(1)}} })
	w.enroll("v")
	w.to("v", "basic")
	cur := w.plan["basic"]
	if cur.ID == old.ID || cur.Version != 2 || !cur.Current {
		t.Errorf("the terms: %+v", cur)
	}
	for id, want := range map[string]struct {
		plan string
		docs int64
	}{"u": {old.ID, 10}, "v": {cur.ID, 1}} {
		for name, s := range map[string]*Service{"this node": w.Service, "another": w.node(Config{})} {
			e, err := s.Entitlement(w.as(id), user(id), "docs")
			w.must(err)
			p, err := s.MembershipOf(w.as(id), user(id))
			w.must(err)
			if *e.Limit != want.docs || p.Plan.ID != want.plan {
				t.Errorf("%s on %s: %d documents on version %d", id, name, *e.Limit, p.Plan.Version)
			}
		}
	}
	// A window edit reaches the version that is current alone.
	w.edit("basic", func(p *BookPlan) { p.Name = "Best" })
	if was, now := w.place("u").Plan, w.place("v").Plan; was.Name != "Better" || was.Current || now.Name != "Best" {
		t.Errorf("%s and %s", was.Name, now.Name)
	}
	// And back to the old terms is a third version.
	w.edit("basic", func(p *BookPlan) { p.Features = old.Features })
	if p := w.plan["basic"]; p.Version != 3 {
		t.Errorf("version %d", p.Version)
	}
	if n := storetest.Count(t, w.db, "plans", bson.D{store.Eq("key", "basic"), store.Eq("current", true)}); n != 1 {
		t.Errorf("%d current versions", n)
	}
	// An old version nobody is on any more can go; one with members, or on which somebody is about to be, can't.
	if err := w.Delete(w.as(boss), old.ID); !errors.Is(err, ErrInUse) || detail(err, "members") != int64(1) {
		t.Errorf("%v", err)
	}
	w.to("u", "free", atOnce)
	told := len(w.edits())
	w.must(w.Delete(w.as(boss), old.ID))
	same(t, "told", w.edits()[told:], []string{"- plan basic, version 1"})
	w.to("u", "pro")
	w.to("u", "basic", func(c *PreviewCmd) { c.Mode = AtPeriodEnd })
	if err := w.Delete(w.as(boss), w.plan["basic"].ID); !errors.Is(err, ErrInUse) {
		t.Errorf("somebody is about to be on it: %v", err)
	}
	for _, id := range []string{"", "x", old.ID} {
		if err := w.Delete(w.as(boss), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// The default moves in one book whatever the order of its plans, also when the one that was goes, and never for a moment
// are there two.
func TestTheDefaultMoves(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		book  func(from, to BookPlan) []BookPlan
		prune bool
	}{
		"the old one first": {book: func(from, to BookPlan) []BookPlan { from.Default = false; return []BookPlan{from, to} }},
		"the new one first": {book: func(from, to BookPlan) []BookPlan { from.Default = false; return []BookPlan{to, from} }},
		"with other terms of both": {book: func(from, to BookPlan) []BookPlan {
			from.Default, from.GraceDays, to.GraceDays = false, 1, 1
			return []BookPlan{to, from}
		}},
		"with other terms of the old": {book: func(from, to BookPlan) []BookPlan {
			from.Default, from.GraceDays = false, 1
			return []BookPlan{to, from}
		}},
		"with other terms of the new": {book: func(from, to BookPlan) []BookPlan { from.Default, to.GraceDays = false, 1; return []BookPlan{to, from} }},
		"the old one goes":            {book: func(_, to BookPlan) []BookPlan { return []BookPlan{to} }, prune: true},
		"the old one is closed": {book: func(from, to BookPlan) []BookPlan {
			from.Default, from.Closed = false, true
			return []BookPlan{to, from}
		}},
		"a new plan": {book: func(from, to BookPlan) []BookPlan {
			from.Default, to.Key, to.Name = false, "fresh", "Fresh"
			return []BookPlan{to, from}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.apply(Book{Plans: []BookPlan{{Key: "none", Name: "None", Rank: -1}}})
			b := w.export()
			byKey := func(key string) BookPlan {
				return b.Plans[slices.IndexFunc(b.Plans, func(p BookPlan) bool { return p.Key == key })]
			}
			to := byKey("none")
			to.Default = true
			plans := tc.book(byKey("free"), to)
			book := Book{Plans: plans}
			if tc.prune {
				book.Features = b.Features
			}
			_, err := w.Apply(w.as(boss), ApplyCmd{Book: book, Prune: tc.prune})
			w.must(err)
			want := plans[slices.IndexFunc(plans, func(p BookPlan) bool { return p.Default })].Key
			for _, s := range []*Service{w.Service, w.node(Config{})} {
				w.must(s.CheckCatalogue(t.Context()))
				m, err := s.MembershipOf(w.as("new"), user("new"))
				w.must(err)
				if m.Plan.Key != want {
					t.Errorf("new subjects are on %s, not %s", m.Plan.Key, want)
				}
			}
		})
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(fullBook())
	w.enroll("u")
	w.to("u", "pro")
	w.to("u", "basic", func(c *PreviewCmd) { c.Mode = AtPeriodEnd })
	b := fullBook()
	b.Plans = b.Plans[:1]
	before, told := w.export(), len(w.edits())
	for name, tc := range map[string]struct {
		keep []string
		on   string
	}{"one with a member": {[]string{"free", "basic"}, "pro"}, "one that comes": {[]string{"free", "pro"}, "basic"}} {
		one := fullBook()
		one.Plans = slices.DeleteFunc(one.Plans, func(p BookPlan) bool { return !slices.Contains(tc.keep, p.Key) })
		for _, dry := range []bool{true, false} {
			_, err := w.Apply(w.as(boss), ApplyCmd{Book: one, Prune: true, DryRun: dry})
			if !errors.Is(err, ErrInUse) || detail(err, "members") != int64(1) || !strings.Contains(err.Error(), tc.on) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if !reflect.DeepEqual(w.reread(), before) || len(w.edits()) != told {
		t.Error("what is refused has changed something")
	}
	w.to("u", "free", atOnce)
	lines, err := w.Apply(w.as(boss), ApplyCmd{Book: b, Prune: true})
	w.must(err)
	same(t, "lines", slices.Sorted(slices.Values(lines)), []string{"- plan basic, version 1", "- plan old, version 1", "- plan pro, version 1", "- plan special, version 1"})
	if n := storetest.Count(t, w.db, "plans", bson.D{{Key: "deletedAt", Value: nil}}); n != 1 {
		t.Errorf("%d plans", n)
	}
	// What the code declares can't be pruned, and what a book says of it does not count.
	s := w.node(Config{Features: []Feature{{Key: "docs", Kind: Counted, Name: "Of the code"}}})
	b.Features = slices.DeleteFunc(b.Features, func(f Feature) bool { return f.Key == "docs" })
	lines, err = s.Apply(w.as(boss), ApplyCmd{Book: b, Prune: true})
	if err != nil || len(lines) != 0 {
		t.Errorf("%v, %v", lines, err)
	}
	b.Features = append(b.Features, Feature{Key: "docs", Kind: Boolean, Name: "Else"})
	lines, err = s.Apply(w.as(boss), ApplyCmd{Book: b, Prune: true})
	if err != nil || len(lines) != 0 {
		t.Errorf("%v, %v", lines, err)
	}
}

func TestBookRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(fullBook())
	plan := func(p BookPlan) Book { return Book{Plans: []BookPlan{p}} }
	priced := func(p Price) Book { return plan(BookPlan{Key: "xx", Name: "X", Prices: []Price{p}}) }
	rule := func(r Rule) Book { return plan(BookPlan{Key: "xx", Name: "X", Features: []Rule{r}}) }
	addon := func(a Addon) Book { return Book{Addons: []Addon{a}} }
	coupon := func(c Coupon) Book { return Book{Coupons: []Coupon{c}} }
	month, gives := Every{1, Month}, []Give{{"docs", 1}}
	full := fullBook()
	without := func(feature string) Book {
		b := fullBook()
		b.Features = slices.DeleteFunc(b.Features, func(f Feature) bool { return f.Key == feature })
		return b
	}
	ten := []payment.Money{{AmountMinor: 10, Currency: "EUR"}}
	before, told := w.export(), len(w.edits())
	for _, tc := range []struct {
		name  string
		b     Book
		prune bool
		err   error
		says  string
	}{
		{"a feature that is not there", rule(Rule{Feature: "nothing"}), false, fault.ErrInput, "there is no feature nothing"},
		{"a feature twice in a plan", plan(BookPlan{Key: "xx", Name: "X", Features: []Rule{{Feature: "docs"}, {Feature: "docs"}}}), false, fault.ErrInput, "docs is there twice"},
		{"a feature twice", Book{Features: []Feature{full.Features[0], full.Features[0]}}, false, fault.ErrInput, "feature docs is there twice"},
		{"a plan twice", Book{Plans: []BookPlan{full.Plans[1], full.Plans[2], full.Plans[1]}}, false, fault.ErrInput, "plan basic is there twice"},
		{"an add-on twice", Book{Addons: []Addon{full.Addons[0], full.Addons[0]}}, false, fault.ErrInput, "add-on boost is there twice"},
		{"a coupon twice", Book{Coupons: []Coupon{full.Coupons[0], full.Coupons[0]}}, false, fault.ErrInput, "coupon half is there twice"},
		{"a key in capitals", plan(BookPlan{Key: "XX", Name: "X"}), false, fault.ErrInput, "a key is"},
		{"a short key", Book{Features: []Feature{{Key: "x", Kind: Boolean, Name: "X"}}}, false, fault.ErrInput, "a key is"},
		{"no name", plan(BookPlan{Key: "xx", Name: " "}), false, fault.ErrInput, "the name"},
		{"no kind", Book{Features: []Feature{{Key: "xx", Name: "X"}}}, false, fault.ErrInput, "the kind is"},
		{"a price below nothing", priced(Price{"EUR", -1, month, nil}), false, fault.ErrInput, "a price is"},
		{"a price above all", priced(Price{"EUR", maxAmount + 1, month, nil}), false, fault.ErrInput, "a price is"},
		{"no currency", priced(Price{"", 1, month, nil}), false, fault.ErrInput, "a price is"},
		{"a currency in small letters", priced(Price{"eur", 1, month, nil}), false, fault.ErrInput, "a price is"},
		{"a price twice", plan(BookPlan{Key: "xx", Name: "X", Prices: []Price{eur(1, Month), eur(2, Month)}}), false, fault.ErrInput, "eur-1-month is there twice"},
		{"no period", priced(Price{"EUR", 1, Every{}, nil}), false, fault.ErrInput, "a period is"},
		{"a period of nothing", priced(Price{"EUR", 1, Every{0, Month}, nil}), false, fault.ErrInput, "a period is"},
		{"a period of weeks", priced(Price{"EUR", 1, Every{1, "WEEK"}, nil}), false, fault.ErrInput, "a period is"},
		{"a period of ages", priced(Price{"EUR", 1, Every{11, Year}, nil}), false, fault.ErrInput, "a period is"},
		{"the overage of what is not counted", priced(eur(1, Month, Overage{"export", 1})), false, fault.ErrInput, "the overage of export"},
		{"the overage of nothing", priced(eur(1, Month, Overage{"nothing", 1})), false, fault.ErrInput, "the overage of nothing"},
		{"a trial of ages", plan(BookPlan{Key: "xx", Name: "X", TrialDays: maxDays + 1}), false, fault.ErrInput, "trial and grace"},
		{"a grace below nothing", plan(BookPlan{Key: "xx", Name: "X", GraceDays: -1}), false, fault.ErrInput, "trial and grace"},
		{"a default that costs", plan(BookPlan{Key: "free", Name: "Free", Default: true, Prices: []Price{eur(1, Month)}}), false, fault.ErrInput, "the default plan costs nothing"},
		{"a default that is hidden", plan(BookPlan{Key: "free", Name: "Free", Default: true, Hidden: true}), false, fault.ErrInput, "the default plan costs nothing"},
		{"a default that is closed", plan(BookPlan{Key: "free", Name: "Free", Default: true, Closed: true}), false, fault.ErrInput, "the default plan costs nothing"},
		{"a default for one", plan(BookPlan{Key: "free", Name: "Free", Default: true, OnlyFor: "user:u"}), false, fault.ErrInput, "the default plan costs nothing"},
		{"no default left", plan(BookPlan{Key: "free", Name: "Free"}), false, ErrNoDefault, ""},
		{"no default left by prune", Book{Features: full.Features, Plans: full.Plans[1:3]}, true, ErrNoDefault, ""},
		{"nothing left", Book{}, true, ErrNoDefault, ""},
		{"two defaults", plan(BookPlan{Key: "xx", Name: "X", Default: true}), false, ErrNoDefault, ""},
		{"a role that is not there", plan(BookPlan{Key: "xx", Name: "X", Role: "nowhere"}), false, fault.ErrInput, "there is no role nowhere"},
		{"a role one may not grant", plan(BookPlan{Key: "xx", Name: "X", Role: "admin"}), false, fault.ErrForbidden, "escalation"},
		{"for no id", plan(BookPlan{Key: "xx", Name: "X", OnlyFor: "v"}), false, fault.ErrInput, "onlyFor is no global id"},
		{"another kind", Book{Features: []Feature{{Key: "docs", Kind: Metered, Name: "Documents"}}}, false, fault.ErrInput, "it is COUNTED"},
		{"a feature that a plan has is pruned", without("export"), true, fault.ErrInput, "there is no feature export"},
		{"a limit of what is on or off", rule(Rule{Feature: "export", Limit: num(1)}), false, fault.ErrInput, "on is for"},
		{"on of what is counted", rule(Rule{Feature: "docs", On: true}), false, fault.ErrInput, "on is for"},
		{"a value of what is counted", rule(Rule{Feature: "docs", Value: "x"}), false, fault.ErrInput, "a value is for"},
		{"a value and a limit", rule(Rule{Feature: "support", Value: "x", Limit: num(1)}), false, fault.ErrInput, "a value is for"},
		{"a limit below nothing", rule(Rule{Feature: "docs", Limit: num(-1)}), false, fault.ErrInput, "a limit is"},
		{"an unknown policy", rule(Rule{Feature: "docs", OnOver: "DELETE"}), false, fault.ErrInput, "onOver is"},
		{"a policy of what is not counted", rule(Rule{Feature: "support", OnOver: ReadOnly}), false, fault.ErrInput, "onOver is"},
		{"a reset of what is counted", rule(Rule{Feature: "docs", Reset: EachMonth}), false, fault.ErrInput, "reset is"},
		{"an unknown reset", rule(Rule{Feature: "calls", Reset: "DAILY"}), false, fault.ErrInput, "reset is"},
		{"rollover without a limit", rule(Rule{Feature: "calls", Rollover: 1}), false, fault.ErrInput, "rollover is"},
		{"rollover without a reset", rule(Rule{Feature: "calls", Limit: num(1), Rollover: 1, Reset: Never}), false, fault.ErrInput, "rollover is"},
		{"rollover of what is counted", rule(Rule{Feature: "docs", Limit: num(1), Rollover: 1}), false, fault.ErrInput, "rollover"},
		{"an add-on without a price", addon(Addon{Key: "xx", Name: "X", Gives: gives}), false, fault.ErrInput, "has a price"},
		{"an add-on that gives nothing", addon(Addon{Key: "xx", Name: "X", Prices: []Price{eur(1, Month)}}), false, fault.ErrInput, "gives something"},
		{"an add-on of what is not counted", addon(Addon{Key: "xx", Name: "X", Gives: []Give{{"export", 1}}, Prices: []Price{eur(1, Month)}}), false, fault.ErrInput, "not of export"},
		{"an add-on that renews, of days", addon(Addon{Key: "xx", Name: "X", Gives: gives, Prices: []Price{eur(1, Month)}, Recurring: true, Days: 3}), false, fault.ErrInput, "the days"},
		{"an add-on with a bad period", addon(Addon{Key: "xx", Name: "X", Gives: gives, Prices: []Price{{"EUR", 1, Every{}, nil}}}), false, fault.ErrInput, "a period is"},
		{"a coupon with both", coupon(Coupon{Key: "xx", Name: "X", Percent: 10, Off: ten}), false, fault.ErrInput, "either"},
		{"a coupon with neither", coupon(Coupon{Key: "xx", Name: "X"}), false, fault.ErrInput, "either"},
		{"a coupon of more than all", coupon(Coupon{Key: "xx", Name: "X", Percent: 101}), false, fault.ErrInput, "either"},
		{"a coupon for less than no periods", coupon(Coupon{Key: "xx", Name: "X", Percent: 1, Periods: -1}), false, fault.ErrInput, "either"},
		{"a coupon of a bad currency", coupon(Coupon{Key: "xx", Name: "X", Off: []payment.Money{{AmountMinor: 1, Currency: "euro"}}}), false, fault.ErrInput, "an amount is"},
		{"a coupon of nothing", coupon(Coupon{Key: "xx", Name: "X", Off: []payment.Money{{Currency: "EUR"}}}), false, fault.ErrInput, "an amount is"},
		{"the last of many", Book{Plans: []BookPlan{{Key: "xx", Name: "X"}, {Key: "yy", Name: "Y"}}, Coupons: []Coupon{{Key: "zz", Name: "Z"}}}, false, fault.ErrInput, "coupon zz"},
	} {
		lines, err := w.Apply(w.as(boss), ApplyCmd{Book: tc.b, Prune: tc.prune})
		if !errors.Is(err, tc.err) || lines != nil || !strings.Contains(fmt.Sprint(err), tc.says) {
			t.Errorf("%s: %v, %v", tc.name, lines, err)
		}
	}
	for name, tc := range map[string]struct {
		ctx context.Context
		err error
	}{"nobody": {t.Context(), fault.ErrUnauthenticated}, "a user": {w.as("u"), fault.ErrForbidden}} {
		if _, err := w.Apply(tc.ctx, ApplyCmd{Book: fullBook(), DryRun: true}); !errors.Is(err, tc.err) {
			t.Errorf("Apply, %s: %v", name, err)
		}
		if _, err := w.Export(tc.ctx); !errors.Is(err, tc.err) {
			t.Errorf("Export, %s: %v", name, err)
		}
		if err := w.Delete(tc.ctx, w.plan["pro"].ID); !errors.Is(err, tc.err) {
			t.Errorf("Delete, %s: %v", name, err)
		}
	}
	if !reflect.DeepEqual(w.reread(), before) || len(w.edits()) != told {
		t.Errorf("what is refused has changed something: %v", w.edits()[told:])
	}
	// A role that a plan has already may stay, whoever edits the rest.
	if _, err := w.db.Collection("plans").UpdateOne(t.Context(), bson.D{store.Eq("key", "pro")}, bson.D{{Key: "$set", Value: bson.D{{Key: "role", Value: "role-admin"}}}}); err != nil {
		t.Fatal(err)
	}
	b := plan(full.Plans[2])
	b.Plans[0].Role, b.Plans[0].Rank = "admin", 21
	if _, err := w.Apply(w.as(boss), ApplyCmd{Book: b}); err != nil {
		t.Errorf("a role that it has already: %v", err)
	}
}

// All changes of a book commit with their events, or none does: whichever write fails.
func TestApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"insert", "update", "delete", "commitTransaction"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.apply(fullBook())
			before, told := w.export(), len(w.edits())
			b := fullBook()
			b.Features = append(b.Features, Feature{Key: "new", Kind: Boolean, Name: "New"})
			b.Plans[1].Features[0].Limit = num(20) // a version: two updates
			b.Plans[2].Name = "Other"
			b.Plans = b.Plans[:3]
			b.Addons, b.Coupons = b.Addons[1:], b.Coupons[1:]
			cmd := ApplyCmd{Book: b, Prune: true}
			failed := 0
			for skip := range 20 {
				off := storetest.FailPoint(t, w.db, bson.D{{Key: "skip", Value: skip}}, bson.D{
					{Key: "failCommands", Value: bson.A{command}}, {Key: "errorCode", Value: 8000},
				})
				_, err := w.Apply(w.as(boss), cmd)
				off()
				if err == nil {
					break
				}
				failed++
				if !reflect.DeepEqual(w.export(), before) || !reflect.DeepEqual(w.reread(), before) || len(w.edits()) != told {
					t.Fatalf("write %d failed, and something is written: %v", skip, w.edits()[told:])
				}
			}
			if want := map[string]int{"insert": 7, "update": 6, "delete": 2, "commitTransaction": 1}[command]; failed != want {
				t.Errorf("%d writes failed, not %d", failed, want)
			}
			if got := w.edits()[told:]; len(got) != 7 {
				t.Errorf("told: %v", got)
			}
			if !reflect.DeepEqual(w.export(), w.reread()) {
				t.Error("this node has not seen its own change")
			}
		})
	}
}

func TestDeleteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	told := len(w.edits())
	for _, command := range []string{"insert", "update", "commitTransaction"} {
		off := storetest.FailPoint(t, w.db, "alwaysOn", bson.D{{Key: "failCommands", Value: bson.A{command}}, {Key: "errorCode", Value: 8000}})
		err := w.Delete(w.as(boss), w.plan["pro"].ID)
		off()
		if err == nil || len(w.edits()) != told || storetest.Count(t, w.db, "plans", bson.D{{Key: "deletedAt", Value: nil}}) != 3 {
			t.Errorf("%s: %v", command, err)
		}
	}
	w.must(w.Delete(w.as(boss), w.plan["pro"].ID))
	p, err := w.log.On(t.Context(), w.plan["pro"].Ref(), page.Args{})
	w.must(err)
	if len(p.Items) != 2 || p.Items[0].Actor != (event.Actor{User: boss}) {
		t.Errorf("%+v", p.Items)
	}
}

// A change of a coupon keeps how often it was redeemed, and since when it is there.
func TestACouponKeepsItsCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(fullBook())
	w.enroll("u")
	w.to("u", "basic", coupon("half"))
	w.clock.Advance(time.Hour)
	b := w.export()
	i := slices.IndexFunc(b.Coupons, func(c Coupon) bool { return c.Key == "half" })
	b.Coupons[i].Percent, b.Coupons[i].Redeemed = 40, 1000 // the latter is no business of a book
	same(t, "lines", w.apply(Book{Coupons: b.Coupons[i : i+1]}), []string{"~ coupon half: percent 50 -> 40"})
	c, err := store.FindByID[Coupon](t.Context(), w.db.Collection("coupons"), "half")
	w.must(err)
	if c.Redeemed != 1 || !c.CreatedAt.Equal(t0) || c.Percent != 40 {
		t.Errorf("%+v", c)
	}
	if m := w.place("u"); m.Coupon.Percent != 50 {
		t.Errorf("who has redeemed it: %+v", m.Coupon)
	}
}

// What a book that was exported is made of is the caller's own.
func TestAnExportIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	b := w.export()
	for i := range b.Plans {
		for j := range b.Plans[i].Features {
			b.Plans[i].Features[j].Feature = "calls"
		}
	}
	if e := w.entitlement("docs"); *e.Limit != 3 {
		t.Errorf("%d documents", *e.Limit)
	}
}

// A plan that somebody is about to pay for stays, as one that somebody is on.
func TestAPlanThatIsBeingPaidFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		b    payment.Behavior
		take func(w *world) func() error
	}{
		"a checkout that is open": {payment.AsksPayer, func(w *world) func() error {
			out, err := w.Change(w.as("u"), w.preview("u", "basic").Token)
			w.must(err)
			return func() error { _, err := w.CompleteTest(w.as("u"), out.Place.Intent.Key, true); return err }
		}},
		"a preview": {payment.Pays, func(w *world) func() error {
			p := w.preview("u", "basic")
			return func() error { _, err := w.Change(w.as("u"), p.Token); return err }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.enroll("u")
			w.behave("u", tc.b)
			pay := tc.take(w)
			deleted := w.Delete(w.as(boss), w.plan["basic"].ID)
			err := pay()
			if errors.Is(err, fault.ErrInternal) {
				t.Errorf("deleted: %v, and then paid: %v", deleted, err)
			}
			if n, taken := len(w.ledger("u")), storetest.Count(t, w.db, "test_payments", bson.D{store.Eq("state", payment.Paid)}); n != 2*taken {
				t.Errorf("%d entries for %d payments", n, taken)
			}
		})
	}
}

// Somebody comes to a plan while it is deleted: whoever came keeps it.
func TestDeleteWhileSomebodyComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	var put error
	deleted := w.db.InTx(w.as(boss), func(ctx context.Context) error {
		if err := w.Delete(ctx, w.plan["basic"].ID); err != nil {
			return err
		}
		if put == nil {
			_, put = w.node(Config{}).Put(w.as(boss), user("u"), "basic")
		}
		return nil
	})
	w.must(deleted)
	w.must(put)
	if p, err := w.node(Config{}).MembershipOf(w.as("u"), user("u")); err != nil || p.Plan.Key != "basic" {
		t.Errorf("and now: %s, %v", p.Plan.Key, err)
	}
	if _, err := w.ByKey(t.Context(), "basic"); !errors.Is(err, ErrUnknown) {
		t.Errorf("and who comes later: %v", err)
	}
	w.apply(Book{Plans: []BookPlan{{Key: "basic", Name: "Basic"}}}) // the name is free again
	if p, err := w.ByKey(t.Context(), "basic"); err != nil || p.Version < 2 {
		t.Errorf("version %d, %v", p.Version, err)
	}
}

// A feature of the code that came after the plans is not refused to those on them, until a plan says something of it.
func TestAnOpenFeatureIsNotRefused(t *testing.T) {
	t.Parallel()
	var open Place
	c := &catalogue{features: map[string]Feature{"new": {Key: "new", Kind: Metered, Open: true}, "old": {Key: "old", Kind: Metered}}}
	if a := open.allowance(c, "new"); a.Limit != nil || a.Source != "none" {
		t.Errorf("%+v", a)
	}
	if a := open.allowance(c, "old"); a.Limit == nil || *a.Limit != 0 {
		t.Errorf("%+v", a)
	}
	open.Plan.Features = []Rule{{Feature: "new", Limit: new(int64(3))}}
	if a := open.allowance(c, "new"); a.Limit == nil || *a.Limit != 3 {
		t.Errorf("%+v", a)
	}
}
