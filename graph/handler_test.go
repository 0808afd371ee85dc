package graph

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/plan"
)

func onePlan(context.Context) ([]plan.Plan, error) {
	return []plan.Plan{{ID: "free", Key: "free"}}, nil
}

// errOdd is an error nobody classified.
var errOdd = errors.New("odd")

const plansQuery = `{ plans { key } }`

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"":                                  typeJSON,
		"*/*":                               typeJSON,
		"application/*":                     typeJSON,
		"application/json":                  typeJSON,
		"Application/JSON; charset=UTF-8":   typeJSON,
		"application/graphql-response+json": typeGraphQL,
		"application/json, application/graphql-response+json":       typeGraphQL, // equal: the newer
		"application/graphql-response+json, application/json;q=0.9": typeGraphQL, // Apollo Client
		"application/graphql-response+json;q=0.5, application/json": typeJSON,
		"application/graphql-response+json;q=0.5, */*;q=0.1":        typeGraphQL,
		"application/json;q=0, */*":                                 typeGraphQL,
		"text/html, application/xhtml+xml, */*;q=0.8":               typeJSON, // a browser
		"text/html":                          "",
		"application/json;q=0":               "",
		"application/json; charset=latin1":   "",
		"multipart/mixed, text/event-stream": "",
		"application/json;q=2":               "",
		";;;":                                "",
		"application/graphql-response+json, application/json, text/plain": typeGraphQL,
	} {
		got, ok := negotiate([]string{accept})
		if got != want || ok != (want != "") {
			t.Errorf("negotiate(%q) = %q, %v; want %q", accept, got, ok, want)
		}
	}
	if got, ok := negotiate(nil); got != typeJSON || !ok {
		t.Errorf("negotiate() = %q, %v", got, ok)
	}
}

