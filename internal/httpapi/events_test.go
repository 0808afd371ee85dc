package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
)

const shopPage = "https://shop.example.org"

// taking takes events: it counts lines, those that begin with "bad" as failed. The body "full" meets a quota.
type taking struct {
	got  analytics.StreamCmd
	body string
	user string

	began chan struct{} // nil, or what is told of each that begins
	hold  chan struct{} // what it then waits for
}

func (e *taking) AdmitsOrigin(_ context.Context, key, origin string) bool {
	return key == "bbi_shop" && origin == shopPage
}

var errFull = fault.Define(fault.Exhausted, "TEST_FULL", "no more events")

func (e *taking) Stream(ctx context.Context, cmd analytics.StreamCmd) (analytics.Streamed, error) {
	if e.began != nil {
		e.began <- struct{}{}
		<-e.hold
		return analytics.Streamed{}, nil
	}
	body, err := io.ReadAll(cmd.Body)
	if err != nil {
		return analytics.Streamed{}, analytics.ErrFile.Because(err)
	}
	e.got, e.body, e.user = cmd, string(body), actor.From(ctx).User
	r := analytics.Streamed{Errors: []analytics.LineError{}}
	for i, line := range strings.Fields(e.body) {
		switch {
		case line == "full":
			r.Line = i + 1
			return r, errFull
		case strings.HasPrefix(line, "bad"):
			r.Failed++
			r.Errors = append(r.Errors, analytics.LineError{Line: i + 1, Code: "EVENT_INVALID", Field: "id", Message: "no"})
		default:
			r.Accepted++
		}
	}
	return r, nil
}

// newTaking is a site that takes events.
func newTaking(t *testing.T, cfg Config) (site, *taking) {
	t.Helper()
	s := newSite(t, cfg, nil)
	e := &taking{}
	s.srv.deps.Events, s.srv.deps.Snippet = e, "let bb"
	return s, e
}

func TestEventsAreAnsweredByLine(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body   string
		status int
		answer string
	}{
		"all":     {"a b", 200, `{"accepted":2,"duplicates":0,"failed":0,"errors":[]}`},
		"nothing": {"", 200, `{"accepted":0,"duplicates":0,"failed":0,"errors":[]}`},
		"some":    {"a bad", 207, `{"accepted":1,"duplicates":0,"failed":1,"errors":[{"line":2,"code":"EVENT_INVALID","field":"id","message":"no"}]}`},
		"none":    {"bad", 422, `{"accepted":0,"duplicates":0,"failed":1,"errors":[{"line":1,"code":"EVENT_INVALID","field":"id","message":"no"}]}`},
	} {
		s, e := newTaking(t, Config{})
		w := s.ask("POST", "/events", tc.body, "Authorization", "Bearer good", "Content-Type", "application/x-ndjson")
		if w.Code != tc.status || strings.TrimSpace(w.Body.String()) != tc.answer || e.user != "u1" || e.got.Key != "" {
			t.Errorf("%s: %d %s for %q", name, w.Code, w.Body, e.user)
		}
	}
	s, _ := newTaking(t, Config{})
	w := s.ask("POST", "/events", "a bad full", "Authorization", "Bearer good", "Content-Type", "application/x-ndjson")
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 429 || p.Error.Code != "TEST_FULL" ||
		fmt.Sprint(p.Error.Details) != "map[accepted:1 duplicates:0 failed:1 line:3]" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestEventsMayBeGzipped(t *testing.T) {
	t.Parallel()
	s, e := newTaking(t, Config{})
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte("a b c"))
	_ = z.Close()
	headers := []string{"Authorization", "Bearer good", "Content-Type", "application/x-ndjson", "Content-Encoding"}
	if w := s.ask("POST", "/events", b.String(), append(headers, "gzip")...); w.Code != 200 || e.body != "a b c" {
		t.Errorf("%d %s, read %q", w.Code, w.Body, e.body)
	}
	for _, tc := range []struct{ how, body string }{{"gzip", "a b c"}, {"br", "a"}, {"gzip", b.String()[:b.Len()-6]}} {
		w := s.ask("POST", "/events", tc.body, append(headers, tc.how)...)
		if w.Code != 422 || w.Header().Get("Connection") != "close" {
			t.Errorf("%s of %d bytes: %d %s", tc.how, len(tc.body), w.Code, w.Body)
		}
	}
}

