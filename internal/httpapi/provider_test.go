package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/webauth"
)

// returning is how every browser comes back from a provider.
type returning struct {
	back webauth.Returned
	err  error
	got  social.FinishCmd
	as   actor.Actor
}

func (p *returning) FinishProvider(ctx context.Context, c social.FinishCmd) (webauth.Returned, error) {
	p.got, p.as = c, actor.From(ctx)
	return p.back, p.err
}

// TestProviderCallback: where a browser goes that comes back, and what the page there is told.
func TestProviderCallback(t *testing.T) {
	t.Parallel()
	wanted := webauth.FactorRequired{
		Flow: "bbf_secret", Factors: []webauth.FactorKind{webauth.Passkey, webauth.TOTP}, ExpiresAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
	for _, tc := range []struct {
		name     string
		back     webauth.Returned
		err      error
		path     string
		fragment url.Values
	}{
		{"signed in", webauth.Returned{ReturnTo: "/documents?a=1", Outcome: webauth.SignedIn{}}, nil, "/documents?a=1", nil},
		{"one more factor", webauth.Returned{ReturnTo: "/documents", Outcome: wanted}, nil, "/sign-in", url.Values{
			"flow": {"bbf_secret"}, "factors": {"PASSKEY,TOTP"}, "expires": {"2026-01-02T03:04:05Z"},
		}},
		{"linked", webauth.Returned{ReturnTo: "/documents", Linked: "mock"}, nil, "/security", url.Values{"linked": {"mock"}}},
		{"refused", webauth.Returned{ReturnTo: "/documents"}, social.ErrState, "/sign-in", url.Values{"error": {"OAUTH_STATE_INVALID"}}},
		{"refused to link", webauth.Returned{ReturnTo: "/documents", Linked: "mock"}, webauth.ErrOther, "/security", url.Values{"error": {"PROVIDER_OTHER_USER"}}},
		{"what nobody foresaw", webauth.Returned{}, errBoom, "/sign-in", url.Values{"error": {"INTERNAL"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, Config{}, nil)
			s.providers.back, s.providers.err = tc.back, tc.err
			w := s.ask("GET", "/auth/callback/mock?state=st&code=co&iss=is&error=er", "", "Cookie", "session=good")
			path, fragment, _ := strings.Cut(w.Header().Get("Location"), "#")
			got, err := url.ParseQuery(fragment)
			if err != nil || w.Code != http.StatusSeeOther || path != tc.path || got.Encode() != tc.fragment.Encode() || w.Body.Len() != 0 {
				t.Errorf("%d to %q, body %q", w.Code, w.Header().Get("Location"), w.Body)
			}
			if want := (social.FinishCmd{Provider: "mock", State: "st", Code: "co", Issuer: "is", Error: "er"}); s.providers.got != want || s.providers.as.User != "u1" {
				t.Errorf("the flow was given %+v of %+v", s.providers.got, s.providers.as)
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("headers %v", w.Header())
			}
			line := s.lines(t)[0]
			if code, _ := line["code"].(string); (code != "") != (tc.err != nil) || line["route"] != "/auth/callback/{provider}" {
				t.Errorf("logged %v", line)
			}
			if strings.Contains(s.log.String(), "bbf_secret") || strings.Contains(s.log.String(), "state=st") {
				t.Errorf("the log holds a secret: %s", s.log)
			}
		})
	}
}

// TestProviderCallbackIsAGet: no other method comes there.
func TestProviderCallbackIsAGet(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	s.providers.err = fault.ErrInternal
	for _, method := range []string{"POST", "PUT", "DELETE", "HEAD"} {
		if w := s.ask(method, "/auth/callback/mock?state=st", "", "Content-Type", "application/json"); w.Code < 400 || s.providers.got.State != "" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}
