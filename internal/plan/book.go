package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Book is a catalogue as people write it down, or the part of it that is to change.
type Book struct {
	Features []Feature  `yaml:"features,omitempty"`
	Plans    []BookPlan `yaml:"plans,omitempty"`
	Addons   []Addon    `yaml:"addons,omitempty"`
	Coupons  []Coupon   `yaml:"coupons,omitempty"`
}

// BookPlan is a plan as people write it down: its current version.
type BookPlan struct {
	Key         string  `yaml:"key"`
	Name        string  `yaml:"name"`
	Description string  `yaml:"description,omitempty"`
	Rank        int     `yaml:"rank"`
	Default     bool    `yaml:"default,omitempty"`
	Hidden      bool    `yaml:"hidden,omitempty"`
	Closed      bool    `yaml:"closed,omitempty"`
	OnlyFor     string  `yaml:"onlyFor,omitempty"` // global id
	TrialDays   int     `yaml:"trialDays,omitempty"`
	GraceDays   int     `yaml:"graceDays,omitempty"`
	Role        string  `yaml:"role,omitempty"` // key
	Prices      []Price `yaml:"prices,omitempty"`
	Features    []Rule  `yaml:"features,omitempty"`
}

// ApplyCmd asks to make the catalogue as a book says. What the book does not name stays, or with Prune goes: features, add-ons and
// coupons at once, plans when nobody is on them.
type ApplyCmd struct {
	Book   Book
	Prune  bool
	DryRun bool // only tell the difference
}

// edit is one change of the catalogue.
type edit struct {
	line          string // in words
	on            ref.Ref
	before, after any
	do            func(ctx context.Context) error
	makesDefault  bool
}

// Apply makes the catalogue as a book says, all or nothing, and gives the differences in words. A plan whose terms differ gets a new
// version: whoever is on the old one keeps it. Needs plan.catalogue.write, and for a role that a plan is to give the leave to grant
// that role. The event plan.catalogue.changed commits with each change. Cost: 4 finds, and 2 writes for each change.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, RBAC_ESCALATION, BAD_USER_INPUT, PLAN_NO_DEFAULT, PLAN_IN_USE, OUTCOME_UNKNOWN.
func (s *Service) Apply(ctx context.Context, c ApplyCmd) ([]string, error) {
	if err := s.authz.Require(ctx, PermCatalogueWrite, ref.Ref{}); err != nil {
		return nil, err
	}
	var lines []string
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		cat, err := s.store.catalogue(ctx, s.now(), s.cfg.Features)
		if err != nil {
			return err
		}
		edits, err := s.compare(ctx, cat, c)
		if err != nil {
			return err
		}
		lines = make([]string, 0, len(edits))
		for _, e := range edits {
			if lines = append(lines, e.line); c.DryRun {
				continue
			}
			if err := e.do(ctx); err != nil {
				return err
			}
			if err := s.events.Append(ctx, "plan.catalogue.changed", e.on, catalogueFact{e.line, e.before, e.after}); err != nil {
				return err
			}
		}
		return nil
	})
	s.forget()
	if err != nil {
		return nil, err
	}
	return lines, nil
}

type catalogueFact struct {
	Change string `bson:"change"`
	Before any    `bson:"before,omitempty"`
	After  any    `bson:"after,omitempty"`
}

// book compares a book with the catalogue.
type book struct {
	s     *Service
	cat   *catalogue
	now   time.Time
	edits []edit
}

func (s *Service) compare(ctx context.Context, cat *catalogue, c ApplyCmd) ([]edit, error) {
	b := &book{s: s, cat: cat, now: s.now()}
	if err := once(c.Book); err != nil {
		return nil, err
	}
	features, err := b.features(c.Book.Features, c.Prune)
	if err != nil {
		return nil, err
	}
	plans, err := b.plans(ctx, c.Book.Plans, features, c.Prune)
	if err != nil {
		return nil, err
	}
	if err := b.addons(c.Book.Addons, features, c.Prune); err != nil {
		return nil, err
	}
	if err := b.coupons(c.Book.Coupons, c.Prune); err != nil {
		return nil, err
	}
	for _, p := range plans { // features that went are missed by plans that stayed
		if err := p.check(features); p.Current && err != nil {
			return nil, err
		}
	}
	if _, err := newCatalogue(plans, nil, nil, nil, b.now).defaultPlan(); err != nil {
		return nil, err
	}
	// The new default last: the index allows none for a moment, but never two.
	slices.SortStableFunc(b.edits, func(x, y edit) int { return rank(x.makesDefault) - rank(y.makesDefault) })
	return b.edits, nil
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}

