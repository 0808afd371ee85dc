package account

import (
	"log/slog"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// The permissions of this package.
const (
	PermRead    = "account.user.read"
	PermWrite   = "account.user.write"
	PermService = "account.service.write" // asked for here to list; to make one, by the flow in webauth
	PermInvite  = "account.user.invite"   // asked for by the flow of invitations, in webauth
	// PermImpersonate is asked for by the flow in webauth.
	PermImpersonate = "account.user.impersonate"
)

// Permissions are the rights this package asks for, with what they mean.
func Permissions() map[string]string {
	return map[string]string{
		PermRead:    "Read every user, mail addresses included.",
		PermWrite:   "Disable users, start resets, end their sessions.",
		PermService: "Make service accounts and their keys.",
		PermInvite:  "Invite people to register.",

		PermImpersonate: "Act as users who may do less.",
	}
}

// Errors of accounts.
var (
	ErrEmailTaken    = fault.Define(fault.Conflict, "EMAIL_TAKEN", "there is an account with this mail address already")
	ErrEmailInvalid  = fault.Define(fault.Invalid, "EMAIL_INVALID", "this is not a mail address")
	ErrUsernameTaken = fault.Define(fault.Conflict, "USERNAME_TAKEN", "this username is taken")
	ErrUsername      = fault.Define(fault.Invalid, "USERNAME_INVALID", "a username has 3 to 30 letters a-z, digits, dots, dashes or underscores, and begins with a letter or digit")
	ErrPasswordWeak  = fault.Define(fault.Invalid, "PASSWORD_WEAK", "the password must have 8 to 128 characters and not be a common one")
	ErrCredentials   = fault.Define(fault.Unauthenticated, "BAD_CREDENTIALS", "mail address or password is wrong")
	ErrTooBusy       = fault.Define(fault.Exhausted, "TOO_BUSY", "too many people are signing in at once; try again in a moment")
	ErrDisabled      = fault.Define(fault.Forbidden, "ACCOUNT_DISABLED", "this account was disabled by an administrator")
	ErrAddressLast   = fault.Define(fault.Conflict, "ADDRESS_LAST", "the last mail address of an account cannot be removed")
	ErrAddressLimit  = fault.Define(fault.Exhausted, "ADDRESS_LIMIT", "an account has at most 10 mail addresses")
	ErrKind          = fault.Define(fault.Conflict, "ACCOUNT_KIND", "an account of this kind cannot do that")
	ErrHashUnknown   = fault.Define(fault.Invalid, "HASH_UNKNOWN", "this is no password hash that this server can check")
	ErrNotDue        = fault.Define(fault.Conflict, "DELETION_NOT_DUE", "this account is not to be deleted now")
)

// The bounds of what a user may be called and have.
const (
	MaxEmail     = 254 // bytes, RFC 5321
	MaxName      = 100 // characters
	MinUsername  = 3
	MaxUsername  = 30
	MaxAddresses = 10 // of one user
	MaxTerms     = 64 // bytes of a version of the terms
)

// Kinds of this package's events.
const (
	kindCreated           = "account.user.created"
	kindUpdated           = "account.user.updated"
	kindUpgraded          = "account.user.upgraded"
	kindDeactivated       = "account.user.deactivated"
	kindReactivated       = "account.user.reactivated"
	kindDeletionScheduled = "account.user.deletion_scheduled"
	kindDisabled          = "account.user.disabled"
	kindEnabled           = "account.user.enabled"
	kindDeleted           = "account.user.deleted"
	kindAddressAdded      = "account.address.added"
	kindAddressRemoved    = "account.address.removed"
	kindPrimaryChanged    = "account.address.primary_changed"
	kindPasswordSet       = "account.password.set"
	kindPasswordChanged   = "account.password.changed"
	kindTermsAccepted     = "account.terms.accepted"
)

// Kind is what sort of user an account is for.
type Kind string

// The kinds of users. A person signs in; an anonymous one is a visitor who may become a person, with the same id; a
// service is a program, which has access keys and no password.
const (
	KindPerson    Kind = ""
	KindAnonymous Kind = "anonymous"
	KindService   Kind = "service"
)

// Address is a mail address of a user. It is always verified: one that is not yet waits in a ticket, so that nobody can
// keep an address from its owner by only naming it.
type Address struct {
	Email      string    `bson:"email"` // as written, for mail
	Key        string    `bson:"key"`   // normal form ([EmailKey]); unique over all users
	VerifiedAt time.Time `bson:"verifiedAt"`
}

// Terms is the version of the terms of use that a user accepted last.
type Terms struct {
	Version string    `bson:"version"`
	At      time.Time `bson:"at"`
}

// User is somebody with an account. The password is not part of it. Two users are not to be compared by ==.
type User struct {
	ID            string     `bson:"_id"`
	Kind          Kind       `bson:"kind"`
	Emails        []Address  `bson:"emails,omitempty"`      // the first is the primary one; at most [MaxAddresses]
	Username      string     `bson:"username,omitempty"`    // as written; empty when none
	UsernameKey   string     `bson:"usernameKey,omitempty"` // folded; unique
	Name          string     `bson:"name"`
	NameKey       string     `bson:"nameKey"`          // folded, for sorting
	Locale        string     `bson:"locale,omitempty"` // BCP 47, in its canonical form; empty when not known
	Terms         *Terms     `bson:"terms,omitempty"`
	DeactivatedAt *time.Time `bson:"deactivatedAt,omitempty"` // by the user
	DisabledAt    *time.Time `bson:"disabledAt,omitempty"`    // by an administrator; only one can undo it
	DeleteAfter   *time.Time `bson:"deleteAfter,omitempty"`   // when the grace period of a deletion ends
	HasPassword   bool       `bson:"-"`                       // derived from the stored hash at each read
	CreatedAt     time.Time  `bson:"createdAt"`
}

// Email is the primary address as written; empty when there is none.
func (u User) Email() string {
	if len(u.Emails) == 0 {
		return ""
	}
	return u.Emails[0].Email
}

// EmailKey is the normal form of the primary address; empty when there is none.
func (u User) EmailKey() string {
	if len(u.Emails) == 0 {
		return ""
	}
	return u.Emails[0].Key
}

// Ref is the user as a reference.
func (u User) Ref() ref.Ref { return ref.New(ref.User, u.ID) }

// String is the global id: printing a user tells nothing about the person.
func (u User) String() string { return u.Ref().String() }

// LogValue is the global id, for the same reason.
func (u User) LogValue() slog.Value { return slog.StringValue(u.String()) }

// address finds an address by its normal form; -1 when the user has no such one.
func (u User) address(key string) int {
	return slices.IndexFunc(u.Emails, func(a Address) bool { return a.Key == key })
}

// words are what everybody may know of the user: no part of a good password.
func (u User) words() []string {
	all := []string{u.UsernameKey, u.NameKey}
	for _, a := range u.Emails {
		all = append(all, a.Key)
	}
	return all
}
