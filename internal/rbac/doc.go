// Package rbac answers who may do what: roles form a graph, users hold roles, and a check is a look into memory.
//
// The graph has one kind of edge, the [Grant]: its member, a user or a role, holds its role. A role that holds another
// includes it. What a user may do is the union of the permissions of all roles within reach.
//
// Every node keeps the whole policy compiled in an immutable snapshot behind an atomic pointer: for each role the bit
// set of the permissions in its closure, for each user the roles held. A check reads no database, takes no lock and
// allocates nothing. Expiry is compared with the clock at the check, not by a job.
//
// Invariants:
//   - A policy write is a transaction that raises the one revision document. That serialises the writers, so what a
//     write has read of the policy still holds when it commits: no two writes can close a cycle together, and no two
//     can each take the last administrator but one.
//   - Each revision is one event, and its data is the whole change. So a snapshot at revision n and the event of n+1 make
//     the snapshot at n+1 without a read; a gap, or a lost change stream, makes it read everything anew.
//   - A change is in force on the node that made it when the method returns, on the others when their change stream
//     delivers the event. A node that hears nothing for Config.MaxStale refuses every check (POLICY_STALE), and so does
//     one that knows that it missed something, until it has read the policy again.
//   - The role graph has no cycle and no path of more than 64 roles; both are tested when an edge is written.
//   - Nobody gives a right they do not hold, and somebody always holds the role admin without an end.
//
// Collections: roles {_id, key, name, description, permissions, createdAt}; grants {_id, member{type,id}, role, source,
// expiresAt, grantedBy{type,id}, createdAt}; authz_rev, the one document {_id: "rev", rev}.
//
// Events, with data {rev, role} or {rev, grant}: rbac.role.created, rbac.role.updated, rbac.grant.created,
// rbac.grant.extended, rbac.grant.revoked.
package rbac
