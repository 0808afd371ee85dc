// Package webauth holds the flows across accounts and sessions: registering, signing in, signing out.
//
// A flow wraps the calls of several services in one transaction, so a user never exists half: no account without its plan
// and its role, no session without its account. What must happen after the commit (this node's rights and sessions
// catching up) has happened when a flow returns.
//
// The secret of a new session travels by [Transport]: in the answer, or into the [TokenSink] the interface layer put into
// the context, which sets a cookie. Where there is no sink, as on a WebSocket, cookies are refused before anything is done.
//
// The package keeps no collection and appends no event of its own: the facts are those of account and session.
package webauth
