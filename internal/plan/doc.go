// Package plan is the levels of the product: a catalogue of plans with prices, each subject's membership, what it may use, and how
// much of it is used. docs/plans.md is the guide.
//
// A subject is a ref.Ref: a user today. The catalogue has features, plans in versions, add-ons and coupons; it is edited as a whole
// (book.go). A membership stores a contract; where it is at a time is a pure function of that ([Membership.spans], membership.go), from
// which entitlements, roles, jobs and events follow. A deal (deal.go) is a change of a contract with what it costs; it is
// previewed, then taken up by a token, stored as an intent before money is asked for (pay.go), and closed once. Jobs renew and tell
// what has come by the clock (renew.go); any number of nodes runs them.
//
// Usage is counted in documents of their own, in the transaction of the caller where there is one (use.go); uses with names are
// counted once, and those that wait for each other together (combine.go). Entitlements are answered from memory (entitlement.go,
// members.go), which follows the change stream.
//
// Money is in whole numbers of the smallest unit. The ledger (ledger.go) is only added to.
//
// Collections: plans, features, addons, coupons; memberships {subject, plan, price, …, dueAt}; usage, the counters, and
// usage_events, named uses; plan_previews; plan_ledger; plan_numbers, the last number of invoices.
//
// Events: plan.catalogue.changed; plan.membership.*, plan.addon.*, plan.entitlement.*, plan.feature.turned_off, plan.payment.*,
// plan.quota.* and plan.clock.advanced, all with the subject.
package plan
