// Package fault is the one vocabulary of errors: every error that crosses a package boundary on purpose is a [*Error]
// with a stable code, and everything else is an internal error that no client ever sees.
//
// A domain defines its codes once, as package variables, with [Define]. The catalogue of all of them is printed to
// docs/errors.md by `backendbook docs errors`, and a test keeps that page fresh.
package fault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
)

// Kind is the closed classification of an error. It decides the HTTP status and the level of the log line.
type Kind uint8

// The kinds. The zero value is Internal, so an unclassified error is never shown.
const (
	Internal        Kind = iota
	Invalid              // the request itself is wrong; sending it again changes nothing
	Unauthenticated      // nobody is signed in, or the credential is not good
	Forbidden            // somebody is signed in, and may not
	NotFound             // there is no such thing, or the caller may not know of it
	Conflict             // the state changed or does not allow it now
	Exhausted            // a rate, a quota or a queue is used up
	Timeout              // the deadline passed first
	Unavailable          // a dependency does not answer; a retry may work
	Canceled             // the client went away
)

var kinds = [...]struct {
	Name  string
	HTTP  int
	Level slog.Level
}{
	Internal:        {"INTERNAL", 500, slog.LevelError},
	Invalid:         {"INVALID", 422, slog.LevelDebug},
	Unauthenticated: {"UNAUTHENTICATED", 401, slog.LevelDebug},
	Forbidden:       {"FORBIDDEN", 403, slog.LevelInfo},
	NotFound:        {"NOT_FOUND", 404, slog.LevelDebug},
	Conflict:        {"CONFLICT", 409, slog.LevelDebug},
	Exhausted:       {"EXHAUSTED", 429, slog.LevelInfo},
	Timeout:         {"TIMEOUT", 504, slog.LevelWarn},
	Unavailable:     {"UNAVAILABLE", 503, slog.LevelError},
	Canceled:        {"CANCELED", 499, slog.LevelDebug},
}

// HTTP is the status a plain HTTP endpoint answers with. GraphQL answers keep the specification's own statuses.
func (k Kind) HTTP() int { return kinds[k].HTTP }

// Level is the level the edge logs an error of this kind at.
func (k Kind) Level() slog.Level { return kinds[k].Level }

// String is the name of the kind in upper case.
func (k Kind) String() string { return kinds[k].Name }

// Error is the only error type that crosses a package boundary on purpose. It is immutable: the methods copy.
type Error struct {
	Kind    Kind
	Code    string         // SCREAMING_SNAKE; stable, never reused
	Msg     string         // safe to show to any caller
	Field   string         // dotted input path such as "input.plan"; empty when none
	Details map[string]any // more for the client to branch on, such as limit and resetsAt; nil when none
	Err     error          // cause: logged, never sent
}

// Error is the message for a log: code, message, cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Msg, e.Err)
	}
	return e.Code + ": " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches by code, so a sentinel survives [Error.Because], [Error.On] and [Error.With].
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Because is e with a cause for the log.
func (e *Error) Because(err error) *Error { c := *e; c.Err = err; return &c }

// On is e blamed on one input field, such as "input.email".
func (e *Error) On(field string) *Error { c := *e; c.Field = field; return &c }

// Saying is e with a message for this case. It is shown to the client.
func (e *Error) Saying(format string, args ...any) *Error {
	c := *e
	c.Msg = fmt.Sprintf(format, args...)
	return &c
}

// With is e with one more detail for the client, shown under extensions.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Details = maps.Clone(e.Details)
	if c.Details == nil {
		c.Details = map[string]any{}
	}
	c.Details[key] = value
	return &c
}

// The errors that belong to no domain.
var (
	ErrInternal        = Define(Internal, "INTERNAL", "something went wrong on our side; the request id finds it in the log")
	ErrInput           = Define(Invalid, "BAD_USER_INPUT", "the input is not valid")
	ErrUnauthenticated = Define(Unauthenticated, "UNAUTHENTICATED", "sign in first")
	ErrForbidden       = Define(Forbidden, "FORBIDDEN", "you are not allowed to do this")
	ErrNotFound        = Define(NotFound, "NOT_FOUND", "there is no such object")
	ErrTimeout         = Define(Timeout, "DEADLINE_EXCEEDED", "the deadline of the request passed before the answer was ready")
	ErrUnavailable     = Define(Unavailable, "UNAVAILABLE", "a service this request needs does not answer; try again")
	ErrCanceled        = Define(Canceled, "CANCELED", "the request was cancelled by its sender")
)

// catalogue holds every defined error. It is filled while packages initialise and only read afterwards.
var catalogue = struct {
	sync.Mutex
	byCode map[string]*Error
}{byCode: map[string]*Error{}}

// Define enters a code into the catalogue and gives its sentinel. It panics on a code that is not SCREAMING_SNAKE or is
// taken: both are mistakes of the programmer, found by any test of the package.
func Define(k Kind, code, msg string) *Error {
	for _, r := range code {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			panic("fault: code is not SCREAMING_SNAKE: " + code)
		}
	}
	catalogue.Lock()
	defer catalogue.Unlock()
	if _, taken := catalogue.byCode[code]; taken || code == "" {
		panic("fault: code is empty or defined twice: " + code)
	}
	e := &Error{Kind: k, Code: code, Msg: msg}
	catalogue.byCode[code] = e
	return e
}

// Catalogue lists every defined error, by code.
func Catalogue() []*Error {
	catalogue.Lock()
	defer catalogue.Unlock()
	all := slices.Collect(maps.Values(catalogue.byCode))
	slices.SortFunc(all, func(a, b *Error) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
	return all
}

// From classifies any error. A context's end becomes DEADLINE_EXCEEDED or CANCELED; what nobody classified becomes
// INTERNAL with the error as its hidden cause. From(nil) is nil.
func From(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout.Because(err)
	case errors.Is(err, context.Canceled):
		return ErrCanceled.Because(err)
	default:
		return ErrInternal.Because(err)
	}
}
