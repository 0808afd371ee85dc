package attachment

import (
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// TypeKey is the key of the content type of attachments.
const TypeKey = "core.attachment"

// FeatureBytes is the plan feature that counts the bytes of the attachments a user owns.
const FeatureBytes = "registry.attachment_bytes"

// Errors of attachments.
var (
	ErrTooLarge = fault.Define(fault.Invalid, "ATTACHMENT_TOO_LARGE", "the file is larger than allowed")
	ErrType     = fault.Define(fault.Invalid, "ATTACHMENT_TYPE", "files of this type are not allowed")
	ErrMismatch = fault.Define(fault.Invalid, "ATTACHMENT_MISMATCH", "the file is not what its name or its declared type says")
	ErrName     = fault.Define(fault.Invalid, "ATTACHMENT_NAME", "a file has a name of 1 to 200 characters without slashes or control characters")
	ErrImage    = fault.Define(fault.Invalid, "ATTACHMENT_IMAGE", "the image is damaged or has too many pixels")
	ErrBody     = fault.Define(fault.Invalid, "ATTACHMENT_INCOMPLETE", "the upload broke before the file was whole")
	ErrInfected = fault.Define(fault.Invalid, "ATTACHMENT_INFECTED", "the file holds malware and was not stored")
	ErrScanner  = fault.Define(fault.Unavailable, "SCANNER_UNREACHABLE", "the file could not be checked for malware; try again")
	ErrLink     = fault.Define(fault.Forbidden, "ATTACHMENT_LINK", "the link is not valid or has expired")
)

// Attachment is what an upload has made.
type Attachment struct {
	ID          string // of the document
	Name        string
	ContentType string
	Size        int64
	SHA256      string
	Width       int // 0 for what is no image
	Height      int
	Thumbnail   bool // whether there is one
}

// Ref is the attachment's document as a reference.
func (a Attachment) Ref() ref.Ref { return ref.New(ref.Attachment, a.ID) }

// Link leads to content for a time.
type Link struct {
	URL       string // a path with a query, from the root of the server
	ExpiresAt time.Time
}

// file is content as it was stored.
type file struct {
	Key         string `bson:"key"`
	ContentType string `bson:"contentType"`
	Size        int64  `bson:"size"`
	SHA256      string `bson:"sha256"`
}

// kept is what is served for a document.
type kept struct {
	ID        string    `bson:"_id"` // of the document
	Name      string    `bson:"name"`
	Content   file      `bson:"content"`
	Thumbnail *file     `bson:"thumbnail,omitempty"`
	Owner     ref.Ref   `bson:"owner"`
	CreatedAt time.Time `bson:"createdAt"`
}

// keys are all that it keeps.
func (k kept) keys() []string {
	if k.Thumbnail == nil {
		return []string{k.Content.Key}
	}
	return []string{k.Content.Key, k.Thumbnail.Key}
}
