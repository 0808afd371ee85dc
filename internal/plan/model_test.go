package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// few runs a property that needs the database at most n times, and as often as rapid likes once it has failed: to make the
// failure small.
func few(n int64, prop func(*rapid.T)) func(*rapid.T) {
	var ran atomic.Int64
	var failed atomic.Bool
	return func(t *rapid.T) {
		if ran.Add(1) > n && !failed.Load() {
			return
		}
		done := false
		defer func() {
			if !done || t.Failed() {
				failed.Store(true)
			}
		}()
		prop(t)
		done = true
	}
}

// life is one subject whose life is drawn, and what is known of it besides.
type life struct {
	*world
	r    *rapid.T
	id   string
	me   ref.Ref
	used int64 // documents
	did  []string
}

func (l *life) fail(format string, args ...any) {
	l.r.Helper()
	l.r.Fatalf("%s\nafter %s", fmt.Sprintf(format, args...), strings.Join(l.did, "\n      "))
}

func (l *life) ok(err error, but ...error) {
	l.r.Helper()
	if err != nil && !slices.ContainsFunc(but, func(b error) bool { return errors.Is(err, b) }) {
		l.fail("%v", err)
	}
}

// refusals are what a change may come to at any time.
var refusals = []error{
	ErrSame, ErrState, ErrStale, ErrPreview, ErrDeclined, ErrBusy, ErrCoupon, ErrAddon, ErrCurrency, payment.ErrUnreachable,
}

func (l *life) membership() (m Membership, found bool) {
	l.r.Helper()
	m, found, err := l.store.membership(l.t.Context(), l.me)
	l.ok(err)
	return m, found
}

// take previews something and takes it up: what the preview says is what happens.
func (l *life) take(cmd PreviewCmd, wait time.Duration) {
	l.r.Helper()
	cmd.Subject = l.me
	p, err := l.Preview(l.as(l.id), cmd)
	if err != nil {
		l.did[len(l.did)-1] += ": " + err.Error()
		l.ok(err, refusals...)
		return
	}
	before, _ := l.membership()
	l.clock.Advance(wait)
	out, err := l.Change(l.as(l.id), p.Token)
	if err != nil || out.URL != "" {
		l.did[len(l.did)-1] += fmt.Sprint(": ", err, out.URL)
		l.ok(err, refusals...)
		return
	}
	m, _ := l.membership()
	if m.Plan != p.After.Plan || m.Price != p.After.Price || (m.Next == nil) != (p.After.Next == nil) || (m.Until == nil) != (p.After.Until == nil) || m.Trial != p.After.Trial {
		l.fail("previewed %+v, and it is %+v", p.After, m.Contract)
	}
	if got, want := m.Balance.AmountMinor-before.Balance.AmountMinor, p.NetMinor-p.DueMinor; len(p.Lines) > 0 && got != want {
		l.fail("net %d, due %d, and the balance moved by %d", p.NetMinor, p.DueMinor, got)
	}
	again, err := l.Change(l.as(l.id), p.Token) // nothing is done twice
	l.ok(err)
	if again.Place.Version != m.Version {
		l.fail("version %d, and taken again %d", m.Version, again.Place.Version)
	}
}

var (
	planKeys = []string{"free", "basic", "pro", "dollar", "daily"}
	leaps    = []time.Duration{time.Millisecond, time.Hour, day, 3 * day, 7 * day, 13 * day, 30 * day, 45 * day, 200 * day}
)

