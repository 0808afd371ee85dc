// Package bag keeps small values for whoever asks, by key: the session data of Django, for many devices. A bag belongs to a
// user, on all of their devices, or to a visitor who is not signed in, whom a cookie finds. At sign-in the visitor's bag
// comes along into the account's, by the [Rule] of each key. Beside it wait messages to be shown once, for one session or
// visitor.
//
// Clients keep what they like under keys of their own. Services declare a [Key] with a type and use it through [Load], [Save]
// and [Update]; no client can write such a key.
//
// Invariants: a value lapses by the clock at read; a change that names a revision happens only to that revision; a bag never
// passes its caps, however many write at once; a merge happens once, never makes a sign-in fail, and drops nothing of the
// account's.
//
// A bag is one document, replaced whole in a transaction: its caps are a matter of one read, and its merge one of two. Values
// are stored as JSON text, for they mean nothing to the database and no key of theirs may mean something to it.
//
// Collection: bags {_id: "user:…", "visitor:…" or "session:…", data: [{key, value, rev, rule, writtenAt, expiresAt?}], messages: [{level,
// code, text, at}], expiresAt?}. The server deletes what visitors and sessions leave behind some time after expiresAt. Events:
// none; what is kept here is no fact about anybody.
package bag
