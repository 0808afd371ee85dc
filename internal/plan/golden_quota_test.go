package plan

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// docs makes the user u have n more documents.
func (w *world) docs(n int64) {
	w.t.Helper()
	w.must(w.Consume(w.t.Context(), user("u"), "docs", n))
}

// meter counts calls of a user.
func (w *world) meter(id, use string, n int64, at *time.Time) (Used, error) {
	return w.Meter(w.as(boss), UseCmd{Subject: user(id), Feature: "calls", Amount: n, Source: "test", ID: use, At: at})
}

func detail(err error, key string) any { return fault.From(err).Details[key] }

func TestGolden10DowngradeOverQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RegisterObjects("docs", func(_ context.Context, subject ref.Ref, _ int64, n int) (all []ref.Ref, _ error) {
		for i := range n {
			all = append(all, ref.New(ref.Document, subject.ID+string(rune('a'+i))))
		}
		return all, nil
	})
	m := w.enroll("u")
	w.to("u", "basic")
	w.docs(7)
	p := w.preview("u", "free")
	if p.NetMinor != 0 || !p.At.Equal(t0.AddDate(0, 1, 0)) || len(p.Over) != 1 || p.Over[0].Excess() != 4 {
		t.Errorf("at %v, %v, over %+v", p.At, amounts(p.Deal), p.Over)
	}
	if at := w.to("u", "free"); at.Plan.Key != "basic" || at.Next == nil {
		t.Errorf("at once on %s", at.Plan.Key)
	}
	w.docs(1)
	w.must(w.Release(t.Context(), user("u"), "docs", 1))
	w.clock.Advance(31 * day)
	check := func(when string) {
		t.Helper()
		if s, err := w.StandingOf(w.as("u"), user("u")); err != nil || s != OverQuota || w.place("u").Plan.Key != "free" {
			t.Errorf("%s: %s on %s, %v", when, s, w.place("u").Plan.Key, err)
		}
		over, err := w.OverQuota(w.as("u"), user("u"), "")
		w.must(err)
		if len(over) != 1 || over[0].Feature != "docs" || over[0].Limit != 3 || over[0].Used != 7 || over[0].Excess() != 4 || len(over[0].Newest) != 4 {
			t.Errorf("%s: %+v", when, over)
		}
		err = w.Consume(t.Context(), user("u"), "docs", 1)
		if !errors.Is(err, ErrQuota) || detail(err, "plan") != "free" || detail(err, "limit") != int64(3) || detail(err, "used") != int64(7) {
			t.Errorf("%s: %v %v", when, err, fault.From(err).Details)
		}
		same(t, "allowed by", detail(err, "allowedBy").([]string), []string{"basic", "pro"})
	}
	check("before any job ran")
	w.tend()
	check("after")
	same(t, "roles", w.rolesOf(m), []string{"role-free"})
	w.must(w.Release(t.Context(), user("u"), "docs", 4))
	if s, err := w.StandingOf(w.as("u"), user("u")); err != nil || s != InOrder {
		t.Errorf("%s, %v", s, err)
	}
	same(t, "events", w.kinds(m), []string{
		"membership.started", "membership.changed", "membership.change_scheduled", "quota.near", "quota.exceeded", "membership.changed", "quota.restored",
	})
}

func TestGolden11DowngradeAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	w.docs(7)
	w.clock.Advance(10 * day)
	p := w.to("u", "free", atOnce)
	if s, err := w.StandingOf(w.as("u"), user("u")); err != nil || s != OverQuota || p.Plan.Key != "free" {
		t.Errorf("%s on %s, %v", s, p.Plan.Key, err)
	}
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 1000", "PAYMENT -1000", "CHARGE -677"})
	// What is to the subject's credit pays the next.
	if d := w.preview("u", "basic"); d.NetMinor != 1000 || d.DueMinor != 323 {
		t.Errorf("net %d, due %d", d.NetMinor, d.DueMinor)
	}
}

func TestGolden12BackBeforeTheCleanUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.to("u", "basic")
	w.docs(7)
	w.to("u", "free", atOnce)
	w.to("u", "basic")
	if s, err := w.StandingOf(w.as("u"), user("u")); err != nil || s != InOrder || w.entitlement("docs").Used != 7 {
		t.Errorf("%s, %v", s, err)
	}
	same(t, "events", w.kinds(m), []string{
		"membership.started", "membership.changed", "quota.exceeded", "membership.changed", "quota.restored", "membership.changed",
	})
}