// What is well-formed is 200 as application/json whatever is wrong with its document; as the newer type it is 400 with no
// data. What is not well-formed is refused either way.
func TestStatus(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{plans: func(ctx context.Context) ([]plan.Plan, error) {
		return nil, fault.ErrUnavailable
	}, signOut: func(context.Context) (*model.SignOutPayload, error) { return &model.SignOutPayload{}, nil }}, Config{})
	for _, tc := range []struct {
		name, body           string
		json, graphql        int
		code                 string
		hasData, hasNullData bool
	}{
		{"good", `{"query":"{ __typename }"}`, 200, 200, "", true, false},
		{"nulls", `{"query":"{ __typename }","variables":null,"operationName":null,"extensions":null}`, 200, 200, "", true, false},
		{"members nobody knows", `{"query":"{ __typename }","id":"1","doc_id":7}`, 200, 200, "", true, false},
		{"a mutation", `{"query":"mutation { signOut { ended } }"}`, 200, 200, "", true, false},
		{"an error of a field", `{"query":"{ plans { key } }"}`, 200, 200, "UNAVAILABLE", true, true},
		{"a syntax error", `{"query":"{"}`, 200, 400, "GRAPHQL_PARSE_FAILED", false, false},
		{"no operation", `{"query":""}`, 200, 400, "GRAPHQL_PARSE_FAILED", false, false},
		{"a fragment alone", `{"query":"fragment f on Plan { key }"}`, 200, 400, "GRAPHQL_PARSE_FAILED", false, false},
		{"an unknown field", `{"query":"{ nope }"}`, 200, 400, "GRAPHQL_VALIDATION_FAILED", false, false},
		{"a null variable", `{"query":"query ($id: ID!) { node(id: $id) { id } }","variables":{"id":null}}`, 200, 400, "BAD_USER_INPUT", false, false},
		{"no such operation", `{"query":"query A { __typename }","operationName":"B"}`, 200, 400, "OPERATION_RESOLUTION_FAILURE", false, false},
		{"which operation", `{"query":"query A { __typename } query B { __typename }"}`, 200, 400, "OPERATION_RESOLUTION_FAILURE", false, false},
		{"a subscription", `{"query":"subscription { live(channels: []) { seq } }"}`, 200, 400, "SUBSCRIPTION_NEEDS_SOCKET", false, false},
		{"introspection", `{"query":"{ __schema { types { name } } }"}`, 200, 400, "INTROSPECTION_DISABLED", false, false},
		{"no body", ``, 400, 400, "BAD_REQUEST", false, false},
		{"broken JSON", `{ "not a JSON`, 400, 400, "BAD_REQUEST", false, false},
		{"no object", `"{ __typename }"`, 400, 400, "BAD_REQUEST", false, false},
		{"a batch", `[{"query":"{ __typename }"}]`, 400, 400, "BATCHING_UNSUPPORTED", false, false},
		{"no query", `{"qeury":"{ __typename }"}`, 400, 400, "BAD_REQUEST", false, false},
		{"a query that is no text", `{"query":{"an":"object"}}`, 400, 400, "BAD_REQUEST", false, false},
		{"an operation name that is no text", `{"query":"{ __typename }","operationName":0}`, 400, 400, "BAD_REQUEST", false, false},
		{"variables that are no object", `{"query":"{ __typename }","variables":["array"]}`, 400, 400, "BAD_REQUEST", false, false},
		{"extensions that are no object", `{"query":"{ __typename }","extensions":false}`, 400, 400, "BAD_REQUEST", false, false},
		{"a member given twice", `{"query":"{ __typename }","query":"{ me { user { id } } }"}`, 400, 400, "BAD_REQUEST", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for typ, want := range map[string]int{typeJSON: tc.json, typeGraphQL: tc.graphql} {
				g := r.post(tc.body, "Accept", typ)
				if g.status != want || g.code() != tc.code {
					t.Errorf("%s: %d %s, want %d %s", typ, g.status, g.body, want, tc.code)
				}
				if ct := g.header.Get("Content-Type"); ct != typ+"; charset=utf-8" {
					t.Errorf("%s: Content-Type %q", typ, ct)
				}
				if has := strings.Contains(g.body, `"data":`); has != tc.hasData {
					t.Errorf("%s: data is there = %v: %s", typ, has, g.body)
				}
				if null := string(g.Data) == "null"; null != tc.hasNullData {
					t.Errorf("%s: data is null = %v: %s", typ, null, g.body)
				}
				if tc.code != "" && g.Errors[0].Extensions["requestId"] != "req-1" {
					t.Errorf("%s: no request id: %s", typ, g.body)
				}
				if g.header.Get("Content-Length") == "" || g.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: headers %v", typ, g.header)
				}
			}
		})
	}
}

// Only application/json is taken by POST: any other type a page of another origin could send without being asked.
func TestPostTakesJSONOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{plans: onePlan}, Config{})
	body := `{"query":"{ plans { key } }"}`
	for typ, want := range map[string]int{
		"application/json":                   200,
		"application/json; charset=utf-8":    200,
		"APPLICATION/JSON;charset=\"UTF-8\"": 200,
		"":                                   415,
		"application/json; charset=utf-16":   415,
		"text/plain":                         415,
		"application/x-www-form-urlencoded":  415,
		"multipart/form-data; boundary=x":    415,
		"application/graphql":                415,
		"application/json-seq":               415,
		"text/plain; application/json":       415,
	} {
		if g := r.post(body, "Content-Type", typ); g.status != want || (g.code() == "UNSUPPORTED_MEDIA_TYPE") != (want == 415) {
			t.Errorf("%q: %d %s", typ, g.status, g.body)
		}
	}
}

