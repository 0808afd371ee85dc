// Package plan is the levels of the product: a catalogue of plans, each subject's place in it, and how much of each
// feature is used.
//
// A plan allows so many of each feature it names, and gives its members a role. A subject is a ref.Ref: a user today.
//
// Invariants:
//   - Exactly one plan is the default: [Service.Put] refuses a catalogue without, a partial unique index a second one.
//     Whoever has no membership is on the default plan.
//   - A subject has at most one membership. It changes only from the version the caller saw.
//   - The role of a plan is an ordinary grant whose source is "plan:" and the id of the membership. It is given and taken
//     in the transaction that writes the membership.
//   - Used never goes above the limit by a Consume, however many run at once, and never below zero. Moving to a smaller
//     plan deletes nothing: it only refuses further use until enough is released.
//
// Collections: plans {_id, key, name, rank, default, price{amountMinor,currency}, role, limits[{feature,limit}]};
// memberships {_id, subject{type,id}, plan, since, v}; usage {_id: "type:id:feature", subject{type,id}, feature, used}.
//
// Events: plan.catalogue.changed with {before, after}; plan.membership.started with the membership;
// plan.membership.changed with {subject, before, after, v}, where before and after are ids of plans.
package plan
