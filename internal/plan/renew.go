package plan

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// fact is something that comes by the clock alone.
type fact struct {
	kind string
	at   time.Time
}

// facts is what comes by the clock alone, in order: what people are told of. It follows from the spans, like everything.
func (m Membership) facts(c *catalogue) ([]fact, error) {
	spans, err := m.spans(c)
	if err != nil {
		return nil, err
	}
	var all []fact
	if m.Trial && m.Paused == nil && m.Until != nil {
		all = append(all, fact{"plan.membership.trial_ending", m.Until.Add(-trialNotice)})
	}
	for i, s := range spans[1:] {
		before := spans[i]
		if before.Status == Trialing || before.Status == Canceled && m.Trial {
			all = append(all, fact{"plan.membership.trial_ended", s.From})
		}
		switch s.Status { //nolint:exhaustive // the others are told by whoever brings them about
		case PastDue:
			all = append(all, fact{"plan.membership.past_due", s.From})
			if warn := s.Until.Add(-graceNotice); warn.After(s.From) {
				all = append(all, fact{"plan.membership.grace_ending", warn})
			}
		case Expired:
			all = append(all, fact{"plan.membership.expired", s.From})
		}
	}
	for _, o := range m.Overrides {
		if o.ExpiresAt != nil {
			all = append(all, fact{"plan.entitlement.override_expired", *o.ExpiresAt})
		}
	}
	for _, e := range m.Extras {
		if e.Until != nil {
			all = append(all, fact{"plan.addon.expired", *e.Until})
		}
	}
	slices.SortStableFunc(all, func(a, b fact) int { return a.at.Compare(b.at) })
	return all, nil
}

// renewable is when the next period has to be paid; nil when there is none to pay.
func (m Membership) renewable() *time.Time {
	switch {
	case m.Until == nil || m.CancelAt != nil || m.Paused != nil:
		return nil
	case m.Dunning != nil:
		return m.Dunning.NextAt
	}
	return m.Until
}

// due is when a job has to look at the membership next, by the real clock; nil for never.
func (m Membership) due(c *catalogue) *time.Time {
	var next *time.Time
	at := func(t *time.Time) {
		if t != nil && (next == nil || t.Before(*next)) {
			next = t
		}
	}
	if m.Intent != nil {
		at(new(m.Intent.ClaimedTo.Add(m.Offset)))
	} else {
		at(m.renewable())
	}
	if all, err := m.facts(c); err == nil {
		for _, f := range all {
			if f.at.After(m.ToldUntil) {
				at(&f.at)
				break
			}
		}
	}
	if next == nil {
		return nil
	}
	return new(next.Add(-m.Offset))
}

// How jobs run.
const (
	renewWithin = 24 * time.Hour // after the end of a period a first try to renew it is made
	tendEvery   = 5 * time.Second
	tendAtOne   = 200
)

// Run looks after memberships whose time has come until ctx ends: renewals, what was put off, and what is to be told. Any number of
// nodes may run it, or none for a while: what applies is decided by the clock when it is asked for, and each step is taken once.
func (s *Service) Run(ctx context.Context) {
	for {
		if _, err := s.Tend(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "memberships_not_tended", "error", err.Error())
		}
		if !clock.Sleep(ctx, tendEvery) {
			return
		}
	}
}

// Tend looks after the memberships whose time has come, at most 200, and gives their number. Cost: one find, and a transaction or
// two for each.
func (s *Service) Tend(ctx context.Context) (int, error) {
	due, err := s.store.due(ctx, s.now(), tendAtOne)
	if err != nil {
		return 0, err
	}
	for _, m := range due {
		if err := s.tend(ctx, m.Subject); err != nil && !errors.Is(err, ErrStale) {
			if ctx.Err() != nil {
				return 0, err
			}
			s.cfg.Log.WarnContext(ctx, "membership_not_tended", "membership", m.ID, "error", err.Error())
		}
	}
	return len(due), nil
}

