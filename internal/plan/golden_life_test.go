package plan

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func (w *world) paid() int { return storetest.Count(w.t, w.db, "test_payments") }

func TestGolden21TwoJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.to("u", "basic")
	w.clock.Advance(31 * day)
	var wg sync.WaitGroup
	for range 4 {
		other := w.node(Config{})
		wg.Go(func() {
			if _, err := other.Tend(w.sys()); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	w.tend()
	if w.paid() != 2 {
		t.Errorf("the provider was asked for %d charges", w.paid())
	}
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000", "CHARGE 1000", "PAYMENT -1000"})
	same(t, "events", w.kinds(m), []string{"membership.started", "membership.changed", "membership.renewed"})
	if p := w.place("u"); p.Status != Active || !p.Until.Equal(t0.AddDate(0, 2, 0)) {
		t.Errorf("%s until %v", p.Status, p.Until)
	}
}

func TestGolden22Dunning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.to("u", "basic")
	w.behave("u", payment.Declines)
	end := *w.place("u").Until
	at := func(d time.Duration) Place {
		t.Helper()
		w.clock.Advance(end.Add(d).Sub(w.clock.Now()))
		w.tend()
		return w.place("u")
	}
	if p := at(0); p.Status != PastDue || p.Plan.Key != "basic" {
		t.Errorf("at the end: %s", p.Status)
	}
	for _, d := range []time.Duration{day, 3 * day, 5 * day} {
		at(d)
	}
	if p := at(6 * day); p.Status != PastDue || p.Dunning.Attempts != 4 || p.Dunning.Reason != "card_declined" {
		t.Errorf("after 6 days: %s, %+v", p.Status, p.Dunning)
	}
	same(t, "roles in the grace", w.rolesOf(m), []string{"role-basic"})
	if p := at(7 * day); p.Status != Expired || p.Plan.Key != "free" {
		t.Errorf("after 7 days: %s of %s", p.Status, p.Plan.Key)
	}
	same(t, "roles after it", w.rolesOf(m), []string{"role-free"})
	w.clock.Advance(day)
	w.behave("u", payment.Pays)
	p := w.to("u", "basic")
	if p.Status != Active || !p.Anchor.Equal(end.Add(8*day)) {
		t.Errorf("paid: %s, anchor %v", p.Status, p.Anchor)
	}
	same(t, "events", w.kinds(m), []string{
		"membership.started", "membership.changed",
		"membership.renew_failed", "membership.past_due", "membership.renew_failed", "membership.renew_failed", "membership.renew_failed",
		"membership.grace_ending", "membership.expired", "membership.changed",
	})
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000", "CHARGE 1000", "PAYMENT -1000"})
}

func TestGolden24CancelOnTrial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.to("u", "pro")
	w.clock.Advance(3 * day)
	p, err := w.CancelMembership(w.as("u"), CancelCmd{Subject: user("u")})
	w.must(err)
	if p.Status != Canceled || !p.Until.Equal(t0.Add(14*day)) {
		t.Errorf("%s until %v", p.Status, p.Until)
	}
	w.must(w.Entitled(t.Context(), user("u"), "export"))
	w.clock.Advance(11 * day)
	if p := w.place("u"); p.Status != Expired || p.Plan.Key != "free" {
		t.Errorf("%s of %s", p.Status, p.Plan.Key)
	}
	w.tend()
	if w.paid() != 0 || len(w.ledger("u")) != 0 {
		t.Errorf("%d charges", w.paid())
	}
	same(t, "roles", w.rolesOf(m), []string{"role-free"})
	same(t, "events", w.kinds(m), []string{
		"membership.started", "membership.changed", "membership.canceled",
		"membership.trial_ending", "membership.trial_ended", "membership.expired", "feature.turned_off",
	})
}

