// Package session keeps who is signed in where.
//
// A session is found by an opaque random token of 256 bits, of which only the SHA-256 is stored, and in no exported type.
// [Service.Resolve] answers from memory: an entry is forgotten when the session ends here, when the change stream tells
// that it ended elsewhere, and is read again when it is older than Config.Recheck, so that no lost event keeps a session
// alive. Whether a session still counts is decided by the clock at each question ([Session.Live]), never by deletion.
//
// Invariants: once [Service.End] has returned, this node refuses the token and has closed what [Service.Watch] gave;
// unknown, ended and expired tokens look the same; use extends the idle end and never passes the absolute one.
//
// [Service.Run] must run while the server serves: it writes down when sessions were last used, in batches, and looks
// after the watched sessions.
//
// Collection: sessions {_id, user, tokenHash, createdAt, lastSeenAt, idleUntil, expiresAt, endedAt?, userAgent, ip}.
// Indexes: by tokenHash, unique; by user and _id.
// Events: session.session.started {user}; session.session.ended {user}.
package session
