// Package event is the durable log of facts and the one change stream of a node.
//
// A domain appends an [Event] inside its own transaction, so the fact and the change it tells of commit together or not
// at all. The audit trail is a view of this log. Whoever must react follows the [Tail]: it reads one change stream for
// the whole node and hands the committed facts, in order, to the packages that asked: caches forget, channels push.
//
// Collection: events {_id, kind, on{type,id}, at, actor{user,session,impersonator,system}, requestId, ip, data}.
// Indexes: by subject and by actor, newest first.
package event
