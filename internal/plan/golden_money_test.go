package plan

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The golden scenarios of the domain study, section 2.4, by their numbers. Amounts are in minor units.

// proration moves a user from one price to another with so many days of a period left, at 03:04:05 of t0's January.
func proration(t *testing.T, from, to int64, period, left time.Duration, surcharge int) Deal {
	t.Helper()
	every := Every{int(period / day), Day}
	a := Plan{ID: "a", Key: "aa", Window: Window{Name: "A", Rank: 1}, Terms: Terms{Prices: []Price{{"EUR", from, every, nil}}}}
	b := Plan{ID: "b", Key: "bb", Window: Window{Name: "B", Rank: 2}, Terms: Terms{Prices: []Price{{"EUR", to, every, nil}}}}
	free := Plan{ID: "f", Key: "ff", Window: Window{Default: true}, Current: true}
	c := newCatalogue([]Plan{a, b, free}, nil, nil, nil, t0)
	end := t0.Add(period)
	m := Membership{Contract: Contract{Plan: "a", Price: a.Prices[0].Key(), Anchor: t0, From: t0, Until: &end}}
	p, err := m.at(c, end.Add(-left))
	if err != nil {
		t.Fatal(err)
	}
	o, err := toOffer(b, "", Auto, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.change(o, surcharge)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGolden01Proration(t *testing.T) {
	t.Parallel()
	d := proration(t, 2000, 5000, 30*day, 23*day, 0)
	same(t, "lines", amounts(d), []string{"CREDIT -1533", "CHARGE 3833"})
	if d.NetMinor != 2300 || d.DueMinor != 2300 {
		t.Errorf("net %d, due %d", d.NetMinor, d.DueMinor)
	}
}

func TestGolden02Surcharge(t *testing.T) {
	t.Parallel()
	if d := proration(t, 2000, 5000, 30*day, 23*day, 10); d.NetMinor != 2530 {
		t.Errorf("%v, net %d", amounts(d), d.NetMinor)
	}
}

func TestGolden03LinesAreRounded(t *testing.T) {
	t.Parallel()
	d := proration(t, 1000, 2500, 31*day, 10*day, 0)
	same(t, "lines", amounts(d), []string{"CREDIT -323", "CHARGE 806"})
	if d.NetMinor != 483 {
		t.Errorf("net %d", d.NetMinor)
	}
}

// The second credit is of the full price of what is held, not of what was paid for it.
func TestGolden04TwoUpgradesInAPeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(Book{Plans: []BookPlan{{Key: "top", Name: "Top", Rank: 30, Prices: []Price{eur(5000, Month)}}}})
	w.edit("pro", func(p *BookPlan) { p.TrialDays = 0 })
	m := w.enroll("u")
	w.to("u", "basic")
	w.clock.Advance(10 * day) // of 31
	same(t, "first", amounts(w.preview("u", "pro").Deal), []string{"CREDIT -677", "CHARGE 1694"})
	w.to("u", "pro")
	w.clock.Advance(11 * day)
	same(t, "second", amounts(w.preview("u", "top").Deal), []string{"CREDIT -806", "CHARGE 1613"})
	p := w.to("u", "top")
	if p.Plan.Key != "top" || !p.From.Equal(t0) {
		t.Errorf("%s since %v", p.Plan.Key, p.From)
	}
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000", "CHARGE 1017", "PAYMENT -1017", "CHARGE 807", "PAYMENT -807"})
	same(t, "events", w.kinds(m), []string{"membership.started", "membership.changed", "membership.changed", "feature.turned_off", "membership.changed"})
}

func TestGolden05UpgradeOnTrial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(Book{Plans: []BookPlan{{Key: "top", Name: "Top", Rank: 30, TrialDays: 30, Prices: []Price{eur(5000, Month)}}}})
	w.enroll("u")
	trial := w.to("u", "pro")
	if trial.Status != Trialing || !trial.Until.Equal(t0.Add(14*day)) || len(w.ledger("u")) != 0 {
		t.Fatalf("%s until %v", trial.Status, trial.Until)
	}
	w.clock.Advance(5 * day)
	d := w.preview("u", "top")
	if d.NetMinor != 0 || len(d.Lines) != 0 {
		t.Errorf("%v", amounts(d.Deal))
	}
	p := w.to("u", "top")
	if p.Status != Trialing || p.Plan.Key != "top" || !p.Until.Equal(t0.Add(14*day)) {
		t.Errorf("%s of %s until %v", p.Status, p.Plan.Key, p.Until)
	}
}