// once refuses a book that names something twice.
func once(b Book) error {
	var keys []string
	for _, f := range b.Features {
		keys = append(keys, "feature "+f.Key)
	}
	for _, p := range b.Plans {
		keys = append(keys, "plan "+p.Key)
	}
	for _, a := range b.Addons {
		keys = append(keys, "add-on "+a.Key)
	}
	for _, c := range b.Coupons {
		keys = append(keys, "coupon "+c.Key)
	}
	slices.Sort(keys)
	for i := range keys {
		if i > 0 && keys[i] == keys[i-1] {
			return fault.ErrInput.Saying("%s is there twice", keys[i])
		}
	}
	return nil
}

func (b *book) features(want []Feature, prune bool) (map[string]Feature, error) {
	all := map[string]Feature{}
	for k, f := range b.cat.features {
		all[k] = f
	}
	for _, f := range want {
		if err := f.check(); err != nil {
			return nil, err
		}
		have, known := all[f.Key]
		if known && (have == f || b.s.Declared(f.Key)) { // what the code says of its own features stands
			continue
		}
		if known && have.Kind != f.Kind {
			return nil, bad("feature "+f.Key, "it is %s: what was counted can't become something else", have.Kind)
		}
		all[f.Key] = f
		b.put("feature", f.Key, known, have, f, func(ctx context.Context) error { return put(ctx, b.s.store.features, f.Key, f) })
	}
	for _, f := range sorted(b.cat.features) {
		declared := slices.ContainsFunc(b.s.cfg.Features, func(d Feature) bool { return d.Key == f.Key })
		if prune && !declared && !slices.ContainsFunc(want, func(w Feature) bool { return w.Key == f.Key }) {
			delete(all, f.Key)
			b.drop("feature", f.Key, f, func(ctx context.Context) error { return remove(ctx, b.s.store.features, f.Key) })
		}
	}
	return all, nil
}

func (b *book) put(what, key string, known bool, before, after any, do func(ctx context.Context) error) {
	e := edit{line: "+ " + what + " " + key, on: catalogueRef, after: after, do: do}
	if known {
		e.line, e.before = "~ "+what+" "+key+": "+differences(before, after), before
	}
	b.edits = append(b.edits, e)
}

func (b *book) drop(what, key string, before any, do func(ctx context.Context) error) {
	b.edits = append(b.edits, edit{line: "- " + what + " " + key, on: catalogueRef, before: before, do: do})
}

// catalogueRef is what the log says changes of the catalogue but for plans are about.
var catalogueRef = ref.New(ref.Plan, "catalogue")

// plans gives all versions as they would be.
func (b *book) plans(ctx context.Context, want []BookPlan, features map[string]Feature, prune bool) ([]Plan, error) {
	all := slices.Clone(b.cat.plans)
	for _, w := range want {
		next, err := b.plan(ctx, w)
		if err != nil {
			return nil, err
		}
		if err := next.check(features); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(p Plan) bool { return p.Key == next.Key && p.Current })
		switch {
		case i < 0:
			next.ID, next.Version, next.Current = ref.NewID(), b.cat.lastVersion(next.Key)+1, true
			all = append(all, next)
			b.putPlan("+ plan "+next.Key, nil, next)
		case !all[i].Terms.equal(next.Terms):
			old := all[i]
			next.ID, next.Version, next.Current = ref.NewID(), old.Version+1, true
			line := fmt.Sprintf("~ plan %s: version %d, %s", next.Key, next.Version, joined(differences(old.Terms, next.Terms), differences(old.Window, next.Window)))
			old.Current, old.Default = false, false
			all[i] = old
			all = append(all, next)
			b.putPlan(line, &old, next)
		case !all[i].Window.equal(next.Window):
			old := all[i]
			next.ID, next.Version, next.Current = old.ID, old.Version, true
			all[i] = next
			b.putPlan("~ plan "+next.Key+": "+differences(old.Window, next.Window), nil, next)
		}
	}
	if !prune {
		return all, nil
	}
	return b.prunePlans(ctx, all, want)
}

func (b *book) prunePlans(ctx context.Context, all []Plan, want []BookPlan) ([]Plan, error) {
	var left []Plan
	for _, p := range all {
		if slices.ContainsFunc(want, func(w BookPlan) bool { return w.Key == p.Key }) {
			left = append(left, p)
			continue
		}
		n, err := b.s.store.countOn(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return nil, ErrInUse.Saying("%d are on the plan %s, version %d", n, p.Key, p.Version).With("members", n)
		}
		b.edits = append(b.edits, edit{
			line: fmt.Sprintf("- plan %s, version %d", p.Key, p.Version), on: p.Ref(), before: p,
			do: func(ctx context.Context) error { return b.s.store.deletePlan(ctx, p, b.now) },
		})
	}
	return left, nil
}

