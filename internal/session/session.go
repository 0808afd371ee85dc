package session

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/token"
)

// Errors of sessions.
var (
	// ErrKnown is the cause of an ErrEnded for a secret that was good once: it is no guess. No client sees the difference.
	ErrKnown = errors.New("the secret was good once")
	// ErrLimit refuses a sign-in where a policy would rather refuse than end another session.
	ErrLimit = fault.Define(fault.Exhausted, "SESSION_LIMIT", "signed in on as many devices as are allowed; sign out on one first")
	// ErrImpersonated refuses what nobody may do in the place of another.
	ErrImpersonated = fault.Define(fault.Forbidden, "IMPERSONATION_FORBIDDEN", "whoever acts as somebody else may not do this")
	// ErrEnded is the answer to a token that is unknown, ended or expired: the three look the same.
	ErrEnded = fault.Define(fault.Unauthenticated, "SESSION_ENDED", "the session has ended; sign in again")
	// ErrReauth asks for a proof of identity that is younger than the session's last one.
	ErrReauth = fault.Define(fault.Forbidden, "REAUTH_REQUIRED", "prove again who you are, then repeat this")
)

// Kinds of this package's events.
const (
	kindStarted         = "session.session.started"
	kindElevated        = "session.session.elevated"
	kindRenewed         = "session.session.renewed"
	kindRenamed         = "session.session.renamed"
	kindEnded           = "session.session.ended"
	kindKeyCreated      = "session.key.created"
	kindKeyRevoked      = "session.key.revoked"
	kindDeviceAdded     = "session.device.added"
	kindDeviceTrusted   = "session.device.trusted"
	kindDeviceForgotten = "session.device.forgotten"
	kindImpersonated    = "session.impersonation.started"
	kindRoleActivated   = "session.role.activated"
	kindRoleReset       = "session.role.reset"
)

// The prefixes of this package's secrets.
const (
	sessionPrefix = "bbs_" // of access tokens too
	refreshPrefix = "bbr_"
	keyPrefix     = "bbk_"
	devicePrefix  = "bbd_"
)

// Kind tells what a session is the sign-in of.
type Kind string

// The kinds.
const (
	Interactive Kind = ""    // a person, in a browser or an app
	KindKey     Kind = "key" // a program with an access key: see [Key]
)

// Level is how much a proof of identity has shown.
type Level int

// The levels.
const (
	AnyProof   Level = iota // something, such as the password on a trusted device
	FullProof               // everything the account asks for
	TwoFactors              // two factors
)

// Session is one sign-in of a user on one device, or one access key. Its secret is not part of it.
type Session struct {
	ID         string       `bson:"_id"`
	User       string       `bson:"user"`
	Kind       Kind         `bson:"kind,omitempty"`
	CreatedAt  time.Time    `bson:"createdAt"`
	LastSeenAt time.Time    `bson:"lastSeenAt,omitempty"` // to Config.TouchEvery: writes are throttled; zero for a key never used
	IdleUntil  time.Time    `bson:"idleUntil"`            // ends if unused until then; keys have no such end before ExpiresAt
	ExpiresAt  time.Time    `bson:"expiresAt"`            // ends then whatever happens
	EndedAt    *time.Time   `bson:"endedAt,omitempty"`
	AuthAt     time.Time    `bson:"authAt,omitempty"`  // last full proof of identity, at sign-in or elevation; zero for keys
	Methods    string       `bson:"methods,omitempty"` // what was proved so far, RFC 8176 values with a space between: "pwd otp"
	Device     string       `bson:"device,omitempty"`  // id of the [Device]; empty when it is not known
	Label      string       `bson:"label,omitempty"`   // the name its owner gave it; empty for none
	UserAgent  string       `bson:"userAgent"`         // at sign-in, at most 256 bytes
	IP         string       `bson:"ip"`                // at sign-in
	Scope      *actor.Scope `bson:"-"`                 // what a key is limited to; nil for the sessions of people

	Level        Level         `bson:"level,omitempty"`        // how much the proof of AuthAt has shown
	Brief        bool          `bson:"brief,omitempty"`        // for the day: its user did not ask to stay signed in
	IdleFor      time.Duration `bson:"idleFor,omitempty"`      // how long it may be unused, in nanoseconds; zero: Config.Idle
	Impersonator string        `bson:"impersonator,omitempty"` // id of the user who acts as User in it; empty for most
	Parent       string        `bson:"parent,omitempty"`       // the impersonator's own session
	Reason       string        `bson:"reason,omitempty"`       // why somebody impersonates, in their words
	ReadOnly     bool          `bson:"readOnly,omitempty"`     // of an impersonation
	Role         string        `bson:"role,omitempty"`         // the role activated in it: see [Service.SetRole]
	Parked       bool          `bson:"parked,omitempty"`       // whether the parent's token was put away for the time
	TokenUntil   time.Time     `bson:"-"`                      // when the token that was shown ends; zero: with the session
}

