package social

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/outbound"
)

func TestReq50AnswerOfAnotherProvider(t *testing.T) {
	t.Parallel()
	a, b := newIDP(t, "acme"), newIDP(t, "bolt")
	n := setUp(t, a.provider(), b.provider())
	ofA, ofB := visit(t, n.begin(t, BeginCmd{Provider: "acme"})), visit(t, n.begin(t, BeginCmd{Provider: "bolt"}))

	c := ofA
	c.Provider = "bolt"
	if _, err := n.Finish(t.Context(), c); !errors.Is(err, ErrState) {
		t.Errorf("A's answer at B's path: %v", err)
	}
	c = ofA
	c.Issuer = b.Issuer()
	if _, err := n.Finish(t.Context(), c); !errors.Is(err, ErrAnswer) {
		t.Errorf("an answer at A's path that names B: %v", err)
	}
	if a.count(tokenPart)+b.count(tokenPart) != 0 {
		t.Error("a code was sent on: to the wrong provider, perhaps")
	}
	c = visit(t, n.begin(t, BeginCmd{Provider: "acme"}))
	c.Code = ofB.Code
	if _, err := n.Finish(t.Context(), c); !errors.Is(err, ErrAnswer) {
		t.Errorf("B's code with A's state: %v", err)
	}
	if b.count(tokenPart) != 0 {
		t.Error("B was asked in a sign-in at A")
	}
	if _, err := n.Finish(t.Context(), ofB); err != nil {
		t.Errorf("B itself: %v", err)
	}
}

func TestReq50IssuerOfTheCallback(t *testing.T) {
	t.Parallel()
	base := setUp(t)
	for _, tc := range []struct {
		name      string
		announced bool
		iss       func(issuer string) string
		ok        bool
	}{
		{"none, not announced", false, func(string) string { return "" }, true},
		{"right, not announced", false, func(s string) string { return s }, true},
		{"none though announced", true, func(string) string { return "" }, false},
		{"right", true, func(s string) string { return s }, true},
		{"with a slash", true, func(s string) string { return s + "/" }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			i := newIDP(t, "acme")
			i.says(discoveryPart, func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = tc.announced })
			n := base.with(t, i.provider())
			c := visit(t, n.begin(t, BeginCmd{Provider: "acme"}))
			c.Issuer = tc.iss(i.Issuer())
			if _, err := n.Finish(t.Context(), c); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrAnswer) {
				t.Errorf("Finish() = %v", err)
			}
		})
	}
}

func TestReq114ProviderInside(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t)
	p := i.provider()
	cfg := Config{PublicURL: publicURL, Providers: []Provider{p}}
	make := func(cfg Config) (*Service, error) { return New(n.db, n.events, n.now, n.tickets, n.Service.log, cfg) }
	if _, err := make(cfg); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("a provider over http: %v", err)
	}
	cfg.Providers[0].Issuer = strings.Replace(p.Issuer, "http://", "https://", 1)
	s, err := make(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Begin(t.Context(), BeginCmd{Provider: "acme"}); !errors.Is(err, ErrUnavailable) || !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("Begin() = %v, want PROVIDER_UNAVAILABLE because of HOST_NOT_PUBLIC", err)
	}
	// A provider that sends us somewhere else is not followed at all.
	i.mu.Lock()
	i.fault[discoveryPart] = func(w http.ResponseWriter) {
		w.Header().Set("Location", i.Issuer()+"/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	i.mu.Unlock()
	if s, err = make(Config{PublicURL: publicURL, Providers: []Provider{i.provider()}, AllowPrivate: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Begin(t.Context(), BeginCmd{Provider: "acme"}); !errors.Is(err, ErrUnavailable) || !errors.Is(err, outbound.ErrRedirect) {
		t.Errorf("a redirect: %v", err)
	}
}

// No part of a provider sends us elsewhere: every request goes through the guarded client.
func TestReq114NoPartLeadsElsewhere(t *testing.T) {
	t.Parallel()
	base := setUp(t)
	for part, there := range map[string]func(*idp) string{
		discoveryPart: func(i *idp) string { return i.DiscoveryEndpoint() },
		tokenPart:     func(i *idp) string { return i.TokenEndpoint() },
		keysPart:      func(i *idp) string { return i.JWKSEndpoint() },
		userPart:      func(i *idp) string { return i.UserinfoEndpoint() },
	} {
		i := newIDP(t, "acme")
		n := base.with(t, i.provider())
		if part != discoveryPart {
			n.begin(t, BeginCmd{Provider: "acme"})
		}
		i.mu.Lock()
		i.fault[part] = func(w http.ResponseWriter) { // once: who follows finds all as it should be
			delete(i.fault, part)
			w.Header().Set("Location", there(i))
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
		i.mu.Unlock()
		start, err := n.Begin(t.Context(), BeginCmd{Provider: "acme"})
		if err == nil {
			i.QueueUser(user{sub: "a-1", info: map[string]any{"sub": "a-1"}})
			_, err = n.Finish(t.Context(), visit(t, start))
		}
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, outbound.ErrRedirect) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

func TestCallbackWithoutACode(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	const canary = "canary\nfoo"
	for _, tc := range []struct {
		name  string
		spoil func(*FinishCmd)
		want  error
	}{
		{"cancelled", func(c *FinishCmd) { c.Error = "access_denied" }, ErrDenied},
		{"no session there", func(c *FinishCmd) { c.Error = "login_required" }, ErrDenied},
		{"out of order", func(c *FinishCmd) { c.Error = "server_error" }, ErrUnavailable},
		{"anything else", func(c *FinishCmd) { c.Error = canary }, ErrAnswer},
		{"no code", func(c *FinishCmd) { c.Code = "" }, ErrAnswer},
		{"a long code", func(c *FinishCmd) { c.Code = strings.Repeat("x", maxCode+1) }, ErrAnswer},
		{"a wrong code", func(c *FinishCmd) { c.Code = canary }, ErrAnswer},
	} {
		c := visit(t, n.begin(t, BeginCmd{Provider: "acme", ReturnTo: "/back", LinkUser: "u1"}))
		right := c
		tc.spoil(&c)
		done, err := n.Finish(t.Context(), c)
		if !errors.Is(err, tc.want) || done != (Finished{ReturnTo: "/back", LinkUser: "u1"}) {
			t.Errorf("%s: %+v, %v", tc.name, done, err)
		}
		if strings.Contains(err.Error(), "canary") || strings.Contains(n.log.String(), "canary") {
			t.Errorf("%s: what the browser brought is in the log: %v", tc.name, err)
		}
		if _, err := n.Finish(t.Context(), right); !errors.Is(err, ErrState) {
			t.Errorf("%s: the sign-in was not used up: %v", tc.name, err)
		}
	}
	if asked := i.count(tokenPart); asked != 1 {
		t.Errorf("the provider was asked %d times, for one code that might have been good", asked)
	}
	if lines := strings.Count(n.log.String(), "oauth_answer_refused"); lines != 4 {
		t.Errorf("%d lines for 4 refused answers:\n%s", lines, n.log)
	}
}
