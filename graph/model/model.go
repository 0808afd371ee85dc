// Package model holds the Go types of schema types that belong to no domain: payloads and inputs (generated), and the
// few written by hand below.
package model

import (
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
)

// Node is any object with a global id: a value of a domain's type.
type Node any

// RefTarget is what a reference leads to: a value of a domain's type, or one of Tombstone, Forbidden, UnknownTarget.
type RefTarget any

// Viewer is who is asking; its other fields are resolved.
type Viewer struct {
	User         *account.User
	Session      *session.Session // nil for an access key
	Emails       []EmailAddress
	Locale       string
	HasPassword  bool
	TermsVersion *string
}

// EmailAddress is a mail address of a user.
type EmailAddress struct {
	Email      string
	Primary    bool
	VerifiedAt time.Time
}

// PageInfo says where a page lies in its list.
type PageInfo struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
	EndCursor       *string
}

// SignInPayload is the answer of every step of signing in.
type SignInPayload struct{ Result SignInResult }

// MailSent is the answer of what sends a mail.
type MailSent struct {
	Flow      string
	ExpiresAt time.Time
}

// PasskeyChallenge is the answer of what asks for a passkey.
type PasskeyChallenge struct {
	Flow    string
	Options map[string]any
}

// UserPayload is the answer of what changes somebody's account.
type UserPayload struct{ User account.User }

// EmailsPayload is the answer of what changes the caller's addresses.
type EmailsPayload struct{ Emails []EmailAddress }

// FactorPayload is the answer of what changes a factor; the codes come with the first one.
type FactorPayload struct {
	Factor        factor.Factor
	RecoveryCodes []string
}

// LeavePayload is the answer of what puts an account to sleep.
type LeavePayload struct{ DeletedAfter *time.Time }

// InvitationPayload is the answer of what makes or revokes an invitation.
type InvitationPayload struct{ Invitation Invitation }

// MembershipPayload is the answer of what changes a membership.
type MembershipPayload struct{ Membership plan.Place }

// UseFeaturePayload is the answer of what counts a use.
type UseFeaturePayload struct{ Usage plan.Used }

// UseFeatureInput asks to count a use, or to reserve one.
type UseFeatureInput struct {
	User    ref.Ref
	Feature string
	Amount  int
	Source  *string
	ID      *string
	At      *time.Time
}

// ReservationInput names a reservation.
type ReservationInput struct{ Reservation string }

// ReportResult is what the query of a saved report comes to: a report of package analytics.
type ReportResult any
