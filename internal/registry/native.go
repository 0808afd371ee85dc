package registry

import (
	"embed"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/backendbook/backendbook/internal/ref"
)

// Native is a content type that is declared in the code: it has a Go type, a GraphQL type and a collection of its own.
// In all else it is as those made at run time: its data is valid by its schema, which also checks it in MongoDB.
type Native struct {
	Type       string   // of references to its documents, and the id of the content type
	Key        string   // of the content type
	Name       string   // of the content type, and of the GraphQL type
	Collection string   // where the documents are
	Sealed     []string // members of the data that only the code writes
}

// natives are the content types of the code. Their schemas are the files below native.
var natives = []Native{
	{Type: ref.Note, Key: "core.note", Name: "Note", Collection: "notes"},
	{Type: ref.Task, Key: "core.task", Name: "Task", Collection: "tasks"},
	{Type: ref.Comment, Key: "core.comment", Name: "Comment", Collection: "comments"},
	{Type: ref.Tag, Key: "core.tag", Name: "Tag", Collection: "tags"},
	{
		Type: ref.Attachment, Key: "core.attachment", Name: "Attachment", Collection: "attachments",
		Sealed: []string{"contentType", "size", "sha256", "width", "height", "blob", "thumbnail", "scan"},
	},
	{Type: ref.Bookmark, Key: "core.bookmark", Name: "Bookmark", Collection: "bookmarks"},
	{Type: ref.Report, Key: "core.report", Name: "SavedReport", Collection: "saved_reports"},
	{Type: ref.Dashboard, Key: "core.dashboard", Name: "Dashboard", Collection: "dashboards"},
}

//go:embed native/*.json
var nativeSchemas embed.FS

// nativeTypes are the content types of the code by id, compiled when the program starts.
var nativeTypes = compileNatives()

func compileNatives() map[string]*compiled {
	all := make(map[string]*compiled, len(natives))
	for _, n := range natives {
		text, err := nativeSchemas.ReadFile("native/" + n.Type + ".json")
		if err != nil {
			panic("registry: " + err.Error())
		}
		t, err := compile(ContentType{
			ID: n.Type, Key: n.Key, Name: n.Name, State: Active, Version: 1, Native: true,
			CreatedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		}, text)
		if err != nil {
			panic(fmt.Sprintf("registry: the schema of %s: %v", n.Key, err))
		}
		t.seals = n.Sealed
		all[n.Type] = t
	}
	return all
}

// sealed refuses data that has other members than before which only the code writes.
//
// Errors: FIELD_FORBIDDEN with the field.
func (c *compiled) sealed(before, data map[string]any) error {
	for _, field := range c.seals {
		old, had := before[field]
		if v, has := data[field]; has != had || has && !reflect.DeepEqual(old, v) {
			return ErrField.With("field", field)
		}
	}
	return nil
}

// homeOf is the type of references to documents of a content type.
func homeOf(typeID string) string {
	if _, native := nativeTypes[typeID]; native {
		return typeID
	}
	return ref.Document
}

// IsDocument reports whether references of this type lead to documents.
func IsDocument(typ string) bool {
	_, native := nativeTypes[typ]
	return native || typ == ref.Document
}

// Homes are the types of references that lead to documents: [ref.Document] and those of the types of the code.
func Homes() []string {
	all := []string{ref.Document}
	for _, n := range natives {
		all = append(all, n.Type)
	}
	return all
}

// The documents of the content types of the code, as Go has them. All of them may point at any object.

// Note is a text about anything.
type Note struct {
	Document `json:"-"`

	Title string   `json:"title"`
	Body  string   `json:"body"`
	About []string `json:"about"` // global ids
}

// Task is something to be done.
type Task struct {
	Document `json:"-"`

	Title    string   `json:"title"`
	Body     string   `json:"body"`
	Status   string   `json:"status"`   // TODO, DOING or DONE
	DueOn    *string  `json:"dueOn"`    // a date, as 2026-01-02
	Assignee *string  `json:"assignee"` // global id of a user
	About    []string `json:"about"`    // global ids
}

// Comment is what somebody says on an object.
type Comment struct {
	Document `json:"-"`

	Text      string  `json:"text"`
	On        string  `json:"on"`        // global id
	InReplyTo *string `json:"inReplyTo"` // global id of a comment
}

// Tag is a word on objects.
type Tag struct {
	Document `json:"-"`

	Name  string   `json:"name"`
	Color *string  `json:"color"` // as #rrggbb
	On    []string `json:"on"`    // global ids
}

// Attachment is a file. What is in it is kept in the blob store.
type Attachment struct {
	Document `json:"-"`

	Name        string  `json:"name"`
	ContentType string  `json:"contentType"` // media type (RFC 6838), as found in the content
	Size        int     `json:"size"`        // in bytes
	SHA256      string  `json:"sha256"`      // of the content, in hex
	Width       *int    `json:"width"`       // of a picture, in pixels
	Height      *int    `json:"height"`
	Blob        string  `json:"blob"`      // key in the blob store
	Thumbnail   *string `json:"thumbnail"` // the same, of a small picture
	Scan        string  `json:"scan"`      // CLEAN, or NONE when no scanner is set up
	On          *string `json:"on"`        // global id
}

// Bookmark is an object somebody wants to find again.
type Bookmark struct {
	Document `json:"-"`

	On   string  `json:"on"` // global id
	Note *string `json:"note"`
}

// SavedReport is a report that can be run again: how it is shown, and its query.
type SavedReport struct {
	Document `json:"-"`

	Title       string         `json:"title"`
	Description string         `json:"description"`
	Kind        string         `json:"kind"`  // LINE, BAR, AREA, TABLE, VALUE, FUNNEL, RETENTION or PATHS
	Query       map[string]any `json:"query"` // the input of the report, the funnel and so on
}

// Dashboard is saved reports side by side.
type Dashboard struct {
	Document `json:"-"`

	Title       string  `json:"title"`
	Description string  `json:"description"`
	Template    *string `json:"template"` // that it was made from
	Tiles       []Tile  `json:"tiles"`
}

// Tile is the place of a report on a dashboard, in cells of a grid of 12 columns.
type Tile struct {
	Report *string `json:"report"` // global id; nil when it was deleted
	X      int     `json:"x"`
	Y      int     `json:"y"`
	W      int     `json:"w"`
	H      int     `json:"h"`
}

// AsNative gives a document of a content type of the code as its Go type, and any other as it is. Data that is hidden from
// the caller is missing: the fields are zero.
func AsNative(d Document) any {
	switch d.Type {
	case ref.Note:
		return decoded(d, &Note{Document: d})
	case ref.Task:
		return decoded(d, &Task{Document: d})
	case ref.Comment:
		return decoded(d, &Comment{Document: d})
	case ref.Tag:
		return decoded(d, &Tag{Document: d})
	case ref.Attachment:
		return decoded(d, &Attachment{Document: d})
	case ref.Bookmark:
		return decoded(d, &Bookmark{Document: d})
	case ref.Report:
		return decoded(d, &SavedReport{Document: d})
	case ref.Dashboard:
		return decoded(d, &Dashboard{Document: d})
	default:
		return d
	}
}

func decoded[T any](d Document, into *T) any {
	text, err := json.Marshal(d.Data)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		panic(fmt.Sprintf("registry: %s is not as its schema says: %v", d.Ref(), err)) // valid when it was written
	}
	return *into
}
