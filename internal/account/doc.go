// Package account keeps the users: their addresses, usernames, passwords and status.
//
// A user is found by mail address or username, compared in one normal form ([EmailKey], [UsernameKey]), so that case and
// Unicode look-alikes make no second account. An address in a user is always verified; one that is not yet waits in a
// ticket of the flow that will verify it, where a whole registration can wait too ([Pending]). A password is stored as an
// argon2id hash in PHC form, or as an imported hash until the next sign-in; it lives in the document of its user but in no
// exported field, and passes between packages only as a [Hashed] or within a [Pending], which cannot be printed.
//
// Invariants: one user for one address and one username, kept by unique indexes and not by looking first; an address
// that is not verified is nobody's; the last address of a person stays; checking a password costs the same for a known,
// a waiting and an unknown user; never more hashes at once than Config.HashSlots, since each takes 19 MiB (an imported
// one up to 256 MiB); nobody is deleted before the end of a grace period.
//
// Passwords are compared as they are, up to 128 characters of any kind, and refused only when they are among the first
// to be guessed: an offline list of 48,000 passwords and words, plain patterns, and what everybody knows of the user.
// There is no online provider: no part of a password leaves the server.
//
// Making a user ([Service.Prepare], then [Service.Insert] in the transaction of the flow) asks for no permission, whatever
// the kind: the flows of webauth ask, also for account.service.write before they make a service account. What is asked for
// here is named with each method: reading of lists and of what is private, and shutting somebody out.
//
// Collection: users {_id, kind, emails: [{email, key, verifiedAt}], username, usernameKey, name, nameKey, locale,
// terms: {version, at}, password, deactivatedAt, disabledAt, deleteAfter, admittedAt, admissions, passwordRev, createdAt}; what is
// empty is absent, but for kind and the names. admittedAt and admissions, a count, are written by [Service.Admit] and read
// by nobody: that they change is what they are for. Indexes: by emails.key and by usernameKey, unique, where there is one;
// by kind, nameKey and _id for lists; by deleteAfter, where there is one.
//
// Events: account.user.created {id, name, kind}, .upgraded {id, name}, .updated {fields}, .deactivated, .reactivated,
// .deletion_scheduled {at}, .disabled, .enabled, .deleted {id}; account.address.added, .removed, .primary_changed
// {primary, count}; account.password.set (by a reset), .changed (by the user, who knew the old one);
// account.terms.accepted {version}. None holds an address: the log outlives the user.
package account
