package session

import (
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// ErrEnded is the answer to a token that is unknown, ended or expired: the three look the same.
var ErrEnded = fault.Define(fault.Unauthenticated, "SESSION_ENDED", "the session has ended; sign in again")

// Kinds of this package's events.
const (
	kindStarted = "session.session.started"
	kindEnded   = "session.session.ended"
)

// Session is one sign-in of a user on one device. Its secret is not part of it.
type Session struct {
	ID         string     `bson:"_id"`
	User       string     `bson:"user"`
	CreatedAt  time.Time  `bson:"createdAt"`
	LastSeenAt time.Time  `bson:"lastSeenAt"` // to Config.TouchEvery: writes are throttled
	IdleUntil  time.Time  `bson:"idleUntil"`  // ends if unused until then
	ExpiresAt  time.Time  `bson:"expiresAt"`  // ends then whatever happens
	EndedAt    *time.Time `bson:"endedAt,omitempty"`
	UserAgent  string     `bson:"userAgent"` // at sign-in, at most 256 bytes
	IP         string     `bson:"ip"`        // at sign-in
}

// Ref is the session as a reference.
func (s Session) Ref() ref.Ref { return ref.New(ref.Session, s.ID) }

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

const maxUserAgent = 256 // bytes

// cleanAgent makes what a client calls itself fit to be stored: the driver would write invalid UTF-8 as it is.
func cleanAgent(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxUserAgent)], "")
}

// Config tunes the service. Zero values mean the defaults written beside them.
type Config struct {
	Idle       time.Duration // a session unused for so long has ended; default 14 days
	Absolute   time.Duration // a session has ended after so long, used or not; default 30 days
	TouchEvery time.Duration // how exactly the last use is known; default 1 min, at most half of Idle
	Recheck    time.Duration // how long an answer from memory is good without asking the database; default 5 s
	Tick       time.Duration // how often Run looks after things; default 1 s
	MaxCached  int           // sessions kept in memory, about 500 bytes each; default 50,000
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
	set(&c.TouchEvery, min(time.Minute, c.Idle/2))
	set(&c.Recheck, 5*time.Second)
	set(&c.Tick, time.Second)
	if c.MaxCached == 0 {
		c.MaxCached = 50_000
	}
	return c
}
