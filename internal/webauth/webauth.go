package webauth

import (
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ticket"
)

// Errors of the flows.
var (
	ErrRegistration  = fault.Define(fault.Forbidden, "REGISTRATION_CLOSED", "one cannot register here, or not with this address")
	ErrInvitation    = fault.Define(fault.Invalid, "INVITATION_INVALID", "the invitation is not for this address, was used or has expired")
	ErrTerms         = fault.Define(fault.Invalid, "TERMS_VERSION", "accept the current version of the terms")
	ErrUnverified    = fault.Define(fault.Forbidden, "EMAIL_UNVERIFIED", "a guest cannot do this: register first")
	ErrFactorNeeded  = fault.Define(fault.Conflict, "FACTOR_NEEDED", "a second factor is needed here")
	ErrLastWayIn     = fault.Define(fault.Conflict, "WAY_IN_LAST", "this is the last way into the account: add another one first")
	ErrProviderEmail = fault.Define(fault.Unauthenticated, "PROVIDER_UNVERIFIED", "the provider does not vouch for a mail address")
	ErrLinkFirst     = fault.Define(fault.Conflict, "PROVIDER_LINK_FIRST", "there is an account with this mail address: sign in to it, then link the provider")
	ErrOutranked     = fault.Define(fault.Forbidden, "IMPERSONATION_REFUSED", "one can only act as somebody who may do less than oneself")
	ErrOther         = fault.Define(fault.Conflict, "PROVIDER_OTHER_USER", "somebody else has signed in meanwhile")
)

// Mode is who may register.
type Mode string

// The modes.
const (
	Open       Mode = "OPEN"
	Invitation Mode = "INVITATION"
	Closed     Mode = "CLOSED"
)

// Config is what an operator decides on. Zero values mean the defaults written beside them.
type Config struct {
	Registration Mode          // default Open
	Domains      []string      // of mail addresses that may register, lower case; none for any
	Terms        string        // version of the terms a new user must accept; empty for none
	FactorRoles  []string      // keys of roles whose holders need a second factor
	DeleteGrace  time.Duration // between asking for deletion and deletion, default 30 days
	PublicURL    string        // scheme://host[:port] of links
	Policies     Policies      // of sessions, by role and plan

	PerAccount int // wrong attempts at one account at once, default 10; one more each 90 s
	PerNetwork int // wrong attempts from one network address at once, default 50; one more each 10 s
}

func (c Config) withDefaults() Config {
	if c.Registration == "" {
		c.Registration = Open
	}
	if c.DeleteGrace == 0 {
		c.DeleteGrace = 30 * 24 * time.Hour
	}
	if c.PerAccount == 0 {
		c.PerAccount = 10
	}
	if c.PerNetwork == 0 {
		c.PerNetwork = 50
	}
	return c
}

// The kinds of tickets: what a mailed secret or the name of an attempt is good for, and for nothing else.
const (
	kindRegister   ticket.Kind = "register"
	kindSignIn     ticket.Kind = "sign-in" // the first factor is proved
	kindSignInMail ticket.Kind = "sign-in-mail"
	kindReset      ticket.Kind = "reset"
	kindAddress    ticket.Kind = "address"
	kindElevate    ticket.Kind = "elevate"
	kindInvitation ticket.Kind = "invitation"
)

// How long they last.
const (
	registerTTL = 24 * time.Hour
	mailTTL     = 15 * time.Minute
	addressTTL  = 24 * time.Hour
	attemptTTL  = 10 * time.Minute
	adminTTL    = time.Hour
)

// The kinds of this package's events. What a domain changes it tells itself.
const (
	kindFailed       = "webauth.signin.failed"
	kindSignedOut    = "webauth.user.signed_out"
	kindSessionEnded = "webauth.session.ended" // by an administrator
	kindReused       = "webauth.token.reused"  // a refresh token, by whoever has a copy
	kindImpersonated = "webauth.impersonation.started"
	kindOneself      = "webauth.impersonation.ended"
	kindResetAsked   = "webauth.reset.requested"
	kindResetDone    = "webauth.reset.completed"
	kindInvited      = "webauth.invitation.created"
	kindInviteGone   = "webauth.invitation.revoked"
	kindInviteTaken  = "webauth.invitation.accepted"
	kindExported     = "webauth.data.exported"
)
