// Package ref is the one way to point at a thing: a type and an id. The same value is a Relay global id, a generic
// foreign key, the object of a grant, the subject of a live channel and the subject of an audit entry.
package ref

import (
	"strings"

	"github.com/google/uuid"

	"github.com/backendbook/backendbook/internal/fault"
)

// ErrID is returned for a text that is no id this server could have made.
var ErrID = fault.Define(fault.Invalid, "BAD_ID", "this is not the id of anything")

// The types that exist. A type names a kind of object, never a user-made content type: those are objects themselves,
// so renaming one rewrites no reference.
const (
	User        = "user"
	Session     = "session"
	Key         = "key"      // an access key of a program
	Device      = "device"   // a browser somebody has signed in from
	Factor      = "factor"   // an authenticator app or a passkey
	Identity    = "identity" // an account at another provider
	Role        = "role"
	Grant       = "grant"
	ObjectGrant = "object_grant" // of a permission on one object
	Predicate   = "predicate"
	FieldRule   = "field_rule"
	Plan        = "plan"
	Membership  = "membership"
	LedgerEntry = "ledger_entry" // of money
	ContentType = "content_type"
	Document    = "document" // of a content type made at run time; those declared in code follow
	Note        = "note"
	Task        = "task"
	Comment     = "comment"
	Tag         = "tag"
	Attachment  = "attachment"
	Bookmark    = "bookmark"
	Report      = "report"
	Dashboard   = "dashboard"
	Revision    = "revision" // of a document; its id is that of the document, a dot and the number
	Metric      = "metric"
	EventSource = "event_source" // an ingest key
	EventType   = "event_type"   // its id is the name of the events
	Topic       = "topic"        // of broadcast; its id is its key
	Job         = "job"
	Schedule    = "schedule" // of a report or a dashboard by mail
	Alert       = "alert"    // on a report
	System      = "system"   // the server itself; its id is System too
)

// Ref points at one object. Ids are never reused, so a Ref means the same thing for ever.
// The zero Ref points at nothing.
type Ref struct {
	Type string `bson:"type" json:"type"`
	ID   string `bson:"id" json:"id"`
}

// New makes a Ref.
func New(typ, id string) Ref { return Ref{Type: typ, ID: id} }

// NewID makes the id of a new object: a UUID version 7 (RFC 9562) as text, so ids sort by the time they were made.
// Within one process ids strictly ascend.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// IsZero reports whether r points at nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// String is the global id of the object, "type:id". Clients treat it as opaque.
func (r Ref) String() string {
	if r.IsZero() {
		return ""
	}
	return r.Type + ":" + r.ID
}

// Parse reads a global id. It checks the form only, not that the object exists.
//
// Errors: BAD_ID.
func Parse(global string) (Ref, error) {
	typ, id, ok := strings.Cut(global, ":")
	if !ok || len(global) > 128 || !isName(typ) || !isName(id) {
		return Ref{}, ErrID
	}
	return Ref{Type: typ, ID: id}, nil
}

// ParseAs reads a global id that must be of one type and gives the bare id.
//
// Errors: BAD_ID, also for an id of another type.
func ParseAs(typ, global string) (string, error) {
	r, err := Parse(global)
	if err != nil || r.Type != typ {
		return "", ErrID
	}
	return r.ID, nil
}

// IsKey reports whether s can be the key of something: 2 to 64 of a-z, 0-9, dot, dash and underscore.
func IsKey(s string) bool { return isName(s) && len(s) >= 2 && len(s) <= 64 }

// isName allows the letters of our types, of UUIDs and of the few well-known ids; so no id can carry an operator,
// a path or a control character anywhere.
func isName(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != ""
}
