// Package model holds the Go types of schema types that belong to no domain: payloads and inputs (generated), and the
// few written by hand below.
package model

import (
	"time"

	"github.com/backendbook/backendbook/internal/account"
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