// step does one thing.
func (l *life) step() {
	t := l.r
	what := rapid.SampledFrom([]string{"change", "change", "change", "advance", "advance", "tend", "cancel", "resume", "behave", "use", "addon", "end", "complete", "own clock", "pause", "unpause", "override", "put", "refund"}).Draw(t, "what")
	l.did = append(l.did, what)
	say := func(format string, args ...any) { l.did[len(l.did)-1] += " " + fmt.Sprintf(format, args...) }
	switch what {
	case "change":
		p := l.plan[rapid.SampledFrom(planKeys).Draw(t, "plan")]
		cmd := PreviewCmd{Plan: p.ID, Mode: rapid.SampledFrom([]Mode{Auto, Auto, Now, AtPeriodEnd}).Draw(t, "mode")}
		if len(p.Prices) > 0 {
			cmd.Price = rapid.SampledFrom(p.Prices).Draw(t, "price").Key()
			cmd.Coupon = rapid.SampledFrom([]string{"", "", "half", "less"}).Draw(t, "coupon")
		}
		wait := rapid.SampledFrom([]time.Duration{0, 0, time.Minute, previewFor}).Draw(t, "wait")
		say("to %s %s %q %s, taken after %v", p.Key, cmd.Price, cmd.Mode, cmd.Coupon, wait)
		l.take(cmd, wait)
	case "addon":
		l.take(PreviewCmd{Addon: rapid.SampledFrom([]string{"more-docs", "boost"}).Draw(t, "addon"), Quantity: rapid.Int64Range(1, 3).Draw(t, "n")}, 0)
	case "end":
		m, _ := l.membership()
		for _, e := range m.Extras {
			_, err := l.EndAddon(l.as(l.id), l.me, e.ID)
			l.ok(err, append(refusals, ErrAddon)...)
		}
	case "advance":
		d := rapid.SampledFrom(leaps).Draw(t, "by")
		say("by %v", d)
		l.clock.Advance(d)
	case "own clock":
		p, err := l.MembershipOf(l.sys(), l.me)
		l.ok(err)
		d := rapid.SampledFrom(leaps).Draw(t, "by")
		say("by %v", d)
		_, err = l.AdvanceClock(l.as(boss), l.me, p.Now.Add(d))
		l.ok(err, payment.ErrUnreachable)
	case "tend":
		l.tendAll()
	case "cancel":
		now := rapid.Bool().Draw(t, "now")
		say("now %v", now)
		_, err := l.CancelMembership(l.as(l.id), CancelCmd{Subject: l.me, Now: now})
		l.ok(err, refusals...)
	case "resume":
		_, err := l.Resume(l.as(l.id), l.me)
		l.ok(err, refusals...)
	case "behave":
		b := rapid.SampledFrom([]payment.Behavior{payment.Pays, payment.Pays, payment.Declines, payment.AsksPayer, payment.PaysSilently, payment.Unreachable}).Draw(t, "how")
		say("%s", b)
		l.ok(l.test.Behave(l.t.Context(), l.me, b))
	case "pause":
		_, err := l.Pause(l.as(boss), l.me, "a dispute")
		l.ok(err, refusals...)
	case "unpause":
		_, err := l.Unpause(l.as(boss), l.me)
		l.ok(err, refusals...)
	case "override":
		c := OverrideCmd{Subject: l.me, Rule: Rule{Feature: "docs", Limit: num(rapid.Int64Range(0, 20).Draw(t, "limit"))}, Reason: "a friend", Clear: rapid.Bool().Draw(t, "clear")}
		if m, _ := l.membership(); rapid.Bool().Draw(t, "ends") {
			c.ExpiresAt = new(l.clock.Now().Add(m.Offset + rapid.SampledFrom(leaps).Draw(t, "after")))
		}
		_, err := l.Override(l.as(boss), c)
		l.ok(err, refusals...)
	case "put":
		key := rapid.SampledFrom(planKeys).Draw(t, "plan")
		say("%s", key)
		_, err := l.Put(l.as(boss), l.me, key)
		l.ok(err, refusals...)
	case "refund":
		all, err := store.Find[Entry](l.t.Context(), l.store.ledger, append(store.Points("subject", l.me), store.Eq("kind", KindPayment)))
		l.ok(err)
		if len(all) > 0 {
			_, err = l.Refund(l.as(boss), RefundCmd{
				Entry: rapid.SampledFrom(all).Draw(t, "payment").ID, AmountMinor: rapid.SampledFrom([]int64{0, 1, 50}).Draw(t, "amount"), Keep: rapid.Bool().Draw(t, "keep"), Reason: "sorry",
			})
			l.ok(err, append(refusals, ErrRefund)...)
		}
	case "complete":
		if m, _ := l.membership(); m.Intent != nil && m.Intent.URL != "" {
			_, err := l.CompleteTest(l.as(l.id), m.Intent.Key, rapid.Bool().Draw(t, "pays"))
			l.ok(err, refusals...)
		}
	case "use":
		n := rapid.Int64Range(-6, 6).Draw(t, "n")
		say("%d", n)
		switch {
		case n > 0:
			err := l.Consume(l.t.Context(), l.me, "docs", n)
			l.ok(err, ErrQuota)
			if err == nil {
				l.used += n
			}
		case n < 0:
			l.ok(l.Release(l.t.Context(), l.me, "docs", -n))
			l.used = max(l.used+n, 0)
		}
	}
}

