package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
)

// Intent is a deal that waits for its payment. A membership has one at the most, stored before anybody is asked for money, so
// whatever dies in between, a job finds it, asks again with the same key and learns what became of it: nothing is charged twice,
// and nothing that was charged is forgotten.
type Intent struct {
	Key       string    `bson:"key"` // idempotency key
	Deal      Deal      `bson:"deal"`
	Absent    bool      `bson:"absent,omitempty"` // the payer is not there
	ClaimedTo time.Time `bson:"claimedTo"`        // by the real clock: before it nobody else asks the provider
	URL       string    `bson:"url,omitempty"`    // where the payer pays
}

// Dunning is what was tried for a period that nobody has paid.
type Dunning struct {
	Attempts int        `bson:"attempts"`
	Reason   string     `bson:"reason"`
	NextAt   *time.Time `bson:"nextAt,omitempty"` // by the membership's clock; nil when no more is tried
}

// How long things wait.
const (
	claimFor    = time.Minute        // an answer of the provider is waited for
	checkoutFor = 24 * time.Hour     // a payer may take to pay
	trialNotice = 3 * 24 * time.Hour // before the end of a trial
	graceNotice = 24 * time.Hour     // before the end of the grace
)

// retries is when a renewal that failed is tried again, counted from the end of the period.
var retries = []time.Duration{24 * time.Hour, 3 * 24 * time.Hour, 5 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour}

// Outcome is what became of a deal.
type Outcome struct {
	Place Place
	URL   string // where to pay; the deal is done when that has happened. Empty when it is done
}

// strike carries a deal out: at once when there is nothing to pay, and else when it is paid.
//
// Errors: PLAN_STALE, PAYMENT_DECLINED, PAYMENT_UNREACHABLE.
func (s *Service) strike(ctx context.Context, m Membership, d Deal, key string, absent bool) (Outcome, error) {
	if d.DueMinor == 0 {
		return s.finish(ctx, m.Subject, func(ctx context.Context) error {
			cur, _, err := s.store.membership(ctx, m.Subject)
			if err != nil {
				return err
			}
			if cur.Version != m.Version {
				return ErrStale
			}
			return s.close(ctx, m, d, key, "") // m, as cur is nothing for who had no membership
		})
	}
	if s.pay == nil {
		return Outcome{}, payment.ErrUnreachable.Because(errors.New("no payment provider is configured"))
	}
	claimed := m
	claimed.Intent = &Intent{Key: key, Deal: d, Absent: absent, ClaimedTo: s.now().Add(claimFor)}
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		cur := claimed
		if m.Version == 0 { // it is written by its first deal
			cur.ToldUntil = d.At
		}
		cur.Version = m.Version + 1
		cur.DueAt = new(cur.Intent.ClaimedTo)
		return s.store.write(ctx, cur, m.Version)
	})
	if err != nil {
		return Outcome{}, err
	}
	s.members.forget(m.Subject)
	return s.charge(ctx, m.Subject, *claimed.Intent)
}

// charge asks for the money of an intent and closes it.
func (s *Service) charge(ctx context.Context, subject ref.Ref, i Intent) (Outcome, error) {
	p, err := s.pay.Charge(ctx, payment.Charge{
		Key: i.Key, Payer: subject, Money: payment.Money{AmountMinor: i.Deal.DueMinor, Currency: i.Deal.Currency}, Purpose: i.Deal.Purpose, Absent: i.Absent,
	})
	if err != nil {
		return Outcome{}, err // a job asks again
	}
	return s.hear(ctx, subject, p)
}

// hear takes what became of a charge. What was heard before changes nothing.
func (s *Service) hear(ctx context.Context, subject ref.Ref, p payment.Payment) (Outcome, error) {
	declined := false
	out, err := s.finish(ctx, subject, func(ctx context.Context) error {
		m, _, err := s.store.membership(ctx, subject)
		if err != nil {
			return err
		}
		declined = false
		if m.Intent == nil || m.Intent.Key != p.Key {
			return nil
		}
		i := *m.Intent
		switch p.State {
		case payment.Paid:
			return s.close(ctx, m, i.Deal, i.Key, p.Ref)
		case payment.Pending:
			if i.URL == p.URL {
				return nil
			}
			next := m
			i.URL, i.ClaimedTo = p.URL, s.now().Add(checkoutFor)
			next.Intent = &i
			_, err = s.save(ctx, m, next, "", s.now().Add(m.Offset))
			return err
		case payment.Declined:
			declined = true
			return s.decline(ctx, m, p)
		default:
			return fault.ErrInternal.Because(fmt.Errorf("a payment in the state %q", p.State))
		}
	})
	if err == nil && declined {
		err = ErrDeclined.With("reason", p.Reason)
	}
	return out, err
}