// tend takes the steps whose time has come, one membership at a time.
func (s *Service) tend(ctx context.Context, subject ref.Ref) error {
	for range 100 { // a membership that was not looked after for years catches up
		m, found, err := s.store.membership(ctx, subject)
		if err != nil || !found || m.DueAt == nil || m.DueAt.After(s.now()) {
			return err
		}
		if err := s.step(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// step takes one step.
func (s *Service) step(ctx context.Context, m Membership) error {
	now := s.now().Add(m.Offset)
	if m.Intent != nil && !s.now().Before(m.Intent.ClaimedTo) {
		return s.recover(ctx, m)
	}
	if at := m.renewable(); m.Intent == nil && at != nil && !now.Before(*at) {
		done, err := s.renew(ctx, m, now)
		if err != nil || done {
			return err
		}
	}
	return s.tellFacts(ctx, m, now)
}

// recover learns what became of an intent that nobody has closed.
func (s *Service) recover(ctx context.Context, m Membership) error {
	if m.Intent.URL != "" {
		_, err := s.unclaim(ctx, m)
		return err
	}
	claimed := m
	i := *m.Intent
	i.ClaimedTo, i.Absent = s.now().Add(claimFor), true
	claimed.Intent = &i
	err := s.db.InTx(ctx, func(ctx context.Context) error { // one job asks; another finds it claimed
		next := claimed
		next.Version, next.DueAt = m.Version+1, &i.ClaimedTo
		return s.store.write(ctx, next, m.Version)
	})
	if err != nil {
		return err
	}
	if _, err = s.charge(ctx, m.Subject, i); errors.Is(err, ErrDeclined) {
		return nil
	}
	return err
}

// renew makes the next period so, if it is not too late for it.
func (s *Service) renew(ctx context.Context, m Membership, now time.Time) (done bool, err error) {
	c, err := s.catalogueWith(ctx, planIDs(m)...)
	if err != nil {
		return false, err
	}
	p, err := m.at(c, now)
	if err != nil {
		return false, err
	}
	// The job comes a moment after the end of a period: also where there is no grace that moment is not too late.
	late := p.Status == Expired && (m.Dunning != nil || !now.Before(m.Until.Add(renewWithin)))
	if m.Next != nil {
		if to, err := c.must(m.Next.Plan); err == nil && to.free() {
			late = false
		}
	}
	if late { // nobody asked for money while there was time
		if m.Dunning != nil && m.Dunning.NextAt == nil {
			return false, nil
		}
		return true, s.db.InTx(ctx, func(ctx context.Context) error {
			next := m
			next.Dunning = &Dunning{Reason: "expired"}
			_, err := s.save(ctx, m, next, "", now)
			return err
		})
	}
	over, billed, err := s.overages(ctx, m, c)
	if err != nil {
		return false, err
	}
	d, err := p.renewal(c, over)
	if errors.Is(err, ErrCurrency) { // what is to its credit came after the change was put off
		return true, s.db.InTx(ctx, func(ctx context.Context) error { return s.unpaid(ctx, m, m, d, ErrCurrency.Code) })
	}
	if err != nil {
		return false, err
	}
	d.Billed = billed
	if s.pay == nil && d.DueMinor > 0 {
		return true, s.db.InTx(ctx, func(ctx context.Context) error { return s.unpaid(ctx, m, m, d, "no_payment_provider") })
	}
	attempt := 0
	if m.Dunning != nil {
		attempt = m.Dunning.Attempts
	}
	key := strings.Join([]string{"renew", m.ID, itoa(m.Until.UnixMilli()), itoa(int64(attempt))}, ":")
	_, err = s.strike(ctx, m, d, key, true)
	if errors.Is(err, ErrDeclined) {
		err = nil
	}
	return true, err
}

// overages is the lines of what was used above soft limits in the period that ends, and the counters they are of.
func (s *Service) overages(ctx context.Context, m Membership, c *catalogue) (lines []Line, ids []string, err error) {
	plan, err := c.must(m.Plan)
	if err != nil {
		return nil, nil, err
	}
	price, ok := plan.price(m.Price)
	if !ok || len(price.Overages) == 0 {
		return nil, nil, nil
	}
	h, err := hold(m, c, m.From.Add(-m.Offset), m.From)
	if err != nil {
		return nil, nil, err
	}
	docs, err := s.store.counters(ctx, h.periods(m.From))
	if err != nil {
		return nil, nil, err
	}
	for _, o := range price.Overages {
		a := h.all[o.Feature]
		from, _ := h.window(a, m.From)
		d, found := docs[counterID(m.Subject, o.Feature, from)]
		total := a.total(d.Carry)
		if !found || d.Billed || total == nil || !a.soft() || d.Used <= *total {
			continue
		}
		n := d.Used - *total
		lines = append(lines, Line{
			Kind: LineOverage, Text: cmp.Or(c.features[o.Feature].Name, o.Feature) + " above the limit", From: &m.From, To: m.Until, Quantity: n,
			AmountMinor: n * o.AmountMinor,
		})
		if a.Kind == Metered {
			ids = append(ids, d.ID)
		}
	}
	return lines, ids, nil
}

// tellFacts appends what has come by the clock since it was looked at last, and does what has to happen then.
func (s *Service) tellFacts(ctx context.Context, m Membership, now time.Time) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		c, err := s.catalogueWith(ctx, planIDs(m)...)
		if err != nil {
			return err
		}
		all, err := m.facts(c)
		if err != nil {
			return err
		}
		for _, f := range all {
			if f.at.After(m.ToldUntil) && !f.at.After(now) {
				if err := s.tell(ctx, m, f.kind, f.at); err != nil {
					return err
				}
			}
		}
		next := m
		next.ToldUntil = now
		_, err = s.save(ctx, m, next, "", now)
		return err
	})
	if err == nil {
		s.settled(ctx, m.Subject)
	}
	return err
}