func TestGolden06ThePreviewIsWhatIsCharged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	shown := w.preview("u", "basic")
	old := w.plan["basic"]
	w.edit("basic", func(p *BookPlan) { p.Prices[0].AmountMinor = 9900 })
	w.clock.Advance(9 * time.Minute)
	out, err := w.Change(w.as("u"), shown.Token)
	w.must(err)
	if shown.DueMinor != 1000 || out.Place.Plan.ID != old.ID {
		t.Errorf("due %d, version %d", shown.DueMinor, out.Place.Plan.Version)
	}
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000"})

	w.enroll("v")
	late := w.preview("v", "basic")
	w.clock.Advance(10 * time.Minute)
	if _, err := w.Change(w.as("v"), late.Token); !errors.Is(err, ErrPreview) {
		t.Errorf("after ten minutes: %v", err)
	}
	// Taken up again it is the same, and charges nothing more.
	if again, err := w.Change(w.as("u"), shown.Token); err != nil || again.Place.Version != out.Place.Version {
		t.Errorf("again: %v", err)
	}
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000"})
}

func ends(every Every, anchor time.Time, zone *time.Location, n int) (all []string) {
	for i := range n {
		all = append(all, every.bound(anchor, i+1, zone).In(zone).Format("2006-01-02"))
	}
	return all
}

func TestGolden07MonthsFromThe31st(t *testing.T) {
	t.Parallel()
	anchor := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	same(t, "ends", ends(monthly, anchor, time.UTC, 3), []string{"2027-02-28", "2027-03-31", "2027-04-30"})
}

func TestGolden08YearsFromTheLeapDay(t *testing.T) {
	t.Parallel()
	anchor := time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC)
	same(t, "ends", ends(Every{1, Year}, anchor, time.UTC, 4), []string{"2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"})
}

func TestGolden09TheEndIsLocalMidnight(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldAt(t, time.Date(2026, 9, 1, 0, 0, 0, 0, zone)) // summer time begins on the 27th
	w.edit("basic", func(p *BookPlan) { p.GraceDays = 0 })
	w.enroll("u")
	p := w.to("u", "basic", zoned("Pacific/Auckland"))
	end := time.Date(2026, 10, 1, 0, 0, 0, 0, zone)
	if !p.Until.Equal(end) {
		t.Fatalf("until %v, want %v", p.Until, end)
	}
	w.clock.Advance(end.Sub(w.clock.Now()) - time.Millisecond)
	if s := w.place("u").Status; s != Active {
		t.Errorf("1 ms before: %s", s)
	}
	w.clock.Advance(time.Millisecond)
	if s := w.place("u").Status; s != Expired {
		t.Errorf("at the instant: %s", s)
	}
}

// Rounding against exact arithmetic.
func TestShareIsRoundedHalfUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(-maxAmount, maxAmount).Draw(t, "amount")
		whole := rapid.Int64Range(1, int64(40*365*day)).Draw(t, "whole")
		part := rapid.Int64Range(0, whole).Draw(t, "part")
		exact := new(big.Rat).Mul(big.NewRat(amount, 1), big.NewRat(part, whole))
		up := new(big.Rat).Add(new(big.Rat).Abs(exact), big.NewRat(1, 2))
		want := new(big.Int).Quo(up.Num(), up.Denom()).Int64()
		if amount < 0 {
			want = -want
		}
		if got := share(amount, time.Duration(part), time.Duration(whole)); got != want {
			t.Errorf("share(%d, %d, %d) = %d, want %d", amount, part, whole, got, want)
		}
	})
}

// Periods follow one another without a gap, and each holds what it is asked for.
func TestPeriodsTile(t *testing.T) {
	t.Parallel()
	zones := []string{"UTC", "Pacific/Auckland", "America/St_Johns", "Europe/Berlin", "Asia/Kathmandu"}
	rapid.Check(t, func(t *rapid.T) {
		zone := zoneOf(rapid.SampledFrom(zones).Draw(t, "zone"))
		every := Every{rapid.IntRange(1, 12).Draw(t, "n"), rapid.SampledFrom([]Unit{Day, Month, Year}).Draw(t, "unit")}
		anchor := t0.Add(time.Duration(rapid.Int64Range(0, 4*365*24*60).Draw(t, "minutes")) * time.Minute)
		at := anchor.Add(time.Duration(rapid.Int64Range(-365*24*60, 10*365*24*60).Draw(t, "later")) * time.Minute)
		from, until := every.around(anchor, at, zone)
		if at.Before(from) || !at.Before(until) {
			t.Fatalf("%v is not in %v to %v", at, from, until)
		}
		if next, _ := every.around(anchor, until, zone); !next.Equal(until) {
			t.Errorf("after %v comes %v", until, next)
		}
		if _, prev := every.around(anchor, from.Add(-1), zone); !prev.Equal(from) {
			t.Errorf("before %v comes the end %v", from, prev)
		}
	})
}
