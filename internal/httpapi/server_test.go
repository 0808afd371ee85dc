package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/health"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
)

// authenticate knows a session and a key by their token; the token "broken" fails, and "guessed" is one guess too many.
func authenticate(_ context.Context, token string) (actor.Actor, time.Time, error) {
	switch token {
	case "good":
		return actor.Actor{User: "u1", Session: "s1"}, time.Time{}, nil
	case "key":
		return actor.Actor{User: "u1", Key: "k1", Scope: actor.NewScope("plan.read")}, time.Time{}, nil
	case "broken":
		return actor.Actor{}, time.Time{}, fault.ErrUnavailable
	case "guessed":
		return actor.Actor{}, time.Time{}, throttle.ErrLimited.With("retryAfter", 7)
	default:
		return actor.Actor{}, time.Time{}, session.ErrEnded
	}
}

// site is a server for a test, with its log.
type site struct {
	http.Handler
	log       *bytes.Buffer
	srv       *Server
	providers *returning
}

// newSite makes a server around a GraphQL handler; nil is one that says who asks.
func newSite(t *testing.T, cfg Config, graphql http.HandlerFunc, checks ...health.Check) site {
	t.Helper()
	if graphql == nil {
		graphql = func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "user="+actor.From(r.Context()).User)
		}
	}
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	now := clock.System()
	providers := &returning{}
	srv := New(cfg, Deps{
		GraphQL: graphql, Authenticate: authenticate, Providers: providers,
		Health:  health.New(now, log, checks...),
		Metrics: NewMetrics("v1"),
		Console: fstest.MapFS{
			"index.html":          {Data: []byte("<!doctype html><title>console</title>")},
			"assets/app-abc.js":   {Data: []byte("let a = 1")},
			"assets/big-d.js":     {Data: []byte("let b = 2")},
			"assets/big-d.js.gz":  {Data: []byte("gzipped")},
			".gitkeep":            {Data: []byte{}},
			"favicon.svg":         {Data: []byte("<svg/>")},
			"assets/worker-e.bin": {Data: []byte("?")},
		},
		Clock: now, Log: log,
	})
	return site{Handler: srv.Handler(), log: &b, srv: srv, providers: providers}
}

// ask sends a request; headers are name, value, name, value.
func (s site) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// lines are the lines of the access log.
func (s site) lines(t *testing.T) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range bytes.Lines(s.log.Bytes()) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if m["msg"] == "http_request" {
			found = append(found, m)
		}
	}
	return found
}

// codeOf is the code of a JSON error, of either form, and its request id.
func codeOf(t *testing.T, w *httptest.ResponseRecorder) (code, requestID string) {
	t.Helper()
	var p struct {
		problem
		graphProblem
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v in %q", err, w.Body)
	}
	if len(p.Errors) == 1 {
		return fmt.Sprint(p.Errors[0].Extensions["code"]), fmt.Sprint(p.Errors[0].Extensions["requestId"])
	}
	return p.Error.Code, p.Error.RequestID
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		req := actor.RequestFrom(r.Context())
		_, _ = io.WriteString(w, req.ID+" "+req.IP+" "+req.UserAgent)
	})
	for name, tc := range map[string]struct {
		sent string
		kept bool
	}{
		"sane":           {"req-0190.AB_c", true},
		"none":           {"", false},
		"short":          {"abc", false},
		"long":           {strings.Repeat("a", 65), false},
		"a forged line":  {"abcdefgh\nlevel=ERROR", false},
		"a query string": {"abcdefgh?x=1", false},
	} {
		w := s.ask("POST", "/graphql", "{}", "Content-Type", "application/json", "X-Request-Id", tc.sent, "User-Agent", strings.Repeat("é", 300))
		id := w.Header().Get("X-Request-Id")
		if (id == tc.sent) != tc.kept || !isSaneID(id) {
			t.Errorf("%s: sent %q, got %q", name, tc.sent, id)
		}
		got := strings.Split(w.Body.String(), " ")
		if got[0] != id || got[1] != "192.0.2.1" || len(got[2]) != 256 {
			t.Errorf("%s: the context has %q", name, w.Body)
		}
	}
}