// tendAll lets the job run until nothing is due, but for what the provider does not answer to.
func (l *life) tendAll() {
	l.r.Helper()
	for range 50 {
		n, err := l.Tend(l.sys())
		l.ok(err)
		if m, _ := l.membership(); n == 0 || m.DueAt == nil || m.DueAt.After(l.clock.Now()) {
			if m.DueAt != nil && !m.DueAt.After(l.clock.Now()) {
				l.fail("due at %v, and nothing is", m.DueAt)
			}
			return
		}
	}
	l.fail("there is always something due")
}

// grant is one of the fake's, in time.
type grantDoc struct {
	Role        string     `bson:"role"`
	From, Until *time.Time `bson:",omitempty"`
}

func (g grantDoc) counts(t time.Time) bool {
	return (g.From == nil || !t.Before(*g.From)) && (g.Until == nil || t.Before(*g.Until))
}

func (l *life) check() {
	l.r.Helper()
	m, found := l.membership()
	if !found {
		l.fail("the membership is gone")
	}
	c, err := l.store.catalogue(l.t.Context(), l.clock.Now(), nil)
	l.ok(err)
	l.checkMoney(m)
	l.checkRoles(m, c)
	l.checkDue(m, c)
	tiles(l.r, m, c)
	d, _, err := l.store.counter(l.t.Context(), counterID(l.me, "docs", nil))
	if l.ok(err); d.Used != l.used {
		l.fail("%d documents are counted, and there are %d", d.Used, l.used)
	}
}

// checkMoney: the ledger sums to the balance, nobody is ever asked to owe, and all that the provider took is in it.
func (l *life) checkMoney(m Membership) {
	l.r.Helper()
	all, err := store.Find[Entry](l.t.Context(), l.store.ledger, store.Points("subject", l.me))
	l.ok(err)
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	sums, paid := map[string]int64{}, int64(0)
	for _, e := range all {
		sums[e.Currency] += e.AmountMinor
		if e.Kind == KindPayment {
			paid -= e.AmountMinor
		}
		lines := int64(0)
		for _, line := range e.Lines {
			lines += line.AmountMinor
		}
		if e.Kind == KindCharge && lines != e.AmountMinor {
			l.fail("the lines of %s sum to %d, it says %d", e.Number, lines, e.AmountMinor)
		}
	}
	for currency, sum := range sums {
		want := int64(0)
		if currency == m.Balance.Currency {
			want = m.Balance.AmountMinor
		}
		if sum != want {
			l.fail("the ledger sums to %d %s, the balance is %+v", sum, currency, m.Balance)
		}
	}
	if n := len(all); n > 0 && all[n-1].BalanceMinor != m.Balance.AmountMinor || m.Balance.AmountMinor > 0 {
		l.fail("the balance is %+v after %+v", m.Balance, all)
	}
	if m.Intent != nil {
		return // it may be paid, and nobody knows yet
	}
	taken, err := store.Find[struct {
		Money payment.Money `bson:"money"`
	}](l.t.Context(), l.db.Collection("test_payments"), append(store.Points("payer", l.me), store.Eq("state", payment.Paid)))
	l.ok(err)
	for _, p := range taken {
		paid -= p.Money.AmountMinor
	}
	if paid != 0 {
		l.fail("the ledger says %d more was paid than the provider took", paid)
	}
}

