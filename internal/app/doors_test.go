package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// hostileObjects are JSON objects that one part of a program may take for another thing than the next does, or that cost
// more than they are worth.
func hostileObjects() map[string]string {
	return map[string]string{
		"an operator":            `{"$where":"1"}`,
		"an operator below":      `{"a":[{"$ne":null}]}`,
		"a dotted key":           `{"a.b":"1"}`,
		"a NUL in a key":         `{"a\u0000b":"1"}`,
		"a key without a name":   `{"":"1"}`,
		"a key twice":            `{"a":"1","a":"2"}`,
		"a key in two writings":  `{"a":"1","\u0061":"2"}`,
		"a key twice below":      `{"a":{"b":"1","b":"2"}}`,
		"a text that is no text": "{\"a\":\"\xff\"}",
		"a key that is no text":  "{\"\xc3\x28\":\"1\"}",
		"half a pair":            `{"a":"\ud800"}`,
		"100,000 levels":         `{"a":` + strings.Repeat("[", 1e5) + strings.Repeat("]", 1e5) + `}`,
		"half a million numbers": `{"a":[` + strings.Repeat("0,", 499_000) + `0]}`,
		"a number without end":   `{"a":1` + strings.Repeat("0", 400) + `}`,
		"not a number":           `{"a":NaN}`,
	}
}

const createBox = `mutation($d: JSON!) { createDocument(input: {type: \"box\", data: {held: $d}}) { document { id } } }`

// TestDoorsRefuseHostileJSON: wherever a client sends JSON, what is not plain is refused with a code, nothing of it is stored,
// and the door stays open for others.
func TestDoorsRefuseHostileJSON(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	root.Must(defineType, in(map[string]any{"key": "box", "name": "Box", "schema": map[string]any{
		"type": "object", "properties": map[string]any{"held": map[string]any{"type": "object"}, "text": map[string]any{"type": "string"}},
	}}))
	for name, object := range hostileObjects() {
		for door, code := range map[string]string{
			"POST":   postedCode(t, root, object),
			"socket": socketCode(t, s, root.Token, object),
			"GET":    filterCode(t, root, "/graphql?query="+url.QueryEscape(`query($f: JSON) { documents(type: "box", filter: $f) { nodes { id } } }`)+"&variables=", `{"f":`+object+`}`),
			"export": filterCode(t, root, "/exports?type=box&format=csv&filter=", object),
			"events": lineCode(t, s, root, object),
		} {
			if code == "" || code == "INTERNAL" {
				t.Errorf("%s by %s: %q", name, door, code)
			}
		}
	}
	for _, format := range []string{"ndjson", "json"} {
		importHostile(t, s, root, format)
	}
	for collection, want := range map[string]int{"documents": 2, "analytics_events": 0} { // the good row of each import
		if n := storetest.Count(t, s.DB(), collection, bson.D{}); n != want {
			t.Errorf("%d %s are stored", n, collection)
		}
	}
	if code := postedCode(t, root, `{"a":"1"}`); code != "" {
		t.Errorf("a plain object: %s", code)
	}
}

// codeIn is the first error code of an answer in any of our forms; the whole text if it is none.
func codeIn(body []byte) string {
	var answer struct {
		Error  struct{ Code string }
		Errors []struct {
			Code       string
			Extensions struct{ Code string }
		}
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return "" // not an answer of ours
	case len(answer.Errors) > 0:
		return answer.Errors[0].Extensions.Code + answer.Errors[0].Code
	}
	return answer.Error.Code
}

func postedCode(t *testing.T, c *apptest.Client, object string) string {
	t.Helper()
	return codeIn(exchange(t, c, http.MethodPost, "/graphql", strings.NewReader(`{"query":"`+createBox+`","variables":{"d":`+object+`}}`), "Content-Type", "application/json").body)
}