// TestRequestsBeginAsNobody: the server is started by the system; that must not rub off.
func TestRequestsBeginAsNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, actor.From(r.Context()).IsAnonymous())
	})
	r := httptest.NewRequestWithContext(actor.With(t.Context(), actor.System()), "GET", "/graphql", nil)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Body.String() != "true" {
		t.Errorf("anonymous = %s", w.Body)
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		if r.Header.Get("Late") != "" {
			_, _ = io.WriteString(w, "half")
		}
		panic("boom in a resolver")
	})
	w := s.ask("POST", "/graphql", "{}", "Content-Type", "application/json")
	code, id := codeOf(t, w)
	if w.Code != 500 || code != "INTERNAL" || id != w.Header().Get("X-Request-Id") || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
	if w.Header().Get("Content-Security-Policy") == "" {
		t.Error("the error has no security headers")
	}
	got := s.lines(t)
	if len(got) != 1 || got[0]["level"] != "ERROR" || got[0]["code"] != "INTERNAL" ||
		!strings.Contains(got[0]["error"].(string), "boom in a resolver") || !strings.Contains(got[0]["error"].(string), "server_test.go") {
		t.Errorf("logged %v", got)
	}

	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the sentinel of net/http
				t.Errorf("a panic after the first byte: recovered %v, the answer looks whole", v)
			}
		}()
		s.ask("POST", "/graphql", "{}", "Content-Type", "application/json", "Late", "1")
	}()
	if n := len(s.lines(t)); n != 2 {
		t.Errorf("%d lines for 2 requests", n)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	const canary = "hunter2"
	s.ask("POST", "/graphql?token="+canary, `{"password":"`+canary+`"}`, "Content-Type", "application/json",
		"Authorization", "Bearer good", "Cookie", "other="+canary, "X-Custom", canary, "Referer", "http://x/?"+canary)
	s.ask("GET", "/nothing/"+canary+".txt", "")
	s.ask("BREW", "/graphql", "", "Content-Type", "application/json")
	got := s.lines(t)
	if len(got) != 3 {
		t.Fatalf("%d lines for 3 requests: %s", len(got), s.log)
	}
	if l := got[0]; l["method"] != "POST" || l["route"] != "/graphql" || l["status"] != 200.0 || l["actor"] != "user:u1" ||
		l["bytes"] != float64(len("user=u1")) || l["ip"] != "192.0.2.1" || l["ms"] == nil {
		t.Errorf("logged %v", l)
	}
	if l := got[1]; l["status"] != 404.0 || l["code"] != "NO_ROUTE" || l["route"] != "/" {
		t.Errorf("logged %v", l)
	}
	if got[2]["method"] != "OTHER" {
		t.Errorf("logged the client's word as method: %v", got[2])
	}
	if strings.Contains(s.log.String(), canary) {
		t.Errorf("the log holds what the client sent:\n%s", s.log)
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	plain, secure := newSite(t, Config{PublicURL: "http://localhost:8080"}, nil), newSite(t, Config{PublicURL: "https://book.example"}, nil)
	for _, target := range []string{"/", "/healthz", "/graphql", "/no.such", "/assets/app-abc.js"} {
		h := secure.ask("GET", target, "").Header()
		for name, part := range map[string]string{
			"Content-Security-Policy":    "frame-ancestors 'none'",
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
			"Strict-Transport-Security":  "max-age=31536000",
		} {
			if !strings.Contains(h.Get(name), part) {
				t.Errorf("%s: %s = %q", target, name, h.Get(name))
			}
		}
		if strings.Contains(h.Get("Content-Security-Policy"), "script-src 'self' 'unsafe-inline'") || h.Get("Server") != "" || h.Get("X-Powered-By") != "" {
			t.Errorf("%s: %v", target, h)
		}
		if h := plain.ask("GET", target, "").Header(); h.Get("Strict-Transport-Security") != "" {
			t.Error("HSTS on plain http would lock a developer out of localhost")
		}
	}
}

func TestNotOnThePublicListener(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	for _, target := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars"} {
		if w := s.ask("GET", target, ""); strings.Contains(w.Body.String(), "goroutine") || strings.Contains(w.Body.String(), "go_info") {
			t.Errorf("%s answers %d %.80s", target, w.Code, w.Body)
		}
	}
	for _, verb := range []string{"TRACE", "PUT", "DELETE", "CONNECT"} {
		w := s.ask(verb, "/healthz", "secret", "Content-Type", "application/json")
		if w.Code < 400 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s answers %d %s", verb, w.Code, w.Body)
		}
	}
}

