package plan

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/payment"
)

// signing is the test provider with notices, which the test makes itself.
type signing struct {
	*payment.Test
	next *payment.Notice
}

func (s *signing) Notice(context.Context, http.Header, []byte) (*payment.Notice, error) {
	return s.next, nil
}

// told makes a service hear a notice.
func told(t *testing.T, s *Service, p *signing, n payment.Notice) {
	t.Helper()
	p.next = &n
	if err := s.Notice(t.Context(), nil, nil); err != nil {
		t.Errorf("%+v: %v", n, err)
	}
}

// Golden scenario 23: a payer pays at a checkout, and what the provider tells comes twice, late and out of order.
func TestGolden23Notices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	provider := &signing{Test: w.test}
	w.Service = w.node(Config{Payments: provider})
	w.enroll("u")
	w.behave("u", payment.AsksPayer)
	out, err := w.Change(w.as("u"), w.preview("u", "basic").Token)
	w.must(err)
	if out.URL == "" || out.Place.Plan.Key != "free" {
		t.Fatalf("%+v", out)
	}
	key := out.Place.Intent.Key
	paid, err := w.test.Complete(w.as("u"), user("u"), key, true)
	w.must(err)
	failed := payment.Payment{Key: key, State: payment.Declined, Reason: "an earlier try"}
	for range 2 {
		told(t, w.Service, provider, payment.Notice{ID: "n2", At: t0.Add(2), Payment: paid})
		told(t, w.Service, provider, payment.Notice{ID: "n1", At: t0.Add(1), Payment: failed})
		told(t, w.Service, provider, payment.Notice{ID: "n0", Payment: payment.Payment{Key: "nobody's", State: payment.Declined}})
	}
	if p := w.place("u"); p.Plan.Key != "basic" || p.Status != Active || p.Intent != nil {
		t.Errorf("%s of %s", p.Status, p.Plan.Key)
	}
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000"})
	// A refund at the provider.
	for range 2 {
		told(t, w.Service, provider, payment.Notice{ID: "n3", Payment: paid, Refund: &payment.Money{AmountMinor: 400, Currency: "EUR"}})
	}
	if p := w.place("u"); p.Status != Active {
		t.Errorf("%s", p.Status)
	}
	told(t, w.Service, provider, payment.Notice{ID: "n4", Payment: paid, Refund: &payment.Money{AmountMinor: 1000, Currency: "EUR"}})
	if p := w.place("u"); p.Status != Expired {
		t.Errorf("%s", p.Status)
	}
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000", "REFUND 400", "WAIVER -400", "REFUND 600", "WAIVER -600"})
}

func TestDeclined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.behave("u", payment.Declines)
	p := w.preview("u", "basic")
	_, err := w.Change(w.as("u"), p.Token)
	if !errors.Is(err, ErrDeclined) || detail(err, "reason") != "card_declined" {
		t.Errorf("%v", err)
	}
	if at := w.place("u"); at.Plan.Key != "free" || at.Intent != nil || len(w.ledger("u")) != 0 {
		t.Errorf("%s", at.Plan.Key)
	}
	same(t, "events", w.kinds(m), []string{"membership.started", "payment.declined"})
	w.behave("u", payment.Pays)
	if at := w.to("u", "basic"); at.Plan.Key != "basic" {
		t.Errorf("%s", at.Plan.Key)
	}
}

// Nobody knows what became of a charge: the same preview finds out, or a job does, and the money is taken once.
func TestTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(w *world, token string){
		"the caller tries again": func(w *world, token string) {
			out, err := w.Change(w.as("u"), token)
			w.must(err)
			if out.Place.Plan.Key != "basic" {
				w.t.Errorf("on %s", out.Place.Plan.Key)
			}
		},
		"a job finds it": func(w *world, _ string) {
			w.clock.Advance(claimFor)
			w.tend()
		},
		"both": func(w *world, token string) {
			w.clock.Advance(claimFor)
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = w.Tend(w.sys()) })
			wg.Go(func() { _, _ = w.Change(w.as("u"), token) })
			wg.Wait()
			w.clock.Advance(claimFor)
			w.tend()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.enroll("u")
			w.behave("u", payment.PaysSilently)
			p := w.preview("u", "basic")
			if _, err := w.Change(w.as("u"), p.Token); !errors.Is(err, payment.ErrUnreachable) {
				t.Fatalf("%v", err)
			}
			if _, err := w.CancelMembership(w.as("u"), CancelCmd{Subject: user("u")}); !errors.Is(err, ErrBusy) {
				t.Errorf("meanwhile: %v", err)
			}
			after(w, p.Token)
			if at := w.place("u"); at.Plan.Key != "basic" || at.Intent != nil || w.paid() != 1 {
				t.Errorf("on %s, %d charges, intent %+v", at.Plan.Key, w.paid(), at.Intent)
			}
			same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000"})
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	w.behave("u", payment.Unreachable)
	w.clock.Advance(31 * day)
	if _, err := w.Tend(w.sys()); err != nil {
		t.Fatal(err)
	}
	if p := w.place("u"); p.Status != PastDue || p.Intent == nil {
		t.Errorf("%s", p.Status)
	}
	w.behave("u", payment.Pays)
	w.clock.Advance(2 * claimFor)
	w.tend()
	if p := w.place("u"); p.Status != Active || p.Intent != nil || w.paid() != 2 {
		t.Errorf("%s, %d charges", p.Status, w.paid())
	}
}