// filterCode puts the object into an address. One that does not fit into it is refused by that alone.
func filterCode(t *testing.T, c *apptest.Client, path, object string) string {
	t.Helper()
	r := exchange(t, c, http.MethodGet, path+url.QueryEscape(object), nil, "Accept", "application/json", "Graphql-Require-Preflight", "1")
	if r.status == http.StatusRequestHeaderFieldsTooLarge {
		return http.StatusText(r.status)
	}
	return codeIn(r.body)
}

// lineCode sends an event with the object as its dimensions.
func lineCode(t *testing.T, s *apptest.Server, c *apptest.Client, object string) string {
	t.Helper()
	_, answer := postEvents(t, s, "", `{"id":"event-01","name":"page","dims":`+object+"}\n", "Authorization", "Bearer "+c.Token, "Content-Type", "application/x-ndjson")
	b, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return codeIn(b)
}

// socketCode sends the mutation over a new socket, and gives the code of the error or the words of the close.
func socketCode(t *testing.T, s *apptest.Server, token, object string) string {
	t.Helper()
	ws := open(t, s, nil)
	defer func() { _ = ws.Close() }()
	if err := ws.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + token}}); err != nil {
		t.Fatal(err)
	}
	// A message that is too large is refused before it has arrived: then it is the reading that says so.
	_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"subscribe","id":"1","payload":{"query":"`+createBox+`","variables":{"d":`+object+`}}}`))
	var m struct {
		Type    string
		Payload json.RawMessage
	}
	for {
		if _, text, err := ws.ReadMessage(); err != nil {
			return err.Error()
		} else if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		switch m.Type {
		case "error":
			return codeIn([]byte(`{"errors":` + string(m.Payload) + `}`))
		case "next":
			return codeIn(m.Payload)
		}
	}
}

// importHostile imports all of them and a good row. In an array a row without syntax ends the table, so there only the others are.
func importHostile(t *testing.T, s *apptest.Server, root *apptest.Client, format string) {
	t.Helper()
	rows := []string{`{"text":"a good row"}`}
	for _, object := range hostileObjects() {
		if format == "ndjson" || json.Valid([]byte(object)) {
			rows = append(rows, `{"text":`+object+`}`)
		}
	}
	table := strings.Join(rows, "\n")
	if format == "json" {
		table = "[" + strings.Join(rows, ",") + "]"
	}
	got := imported(t, s, root, url.Values{"type": {"box"}, "format": {format}, "onError": {"skip"}}, []byte(table))
	if got.State != "DONE" || got.Result.Counts["made"] != 1 || got.Result.Counts["bad"] != int64(len(rows)-1) {
		t.Errorf("%s: %s %+v of %d rows: %+v", format, got.State, got.Result.Counts, len(rows), got.Result.Problems)
	}
}

// TestDoorsRefuseHostileText: texts that are none are refused in addresses, headers, forms and CSV as well.
func TestDoorsRefuseHostileText(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	for name, path := range map[string]string{
		"a document":     "/graphql?query=%7B__typename%7D%23%FF",
		"a literal":      "/graphql?query=%7Bdocuments(type:%22note%22,search:%22%FF%22)%7Bnodes%7Bid%7D%7D%7D",
		"a type":         "/exports?format=csv&type=%FF",
		"a NUL":          "/exports?format=csv&type=a%00b",
		"a search":       "/exports?format=csv&type=note&search=%FF",
		"a prefix":       "/exports?format=csv&type=note&prefix=%FF",
		"a filter":       "/exports?format=csv&type=note&filter=%FF",
		"a link":         "/attachments/%FF?expires=1&signature=%FF",
		"a state":        "/auth/callback/%FF?state=%FF&code=%00",
		"an invoice":     "/invoices/%FF%00",
		"events":         "/exports/events?format=csv&name=%FF&from=%00",
		"a finished job": "/exports/files/%FF",
	} {
		r := exchange(t, root, http.MethodGet, path, nil, "Accept", "application/json", "Graphql-Require-Preflight", "1")
		if r.status >= 500 || r.status == http.StatusOK && !strings.HasPrefix(path, "/auth/") || bytes.Contains(r.body, []byte("INTERNAL")) {
			t.Errorf("%s: %d %.200s", name, r.status, r.body)
		}
	}
	for name, typ := range map[string]string{"a\x00b.txt": "text/plain", "a\xff.txt": "text/plain", "a.txt": "text/\xff"} {
		if r := uploadRaw(t, root, name, typ, []byte("text")); r.status != http.StatusUnprocessableEntity {
			t.Errorf("the file %q of type %q: %d %s", name, typ, r.status, r.body)
		}
	}
	body, typ := form(t, "document:\xff$ne", "a.txt", "text/plain", []byte("text"))
	if r := exchange(t, root, http.MethodPost, "/attachments", body, "Content-Type", typ); r.status != http.StatusUnprocessableEntity {
		t.Errorf("a field of a form: %d %s", r.status, r.body)
	}
	r := exchange(t, root, http.MethodPost, "/graphql", strings.NewReader(`{"query":"{ __typename }"}`), "Content-Type", "application/json",
		"X-Request-Id", "\xff$where", "X-Request-Timeout", "\xff", "Accept-Language", "\xff", "User-Agent", "\xff\xfe")
	if id := r.header.Get("X-Request-Id"); r.status >= 500 || id == "" || strings.Contains(id, "$") {
		t.Errorf("headers: %d %q", r.status, id)
	}
	for header, table := range map[string]string{"a column of no text": "text,\xff\nx,y\n", "a column twice": "text,text\nx,y\n", "a field of no text": "text\n\xff\n"} {
		got := imported(t, s, root, url.Values{"type": {"note"}, "format": {"csv"}}, []byte(table))
		if got.Result.Counts["made"] != 0 || got.Result.Refused == "" || got.Result.Refused == "INTERNAL" {
			t.Errorf("%s: %+v", header, got)
		}
	}
	if n := storetest.Count(t, s.DB(), "documents", bson.D{}); n != 0 {
		t.Errorf("%d documents are stored", n)
	}
}

// TestImportsAreBounded: a table that is too large or that breaks off is refused, whether its length is announced or not.
func TestImportsAreBounded(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--documents-max-import=2000"}})
	root := admin(t, s)
	defineNote(root)
	csv := "text\n" + strings.Repeat("a line\n", 500)
	for name, tc := range map[string]struct {
		body io.Reader
		code string
	}{
		"announced":     {strings.NewReader(csv), "IMPORT_TOO_LARGE"},
		"not announced": {io.MultiReader(strings.NewReader(csv)), "IMPORT_TOO_LARGE"},
	} {
		if r := exchange(t, root, http.MethodPost, "/imports?type=note&format=csv", tc.body); r.status != http.StatusUnprocessableEntity || r.Error.Code != tc.code {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	head := "POST /imports?type=note&format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + root.Token + "\r\n"
	for name, rest := range map[string]string{
		"breaks off": "Content-Length: 1000\r\n\r\ntext\na line\n", "is not ended": "Transfer-Encoding: chunked\r\n\r\n5\r\ntext\n\r\n",
		"has no form": "Transfer-Encoding: chunked\r\n\r\n5\r\ntext\n\r\nzz\r\n",
	} { // who sends no more may also be taken for gone
		if status, body := halfRequest(t, s, head+rest); codeIn(body) != "IMPORT_CUT" && codeIn(body) != "CANCELED" {
			t.Errorf("a table that %s: %d %s", name, status, body)
		}
	}
	for collection := range map[string]bool{"jobs": true, "blobs.chunks": true} {
		if n := storetest.Count(t, s.DB(), collection, bson.D{}); n != 0 {
			t.Errorf("%d %s are left", n, collection)
		}
	}
}