// putPlan writes a version, and before it the one that is current no more.
func (b *book) putPlan(line string, old *Plan, p Plan) {
	b.edits = append(b.edits, edit{line: line, on: p.Ref(), after: p, makesDefault: p.Default, do: func(ctx context.Context) error {
		if old != nil {
			if err := put(ctx, b.s.store.plans, old.ID, *old); err != nil {
				return err
			}
		}
		return put(ctx, b.s.store.plans, p.ID, p)
	}})
}

// plan is a plan of a book, with the role by its id.
func (b *book) plan(ctx context.Context, w BookPlan) (Plan, error) {
	p := Plan{Key: w.Key, Window: Window{
		Name: w.Name, Description: w.Description, Rank: w.Rank, Default: w.Default, Hidden: w.Hidden, Closed: w.Closed, TrialDays: w.TrialDays,
	}, Terms: Terms{GraceDays: w.GraceDays, Prices: append([]Price{}, w.Prices...), Features: append([]Rule{}, w.Features...)}}
	for i := range p.Features { // one way to say each
		p.Features[i].normalize()
	}
	if w.OnlyFor != "" {
		to, err := ref.Parse(w.OnlyFor)
		if err != nil {
			return p, bad("plan "+w.Key, "onlyFor is no global id")
		}
		p.OnlyFor = &to
	}
	if w.Role == "" {
		return p, nil
	}
	var err error
	if p.Role, err = b.s.roles.RoleID(ctx, w.Role); err != nil {
		return p, bad("plan "+w.Key, "there is no role %s", w.Role)
	}
	if old, ok := b.cat.current(w.Key); ok && old.Role == p.Role {
		return p, nil
	}
	return p, b.s.roles.MayGrant(ctx, p.Role)
}

// normalize leaves the defaults out.
func (r *Rule) normalize() {
	if r.OnOver == Block {
		r.OnOver = ""
	}
	if r.Reset == EachPeriod {
		r.Reset = ""
	}
}

func (b *book) addons(want []Addon, features map[string]Feature, prune bool) error {
	for _, a := range want {
		if err := a.check(features); err != nil {
			return err
		}
		have, known := b.cat.addons[a.Key]
		if !known || differences(have, a) != "" {
			b.put("add-on", a.Key, known, have, a, func(ctx context.Context) error { return put(ctx, b.s.store.addons, a.Key, a) })
		}
	}
	for _, a := range sorted(b.cat.addons) {
		if prune && !slices.ContainsFunc(want, func(w Addon) bool { return w.Key == a.Key }) {
			b.drop("add-on", a.Key, a, func(ctx context.Context) error { return remove(ctx, b.s.store.addons, a.Key) })
		}
	}
	return nil
}

func (b *book) coupons(want []Coupon, prune bool) error {
	for _, c := range want {
		if err := c.check(); err != nil {
			return err
		}
		have, known := b.cat.coupons[c.Key]
		c.Redeemed, c.CreatedAt = have.Redeemed, have.CreatedAt
		if c.Until != nil {
			c.Until = new(c.Until.UTC().Truncate(time.Millisecond)) // as it is read back
		}
		if !known {
			c.CreatedAt = b.now
		}
		if !known || differences(have, c) != "" {
			b.put("coupon", c.Key, known, have, c, func(ctx context.Context) error { return put(ctx, b.s.store.coupons, c.Key, c) })
		}
	}
	for _, c := range sorted(b.cat.coupons) {
		if prune && !slices.ContainsFunc(want, func(w Coupon) bool { return w.Key == c.Key }) {
			b.drop("coupon", c.Key, c, func(ctx context.Context) error { return remove(ctx, b.s.store.coupons, c.Key) })
		}
	}
	return nil
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// Export is the catalogue as a book: what [Service.Apply] changes nothing with. Needs plan.catalogue.write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) Export(ctx context.Context) (Book, error) {
	if err := s.authz.Require(ctx, PermCatalogueWrite, ref.Ref{}); err != nil {
		return Book{}, err
	}
	c, err := s.catalogue(ctx)
	if err != nil {
		return Book{}, err
	}
	b := Book{Features: sorted(c.features), Addons: sorted(c.addons), Coupons: sorted(c.coupons)}
	for i := range b.Addons {
		b.Addons[i].Gives, b.Addons[i].Prices = slices.Clone(b.Addons[i].Gives), slices.Clone(b.Addons[i].Prices)
	}
	for i := range b.Coupons {
		b.Coupons[i].Plans = slices.Clone(b.Coupons[i].Plans)
	}
	for _, p := range c.plans {
		if !p.Current {
			continue
		}
		w := BookPlan{
			Key: p.Key, Name: p.Name, Description: p.Description, Rank: p.Rank, Default: p.Default, Hidden: p.Hidden, Closed: p.Closed,
			TrialDays: p.TrialDays, GraceDays: p.GraceDays, Prices: slices.Clone(p.Prices), Features: slices.Clone(p.Features),
		}
		if p.OnlyFor != nil {
			w.OnlyFor = p.OnlyFor.String()
		}
		if p.Role != "" {
			if w.Role, err = s.roles.RoleKey(ctx, p.Role); err != nil {
				return Book{}, err
			}
		}
		b.Plans = append(b.Plans, w)
	}
	return b, nil
}