func TestGolden25Resume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	_, err := w.CancelMembership(w.as("u"), CancelCmd{Subject: user("u")})
	w.must(err)
	w.clock.Advance(20 * day)
	p, err := w.Resume(w.as("u"), user("u"))
	w.must(err)
	if p.Status != Active || !p.Anchor.Equal(t0) || w.paid() != 1 {
		t.Errorf("%s, anchor %v, %d charges", p.Status, p.Anchor, w.paid())
	}
	if _, err := w.Resume(w.as("u"), user("u")); !errors.Is(err, ErrState) {
		t.Errorf("%v", err)
	}
	w.clock.Advance(11 * day)
	w.tend()
	if p := w.place("u"); p.Status != Active || w.paid() != 2 {
		t.Errorf("%s, %d charges", p.Status, w.paid())
	}
}

func TestGolden26Refund(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.to("u", "basic")
	entries, err := store.Find[Entry](t.Context(), w.db.Collection("plan_ledger"), bson.D{{Key: "kind", Value: KindPayment}})
	w.must(err)
	paid := entries[0].ID
	_, err = w.Refund(w.as("u"), RefundCmd{Entry: paid})
	if !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("by oneself: %v", err)
	}
	p, err := w.Refund(w.as(boss), RefundCmd{Entry: paid, AmountMinor: 300, Reason: "sorry"})
	w.must(err)
	if p.Status != Active {
		t.Errorf("a part: %s", p.Status)
	}
	p, err = w.Refund(w.as(boss), RefundCmd{Entry: paid, Reason: "all of it"})
	w.must(err)
	if p.Status != Expired || p.Plan.Key != "free" {
		t.Errorf("all: %s of %s", p.Status, p.Plan.Key)
	}
	same(t, "roles with the reply", w.rolesOf(m), []string{"role-free"})
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000", "REFUND 300", "WAIVER -300", "REFUND 700", "WAIVER -700"})
	if _, err := w.Refund(w.as(boss), RefundCmd{Entry: paid}); !errors.Is(err, ErrRefund) {
		t.Errorf("once more: %v", err)
	}
	w.tend()
	if w.paid() != 1 {
		t.Errorf("%d charges", w.paid())
	}
}

func TestGolden27Versions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	w.docs(8)
	w.edit("basic", func(p *BookPlan) { p.Features[0].Limit, p.Prices[0].AmountMinor = num(5), 1200 })
	if p := w.place("u"); p.Plan.Version != 1 || *w.entitlement("docs").Limit != 10 {
		t.Errorf("version %d", p.Plan.Version)
	}
	moved, err := w.Migrate(w.as(boss), MigrateCmd{Plan: "basic", DryRun: true})
	w.must(err)
	if len(moved) != 1 || moved[0].Subject != user("u") || len(moved[0].Over) != 1 || moved[0].Over[0].Excess() != 3 || w.place("u").Plan.Version != 1 {
		t.Errorf("%+v", moved)
	}
	_, err = w.Migrate(w.as(boss), MigrateCmd{Plan: "basic"})
	w.must(err)
	if p := w.place("u"); p.Plan.Version != 2 || *w.entitlement("docs").Limit != 5 || !p.From.Equal(t0) || w.paid() != 1 {
		t.Errorf("version %d", p.Plan.Version)
	}
	w.clock.Advance(31 * day)
	w.tend()
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000", "CHARGE 1200", "PAYMENT -1200"})
	if _, err := w.Migrate(w.as("u"), MigrateCmd{Plan: "basic"}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("%v", err)
	}
}

func TestGolden28DeleteAPlanInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	err := w.Delete(w.as(boss), w.plan["basic"].ID)
	if !errors.Is(err, ErrInUse) || detail(err, "members") != int64(1) {
		t.Errorf("%v", err)
	}
	w.to("u", "free", atOnce)
	w.must(w.Delete(w.as(boss), w.plan["basic"].ID))
	if _, err := w.ByKey(t.Context(), "basic"); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	if err := w.Delete(w.as(boss), w.plan["free"].ID); !errors.Is(err, ErrNoDefault) {
		t.Errorf("%v", err)
	}
	if err := w.Delete(w.as("u"), w.plan["pro"].ID); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("%v", err)
	}
}