// A checkout nobody pays gives way to another choice, and is forgotten after a day; one that is paid meanwhile is not.
func TestCheckoutGivesWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("pro", func(p *BookPlan) { p.TrialDays = 0 })
	w.enroll("u")
	w.behave("u", payment.AsksPayer)
	change := func(key string) Outcome {
		t.Helper()
		out, err := w.Change(w.as("u"), w.preview("u", key).Token)
		w.must(err)
		return out
	}
	first := change("basic")
	second := change("pro")
	if second.URL == "" || second.URL == first.URL {
		t.Errorf("%q, then %q", first.URL, second.URL)
	}
	if p, err := w.test.Complete(w.as("u"), user("u"), first.Place.Intent.Key, true); err != nil || p.State != payment.Declined {
		t.Errorf("the first can still be paid: %+v, %v", p, err)
	}
	_, err := w.test.Complete(w.as("u"), user("u"), second.Place.Intent.Key, true)
	w.must(err)
	if _, err := w.Change(w.as("u"), w.preview("u", "basic").Token); !errors.Is(err, ErrStale) {
		t.Errorf("it was paid meanwhile: %v", err)
	}
	if p := w.place("u"); p.Plan.Key != "pro" {
		t.Errorf("on %s", p.Plan.Key)
	}
	w.enroll("v")
	w.behave("v", payment.AsksPayer)
	_, err = w.Change(w.as("v"), w.preview("v", "basic").Token)
	w.must(err)
	w.clock.Advance(checkoutFor)
	w.tend()
	if p := w.place("v"); p.Plan.Key != "free" || p.Intent != nil {
		t.Errorf("on %s, %+v", p.Plan.Key, p.Intent)
	}
}

func TestCoupons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(Book{Coupons: []Coupon{
		{Key: "half", Name: "Half", Percent: 50, Periods: 2, Plans: []string{"basic"}},
		{Key: "once", Name: "Once", Off: []payment.Money{{AmountMinor: 300, Currency: "EUR"}}, Periods: 1, Most: 1},
		{Key: "over", Name: "Over", Percent: 10, Until: &t0},
	}})
	w.enroll("u")
	w.enroll("v")
	same(t, "half", amounts(w.preview("u", "basic", coupon(" HALF ")).Deal), []string{"CHARGE 1000", "DISCOUNT -500"})
	w.to("u", "basic", coupon("half"))
	// What is held is worth what it costs with the coupon.
	w.clock.Advance(15*day + 12*time.Hour)
	if d := w.preview("u", "free", atOnce); d.NetMinor != -250 {
		t.Errorf("%v", amounts(d.Deal))
	}
	w.clock.Advance(15*day + 12*time.Hour)
	w.tend()
	w.clock.Advance(31 * day)
	w.tend()
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 500", "PAYMENT -500", "CHARGE 500", "PAYMENT -500", "CHARGE 1000", "PAYMENT -1000"})
	for _, bad := range []string{"nothing", "over", "half"} { // half is not for pro
		if _, err := w.tryPreview("u", "pro", coupon(bad)); !errors.Is(err, ErrCoupon) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	a := w.preview("v", "basic", coupon("once"))
	w.enroll("x")
	b := w.preview("x", "basic", coupon("once"))
	_, err := w.Change(w.as("v"), a.Token)
	w.must(err)
	same(t, "v", w.ledger("v"), []string{"CHARGE 700", "PAYMENT -700"})
	if _, err := w.tryPreview("x", "basic", coupon("once")); err != nil && !errors.Is(err, ErrCoupon) {
		t.Errorf("%v", err)
	}
	_ = b
}

