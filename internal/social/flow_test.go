package social

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/outbound"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	start := n.begin(t, BeginCmd{Provider: "acme", ReturnTo: "/inbox?unread#7", LinkUser: "u1"})
	i.QueueUser(ada("a-1"))
	done, err := n.Finish(t.Context(), visit(t, start))
	want := Finished{
		Claims:   Claims{Provider: "acme", Issuer: i.Issuer(), Subject: "a-1", Email: "ada@example.org", EmailVerified: true, Name: "Ada"},
		ReturnTo: "/inbox?unread#7", LinkUser: "u1",
	}
	if err != nil || done != want {
		t.Fatalf("Finish() = %+v, %v\nwant %+v", done, err, want)
	}
	if n.log.String() != "" {
		t.Errorf("log: %s", n.log)
	}
	if got := n.Providers(); !slices.Equal(got, []Info{{"acme", "Acme"}}) {
		t.Errorf("Providers() = %v", got)
	}
}

func TestReq45Start(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	seen := map[string]bool{}
	for range 3 {
		s := n.begin(t, BeginCmd{Provider: "acme"})
		q := query(t, s.URL)
		tk, a := n.ticketOf(t, q.Get("state"))
		if q.Get("code_challenge") != oauth2.S256ChallengeFromVerifier(a.Verifier) || q.Get("code_challenge_method") != "S256" || len(a.Verifier) < 43 {
			t.Errorf("PKCE: %v", q)
		}
		if q.Get("nonce") != a.Nonce || len(a.Nonce) < 26 || q.Get("redirect_uri") != publicURL+"/auth/callback/acme" || q.Get("response_type") != "code" {
			t.Errorf("address: %v", q)
		}
		if life := tk.ExpiresAt.Sub(tk.CreatedAt); life != 10*time.Minute {
			t.Errorf("lives for %v", life)
		}
		for _, secret := range []string{q.Get("state"), s.Binding, a.Verifier, a.Nonce} {
			if seen[secret] || len(secret) < 26 {
				t.Errorf("%q was there before, or is short", secret)
			}
			seen[secret] = true
		}
		if kept := n.dump(t); strings.Contains(kept, q.Get("state")) || strings.Contains(kept, s.Binding) {
			t.Error("the database alone is enough to finish a sign-in")
		}
		if strings.Contains(s.URL, a.Verifier) || strings.Contains(s.URL, s.Binding) {
			t.Error("a secret is in the address")
		}
	}
}

func TestReq45OnlyOnceInThisBrowserForTenMinutes(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	mine := visit(t, n.begin(t, BeginCmd{Provider: "acme"}))
	other := n.begin(t, BeginCmd{Provider: "acme"})
	for name, spoil := range map[string]func(*FinishCmd){
		"another browser":  func(c *FinishCmd) { c.Binding = other.Binding },
		"no cookie":        func(c *FinishCmd) { c.Binding = "" },
		"a made-up cookie": func(c *FinishCmd) { c.Binding = "bbo_" + strings.Repeat("A", 48) },
		"state as cookie":  func(c *FinishCmd) { c.Binding = c.State },
		"no state":         func(c *FinishCmd) { c.State = "" },
		"a changed state":  func(c *FinishCmd) { c.State = c.State[:len(c.State)-1] + "_" },
		"another's state":  func(c *FinishCmd) { c.State = query(t, other.URL).Get("state") },
		"cookie as state":  func(c *FinishCmd) { c.State = c.Binding },
	} {
		c := mine
		spoil(&c)
		if done, err := n.Finish(t.Context(), c); !errors.Is(err, ErrState) || done != (Finished{}) {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
	}
	if hits := i.count(tokenPart); hits != 0 {
		t.Errorf("the provider was asked %d times", hits)
	}
	n.clock.Advance(10*time.Minute - time.Second)
	if _, err := n.Finish(t.Context(), mine); err != nil { // none of the above has used it up
		t.Errorf("in this browser, in time: %v", err)
	}
	if _, err := n.Finish(t.Context(), mine); !errors.Is(err, ErrState) {
		t.Errorf("twice: %v", err)
	}
	late := visit(t, other)
	n.clock.Advance(time.Second)
	if _, err := n.Finish(t.Context(), late); !errors.Is(err, ErrState) {
		t.Errorf("after 10 minutes: %v", err)
	}
}

func TestReq45OneOfTwentyParallel(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	c := visit(t, n.begin(t, BeginCmd{Provider: "acme"}))
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 20 {
		wg.Go(func() {
			switch _, err := n.Finish(t.Context(), c); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrState):
				t.Errorf("Finish() = %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || i.count(tokenPart) != 1 {
		t.Errorf("%d succeeded, the code was sent %d times", won.Load(), i.count(tokenPart))
	}
}

// The provider refuses a code whose verifier is not the one of the start, so the verifier is sent and is that one.
func TestReq45VerifierIsProved(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	c := visit(t, n.begin(t, BeginCmd{Provider: "acme"}))
	tk, a := n.ticketOf(t, c.State)
	a.Verifier = oauth2.GenerateVerifier()
	if err := n.tickets.Amend(t.Context(), tk, a); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Finish(t.Context(), c); !errors.Is(err, ErrAnswer) || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("Finish() = %v", err)
	}
}

func TestTwoTabsShareACookie(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	first := n.begin(t, BeginCmd{Provider: "acme"})
	second := n.begin(t, BeginCmd{Provider: "acme", Binding: first.Binding})
	if second.Binding != first.Binding {
		t.Fatal("the second tab has cut off the first")
	}
	for _, s := range []Start{second, first} {
		if _, err := n.Finish(t.Context(), visit(t, s)); err != nil {
			t.Errorf("Finish() = %v", err)
		}
	}
	if s := n.begin(t, BeginCmd{Provider: "acme", Binding: "bbo_short"}); s.Binding == "bbo_short" {
		t.Error("a cookie that we did not make was kept")
	}
}

func TestReq46CheckedAtStartAndCallback(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	for _, to := range []string{"//evil", `/\evil`, "https://evil.example/"} {
		if _, err := n.Begin(t.Context(), BeginCmd{Provider: "acme", ReturnTo: to}); !errors.Is(err, ErrReturnTo) {
			t.Errorf("Begin(%q) = %v", to, err)
		}
		c := visit(t, n.begin(t, BeginCmd{Provider: "acme", ReturnTo: "/"}))
		tk, a := n.ticketOf(t, c.State)
		a.ReturnTo = to
		if err := n.tickets.Amend(t.Context(), tk, a); err != nil {
			t.Fatal(err)
		}
		if done, err := n.Finish(t.Context(), c); !errors.Is(err, ErrReturnTo) || done != (Finished{}) {
			t.Errorf("Finish() with %q = %+v, %v", to, done, err)
		}
	}
}

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
			n := setUp(t, i.provider())
			c := visit(t, n.begin(t, BeginCmd{Provider: "acme"}))
			c.Issuer = tc.iss(i.Issuer())
			if _, err := n.Finish(t.Context(), c); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrAnswer) {
				t.Errorf("Finish() = %v", err)
			}
		})
	}
}

