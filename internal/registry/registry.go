package registry

import (
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Permissions of this package.
const (
	PermTypeWrite = "registry.type.write"
	PermRead      = "registry.document.read"
	PermCreate    = "registry.document.create"
	PermUpdate    = "registry.document.update"
	PermDelete    = "registry.document.delete"
)

// FeatureDocuments is the plan feature that counts the documents a user owns.
const FeatureDocuments = "registry.documents"

// Errors of content types and documents.
var (
	ErrTypeTaken     = fault.Define(fault.Conflict, "CONTENT_TYPE_TAKEN", "there is a content type with this key already")
	ErrTypeUnknown   = fault.Define(fault.Invalid, "CONTENT_TYPE_UNKNOWN", "there is no such content type")
	ErrSchema        = fault.Define(fault.Invalid, "SCHEMA_INVALID", "this is not a usable JSON Schema")
	ErrInvalid       = fault.Define(fault.Invalid, "DOCUMENT_INVALID", "the data is not valid by the schema of its content type")
	ErrStale         = fault.Define(fault.Conflict, "DOCUMENT_STALE", "the document changed meanwhile; read it again")
	ErrRefType       = fault.Define(fault.Invalid, "REF_TYPE", "the reference may not point at an object of this kind")
	ErrRefMissing    = fault.Define(fault.Invalid, "REF_TARGET_MISSING", "the reference points at nothing")
	ErrRefRestricted = fault.Define(fault.Conflict, "REF_RESTRICTED", "other documents point at this one and forbid its deletion")
	ErrCascade       = fault.Define(fault.Conflict, "REF_CASCADE_TOO_LARGE", "too many documents would be deleted along with this one")
)

// ContentType is a kind of document. Its schema is a JSON Schema (2020-12) of type object. A property with the keyword
// `reference: {"to": [...], "onDelete": "..."}` holds the global id of another object.
type ContentType struct {
	ID        string         `bson:"_id"`
	Key       string         `bson:"key"` // unique
	Name      string         `bson:"name"`
	Schema    map[string]any `bson:"-"` // stored as text: a schema has keys with $
	Version   int            `bson:"version"`
	CreatedAt time.Time      `bson:"createdAt"`
}

// Ref is the content type as a reference.
func (t ContentType) Ref() ref.Ref { return ref.New(ref.ContentType, t.ID) }

// OnDelete is what happens to a reference when its target is deleted.
type OnDelete string

// The rules. The default is Restrict.
const (
	Restrict OnDelete = "RESTRICT" // the target can't be deleted
	Cascade  OnDelete = "CASCADE"  // the document is deleted too
	SetNull  OnDelete = "SET_NULL" // the field is removed
	Keep     OnDelete = "KEEP"     // the reference stays and leads to a tombstone
)

// Document is a piece of content.
type Document struct {
	ID        string         `bson:"_id"`
	Type      string         `bson:"type"` // id of the content type
	Rev       int            `bson:"rev"`  // starts at 1, +1 on each change
	Label     string         `bson:"label"`
	Data      map[string]any `bson:"data"`
	Owner     ref.Ref        `bson:"owner"` // a user, or the system
	CreatedAt time.Time      `bson:"createdAt"`
	UpdatedAt time.Time      `bson:"updatedAt"`
}

// Ref is the document as a reference.
func (d Document) Ref() ref.Ref { return ref.New(ref.Document, d.ID) }

// Reference is one reference held by a document: a row of its own, written with the document, so that backlinks and the
// rules of deletion are look-ups by index.
type Reference struct {
	ID       string   `bson:"_id"`
	From     ref.Ref  `bson:"from"`
	Path     string   `bson:"path"` // JSON Pointer into the data
	To       ref.Ref  `bson:"to"`
	OnDelete OnDelete `bson:"onDelete"`
}

// Tombstone remembers a deleted document that somebody still points at.
type Tombstone struct {
	Of        ref.Ref   `bson:"_id"`
	Label     string    `bson:"label"`
	DeletedAt time.Time `bson:"deletedAt"`
}

// List is the state of a live list: the newest documents of a content type, newest first.
type List struct{ Documents []Document }

// ListOp is what a change did to a list.
type ListOp string

// The operations.
const (
	Enter  ListOp = "ENTER"
	Leave  ListOp = "LEAVE"
	Update ListOp = "UPDATE"
)

// ListChange is one change of a live list.
type ListChange struct {
	Op       ListOp
	ID       ref.Ref
	Index    int       // after the change; -1 when it left
	Document *Document // nil when it left
}

// ListDelta are changes of a live list, to be applied in order.
type ListDelta struct{ Changes []ListChange }