// Ref is the session, or the key, as a reference.
func (s Session) Ref() ref.Ref {
	if s.Kind == KindKey {
		return ref.New(ref.Key, s.ID)
	}
	return ref.New(ref.Session, s.ID)
}

// Live reports whether the session counts at that time. It is the one place that decides it.
func (s Session) Live(at time.Time) bool {
	return s.EndedAt == nil && at.Before(s.IdleUntil) && at.Before(s.ExpiresAt)
}

// used is the session after a use at that time; idle is how long one without a limit of its own may be unused. Uses may
// arrive out of order; the latest counts.
func (s Session) used(at time.Time, idle time.Duration) Session {
	if at.After(s.LastSeenAt) {
		s.LastSeenAt = at
	}
	idle = least(idle, s.IdleFor)
	if until := at.Add(idle); until.After(s.IdleUntil) {
		s.IdleUntil = until
	}
	if s.IdleUntil.After(s.ExpiresAt) {
		s.IdleUntil = s.ExpiresAt
	}
	return s
}

// elevated is the session after another proof of identity at that time, which has shown so much.
func (s Session) elevated(at time.Time, methods string, level Level) Session {
	s.AuthAt, s.Level = at, level
	all := strings.Fields(s.Methods)
	for _, m := range strings.Fields(methods) {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	s.Methods = strings.Join(all, " ")
	return s
}

// parse reads a session's token or a key. It allocates nothing.
func parse(secret string) (token.Digest, Kind, bool) {
	if d, ok := token.Parse(sessionPrefix, secret); ok {
		return d, Interactive, true
	}
	d, ok := token.Parse(keyPrefix, secret)
	return d, KindKey, ok
}

const maxUserAgent = 256 // bytes

// cleanAgent makes what a client calls itself fit to be stored: the driver would write invalid UTF-8 as it is.
func cleanAgent(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxUserAgent)], "")
}

// Config tunes the service. Zero values mean the defaults written beside them.
type Config struct {
	Idle        time.Duration // a session unused for so long has ended; default 14 days
	Absolute    time.Duration // a session has ended after so long, used or not; default 30 days
	Brief       time.Duration // the same for a session whose user did not ask to stay signed in; default 12 h
	Access      time.Duration // an access token with a refresh token beside it is good for so long; default 15 min
	Overlap     time.Duration // for so long a used refresh token gives the same successor, and the access token before stays good; default 10 s
	Fresh       time.Duration // how old a proof of identity may be where a fresh one is asked for; default 5 min
	TouchEvery  time.Duration // how exactly the last use is known; default 1 min, at most half of Idle
	Recheck     time.Duration // how long an answer from memory is good without asking the database; default 5 s
	Tick        time.Duration // how often Run looks after things; default 1 s
	MaxSessions int           // live sessions of a user, keys apart: a sign-in ends those beyond it; default 50
	MaxCached   int           // sessions kept in memory, about 900 bytes each; default 50,000
	// Limit is a policy that holds for a user at this moment, whatever it was when the session began. It is asked at each
	// read of a session and looks into memory only. Nil for none.
	Limit func(user string) Policy
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	const day = 24 * time.Hour
	set(&c.Idle, 14*day)
	set(&c.Absolute, 30*day)
	set(&c.Brief, min(12*time.Hour, c.Absolute))
	set(&c.Access, 15*time.Minute)
	set(&c.Overlap, 10*time.Second)
	set(&c.Fresh, 5*time.Minute)
	set(&c.TouchEvery, min(time.Minute, c.Idle/2))
	set(&c.Recheck, 5*time.Second)
	set(&c.Tick, time.Second)
	if c.MaxSessions <= 0 {
		c.MaxSessions = 50
	}
	if c.MaxCached == 0 {
		c.MaxCached = 50_000
	}
	return c
}
