package plan

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/token"
)

// PreviewCmd asks what a change would be: of the plan, or an add-on.
type PreviewCmd struct {
	Subject  ref.Ref
	Plan     string // id; empty for an add-on
	Price    string // key; empty for the only one there is, and for a plan that costs nothing
	Mode     Mode
	Coupon   string
	Addon    string // key
	Quantity int64  // of the add-on
	Zone     string // IANA name: in which periods that begin now are reckoned; empty for the one there is
}

// Preview is what a change would be. With its token it becomes just that.
type Preview struct {
	Deal

	Token     string
	Now       time.Time // of which the amounts are
	ExpiresAt time.Time // of the token
	Place     Place     // before it
	Over      []OverItem
}

// previewFor is how long a preview can be taken up. A period that ends before ends it too.
const previewFor = 10 * time.Minute

const previewPrefix = "bbp_"

// previewDoc is a preview that waits to be taken up.
type previewDoc struct {
	ID        string    `bson:"_id"` // digest of the token in hex
	Subject   ref.Ref   `bson:"subject"`
	Version   int64     `bson:"v"` // of the membership
	Zone      string    `bson:"zone,omitempty"`
	Deal      Deal      `bson:"deal"`
	ExpiresAt time.Time `bson:"expiresAt"`
	KeepUntil time.Time `bson:"keepUntil"`
}

// Preview says what a change would cost, when it would come, and what would be above its limit then, and gives the token to make it
// so. It changes nothing. For another needs plan.membership.write, which also opens plans that are hidden or closed.
// Cost: 2 or 3 finds and 1 write.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, PLAN_UNKNOWN, PRICE_UNKNOWN, PLAN_SAME, COUPON_INVALID, ADDON_UNAVAILABLE,
// CURRENCY_MISMATCH, MEMBERSHIP_STATE, BAD_USER_INPUT.
func (s *Service) Preview(ctx context.Context, cmd PreviewCmd) (Preview, error) {
	if err := s.require(ctx, cmd.Subject, PermWrite); err != nil {
		return Preview{}, err
	}
	if _, err := time.LoadLocation(cmd.Zone); err != nil || cmd.Zone == "Local" {
		return Preview{}, fault.ErrInput.Saying("there is no such time zone").On("input.timeZone")
	}
	m, err := s.membership(ctx, cmd.Subject)
	if err != nil {
		return Preview{}, err
	}
	version, zone := m.Version, m.Zone
	if cmd.Zone != "" {
		m.Zone, zone = cmd.Zone, cmd.Zone
	}
	c, err := s.catalogueWith(ctx, append(planIDs(m), cmd.Plan)...)
	if err != nil {
		return Preview{}, err
	}
	h, err := hold(m, c, s.now(), s.now())
	if err != nil {
		return Preview{}, err
	}
	d, err := s.deal(ctx, h, cmd)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Deal: d, Now: h.place.Now, Place: h.place}
	if cmd.Addon == "" {
		to, err := c.must(cmd.Plan)
		if err != nil {
			return Preview{}, err
		}
		if p.Over, err = s.overQuota(ctx, h.with(to)); err != nil {
			return Preview{}, err
		}
	}
	expires := s.now().Add(previewFor)
	if end := h.place.Until; end != nil && end.Add(-m.Offset).Before(expires) {
		expires = end.Add(-m.Offset)
	}
	var digest token.Digest
	p.Token, digest = token.New(previewPrefix)
	p.ExpiresAt = expires
	return p, s.store.insertPreview(ctx, previewDoc{
		ID: hex(digest), Subject: cmd.Subject, Version: version, Zone: zone, Deal: d, ExpiresAt: expires, KeepUntil: expires.Add(checkoutFor),
	})
}