func (r *rig) get(params url.Values, method string) got {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+"?"+params.Encode(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(req)
}

func TestGet(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{plans: onePlan}, Config{})
	for _, tc := range []struct {
		name   string
		params url.Values
		status int
		code   string
	}{
		{"a query", url.Values{"query": {plansQuery}}, 200, ""},
		{"its name", url.Values{"query": {"query A { __typename } query B { plans { key } }"}, "operationName": {"B"}}, 200, ""},
		{"its variables", url.Values{"query": {"query ($s: Boolean!) { plans { key @skip(if: $s) id } }"}, "variables": {`{"s":true}`}}, 200, ""},
		{"empty ones", url.Values{"query": {plansQuery}, "variables": {""}, "operationName": {""}}, 200, ""},
		{"a mutation", url.Values{"query": {"mutation { signOut { ended } }"}}, 405, "METHOD_NOT_ALLOWED"},
		{"no query", url.Values{}, 400, "BAD_REQUEST"},
		{"two queries", url.Values{"query": {plansQuery, plansQuery}}, 400, "BAD_REQUEST"},
		{"broken variables", url.Values{"query": {plansQuery}, "variables": {`{`}}, 400, "BAD_REQUEST"},
		{"variables that are no object", url.Values{"query": {plansQuery}, "variables": {`[]`}}, 400, "BAD_REQUEST"},
	} {
		g := r.get(tc.params, http.MethodGet)
		if g.status != tc.status || g.code() != tc.code {
			t.Errorf("%s: %d %s", tc.name, g.status, g.body)
		}
		if tc.status == 405 && g.header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: Allow %q", tc.name, g.header.Get("Allow"))
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if g := r.get(url.Values{"query": {plansQuery}}, method); g.status != 405 || g.header.Get("Allow") != "GET, POST" {
			t.Errorf("%s: %d, Allow %q", method, g.status, g.header.Get("Allow"))
		}
	}
}

func TestNotAcceptable(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{plans: onePlan}, Config{})
	if g := r.query(plansQuery, nil, "Accept", "text/html"); g.status != 406 || g.code() != "NOT_ACCEPTABLE" {
		t.Errorf("%d %s", g.status, g.body)
	}
}

// A body over the limit is refused without being read to its end, whether its length was told or not.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{plans: onePlan}, Config{MaxBodyBytes: 1000})
	fits := `{"query":"{ plans { key } }","x":"` + strings.Repeat("a", 1000-36) + `"}`
	if len(fits) != 1000 {
		t.Fatalf("%d bytes", len(fits))
	}
	if g := r.post(fits); g.status != 200 {
		t.Errorf("1000 bytes: %d %s", g.status, g.body)
	}
	if g := r.post(fits + " "); g.status != 413 || g.code() != "BODY_TOO_LARGE" {
		t.Errorf("1001 bytes: %d %s", g.status, g.body)
	}
	endless := &counting{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, endless)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", typeJSON)
	if g := r.do(req); g.status != 413 {
		t.Errorf("an endless body: %d %s", g.status, g.body)
	}
	if n := endless.n.Load(); n > 8<<20 {
		t.Errorf("%d bytes of an endless body were taken", n)
	}
}

// counting is a body without end.
type counting struct{ n atomic.Int64 }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// Neither the answer nor the log repeats what was sent.
func TestNothingIsEchoed(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-canary"
	r := newRig(t, &stubs{plans: onePlan, create: func(context.Context, model.CreateDocumentInput) (*model.CreateDocumentPayload, error) {
		return nil, fault.ErrInput
	}}, Config{Development: true})
	for name, body := range map[string]string{
		"broken JSON":              `{"query": "` + secret,
		"broken JSON further on":   `{"variables": {"password": "` + secret + `"}, "query": }`,
		"the same key twice":       `{"variables": {"` + secret + `": 1, "` + secret + `": 2}}`,
		"a text for a selection":   `{"query": "{ plans \"` + secret + `\" }"}`,
		"a text for a field":       `{"query": "\"` + secret + `\""}`,
		"a broken escape":          `{"query": "{ node(id: \"\\x` + secret + `\") { id } }"}`,
		"a broken unicode escape":  `{"query": "{ node(id: \"\\u{` + secret + `\") { id } }"}`,
		"a literal of wrong type":  `{"query": "mutation { signIn(input: {identifier: ` + "1" + `, password: ` + "ENUM_hunter2_canary" + `}) { result { __typename } } }"}`,
		"a text for a number":      `{"query": "{ users(first: \"` + secret + `\") { nodes { id } } }"}`,
		"a text for an enum":       `{"query": "mutation { signInAnonymously(input: {transport: \"` + secret + `\"}) { result { __typename } } }"}`,
		"a variable of wrong type": `{"query": "query ($n: Int) { users(first: $n) { nodes { id } } }", "variables": {"n": "` + secret + `"}}`,
		"a variable of an enum":    `{"query": "mutation ($i: SignInInput!) { signIn(input: $i) { result { __typename } } }", "variables": {"i": {"identifier": "", "password": "", "transport": "` + secret + `"}}}`,
		"a bad id":                 `{"query": "{ node(id: \"` + secret + `\") { id } }"}`,
		"a bad id in a variable":   `{"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": "` + secret + `"}}`,
		"a good variable":          `{"query": "mutation ($i: CreateDocumentInput!) { createDocument(input: $i) { document { id } } }", "variables": {"i": {"type": "t", "data": {"a": "` + secret + `"}}}}`,
	} {
		g := r.post(body, "X-User", "u1")
		if len(g.Errors) == 0 {
			t.Errorf("%s: no error: %s", name, g.body)
		}
		if strings.Contains(g.body, "hunter2") {
			t.Errorf("%s: the answer repeats it: %s", name, g.body)
		}
	}
	if strings.Contains(r.log.String(), "hunter2") {
		t.Errorf("the log repeats it: %s", r.log)
	}
}

