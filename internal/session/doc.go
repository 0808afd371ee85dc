// Package session keeps who is signed in where: people by sessions, programs by access keys.
//
// Both are found by an opaque random token of 256 bits, of which only the SHA-256 is stored, and in no exported type. A
// key is a session of the kind [KindKey] with a scope: one memory, one watch and one way to end serve both, and no list of
// the one shows the other. [Service.Resolve] answers from memory: an entry is forgotten when the session ends here, when
// the change stream tells that it ended or changed elsewhere, and is read again when it is older than Config.Recheck, so
// that no lost event keeps a session alive. Whether a session still counts is decided by the clock at each question
// ([Session.Live]), never by deletion.
//
// How long a session lasts is decided at its start, by Config and the [Policy] of its user, and again at each read, by what
// Config.Limit says then: a policy that becomes stricter needs no session to be changed.
//
// A browser has one token, in a cookie. Other clients have a short access token and a refresh token ([Service.Refresh])
// that is good once, for the next two. These are derived from it and a stored salt, so that who has the parent, and nobody
// who reads the database, can be given the same ones again: for Config.Overlap, and while the child is not used. Whoever
// shows a used one otherwise ends the session. Each session has one family of them. The access token before stays good for
// Config.Overlap; the memory finds a session by both, and lets go of both at once.
//
// A session knows when its user last proved who they are, and how much that has shown. [Service.Elevate] notes another proof
// and renews the token; what needs a recent one calls [Service.RequireFresh], which refuses only by what the database says.
// A device ([Service.Remember]) tells whether a sign-in is anything new; it proves nothing, but its user may trust it for
// some time ([Service.Trust]).
//
// A person may act as another ([Service.Impersonate]) in a session of that other user, which knows who acts, why, and from
// which session it was begun. It falls under the policy of who acts.
//
// Invariants: once [Service.End] has returned, this node refuses the tokens and has closed what [Service.Watch] gave; once
// [Service.Renew] or [Service.Elevate] has, it refuses those before; an end wins over a refresh beside it; however many
// refresh at once there is one child; unknown, ended and expired tokens look the same; use, and refresh, extends the idle end
// and never passes the absolute one; a key ends, nobody revives it, and it cannot mint, revoke, end or elevate anything; nor
// can who acts as another, but end that; an impersonation ends with the session it was begun from, in the same transaction,
// and does not outlast the time that one may be unused; a user has at most [MaxKeys] live keys and Config.MaxSessions live
// sessions, not counting those in which others act; nobody's trust in a device counts for anybody else.
//
// [Service.Run] must run while the server serves: it writes down when sessions were last used, in batches, and looks
// after the watched sessions.
//
// Collections:
//   - sessions {_id, user, kind?, tokenHash, tokenUntil?, prevHash?, prevUntil?, createdAt, lastSeenAt?, idleUntil,
//     expiresAt, endedAt?, authAt?, methods?, level?, brief?, idleFor?, device?, label?, userAgent, ip}; for keys {name, hint,
//     scopes}; for impersonations {impersonator, parent, reason, readOnly?, parked?}, and {impersonations?}, how many were
//     begun, in the session they were begun from. Indexes: by tokenHash, unique; by prevHash, unique; by user and _id; the
//     same for keys alone; by user and expiresAt for those that nobody has ended; by expiresAt for impersonations that nobody
//     has ended.
//   - refresh_tokens {_id: SHA-256, session, user, issuedAt, expiresAt, spentAt, salt?}. Indexes: by session and spentAt; by
//     user; by expiresAt, by which the server deletes what belongs to sessions that are too old anyway.
//   - key_owners {_id: user, minted?, open?}: makes those who mint keys, or start sessions, for one user wait for one
//     another. open is how many live sessions there may be at most.
//   - devices {_id, user, tokenHash, userAgent, ip, createdAt, lastSeenAt, trustedUntil?}. Indexes: by tokenHash and user,
//     unique; by user.
//
// Events: session.session.started {user, methods, device}; session.session.elevated {user, methods};
// session.session.renewed {user}; session.session.renamed {user}; session.session.ended {user, reason?}, where the reason
// "limit" is that another sign-in needed the place, and "reuse" that a used refresh token was shown again;
// session.impersonation.started {user, impersonator, reason, readOnly}, on the new session; session.key.created {user, name,
// scopes, expiresAt}; session.key.revoked {user}; session.device.added {user}; session.device.trusted {user, until};
// session.device.forgotten {user}, on the device, or {devices}, on the user.
package session
