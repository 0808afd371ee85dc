package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/label"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
)

// Permissions of this package.
const (
	PermRead           = "plan.membership.read"  // see other subjects' memberships, usage and ledgers
	PermWrite          = "plan.membership.write" // change other subjects' memberships
	PermCatalogueWrite = "plan.catalogue.write"  // edit the catalogue
	PermUsageWrite     = "plan.usage.write"      // count the usage of any subject, as a service of the product does
	PermClock          = "plan.clock.advance"    // move a membership's clock; only in development
)

// Permissions describes them for the catalogue of permissions.
func Permissions() map[string]string {
	return map[string]string{
		PermRead:           "see the plan, the usage and the ledger of others",
		PermWrite:          "move others to another plan, pause them, refund them and give them more than their plan",
		PermCatalogueWrite: "edit the plans, their prices, features and roles, the add-ons and the coupons",
		PermUsageWrite:     "count usage of others",
		PermClock:          "move the clock of a membership, in development",
	}
}

// Kind is what a feature is.
type Kind string

// The kinds of features.
const (
	Boolean Kind = "BOOLEAN" // a plan has it or not
	Static  Kind = "STATIC"  // a plan sets a text, or a number that each use must stay within
	Counted Kind = "COUNTED" // as many at once, such as documents: counted up and down
	Metered Kind = "METERED" // as many in a period, such as calls: counted up, and from 0 in the next one
)

// Feature is something plans differ in.
type Feature struct {
	Key         string `bson:"_id" yaml:"key"`
	Kind        Kind   `bson:"kind" yaml:"kind"`
	Name        string `bson:"name" yaml:"name"`
	Unit        string `bson:"unit,omitempty" yaml:"unit,omitempty"` // of its numbers, such as "bytes"; empty for pieces
	Description string `bson:"description,omitempty" yaml:"description,omitempty"`
	// Open is a feature of the code that is not refused to those whose plans say nothing of it: it came after them, say.
	Open bool `bson:"-" yaml:"-"`
}

// OnOver is what happens above a limit.
type OnOver string

// The policies. Nothing is ever deleted.
const (
	Block    OnOver = "BLOCK_NEW"  // nothing is added; the default
	ReadOnly OnOver = "READ_ONLY"  // nothing is added or changed
	Bill     OnOver = "ALLOW_BILL" // it goes on, and what is above is billed where the price says how much: a soft limit
)

// Reset is when a metered feature counts from 0 again.
type Reset string

// The resets.
const (
	EachPeriod Reset = "PERIOD"         // with the billing period, a month for who pays nothing; the default
	EachMonth  Reset = "CALENDAR_MONTH" // on the first of the month, in the membership's time zone
	Never      Reset = "NEVER"
)

// Rule is what a plan says of one feature.
type Rule struct {
	Feature  string `bson:"feature" yaml:"feature"`
	On       bool   `bson:"on,omitempty" yaml:"on,omitempty"`             // of a BOOLEAN
	Value    string `bson:"value,omitempty" yaml:"value,omitempty"`       // of a STATIC that is a text
	Limit    *int64 `bson:"limit" yaml:"limit,omitempty"`                 // of the others; nil for any number
	OnOver   OnOver `bson:"onOver,omitempty" yaml:"onOver,omitempty"`     // empty for BLOCK_NEW
	Reset    Reset  `bson:"reset,omitempty" yaml:"reset,omitempty"`       // of a METERED; empty for PERIOD
	Rollover int64  `bson:"rollover,omitempty" yaml:"rollover,omitempty"` // how much of what is left at most goes into the next period
}

func (r Rule) equal(o Rule) bool {
	a, b := r, o
	a.Limit, b.Limit = nil, nil
	return a == b && (r.Limit == nil) == (o.Limit == nil) && (r.Limit == nil || *r.Limit == *o.Limit)
}

// soft reports whether use goes on above the limit.
func (r Rule) soft() bool { return r.OnOver == Bill }

// Overage is the price of each unit above a soft limit.
type Overage struct {
	Feature     string `bson:"feature" yaml:"feature"`
	AmountMinor int64  `bson:"amountMinor" yaml:"amountMinor"`
}

// Price is what a plan costs in one currency for one length of period.
type Price struct {
	Currency    string    `bson:"currency" yaml:"currency"`
	AmountMinor int64     `bson:"amountMinor" yaml:"amountMinor"` // for a period
	Every       Every     `bson:"every" yaml:"every"`
	Overages    []Overage `bson:"overages,omitempty" yaml:"overages,omitempty"`
}

