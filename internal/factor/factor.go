package factor

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/label"
	"github.com/backendbook/backendbook/internal/ref"
)

// Errors of this package.
var (
	// ErrCode is the answer to every code that does not count: wrong, used, old, malformed, or of somebody who has none.
	ErrCode = fault.Define(fault.Invalid, "FACTOR_CODE_INVALID", "the code is wrong, was used already or is out of date")
	// ErrPasskey is the answer to every answer of an authenticator that does not count; which check failed is in its cause.
	ErrPasskey            = fault.Define(fault.Invalid, "PASSKEY_INVALID", "the passkey could not be verified; begin again")
	ErrPasskeyTaken       = fault.Define(fault.Conflict, "PASSKEY_TAKEN", "this passkey is registered already")
	ErrPasskeyUnsupported = fault.Define(fault.Conflict, "PASSKEY_UNSUPPORTED", "passkeys need a server whose public URL has a host name, not an IP address")
	ErrLimit              = fault.Define(fault.Conflict, "FACTOR_LIMIT", "there are as many second factors of this kind as one may have; remove one first")
)

// Kinds of this package's events.
const (
	kindAdded     = "factor.factor.added"
	kindRenamed   = "factor.factor.renamed"
	kindRemoved   = "factor.factor.removed"
	kindRegressed = "factor.passkey.counter_regressed"
	kindSetMade   = "factor.recovery_set.made"
	kindSetVoided = "factor.recovery_set.voided"
	kindCodeUsed  = "factor.recovery_code.used"
)

const (
	maxApps     = 5  // of one user; each more makes a guess more likely to be right
	maxPasskeys = 20 // of one user; parallel additions may pass it by a few
	maxLabel    = 64 // characters of what an authenticator shows

	enrolmentLife = 15 * time.Minute
	challengeLife = 5 * time.Minute

	defaultProduct = "Backend Book"
	defaultAppName = "Authenticator app"
	defaultKeyName = "Passkey"
)

// MaxName is how many characters the name of a factor may have.
const MaxName = 64

// Kind is the sort of a factor.
type Kind string

// The kinds. Recovery codes are no factor of their own: they stand in for one that is lost, and [Service.Of] never lists
// them.
const (
	TOTP     Kind = "totp"
	Passkey  Kind = "passkey"
	Recovery Kind = "recovery"
)

// Factor is an authenticator app or a passkey of a user. No secret is part of it.
type Factor struct {
	ID         string     `bson:"_id"`
	User       string     `bson:"user"`
	Kind       Kind       `bson:"kind"`
	Name       string     `bson:"name"` // given by its owner, at most MaxName characters
	CreatedAt  time.Time  `bson:"createdAt"`
	LastUsedAt *time.Time `bson:"lastUsedAt,omitempty"`
}

// Ref is the factor as a reference.
func (f Factor) Ref() ref.Ref { return ref.New(ref.Factor, f.ID) }

// Config tunes the service.
type Config struct {
	Product     string   // what authenticators show for this server; default "Backend Book"
	Origin      string   // of the pages that use passkeys, scheme://host[:port]; its host is their domain for good
	MoreOrigins []string // others that may use the same passkeys: sub-domains, or an app such as "android:apk-key-hash:…"
}

// about is the data of the events of a factor.
type about struct {
	User string `bson:"user"`
	Kind Kind   `bson:"kind"`
	Name string `bson:"name"`
}

func aboutOf(f Factor) about { return about{f.User, f.Kind, f.Name} }

// checkName is the name as stored, or the default for an empty one.
func checkName(name, otherwise string) (string, error) {
	if strings.TrimSpace(name) == "" {
		return otherwise, nil
	}
	return label.Check(name, MaxName)
}

// display is a text fit for an authenticator's screen: one line, not long. It is shown to its owner and decides nothing.
func display(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if label.IsUnprintable(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s))
	if runes := []rune(s); len(runes) > maxLabel {
		return string(runes[:maxLabel])
	}
	return s
}