func (s *Service) deal(ctx context.Context, h *held, cmd PreviewCmd) (Deal, error) {
	if h.place.Status == Suspended {
		return Deal{}, ErrState
	}
	if cmd.Addon != "" {
		a, ok := h.c.addons[cmd.Addon]
		if !ok {
			return Deal{}, ErrAddon.On("input.addon")
		}
		return h.place.addon(a, cmd.Quantity)
	}
	to, ok := h.c.plan(cmd.Plan)
	ok = ok && to.DeletedAt == nil
	admin := s.authz.Require(ctx, PermWrite, cmd.Subject) == nil
	mine := to.ID == h.m.Plan
	if !ok || !mine && !to.Current || !admin && !mine && (to.Hidden || !to.seenBy(cmd.Subject)) {
		return Deal{}, ErrUnknown.On("input.plan")
	}
	if to.Closed && !admin && !mine {
		return Deal{}, ErrUnknown.Saying("this plan takes nobody new").On("input.plan")
	}
	var coupon *Coupon
	if cmd.Coupon != "" {
		c, ok := h.c.coupons[strings.ToLower(strings.TrimSpace(cmd.Coupon))]
		if !ok {
			return Deal{}, ErrCoupon.On("input.coupon")
		}
		coupon = &c
	}
	o, err := toOffer(to, cmd.Price, cmd.Mode, coupon)
	if err != nil {
		return Deal{}, err
	}
	return h.place.change(o, s.cfg.Surcharge)
}

// Change takes a preview up: what it said happens, and nothing else is charged. Where somebody has to pay first, the outcome says
// where; the change comes with the payment. Taking the same preview up again has the same outcome and charges nothing twice. The
// event plan.membership.changed, .started, .resumed, .change_scheduled or plan.addon.bought commits with it. Cost: 2 reads, and
// with something to pay 2 transactions around the call of the provider, else 1.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, PREVIEW_EXPIRED, PLAN_STALE, PLAN_BUSY, PAYMENT_DECLINED,
// PAYMENT_UNREACHABLE, COUPON_INVALID, OUTCOME_UNKNOWN.
func (s *Service) Change(ctx context.Context, previewToken string) (Outcome, error) {
	digest, ok := token.Parse(previewPrefix, previewToken)
	if !ok {
		return Outcome{}, ErrPreview
	}
	p, found, err := s.store.preview(ctx, hex(digest))
	if err != nil || !found {
		return Outcome{}, orElse(err, ErrPreview)
	}
	if err := s.require(ctx, p.Subject, PermWrite); err != nil {
		return Outcome{}, err
	}
	m, err := s.membership(ctx, p.Subject)
	if err != nil {
		return Outcome{}, err
	}
	key := "change:" + p.ID
	switch {
	case m.Settled == key:
		place, err := s.place(ctx, m)
		return Outcome{Place: place}, err
	case m.Intent != nil && m.Intent.Key == key:
		return s.charge(ctx, m.Subject, *m.Intent)
	case !s.now().Before(p.ExpiresAt):
		return Outcome{}, ErrPreview
	}
	if m.Intent != nil && m.Version >= p.Version { // another deal is under way; a checkout nobody has paid gives way
		before := m.Version
		if m, err = s.unclaim(ctx, m); err != nil {
			return Outcome{}, err
		}
		if p.Version == before {
			p.Version = m.Version
		}
	}
	if m.Version != p.Version {
		return Outcome{}, ErrStale
	}
	if m.Version == 0 {
		m.ID = ref.NewID()
	}
	m.Zone = p.Zone
	return s.strike(ctx, m, p.Deal, key, false)
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func hex(d token.Digest) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 2*len(d))
	for _, c := range d {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return string(b)
}

// CancelCmd asks to end what is paid.
type CancelCmd struct {
	Subject ref.Ref
	Now     bool // with nothing given back; else at the end of the period
}