// Key names a price within its plan, such as "eur-1-month".
func (p Price) Key() string {
	return strings.ToLower(fmt.Sprintf("%s-%d-%s", p.Currency, p.Every.N, p.Every.Unit))
}

func (p Price) equal(o Price) bool {
	return p.Currency == o.Currency && p.AmountMinor == o.AmountMinor && p.Every == o.Every && slices.Equal(p.Overages, o.Overages)
}

// Plan is one version of a level of the product. Its terms never change once it is there: other terms are another version,
// and whoever has this one keeps it until they move. What the shop window shows may change.
type Plan struct {
	ID      string `bson:"_id"`
	Key     string `bson:"key"`     // of the family: all versions of one level
	Version int    `bson:"version"` // from 1
	Current bool   `bson:"current,omitempty"`
	// A deleted version is on no list, but stays for whoever was about to come to it.
	DeletedAt *time.Time `bson:"deletedAt,omitempty"`

	Window `bson:",inline"`
	Terms  `bson:",inline"`
}

// Window is what the shop window shows of a plan.
type Window struct {
	Name        string   `bson:"name"`
	Description string   `bson:"description,omitempty"`
	Rank        int      `bson:"rank"`                // a higher rank is more
	Default     bool     `bson:"default,omitempty"`   // exactly one plan: a partial unique index on true
	Hidden      bool     `bson:"hidden,omitempty"`    // not shown to others than its members
	Closed      bool     `bson:"closed,omitempty"`    // nobody new may come; members stay and renew
	OnlyFor     *ref.Ref `bson:"onlyFor,omitempty"`   // nobody else sees it
	TrialDays   int      `bson:"trialDays,omitempty"` // once for each subject and family
}

// Terms is what a member has and pays.
type Terms struct {
	GraceDays int     `bson:"graceDays,omitempty"` // access after a period that nobody paid
	Role      string  `bson:"role,omitempty"`      // id of the role a member holds; empty for none
	Prices    []Price `bson:"prices"`              // none for a plan that costs nothing
	Features  []Rule  `bson:"features"`
}

func (t Terms) equal(o Terms) bool {
	return t.GraceDays == o.GraceDays && t.Role == o.Role &&
		slices.EqualFunc(t.Prices, o.Prices, Price.equal) && slices.EqualFunc(t.Features, o.Features, Rule.equal)
}

func (w Window) equal(o Window) bool {
	a, b := w, o
	a.OnlyFor, b.OnlyFor = nil, nil
	return a == b && (w.OnlyFor == nil) == (o.OnlyFor == nil) && (w.OnlyFor == nil || *w.OnlyFor == *o.OnlyFor)
}

// Ref is the plan as a reference.
func (p Plan) Ref() ref.Ref { return ref.New(ref.Plan, p.ID) }

// free reports whether the plan costs nothing.
func (p Plan) free() bool { return len(p.Prices) == 0 }

// price is the price of that key.
func (p Plan) price(key string) (Price, bool) {
	i := slices.IndexFunc(p.Prices, func(x Price) bool { return x.Key() == key })
	if i < 0 {
		return Price{}, false
	}
	return p.Prices[i], true
}

// rule is what the plan says of a feature.
func (p Plan) rule(feature string) (Rule, bool) {
	i := slices.IndexFunc(p.Features, func(r Rule) bool { return r.Feature == feature })
	if i < 0 {
		return Rule{}, false
	}
	return p.Features[i], true
}

// seenBy reports whether a subject may know of the plan.
func (p Plan) seenBy(subject ref.Ref) bool { return p.OnlyFor == nil || *p.OnlyFor == subject }

// Give is how much more of a feature an add-on gives.
type Give struct {
	Feature string `bson:"feature" yaml:"feature"`
	Amount  int64  `bson:"amount" yaml:"amount"`
}

// Addon is more of some features, for money: with each period, or once as a top-up.
type Addon struct {
	Key       string  `bson:"_id" yaml:"key"`
	Name      string  `bson:"name" yaml:"name"`
	Recurring bool    `bson:"recurring,omitempty" yaml:"recurring,omitempty"` // paid and given with each period; else once
	Days      int     `bson:"days,omitempty" yaml:"days,omitempty"`           // how long a top-up lasts; 0 for the rest of the period
	Closed    bool    `bson:"closed,omitempty" yaml:"closed,omitempty"`       // nobody may buy it any more
	Gives     []Give  `bson:"gives" yaml:"gives"`
	Prices    []Price `bson:"prices" yaml:"prices"` // of a top-up the length of period means nothing
}