func TestGolden13AFeatureIsTurnedOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var off atomic.Int64
	w.RegisterOff("export", func(_ context.Context, subject ref.Ref) error {
		if subject == user("u") {
			off.Add(1)
		}
		return nil
	})
	m := w.enroll("u")
	w.edit("pro", func(p *BookPlan) { p.TrialDays = 0 })
	w.to("u", "pro")
	w.must(w.Entitled(t.Context(), user("u"), "export"))
	w.to("u", "basic")
	w.must(w.Entitled(t.Context(), user("u"), "export"))
	w.clock.Advance(31 * day)
	err := w.Entitled(t.Context(), user("u"), "export")
	if !errors.Is(err, ErrFeature) || detail(err, "plan") != "basic" {
		t.Errorf("%v", err)
	}
	same(t, "allowed by", detail(err, "allowedBy").([]string), []string{"pro"})
	w.tend()
	w.tend()
	if n := off.Load(); n != 1 {
		t.Errorf("the hook ran %d times", n)
	}
	same(t, "events", w.kinds(m), []string{"membership.started", "membership.changed", "membership.change_scheduled", "feature.turned_off", "membership.changed"})
}

func TestGolden14ANumberForEachObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sizes := map[string]int64{"a": 1 << 20, "b": 6 << 20, "c": 80 << 20}
	w.RegisterObjects("file.size", func(_ context.Context, _ ref.Ref, above int64, _ int) (all []ref.Ref, _ error) {
		for _, name := range []string{"a", "b", "c"} {
			if sizes[name] > above {
				all = append(all, ref.New(ref.Document, name))
			}
		}
		return all, nil
	})
	w.enroll("u")
	over, err := w.OverQuota(w.as("u"), user("u"), "")
	w.must(err)
	if len(over) != 1 || over[0].Limit != 5<<20 || len(over[0].Newest) != 2 {
		t.Errorf("%+v", over)
	}
	w.must(w.Within(t.Context(), user("u"), "file.size", 5<<20, nil))
	if err := w.Within(t.Context(), user("u"), "file.size", 5<<20+1, nil); !errors.Is(err, ErrQuota) {
		t.Errorf("%v", err)
	}
	// Basic says nothing of it, so the default plan does.
	w.to("u", "basic")
	e := w.entitlement("file.size")
	if e.Source != "default" || *e.Limit != 5<<20 {
		t.Errorf("%+v", e)
	}
}

func TestGolden15NoOvershoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	_, err := w.meter("u", "many", 999, nil)
	w.must(err)
	var passed, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			switch _, err := w.meter("u", "use"+itoa(int64(i)), 1, nil); {
			case err == nil:
				passed.Add(1)
			case errors.Is(err, ErrQuota):
				refused.Add(1)
			default:
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 1 || refused.Load() != 49 || w.entitlement("calls").Used != 1000 {
		t.Errorf("%d passed, %d refused, %d used", passed.Load(), refused.Load(), w.entitlement("calls").Used)
	}
}

// Of 2L uses at once exactly L pass, by each way in.
func TestExactUnderContention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const limit = 20
	w.edit("basic", func(p *BookPlan) {
		p.Features = []Rule{{Feature: "docs", Limit: num(limit)}, {Feature: "calls", Limit: num(limit)}}
	})
	for name, use := range map[string]func(who string, i int) error{
		"consume": func(who string, _ int) error { return w.Consume(t.Context(), user(who), "docs", 1) },
		"meter": func(who string, i int) error {
			_, err := w.meter(who, itoa(int64(i)), 1, nil)
			return err
		},
		"in a transaction": func(who string, _ int) error {
			return w.db.InTx(t.Context(), func(ctx context.Context) error { return w.Consume(ctx, user(who), "docs", 1) })
		},
		"reserve": func(who string, _ int) error {
			u, err := w.Reserve(w.as(boss), UseCmd{Subject: user(who), Feature: "calls", Amount: 1})
			if err == nil {
				_, err = w.Commit(w.as(boss), u.Hold)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			who := "user-" + name[:2]
			w.enroll(who)
			w.to(who, "basic")
			var passed atomic.Int64
			var wg sync.WaitGroup
			for i := range 2 * limit {
				wg.Go(func() {
					if err := use(who, i); err == nil {
						passed.Add(1)
					} else if !errors.Is(err, ErrQuota) {
						t.Errorf("%v", err)
					}
				})
			}
			wg.Wait()
			if passed.Load() != limit {
				t.Errorf("%d passed of a limit of %d", passed.Load(), limit)
			}
		})
	}
}

