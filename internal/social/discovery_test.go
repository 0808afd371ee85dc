package social

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/backendbook/backendbook/internal/fault"
)

func TestOutage(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	i.breaks(discoveryPart, 503)
	n := setUp(t, i.provider()) // starts all the same
	begin := func() error {
		_, err := n.Begin(t.Context(), BeginCmd{Provider: "acme"})
		return err
	}
	for range 5 {
		if err := begin(); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "sorry") {
			t.Fatalf("Begin() = %v", err)
		}
	}
	if asked := i.count(discoveryPart); asked != 1 {
		t.Errorf("asked %d times within the pause", asked)
	}
	i.breaks(discoveryPart, 0)
	n.clock.Advance(metadataPause)
	for range 5 {
		if err := begin(); err != nil {
			t.Fatalf("after it came back: %v", err)
		}
	}
	if asked := i.count(discoveryPart); asked != 2 {
		t.Errorf("asked %d times, though the answer is kept", asked)
	}
	i.breaks(discoveryPart, 500)
	n.pass(i, metadataFor)
	for range 5 {
		n.mustSignIn(t, i, ada("a-1")) // by what was known
	}
	if asked := i.count(discoveryPart); asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	_ = i.Server.Close()
	n.pass(i, metadataFor)
	if err := begin(); err != nil {
		t.Errorf("what was known is still good for a start: %v", err)
	}
}

func TestOutageOfOnePart(t *testing.T) {
	t.Parallel()
	base := setUp(t)
	for _, tc := range []struct {
		name   string
		part   string
		status int
	}{
		{"token endpoint", tokenPart, 500},
		{"token endpoint, too many", tokenPart, 429},
		{"keys", keysPart, 500},
		{"no keys", keysPart, 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			i := newIDP(t, "acme")
			n := base.with(t, i.provider())
			i.breaks(tc.part, tc.status)
			if _, err := n.signIn(t, i, ada("a-1")); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "sorry") {
				t.Errorf("Finish() = %v", err)
			}
			i.breaks(tc.part, 0)
			n.mustSignIn(t, i, ada("a-1"))
			if n.log.String() != "" {
				t.Errorf("an outage is no attack: %s", n.log)
			}
		})
	}
}

func TestConnectionBreaks(t *testing.T) {
	t.Parallel()
	base := setUp(t)
	for _, part := range []string{tokenPart, keysPart} {
		i := newIDP(t, "acme")
		n := base.with(t, i.provider())
		i.mu.Lock()
		i.fault[part] = func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
		i.mu.Unlock()
		if _, err := n.signIn(t, i, ada("a-1")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

func TestMetadataIsChecked(t *testing.T) {
	t.Parallel()
	base := setUp(t)
	for _, tc := range []struct {
		name string
		edit func(map[string]any)
		ok   bool
	}{
		{"as it is", func(map[string]any) {}, true},
		{"no algorithms told", func(m map[string]any) { delete(m, "id_token_signing_alg_values_supported") }, true},
		{"another issuer", func(m map[string]any) { m["issuer"] = "https://evil.example" }, false},
		{"a slash at the issuer", func(m map[string]any) { m["issuer"] = m["issuer"].(string) + "/" }, false},
		{"a script to go to", func(m map[string]any) { m["authorization_endpoint"] = "javascript:alert(1)//" }, false},
		{"no token endpoint", func(m map[string]any) { delete(m, "token_endpoint") }, false},
		{"a file of keys", func(m map[string]any) { m["jwks_uri"] = "file:///etc/passwd" }, false},
		{"no keys", func(m map[string]any) { delete(m, "jwks_uri") }, false},
		{"a strange user endpoint", func(m map[string]any) { m["userinfo_endpoint"] = "//x" }, false},
		{"only HS256 and none", func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []string{"HS256", "none"} }, false},
		{"of a strange type", func(m map[string]any) { m["issuer"] = 7 }, false},
	} {
		i := newIDP(t, "acme")
		i.says(discoveryPart, tc.edit)
		n := base.with(t, i.provider())
		if _, err := n.Begin(t.Context(), BeginCmd{Provider: "acme"}); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	m := metadata{Issuer: "https://a", AuthURL: "https://a", TokenURL: "https://a", KeysURL: "http://a"}
	if m.check("https://a", false) == nil || m.check("https://a", true) != nil {
		t.Error("http is for development alone")
	}
}

func TestMetadataDecidesHowWeAreKnown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		methods []string
		want    oauth2.AuthStyle
	}{
		{nil, oauth2.AuthStyleInHeader},
		{[]string{"client_secret_basic"}, oauth2.AuthStyleInHeader},
		{[]string{"client_secret_basic", "client_secret_post"}, oauth2.AuthStyleInParams},
		{[]string{"private_key_jwt"}, oauth2.AuthStyleInHeader},
	} {
		if got := (metadata{AuthMethods: tc.methods}).authStyle(); got != tc.want {
			t.Errorf("%v: %v", tc.methods, got)
		}
	}
	m := metadata{Algorithms: []string{"HS256", "ES256", "none", "RS256"}}
	if got := m.algorithms(); !slices.Equal(got, []string{"RS256", "ES256"}) {
		t.Errorf("algorithms = %v", got)
	}
	if !slices.Contains(signable, "EdDSA") || slices.ContainsFunc(signable, func(a string) bool { return a == "none" || strings.HasPrefix(a, "HS") }) {
		t.Errorf("signable = %v", signable)
	}
}

func TestWaitingForDiscoveryEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	d, ok := n.sources["acme"].(*discovery)
	if !ok {
		t.Fatal("not a provider of OpenID Connect")
	}
	d.turn <- struct{}{} // somebody is asking
	if _, err := n.Begin(gone(t), BeginCmd{Provider: "acme"}); !errors.Is(err, fault.ErrCanceled) {
		t.Errorf("Begin() = %v", err)
	}
	<-d.turn
}
