package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// Errors of plain HTTP.
var (
	ErrCrossOrigin = fault.Define(fault.Forbidden, "CROSS_ORIGIN", "another site may not make a browser send this")
	ErrNoRoute     = fault.Define(fault.NotFound, "NO_ROUTE", "there is nothing at this address for this method")
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

// writeError answers with the error's status and {"error": {code, message, requestId}}. The cause is not shown.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := fault.From(err)
	noteError(r, e)
	if after, ok := e.Details["retryAfter"]; ok {
		w.Header().Set("Retry-After", fmt.Sprint(after))
	}
	var p problem
	p.Error.Code, p.Error.Message, p.Error.Details = e.Code, e.Msg, e.Details
	p.Error.RequestID = actor.RequestFrom(r.Context()).ID
	writeJSON(w, e.Kind.HTTP(), p)
}

// writeJSON answers with a value that can be encoded: one of this package's own types.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("httpapi: an answer that cannot be encoded: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client may be gone
}

func notFound(w http.ResponseWriter, r *http.Request) { writeError(w, r, ErrNoRoute) }
