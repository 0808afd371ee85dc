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
	PermRestore   = "registry.document.restore"
	PermPurge     = "registry.document.purge"
	PermRepair    = "registry.reference.repair"
	PermScan      = "registry.document.scan"
)

// Permissions describes the permissions of this package by key.
func Permissions() map[string]string {
	return map[string]string{
		PermTypeWrite: "make and change content types",
		PermRead:      "read content types and documents, and follow them live",
		PermCreate:    "make documents",
		PermUpdate:    "change documents",
		PermDelete:    "delete documents: they go to the trash",
		PermRestore:   "see the trash, and restore documents from it",
		PermPurge:     "delete documents for good",
		PermRepair:    "check that references and documents agree, and repair them",
		PermScan:      "filter and sort documents by fields that have no index",
	}
}

// FeatureDocuments is the plan feature that counts the documents a user owns.
const FeatureDocuments = "registry.documents"

// Bounds.
const (
	MaxTypes      = 500      // content types of an installation
	MaxDepth      = 20       // levels of a document's data
	MaxDataBytes  = 1 << 20  // of a document's data, as compact JSON
	MaxSchema     = 64 << 10 // bytes of a schema, as compact JSON
	MaxReferences = 1000     // of one document
	MaxResolve    = 200      // references resolved at once
)

// Errors of content types and documents.
var (
	ErrTypeTaken   = fault.Define(fault.Conflict, "CONTENT_TYPE_TAKEN", "there is a content type with this key already")
	ErrTypeLimit   = fault.Define(fault.Exhausted, "CONTENT_TYPE_LIMIT", "there are as many content types as this server keeps")
	ErrTypeUnknown = fault.Define(fault.Invalid, "CONTENT_TYPE_UNKNOWN", "there is no such content type")
	ErrSchema      = fault.Define(fault.Invalid, "SCHEMA_INVALID", "this is not a usable JSON Schema")
	ErrInvalid     = fault.Define(fault.Invalid, "DOCUMENT_INVALID", "the data is not valid by the schema of its content type")
	// ErrTypeRetired refuses what is not done with the documents of a type that is out of use.
	ErrTypeRetired = fault.Define(fault.Conflict, "CONTENT_TYPE_RETIRED", "this content type is out of use")
	// ErrTypeStale carries the version there is.
	ErrTypeStale = fault.Define(fault.Conflict, "CONTENT_TYPE_STALE", "the content type changed meanwhile; read it again")
	// ErrIncompatible carries the check: see [SchemaCheck].
	ErrIncompatible = fault.Define(fault.Conflict, "SCHEMA_INCOMPATIBLE", "documents there are would not be valid by this schema")
	// ErrStale carries rev, the current one, and fields, those that both have changed.
	ErrStale = fault.Define(fault.Conflict, "DOCUMENT_STALE", "the document changed meanwhile; read it again")
	// ErrDeleting says that a job is deleting the document with all that hangs on it.
	ErrDeleting = fault.Define(fault.Conflict, "DOCUMENT_DELETING", "the document is being deleted")
	// ErrRestore carries missing: what the documents would point at that is not there, as global ids.
	ErrRestore    = fault.Define(fault.Conflict, "RESTORE_BLOCKED", "what the document points at is not there any more")
	ErrRefType    = fault.Define(fault.Invalid, "REF_TYPE", "the reference may not point at an object of this kind")
	ErrRefMissing = fault.Define(fault.Invalid, "REF_TARGET_MISSING", "the reference points at nothing")
	// ErrField carries the field.
	ErrField = fault.Define(fault.Forbidden, "FIELD_FORBIDDEN", "you cannot write this field")
	// ErrScope ends a live list whose caller may see other documents or fields than when it began.
	ErrScope = fault.Define(fault.Conflict, "SCOPE_CHANGED", "what you may see has changed: follow anew")
	// ErrFilter carries a JSON Pointer into the filter.
	ErrFilter = fault.Define(fault.Invalid, "FILTER_INVALID", "this is not a usable filter")
	// ErrNotIndexed carries the field.
	ErrNotIndexed    = fault.Define(fault.Invalid, "NOT_INDEXED", "no index serves this list")
	ErrFilterBroad   = fault.Define(fault.Exhausted, "FILTER_TOO_BROAD", "a filter of targets selects too many of them")
	ErrRefRestricted = fault.Define(fault.Conflict, "REF_RESTRICTED", "other documents point at this one and forbid its deletion")
	ErrCascade       = fault.Define(fault.Conflict, "REF_CASCADE_TOO_LARGE", "too many documents would be deleted or changed along with this one")
)

// TypeState is whether a content type is in use.
type TypeState string

// The states.
const (
	Active  TypeState = "ACTIVE"
	Retired TypeState = "RETIRED" // no documents are made, and those there are look like objects of an unknown type
)

