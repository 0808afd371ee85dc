package httpapi

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestConsole(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	for _, tc := range []struct {
		target  string
		headers []string
		status  int
		typ     string
		cache   string
		body    string
	}{
		{"/", nil, 200, "text/html", "no-cache", "<title>console"},
		{"/explorer", nil, 200, "text/html", "no-cache", "<title>console"},
		{"/roles/a/b", nil, 200, "text/html", "no-cache", "<title>console"},
		{"/index.html", nil, 404, "application/json", "no-store", "NO_ROUTE"},
		{"/assets/app-abc.js", nil, 200, "text/javascript", "immutable", "let a"},
		{"/assets/big-d.js", []string{"Accept-Encoding", "gzip, br"}, 200, "text/javascript", "immutable", "gzipped"},
		{"/assets/big-d.js", nil, 200, "text/javascript", "immutable", "let b"},
		{"/assets/worker-e.bin", nil, 200, "application/octet-stream", "immutable", "?"},
		{"/assets/app-abc.js", []string{"Accept-Encoding", "gzip"}, 200, "text/javascript", "immutable", "let a"},
		{"/favicon.svg", nil, 200, "image/svg+xml", "no-cache", "<svg/>"},
		{"/assets/big-d.js.gz", nil, 404, "application/json", "no-store", "NO_ROUTE"},
		{"/assets/gone-f.js", nil, 404, "application/json", "no-store", "NO_ROUTE"},
		{"/assets/", nil, 404, "application/json", "no-store", "NO_ROUTE"},
		{"/.gitkeep", nil, 404, "application/json", "no-store", "NO_ROUTE"},
		{"/..%2f..%2fetc/passwd", nil, 200, "text/html", "no-cache", "<title>console"},
		{"/assets/../../go.mod", nil, 307, "", "", ""},
	} {
		w := s.ask("GET", tc.target, "", tc.headers...)
		h := w.Header()
		if w.Code != tc.status || !strings.HasPrefix(h.Get("Content-Type"), tc.typ) || !strings.Contains(h.Get("Cache-Control"), tc.cache) || !strings.Contains(w.Body.String(), tc.body) {
			t.Errorf("%s: %d %v %.60s", tc.target, w.Code, h, w.Body)
		}
	}
}

func TestConsoleRevalidates(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	etag := s.ask("GET", "/", "").Header().Get("Etag")
	if w := s.ask("GET", "/", "", "If-None-Match", etag); etag == "" || w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("ETag %q: %d with %d bytes", etag, w.Code, w.Body.Len())
	}
	if w := s.ask("GET", "/", "", "If-None-Match", `"other"`); w.Code != 200 {
		t.Errorf("another version: %d", w.Code)
	}
	if w := s.ask("HEAD", "/", ""); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
}

// TestUnbuiltConsole: a binary from plain `go build` says how the console is made.
func TestUnbuiltConsole(t *testing.T) {
	t.Parallel()
	h := newConsole(fstest.MapFS{".gitkeep": {}})
	for target, status := range map[string]int{"/": 200, "/explorer": 200, "/assets/x.js": 404, "/.gitkeep": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.Code != status || status == 200 && !strings.Contains(w.Body.String(), "make web") {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}
