package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// Errors of plain HTTP.
var (
	ErrCrossOrigin = fault.Define(fault.Forbidden, "CROSS_ORIGIN", "another site may not make a browser send this")
	ErrNoRoute     = fault.Define(fault.NotFound, "NO_ROUTE", "there is nothing at this address for this method")
)

// graphPath is the address of GraphQL.
const graphPath = "/graphql"

const (
	typeJSON    = "application/json"
	typeGraphQL = "application/graphql-response+json"
)

// problem is the body of an error.
type problem struct {
	Error struct {
		Code      string         `json:"code"`
		Message   string         `json:"message"`
		Details   map[string]any `json:"details,omitempty"`
		RequestID string         `json:"requestId"`
	} `json:"error"`
}

// graphProblem is the body of an error at the address of GraphQL.
type graphProblem struct {
	Errors []graphError `json:"errors"`
}

type graphError struct {
	Message    string         `json:"message"`
	Extensions map[string]any `json:"extensions"`
}

// writeError answers with the error's status and {"error": {code, message, requestId}}, or at the address of GraphQL in the
// form its clients read. The cause is not shown.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := fault.From(err)
	noteError(r, e)
	if after, ok := e.Details["retryAfter"]; ok {
		w.Header().Set("Retry-After", fmt.Sprint(after))
	}
	if r.URL.Path == graphPath {
		writeGraphError(w, r, e)
		return
	}
	var p problem
	p.Error.Code, p.Error.Message, p.Error.Details = e.Code, e.Msg, e.Details
	p.Error.RequestID = actor.RequestFrom(r.Context()).ID
	writeJSON(w, e.Kind.HTTP(), p)
}

// writeGraphError answers a request that was refused before GraphQL has seen it.
func writeGraphError(w http.ResponseWriter, r *http.Request, e *fault.Error) {
	told := graphError{Message: e.Msg, Extensions: map[string]any{}}
	maps.Copy(told.Extensions, e.Details)
	told.Extensions["code"], told.Extensions["requestId"] = e.Code, actor.RequestFrom(r.Context()).ID
	typ := typeJSON
	if strings.Contains(strings.Join(r.Header.Values("Accept"), ","), typeGraphQL) {
		typ = typeGraphQL // with this one clients read the body whatever the status
	}
	write(w, e.Kind.HTTP(), typ, graphProblem{Errors: []graphError{told}})
}

// writeJSON answers with a value that can be encoded: one of this package's own types.
func writeJSON(w http.ResponseWriter, status int, v any) { write(w, status, typeJSON, v) }

func write(w http.ResponseWriter, status int, typ string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("httpapi: an answer that cannot be encoded: " + err.Error())
	}
	w.Header().Set("Content-Type", typ+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client may be gone
}

func notFound(w http.ResponseWriter, r *http.Request) { writeError(w, r, ErrNoRoute) }