// A page of another origin gets nowhere with a cookie, and with an ingest key where the key is for it; then no cookie counts.
func TestEventsFromPages(t *testing.T) {
	t.Parallel()
	s, e := newTaking(t, Config{PublicURL: "https://book.example", AllowedOrigins: []string{"https://admin.example"}})
	foreign := []string{"Origin", shopPage, "Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain", "Cookie", "__Host-bb_session=good"}
	w := s.ask("POST", "/events?key=bbi_shop", "a", foreign...)
	if w.Code != 200 || e.got.Key != "bbi_shop" || e.got.Origin != shopPage || e.user != "" {
		t.Errorf("%d %s: %+v as %q", w.Code, w.Body, e.got, e.user)
	}
	h := w.Header()
	if h.Get("Access-Control-Allow-Origin") != shopPage || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("headers %v", h)
	}
	foreign[1] = "https://evil.example"
	if w := s.ask("POST", "/events?key=bbi_shop", "a", foreign...); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers %v", w.Header())
	}
	for _, target := range []string{"/events", "/events?key=", "/graphql?key=bbi_shop"} {
		if w := s.ask("POST", target, "a", foreign...); w.Code != 403 {
			t.Errorf("%s without a key: %d %s", target, w.Code, w.Body)
		}
	}
	if w := s.ask("POST", "/events", "a", "Authorization", "Bearer bbi_other"); w.Code != 200 || e.got.Key != "bbi_other" || e.got.Origin != "" {
		t.Errorf("%d, %+v", w.Code, e.got)
	}
}

func TestEventsPreflight(t *testing.T) {
	t.Parallel()
	s, _ := newTaking(t, Config{AllowedOrigins: []string{"https://admin.example"}})
	ask := func(target, origin string) http.Header {
		w := s.ask("OPTIONS", target, "", "Origin", origin, "Access-Control-Request-Method", "POST")
		if w.Code != 204 {
			t.Errorf("%s from %s: %d", target, origin, w.Code)
		}
		return w.Header()
	}
	if h := ask("/events?key=bbi_shop", shopPage); h.Get("Access-Control-Allow-Origin") != shopPage || h.Get("Access-Control-Allow-Methods") != "POST" {
		t.Errorf("%v", h)
	}
	for target, origin := range map[string]string{"/events?key=bbi_shop": "https://evil.example", "/events": shopPage, "/events?key=bbi_other": shopPage} {
		if h := ask(target, origin); h.Get("Access-Control-Allow-Origin") != "" || h.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s from %s: %v", target, origin, h)
		}
	}
	if h := ask("/events", "https://admin.example"); h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("an allowed origin: %v", h)
	}
}

// A node that reads all it can says so at once, and keeps room for those with the other way in.
func TestEventsPushBack(t *testing.T) {
	t.Parallel()
	s, e := newTaking(t, Config{})
	e.began, e.hold = make(chan struct{}), make(chan struct{})
	answers := make(chan *httptest.ResponseRecorder, streamsAtOnce+1)
	for range streamsAtOnce {
		go func() { answers <- s.ask("POST", "/events?key=bbi_shop", "a") }()
		<-e.began
	}
	w := s.ask("POST", "/events?key=bbi_shop", "a")
	if code, _ := codeOf(t, w); w.Code != 429 || code != "RATE_LIMITED" || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	go func() {
		answers <- s.ask("POST", "/events", "a", "Authorization", "Bearer good", "Content-Type", "application/x-ndjson")
	}()
	<-e.began
	close(e.hold)
	for range streamsAtOnce + 1 {
		if w := <-answers; w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

func TestSnippetRunsAnywhere(t *testing.T) {
	t.Parallel()
	s, _ := newTaking(t, Config{})
	w := s.ask("GET", "/track.js", "", "Origin", shopPage)
	if w.Code != 200 || w.Body.String() != "let bb" || w.Header().Get("Cross-Origin-Resource-Policy") != "cross-origin" ||
		w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
}
