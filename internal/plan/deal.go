package plan

import (
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// LineKind is what a line of an invoice is for.
type LineKind string

// The kinds of lines.
const (
	LineCharge    LineKind = "CHARGE"
	LineCredit    LineKind = "CREDIT" // for the rest of a period that is given up
	LineDiscount  LineKind = "DISCOUNT"
	LineSurcharge LineKind = "SURCHARGE"
	LineOverage   LineKind = "OVERAGE" // above a soft limit
)

// Line is one line of an invoice. Each amount was rounded once; the sum of an invoice is the sum of its lines.
type Line struct {
	Kind        LineKind   `bson:"kind"`
	Text        string     `bson:"text"`
	From        *time.Time `bson:"from,omitempty"`
	To          *time.Time `bson:"to,omitempty"`
	Quantity    int64      `bson:"quantity"`
	AmountMinor int64      `bson:"amountMinor"` // below 0 for what is taken off
}

// Mode is when a change comes.
type Mode string

// The modes.
const (
	Auto        Mode = ""           // what is more at once, everything else at the end of the period
	Now         Mode = "NOW"        // with the rest of the period made good
	AtPeriodEnd Mode = "PERIOD_END" // with nothing to pay before
)

// DealKind is what a deal is about.
type DealKind string

// The kinds of deals.
const (
	DealChange DealKind = "CHANGE" // of plan or price
	DealRenew  DealKind = "RENEW"
	DealAddon  DealKind = "ADDON"
)

// Deal is a change of a contract with what it costs. What it says is what happens: nothing is computed again later.
type Deal struct {
	Kind     DealKind  `bson:"kind"`
	After    Contract  `bson:"after"`
	Lines    []Line    `bson:"lines,omitempty"`
	NetMinor int64     `bson:"netMinor"` // sum of the lines
	DueMinor int64     `bson:"dueMinor"` // what is asked of the payment provider: the sum less what is to the subject's credit
	Currency string    `bson:"currency,omitempty"`
	At       time.Time `bson:"at"` // when it takes effect
	Coupon   string    `bson:"coupon,omitempty"`
	Billed   []string  `bson:"billed,omitempty"` // ids of the counters whose overage is in the lines
	Purpose  string    `bson:"purpose"`
}

// close sums the deal up against what the subject owes already.
func (d Deal) close(m Membership) (Deal, error) {
	d.NetMinor = 0
	for _, l := range d.Lines {
		d.NetMinor += l.AmountMinor
	}
	owed := m.Balance.AmountMinor
	if owed != 0 && d.Currency != "" && m.Balance.Currency != d.Currency {
		if d.NetMinor != 0 {
			return d, ErrCurrency.With("currency", m.Balance.Currency)
		}
		owed = 0
	}
	if len(d.Lines) > 0 {
		d.DueMinor = max(d.NetMinor+owed, 0)
	}
	return d, nil
}

// offer is what is chosen.
type offer struct {
	plan   Plan
	price  Price // zero for a plan that costs nothing
	mode   Mode
	coupon *Coupon
}

func (o offer) key() string {
	if o.plan.free() {
		return ""
	}
	return o.price.Key()
}

// toOffer finds the price: the only one there is need not be named.
func toOffer(p Plan, priceKey string, mode Mode, coupon *Coupon) (offer, error) {
	o := offer{plan: p, mode: mode, coupon: coupon}
	if priceKey == "" && len(p.Prices) == 1 {
		priceKey = p.Prices[0].Key()
	}
	if p.free() && priceKey == "" {
		return o, nil
	}
	price, ok := p.price(priceKey)
	if !ok {
		return o, ErrPrice.On("input.price")
	}
	o.price = price
	return o, nil
}

// change is the deal of choosing a plan in this place. It is pure.
//
//   - Who pays nothing, or has nothing any more, begins a first period now; on trial if the plan has one that was not used.
//   - On trial another paid plan comes at once and for nothing, and the trial keeps its end.
//   - What is more comes at once, what is less, or the same at another price, at the end of the period; the mode may say otherwise.
//     At once means: credit for the rest of what is held, charge for the same rest of what is chosen. The value of what is held is
//     its price, whatever was paid last (P4 of the domain study). Another length of period begins a new one.
func (p Place) change(o offer, surcharge int) (Deal, error) {
	m := p.Membership
	d := Deal{Kind: DealChange, After: m.Contract, Currency: o.price.Currency, At: p.Now, Purpose: o.plan.Name}
	d.After.Next, d.After.CancelAt = nil, nil
	running := m.Until != nil && slices.Contains([]Status{Trialing, Active, Canceled}, p.Status)
	if p.Plan.ID == o.plan.ID && p.Price == o.key() && (running || p.Status == Active) {
		if m.Next == nil && m.CancelAt == nil {
			return d, ErrSame
		}
		return d.close(m) // what was put off is called off
	}
	var err error
	if d.After.Coupon, err = o.redeem(p); err != nil {
		return d, err
	}
	if o.coupon != nil {
		d.Coupon = o.coupon.Key
	}
	held, _ := p.Plan.price(p.Price)
	if d.Currency == "" {
		d.Currency = held.Currency
	}
	mode := o.mode
	if mode == Auto {
		mode = AtPeriodEnd
		if o.plan.Rank > p.Plan.Rank || m.Trial && !o.plan.free() {
			mode = Now
		}
	}
	switch {
	case !running:
		d.start(p, o)
	case mode == AtPeriodEnd:
		if b := m.Balance; b.AmountMinor != 0 && o.price.Currency != "" && o.price.Currency != b.Currency {
			return d, ErrCurrency.With("currency", b.Currency) // it could not be paid when it comes
		}
		d.After.Next = &Next{Plan: o.plan.ID, Price: o.key(), At: *m.Until}
		d.At = *m.Until
	case m.Trial && !o.plan.free():
		d.After.Plan, d.After.Price, d.After.Since = o.plan.ID, o.key(), p.Now
		d.After.Tried = tried(d.After.Tried, o.plan.Key)
	default:
		d.move(p, o, held)
		if held.Currency != d.Currency && d.credits() != 0 {
			return d, ErrCurrency.With("currency", held.Currency)
		}
		d.surcharge(p, o, surcharge)
	}
	return d.close(m)
}

// redeem is the coupon of the contract after the change: the one that is given, or the one there is.
func (o offer) redeem(p Place) (*Applied, error) {
	c := o.coupon
	if c == nil {
		return p.Coupon, nil
	}
	known := p.Coupon != nil && p.Coupon.Key == c.Key
	if known || o.plan.free() || c.Until != nil && !p.Now.Before(*c.Until) || c.Most > 0 && c.Redeemed >= c.Most ||
		len(c.Plans) > 0 && !slices.Contains(c.Plans, o.plan.Key) {
		return nil, ErrCoupon.On("input.coupon")
	}
	left := c.Periods
	if left == 0 {
		left = -1
	}
	return &Applied{Key: c.Key, Percent: c.Percent, Off: c.Off, Left: left}, nil
}

func tried(have []string, key string) []string {
	if slices.Contains(have, key) {
		return have
	}
	return append(slices.Clone(have), key)
}

// start begins a first period.
func (d *Deal) start(p Place, o offer) {
	a := &d.After
	a.Plan, a.Price, a.Since, a.Anchor, a.From = o.plan.ID, o.key(), p.Now, p.Now, p.Now
	a.Until, a.Trial, a.Off = nil, false, nil
	a.Extras = topUps(a.Extras)
	if o.plan.free() {
		a.Coupon = nil
		return
	}
	if o.plan.TrialDays > 0 && !slices.Contains(a.Tried, o.plan.Key) {
		a.Trial, a.Tried = true, tried(a.Tried, o.plan.Key)
		a.Until = new(Every{o.plan.TrialDays, Day}.bound(p.Now, 1, p.zone()))
		return
	}
	a.Until = new(o.price.Every.bound(p.Now, 1, p.zone()))
	d.charge(o.plan, o.price)
}

// charge adds the lines of the period of the contract.
func (d *Deal) charge(p Plan, price Price) {
	a := &d.After
	line := func(kind LineKind, text string, n, amount int64) {
		d.Lines = append(d.Lines, Line{Kind: kind, Text: text, From: &a.From, To: a.Until, Quantity: n, AmountMinor: amount})
	}
	line(LineCharge, p.Name+", a "+price.Every.String(), 1, price.AmountMinor)
	a.Off = nil
	if a.Coupon != nil && a.Coupon.Left != 0 {
		if off := a.Coupon.cut(price.AmountMinor, price.Currency); off > 0 {
			line(LineDiscount, "Coupon "+a.Coupon.Key, 1, -off)
		}
		used := *a.Coupon
		a.Off = &used
		if used.Left > 0 {
			a.Coupon = &Applied{Key: used.Key, Percent: used.Percent, Off: used.Off, Left: used.Left - 1}
		}
	}
	for _, e := range a.Extras {
		if e.Until == nil {
			line(LineCharge, e.Name, e.Quantity, e.Price.AmountMinor*e.Quantity)
		}
	}
}

// topUps is the add-ons that do not renew.
func topUps(all []Extra) []Extra {
	return slices.DeleteFunc(slices.Clone(all), func(e Extra) bool { return e.Until == nil })
}

// move changes the plan within a period.
func (d *Deal) move(p Place, o offer, held Price) {
	m, a := p.Membership, &d.After
	rest, whole := m.Until.Sub(p.Now), m.Until.Sub(m.From)
	line := func(kind LineKind, text string, n, amount int64) {
		d.Lines = append(d.Lines, Line{Kind: kind, Text: text, From: &p.Now, To: m.Until, Quantity: n, AmountMinor: amount})
	}
	value := held.AmountMinor - m.Off.cut(held.AmountMinor, held.Currency)
	if !m.Trial {
		line(LineCredit, "Rest of "+p.Plan.Name, 1, -share(value, rest, whole))
	}
	a.Plan, a.Price, a.Since, a.Trial = o.plan.ID, o.key(), p.Now, false
	if !o.plan.free() && o.price.Every == held.Every && o.price.Currency == held.Currency {
		if o.coupon != nil {
			a.Off = a.Coupon
			if a.Coupon.Left > 0 {
				a.Coupon = &Applied{Key: a.Coupon.Key, Percent: a.Coupon.Percent, Off: a.Coupon.Off, Left: a.Coupon.Left - 1}
			}
		}
		chosen := o.price.AmountMinor - a.Off.cut(o.price.AmountMinor, o.price.Currency)
		line(LineCharge, o.plan.Name+" for the rest of the period", 1, share(chosen, rest, whole))
		return
	}
	if !m.Trial {
		for _, e := range a.Extras {
			if e.Until == nil {
				line(LineCredit, "Rest of "+e.Name, e.Quantity, -share(e.Price.AmountMinor*e.Quantity, rest, whole))
			}
		}
	}
	a.Anchor, a.From, a.Until, a.Extras, a.Off = p.Now, p.Now, nil, topUps(a.Extras), nil
	if o.plan.free() {
		a.Coupon = nil
		return
	}
	a.Until = new(o.price.Every.bound(p.Now, 1, p.zone()))
	d.charge(o.plan, o.price)
}

// credits is the sum of what is given back.
func (d *Deal) credits() (sum int64) {
	for _, l := range d.Lines {
		if l.Kind == LineCredit {
			sum += l.AmountMinor
		}
	}
	return sum
}

// surcharge adds what a change within a period costs by itself.
func (d *Deal) surcharge(p Place, o offer, hundredths int) {
	net := int64(0)
	for _, l := range d.Lines {
		net += l.AmountMinor
	}
	if hundredths > 0 && net > 0 && o.plan.Rank > p.Plan.Rank {
		d.Lines = append(d.Lines, Line{Kind: LineSurcharge, Text: "Change within a period", Quantity: 1, AmountMinor: percent(net, hundredths)})
	}
}

// renewal is the deal of the period after the present one: of the plan that was put off for then, or of the same. over is what was
// used above soft limits.
func (p Place) renewal(c *catalogue, over []Line) (Deal, error) {
	m := p.Membership
	d := Deal{Kind: DealRenew, After: m.Contract, At: *m.Until}
	a := &d.After
	before, err := c.must(m.Plan)
	if err != nil {
		return d, err
	}
	heldPrice, _ := before.price(m.Price)
	if m.Next != nil {
		a.Plan, a.Price, a.Since, a.Next = m.Next.Plan, m.Next.Price, m.Next.At, nil
	}
	plan, err := c.must(a.Plan)
	if err != nil {
		return d, err
	}
	d.Purpose = plan.Name
	price, paid := plan.price(a.Price)
	if !paid && !plan.free() {
		return d, fault.ErrInternal.Saying("the plan has lost its price")
	}
	d.Currency = price.Currency
	if d.Currency == "" {
		d.Currency = heldPrice.Currency
	}
	a.Extras = slices.DeleteFunc(slices.Clone(a.Extras), func(e Extra) bool {
		return e.Ending || e.Until != nil && !e.Until.After(*m.Until) || e.Until == nil && (e.Price.Every != price.Every || e.Price.Currency != price.Currency)
	})
	a.From = *m.Until
	if plan.free() {
		a.Until, a.Trial, a.Coupon, a.Off, a.Anchor = nil, false, nil, nil, a.From
		d.Lines = over
		return d.close(m)
	}
	if m.Trial || price.Every != heldPrice.Every {
		a.Anchor = a.From
	}
	_, end := price.Every.around(a.Anchor, a.From, p.zone())
	a.Until, a.Trial = &end, false
	d.charge(plan, price)
	d.Lines = append(d.Lines, over...)
	return d.close(m)
}

// addon is the deal of buying so many of an add-on: one that renews for the rest of the period, a top-up as a whole.
func (p Place) addon(a Addon, n int64) (Deal, error) {
	m := p.Membership
	d := Deal{Kind: DealAddon, After: m.Contract, At: p.Now, Purpose: a.Name}
	price, has := p.Plan.price(p.Price)
	every, currency := price.Every, price.Currency
	if !has && len(a.Prices) > 0 {
		currency = a.Prices[0].Currency // a top-up for who pays nothing else
	}
	cost, ok := a.price(currency, every)
	running := m.Until != nil && slices.Contains([]Status{Trialing, Active}, p.Status)
	if !ok || a.Closed || a.Recurring && !running || n < 1 || n > 1_000_000 || p.Status == Suspended {
		return d, ErrAddon.On("input.addon")
	}
	d.Currency = currency
	e := Extra{ID: ref.NewID(), Addon: a.Key, Name: a.Name, Quantity: n, Gives: a.Gives, Price: cost, Since: p.Now}
	line := Line{Kind: LineCharge, Text: a.Name, From: &p.Now, To: m.Until, Quantity: n, AmountMinor: cost.AmountMinor * n}
	switch {
	case !a.Recurring && a.Days > 0:
		e.Until = new(Every{a.Days, Day}.bound(p.Now, 1, p.zone()))
		line.To = e.Until
	case !a.Recurring:
		e.Until, line.To = &p.To, &p.To
	case m.Trial:
		line.AmountMinor = 0
	default:
		line.AmountMinor = share(line.AmountMinor, m.Until.Sub(p.Now), m.Until.Sub(m.From))
	}
	d.After.Extras = append(slices.Clone(d.After.Extras), e)
	d.Lines = []Line{line}
	return d.close(m)
}