// checkRoles: at each instant just the role of the plan that applies counts, whatever time has come without a job.
func (l *life) checkRoles(m Membership, c *catalogue) {
	l.r.Helper()
	grants, err := store.Find[grantDoc](l.t.Context(), l.db.Collection(heldRoles), bson.D{store.Eq("source", m.source())})
	l.ok(err)
	real := l.clock.Now()
	instants := []time.Time{real}
	for _, g := range grants {
		for _, b := range []*time.Time{g.From, g.Until} {
			if b != nil {
				instants = append(instants, b.Add(-time.Millisecond), *b, b.Add(100*day))
			}
		}
	}
	for _, at := range instants {
		if at.Before(real) {
			continue
		}
		p, err := m.at(c, at.Add(m.Offset))
		l.ok(err)
		var held []string
		for _, g := range grants {
			if g.counts(at) {
				held = append(held, g.Role)
			}
		}
		if !slices.Equal(held, []string{p.Plan.Role}) {
			l.fail("at %v %v count, on the plan %s, %s", at, held, p.Plan.Key, p.Status)
		}
	}
}

// checkDue: a job looks at it when the earliest of what is to come comes, and never when nothing is.
func (l *life) checkDue(m Membership, c *catalogue) {
	l.r.Helper()
	var all []time.Time
	if m.Intent != nil {
		all = append(all, m.Intent.ClaimedTo)
	} else if at := m.renewable(); at != nil {
		all = append(all, at.Add(-m.Offset))
	}
	facts, err := m.facts(c)
	l.ok(err)
	for _, f := range facts {
		if f.at.After(m.ToldUntil) {
			all = append(all, f.at.Add(-m.Offset))
		}
	}
	if len(all) == 0 {
		if m.DueAt != nil {
			l.fail("due at %v for nothing", m.DueAt)
		}
		return
	}
	// Between a claim and its answer a job waits for the claim alone.
	if want := slices.MinFunc(all, time.Time.Compare); m.DueAt == nil || !m.DueAt.Equal(want) && (m.Intent == nil || !m.DueAt.Equal(m.Intent.ClaimedTo)) {
		l.fail("due at %v, not %v", m.DueAt, want)
	}
}

