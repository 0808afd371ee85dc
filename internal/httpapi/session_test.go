package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/webauth"
)

func TestResolveSession(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		headers []string
		status  int
		want    string // in the body
		cleared bool
	}{
		{"nobody", nil, 200, "user=\x00", false},
		{"a cookie", []string{"Cookie", "session=good"}, 200, "user=u1", false},
		{"a bearer token", []string{"Authorization", "Bearer good"}, 200, "user=u1", false},
		{"the scheme in small letters", []string{"Authorization", "bearer good"}, 200, "user=u1", false},
		{"a dead cookie", []string{"Cookie", "session=dead"}, 200, "user=\x00", true},
		{"a dead bearer token", []string{"Authorization", "Bearer dead"}, 401, "SESSION_ENDED", false},
		{"a dead bearer token beside a good cookie", []string{"Authorization", "Bearer dead", "Cookie", "session=good"}, 401, "SESSION_ENDED", false},
		{"a good bearer token beside a dead cookie", []string{"Authorization", "Bearer good", "Cookie", "session=dead"}, 200, "user=u1", false},
		{"another scheme", []string{"Authorization", "Basic Z29vZA=="}, 200, "user=\x00", false},
		{"an empty token", []string{"Authorization", "Bearer "}, 200, "user=\x00", false},
		{"the cookie of https on plain http", []string{"Cookie", "__Host-session=good"}, 200, "user=\x00", false},
		{"the database is away, with a cookie", []string{"Cookie", "session=broken"}, 503, "UNAVAILABLE", false},
		{"the database is away, with a token", []string{"Authorization", "Bearer broken"}, 503, "UNAVAILABLE", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newSite(t, Config{}, nil).ask("GET", "/graphql", "", tc.headers...)
			if want, exact := strings.CutSuffix(tc.want, "\x00"); w.Code != tc.status || !strings.Contains(w.Body.String(), want) || exact && w.Body.String() != want {
				t.Errorf("answer %d %q, want %d %q", w.Code, w.Body, tc.status, tc.want)
			}
			cookie := w.Header().Get("Set-Cookie")
			if cleared := strings.Contains(cookie, "session=;") && strings.Contains(cookie, "Max-Age=0"); cleared != tc.cleared {
				t.Errorf("Set-Cookie: %q", cookie)
			}
		})
	}
}

// TestTokenSink: signing in sets the cookie, signing out clears it and what the pages stored.
func TestTokenSink(t *testing.T) {
	t.Parallel()
	newSite(t, Config{}, func(_ http.ResponseWriter, r *http.Request) {
		if webauth.TokenSinkFrom(r.Context()) != nil {
			t.Error("a socket was promised a cookie that nobody can set")
		}
	}).ask("GET", "/graphql", "", "Upgrade", "websocket")
	s := newSite(t, Config{PublicURL: "https://book.example"}, func(_ http.ResponseWriter, r *http.Request) {
		webauth.TokenSinkFrom(r.Context())(r.Header.Get("Give"))
	})
	in := s.ask("POST", "/graphql", "{}", "Content-Type", "application/json", "Give", "tok").Header()
	if c := in.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-session=tok; Path=/; Max-Age=") || !strings.HasSuffix(c, "; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("signing in: Set-Cookie: %s", c)
	}
	if in.Get("Clear-Site-Data") != "" || in.Get("Cache-Control") != "no-store" {
		t.Errorf("signing in: %v", in)
	}
	out := s.ask("POST", "/graphql", "{}", "Content-Type", "application/json").Header()
	if !strings.HasPrefix(out.Get("Set-Cookie"), "__Host-session=; Path=/; Max-Age=0") || out.Get("Clear-Site-Data") != `"storage"` {
		t.Errorf("signing out: %v", out)
	}
}

// TestSessionIsForTheAPI: a dead token does not keep a page or a probe from being served.
func TestSessionIsForTheAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	for _, target := range []string{"/", "/healthz", "/readyz", "/assets/app-abc.js"} {
		if w := s.ask("GET", target, "", "Authorization", "Bearer dead"); w.Code != 200 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		url, name string
		secure    bool
	}{{"https://book.example", "__Host-session", true}, {"http://localhost:8080", "session", false}} {
		h := http.Header{}
		newCookies(tc.url).set(headerWriter{h}, "tok")
		c, err := http.ParseSetCookie(h.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		if c.Name != tc.name || c.Secure != tc.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Value != "tok" || c.MaxAge <= 0 {
			t.Errorf("%s: %s", tc.url, h.Get("Set-Cookie"))
		}
	}
}

type headerWriter struct{ h http.Header }

func (w headerWriter) Header() http.Header       { return w.h }
func (headerWriter) Write(b []byte) (int, error) { return len(b), nil }
func (headerWriter) WriteHeader(int)             {}
