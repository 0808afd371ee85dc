// Package page is cursor paging as the Relay connection specification has it: what a caller asks for, what a page
// answers, and the opaque cursor between them. It knows nothing of GraphQL or of MongoDB.
package page

import (
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/backendbook/backendbook/internal/fault"
)

// The bounds of a page.
const (
	DefaultSize = 20
	MaxSize     = 100
)

// Errors of paging arguments.
var (
	ErrSize   = fault.Define(fault.Invalid, "PAGE_SIZE", "first and last must be between 1 and 100, and only one of them given")
	ErrCursor = fault.Define(fault.Invalid, "BAD_CURSOR", "this cursor was not made by this list")
)

// Args is what a caller asks for. The zero value is the first page of [DefaultSize].
type Args struct {
	First  *int
	After  *string
	Last   *int
	Before *string
}

// Window is a checked [Args]: Size items after or before a position, read backward or forward.
type Window struct {
	Size     int    // 1 to MaxSize
	Backward bool   // the last Size items before Before, instead of the first Size after After
	After    Cursor // nil: from the beginning
	Before   Cursor // nil: to the end
}

// Cursor is a position in a sorted list: the values of the sort keys of one item, the last of them unique.
// Only strings, float64 and bool survive a round trip through the client.
type Cursor []any

// Encode gives the opaque text of a position.
func (c Cursor) Encode() string {
	b, err := json.Marshal([]any(c))
	if err != nil {
		panic("page: a cursor of unencodable values: " + err.Error()) // the programmer's: cursors hold plain values
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Decode reads a position of exactly n string values, the form every list of this server uses.
//
// Errors: BAD_CURSOR.
func Decode(text string, n int) (Cursor, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) > 4096 {
		return nil, ErrCursor
	}
	var parts []string
	if json.Unmarshal(raw, &parts) != nil || len(parts) != n {
		return nil, ErrCursor
	}
	c := make(Cursor, n)
	for i, p := range parts {
		c[i] = p
	}
	return c, nil
}

// Check validates the arguments for a list whose cursors have n values.
//
// Errors: PAGE_SIZE, BAD_CURSOR.
func (a Args) Check(n int) (Window, error) {
	w := Window{Size: DefaultSize, Backward: a.Last != nil}
	size, name := a.First, "first"
	if a.Last != nil {
		if a.First != nil {
			return w, ErrSize.On("last")
		}
		size, name = a.Last, "last"
	}
	if size != nil {
		w.Size = *size
	}
	if w.Size < 1 || w.Size > MaxSize {
		return w, ErrSize.On(name)
	}
	var err error
	if a.After != nil {
		if w.After, err = Decode(*a.After, n); err != nil {
			return w, ErrCursor.On("after")
		}
	}
	if a.Before != nil {
		if w.Before, err = Decode(*a.Before, n); err != nil {
			return w, ErrCursor.On("before")
		}
	}
	return w, nil
}

// Page is one page of a list, in the order of the list whichever way it was read.
type Page[T any] struct {
	Items       []T
	Cursors     []string // of each item
	HasNext     bool
	HasPrevious bool
}

// Fold makes a page of what a store read for w: up to w.Size+1 items in the order they were read, where the one too
// many tells that there are more. at gives the position of an item.
func Fold[T any](w Window, read []T, at func(T) Cursor) Page[T] {
	more := len(read) > w.Size
	if more {
		read = read[:w.Size]
	}
	p := Page[T]{Items: read, HasNext: more, HasPrevious: w.After != nil}
	if w.Backward {
		slices.Reverse(p.Items)
		p.HasNext, p.HasPrevious = w.Before != nil, more
	}
	p.Cursors = make([]string, len(p.Items))
	for i, v := range p.Items {
		p.Cursors[i] = at(v).Encode()
	}
	return p
}