func TestReq52TokensAreKeptNowhere(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	start := n.begin(t, BeginCmd{Provider: "acme"})
	c := visit(t, start)
	done, err := n.Finish(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	id, err := n.Link(t.Context(), "u1", done.Claims)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Used(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	n.begin(t, BeginCmd{Provider: "acme"}) // so that each collection holds something
	kept := n.dump(t) + n.log.String() + fmt.Sprintf("%+v %#v", done, id)
	if len(i.seen) != 3 || !strings.Contains(kept, done.Claims.Subject) {
		t.Fatalf("the test is blind: %d tokens, %d bytes", len(i.seen), len(kept))
	}
	for _, secret := range append(i.seen, c.Code, i.ClientSecret) {
		if strings.Contains(kept, secret) {
			t.Errorf("%.20s… is kept", secret)
		}
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
	for part, there := range map[string]func(*idp) string{
		discoveryPart: func(i *idp) string { return i.DiscoveryEndpoint() },
		tokenPart:     func(i *idp) string { return i.TokenEndpoint() },
		keysPart:      func(i *idp) string { return i.JWKSEndpoint() },
		userPart:      func(i *idp) string { return i.UserinfoEndpoint() },
	} {
		i := newIDP(t, "acme")
		n := setUp(t, i.provider())
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

func TestUnknownProvider(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	if _, err := n.Begin(t.Context(), BeginCmd{Provider: "acme"}); !errors.Is(err, ErrProvider) {
		t.Errorf("Begin() = %v", err)
	}
	if _, err := n.Finish(t.Context(), FinishCmd{Provider: "acme"}); !errors.Is(err, ErrProvider) {
		t.Errorf("Finish() = %v", err)
	}
	if got := n.Providers(); len(got) != 0 {
		t.Errorf("Providers() = %v", got)
	}
}

func TestNoProviderIsAskedInsideATransaction(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	c := visit(t, n.begin(t, BeginCmd{Provider: "acme"}))
	_ = n.db.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := n.Begin(ctx, BeginCmd{Provider: "acme"}); !errors.Is(err, errTransaction) {
			t.Errorf("Begin() = %v", err)
		}
		if _, err := n.Finish(ctx, c); !errors.Is(err, errTransaction) {
			t.Errorf("Finish() = %v", err)
		}
		return nil
	})
}

func TestSignInDiesWithTheUserItIsFor(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	c := visit(t, n.begin(t, BeginCmd{Provider: "acme", LinkUser: "u1"}))
	if _, err := n.tickets.Void(t.Context(), "u1", TicketKind); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Finish(t.Context(), c); !errors.Is(err, ErrState) {
		t.Errorf("Finish() = %v", err)
	}
}

func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	if _, err := n.Begin(gone(t), BeginCmd{Provider: "acme"}); !errors.Is(err, fault.ErrCanceled) {
		t.Errorf("Begin() = %v", err)
	}
	ctx, leave := context.WithCancel(t.Context())
	i.mu.Lock()
	i.fault[discoveryPart] = func(w http.ResponseWriter) {
		leave()
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	i.mu.Unlock()
	if _, err := n.Begin(ctx, BeginCmd{Provider: "acme"}); !errors.Is(err, fault.ErrCanceled) {
		t.Errorf("Begin() while the provider was asked = %v", err)
	}
	i.breaks(discoveryPart, 0)
	n.begin(t, BeginCmd{Provider: "acme"}) // the provider is not blamed for it
}

func TestCommandsPrintNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "canary"
	for _, v := range []any{
		BeginCmd{Binding: secret},
		Start{URL: secret, Binding: secret},
		FinishCmd{State: secret, Code: secret, Binding: secret},
		Provider{ClientSecret: secret},
		Config{Providers: []Provider{{ClientSecret: secret}}},
	} {
		var log journal
		logTo(&log).Info("x", "v", v)
		if text := fmt.Sprintf("%v %+v %#v %s", v, v, v, v) + log.String(); strings.Contains(text, secret) {
			t.Errorf("%T prints as %s", v, text)
		}
	}
}
