package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/webauth"
)

func TestResolveSession(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		headers []string
		status  int
		want    string // in the body
	}{
		{"nobody", nil, 200, "user=\x00"},
		{"a cookie", []string{"Cookie", "session=good"}, 200, "user=u1"},
		{"a bearer token", []string{"Authorization", "Bearer good"}, 200, "user=u1"},
		{"the scheme in small letters", []string{"Authorization", "bearer good"}, 200, "user=u1"},
		{"a dead cookie", []string{"Cookie", "session=dead"}, 200, "user=\x00"},
		{"a dead bearer token", []string{"Authorization", "Bearer dead"}, 401, "SESSION_ENDED"},
		{"a dead bearer token beside a good cookie", []string{"Authorization", "Bearer dead", "Cookie", "session=good"}, 401, "SESSION_ENDED"},
		{"a good bearer token beside a dead cookie", []string{"Authorization", "Bearer good", "Cookie", "session=dead"}, 200, "user=u1"},
		{"another scheme", []string{"Authorization", "Basic Z29vZA=="}, 200, "user=\x00"},
		{"an empty token", []string{"Authorization", "Bearer "}, 200, "user=\x00"},
		{"the cookie of https on plain http", []string{"Cookie", "__Host-session=good"}, 200, "user=\x00"},
		{"a key", []string{"Authorization", "Bearer key"}, 200, "user=u1"},
		{"a key as a cookie", []string{"Cookie", "session=key"}, 200, "user=\x00"},
		{"one guess too many", []string{"Authorization", "Bearer guessed"}, 429, "RATE_LIMITED"},
		{"the database is away, with a cookie", []string{"Cookie", "session=broken"}, 503, "UNAVAILABLE"},
		{"the database is away, with a token", []string{"Authorization", "Bearer broken"}, 503, "UNAVAILABLE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newSite(t, Config{}, nil).ask("GET", "/graphql", "", tc.headers...)
			if want, exact := strings.CutSuffix(tc.want, "\x00"); w.Code != tc.status || !strings.Contains(w.Body.String(), want) || exact && w.Body.String() != want {
				t.Errorf("answer %d %q, want %d %q", w.Code, w.Body, tc.status, tc.want)
			}
			if cookie := w.Header().Get("Set-Cookie"); cookie != "" { // it could be that of another answer by now
				t.Errorf("Set-Cookie: %q", cookie)
			}
		})
	}
}

// TestReq73BrowserCookies: how each cookie looks that the flows set, and that they are cleared as they were set.
func TestReq73BrowserCookies(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		url, prefix string
		secure      bool
	}{{"https://book.example", "__Host-", true}, {"http://localhost:8080", "", false}} {
		for name, age := range map[webauth.Cookie]time.Duration{
			webauth.SessionCookie: longAge, webauth.DeviceCookie: longAge, webauth.ProviderCookie: 10 * time.Minute, webauth.VisitorCookie: longAge,
		} {
			for value, wantAge := range map[string]int{"tok": int(age / time.Second), "": -1} {
				w := httptest.NewRecorder()
				browser{newCookies(tc.url), w, httptest.NewRequest("POST", "/graphql", nil)}.Set(name, value)
				c := cookieOf(t, w.Header(), tc.prefix+string(name))
				if c.Value != value || c.MaxAge != wantAge || c.Secure != tc.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
					t.Errorf("%s at %s: %s", name, tc.url, c)
				}
				if cleared := w.Header().Get("Clear-Site-Data") == `"storage"`; cleared != (name == webauth.SessionCookie && value == "") {
					t.Errorf("%s = %q: Clear-Site-Data %q", name, value, w.Header().Get("Clear-Site-Data"))
				}
			}
		}
	}
}

// TestReq73BriefCookie: a session for the day has a cookie that ends with the browser, and looks like any other else.
func TestReq73BriefCookie(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	browser{newCookies("https://book.example"), w, httptest.NewRequest("POST", "/graphql", nil)}.SetBrief(webauth.SessionCookie, "tok")
	c := cookieOf(t, w.Header(), "__Host-session")
	if c.Value != "tok" || c.MaxAge != 0 || !c.Expires.IsZero() || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("Set-Cookie: %s", c)
	}
}

// A visitor is known by a cookie as long as nobody is signed in; a malformed one is nobody's.
func TestVisitor(t *testing.T) {
	t.Parallel()
	secret, visitor := webauth.NewVisitor()
	for _, tc := range []struct{ cookie, want string }{
		{"visitor=" + secret, visitor},
		{"visitor=" + secret + "; session=good", ""},
		{"visitor=" + secret + "; session=dead", visitor},
		{"visitor=bbv_made-up", ""},
		{"visitor=" + visitor, ""},
	} {
		var got actor.Actor
		newSite(t, Config{}, func(_ http.ResponseWriter, r *http.Request) { got = actor.From(r.Context()) }).ask("GET", "/graphql", "", "Cookie", tc.cookie)
		if got.Visitor != tc.want {
			t.Errorf("%s: visitor %q, want %q", tc.cookie, got.Visitor, tc.want)
		}
	}
}