// finish runs a change in a transaction and gives what came of it.
func (s *Service) finish(ctx context.Context, subject ref.Ref, do func(ctx context.Context) error) (Outcome, error) {
	var out Outcome
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := do(ctx); err != nil {
			return err
		}
		p, err := s.placeOf(ctx, subject)
		out = Outcome{Place: p}
		if p.Intent != nil {
			out.URL = p.Intent.URL
		}
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	s.settled(ctx, subject)
	return out, nil
}

// close makes a deal so: the contract, the ledger and the event, in the transaction of ctx.
func (s *Service) close(ctx context.Context, m Membership, d Deal, key, providerRef string) error {
	now := s.now().Add(m.Offset)
	next := m
	next.Contract, next.Intent, next.Dunning = d.After, nil, nil
	next.Settled = key
	var err error
	if next.Balance, err = s.post(ctx, m, d, key, providerRef, now); err != nil {
		return err
	}
	if d.Coupon != "" {
		ok, err := s.store.redeem(ctx, Coupon{Key: d.Coupon, Most: s.couponLimit(ctx, d.Coupon)})
		if err != nil {
			return err
		}
		if !ok && providerRef == "" { // what is paid is paid
			return ErrCoupon
		}
	}
	for _, id := range d.Billed {
		if err := s.store.bill(ctx, id); err != nil {
			return err
		}
	}
	if ends := m.trialEnd(now); m.Trial && !next.Trial && m.ToldUntil.Before(ends) { // else it was told by the clock
		if err := s.tell(ctx, next, "plan.membership.trial_ended", ends); err != nil {
			return err
		}
	}
	_, err = s.save(ctx, m, next, d.event(m), now)
	return err
}

// trialEnd is when a trial has ended that ends now at the latest.
func (m Membership) trialEnd(now time.Time) time.Time {
	for _, t := range []*time.Time{m.Until, m.CancelAt} {
		if t != nil && t.Before(now) {
			now = *t
		}
	}
	return now
}

func (s *Service) couponLimit(ctx context.Context, key string) int64 {
	c, err := s.catalogue(ctx)
	if err != nil {
		return 0
	}
	return c.coupons[key].Most
}

// event is the kind of event of a deal.
func (d Deal) event(m Membership) string {
	switch {
	case d.Kind == DealAddon:
		return "plan.addon.bought"
	case d.Kind == DealRenew && d.After.Plan == m.Plan:
		return "plan.membership.renewed"
	case d.Kind == DealChange && d.After.Next != nil:
		return "plan.membership.change_scheduled"
	case d.Kind == DealChange && d.After.Plan == m.Plan && d.After.Price == m.Price && m.Until != nil && d.After.Until != nil && m.Until.Equal(*d.After.Until):
		return "plan.membership.resumed"
	case m.Version == 0 || m.Plan == "":
		return "plan.membership.started"
	}
	return kindChanged
}

// decline forgets an intent that nobody paid; for a renewal it says when to try again.
func (s *Service) decline(ctx context.Context, m Membership, p payment.Payment) error {
	now := s.now().Add(m.Offset)
	next := m
	i := m.Intent
	next.Intent = nil
	if i.Deal.Kind != DealRenew {
		_, err := s.save(ctx, m, next, "plan.payment.declined", now)
		return err
	}
	return s.unpaid(ctx, m, next, i.Deal, p.Reason)
}

