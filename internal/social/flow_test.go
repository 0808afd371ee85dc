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