func TestGolden29NoDefaultAtStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.db.Collection("plans").DeleteOne(t.Context(), bson.D{{Key: "default", Value: true}}); err != nil {
		t.Fatal(err)
	}
	s := w.node(Config{})
	if err := s.CheckCatalogue(t.Context()); !errors.Is(err, ErrNoDefault) {
		t.Errorf("%v", err)
	}
	if _, err := s.Enroll(t.Context(), user("u"), ""); !errors.Is(err, ErrNoDefault) {
		t.Errorf("%v", err)
	}
	if err := w.CheckCatalogue(t.Context(), "docs", "nothing"); !errors.Is(err, fault.ErrInput) {
		t.Errorf("a feature that is not declared: %v", err)
	}
}

func TestGolden30TwoDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := Plan{ID: "x", Key: "xx", Version: 1, Window: Window{Default: true}}
	if _, err := w.db.Collection("plans").InsertOne(t.Context(), second); !store.DuplicateOf(err, "default") {
		t.Errorf("%v", err)
	}
	if err := put(t.Context(), w.store.plans, second.ID, second); !errors.Is(err, ErrNoDefault) {
		t.Errorf("%v", err)
	}
	_, err := w.Apply(w.as(boss), ApplyCmd{Book: Book{Plans: []BookPlan{{Key: "xx", Name: "X", Default: true}}}})
	if !errors.Is(err, ErrNoDefault) {
		t.Errorf("%v", err)
	}
}

func TestGolden31Override(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.to("u", "basic")
	end := t0.Add(5 * day)
	o := OverrideCmd{Subject: user("u"), Rule: Rule{Feature: "docs", Limit: num(20)}, ExpiresAt: &end, Reason: "a friend"}
	if _, err := w.Override(w.as("u"), o); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("%v", err)
	}
	_, err := w.Override(w.as(boss), o)
	w.must(err)
	w.clock.Advance(5*day - time.Millisecond)
	if e := w.entitlement("docs"); *e.Limit != 20 || e.Source != "override" || !e.Until.Equal(end) || !slices.ContainsFunc(e.Why, func(s string) bool {
		return s == "an override by user:boss allows 20 until 2026-01-07T03:04:05Z: a friend"
	}) {
		t.Errorf("before: %+v", e)
	}
	w.clock.Advance(time.Millisecond)
	if e := w.entitlement("docs"); *e.Limit != 10 || e.Source != "plan" {
		t.Errorf("after: %+v", e)
	}
	w.tend()
	same(t, "events", w.kinds(m), []string{"membership.started", "membership.changed", "entitlement.overridden", "entitlement.override_expired"})
	for name, bad := range map[string]OverrideCmd{
		"no reason":  {Subject: user("u"), Rule: o.Rule},
		"past":       {Subject: user("u"), Rule: o.Rule, Reason: "x", ExpiresAt: &t0},
		"wrong kind": {Subject: user("u"), Rule: Rule{Feature: "export", Limit: num(1)}, Reason: "x"},
	} {
		if _, err := w.Override(w.as(boss), bad); !errors.Is(err, fault.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGolden32HiddenPlans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.enroll("v")
	w.to("u", "basic")
	w.edit("basic", func(p *BookPlan) { p.Hidden = true })
	w.apply(Book{Plans: []BookPlan{{Key: "special", Name: "Special", Rank: 40, OnlyFor: "user:v", Prices: []Price{eur(1, Month)}}}})
	keys := func(id string) (all []string) {
		t.Helper()
		plans, err := w.OnOffer(w.as(id), user(id))
		w.must(err)
		for _, p := range plans {
			all = append(all, p.Key)
		}
		return all
	}
	same(t, "u sees", keys("u"), []string{"free", "basic", "pro"})
	same(t, "v sees", keys("v"), []string{"free", "pro", "special"})
	if _, err := w.tryPreview("v", "basic"); !errors.Is(err, ErrUnknown) {
		t.Errorf("hidden: %v", err)
	}
	if _, err := w.tryPreview("u", "special"); !errors.Is(err, ErrUnknown) {
		t.Errorf("for another: %v", err)
	}
	w.to("v", "special")
	w.clock.Advance(31 * day)
	w.tend()
	if p := w.place("u"); p.Status != Active || p.Plan.Key != "basic" {
		t.Errorf("a member renews: %s of %s", p.Status, p.Plan.Key)
	}
	w.edit("pro", func(p *BookPlan) { p.Closed = true })
	if _, err := w.tryPreview("u", "pro"); !errors.Is(err, ErrUnknown) {
		t.Errorf("closed: %v", err)
	}
}

func TestGolden33NoJobRan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.to("u", "basic")
	w.clock.Advance(40 * day)
	if p, e := w.place("u"), w.entitlement("docs"); p.Status != Expired || p.Plan.Key != "free" || *e.Limit != 3 {
		t.Errorf("%s of %s, %d documents", p.Status, p.Plan.Key, *e.Limit)
	}
	same(t, "roles", w.rolesOf(m), []string{"role-free"})
	w.tend()
	w.tend()
	same(t, "events", w.kinds(m), []string{"membership.started", "membership.changed", "membership.past_due", "membership.grace_ending", "membership.expired"})
	if w.paid() != 1 {
		t.Errorf("%d charges", w.paid())
	}
}