func TestGolden16IdempotentUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	first, err := w.meter("u", "one", 5, nil)
	w.must(err)
	second, err := w.meter("u", "one", 5, nil)
	w.must(err)
	if first.Used != 5 || first.Duplicate || second.Used != 5 || !second.Duplicate || w.entitlement("calls").Used != 5 {
		t.Errorf("%+v, then %+v", first, second)
	}
	if _, err := w.meter("u", "one", 6, nil); !errors.Is(err, ErrIdem) {
		t.Errorf("another amount: %v", err)
	}
	// Within somebody's transaction as well, and when there is nothing left.
	_, err = w.meter("u", "rest", 995, nil)
	w.must(err)
	w.must(w.db.InTx(w.as(boss), func(ctx context.Context) error {
		again, err := w.Meter(ctx, UseCmd{Subject: user("u"), Feature: "calls", Amount: 995, Source: "test", ID: "rest"})
		if err == nil && !again.Duplicate {
			t.Errorf("%+v", again)
		}
		return err
	}))
	if again, err := w.meter("u", "rest", 995, nil); err != nil || again.Used != 1000 {
		t.Errorf("%+v, %v", again, err)
	}
	// Somebody else's uses have names of their own.
	w.enroll("v")
	w.to("v", "basic")
	if u, err := w.meter("v", "one", 1, nil); err != nil || u.Used != 1 {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestGolden17SoftLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("pro", func(p *BookPlan) {
		p.TrialDays, p.Features[1].Limit = 0, num(1000)
	})
	m := w.enroll("u")
	w.to("u", "pro")
	_, err := w.meter("u", "all", 1000, nil)
	w.must(err)
	for i := range 3 {
		u, err := w.meter("u", itoa(int64(i)), 1, nil)
		w.must(err)
		if u.Overage != int64(i+1) {
			t.Errorf("%+v", u)
		}
	}
	if e := w.entitlement("calls"); e.Overage() != 3 || e.Level() != Exceeded || *e.Remaining() != 0 {
		t.Errorf("%+v", e)
	}
	same(t, "events", w.kinds(m), []string{"membership.started", "membership.changed", "quota.near", "quota.exceeded"})
	// It is billed with the next period.
	w.clock.Advance(31 * day)
	w.tend()
	same(t, "ledger", w.ledger("u"), []string{"CHARGE 2500", "PAYMENT -2500", "CHARGE 2506", "PAYMENT -2506"})
}

func TestGolden18LateUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	_, err := w.meter("u", "early", 10, nil)
	w.must(err)
	end := *w.place("u").Until
	w.clock.Advance(end.Sub(t0) + 30*time.Minute)
	w.tend()
	before := end.Add(-time.Minute)
	u, err := w.meter("u", "late", 1, &before)
	w.must(err)
	if u.Late || u.Used != 11 || !u.ResetsAt.Equal(end) || w.entitlement("calls").Used != 0 {
		t.Errorf("within the window: %+v", u)
	}
	w.clock.Advance(time.Hour)
	u, err = w.meter("u", "too late", 1, &before)
	w.must(err)
	if !u.Late || u.Used != 1 || w.entitlement("calls").Used != 1 {
		t.Errorf("after it: %+v", u)
	}
}

