// Package plan is the levels of the product: a catalogue of plans with prices, each subject's membership, what it may use, and how
// much of it is used. docs/plans.md is the guide.
//
// A subject is a ref.Ref: a user today. The catalogue has features, plans in versions, add-ons and coupons; it is edited as a whole
// (book.go), and a version keeps its terms for whoever is on it. A membership stores a contract; where it is at a time is a pure
// function of that and the clock ([Membership.spans], membership.go), from which entitlements, roles, jobs and events follow. A deal
// (deal.go) is a change of a contract with what it costs, computed once: it is previewed, taken up by a token (change.go), and
// closed once. Jobs renew and tell what has come by the clock (renew.go); any number of nodes runs them.
//
// A deal that costs money is stored as an intent, with a key, before anybody is asked for it (pay.go): whoever finds it later asks
// with the same key, so nothing is charged twice and nothing that was charged is forgotten.
//
// Usage is counted in documents of their own, in the transaction of the caller where there is one (use.go): of many at once exactly
// as many pass as the limit allows. Uses with names are counted once, and those that wait for each other together (combine.go).
// Entitlements are answered from memory (entitlement.go, members.go), which follows the change stream (store_follow.go).
//
// Invariants: exactly one current plan is the default, and it costs nothing. Nothing that is above a limit is ever deleted. Money is
// in whole numbers of the smallest unit, and each line of an invoice is rounded once. The ledger (ledger.go) is only added to, and
// the sum of a subject's entries is its balance; numbers of invoices have no gaps.
//
// Collections:
//   - plans {key, version, current, …}, features, addons and coupons, by key: the catalogue;
//   - memberships {subject, v, plan, price, from, until, next, intent, …, dueAt}: one for each subject, none for who never had one;
//   - usage {_id: subject, feature and begin of the period, used, …}: the counters; usage_events {_id: subject, source, id}: named uses;
//   - plan_previews {_id: digest of the token}; plan_ledger {subject, kind, amountMinor, key, …}; plan_numbers, the last invoice number.
//
// Events: plan.catalogue.changed, about a plan or the catalogue; plan.membership.*, plan.addon.*, plan.entitlement.*,
// plan.feature.turned_off, plan.payment.*, plan.quota.* and plan.clock.advanced, about the membership and all with the subject.
package plan
