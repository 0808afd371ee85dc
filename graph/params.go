package graph

import (
	"maps"
	"net/url"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"github.com/backendbook/backendbook/internal/ijson"
)

// decodeParams reads the JSON object of a request into params. The errors say what is wrong with it and repeat nothing of
// it. Members the specification does not know are ignored.
//
// Errors: BAD_REQUEST, BATCHING_UNSUPPORTED.
func decodeParams(body []byte, params *graphql.RawParams) error {
	v, err := ijson.Parse(body)
	if err != nil {
		return ErrBadRequest.Saying("the request is not usable JSON: %s", err)
	}
	return fillParams(v, params)
}

// fillParams is decodeParams for JSON that was read.
func fillParams(v any, params *graphql.RawParams) error {
	m, ok := v.(map[string]any)
	if _, isArray := v.([]any); isArray {
		return ErrBatch
	}
	if !ok {
		return ErrBadRequest.Saying("the request is not a JSON object")
	}
	return fill(params, m)
}

// fill checks the members the specification knows.
func fill(params *graphql.RawParams, m map[string]any) error {
	var ok bool
	if params.Query, ok = optional[string](m, "query"); !ok {
		return ErrBadRequest.Saying("query must be a text").On("query")
	}
	if params.OperationName, ok = optional[string](m, "operationName"); !ok {
		return ErrBadRequest.Saying("operationName must be a text").On("operationName")
	}
	if params.Variables, ok = optional[map[string]any](m, "variables"); !ok {
		return ErrBadRequest.Saying("variables must be an object").On("variables")
	}
	if params.Extensions, ok = optional[map[string]any](m, "extensions"); !ok {
		return ErrBadRequest.Saying("extensions must be an object").On("extensions")
	}
	id, ok := optional[string](m, "documentId")
	switch {
	case !ok:
		return ErrBadRequest.Saying("documentId must be a text").On("documentId")
	case id != "":
		params.Extensions = maps.Clone(params.Extensions)
		if params.Extensions == nil {
			params.Extensions = map[string]any{}
		}
		params.Extensions[persistedKey] = map[string]any{"sha256Hash": id}
	}
	if _, named := params.Extensions[persistedKey]; !named && m["query"] == nil {
		return ErrBadRequest.Saying("query must be a text").On("query")
	}
	return nil
}

// optional is a member that may be absent or null; false when it is of another type.
func optional[T any](m map[string]any, key string) (v T, ok bool) {
	if m[key] == nil {
		return v, true
	}
	v, ok = m[key].(T)
	return v, ok
}

// decodeQuery reads the parameters of a GET.
//
// Errors: BAD_REQUEST.
func decodeQuery(raw string, params *graphql.RawParams) error {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return ErrBadRequest.Saying("the parameters of the address are not well-formed")
	}
	m := map[string]any{}
	for _, name := range []string{"query", "operationName", "documentId", "variables", "extensions"} {
		switch text := q[name]; {
		case len(text) > 1:
			return ErrBadRequest.Saying("%s is given twice", name).On(name)
		case len(text) == 1 && !utf8.ValidString(text[0]):
			return ErrBadRequest.Saying("%s is not UTF-8", name).On(name)
		case len(text) == 0 || text[0] == "" && name != "query":
		case name == "query" || name == "operationName" || name == "documentId":
			m[name] = text[0]
		default:
			if m[name], err = ijson.Parse([]byte(text[0])); err != nil {
				return ErrBadRequest.Saying("%s is not usable JSON: %s", name, err).On(name)
			}
		}
	}
	return fill(params, m)
}
