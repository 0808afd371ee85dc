package plan

import (
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
)

// Membership is a subject's place in the catalogue; one for each subject. What it says of the future holds unless somebody
// does something: see [Membership.spans]. All times are those of the membership's own clock, which only in development differs
// from the real one.
type Membership struct {
	ID      string  `bson:"_id"`
	Subject ref.Ref `bson:"subject"` // unique
	Version int64   `bson:"v"`       // starts at 1, +1 on each change
	Zone    string  `bson:"zone,omitempty"`

	Contract `bson:",inline"`

	Paused    *Pause        `bson:"paused,omitempty"`
	Overrides []Override    `bson:"overrides,omitempty"`
	Balance   payment.Money `bson:"balance"` // what the subject owes; below 0 what it has to its credit. The sum of its ledger
	Intent    *Intent       `bson:"intent,omitempty"`
	Dunning   *Dunning      `bson:"dunning,omitempty"`
	Offset    time.Duration `bson:"offset,omitempty"`  // how far its clock is ahead
	ToldUntil time.Time     `bson:"toldUntil"`         // what comes by the clock alone is in the log up to here
	DueAt     *time.Time    `bson:"dueAt,omitempty"`   // by the real clock: when a job has to look at it
	Over      []string      `bson:"over,omitempty"`    // features that were told to be above their limit
	Settled   string        `bson:"settled,omitempty"` // key of the last deal that was carried out
}

// Contract is what was agreed and paid.
type Contract struct {
	Plan     string     `bson:"plan"` // id
	Price    string     `bson:"price,omitempty"`
	Since    time.Time  `bson:"since"`           // on this plan
	Anchor   time.Time  `bson:"anchor"`          // begin of the first period
	From     time.Time  `bson:"from"`            // of the period that is paid, or on trial
	Until    *time.Time `bson:"until,omitempty"` // its end; nil for a plan that costs nothing
	Trial    bool       `bson:"trial,omitempty"` // the period is the trial
	Tried    []string   `bson:"tried,omitempty"` // families whose trial was used
	CancelAt *time.Time `bson:"cancelAt,omitempty"`
	Next     *Next      `bson:"next,omitempty"`
	Extras   []Extra    `bson:"extras,omitempty"`
	Coupon   *Applied   `bson:"coupon,omitempty"`
	Off      *Applied   `bson:"off,omitempty"` // the coupon as it applies to the present period
}

// Next is a change that was put off.
type Next struct {
	Plan  string    `bson:"plan"` // id
	Price string    `bson:"price,omitempty"`
	At    time.Time `bson:"at"`
}

// Pause is when and why an administrator has put a membership on hold.
type Pause struct {
	At     time.Time `bson:"at"`
	Reason string    `bson:"reason"`
	By     ref.Ref   `bson:"by"`
}

// Override is more or less of a feature than the plan gives, by an administrator.
type Override struct {
	Rule      `bson:",inline"`
	ExpiresAt *time.Time `bson:"expiresAt,omitempty"` // nil for never
	Reason    string     `bson:"reason"`
	By        ref.Ref    `bson:"by"`
}

// Extra is an add-on that was bought, as it was at that time.
type Extra struct {
	ID       string     `bson:"id"`
	Addon    string     `bson:"addon"`
	Name     string     `bson:"name"`
	Quantity int64      `bson:"quantity"`
	Gives    []Give     `bson:"gives"` // of each
	Price    Price      `bson:"price"` // of each
	Since    time.Time  `bson:"since"`
	Until    *time.Time `bson:"until,omitempty"`  // of a top-up; nil for one that renews
	Ending   bool       `bson:"ending,omitempty"` // it does not renew any more
}

// Applied is a coupon that was redeemed.
type Applied struct {
	Key     string          `bson:"key"`
	Percent int             `bson:"percent,omitempty"`
	Off     []payment.Money `bson:"off,omitempty"`
	Left    int             `bson:"left"` // periods it is still good for; below 0 for all
}

// cut is what it takes off an amount: never more than all of it.
func (a *Applied) cut(amount int64, currency string) int64 {
	if a == nil {
		return 0
	}
	if a.Percent > 0 {
		return percent(amount, a.Percent)
	}
	for _, m := range a.Off {
		if m.Currency == currency {
			return min(m.AmountMinor, amount)
		}
	}
	return 0
}

// Ref is the membership as a reference.
func (m Membership) Ref() ref.Ref { return ref.New(ref.Membership, m.ID) }

// source is what the membership's roles are granted on behalf of.
func (m Membership) source() string { return "plan:" + m.ID }

func (m Membership) zone() *time.Location { return zoneOf(m.Zone) }

// Status is where a membership stands in its life.
type Status string

// The states. Which one a membership is in follows from the clock alone.
const (
	Trialing  Status = "TRIALING"
	Active    Status = "ACTIVE"
	PastDue   Status = "PAST_DUE"  // the period is over and nobody has paid for the next; access for as long as the grace
	Canceled  Status = "CANCELED"  // access to the end of what was paid
	Expired   Status = "EXPIRED"   // the default plan applies
	Suspended Status = "SUSPENDED" // by an administrator; the default plan applies
)