// Delete deletes a version of a plan nobody is on. Whoever comes to it at that moment, or pays for it just then, keeps it: what is
// deleted is on no list, but is still known. Needs plan.catalogue.write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PLAN_UNKNOWN, PLAN_IN_USE with members, PLAN_NO_DEFAULT.
func (s *Service) Delete(ctx context.Context, id string) error {
	if err := s.authz.Require(ctx, PermCatalogueWrite, ref.Ref{}); err != nil {
		return err
	}
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		c, err := s.store.catalogue(ctx, s.now(), s.cfg.Features)
		if err != nil {
			return err
		}
		p, ok := c.plan(id)
		if !ok || p.DeletedAt != nil {
			return ErrUnknown
		}
		if p.Default {
			return ErrNoDefault
		}
		n, err := s.store.countOn(ctx, id)
		if err != nil {
			return err
		}
		if n > 0 {
			return ErrInUse.With("members", n)
		}
		if err := s.store.deletePlan(ctx, p, s.now()); err != nil {
			return err
		}
		return s.events.Append(ctx, "plan.catalogue.changed", p.Ref(), catalogueFact{Change: fmt.Sprintf("- plan %s, version %d", p.Key, p.Version), Before: p})
	})
	s.forget()
	return err
}

// Moving is a member that a migration moves.
type Moving struct {
	Subject ref.Ref
	Over    []OverItem // what would be above its limit
}

// MigrateCmd asks to move the members of old versions of a plan to its current one.
type MigrateCmd struct {
	Plan   string // key of the family
	DryRun bool
}

// Migrate moves those who are on old versions of a plan to the current one, at once and for nothing: they pay its price from their next
// period on. It gives who is moved, at most 1,000 in one call, and what would be above its limit for them; a price the current
// version does not have keeps a member where it is. Needs plan.membership.write. The event plan.membership.changed commits with
// each. Cost: 2 finds, and a transaction for each.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PLAN_UNKNOWN.
func (s *Service) Migrate(ctx context.Context, c MigrateCmd) ([]Moving, error) {
	if err := s.authz.Require(ctx, PermWrite, ref.Ref{}); err != nil {
		return nil, err
	}
	cat, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	to, ok := cat.current(c.Plan)
	if !ok {
		return nil, ErrUnknown
	}
	var old []string
	for _, p := range cat.plans {
		if p.Key == c.Plan && !p.Current {
			old = append(old, p.ID)
		}
	}
	if old == nil {
		return nil, nil
	}
	all, err := s.store.on(ctx, old, 1000)
	if err != nil {
		return nil, err
	}
	var moved []Moving
	for _, m := range all {
		if _, has := to.price(m.Price); !has && m.Price != "" || m.Intent != nil {
			continue
		}
		h, err := hold(m, cat, s.now(), s.now())
		if err != nil {
			return moved, err
		}
		one := Moving{Subject: m.Subject}
		if one.Over, err = s.overQuota(ctx, h.with(to)); err != nil {
			return moved, err
		}
		if !c.DryRun {
			_, err = s.administer(ctx, m.Subject, func(ctx context.Context, m Membership, now time.Time) error {
				next := m
				next.Plan = to.ID
				_, err := s.save(ctx, m, next, kindChanged, now)
				return err
			})
			if err != nil {
				return moved, err
			}
		}
		moved = append(moved, one)
	}
	return moved, nil
}

// ParseBook reads a book that people wrote, as YAML. What it does not know it refuses.
//
// Errors: BAD_USER_INPUT with line and column in the message.
func ParseBook(text []byte) (Book, error) {
	var b Book
	if err := yaml.UnmarshalWithOptions(text, &b, yaml.Strict()); err != nil {
		return b, fault.ErrInput.Saying("%s", yaml.FormatError(err, false, false)).On("input.yaml")
	}
	return b, nil
}

// YAML is the book as people write it.
func (b Book) YAML() ([]byte, error) { return yaml.Marshal(b) }