// unpaid notes that a renewal was not paid, and when it is tried again.
func (s *Service) unpaid(ctx context.Context, m, next Membership, d Deal, reason string) error {
	now := s.now().Add(m.Offset)
	next.Dunning = &Dunning{Attempts: 1, Reason: reason}
	if m.Dunning != nil {
		next.Dunning.Attempts = m.Dunning.Attempts + 1
	}
	c, err := s.catalogueWith(ctx, planIDs(m)...)
	if err != nil {
		return err
	}
	plan, err := c.must(d.After.Plan)
	if err != nil {
		return err
	}
	end := m.graceEnd(d.At, plan)
	for _, after := range retries {
		if at := d.At.Add(after); at.After(now) && at.Before(end) {
			next.Dunning.NextAt = &at
			break
		}
	}
	_, err = s.save(ctx, m, next, "plan.membership.renew_failed", now)
	return err
}

// unclaim makes room for another deal: a checkout that nobody has paid is given up, unless it turns out to be paid.
//
// Errors: PLAN_BUSY while an answer is waited for, PLAN_STALE when it was paid after all.
func (s *Service) unclaim(ctx context.Context, m Membership) (Membership, error) {
	if m.Intent == nil {
		return m, nil
	}
	if m.Intent.URL == "" {
		return m, ErrBusy
	}
	p, err := s.pay.Cancel(ctx, m.Intent.Key)
	if err != nil {
		return m, err
	}
	out, err := s.hear(ctx, m.Subject, p)
	if errors.Is(err, ErrDeclined) {
		m, _, err = s.store.membership(ctx, m.Subject)
		return m, err
	}
	if err == nil {
		err = ErrStale.Saying("the payment that was waited for has come")
	}
	return out.Place.Membership, err
}

// Notice takes a message of the payment provider. The same one may come twice, late, and in any order: what the provider knows for
// sure is entered once, under its own key. Money for a deal that is off by then is given back.
// It asks nobody's leave: the message is signed. Cost: 1 or 2 finds and a transaction.
//
// Errors: WEBHOOK_SIGNATURE, BAD_USER_INPUT, PAYMENT_UNREACHABLE.
func (s *Service) Notice(ctx context.Context, header map[string][]string, body []byte) error {
	if s.pay == nil {
		return payment.ErrWebhook
	}
	n, err := s.pay.Notice(ctx, header, body)
	if err != nil || n == nil {
		return err
	}
	if n.Refund != nil {
		return s.heardRefund(ctx, *n)
	}
	m, found, err := s.store.byIntent(ctx, n.Payment.Key)
	if err != nil {
		return err
	}
	if found {
		if _, err = s.hear(ctx, m.Subject, n.Payment); errors.Is(err, ErrDeclined) {
			err = nil
		}
		return err
	}
	if n.Payment.State != payment.Paid {
		return nil
	}
	_, known, err := s.store.entryByKey(ctx, n.Payment.Key)
	if err != nil || known {
		return err
	}
	s.cfg.Log.WarnContext(ctx, "payment_without_deal", "key", n.Payment.Key, "provider_ref", n.Payment.Ref)
	return s.pay.Refund(ctx, payment.Refund{Key: "orphan:" + n.Payment.Key, Of: n.Payment.Ref})
}

// RefundCmd asks to give a payment back.
type RefundCmd struct {
	Entry       string // id of the entry of the payment
	AmountMinor int64  // 0 for all that is left of it
	Keep        bool   // the subject keeps its plan; else a refund of all that it paid for the present period ends it now
	Reason      string
}

// Refund gives a payment back, or a part; what it was for is not owed any more. Giving all of a payment for the plan in the present
// period back ends the plan, at once and with its role, unless it is to be kept; that of an add-on or of an old period ends nothing. Needs plan.membership.write. The event plan.payment.refunded commits with it. The
// provider is asked first, with a key, so a second try refunds nothing twice. Cost: 2 reads, 4 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, REFUND_IMPOSSIBLE, PAYMENT_UNREACHABLE.
func (s *Service) Refund(ctx context.Context, c RefundCmd) (Place, error) {
	e, found, err := s.store.entryByID(ctx, c.Entry)
	if err != nil {
		return Place{}, err
	}
	if err := s.authz.Require(ctx, PermWrite, e.Subject); err != nil {
		return Place{}, err
	}
	if !found || e.Kind != KindPayment {
		return Place{}, fault.ErrNotFound.On("input.payment")
	}
	given, err := s.given(ctx, e.ProviderRef)
	if err != nil {
		return Place{}, err
	}
	left := -e.AmountMinor - given
	amount := c.AmountMinor
	if amount == 0 {
		amount = left
	}
	if amount < 1 || amount > left || s.pay == nil {
		return Place{}, ErrRefund.With("left", left)
	}
	key := "refund:" + e.ID + ":" + itoa(given)
	err = s.pay.Refund(ctx, payment.Refund{Key: key, Of: e.ProviderRef, Money: payment.Money{AmountMinor: amount, Currency: e.Currency}})
	if err != nil {
		return Place{}, err
	}
	return s.enterRefund(ctx, e, given+amount, c.Reason, !c.Keep && amount == left)
}

