package social

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/ticket"
)

// The errors of this package.
var (
	ErrProvider    = fault.Define(fault.NotFound, "PROVIDER_UNKNOWN", "there is no sign-in provider of that name")
	ErrUnavailable = fault.Define(fault.Unavailable, "PROVIDER_UNAVAILABLE", "the provider cannot be used at the moment; try again later or sign in another way")
	ErrReturnTo    = fault.Define(fault.Invalid, "RETURN_TO_INVALID", "where to go afterwards must be a path of this site, such as /settings")
	ErrState       = fault.Define(fault.Invalid, "OAUTH_STATE_INVALID", "this sign-in was not begun in this browser, was finished already or took too long; begin again")
	ErrDenied      = fault.Define(fault.Unauthenticated, "OAUTH_DENIED", "the sign-in at the provider was cancelled or refused")
	ErrAnswer      = fault.Define(fault.Unauthenticated, "OAUTH_FAILED", "what the provider answered is not valid; begin again")
	ErrTaken       = fault.Define(fault.Conflict, "IDENTITY_TAKEN", "this account of the provider belongs to another user here")
)

const (
	// TicketKind is the kind of the tickets of sign-ins on their way; their subject is [BeginCmd.LinkUser].
	TicketKind ticket.Kind = "oauth"

	// CallbackPath is where providers send browsers back to, with the key of the provider behind it. It must be registered
	// there.
	CallbackPath = "/auth/callback/"

	// AttemptTTL is how long a sign-in may be on its way.
	AttemptTTL = 10 * time.Minute
)

const (
	kindLinked   = "social.identity.linked"
	kindUnlinked = "social.identity.unlinked"
)

// Claims is what a provider says of a person who signed in there just now.
type Claims struct {
	Provider      string // its key in our configuration
	Issuer        string // whose Subject it is; with it the only name of the person that lasts
	Subject       string // 1 to 255 bytes
	Email         string // as written there; empty when it has none or does not tell
	EmailVerified bool   // whether the provider has seen the person read mail there; false without an address
	Name          string // for display, at most 100 characters; may be empty
}

// Identity says that the account Subject at Issuer belongs to User. It is never changed but for Email and LastUsedAt.
type Identity struct {
	ID         string     `bson:"_id"`
	User       string     `bson:"user"`
	Provider   string     `bson:"provider"` // through which it was linked
	Issuer     string     `bson:"issuer"`
	Subject    string     `bson:"subject"`
	Email      string     `bson:"email,omitempty"` // as the provider said last; for display alone
	CreatedAt  time.Time  `bson:"createdAt"`
	LastUsedAt *time.Time `bson:"lastUsedAt,omitempty"` // last sign-in with it; nil before the first
}

// Ref is the identity as a reference.
func (i Identity) Ref() ref.Ref { return ref.New(ref.Identity, i.ID) }

// about is the data of this package's events. The subject is in it because only that tells which account it was.
type about struct {
	User     string `bson:"user"`
	Provider string `bson:"provider"`
	Issuer   string `bson:"issuer"`
	Subject  string `bson:"subject"`
}

func (i Identity) about() about { return about{i.User, i.Provider, i.Issuer, i.Subject} }

const (
	maxSubject = 255 // bytes, as OpenID Connect has it
	maxEmail   = 254 // bytes, RFC 5321
	maxName    = 100 // characters
)

// tidy cleans what a provider wrote for people to read. A strange address is none; a strange name loses what is strange.
//
// Errors: OAUTH_FAILED for a subject that cannot be one.
func (c Claims) tidy() (Claims, error) {
	if c.Subject == "" || len(c.Subject) > maxSubject || strings.ContainsFunc(c.Subject, hidden) || !utf8.ValidString(c.Subject) {
		return Claims{}, refuse("the subject is missing, too long or not text")
	}
	c.Email = strings.TrimSpace(c.Email)
	odd := func(r rune) bool { return hidden(r) || unicode.IsSpace(r) }
	if len(c.Email) > maxEmail || strings.Count(c.Email, "@") != 1 || strings.ContainsFunc(c.Email, odd) || !utf8.ValidString(c.Email) {
		c.Email = ""
	}
	c.EmailVerified = c.EmailVerified && c.Email != ""
	shown := strings.Map(func(r rune) rune {
		if hidden(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(c.Name, ""))
	name := []rune(strings.TrimSpace(shown))
	c.Name = strings.TrimSpace(string(name[:min(len(name), maxName)]))
	return c, nil
}

// hidden reports whether r is a character that does something instead of being seen.
func hidden(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
