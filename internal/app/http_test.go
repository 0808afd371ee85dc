package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

const me = `{ me { user { name email } session { current } permissions membership { plan { key } } entitlements { feature limit used } } }`

// get asks for a path and gives status and body.
func get(t *testing.T, url string, headers ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	if status, body, _ := get(t, s.URL+"/healthz"); status != 200 || !strings.Contains(body, "alive") {
		t.Errorf("/healthz: %d %s", status, body)
	}
	status, body, _ := get(t, s.URL+"/readyz")
	if status != 200 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	for _, part := range []string{`"status":"ready"`, `"mongodb":{"ok":true`, `"change_stream":{"ok":true`, `"policy":{"ok":true`} {
		if !strings.Contains(body, part) {
			t.Errorf("/readyz has no %s: %s", part, body)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	b := s.Browser()
	b.Must(`{ __typename }`, nil)
	b.Do(`{ users { nodes { name } } }`, nil)
	_, body, _ := get(t, s.InternalURL()+"/metrics")
	for _, part := range []string{
		`backendbook_http_requests_total{method="POST",route="/graphql",status="200"} 2`,
		`backendbook_graphql_operations_total{code="UNAUTHENTICATED",field="users",kind="query"} 1`,
		`backendbook_mongodb_command_seconds_count{command="find",outcome="ok"}`,
		`backendbook_change_stream_lag_seconds 0.`, "backendbook_sockets_open 0", "backendbook_live_sources 0",
	} {
		if !strings.Contains(body, part) {
			t.Errorf("/metrics has no %s", part)
		}
	}
	if _, body, _ := get(t, s.URL+"/metrics"); strings.Contains(body, "backendbook_") {
		t.Error("the public listener shows metrics")
	}
}

// TestRegisterByCookie: the whole way of a browser: register, be known, sign out, be nobody.
func TestRegisterByCookie(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	b := s.Browser()
	if got := b.Must(me, nil)["me"]; got != nil {
		t.Fatalf("nobody is signed in, but me = %v", got)
	}
	email := b.Register("Rita")
	viewer := b.Must(me, nil)["me"].(map[string]any)
	user := viewer["user"].(map[string]any)
	plan := viewer["membership"].(map[string]any)["plan"].(map[string]any)
	if user["email"] != email || user["name"] != "Rita" || plan["key"] != "free" || viewer["session"].(map[string]any)["current"] != true {
		t.Errorf("me = %v", viewer)
	}
	if got := viewer["permissions"].([]any); len(got) == 0 {
		t.Error("a new user may do nothing at all")
	}
	out := b.Do(`mutation { signOut { ended } }`, nil)
	if out.Data["signOut"].(map[string]any)["ended"] != true || !strings.Contains(out.Header.Get("Set-Cookie"), "session=;") || out.Header.Get("Clear-Site-Data") == "" {
		t.Errorf("signOut = %v with %v", out.Data, out.Header)
	}
	if got := b.Must(me, nil)["me"]; got != nil {
		t.Errorf("signed out, but me = %v", got)
	}
	if again := b.Do(`mutation { signOut { ended } }`, nil); again.Code() != "" || again.Data["signOut"].(map[string]any)["ended"] != false {
		t.Errorf("signing out twice: %v %+v", again.Data, again.Errors)
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	email := s.Browser().Register("Bert")
	b := s.Browser()
	in := b.Do(`mutation($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn { token } } } }`, map[string]any{
		"in": map[string]any{"identifier": email, "password": apptest.Password, "transport": "BEARER"},
	})
	if len(in.Errors) > 0 || in.Header.Get("Set-Cookie") != "" {
		t.Fatalf("signIn: %+v with %v", in.Errors, in.Header)
	}
	b.Token = in.Data["signIn"].(map[string]any)["result"].(map[string]any)["token"].(string)
	if b.Must(me, nil)["me"] == nil {
		t.Error("the token is not good")
	}
	b.Token += "x"
	if r := b.Do(me, nil); r.Status != http.StatusUnauthorized {
		t.Errorf("a garbage token: %d %v", r.Status, r.Data)
	}
}

// TestReq74CrossSiteIsRefused: what a page of another site makes a browser send does not reach a mutation, signing in included.
func TestReq74CrossSiteIsRefused(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	b := s.Browser()
	b.Register("Cora")
	post := func(typ string, headers ...string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/graphql", strings.NewReader(`{"query":"mutation { signOut { ended } }"}`))
		if err != nil {
			t.Fatal(err)
		}
		if typ != "" {
			req.Header.Set("Content-Type", typ)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := b.Client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	for name, status := range map[string]func() (int, string){
		"a foreign origin":  func() (int, string) { return post("application/json", "Origin", "https://evil.example") },
		"cross-site":        func() (int, string) { return post("application/json", "Sec-Fetch-Site", "cross-site") },
		"same-site":         func() (int, string) { return post("application/json", "Sec-Fetch-Site", "same-site") },
		"a sandboxed frame": func() (int, string) { return post("application/json", "Origin", "null") },
		"a form":            func() (int, string) { return post("text/plain") },
		"no content type":   func() (int, string) { return post("") },
	} {
		if code, body := status(); code != http.StatusForbidden || !strings.Contains(body, "CROSS_ORIGIN") {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	if b.Must(me, nil)["me"] == nil {
		t.Error("one of them has signed the user out")
	}
	if code, body := post("application/json", "Origin", s.URL, "Sec-Fetch-Site", "same-origin"); code != 200 {
		t.Errorf("our own page: %d %s", code, body)
	}
}

// TestReq75MutationsNeedPost: a link cannot change anything.
func TestReq75MutationsNeedPost(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	if status, body, _ := get(t, s.URL+"/graphql?query=mutation%7BsignOut%7Bended%7D%7D", "Accept", "application/json"); status != http.StatusMethodNotAllowed {
		t.Errorf("a mutation by GET: %d %s", status, body)
	}
}

func TestConsoleIsServed(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	for _, path := range []string{"/", "/explorer"} {
		status, body, header := get(t, s.URL+path, "Accept", "text/html")
		if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/html") || !strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %d %v %.80s", path, status, header, body)
		}
	}
}

// TestServedByTheSystem: requests are nobody's, although the system started the server.
func TestServedByTheSystem(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	if r := s.Browser().Do(`{ users { nodes { name } } }`, nil); r.Code() != "UNAUTHENTICATED" {
		t.Errorf("anybody may list users: %v %v", r.Data, r.Errors)
	}
}

func TestTwoNodesShareTheSession(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Setup{})
	other := apptest.Start(t, apptest.Setup{Database: a.Database})
	b := a.Browser()
	b.Register("Nora")
	if b.At(other).Must(me, nil)["me"] == nil {
		t.Error("the other node does not know the session")
	}
}