// Years in one test: the clock of one membership, while the real one stands still.
func TestTestClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.enroll("v")
	w.to("u", "basic")
	w.to("v", "basic")
	p, err := w.AdvanceClock(w.as(boss), user("u"), t0.AddDate(3, 0, 0))
	w.must(err)
	if n := len(w.ledger("u")); p.Status != Active || n != 2*37 || !w.clock.Now().Equal(t0) {
		t.Errorf("%s after %d entries", p.Status, n)
	}
	if p := w.place("v"); len(w.ledger("v")) != 2 || !p.Now.Equal(t0) {
		t.Errorf("the others: %v", p.Now)
	}
	// Rights go by the real clock, and follow.
	w.behave("u", payment.Declines)
	same(t, "roles", w.rolesOf(p.Membership), []string{"role-basic"})
	p, err = w.AdvanceClock(w.as(boss), user("u"), t0.AddDate(3, 2, 0))
	w.must(err)
	if p.Status != Expired {
		t.Errorf("%s", p.Status)
	}
	same(t, "roles", w.rolesOf(p.Membership), []string{"role-free"})
	if _, err := w.AdvanceClock(w.as(boss), user("u"), t0); !errors.Is(err, ErrClock) {
		t.Errorf("back: %v", err)
	}
	if _, err := w.AdvanceClock(w.as("u"), user("u"), t0.AddDate(9, 0, 0)); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("%v", err)
	}
	w.cfg.Clocks = false
	if _, err := w.AdvanceClock(w.as(boss), user("u"), t0.AddDate(9, 0, 0)); !errors.Is(err, ErrClock) {
		t.Errorf("in production: %v", err)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.to("u", "basic")
	w.clock.Advance(10 * day)
	p, err := w.Pause(w.as(boss), user("u"), "a dispute")
	w.must(err)
	if p.Status != Suspended || p.Plan.Key != "free" {
		t.Errorf("%s of %s", p.Status, p.Plan.Key)
	}
	same(t, "roles", w.rolesOf(m), []string{"role-free"})
	w.clock.Advance(60 * day)
	w.tend()
	if w.paid() != 1 {
		t.Errorf("%d charges", w.paid())
	}
	p, err = w.Unpause(w.as(boss), user("u"))
	w.must(err)
	if p.Status != Active || p.Plan.Key != "basic" || !p.Until.Equal(t0.AddDate(0, 1, 0).Add(60*day)) {
		t.Errorf("%s of %s until %v", p.Status, p.Plan.Key, p.Until)
	}
	if _, err := w.Pause(w.as("u"), user("u"), "x"); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("%v", err)
	}
	if _, err := w.Pause(w.as(boss), user("u"), " "); !errors.Is(err, fault.ErrInput) {
		t.Errorf("%v", err)
	}
}
