package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/fault"
)

// told is an error as clients read it.
type told struct {
	Message    string
	Locations  []any
	Extensions map[string]any
}

// brokenOperations go wrong at each stage, from the text of the document up to what a service thinks of the input. Where a
// value is wrong it is named: as a path of the variables, or of the arguments.
var brokenOperations = map[string]struct {
	query     string
	variables map[string]any
	code      string
	field     string
}{
	"no GraphQL":            {`{ me `, nil, "GRAPHQL_PARSE_FAILED", ""},
	"no such field":         {`{ nothing }`, nil, "GRAPHQL_VALIDATION_FAILED", ""},
	"a literal of a type":   {`{ users(first: "x") { nodes { id } } }`, nil, "GRAPHQL_VALIDATION_FAILED", ""},
	"no argument":           {`{ node { id } }`, nil, "GRAPHQL_VALIDATION_FAILED", ""},
	"no operation":          {`fragment F on User { id }`, nil, "GRAPHQL_PARSE_FAILED", ""},
	"too deep":              {`{ me` + strings.Repeat(` { user`, 200) + strings.Repeat(` }`, 200) + ` }`, nil, "QUERY_TOO_DEEP", ""},
	"no variable":           {`query($id: ID!) { node(id: $id) { id } }`, nil, "BAD_USER_INPUT", "id"},
	"a variable of a type":  {`query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": 5}, "BAD_USER_INPUT", "id"},
	"deep in a variable":    {createDoc, map[string]any{"in": map[string]any{"type": 5, "data": map[string]any{}}}, "BAD_USER_INPUT", "in.type"},
	"a member too many":     {createDoc, map[string]any{"in": map[string]any{"type": "note", "data": map[string]any{}, "more": 1}}, "BAD_USER_INPUT", "in.more"},
	"no id":                 {`{ node(id: "x") { id } }`, nil, "BAD_ID", "id"},
	"no id in a list":       {`{ nodes(ids: ["user:x", "x"]) { id } }`, nil, "BAD_ID", "ids.1"},
	"no time":               {`{ report(input: {metric: "m", from: "noon"}) { from } }`, nil, "BAD_USER_INPUT", "input.from"},
	"no JSON for us":        {createDoc, map[string]any{"in": map[string]any{"type": "note", "data": map[string]any{"$a": 1}}}, "BAD_USER_INPUT", "input.data"},
	"too many at once":      {`query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": make101()}, "BAD_USER_INPUT", "ids"},
	"too long a page":       {`{ users(first: 101) { nodes { id } } }`, nil, "PAGE_SIZE", "first"},
	"no cursor":             {`{ users(after: "x") { nodes { id } } }`, nil, "BAD_CURSOR", "after"},
	"what the service says": {`mutation { updateMe(input: {name: ""}) { user { id } } }`, nil, "BAD_USER_INPUT", "input.name"},
	"no such metric":        {`{ report(input: {metric: "m"}) { from } }`, nil, "METRIC_UNKNOWN", "input.metric"},
	"no such plan":          {`{ previewChange(input: {plan: "plan:0197a0c0-0000-7000-8000-000000000001"}) { token } }`, nil, "PLAN_UNKNOWN", "input.plan"},
	"no such job":           {`{ job(id: "job:0197a0c0-0000-7000-8000-000000000001") { id } }`, nil, "JOB_NOT_FOUND", ""},
}

func make101() []any {
	ids := make([]any, 101)
	for i := range ids {
		ids[i] = "user:x"
	}
	return ids
}

// TestErrorShape: every error, at whatever stage and by whatever way, has a code of docs/errors.md, a message and the id of its
// request, and names the input that is to blame.
func TestErrorShape(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	email := s.Browser().Register("Erin")
	socket := dialed(t, s, bearer(s.Browser(), email).Token)
	id := 1
	for name, tc := range brokenOperations {
		var overHTTP []told
		for _, e := range root.Do(tc.query, tc.variables).Errors {
			overHTTP = append(overHTTP, told{Message: e.Message, Extensions: e.Extensions})
		}
		checkTold(t, name, overHTTP, tc.code, tc.field)
		if tc.code != "PAGE_SIZE" && tc.code != "BAD_CURSOR" { // the socket is a user's who may not list the others
			id++
			errs := overSocket(t, socket, strconv.Itoa(id), tc.query, tc.variables)
			checkTold(t, name+" over a socket", errs, tc.code, tc.field)
			if tc.code == "GRAPHQL_VALIDATION_FAILED" && len(errs[0].Locations) == 0 {
				t.Errorf("%s: it does not say where", name)
			}
		}
	}
}

// overSocket sends an operation, and gives the errors of its answer.
func overSocket(t *testing.T, socket *websocket.Conn, id, query string, variables map[string]any) []told {
	t.Helper()
	if err := socket.WriteJSON(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{"query": query, "variables": variables}}); err != nil {
		t.Fatal(err)
	}
	for {
		var m struct {
			ID, Type string
			Payload  json.RawMessage
		}
		if err := socket.ReadJSON(&m); err != nil {
			t.Fatal(err)
		}
		var errs []told
		var result struct{ Errors []told }
		var err error
		switch {
		case m.ID != id:
			continue
		case m.Type == "error":
			err = json.Unmarshal(m.Payload, &errs)
		case m.Type == "next":
			err = json.Unmarshal(m.Payload, &result)
		}
		if err != nil {
			t.Fatal(err)
		}
		return append(errs, result.Errors...)
	}
}