func TestInternalListener(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	s.srv.deps.Metrics.Gauge("test_gauge", "A test.", func() float64 { return 42 })
	s.srv.deps.Metrics.ObserveMongo("find", 3*time.Millisecond, true)
	s.srv.deps.Metrics.ObserveGraphQL("users", "query", "FORBIDDEN", "", time.Millisecond)
	s.ask("GET", "/healthz", "")
	w := httptest.NewRecorder()
	s.srv.InternalHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`backendbook_http_requests_total{method="GET",route="/healthz",status="200"} 1`,
		`backendbook_mongodb_command_seconds_count{command="find",outcome="failed"} 1`,
		`backendbook_graphql_operations_total{code="FORBIDDEN",field="users",kind="query"} 1`,
		`backendbook_test_gauge 42`, `backendbook_build_info{version="v1"} 1`, "go_goroutines", "process_open_fds",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
	w = httptest.NewRecorder()
	s.srv.InternalHandler().ServeHTTP(w, httptest.NewRequest("GET", "/debug/pprof/goroutine?debug=1", nil))
	if !strings.Contains(w.Body.String(), "goroutine profile") {
		t.Errorf("pprof answers %d %.80s", w.Code, w.Body)
	}
}

// TestLimits: what net/http itself enforces is switched on.
func TestLimits(t *testing.T) {
	t.Parallel()
	srv := NewHTTPServer(t.Context(), newSite(t, Config{}, nil), slog.New(slog.DiscardHandler))
	if srv.ReadHeaderTimeout != 5*time.Second || srv.IdleTimeout == 0 || srv.ReadTimeout == 0 || srv.MaxHeaderBytes != 32<<10 {
		t.Errorf("limits are %+v", srv)
	}
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = srv
	ts.Start()
	defer ts.Close()
	req, err := http.NewRequestWithContext(t.Context(), "GET", ts.URL+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.Repeat(".", 1<<20))
	res, err := ts.Client().Do(req)
	if err == nil { // the server may also cut the connection while the header is still being sent
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a megabyte of header: %d", res.StatusCode)
		}
	}
}

// TestSlowBodiesAreCut: who keeps sending a little and never ends is cut, and nothing of it is taken for a request.
func TestSlowBodiesAreCut(t *testing.T) {
	t.Parallel()
	read := make(chan error, 1)
	srv := NewHTTPServer(t.Context(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	}), slog.New(slog.DiscardHandler))
	srv.ReadTimeout = 200 * time.Millisecond // what it is else is a matter of TestLimits
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = srv
	ts.Start()
	defer ts.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
	for err == nil {
		select {
		case cut := <-read:
			if !errors.Is(cut, os.ErrDeadlineExceeded) {
				t.Errorf("the body ends with %v", cut)
			}
			return
		case <-time.After(time.Millisecond):
			_, err = io.WriteString(conn, "x")
		}
	}
	if cut := <-read; cut == nil {
		t.Error("a part of a body is taken for all of it")
	}
}

var errBoom = errors.New("connection refused at 10.0.0.7")
