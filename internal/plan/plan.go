package plan

import (
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// PermWrite lets its holder move other subjects between plans.
const PermWrite = "plan.membership.write"

// Errors of plans.
var (
	ErrUnknown = fault.Define(fault.Invalid, "PLAN_UNKNOWN", "there is no such plan")
	ErrSame    = fault.Define(fault.Conflict, "PLAN_SAME", "the subject is already on this plan")
	ErrStale   = fault.Define(fault.Conflict, "PLAN_STALE", "the membership changed meanwhile; read it again")
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