// given is how much of a payment was given back.
func (s *Service) given(ctx context.Context, providerRef string) (sum int64, err error) {
	all, err := s.store.refunds(ctx, providerRef)
	for _, r := range all {
		sum += r.AmountMinor
	}
	return sum, err
}

// heardRefund enters a refund that was made at the provider.
func (s *Service) heardRefund(ctx context.Context, n payment.Notice) error {
	e, found, err := s.store.payment(ctx, n.Payment.Ref)
	if err != nil || !found {
		return err
	}
	_, err = s.enterRefund(ctx, e, n.Refund.AmountMinor, "at the payment provider", n.Refund.AmountMinor >= -e.AmountMinor)
	return err
}

// enterRefund makes the ledger say that total was given back of a payment, all in all; what it says already is not entered again.
func (s *Service) enterRefund(ctx context.Context, e Entry, total int64, reason string, end bool) (Place, error) {
	out, err := s.finish(ctx, e.Subject, func(ctx context.Context) error {
		m, _, err := s.store.membership(ctx, e.Subject)
		if err != nil {
			return err
		}
		given, err := s.given(ctx, e.ProviderRef)
		if err != nil || total <= given {
			return err
		}
		charge, _, err := s.store.entryByKey(ctx, strings.TrimSuffix(e.Key, paidSuffix))
		if err != nil {
			return err
		}
		now := s.now().Add(m.Offset)
		next, b := m, m.Balance
		b.AmountMinor += total - given
		back := s.entry(ctx, m, KindRefund, now, b)
		back.AmountMinor, back.ProviderRef, back.Reason = total-given, e.ProviderRef, reason
		b.AmountMinor -= total - given
		waived := s.entry(ctx, m, KindWaiver, now, b)
		waived.AmountMinor, waived.Reason = given-total, reason
		if err := s.store.insertEntries(ctx, []Entry{back, waived}); err != nil {
			return err
		}
		if end && m.Until != nil && now.Before(*m.Until) && charge.covers(m) {
			next.CancelAt, next.Next, next.Intent = &now, nil, nil
		}
		_, err = s.save(ctx, m, next, "plan.payment.refunded", now)
		return err
	})
	return out.Place, err
}

// Behave makes the test provider do something with the charges of a subject, in development. Another's needs plan.membership.write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND with another provider, BAD_USER_INPUT.
func (s *Service) Behave(ctx context.Context, subject ref.Ref, b payment.Behavior) error {
	if err := s.require(ctx, subject, PermWrite); err != nil {
		return err
	}
	t, ok := s.pay.(*payment.Test)
	if !ok {
		return errNoTest
	}
	return t.Behave(ctx, subject, b)
}

// CompleteTest lets the caller pay at the test provider, or refuse to.
//
// Errors: UNAUTHENTICATED, NOT_FOUND with another provider and for what is not the caller's to pay.
func (s *Service) CompleteTest(ctx context.Context, key string, pays bool) (Place, error) {
	subject := actor.From(ctx).Ref()
	if subject.IsZero() {
		return Place{}, fault.ErrUnauthenticated
	}
	t, ok := s.pay.(*payment.Test)
	if !ok {
		return Place{}, errNoTest
	}
	p, err := t.Complete(ctx, subject, key, pays)
	if err != nil {
		return Place{}, err
	}
	out, err := s.hear(ctx, subject, p)
	if errors.Is(err, ErrDeclined) {
		return s.placeOf(ctx, subject)
	}
	return out.Place, err
}

var errNoTest = fault.ErrNotFound.Saying("payments are real here")