// CancelMembership ends what is paid, or the trial, at the end of its period or at once: then the default plan applies. What is used
// stays. Another's needs plan.membership.write. The event plan.membership.canceled commits with it. Cost: 2 reads, 2 writes, 1
// commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, MEMBERSHIP_STATE when there is nothing to end, PLAN_BUSY.
func (s *Service) CancelMembership(ctx context.Context, c CancelCmd) (Place, error) {
	if err := s.require(ctx, c.Subject, PermWrite); err != nil {
		return Place{}, err
	}
	return s.alterOwn(ctx, c.Subject, func(ctx context.Context, m Membership, now time.Time) error {
		p, err := s.place(ctx, m)
		if err != nil {
			return err
		}
		next := m
		next.Next = nil
		switch {
		case !slices.Contains([]Status{Trialing, Active, PastDue, Canceled}, p.Status) || m.Until == nil:
			return ErrState
		case c.Now || p.Status == PastDue:
			next.CancelAt = &now
		case p.Status == Canceled:
			return ErrState
		default:
			next.CancelAt = m.Until
		}
		_, err = s.save(ctx, m, next, kindCanceled, now)
		return err
	})
}

// alterOwn is alter for who has a membership; a checkout nobody has paid gives way to it.
func (s *Service) alterOwn(ctx context.Context, subject ref.Ref, do func(ctx context.Context, m Membership, now time.Time) error) (Place, error) {
	m, found, err := s.store.membership(ctx, subject)
	if err != nil {
		return Place{}, err
	}
	if found && m.Intent != nil {
		if _, err := s.unclaim(ctx, m); err != nil {
			return Place{}, err
		}
	}
	return s.alter(ctx, subject, do)
}

// Resume takes a cancellation or a change that was put off back, before it has come. Nothing is charged, and the periods are what
// they were. Another's needs plan.membership.write. The event plan.membership.resumed commits with it.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, MEMBERSHIP_STATE when there is nothing to take back, PLAN_BUSY.
func (s *Service) Resume(ctx context.Context, subject ref.Ref) (Place, error) {
	if err := s.require(ctx, subject, PermWrite); err != nil {
		return Place{}, err
	}
	return s.alterOwn(ctx, subject, func(ctx context.Context, m Membership, now time.Time) error {
		coming := m.CancelAt != nil && now.Before(*m.CancelAt) || m.Next != nil && now.Before(m.Next.At)
		if !coming || m.Paused != nil {
			return ErrState
		}
		next := m
		next.CancelAt, next.Next = nil, nil
		_, err := s.save(ctx, m, next, "plan.membership.resumed", now)
		return err
	})
}

// EndAddon lets an add-on that renews end with the period. Another's needs plan.membership.write. The event plan.addon.ended commits
// with it.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, ADDON_UNAVAILABLE, PLAN_BUSY.
func (s *Service) EndAddon(ctx context.Context, subject ref.Ref, id string) (Place, error) {
	if err := s.require(ctx, subject, PermWrite); err != nil {
		return Place{}, err
	}
	return s.alterOwn(ctx, subject, func(ctx context.Context, m Membership, now time.Time) error {
		next := m
		next.Extras = slices.Clone(m.Extras)
		i := slices.IndexFunc(next.Extras, func(e Extra) bool { return e.ID == id && e.Until == nil && !e.Ending })
		if i < 0 {
			return ErrAddon
		}
		next.Extras[i].Ending = true
		_, err := s.save(ctx, m, next, "plan.addon.ended", now)
		return err
	})
}

// Pause puts a membership on hold: the default plan applies and nothing is charged. Needs plan.membership.write. The event
// plan.membership.paused commits with it.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT without a reason, MEMBERSHIP_STATE, PLAN_BUSY.
func (s *Service) Pause(ctx context.Context, subject ref.Ref, reason string) (Place, error) {
	if strings.TrimSpace(reason) == "" || len(reason) > 1000 {
		return Place{}, fault.ErrInput.Saying("a reason of 1 to 1000 bytes is needed").On("input.reason")
	}
	return s.administer(ctx, subject, func(ctx context.Context, m Membership, now time.Time) error {
		p, err := s.place(ctx, m)
		if err != nil {
			return err
		}
		if m.Paused != nil || p.Status == PastDue { // the time to pay would go on
			return ErrState
		}
		next := m
		next.Paused = &Pause{At: now, Reason: reason, By: by(ctx)}
		_, err = s.save(ctx, m, next, "plan.membership.paused", now)
		return err
	})
}