// Span is a time in which a membership stays the same.
type Span struct {
	Plan   Plan   // that applies
	Price  string // key; empty for nothing
	Status Status
	From   time.Time
	Until  *time.Time // nil for ever
}

// holds reports whether t is in the span: From <= t < Until.
func (s Span) holds(t time.Time) bool {
	return !t.Before(s.From) && (s.Until == nil || t.Before(*s.Until))
}

// spans is the life of a membership from its present period on, if nobody does anything: no payment, no change, no job. It
// is the one place where states are told; entitlements, the role grants, what jobs tell and what people see follow from it.
func (m Membership) spans(c *catalogue) ([]Span, error) {
	def, err := c.defaultPlan()
	if err != nil {
		return nil, err
	}
	cur, err := c.must(m.Plan)
	if err != nil {
		return nil, err
	}
	add := func(all []Span, s Span, until *time.Time) []Span {
		if until != nil && !until.After(s.From) {
			return all
		}
		s.Until = until
		return append(all, s)
	}
	if m.Paused != nil {
		return []Span{{Plan: def, Status: Suspended, From: m.Paused.At}}, nil
	}
	held := Span{Plan: cur, Price: m.Price, Status: Active, From: m.From}
	if m.Trial {
		held.Status = Trialing
	}
	end := m.Until
	switch {
	case m.CancelAt != nil:
		held.Status, end = Canceled, m.CancelAt
		return add(add(nil, held, end), Span{Plan: def, Status: Expired, From: *end}, nil), nil
	case m.Next != nil:
		end = &m.Next.At
	}
	all := add(nil, held, end)
	if end == nil {
		return all, nil
	}
	due := Span{Plan: cur, Price: m.Price, Status: PastDue, From: *end}
	if m.Next != nil {
		if due.Plan, err = c.must(m.Next.Plan); err != nil {
			return nil, err
		}
		if due.Price = m.Next.Price; due.Plan.free() {
			due.Status = Active
			return add(all, due, nil), nil
		}
	}
	grace := m.graceEnd(*end, due.Plan)
	return add(add(all, due, &grace), Span{Plan: def, Status: Expired, From: grace}, nil), nil
}

// graceEnd is when access ends after a period that nobody pays for.
func (m Membership) graceEnd(end time.Time, p Plan) time.Time {
	if p.GraceDays == 0 {
		return end
	}
	return Every{p.GraceDays, Day}.bound(end, 1, m.zone())
}

// Place is a membership as of one instant.
type Place struct {
	Membership

	Now    time.Time // by its clock
	Plan   Plan      // that applies
	Price  string
	Status Status
	Until  *time.Time // when the next status comes, if nobody does anything; nil for never
	// From and To are the period that usage is counted in.
	From, To time.Time
}

// at is the membership as of an instant of its clock.
func (m Membership) at(c *catalogue, now time.Time) (Place, error) {
	spans, err := m.spans(c)
	if err != nil {
		return Place{}, err
	}
	i := slices.IndexFunc(spans, func(s Span) bool { return s.holds(now) })
	if i < 0 { // before all: a clock that runs behind the one that wrote it
		i = 0
	}
	s := spans[i]
	p := Place{Membership: m, Now: now, Plan: s.Plan, Price: s.Price, Status: s.Status, Until: s.Until}
	p.From, p.To = p.period(now)
	return p, nil
}

// period is the one of the place that holds t: the one that is paid, or else the one it would be.
func (p Place) period(t time.Time) (from, until time.Time) {
	m := p.Membership
	if m.Until != nil && !t.Before(m.From) && t.Before(*m.Until) {
		return m.From, *m.Until
	}
	every := monthly
	if price, ok := p.Plan.price(p.Price); ok {
		every = price.Every
	}
	return every.around(m.Anchor, t, m.zone())
}

// unwritten is the place of a subject that has no membership yet: on the default plan, at version 0, since ever.
func unwritten(subject ref.Ref, p Plan) Membership {
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // of all periods; any first of a month does
	return Membership{ID: subject.ID, Subject: subject, Contract: Contract{Plan: p.ID, Since: begin, Anchor: begin, From: begin}}
}

// roles is what the membership gives by role and when, by the real clock.
func (m Membership) roles(spans []Span) []RoleTime {
	var all []RoleTime
	real := func(t time.Time) *time.Time { return new(t.Add(-m.Offset)) }
	for i, s := range spans {
		r := RoleTime{Role: s.Plan.Role}
		if i > 0 {
			r.From = real(s.From)
		}
		if s.Until != nil {
			r.Until = real(*s.Until)
		}
		if n := len(all) - 1; i > 0 && n >= 0 && spans[i-1].Plan.Role == r.Role && r.Role != "" {
			all[n].Until = r.Until
			continue
		}
		if r.Role != "" {
			all = append(all, r)
		}
	}
	return all
}

// RoleTime is a role that a membership gives for a time: from nil for at once, until nil for ever. It has no name of its own, so
// that the package which grants can call it by its own word.
type RoleTime = struct {
	Role        string // id
	From, Until *time.Time
}
