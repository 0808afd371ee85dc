package plan

import "github.com/backendbook/backendbook/internal/fault"

// Errors of plans.
var (
	ErrUnknown = fault.Define(fault.Invalid, "PLAN_UNKNOWN", "there is no such plan")
	ErrSame    = fault.Define(fault.Conflict, "PLAN_SAME", "the subject is already on this plan")
	ErrStale   = fault.Define(fault.Conflict, "PLAN_STALE", "the membership changed meanwhile; read it again")
	// ErrNoDefault: new subjects would have no plan.
	ErrNoDefault = fault.Define(fault.Invalid, "PLAN_NO_DEFAULT", "exactly one plan of the catalogue must be the default")
	// ErrInUse carries members.
	ErrInUse = fault.Define(fault.Conflict, "PLAN_IN_USE", "somebody is on this plan")
	// ErrBusy: a payment for the membership is under way.
	ErrBusy     = fault.Define(fault.Conflict, "PLAN_BUSY", "a payment is under way; try again in a moment")
	ErrPrice    = fault.Define(fault.Invalid, "PRICE_UNKNOWN", "the plan has no such price")
	ErrCurrency = fault.Define(fault.Conflict, "CURRENCY_MISMATCH", "there is a balance in another currency")
	ErrPreview  = fault.Define(fault.Conflict, "PREVIEW_EXPIRED", "the preview is too old, or there is no such preview; ask for another")
	// ErrDeclined carries reason.
	ErrDeclined = fault.Define(fault.Conflict, "PAYMENT_DECLINED", "the payment was declined")
	ErrCoupon   = fault.Define(fault.Invalid, "COUPON_INVALID", "this coupon is not good here, or not any more")
	ErrAddon    = fault.Define(fault.Invalid, "ADDON_UNAVAILABLE", "there is no such add-on, or not with this plan")
	ErrState    = fault.Define(fault.Conflict, "MEMBERSHIP_STATE", "the membership is in a state that does not allow this")
	// ErrQuota carries feature, limit, used, plan, resetsAt and allowedBy: the plans that would allow it.
	ErrQuota = fault.Define(fault.Exhausted, "QUOTA_EXCEEDED", "the plan does not allow any more of this")
	// ErrFeature carries feature, plan and allowedBy.
	ErrFeature = fault.Define(fault.Forbidden, "FEATURE_NOT_IN_PLAN", "the plan does not have this feature")
	// ErrReadOnly carries feature, limit, used, plan and allowedBy.
	ErrReadOnly  = fault.Define(fault.Forbidden, "OVER_QUOTA", "more is used than the plan allows: nothing can be changed until some is deleted")
	ErrUnlimited = fault.Define(fault.Invalid, "FEATURE_UNKNOWN", "there is no such feature, or not one of this kind")
	ErrIdem      = fault.Define(fault.Conflict, "IDEMPOTENCY_CONFLICT", "this id was used for something else")
	ErrHold      = fault.Define(fault.NotFound, "HOLD_NOT_FOUND", "there is no such reservation, or not any more")
	ErrClock     = fault.Define(fault.Forbidden, "CLOCK_FORBIDDEN", "clocks are only moved in development, and only forward")
	ErrRefund    = fault.Define(fault.Conflict, "REFUND_IMPOSSIBLE", "there is nothing left of this payment to give back")
)