// clockFact is what the log says of what has come by the clock.
type clockFact struct {
	Subject ref.Ref   `bson:"subject"`
	Plan    string    `bson:"plan"`
	At      time.Time `bson:"at"` // by the membership's clock
}

func (s *Service) tell(ctx context.Context, m Membership, kind string, at time.Time) error {
	return s.events.Append(ctx, kind, m.Ref(), clockFact{m.Subject, m.Plan, at})
}

// AdvanceClock moves the clock of one subject's membership forward to a time, in development: everything that would have happened
// by then happens, in order, as if that time had passed. Needs plan.clock.advance.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CLOCK_FORBIDDEN outside development and for a time that is past.
func (s *Service) AdvanceClock(ctx context.Context, subject ref.Ref, to time.Time) (Place, error) {
	if err := s.authz.Require(ctx, PermClock, subject); err != nil {
		return Place{}, err
	}
	if !s.cfg.Clocks {
		return Place{}, ErrClock
	}
	system := actor.With(ctx, actor.System()) // what happens by the clock nobody does
	for range 10_000 {
		m, found, err := s.store.membership(ctx, subject)
		if err != nil || !found {
			return Place{}, orElse(err, errNoMember)
		}
		now := s.now().Add(m.Offset)
		if to.Before(now) {
			return Place{}, ErrClock
		}
		next := to
		if m.DueAt != nil {
			if at := m.DueAt.Add(m.Offset); at.Before(to) {
				next = at
			}
		}
		if next.After(now) {
			err = s.setClock(system, m, next.Sub(s.now()))
		}
		if err == nil {
			err = s.tend(system, subject)
		}
		if err != nil {
			return Place{}, err
		}
		if !next.Before(to) {
			return s.placeOf(ctx, subject)
		}
	}
	return Place{}, fault.ErrInternal.Saying("the clock does not come there")
}

// setClock writes how far the clock is ahead, and what is kept by the real clock anew.
func (s *Service) setClock(ctx context.Context, m Membership, offset time.Duration) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		c, err := s.catalogueWith(ctx, planIDs(m)...)
		if err != nil {
			return err
		}
		moved := m
		moved.Offset = offset
		if m.Intent != nil { // its claim goes by the real clock
			i := *m.Intent
			i.ClaimedTo = i.ClaimedTo.Add(m.Offset - offset)
			moved.Intent = &i
		}
		if _, err = s.write(ctx, m, moved, c, m.ToldUntil); err != nil { // what it means is told step by step
			return err
		}
		return s.tell(ctx, moved, "plan.clock.advanced", s.now().Add(offset))
	})
	if err == nil {
		s.settled(ctx, m.Subject)
	}
	return err
}
