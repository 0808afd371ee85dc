// Package rbac answers who may do what: roles form a graph, users hold roles, and a check is a look into memory. docs/rights.md
// is its guide.
//
// The graph has one kind of edge, the [Grant]: its member, a user or a role, holds its role, with the options of a membership in
// PostgreSQL 16 and the parameters of the role bound. What a user may do is the union of what all roles within reach give; a
// [Predicate] narrows it, an [ObjectGrant] gives it for one object, a [FieldRule] is about fields.
//
// Every node keeps the whole policy compiled in an immutable snapshot behind an atomic pointer: for each role its closure, for each
// user the roles held. A check reads no database, takes no lock and allocates nothing. Beginnings and ends are compared with the
// clock at the check, not by a job.
//
// Invariants:
//   - A policy write is a transaction that raises the one revision document. That serialises the writers, so what a
//     write has read of the policy still holds when it commits: no two writes can close a cycle together, and no two
//     can each take the last administrator but one.
//   - The events of a revision are the whole change. So a snapshot at revision n and the events of n+1 make the snapshot at n+1
//     without a read; a gap, or a lost change stream, makes it read everything anew.
//   - A change is in force on the node that made it when the method returns, on the others when their change stream
//     delivers its last event. A node that hears nothing for Config.MaxStale refuses every check (POLICY_STALE), and so does
//     one that knows that it missed something, until it has read the policy again.
//   - The role graph has no cycle and no path of more than 64 roles; both are tested when an edge is written.
//   - Nobody gives a right they do not hold, bound at least as widely, but by rbac.bind and rbac.escalate, which the log tells; and
//     somebody always holds the role admin without an end.
//   - A list that is filtered by [Service.Scope] shows the objects of which [Service.Require] says yes, and no others.
//
// Collections: roles, grants, object_grants, predicates and field_rules hold a [Role], [Grant], [ObjectGrant], [Predicate] and
// [FieldRule] for each document; authz_rev the one document {_id: "rev", rev}.
//
// Events, each with data {rev, part, parts, cause, escalated} and what it is about: rbac.role.created, updated and deleted;
// rbac.grant.created, extended, changed, revoked and cascaded; rbac.object_grant.requested, approved and revoked;
// rbac.predicate.set and removed; rbac.field.set and removed. Besides rbac.grant.expired, which changes nothing.
package rbac