func TestGolden19Reservations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	reserve := func(n int64, name string) Used {
		t.Helper()
		c := UseCmd{Subject: user("u"), Feature: "calls", Amount: n}
		if name != "" {
			c.Source, c.ID = "test", name
		}
		u, err := w.Reserve(w.as(boss), c)
		w.must(err)
		return u
	}
	reserve(100, "")
	if e := w.entitlement("calls"); e.Reserved != 100 || *e.Remaining() != 900 || e.Used != 0 {
		t.Errorf("%+v", e)
	}
	if err := w.Consume(t.Context(), user("u"), "calls", 901); !errors.Is(err, ErrQuota) {
		t.Errorf("what is reserved is not free: %v", err)
	}
	w.clock.Advance(10 * time.Minute)
	if e := w.entitlement("calls"); e.Reserved != 0 || *e.Remaining() != 1000 {
		t.Errorf("after the crash: %+v", e)
	}
	a, again := reserve(600, "a"), reserve(600, "a")
	if a.Hold != again.Hold || !again.Duplicate {
		t.Errorf("%+v, then %+v", a, again)
	}
	b := reserve(400, "b")
	used, err := w.Commit(w.as(boss), a.Hold)
	w.must(err)
	twice, err := w.Commit(w.as(boss), a.Hold)
	w.must(err)
	if used.Used != 600 || twice.Used != 600 || !twice.Duplicate {
		t.Errorf("%+v, then %+v", used, twice)
	}
	_, err = w.Cancel(w.as(boss), b.Hold)
	w.must(err)
	if _, err := w.Commit(w.as(boss), b.Hold); !errors.Is(err, ErrHold) {
		t.Errorf("committed after it was canceled: %v", err)
	}
	if e := w.entitlement("calls"); e.Used != 600 || e.Reserved != 0 {
		t.Errorf("%+v", e)
	}
	if _, err := w.Reserve(w.as("u"), UseCmd{Subject: user("u"), Feature: "calls", Amount: 1}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("by the user: %v", err)
	}
	for _, bad := range []string{"", "/", "user:u:calls/x", "user:u/x"} {
		if _, err := w.Commit(w.as(boss), bad); !errors.Is(err, ErrHold) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestGolden20Rollover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("basic", func(p *BookPlan) { p.Features[1] = Rule{Feature: "calls", Limit: num(1000), Rollover: 200} })
	w.enroll("u")
	w.to("u", "basic")
	w.must(w.Consume(t.Context(), user("u"), "calls", 650)) // left 350
	next := func() {
		w.clock.Advance(w.place("u").To.Sub(w.clock.Now()))
		w.tend()
	}
	next()
	if e := w.entitlement("calls"); *e.Total() != 1200 || e.Carried != 200 || *e.Remaining() != 1200 {
		t.Errorf("before any use: %+v", e)
	}
	w.must(w.Consume(t.Context(), user("u"), "calls", 1100))
	if e := w.entitlement("calls"); *e.Total() != 1200 || e.Used != 1100 {
		t.Errorf("after it: %+v", e)
	}
	if err := w.Consume(t.Context(), user("u"), "calls", 101); !errors.Is(err, ErrQuota) {
		t.Errorf("%v", err)
	}
	next() // 200 were carried in and are used up first, so 100 of its own are left
	if e := w.entitlement("calls"); *e.Total() != 1100 {
		t.Errorf("%+v", e)
	}
}

// A calendar month is that of the membership's time zone.
func TestCalendarMonth(t *testing.T) {
	t.Parallel()
	w := newWorldAt(t, time.Date(2026, 1, 31, 10, 30, 0, 0, time.UTC)) // half past eleven in Berlin
	w.edit("basic", func(p *BookPlan) { p.Features[1] = Rule{Feature: "calls", Limit: num(10), Reset: EachMonth} })
	w.enroll("u")
	w.to("u", "basic", zoned("Europe/Berlin"))
	w.must(w.Consume(t.Context(), user("u"), "calls", 10))
	w.clock.Advance(12*time.Hour + 30*time.Minute - time.Millisecond)
	if e := w.entitlement("calls"); e.Used != 10 || !e.ResetsAt.Equal(time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", e)
	}
	w.clock.Advance(time.Millisecond)
	if e := w.entitlement("calls"); e.Used != 0 || w.place("u").Status != Active {
		t.Errorf("%+v", e)
	}
}

func TestReadOnlyPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("free", func(p *BookPlan) { p.Features[0].OnOver = ReadOnly })
	w.enroll("u")
	w.to("u", "basic")
	w.docs(5)
	w.must(w.Writable(t.Context(), user("u"), "docs"))
	w.to("u", "free", atOnce)
	err := w.Writable(t.Context(), user("u"), "docs")
	if !errors.Is(err, ErrReadOnly) || detail(err, "used") != int64(5) {
		t.Errorf("%v", err)
	}
	w.must(w.Release(t.Context(), user("u"), "docs", 2))
	w.must(w.Writable(t.Context(), user("u"), "docs"))
}

// What the caller's transaction drops was never used.
func TestConsumeJoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	boom := errors.New("boom")
	for range 2 {
		err := w.db.InTx(t.Context(), func(ctx context.Context) error {
			if err := w.Consume(ctx, user("u"), "docs", 1); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) || w.entitlement("docs").Used != 0 {
			t.Fatalf("%v, %d used", err, w.entitlement("docs").Used)
		}
	}
	w.docs(2)
	w.must(w.Release(t.Context(), user("u"), "docs", 5))
	if e := w.entitlement("docs"); e.Used != 0 || storetest.Count(t, w.db, "usage") != 1 {
		t.Errorf("%+v", e)
	}
	for _, n := range []int64{0, -1, maxAmount + 1} {
		if err := w.Consume(t.Context(), user("u"), "docs", n); !errors.Is(err, fault.ErrInput) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if err := w.Consume(t.Context(), user("u"), "nothing", 1); !errors.Is(err, ErrUnlimited) {
		t.Errorf("%v", err)
	}
	if err := w.Consume(t.Context(), user("u"), "export", 1); !errors.Is(err, fault.ErrInput) {
		t.Errorf("%v", err)
	}
}
