package account

import (
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// PermRead lets its holder read other users, mail addresses included.
const PermRead = "account.user.read"

// Errors of accounts.
var (
	ErrEmailTaken   = fault.Define(fault.Conflict, "EMAIL_TAKEN", "there is an account with this mail address already")
	ErrEmailInvalid = fault.Define(fault.Invalid, "EMAIL_INVALID", "this is not a mail address")
	ErrPasswordWeak = fault.Define(fault.Invalid, "PASSWORD_WEAK", "the password must have 8 to 128 characters and not be a common one")
	ErrCredentials  = fault.Define(fault.Unauthenticated, "BAD_CREDENTIALS", "mail address or password is wrong")
	ErrTooBusy      = fault.Define(fault.Exhausted, "TOO_BUSY", "too many people are signing in at once; try again in a moment")
)

// User is a person with an account.
type User struct {
	ID        string    `bson:"_id"`
	Email     string    `bson:"email"`    // as written, for mail
	EmailKey  string    `bson:"emailKey"` // normalised, unique
	Name      string    `bson:"name"`
	Password  string    `bson:"password"` // argon2id, PHC string; never leaves this package's API
	CreatedAt time.Time `bson:"createdAt"`
}

// Ref is the user as a reference.
func (u User) Ref() ref.Ref { return ref.New(ref.User, u.ID) }