// A life of changes, uses and time, looked at after each step.
func TestLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(Book{
		Plans: []BookPlan{
			{Key: "dollar", Name: "Dollar", Rank: 15, Role: "dollar", Prices: []Price{{"USD", 700, Every{1, Month}, nil}}, Features: []Rule{{Feature: "docs", Limit: num(6)}}},
			{Key: "daily", Name: "Daily", Rank: 12, Role: "basic", GraceDays: 1, TrialDays: 2, Prices: []Price{{"EUR", 33, Every{10, Day}, nil}, {"EUR", 0, Every{1, Year}, nil}}, Features: []Rule{{Feature: "docs", Limit: num(8)}}},
		},
		Addons: []Addon{
			{Key: "more-docs", Name: "More documents", Recurring: true, Gives: []Give{{"docs", 5}}, Prices: []Price{eur(310, Month), eur(3000, Year)}},
			{Key: "boost", Name: "Boost", Days: 7, Gives: []Give{{"docs", 1}}, Prices: []Price{eur(50, Month)}},
		},
		Coupons: []Coupon{
			{Key: "half", Name: "Half", Percent: 50, Periods: 2},
			{Key: "less", Name: "Less", Off: []payment.Money{{AmountMinor: 300, Currency: "EUR"}}},
		},
	})
	n := 0
	rapid.Check(t, few(25, func(r *rapid.T) {
		if _, err := w.store.members.DeleteMany(t.Context(), bson.D{}); err != nil { // the others are not looked after any more
			r.Fatal(err)
		}
		w.members.forgetAll()
		n++
		l := &life{world: w, r: r, id: fmt.Sprint("u", n)}
		l.me = user(l.id)
		_, err := w.Enroll(w.sys(), l.me, rapid.SampledFrom([]string{"", "", "basic", "pro"}).Draw(r, "enrolled on"))
		l.ok(err)
		w.members.forget(l.me) // see TestEnrollIsKnownAtOnce
		l.check()
		for range rapid.IntRange(4, 14).Draw(r, "steps") {
			l.step()
			l.check()
		}
		l.did = append(l.did, "the end")
		l.ok(w.test.Behave(t.Context(), l.me, payment.Pays))
		w.clock.Advance(2 * day) // all that waits is known by then
		l.tendAll()
		l.check()
		if m, _ := l.membership(); m.Intent != nil && m.Intent.URL == "" {
			l.fail("still waits for %+v", m.Intent)
		}
	}))
}