func checkTold(t *testing.T, name string, errs []told, code, field string) {
	t.Helper()
	if len(errs) == 0 {
		t.Errorf("%s: no error", name)
		return
	}
	for _, e := range errs {
		blamed, _ := e.Extensions["field"].(string)
		id, _ := e.Extensions["requestId"].(string)
		if e.Extensions["code"] != code || blamed != field || id == "" || e.Message == "" {
			t.Errorf("%s: %+v, want %s and %q", name, e, code, field)
		}
		if !inCatalogue(e.Extensions["code"]) {
			t.Errorf("%s: the code is not in docs/errors.md", name)
		}
	}
}

func inCatalogue(code any) bool {
	for _, f := range fault.Catalogue() {
		if f.Code == code {
			return true
		}
	}
	return false
}

// TestRefusedRequestShape: a request that is none is answered in the same form.
func TestRefusedRequestShape(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	for name, tc := range map[string]struct {
		method, body string
		header       [2]string
		code         string
	}{
		"no JSON":                {http.MethodPost, `{`, [2]string{"Content-Type", "application/json"}, "BAD_REQUEST"},
		"a batch":                {http.MethodPost, `[]`, [2]string{"Content-Type", "application/json"}, "BATCHING_UNSUPPORTED"},
		"a form":                 {http.MethodPost, `query=x`, [2]string{"Content-Type", "application/x-www-form-urlencoded"}, "UNSUPPORTED_MEDIA_TYPE"},
		"another verb":           {http.MethodPut, `{}`, [2]string{"Content-Type", "application/json"}, "METHOD_NOT_ALLOWED"},
		"a deadline":             {http.MethodPost, `{"query":"{ __typename }"}`, [2]string{"X-Request-Timeout", "soon"}, "BAD_DEADLINE"},
		"HTML":                   {http.MethodPost, `{"query":"{ __typename }"}`, [2]string{"Accept", "text/html"}, "NOT_ACCEPTABLE"},
		"a dead token":           {http.MethodPost, `{"query":"{ __typename }"}`, [2]string{"Authorization", "Bearer nonsense"}, "SESSION_ENDED"},
		"a page of another site": {http.MethodPost, `{"query":"{ __typename }"}`, [2]string{"Sec-Fetch-Site", "cross-site"}, "CROSS_ORIGIN"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, s.URL+"/graphql", bytes.NewReader([]byte(tc.body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(tc.header[0], tc.header[1])
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Errors []told }
		err = json.NewDecoder(res.Body).Decode(&got)
		_ = res.Body.Close()
		if err != nil {
			t.Errorf("%s: %d, %v", name, res.StatusCode, err)
			continue
		}
		checkTold(t, name, got.Errors, tc.code, "")
	}
}
