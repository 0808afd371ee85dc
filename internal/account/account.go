package account

import (
	"log/slog"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// PermRead lets its holder read other users, mail addresses included.
const PermRead = "account.user.read"

// Permissions are the rights this package asks for, with what they mean.
func Permissions() map[string]string {
	return map[string]string{PermRead: "Read every user, mail addresses included."}
}

// Errors of accounts.
var (
	ErrEmailTaken   = fault.Define(fault.Conflict, "EMAIL_TAKEN", "there is an account with this mail address already")
	ErrEmailInvalid = fault.Define(fault.Invalid, "EMAIL_INVALID", "this is not a mail address")
	ErrPasswordWeak = fault.Define(fault.Invalid, "PASSWORD_WEAK", "the password must have 8 to 128 characters and not be a common one")
	ErrCredentials  = fault.Define(fault.Unauthenticated, "BAD_CREDENTIALS", "mail address or password is wrong")
	ErrTooBusy      = fault.Define(fault.Exhausted, "TOO_BUSY", "too many people are signing in at once; try again in a moment")
)

// The bounds of what a user may be called.
const (
	MaxEmail = 254 // bytes, RFC 5321
	MaxName  = 100 // characters
)

// Kinds of this package's events.
const (
	kindCreated     = "account.user.created"
	kindPasswordSet = "account.password.set"
)

// User is a person with an account. The password is not part of it.
type User struct {
	ID        string    `bson:"_id"`
	Email     string    `bson:"email"`              // as written, for mail
	EmailKey  string    `bson:"emailKey,omitempty"` // normal form; unique
	Name      string    `bson:"name"`
	NameKey   string    `bson:"nameKey"` // folded, for sorting
	CreatedAt time.Time `bson:"createdAt"`
}

// Ref is the user as a reference.
func (u User) Ref() ref.Ref { return ref.New(ref.User, u.ID) }

// String is the global id: printing a user tells nothing about the person.
func (u User) String() string { return u.Ref().String() }

// LogValue is the global id, for the same reason.
func (u User) LogValue() slog.Value { return slog.StringValue(u.String()) }

// EmailKey checks a bare mail address and gives the form addresses are compared in: NFKC and case fold, so `A@x.io`,
// `a@x.io` and `ａ@x.io` are one. Surrounding space is ignored. Quoted local parts, comments, address literals and
// characters that cannot be seen are refused: nobody has them by accident.
//
// Errors: EMAIL_INVALID.
func EmailKey(address string) (string, error) {
	address = strings.TrimSpace(address)
	key := fold(address)
	if !isAddress(address) || !isAddress(key) { // folding can make an '@' or a space of a look-alike
		return "", ErrEmailInvalid
	}
	return key, nil
}

func isAddress(s string) bool {
	if len(s) > MaxEmail || !utf8.ValidString(s) || strings.Count(s, "@") != 1 || strings.ContainsAny(s, `"[]()<> `) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s && !strings.ContainsFunc(s, isHidden)
}

// checkName trims a display name.
//
// Errors: BAD_USER_INPUT.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	n := utf8.RuneCountInString(name)
	if n < 1 || n > MaxName || !utf8.ValidString(name) {
		return "", fault.ErrInput.Saying("the name must have 1 to %d characters", MaxName).On("input.name")
	}
	if strings.ContainsFunc(name, isUnprintable) {
		return "", fault.ErrInput.Saying("the name must not hold control characters").On("input.name")
	}
	return name, nil
}

// isUnprintable covers controls, line ends and the marks that turn the direction of the text around them.
func isUnprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// isHidden covers everything that takes no room on a screen, so that two addresses cannot look the same by it.
func isHidden(r rune) bool {
	return isUnprintable(r) || unicode.In(r, unicode.Cf, unicode.Z, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// fold is the normal form for comparing: what looks the same up to case and compatibility becomes the same. Folding can
// undo a normalisation and the other way round, so it is done until nothing changes: fold(fold(s)) == fold(s).
func fold(s string) string {
	for range 4 {
		next := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		if next == s {
			break
		}
		s = next
	}
	return s
}

// nameKey is the sort key of a name, cut so that a cursor that holds it stays small.
func nameKey(name string) string {
	key := []rune(fold(name))
	return string(key[:min(len(key), MaxName)])
}