// fataler is what is told of what is wrong.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// tiles checks that the spans of a membership follow one another without a gap or an overlap, to the end of time, and that the
// answer for each instant is that of its span.
func tiles(t fataler, m Membership, c *catalogue) []Span {
	t.Helper()
	spans, err := m.spans(c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	begin := m.From
	if m.Paused != nil {
		begin = m.Paused.At
	}
	if len(spans) == 0 || !spans[0].From.Equal(begin) || spans[len(spans)-1].Until != nil {
		t.Fatalf("%+v begin at %v or end", spans, begin)
	}
	instants := []time.Time{begin.Add(ages)}
	for i, s := range spans {
		if i > 0 && !s.From.Equal(*spans[i-1].Until) || s.Until != nil && !s.Until.After(s.From) {
			t.Fatalf("span %d of %+v", i, spans)
		}
		instants = append(instants, s.From, s.From.Add(-time.Millisecond), s.From.Add(time.Millisecond))
	}
	for _, at := range instants {
		if at.Before(begin) {
			continue
		}
		var in []Span
		for _, s := range spans {
			if s.holds(at) {
				in = append(in, s)
			}
		}
		p, err := m.at(c, at)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if len(in) != 1 || p.Plan.ID != in[0].Plan.ID || p.Status != in[0].Status || p.Price != in[0].Price || (p.Until == nil) != (in[0].Until == nil) || p.Until != nil && !p.Until.Equal(*in[0].Until) {
			t.Fatalf("%v is in %+v, and at it %s of %s", at, in, p.Status, p.Plan.Key)
		}
		if p.To.Before(p.From) || at.Before(p.From) || !at.Before(p.To) {
			t.Fatalf("%v is not in the period %v to %v", at, p.From, p.To)
		}
	}
	return spans
}

// anyMembership draws a membership as the service may have left it, and the catalogue it is in.
func anyMembership(t *rapid.T) (Membership, *catalogue) {
	role := func(name string) string { return rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, name) }
	plans := []Plan{{ID: "free", Key: "free", Version: 1, Current: true, Window: Window{Default: true}, Terms: Terms{Role: role("free")}}}
	for i, id := range []string{"aa", "bb", "cc"} {
		p := Plan{ID: id, Key: id, Version: 1, Current: true, Window: Window{Rank: i + 1}}
		p.Role, p.GraceDays = role(id), rapid.SampledFrom([]int{0, 1, 7, 40}).Draw(t, "grace")
		if id != "cc" { // costs nothing, as the default
			p.Prices = []Price{{"EUR", 100, Every{rapid.IntRange(1, 40).Draw(t, "n"), rapid.SampledFrom([]Unit{Day, Month}).Draw(t, "unit")}, nil}}
		}
		plans = append(plans, p)
	}
	c := newCatalogue(plans, nil, nil, nil, t0)
	pick := func(name string) Plan { return rapid.SampledFrom(plans).Draw(t, name) }
	instant := func(from time.Time, most time.Duration, name string) time.Time {
		return from.Add(time.Duration(rapid.Int64Range(0, int64(most/time.Millisecond)).Draw(t, name)) * time.Millisecond)
	}
	cur := pick("plan")
	m := Membership{
		ID: "m", Subject: user("u"), Zone: rapid.SampledFrom([]string{"", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"}).Draw(t, "zone"),
		Offset: rapid.SampledFrom([]time.Duration{0, time.Hour, 500 * day}).Draw(t, "offset"),
	}
	m.Plan, m.From = cur.ID, instant(t0, 400*day, "from")
	m.Since, m.Anchor = m.From, m.From
	if !cur.free() {
		m.Price = cur.Prices[0].Key()
		m.Until = new(cur.Prices[0].Every.bound(m.From, 1, m.zone()))
		m.Trial = rapid.Bool().Draw(t, "trial")
		switch rapid.SampledFrom([]string{"", "cancel", "cancel at the end", "next"}).Draw(t, "then") {
		case "cancel":
			m.CancelAt = new(instant(m.From, m.Until.Sub(m.From)+40*day, "cancel at"))
		case "cancel at the end":
			m.CancelAt = m.Until
		case "next":
			to := pick("next")
			m.Next = &Next{Plan: to.ID, At: *m.Until}
			if !to.free() {
				m.Next.Price = to.Prices[0].Key()
			}
		}
	}
	if rapid.IntRange(0, 5).Draw(t, "paused") == 0 {
		m.Paused = &Pause{At: instant(m.From, 100*day, "paused at")}
	}
	return m, c
}

func TestSpansTileTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, c := anyMembership(t)
		spans := tiles(t, m, c)
		// The role at each instant of the real clock is that of the plan then.
		roles := m.roles(spans)
		for _, s := range spans {
			for _, d := range []time.Duration{-time.Millisecond, 0, time.Hour} {
				at := s.From.Add(d)
				if at.Before(spans[0].From) {
					continue
				}
				p, err := m.at(c, at)
				if err != nil {
					t.Fatal(err)
				}
				var held []string
				for _, r := range roles {
					if (grantDoc{r.Role, r.From, r.Until}).counts(at.Add(-m.Offset)) {
						held = append(held, r.Role)
					}
				}
				want := []string{p.Plan.Role}
				if p.Plan.Role == "" {
					want = nil
				}
				if !slices.Equal(held, want) {
					t.Fatalf("at %v: %v on the plan %s with %v", at, held, p.Plan.Key, want)
				}
			}
		}
		// No two grants of one role touch: they would be one.
		for i, a := range roles {
			for _, b := range roles[i+1:] {
				if a.Role == b.Role && a.Until != nil && b.From != nil && a.Until.Equal(*b.From) {
					t.Fatalf("%+v and %+v", a, b)
				}
			}
		}
		// What is told by the clock is told in order, and each change of status is.
		facts, err := m.facts(c)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(facts, func(a, b fact) int { return a.at.Compare(b.at) }) {
			t.Fatalf("%+v", facts)
		}
		for _, s := range spans[1:] {
			if s.Status == Expired && !slices.ContainsFunc(facts, func(f fact) bool { return f.kind == "plan.membership.expired" && f.at.Equal(s.From) }) {
				t.Fatalf("%+v, told %+v", spans, facts)
			}
		}
	})
}

