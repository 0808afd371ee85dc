// Package account keeps the users and their passwords.
//
// A user is found by mail address, compared in one normal form ([EmailKey]), so that case and Unicode look-alikes make no
// second account. A password is stored as an argon2id hash in PHC form; the hash lives in the document of its user but in
// no exported type, so nothing outside this package can read, print or send it.
//
// Invariants: one user for one address, kept by a unique index and not by looking first; checking a password costs the
// same for a known and an unknown address; never more hashes at once than Config.HashSlots, since each takes 19 MiB.
//
// Collection: users {_id, email, emailKey, name, nameKey, password, createdAt}.
// Indexes: by emailKey, unique, where there is one; by nameKey and _id for lists.
// Events: account.user.created {id, name}; account.password.set.
package account