// ContentType is a kind of document. Its schema is a JSON Schema (2020-12) of type object. A property with the keyword
// `reference: {"to": [...], "onDelete": "..."}` holds the global id of another object.
type ContentType struct {
	ID        string         `bson:"_id"`
	Key       string         `bson:"key"`               // unique, also among the aliases
	Aliases   []string       `bson:"aliases,omitempty"` // keys it had before
	Name      string         `bson:"name"`
	State     TypeState      `bson:"state"`
	Schema    map[string]any `bson:"-"`       // stored as text: a schema has keys with $
	Version   int            `bson:"version"` // of the schema, from 1
	Native    bool           `bson:"-"`       // declared in the code, with a collection of its own
	CreatedAt time.Time      `bson:"createdAt"`
	Slots     map[string]int `bson:"slots,omitempty"` // of the indexed fields, by name: see [Field]
}

// Ref is the content type as a reference.
func (t ContentType) Ref() ref.Ref { return ref.New(ref.ContentType, t.ID) }

// OnDelete is what happens to a reference when its target is deleted.
type OnDelete string

// The rules. The default is Restrict.
const (
	Restrict OnDelete = "RESTRICT" // the target can't be deleted
	Cascade  OnDelete = "CASCADE"  // the document is deleted too
	SetNull  OnDelete = "SET_NULL" // the field is removed; where the schema requires it, as Restrict
	Keep     OnDelete = "KEEP"     // the reference stays and leads to a tombstone
)

// Author is who made a change.
type Author struct {
	User         ref.Ref `bson:"user"`                   // a user, or the system
	Impersonator ref.Ref `bson:"impersonator,omitempty"` // who acted as the user; zero for nobody
}

// Op is what made a revision.
type Op string

// The operations.
const (
	OpCreate  Op = "CREATE"
	OpUpdate  Op = "UPDATE"
	OpDetach  Op = "DETACH" // something it pointed at was deleted, by the rule SET_NULL
	OpRestore Op = "RESTORE"
	OpRevert  Op = "REVERT"
)

// Document is a piece of content. It is shared between readers: treat its data as immutable.
type Document struct {
	ID        string         `bson:"_id"`
	Type      string         `bson:"type"` // id of the content type
	Version   int            `bson:"v"`    // of the schema its data is written by
	Rev       int            `bson:"rev"`  // starts at 1, +1 on each change
	Label     string         `bson:"label"`
	Data      map[string]any `bson:"data"`               // of map[string]any, []any, string, int64, float64, bool and nil alone
	Owner     ref.Ref        `bson:"owner"`              // a user, or the system
	By        Author         `bson:"by"`                 // who made this revision
	Op        Op             `bson:"op"`                 // and how
	Deleting  string         `bson:"deleting,omitempty"` // the job that deletes it; empty for none
	Lifted    bool           `bson:"lifted,omitempty"`   // its data was brought to a newer version of the schema since it was written
	CreatedAt time.Time      `bson:"createdAt"`
	UpdatedAt time.Time      `bson:"updatedAt"`

	// What its indexes keep, made of the data by derive. No event and no answer holds it.
	Index  map[string]any `bson:"x,omitempty"`      // values of the indexed fields, by slot
	Words  string         `bson:"words,omitempty"`  // of the fields that are searched
	Prefix string         `bson:"prefix,omitempty"` // the label without case and accents
}

// Ref is the document as a reference.
func (d Document) Ref() ref.Ref { return ref.New(homeOf(d.Type), d.ID) }

// Reference is one reference held by a document: a row of its own, written with the document, so that backlinks and the
// rules of deletion are look-ups by index.
type Reference struct {
	ID       string   `bson:"_id"`
	From     ref.Ref  `bson:"from"`
	FromType string   `bson:"fromType"` // id of the content type of From
	Path     string   `bson:"path"`     // JSON Pointer into the data
	To       ref.Ref  `bson:"to"`
	OnDelete OnDelete `bson:"onDelete"`
}

// Tombstone remembers a deleted document that somebody still points at.
type Tombstone struct {
	Of        ref.Ref   `bson:"_id"`
	Label     string    `bson:"label"`
	DeletedAt time.Time `bson:"deletedAt"`
	Rev       int       `bson:"rev"` // the last one
	By        Author    `bson:"by"`
}

// documentFact is the data of the events created and updated.
type documentFact struct {
	Document Document  `bson:"document"`
	Cause    ref.Ref   `bson:"cause,omitempty"` // the deleted document that this one pointed at
	Links    []ref.Ref `bson:"links,omitempty"` // what it points at now and did not before, or the other way round
}

// deletedFact is the data of the event deleted.
type deletedFact struct {
	Type  string    `bson:"type"`
	Rev   int       `bson:"rev"` // one more than the last
	Label string    `bson:"label"`
	Owner ref.Ref   `bson:"owner"`
	Cause ref.Ref   `bson:"cause,omitempty"` // the document whose deletion took this one along
	Purge bool      `bson:"purge,omitempty"` // it is not in the trash
	Links []ref.Ref `bson:"links,omitempty"` // what it pointed at
}

// importedFact is the data of the event imported.
type importedFact struct {
	Documents []Document `bson:"documents"`
	Links     []ref.Ref  `bson:"links,omitempty"` // what they point at
}

// The kinds of events.
const (
	kindType     = "registry.type."
	kindCreated  = "registry.document.created"
	kindUpdated  = "registry.document.updated"
	kindDeleted  = "registry.document.deleted"
	kindRestored = "registry.document.restored"
	kindReverted = "registry.document.reverted"
	kindPurged   = "registry.document.purged" // from the trash
	kindImported = "registry.document.imported"
)