// What is carried over is never more than may be, nor than what was left; and whatever is used in many periods, it is never
// more than they allow in all.
func TestRolloverIsBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(0, 1000).Draw(t, "limit")
		a := Allowance{Rule: Rule{Feature: "calls", Limit: &limit, Rollover: rapid.Int64Range(0, 2000).Draw(t, "rollover")}, Kind: Metered}
		d, all := counterDoc{}, int64(0)
		n := rapid.Int64Range(1, 20).Draw(t, "periods")
		for i := range n {
			total := *a.total(d.Carry)
			d.Used = rapid.Int64Range(0, total).Draw(t, "used")
			if rapid.IntRange(0, 9).Draw(t, "over") == 0 { // as one that was allowed more until a moment ago
				d.Used = total + rapid.Int64Range(0, 100).Draw(t, "by")
			}
			all += min(d.Used, total)
			carry := a.carry(d)
			if carry < 0 || carry > a.Rollover || carry > limit || carry > max(total-d.Used, 0) {
				t.Fatalf("%d are carried over of %+v, %d at most of %d", carry, d, a.Rollover, limit)
			}
			if all > limit*(i+1) {
				t.Fatalf("%d in %d periods of %d", all, i+1, limit)
			}
			d = counterDoc{Carry: carry}
		}
	})
}

// The same through the service, where periods are missed too: what is said to be left is what can be used.
func TestRolloverOfASubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(Book{Plans: []BookPlan{{Key: "rolls", Name: "Rolls", Rank: 30, Prices: []Price{eur(100, Month)}, Features: []Rule{{Feature: "calls", Limit: num(10), Rollover: 4}}}}})
	n := 0
	rapid.Check(t, few(8, func(r *rapid.T) {
		if _, err := w.store.members.DeleteMany(t.Context(), bson.D{}); err != nil {
			r.Fatal(err)
		}
		w.members.forgetAll()
		n++
		id := fmt.Sprint("u", n)
		_, err := w.Enroll(w.sys(), user(id), "rolls")
		w.must(err)
		w.members.forget(user(id))
		for range rapid.IntRange(1, 6).Draw(r, "steps") {
			if rapid.Bool().Draw(r, "next period") {
				w.clock.Advance(31 * day)
				w.tend()
			}
			e, err := w.Entitlement(w.as(id), user(id), "calls")
			w.must(err)
			if e.Carried < 0 || e.Carried > 4 || *e.Total() > 14 || e.Used > *e.Total() {
				r.Fatalf("%+v", e)
			}
			left := *e.Remaining()
			if err := w.Consume(t.Context(), user(id), "calls", left+1); !errors.Is(err, ErrQuota) {
				r.Fatalf("one more than the %d that are left: %v", left, err)
			}
			if use := rapid.Int64Range(0, left).Draw(r, "use"); use > 0 {
				w.must(w.Consume(t.Context(), user(id), "calls", use))
				if e, err = w.Entitlement(w.as(id), user(id), "calls"); err != nil || *e.Remaining() != left-use {
					r.Fatalf("%d of %d are used and %d are left, %v", use, left, *e.Remaining(), err)
				}
			}
		}
	}))
}

// The end of a trial is told once, whether or not it was told by the clock before somebody paid or chose anew.
func TestTheEndOfATrialIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(w *world){
		"paid later": func(w *world) {
			w.behave("u", payment.Declines)
			w.clock.Advance(14 * day)
			w.tend()
			w.behave("u", payment.Pays)
			w.clock.Advance(day)
			w.tend()
		},
		"chosen anew": func(w *world) {
			_, err := w.CancelMembership(w.as("u"), CancelCmd{Subject: user("u")})
			w.must(err)
			w.clock.Advance(14 * day)
			w.tend()
			w.to("u", "basic")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.enroll("u")
			w.to("u", "pro")
			then(w)
			if p := w.place("u"); p.Status != Active || p.Trial {
				t.Fatalf("%s of %s", p.Status, p.Plan.Key)
			}
			n := 0
			for _, k := range w.kinds(m) {
				if k == "membership.trial_ended" {
					n++
				}
			}
			if n != 1 {
				t.Errorf("told %d times: %v", n, w.kinds(m))
			}
		})
	}
}

