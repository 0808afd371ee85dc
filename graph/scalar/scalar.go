// Package scalar maps the schema's scalars to Go: ID to ref.Ref, Time to time.Time in UTC, JSON to a checked map.
package scalar

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// MarshalID writes the global id of an object.
func MarshalID(r ref.Ref) graphql.Marshaler { return graphql.MarshalString(r.String()) }

// UnmarshalID reads a global id.
//
// Errors: BAD_ID.
func UnmarshalID(v any) (ref.Ref, error) {
	s, ok := v.(string)
	if !ok {
		return ref.Ref{}, ref.ErrID
	}
	return ref.Parse(s)
}

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// MarshalTime writes a time in UTC with milliseconds.
func MarshalTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		b := make([]byte, 0, len(timeLayout)+2)
		b = append(b, '"')
		b = t.UTC().AppendFormat(b, timeLayout)
		_, _ = w.Write(append(b, '"'))
	})
}

// UnmarshalTime reads an RFC 3339 time and cuts it to the millisecond.
//
// Errors: BAD_USER_INPUT.
func UnmarshalTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, fault.ErrInput.Saying("a Time is a text")
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fault.ErrInput.Saying("a Time is written as in RFC 3339, such as 2026-01-02T03:04:05Z")
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// Bounds of a JSON value.
const (
	maxDepth = 20
	maxNodes = 20_000
)

// MarshalJSON writes a JSON object.
func MarshalJSON(v map[string]any) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		b, err := json.Marshal(v)
		if err != nil { // a value JSON has no form for, such as NaN: it can only have been stored by another program
			b = []byte("null")
		}
		_, _ = w.Write(b)
	})
}

// UnmarshalJSON checks a JSON object: its size, and that no key at any depth could be an operator or a path of MongoDB.
//
// Errors: BAD_USER_INPUT.
func UnmarshalJSON(v any) (map[string]any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fault.ErrInput.Saying("a JSON object is expected")
	}
	nodes := 0
	if err := check(m, 1, &nodes); err != nil {
		return nil, err
	}
	return m, nil
}

func check(v any, depth int, nodes *int) error {
	if *nodes++; depth > maxDepth || *nodes > maxNodes {
		return fault.ErrInput.Saying("the JSON value is too large or nested more than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if !GoodKey(k) {
				return fault.ErrInput.Saying("a JSON key must not be empty, begin with $ or hold a dot or NUL")
			}
			if err := check(e, depth+1, nodes); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := check(e, depth+1, nodes); err != nil {
				return err
			}
		}
	}
	return nil
}

// GoodKey reports whether a key of user data can be stored without meaning anything to MongoDB.
func GoodKey(k string) bool { return k != "" && k[0] != '$' && !strings.ContainsAny(k, ".\x00") }
