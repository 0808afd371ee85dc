package social

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseProviders(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ParseProviders([]byte(`
# sign-in
providers:
  - key: google
    preset: google
    clientId: g
    clientSecretFile: ` + secret + `
  - {key: github, preset: github, clientId: h, clientSecret: hs}
  - {key: acme-1, name: Acme, issuer: "https://id.acme.example/realms/a", clientId: a, clientSecret: as, scopes: [openid, email]}
  - {key: old, clientId: o, clientSecret: os, authUrl: "https://o.example/a", tokenUrl: "https://o.example/t", userUrl: "http://localhost/u"}
`))
	want := []Provider{
		{
			Key: "google", Name: "Google", Preset: "google", Issuer: "https://accounts.google.com", ClientID: "g", ClientSecret: "from the file",
			Scopes: []string{"openid", "email", "profile"},
		},
		{
			Key: "github", Name: "GitHub", Preset: "github", ClientID: "h", ClientSecret: "hs", Scopes: []string{"read:user", "user:email"},
			AuthURL: "https://github.com/login/oauth/authorize", TokenURL: "https://github.com/login/oauth/access_token", UserURL: "https://api.github.com/user",
		},
		{Key: "acme-1", Name: "Acme", Issuer: "https://id.acme.example/realms/a", ClientID: "a", ClientSecret: "as", Scopes: []string{"openid", "email"}},
		{Key: "old", Name: "old", ClientID: "o", ClientSecret: "os", AuthURL: "https://o.example/a", TokenURL: "https://o.example/t", UserURL: "http://localhost/u"},
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range got {
		if !reflect.DeepEqual(p, want[i]) {
			t.Errorf("%s: not what was written", p)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d providers", len(got))
	}
	for _, empty := range []string{"", "# nothing\n", "providers: []", "providers:"} {
		if got, err := ParseProviders([]byte(empty)); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", empty, got, err)
		}
	}
}

func TestParseProvidersTellsEveryProblemAndNoSecret(t *testing.T) {
	t.Parallel()
	const canary = "c4nary"
	one := func(fields string) string {
		return "providers:\n  - {key: acme, clientId: a, clientSecret: " + canary + ", " + fields + "}\n"
	}
	for _, tc := range []struct{ name, text, want string }{
		{"not YAML", "providers: [" + canary, "line 1"},
		{"another shape", canary, ""},
		{"a list", "- " + canary, ""},
		{"unknown setting", one("secret: " + canary), "secret"},
		{"a setting twice", one("clientSecret: " + canary), "line 2"},
		{"a wrong type", one("scopes: {a: " + canary + "}"), "line 2"},
		{"two documents", one("issuer: 'https://a.example'") + "---\nx: 1\n", "documents"},
		{"no addresses", one("name: x"), "authUrl"},
		{"unknown preset", one("preset: goggle"), "goggle"},
		{"no openid", one("issuer: 'https://a.example', scopes: [email]"), "openid"},
		{"a strange scope", one("issuer: 'https://a.example', scopes: [openid, 'a b']"), "scope"},
		{"a strange name", one(`issuer: 'https://a.example', name: "a\u202e"`), "name"},
		{"issuer and addresses", one("issuer: 'https://a.example', authUrl: 'https://a.example'"), "excludes"},
		{"addresses of a preset with issuer", one("preset: google, authUrl: 'https://a.example'"), "excludes"},
		{"issuer with a query", one("issuer: 'https://a.example?x'"), "query"},
		{"issuer that is no address", one("issuer: 'a.example'"), "issuer"},
		{"issuer with a password", one("issuer: 'https://u:" + canary + "@a.example'"), "issuer"},
		{"secret and file", one("issuer: 'https://a.example', clientSecretFile: /x"), "exclude"},
		{"no such file", "providers: [{key: acme, preset: google, clientId: a, clientSecretFile: /no/such}]", "/no/such"},
		{"no secret", "providers: [{key: acme, preset: google, clientId: a}]", "clientSecret"},
		{"no client", "providers: [{key: acme, preset: google, clientSecret: " + canary + "}]", "clientId"},
		{"a strange key", "providers: [{key: A/../b, preset: google, clientId: a, clientSecret: b}]", "key"},
		{"dots as key", "providers: [{key: .., preset: google, clientId: a, clientSecret: b}]", "key"},
		{"a key twice", "providers: [{key: acme, preset: google, clientId: a, clientSecret: b}, {key: acme, preset: github, clientId: a, clientSecret: b}]", "twice"},
		{"all at once", "providers: [{key: a/b}, {key: acme, preset: x}]", "preset \"x\""},
	} {
		got, err := ParseProviders([]byte(tc.text))
		if err == nil || got != nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if tc.name == "all at once" && strings.Count(err.Error(), "\n") < 5 {
			t.Errorf("only some problems: %v", err)
		}
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	good := Provider{Key: "google", Preset: "google", ClientID: "a", ClientSecret: "b"}
	for name, tc := range map[string]struct {
		cfg Config
		ok  bool
	}{
		"no providers, no address": {Config{}, true},
		"a preset":                 {Config{PublicURL: publicURL, Providers: []Provider{good}}, true},
		"no address":               {Config{Providers: []Provider{good}}, false},
		"twice":                    {Config{PublicURL: publicURL, Providers: []Provider{good, good}}, false},
		"nothing filled in":        {Config{PublicURL: publicURL, Providers: []Provider{{Key: "acme"}}}, false},
	} {
		s, err := New(n.db, n.events, n.now, n.tickets, n.Service.log, tc.cfg)
		if (err == nil) != tc.ok || (s == nil) == tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseProviders(f *testing.F) {
	for _, seed := range []string{
		"", "providers: [{key: ab, preset: github, clientId: a, clientSecret: b}]", "providers: [{key: ab, issuer: 'https://a'}]", "providers: {}", "a: &a [*a]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "File") {
			t.Skip("would read files")
		}
		all, err := ParseProviders(text)
		if err != nil {
			return
		}
		if err := checkAll(all, true); err != nil {
			t.Errorf("%v", err)
		}
		for _, p := range all {
			if s := fmt.Sprintf("%+v", p); s != "provider "+p.Key {
				t.Errorf("prints as %s", s)
			}
		}
	})
}