func TestDeadlineHeader(t *testing.T) {
	t.Parallel()
	var left time.Duration
	r := newRig(t, &stubs{plans: func(ctx context.Context) ([]plan.Plan, error) {
		at, _ := ctx.Deadline()
		left = time.Until(at)
		return onePlan(ctx)
	}}, Config{Timeout: 10 * time.Second, MaxTimeout: 30 * time.Second})
	for header, want := range map[string]time.Duration{
		"":                    10 * time.Second,
		"2000":                2 * time.Second,
		"1.5s":                1500 * time.Millisecond,
		"2m":                  30 * time.Second,
		"99999999999":         30 * time.Second,
		"9223372036854775807": 30 * time.Second,
		"0":                   0,
		"-5":                  0,
		"-5s":                 0,
		"soon":                0,
		"5 s":                 0,
	} {
		g := r.query(plansQuery, nil, DeadlineHeader, header)
		if want == 0 {
			if g.status != 400 || g.code() != "BAD_DEADLINE" {
				t.Errorf("%q: %d %s", header, g.status, g.body)
			}
			continue
		}
		if g.status != 200 || left > want || left < want-time.Second {
			t.Errorf("%q: %d, %v left", header, g.status, left)
		}
	}
}

// When time is up the answer comes, and says so, whatever words the resolver has for it.
func TestDeadlinePasses(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{plans: func(ctx context.Context) ([]plan.Plan, error) {
		<-ctx.Done()
		return nil, errOdd
	}}, Config{})
	g := r.query(plansQuery, nil, DeadlineHeader, "50")
	if g.status != 200 || g.code() != "DEADLINE_EXCEEDED" {
		t.Errorf("%d %s", g.status, g.body)
	}
}

// When the client leaves, what it asked for is cancelled.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}), make(chan error, 1)
	r := newRig(t, &stubs{plans: func(ctx context.Context) ([]plan.Plan, error) {
		close(began)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, ctx.Err()
	}}, Config{})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, strings.NewReader(`{"query":"{ plans { key } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", typeJSON)
	go func() {
		<-began
		leave()
	}()
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Error("an answer to a client that left")
	}
	select {
	case err := <-ended:
		if err != context.Canceled { //nolint:errorlint // the very cause
			t.Errorf("ended by %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the work went on for 5 s")
	}
}

// teapot stands where the sockets do.
type teapot struct{ Streams }

func (teapot) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusTeapot)
	_, _ = w.Write([]byte("{}"))
}

func TestUpgradeGoesToTheSockets(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{plans: onePlan}, Config{})
	r.srv.HandleStreams(teapot{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "WebSocket")
	if g := r.do(req); g.status != http.StatusTeapot {
		t.Errorf("%d %s", g.status, g.body)
	}
}
