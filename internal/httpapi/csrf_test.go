package httpapi

import (
	"net/http"
	"testing"
)

func TestReq74CrossOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{PublicURL: "https://book.example", AllowedOrigins: []string{"https://admin.example"}}, nil)
	const json, cookie = "application/json", "__Host-session=good"
	for _, tc := range []struct {
		name    string
		method  string
		headers []string
		status  int
	}{
		{"a program without a browser", "POST", []string{"Content-Type", json}, 200},
		{"our page", "POST", []string{"Content-Type", json, "Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Origin", "https://book.example"}, 200},
		{"our page behind a proxy that changes Host", "POST", []string{"Content-Type", json, "Cookie", cookie, "Host", "internal:8080", "Origin", "https://book.example"}, 200},
		{"an allowed page", "POST", []string{"Content-Type", json, "Cookie", cookie, "Sec-Fetch-Site", "cross-site", "Origin", "https://admin.example"}, 200},
		{"another site", "POST", []string{"Content-Type", json, "Cookie", cookie, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		{"another site, to sign in", "POST", []string{"Content-Type", json, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		{"a sub-domain", "POST", []string{"Content-Type", json, "Sec-Fetch-Site", "same-site", "Origin", "https://x.book.example"}, 403},
		{"a look-alike", "POST", []string{"Content-Type", json, "Origin", "https://book.example.evil.example"}, 403},
		{"a prefix of an allowed origin", "POST", []string{"Content-Type", json, "Origin", "https://admin.example.evil.example"}, 403},
		{"plain http of ours", "POST", []string{"Content-Type", json, "Host", "internal", "Origin", "http://book.example"}, 403},
		{"no origin at all, from a sandbox", "POST", []string{"Content-Type", json, "Origin", "null"}, 403},
		{"an old browser's form", "POST", []string{"Content-Type", "application/x-www-form-urlencoded", "Cookie", cookie}, 403},
		{"an old browser's text", "POST", []string{"Content-Type", "text/plain; charset=utf-8", "Cookie", cookie}, 403},
		{"an old browser's upload", "POST", []string{"Content-Type", "multipart/form-data; boundary=x", "Cookie", cookie}, 403},
		{"no content type", "POST", []string{"Cookie", cookie}, 403},
		{"a form that asked first", "POST", []string{"Content-Type", "multipart/form-data; boundary=x", "Cookie", cookie, "GraphQL-Require-Preflight", "1"}, 200},
		{"a form without a cookie", "POST", []string{"Content-Type", "text/plain"}, 200}, // GraphQL itself refuses it with 415
		{"reading", "GET", []string{"Cookie", cookie, "Sec-Fetch-Site", "cross-site"}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newSite(t, s.srv.cfg, nil).ask(tc.method, "/graphql", "{}", tc.headers...)
			if w.Code != tc.status {
				t.Errorf("answer %d %s, want %d", w.Code, w.Body, tc.status)
			}
			if w.Code == 403 {
				if code, _ := codeOf(t, w); code != "CROSS_ORIGIN" {
					t.Errorf("code %s", code)
				}
			}
		})
	}
}

func TestReq76CORS(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{PublicURL: "https://book.example", AllowedOrigins: []string{"https://admin.example"}}, nil)
	for _, tc := range []struct {
		origin  string
		allowed bool
	}{
		{"https://admin.example", true},
		{"https://evil.example", false},
		{"https://admin.example.evil.example", false},
		{"https://sub.admin.example", false},
		{"http://admin.example", false},
		{"null", false},
		{"", false},
		{"*", false},
	} {
		w := s.ask("GET", "/graphql", "", "Origin", tc.origin)
		h := w.Header()
		if got := h.Get("Access-Control-Allow-Origin"); (got == tc.origin && got != "") != tc.allowed || got == "*" {
			t.Errorf("%q: Access-Control-Allow-Origin = %q", tc.origin, got)
		}
		if (h.Get("Access-Control-Allow-Credentials") != "") != tc.allowed {
			t.Errorf("%q: credentials %q", tc.origin, h.Get("Access-Control-Allow-Credentials"))
		}
		if h.Get("Vary") != "Origin" {
			t.Errorf("%q: a cache would give this answer to other origins", tc.origin)
		}
		w = s.ask("OPTIONS", "/graphql", "", "Origin", tc.origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
		if preflight := w.Code == http.StatusNoContent && w.Header().Get("Access-Control-Allow-Headers") != ""; preflight != tc.allowed {
			t.Errorf("%q: preflight %d %v", tc.origin, w.Code, w.Header())
		}
	}
}
