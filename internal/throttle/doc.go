// Package throttle counts attempts, for all entries and all nodes together: a limit is the same whether somebody comes by
// GraphQL, plain HTTP or a socket, to one process or to many, before or after a restart.
//
// A [Bucket] is what one [Limit] leaves to one key: a user, a network, a mail address. It is full at first; an attempt
// takes one of it and it fills up at an even pace (GCRA: one date is stored, the time when it will be full again). Nothing
// is locked: who was refused is let through after the time the refusal tells.
//
// Invariants: of attempts that race for the last one, one gets it; an attempt is counted before [Service.Take] returns and
// stays counted when the transaction of the caller is rolled back; a refused attempt costs none of any bucket and writes
// nothing, so that hammering does not move the end of the refusal; over any time t, at most Burst + t/Every pass.
// Nodes go by their own clocks: one that is ahead by d makes the others refuse for up to d longer, and lets at most d/Every
// more through, once.
//
// A bucket that is full is the same as none, so its document goes away by itself: the index that deletes it only saves
// space. Keys are stored hashed, which keeps addresses out of dumps and logs, though not from somebody who guesses them.
//
// Collection: throttles {_id, tat, refused?, expiresAt}; _id is the SHA-256 of limit and key in hex.
// Indexes: by expiresAt, which deletes.
// Events: throttle.limit.reached {limit}, for the first refusal since the bucket last let somebody through, and none for
// those after it: an attacker does not fill the log.
package throttle