// price is what one of it costs with a period of that length in that currency.
func (a Addon) price(currency string, every Every) (Price, bool) {
	i := slices.IndexFunc(a.Prices, func(p Price) bool { return p.Currency == currency && (!a.Recurring || p.Every == every) })
	if i < 0 {
		return Price{}, false
	}
	return a.Prices[i], true
}

// Coupon takes something off.
type Coupon struct {
	Key       string          `bson:"_id" yaml:"key"` // what people type, in lower case
	Name      string          `bson:"name" yaml:"name"`
	Percent   int             `bson:"percent,omitempty" yaml:"percent,omitempty"` // 1 to 100, or else
	Off       []payment.Money `bson:"off,omitempty" yaml:"off,omitempty"`         // an amount for each currency
	Periods   int             `bson:"periods,omitempty" yaml:"periods,omitempty"` // how many it is good for; 0 for all
	Most      int64           `bson:"most,omitempty" yaml:"most,omitempty"`       // how often it may be redeemed by all; 0 for any number
	Until     *time.Time      `bson:"until,omitempty" yaml:"until,omitempty"`     // to be redeemed before
	Plans     []string        `bson:"plans,omitempty" yaml:"plans,omitempty"`     // families it is for; empty for all
	Redeemed  int64           `bson:"redeemed" yaml:"-"`
	CreatedAt time.Time       `bson:"createdAt" yaml:"-"`
}

// byRank is the order of the catalogue: by rank, then by family, the newest version first.
func byRank(a, b Plan) int {
	return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Key, b.Key), cmp.Compare(b.Version, a.Version))
}

// The bounds of a catalogue.
const (
	maxFeatures = 200
	maxPrices   = 50
	maxAmount   = 1_000_000_000_000 // minor units: products with a number of units stay far below 2^63
	maxDays     = 3650
)

// check refuses a feature that can't be.
func (f Feature) check() error {
	if !ref.IsKey(f.Key) {
		return badKey("feature", f.Key)
	}
	if _, err := label.Check(f.Name, 100); err != nil {
		return bad("feature "+f.Key, "the name must have 1 to 100 characters that can be seen")
	}
	if !slices.Contains([]Kind{Boolean, Static, Counted, Metered}, f.Kind) {
		return bad("feature "+f.Key, "the kind is BOOLEAN, STATIC, COUNTED or METERED")
	}
	return nil
}

func badKey(what, key string) error {
	return fault.ErrInput.Saying("%s %q: a key is 2 to 64 of a-z, 0-9, dot, dash and underscore", what, key)
}

func bad(what, format string, args ...any) error {
	return fault.ErrInput.Saying("%s: %s", what, fmt.Sprintf(format, args...))
}

// check refuses a plan that can't be, given the features there are.
func (p Plan) check(features map[string]Feature) error {
	what := "plan " + p.Key
	if !ref.IsKey(p.Key) {
		return badKey("plan", p.Key)
	}
	if _, err := label.Check(p.Name, 100); err != nil {
		return bad(what, "the name must have 1 to 100 characters that can be seen")
	}
	switch {
	case p.TrialDays < 0 || p.TrialDays > maxDays || p.GraceDays < 0 || p.GraceDays > maxDays:
		return bad(what, "trial and grace are 0 to %d days", maxDays)
	case p.Default && (!p.free() || p.Hidden || p.Closed || p.OnlyFor != nil):
		return bad(what, "the default plan costs nothing and is for everybody")
	case len(p.Features) > maxFeatures || len(p.Prices) > maxPrices:
		return bad(what, "at most %d features and %d prices", maxFeatures, maxPrices)
	}
	if err := checkPrices(what, p.Prices, features); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, r := range p.Features {
		if seen[r.Feature] {
			return bad(what, "the feature %s is there twice", r.Feature)
		}
		seen[r.Feature] = true
		f, known := features[r.Feature]
		if !known {
			return bad(what, "there is no feature %s", r.Feature)
		}
		if err := r.check(what, f); err != nil {
			return err
		}
	}
	return nil
}

