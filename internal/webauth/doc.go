// Package webauth holds the flows across accounts, sessions, factors and mail: every way in, and every change of one.
//
// Signing in is a state machine. A step leads to an [Outcome]: [SignedIn], [FactorRequired] or [VerificationRequired].
// There is no session before the last step, so a half-way state is good for nothing but going on with it. All ways in
// (password, mail, passkey, provider, guest) end in one place, admit.go, which asks what else the account wants.
//
// A registration waits in a ticket until its address is verified, and only then is there a user: nobody can occupy an
// address that is not theirs, and whoever asks cannot tell whether an address is known, since the answer and the work are
// the same and only the mail differs.
//
// What is proved wrongly is charged to the account and to the network, by all ways alike (attempt.go). What is changed
// commits in one transaction with its facts, with the mail that tells the owner, and with the use of the secret that
// allowed it. What must happen after the commit (this node's rights and sessions catching up) has happened when a flow
// returns.
//
// Secrets of sessions travel by [Transport]: in the answer, or in cookies of the [Browser] that the interface layer put
// into the context. Where there is none, as on a WebSocket, cookies are refused before anything is done.
//
// The package keeps no collection of its own: what waits is a ticket (package ticket).
// Channels: mySessions and mySecurityEvents, by the topics webauth.sessions:<user> and webauth.security:<user> (live.go).
// Tickets: register, sign-in, sign-in-mail, reset, address, elevate, invitation.
// Events: webauth.signin.failed {method, code}; webauth.reset.requested, webauth.reset.completed; webauth.user.signed_out, webauth.session.ended (by an administrator), webauth.token.reused, webauth.impersonation.started, .ended {by, reason, readOnly};
// webauth.invitation.created, .revoked, .accepted {id, role, plan}; webauth.data.exported.
package webauth