func TestAddons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(Book{Addons: []Addon{
		{Key: "more-docs", Name: "More documents", Recurring: true, Gives: []Give{{"docs", 5}}, Prices: []Price{eur(310, Month)}},
		{Key: "calls", Name: "500 calls", Gives: []Give{{"calls", 500}}, Prices: []Price{eur(200, Month)}},
		{Key: "boost", Name: "Boost", Days: 7, Gives: []Give{{"docs", 1}}, Prices: []Price{eur(50, Month)}},
	}})
	buy := func(key string, n int64) error {
		t.Helper()
		p, err := w.Preview(w.as("u"), PreviewCmd{Subject: user("u"), Addon: key, Quantity: n})
		if err == nil {
			_, err = w.Change(w.as("u"), p.Token)
		}
		return err
	}
	m := w.enroll("u")
	if err := buy("more-docs", 1); !errors.Is(err, ErrAddon) {
		t.Errorf("on a plan that has no period: %v", err)
	}
	w.to("u", "basic")
	w.clock.Advance(21 * day) // 10 of 31 are left
	w.must(buy("more-docs", 2))
	w.must(buy("calls", 1))
	w.must(buy("boost", 1))
	if d, c := w.entitlement("docs"), w.entitlement("calls"); *d.Limit != 21 || *c.Limit != 1500 || len(d.Why) != 3 {
		t.Errorf("%d documents, %d calls: %v", *d.Limit, *c.Limit, d.Why)
	}
	w.clock.Advance(7 * day)
	if d := w.entitlement("docs"); *d.Limit != 20 {
		t.Errorf("%d after the boost", *d.Limit)
	}
	w.clock.Advance(3 * day)
	w.tend()
	if d, c := w.entitlement("docs"), w.entitlement("calls"); *d.Limit != 20 || *c.Limit != 1000 {
		t.Errorf("next period: %d documents, %d calls", *d.Limit, *c.Limit)
	}
	same(t, "ledger", w.ledger("u"), []string{
		"CHARGE 1000", "PAYMENT -1000", "CHARGE 200", "PAYMENT -200", "CHARGE 200", "PAYMENT -200", "CHARGE 50", "PAYMENT -50", "CHARGE 1620", "PAYMENT -1620",
	})
	id := w.place("u").Extras[0].ID
	_, err := w.EndAddon(w.as("u"), user("u"), id)
	w.must(err)
	w.clock.Advance(31 * day)
	w.tend()
	if d := w.entitlement("docs"); *d.Limit != 10 || len(w.place("u").Extras) != 0 {
		t.Errorf("ended: %d", *d.Limit)
	}
	if err := buy("nothing", 1); !errors.Is(err, ErrAddon) {
		t.Errorf("%v", err)
	}
	if err := buy("calls", 0); !errors.Is(err, ErrAddon) {
		t.Errorf("%v", err)
	}
	same(t, "first events", w.kinds(m)[:4], []string{"membership.started", "membership.changed", "addon.bought", "addon.bought"})
}

// Who may change whose plan, and with what.
func TestWhoMayChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	p := w.preview("u", "basic")
	for name, tc := range map[string]struct {
		ctx   context.Context
		token string
		err   error
	}{
		"nobody":      {t.Context(), p.Token, fault.ErrUnauthenticated},
		"another":     {w.as("v"), p.Token, fault.ErrForbidden},
		"no token":    {w.as("u"), "", ErrPreview},
		"a made one":  {w.as("u"), previewPrefix + "x", ErrPreview},
		"a cut token": {w.as("u"), p.Token[:len(p.Token)-1], ErrPreview},
	} {
		if _, err := w.Change(tc.ctx, tc.token); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Preview(w.as("v"), PreviewCmd{Subject: user("u"), Plan: w.plan["basic"].ID}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("%v", err)
	}
	for name, more := range map[string]func(*PreviewCmd){
		"no such price": priced("usd-1-month"), "no such plan": func(c *PreviewCmd) { c.Plan = "x" }, "no such zone": zoned("Mars/Olympus"), "its own zone": zoned("Local"),
	} {
		if _, err := w.tryPreview("u", "basic", more); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := w.tryPreview("u", "free"); !errors.Is(err, ErrSame) {
		t.Errorf("%v", err)
	}
	// The first of two previews that are taken up makes the other stale.
	other := w.preview("u", "pro")
	out, err := w.Change(w.as("u"), p.Token)
	w.must(err)
	if out.Place.Plan.Key != "basic" {
		t.Errorf("on %s", out.Place.Plan.Key)
	}
	if _, err := w.Change(w.as("u"), other.Token); !errors.Is(err, ErrStale) {
		t.Errorf("%v", err)
	}
}

// Two take the same preview up at once.
func TestChangesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	p := w.preview("u", "basic")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := w.Change(w.as("u"), p.Token); err != nil && !errors.Is(err, ErrStale) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000"})
	if w.paid() != 1 || w.place("u").Plan.Key != "basic" {
		t.Errorf("%d charges", w.paid())
	}
}
