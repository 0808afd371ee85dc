// Package session keeps who is signed in where: people by sessions, programs by access keys.
//
// Both are found by an opaque random token of 256 bits, of which only the SHA-256 is stored, and in no exported type. A
// key is a session of the kind [KindKey] with a scope: one memory, one watch and one way to end serve both, and no list of
// the one shows the other. [Service.Resolve] answers from memory: an entry is forgotten when the session ends here, when
// the change stream tells that it ended or changed elsewhere, and is read again when it is older than Config.Recheck, so
// that no lost event keeps a session alive. Whether a session still counts is decided by the clock at each question
// ([Session.Live]), never by deletion.
//
// A session knows when its user last proved who they are. [Service.Elevate] notes another proof; what needs a recent one
// calls [Service.RequireFresh], which refuses only by what the database says. A device ([Service.Remember]) tells whether
// a sign-in is anything new; it proves nothing, but its user may trust it for some time ([Service.Trust]).
//
// Invariants: once [Service.End] has returned, this node refuses the token and has closed what [Service.Watch] gave;
// unknown, ended and expired tokens look the same; use extends the idle end and never passes the absolute one; a key ends,
// nobody revives it, and it cannot mint, revoke, end or elevate anything; a user has at most [MaxKeys] live keys and
// Config.MaxSessions live sessions; nobody's trust in a device counts for anybody else.
//
// [Service.Run] must run while the server serves: it writes down when sessions were last used, in batches, and looks
// after the watched sessions.
//
// Collections:
//   - sessions {_id, user, kind?, tokenHash, createdAt, lastSeenAt?, idleUntil, expiresAt, endedAt?, authAt?, methods?,
//     device?, label?, userAgent, ip}, and for keys {name, hint, scopes}. Indexes: by tokenHash, unique; by user and _id;
//     the same for keys alone; by user and expiresAt for those that nobody has ended.
//   - key_owners {_id: user, minted?, open?}: makes those who mint keys, or start sessions, for one user wait for one
//     another. open is how many live sessions there may be at most.
//   - devices {_id, user, tokenHash, userAgent, ip, createdAt, lastSeenAt, trustedUntil?}. Indexes: by tokenHash and user,
//     unique; by user.
//
// Events: session.session.started {user, methods, device}; session.session.elevated {user, methods};
// session.session.renamed {user}; session.session.ended {user, reason?}, where the reason "limit" is that another sign-in
// needed the place; session.key.created {user, name, scopes, expiresAt}; session.key.revoked {user}; session.device.added
// {user}; session.device.trusted {user, until}; session.device.forgotten {user}, on the device, or {devices}, on the user.
package session