// A change that was put off to a plan in another currency, while something is to the subject's credit.
func TestACreditInAnotherCurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(Book{Plans: []BookPlan{{Key: "dollar", Name: "Dollar", Rank: 5, Role: "dollar", GraceDays: 7, Prices: []Price{{"USD", 700, Every{1, Month}, nil}}}}})
	w.edit("pro", func(p *BookPlan) { p.TrialDays = 0 })
	m := w.enroll("u")
	w.to("u", "pro", priced("eur-1-year"))
	w.to("u", "basic", atOnce)
	p, err := w.tryPreview("u", "dollar", func(c *PreviewCmd) { c.Mode = AtPeriodEnd })
	if err != nil {
		return // it is refused when it is asked for: well
	}
	_, err = w.Change(w.as("u"), p.Token)
	w.must(err)
	w.clock.Advance(31 * day)
	for range 5 {
		_, err := w.Tend(w.sys())
		w.must(err)
	}
	if at := w.place("u"); at.DueAt != nil && !at.DueAt.After(w.clock.Now()) {
		t.Errorf("%s, and due at %v for ever; told %v", at.Status, at.DueAt, w.kinds(m))
	}
}

// A refund of an add-on ends the add-on at most, and one of an old period nothing that was paid since.
func TestARefundEndsWhatItWasFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(Book{Addons: []Addon{{Key: "boost", Name: "Boost", Days: 7, Gives: []Give{{"docs", 1}}, Prices: []Price{eur(50, Month)}}}})
	refund := func(id string, amount int64) Place {
		t.Helper()
		e, err := store.FindOne[Entry](t.Context(), w.store.ledger, append(store.Points("subject", user(id)), store.Eq("amountMinor", -amount)))
		w.must(err)
		p, err := w.Refund(w.as(boss), RefundCmd{Entry: e.ID, Reason: "sorry"})
		w.must(err)
		return p
	}
	w.enroll("u")
	w.to("u", "basic")
	p, err := w.Preview(w.as("u"), PreviewCmd{Subject: user("u"), Addon: "boost", Quantity: 1})
	w.must(err)
	_, err = w.Change(w.as("u"), p.Token)
	w.must(err)
	if p := refund("u", 50); p.Status != Active || p.Plan.Key != "basic" {
		t.Errorf("an add-on was given back: %s of %s", p.Status, p.Plan.Key)
	}
	w.enroll("v")
	w.to("v", "basic")
	w.clock.Advance(10 * day)
	w.edit("pro", func(p *BookPlan) { p.TrialDays = 0 })
	w.to("v", "pro")
	w.clock.Advance(22 * day)
	w.tend()
	if p := refund("v", 1000); p.Status != Active || p.Plan.Key != "pro" {
		t.Errorf("an old period was given back: %s of %s", p.Status, p.Plan.Key)
	}
}

// A plan without a grace is renewed too: the job comes a moment after the end of the period.
func TestNoGraceIsRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(Book{Plans: []BookPlan{{Key: "strict", Name: "Strict", Rank: 7, Prices: []Price{eur(500, Month)}}}})
	for name, tc := range map[string]struct {
		late time.Duration
		want Status
	}{"at once": {time.Second, Active}, "the next morning": {20 * time.Hour, Active}, "days later": {48 * time.Hour, Expired}} {
		id := "u" + strings.ReplaceAll(name, " ", "")
		w.enroll(id)
		w.to(id, "strict")
		until := *w.place(id).Until
		w.clock.Advance(until.Sub(w.clock.Now()) + tc.late)
		w.tend()
		if p := w.place(id); p.Status != tc.want {
			t.Errorf("%s: %s of %s", name, p.Status, p.Plan.Key)
		}
	}
}
