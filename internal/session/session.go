package session

import (
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// ErrEnded is the answer to a token that is unknown, ended or expired: the three look the same.
var ErrEnded = fault.Define(fault.Unauthenticated, "SESSION_ENDED", "the session has ended; sign in again")

// Session is one sign-in of a user on one device. Its secret is an opaque random token of which only the hash is stored.
type Session struct {
	ID         string     `bson:"_id"`
	User       string     `bson:"user"`
	TokenHash  []byte     `bson:"tokenHash"` // SHA-256 of the token; unique
	CreatedAt  time.Time  `bson:"createdAt"`
	LastSeenAt time.Time  `bson:"lastSeenAt"` // to the minute: writes are throttled
	IdleUntil  time.Time  `bson:"idleUntil"`  // ends if unused until then
	ExpiresAt  time.Time  `bson:"expiresAt"`  // ends then whatever happens
	EndedAt    *time.Time `bson:"endedAt,omitempty"`
	UserAgent  string     `bson:"userAgent"`
	IP         string     `bson:"ip"`
}

// Ref is the session as a reference.
func (s Session) Ref() ref.Ref { return ref.New(ref.Session, s.ID) }

// Live reports whether the session counts at that time. It is the one place that decides it.
func (s Session) Live(at time.Time) bool {
	return s.EndedAt == nil && at.Before(s.IdleUntil) && at.Before(s.ExpiresAt)
}