// Unpause ends the hold. The time it took is added to what was paid: all that was still to come comes so much later. Needs
// plan.membership.write. The event plan.membership.unpaused commits with it.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, MEMBERSHIP_STATE.
func (s *Service) Unpause(ctx context.Context, subject ref.Ref) (Place, error) {
	return s.administer(ctx, subject, func(ctx context.Context, m Membership, now time.Time) error {
		if m.Paused == nil {
			return ErrState
		}
		next, lost := m, now.Sub(m.Paused.At)
		later := func(t *time.Time) *time.Time {
			if t == nil || t.Before(m.Paused.At) {
				return t
			}
			return new(t.Add(lost))
		}
		if m.Until != nil && m.Until.After(m.Paused.At) {
			next.Anchor, next.From = m.Anchor.Add(lost), m.From.Add(lost)
		}
		next.Until, next.CancelAt = later(m.Until), later(m.CancelAt)
		if m.Next != nil {
			next.Next = &Next{Plan: m.Next.Plan, Price: m.Next.Price, At: *later(&m.Next.At)}
		}
		next.Paused = nil
		_, err := s.save(ctx, m, next, "plan.membership.unpaused", now)
		return err
	})
}

// OverrideCmd asks to give a subject more or less of a feature than its plan.
type OverrideCmd struct {
	Subject   ref.Ref
	Rule      Rule
	ExpiresAt *time.Time // nil for never
	Reason    string
	Clear     bool // take the override back instead
}

// Override gives a subject more or less of a feature than its plan, until a time. Needs plan.membership.write. The event
// plan.entitlement.overridden commits with it.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, FEATURE_UNKNOWN, BAD_USER_INPUT, PLAN_BUSY.
func (s *Service) Override(ctx context.Context, c OverrideCmd) (Place, error) {
	cat, err := s.catalogue(ctx)
	if err != nil {
		return Place{}, err
	}
	f, known := cat.features[c.Rule.Feature]
	switch {
	case !known:
		return Place{}, ErrUnlimited
	case strings.TrimSpace(c.Reason) == "" || len(c.Reason) > 1000:
		return Place{}, fault.ErrInput.Saying("a reason of 1 to 1000 bytes is needed").On("input.reason")
	}
	c.Rule.normalize()
	if err := c.Rule.check("override", f); err != nil {
		return Place{}, err
	}
	return s.administer(ctx, c.Subject, func(ctx context.Context, m Membership, now time.Time) error {
		if c.ExpiresAt != nil && !c.ExpiresAt.After(now) {
			return fault.ErrInput.Saying("it must end in the future").On("input.expiresAt")
		}
		next := m
		next.Overrides = slices.DeleteFunc(slices.Clone(m.Overrides), func(o Override) bool { return o.Feature == c.Rule.Feature })
		o := Override{Rule: c.Rule, ExpiresAt: c.ExpiresAt, Reason: c.Reason, By: by(ctx)}
		if !c.Clear {
			next.Overrides = append(next.Overrides, o)
		}
		if err := s.events.Append(ctx, "plan.entitlement.overridden", m.Ref(), overrideFact{m.Subject, o, c.Clear}); err != nil {
			return err
		}
		_, err := s.save(ctx, m, next, "", now)
		return err
	})
}

type overrideFact struct {
	Subject  ref.Ref  `bson:"subject"`
	Override Override `bson:"override"`
	Cleared  bool     `bson:"cleared,omitempty"`
}
