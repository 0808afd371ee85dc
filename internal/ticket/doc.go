// Package ticket keeps one-time secrets: what proves that somebody reads a mailbox, began a sign-in, or may answer a
// challenge. A flow issues a ticket, hands its secrets out, and spends it in the transaction of what they allow.
//
// A ticket always has a flow secret, for the client that asked. A mailed one also has a link secret and a code of six
// digits, for the mail. The link proves by itself; the code only together with the flow, so that nobody guesses codes of
// strangers; the flow by itself proves nothing of a mailed ticket.
//
// Flow and link are 256 random bits each, of which only the SHA-256 is stored. Six digits would be guessed from a hash in
// a second, so the code is stored as its HMAC under the flow secret, which is kept nowhere: reading the database gives no
// code. What protects a code against guesses is their number. A ticket allows five ([Tries]), counted before the answer
// and outside every transaction, and lives for a short time. [Service.Renew] fills them up again, so whoever offers it
// must limit it, as it must limit [Service.Issue].
//
// Invariants: [Service.Spend] succeeds once for a ticket, whoever races; what [Service.Verify] answered counts only while
// the ticket is as it was then: one renewed or amended meanwhile cannot be spent on the old proof. Unknown, used, expired
// tickets and those of another kind look the same. The clock decides whether a ticket lives; the index that deletes old
// ones does not. Nodes must agree on the time to about a second.
//
// Collection: tickets {_id, kind, subject, rev, flowHash, linkHash?, codeHash?, tries?, data, createdAt, expiresAt}.
// Indexes: by flowHash, unique; by linkHash, unique, where there is one; by subject, kind and _id; by kind and _id; by
// expiresAt, which deletes.
// Events: none. A ticket is a step of a flow, and the flow tells what came of it.
package ticket
