package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Permissions of this package.
const (
	PermWrite          = "plan.membership.write" // see other subjects' memberships and move them
	PermCatalogueWrite = "plan.catalogue.write"  // edit the catalogue
)

// Permissions describes them for the catalogue of permissions.
func Permissions() map[string]string {
	return map[string]string{
		PermWrite:          "see the plan and the usage of others, and move them to another plan",
		PermCatalogueWrite: "edit the plans, their limits and their roles",
	}
}

// Errors of plans.
var (
	ErrUnknown = fault.Define(fault.Invalid, "PLAN_UNKNOWN", "there is no such plan")
	ErrSame    = fault.Define(fault.Conflict, "PLAN_SAME", "the subject is already on this plan")
	ErrStale   = fault.Define(fault.Conflict, "PLAN_STALE", "the membership changed meanwhile; read it again")
	// ErrNoDefault: new subjects would have no plan.
	ErrNoDefault = fault.Define(fault.Invalid, "PLAN_NO_DEFAULT", "exactly one plan of the catalogue must be the default")
	// ErrQuota carries feature, limit, used and plan.
	ErrQuota = fault.Define(fault.Exhausted, "QUOTA_EXCEEDED", "the plan does not allow any more of this")
)

// Plan is a level of the product. Its limits and its role are what a member gets.
type Plan struct {
	ID      string  `bson:"_id"`
	Key     string  `bson:"key"`
	Name    string  `bson:"name"`
	Rank    int     `bson:"rank"`
	Default bool    `bson:"default,omitempty"` // exactly one plan: a partial unique index on true
	Price   Money   `bson:"price"`             // of a month
	Role    string  `bson:"role,omitempty"`    // id of the role a member holds; empty for none
	Limits  []Limit `bson:"limits"`
}

// Ref is the plan as a reference.
func (p Plan) Ref() ref.Ref { return ref.New(ref.Plan, p.ID) }

// Money is an amount in the smallest unit of its currency (ISO 4217).
type Money struct {
	AmountMinor int64  `bson:"amountMinor"`
	Currency    string `bson:"currency"`
}

// Limit is how much of a feature a plan allows. A feature a plan does not name is not allowed at all.
type Limit struct {
	Feature string `bson:"feature"`
	Limit   *int64 `bson:"limit"` // nil for any number
}

// limit is how many of the feature the plan allows; nil for any number.
func (p Plan) limit(feature string) *int64 {
	for _, l := range p.Limits {
		if l.Feature == feature {
			return l.Limit
		}
	}
	return new(int64(0))
}

// equal reports whether two plans are the same but for their ids.
func (p Plan) equal(o Plan) bool {
	return p.Key == o.Key && p.Name == o.Name && p.Rank == o.Rank && p.Default == o.Default && p.Price == o.Price &&
		p.Role == o.Role && slices.EqualFunc(p.Limits, o.Limits, Limit.equal)
}

func (l Limit) equal(o Limit) bool {
	return l.Feature == o.Feature && (l.Limit == nil) == (o.Limit == nil) && (l.Limit == nil || *l.Limit == *o.Limit)
}

// check refuses a plan that can't be.
func (p Plan) check() error {
	bad := func(format string, args ...any) error {
		return fault.ErrInput.Saying("plan %q: "+format, append([]any{p.Key}, args...)...)
	}
	switch {
	case !ref.IsKey(p.Key):
		return fault.ErrInput.Saying("a plan's key is 2 to 64 of a-z, 0-9, dot, dash and underscore")
	case strings.TrimSpace(p.Name) == "" || !utf8.ValidString(p.Name) || utf8.RuneCountInString(p.Name) > 100:
		return bad("the name is 1 to 100 characters")
	case p.Price.AmountMinor < 0 || !isCurrency(p.Price.Currency):
		return bad("the price is an amount of 0 or more and a currency of three capital letters")
	}
	seen := map[string]bool{}
	for _, l := range p.Limits {
		switch {
		case !ref.IsKey(l.Feature):
			return bad("a feature's key is 2 to 64 of a-z, 0-9, dot, dash and underscore")
		case seen[l.Feature]:
			return bad("the feature %s is there twice", l.Feature)
		case l.Limit != nil && *l.Limit < 0:
			return bad("the limit of %s is below 0", l.Feature)
		}
		seen[l.Feature] = true
	}
	return nil
}

func isCurrency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// Membership is a subject's place in the catalogue; one for each subject.
type Membership struct {
	ID      string    `bson:"_id"`
	Subject ref.Ref   `bson:"subject"` // unique
	Plan    string    `bson:"plan"`    // id
	Since   time.Time `bson:"since"`
	Version int64     `bson:"v"` // starts at 1, +1 on each change
}

// Ref is the membership as a reference.
func (m Membership) Ref() ref.Ref { return ref.New(ref.Membership, m.ID) }

// moveTo is the membership on another plan from that time on.
func (m Membership) moveTo(p Plan, at time.Time) (Membership, error) {
	if m.Plan == p.ID {
		return m, ErrSame
	}
	m.Plan, m.Since, m.Version = p.ID, at, m.Version+1
	return m, nil
}

// source is what the membership's role is granted on behalf of.
func (m Membership) source() string { return "plan:" + m.ID }

// unwritten is the place of a subject that has no membership yet: on the default plan, at version 0. It keeps its id when
// it is written at the first change.
func unwritten(subject ref.Ref, p Plan) Membership {
	return Membership{ID: subject.ID, Subject: subject, Plan: p.ID}
}

// ChangeCmd asks to move Subject to another plan.
type ChangeCmd struct {
	Plan    string  // id
	Version int64   // of the membership the caller saw
	Subject ref.Ref // whose
}

// Entitlement is what a subject may use of a feature now, and why.
type Entitlement struct {
	Feature string
	Limit   *int64 // nil for any number
	Used    int64
	Source  string // key of the plan
}

// Remaining is how many are left: nil for any number, 0 when over the limit.
func (e Entitlement) Remaining() *int64 {
	if e.Limit == nil {
		return nil
	}
	return new(max(*e.Limit-e.Used, 0))
}

// byRank is the order of the catalogue.
func byRank(a, b Plan) int { return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Key, b.Key)) }

// catalogue is all plans as of one read. It is immutable.
type catalogue struct {
	plans []Plan // by rank
	read  time.Time
}

func (c *catalogue) byID(id string) (Plan, bool) {
	i := slices.IndexFunc(c.plans, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	return c.plans[i], true
}

// defaultPlan is the one plan new subjects are on.
//
// Errors: PLAN_NO_DEFAULT.
func (c *catalogue) defaultPlan() (Plan, error) {
	var found []Plan
	for _, p := range c.plans {
		if p.Default {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return Plan{}, ErrNoDefault
	}
	return found[0], nil
}

// entitlements is what a plan's members may use: what the plan names, then what they use of other features although the
// plan does not allow it any more.
func entitlements(p Plan, used map[string]int64) []Entitlement {
	all := make([]Entitlement, 0, len(p.Limits))
	named := map[string]bool{}
	for _, l := range p.Limits {
		named[l.Feature] = true
		all = append(all, Entitlement{Feature: l.Feature, Limit: l.Limit, Used: used[l.Feature], Source: p.Key})
	}
	own := len(all)
	for feature, n := range used {
		if !named[feature] && n > 0 {
			all = append(all, Entitlement{Feature: feature, Limit: new(int64(0)), Used: n, Source: p.Key})
		}
	}
	slices.SortFunc(all[own:], func(a, b Entitlement) int { return cmp.Compare(a.Feature, b.Feature) })
	return all
}