// TestBrowserReadsItsOwnCookies: on https a cookie without the prefix is one that a sub-domain may have planted.
func TestBrowserReadsItsOwnCookies(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/graphql", nil)
	r.Header.Set("Cookie", "__Host-device=host; device=plain; provider=planted")
	for url, want := range map[string][2]string{"https://book.example": {"host", ""}, "http://localhost:8080": {"plain", "planted"}} {
		b := browser{newCookies(url), httptest.NewRecorder(), r}
		if got := [2]string{b.Get(webauth.DeviceCookie), b.Get(webauth.ProviderCookie)}; got != want {
			t.Errorf("%s: the flows read %q", url, got)
		}
	}
}

// TestFlowsReachTheBrowser: over HTTP they do, and over a socket there is nothing they could set.
func TestFlowsReachTheBrowser(t *testing.T) {
	t.Parallel()
	flows := webauth.New(nil, webauth.Deps{}, webauth.Config{})
	s := newSite(t, Config{PublicURL: "https://book.example"}, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := flows.SignOut(r.Context()); err != nil { // nobody's: it only clears the cookie
			t.Error(err)
		}
	})
	h := s.ask("POST", "/graphql", "{}", "Content-Type", "application/json").Header()
	if c := cookieOf(t, h, "__Host-session"); c.Value != "" || c.MaxAge >= 0 || h.Get("Clear-Site-Data") == "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("signing out: %v", h)
	}
	if h := s.ask("GET", "/graphql", "", "Upgrade", "websocket").Header(); h.Get("Set-Cookie") != "" {
		t.Errorf("a socket was promised cookies that nobody can set: %v", h)
	}
}

// TestReq57TokenInURL: a secret in an address is refused before anybody looks at it, and is not in the log.
func TestReq57TokenInURL(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	for _, target := range []string{
		"/graphql?access_token=canary-1", "/graphql?x=1&access_token=canary-2", "/graphql?token=bbs_canary-3", "/graphql?key=bbk_canary-4",
		"/graphql?bbk_canary-5", "/graphql?access%5Ftoken=canary-6", "/graphql?token=%62bs_canary-7", "/auth/callback/x?state=bbs_canary-8",
	} {
		w := s.ask("GET", target, "", "Authorization", "Bearer good")
		if code, _ := codeOf(t, w); w.Code != 422 || code != "TOKEN_IN_URL" {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if s.providers.got.State != "" {
		t.Error("the flow was reached")
	}
	for _, target := range []string{"/auth/callback/x?code=abbs_def&state=bbf_xbbk_y", "/graphql?query=%7Bx%7D&access=1", "/graphql?x=%zz"} {
		if w := s.ask("GET", target, ""); w.Code >= 400 {
			t.Errorf("%s has no token in it: %d %s", target, w.Code, w.Body)
		}
	}
	if strings.Contains(s.log.String(), "canary") {
		t.Errorf("the log holds what the client sent:\n%s", s.log)
	}
}

func cookieOf(t *testing.T, h http.Header, name string) *http.Cookie {
	t.Helper()
	for _, line := range h.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no cookie %s in %v", name, h)
	return nil
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

// TestAuthenticationHasADeadline: whoever asks while the database does nothing is answered in the time they have, and at the latest after ours.
func TestAuthenticationHasADeadline(t *testing.T) {
	t.Parallel()
	for header, most := range map[string]time.Duration{"20ms": 20 * time.Millisecond, "20": 20 * time.Millisecond, "": authTime, "odd": authTime, "1h": authTime} {
		s := New(Config{}, Deps{Authenticate: func(ctx context.Context, _ string) (a actor.Actor, until time.Time, err error) {
			end, has := ctx.Deadline()
			if left := time.Until(end); !has || left > most || left < most-10*time.Second {
				t.Errorf("%q: ends in %s, %t", header, left, has)
			}
			if most < authTime {
				<-ctx.Done()
			}
			return a, until, fault.ErrTimeout.Because(ctx.Err())
		}})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil)
		r.Header.Set("Authorization", "Bearer bbs_x")
		r.Header.Set("X-Request-Timeout", header)
		w := httptest.NewRecorder()
		s.resolveSession(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it goes on as nobody") })).ServeHTTP(w, r)
		if w.Code != http.StatusGatewayTimeout {
			t.Errorf("%q: %d %s", header, w.Code, w.Body)
		}
	}
}