func checkPrices(what string, prices []Price, features map[string]Feature) error {
	seen := map[string]bool{}
	for _, p := range prices {
		switch {
		case !payment.IsCurrency(p.Currency) || p.AmountMinor < 0 || p.AmountMinor > maxAmount:
			return bad(what, "a price is an amount of 0 to 10^12 and a currency of three capital letters")
		case !p.Every.ok():
			return bad(what, "a period is 1 to %d DAY, 1 to %d MONTH or 1 to %d YEAR", maxDays, maxDays/30, maxDays/365)
		case seen[p.Key()]:
			return bad(what, "the price %s is there twice", p.Key())
		}
		seen[p.Key()] = true
		for _, o := range p.Overages {
			if f := features[o.Feature]; f.Kind != Metered && f.Kind != Counted || o.AmountMinor < 0 || o.AmountMinor > maxAmount {
				return bad(what, "the overage of %s is an amount of 0 or more of a feature that is counted or metered", o.Feature)
			}
		}
	}
	return nil
}

func (r Rule) check(what string, f Feature) error {
	what += ", feature " + f.Key
	countable := f.Kind == Counted || f.Kind == Metered
	switch {
	case f.Kind == Boolean && (r.Value != "" || r.Limit != nil), f.Kind != Boolean && r.On:
		return bad(what, "on is for a feature that is BOOLEAN, and a value or a limit is not")
	case r.Value != "" && (f.Kind != Static || r.Limit != nil || len(r.Value) > 1000):
		return bad(what, "a value is for a feature that is STATIC, instead of a limit, and has at most 1000 bytes")
	case r.Limit != nil && (*r.Limit < 0 || *r.Limit > maxAmount):
		return bad(what, "a limit is 0 to 10^12")
	case !countable && r.OnOver != "" || !slices.Contains([]OnOver{"", Block, ReadOnly, Bill}, r.OnOver):
		return bad(what, "onOver is BLOCK_NEW, READ_ONLY or ALLOW_BILL, of a feature that is counted or metered")
	case f.Kind != Metered && (r.Reset != "" || r.Rollover != 0), !slices.Contains([]Reset{"", EachPeriod, EachMonth, Never}, r.Reset):
		return bad(what, "reset is PERIOD, CALENDAR_MONTH or NEVER, and like rollover for a feature that is metered")
	case r.Rollover < 0 || r.Rollover > maxAmount || r.Rollover > 0 && (r.Limit == nil || r.Reset == Never):
		return bad(what, "rollover is 0 or more, of a limit that is reset")
	}
	return nil
}

func (a Addon) check(features map[string]Feature) error {
	what := "add-on " + a.Key
	if !ref.IsKey(a.Key) {
		return badKey("add-on", a.Key)
	}
	if _, err := label.Check(a.Name, 100); err != nil || len(a.Gives) == 0 || len(a.Prices) == 0 || len(a.Prices) > maxPrices {
		return bad(what, "it has a name, gives something and has a price")
	}
	if a.Days < 0 || a.Days > maxDays || a.Recurring && a.Days > 0 {
		return bad(what, "the days of a top-up are 0 to %d", maxDays)
	}
	for _, g := range a.Gives {
		if f := features[g.Feature]; f.Kind != Counted && f.Kind != Metered || g.Amount < 1 || g.Amount > maxAmount {
			return bad(what, "it gives 1 or more of a feature that is counted or metered, not of %s", g.Feature)
		}
	}
	return checkPrices(what, a.Prices, features)
}

func (c Coupon) check() error {
	what := "coupon " + c.Key
	if !ref.IsKey(c.Key) {
		return badKey("coupon", c.Key)
	}
	if _, err := label.Check(c.Name, 100); err != nil {
		return bad(what, "the name must have 1 to 100 characters that can be seen")
	}
	if (c.Percent == 0) == (len(c.Off) == 0) || c.Percent < 0 || c.Percent > 100 || c.Periods < 0 || c.Most < 0 {
		return bad(what, "it takes either 1 to 100 percent off or amounts, for 0 or more periods and redemptions")
	}
	for _, m := range c.Off {
		if !payment.IsCurrency(m.Currency) || m.AmountMinor < 1 || m.AmountMinor > maxAmount {
			return bad(what, "an amount is 1 or more in a currency of three capital letters")
		}
	}
	return nil
}
