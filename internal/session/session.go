package session

import (
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
	// ErrEnded is the answer to a token that is unknown, ended or expired: the three look the same.
	ErrEnded = fault.Define(fault.Unauthenticated, "SESSION_ENDED", "the session has ended; sign in again")
	// ErrReauth asks for a proof of identity that is younger than the session's last one.
	ErrReauth = fault.Define(fault.Forbidden, "REAUTH_REQUIRED", "prove again who you are, then repeat this")
)

// Kinds of this package's events.
const (
	kindStarted         = "session.session.started"
	kindElevated        = "session.session.elevated"
	kindRenamed         = "session.session.renamed"
	kindEnded           = "session.session.ended"
	kindKeyCreated      = "session.key.created"
	kindKeyRevoked      = "session.key.revoked"
	kindDeviceAdded     = "session.device.added"
	kindDeviceTrusted   = "session.device.trusted"
	kindDeviceForgotten = "session.device.forgotten"
)

// The prefixes of this package's secrets.
const (
	sessionPrefix = "bbs_"
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

// used is the session after a use at that time. Uses may arrive out of order; the latest counts.
func (s Session) used(at time.Time, idle time.Duration) Session {
	if at.After(s.LastSeenAt) {
		s.LastSeenAt = at
	}
	if until := at.Add(idle); until.After(s.IdleUntil) {
		s.IdleUntil = until
	}
	if s.IdleUntil.After(s.ExpiresAt) {
		s.IdleUntil = s.ExpiresAt
	}
	return s
}

// elevated is the session after another proof of identity at that time.
func (s Session) elevated(at time.Time, methods string) Session {
	s.AuthAt = at
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
	Fresh       time.Duration // how old a proof of identity may be where a fresh one is asked for; default 5 min
	TouchEvery  time.Duration // how exactly the last use is known; default 1 min, at most half of Idle
	Recheck     time.Duration // how long an answer from memory is good without asking the database; default 5 s
	Tick        time.Duration // how often Run looks after things; default 1 s
	MaxSessions int           // live sessions of a user, keys apart: a sign-in ends those beyond it; default 50
	MaxCached   int           // sessions kept in memory, about 700 bytes each; default 50,000
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
