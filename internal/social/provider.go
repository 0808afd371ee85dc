package social

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Provider is how one provider is configured. With an Issuer it speaks OpenID Connect and tells the rest itself; without,
// the three addresses of a plain OAuth 2.0 provider are needed. It prints without its secret.
type Provider struct {
	Key          string   // in addresses and records, so it must never change: 2 to 32 of a-z, 0-9, dash, underscore
	Name         string   // for people; the preset's or the key when empty
	Preset       string   // "google", "github", or empty: what is filled in when it is left out
	Issuer       string   // of OpenID Connect, exactly as the provider writes it
	ClientID     string   // who we are to the provider
	ClientSecret string   `json:"-"`
	Scopes       []string // what we ask for; zero means openid, email and profile with OpenID Connect
	AuthURL      string   // where browsers are sent
	TokenURL     string   // where codes are exchanged
	UserURL      string   // where the person is read; it names them together with their id, so it must never change
}

// Presets.
const (
	google = "google"
	github = "github"
)

// presets are the providers we know. For GitHub Enterprise, set the addresses: they win.
var presets = map[string]Provider{
	"":     {},
	google: {Name: "Google", Issuer: "https://accounts.google.com"},
	github: { //nolint:gosec // addresses, no credentials
		Name: "GitHub", Scopes: []string{"read:user", "user:email"}, UserURL: "https://api.github.com/user",
		AuthURL:  "https://github.com/login/oauth/authorize",
		TokenURL: "https://github.com/login/oauth/access_token",
	},
}

// oidcScopes are asked for when a provider of OpenID Connect has none configured.
var oidcScopes = []string{"openid", "email", "profile"}

// Info is what everybody may know of a provider.
type Info struct{ Key, Name string }

// String names the provider.
func (p Provider) String() string { return "provider " + p.Key }

// Format keeps every verb of fmt from the secret.
func (p Provider) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.String())) }

// LogValue keeps slog from the secret.
func (p Provider) LogValue() slog.Value { return slog.StringValue(p.Key) }

// oidc reports whether the provider speaks OpenID Connect.
func (p Provider) oidc() bool { return p.Issuer != "" }

// withDefaults fills in what the preset knows.
func (p Provider) withDefaults() Provider {
	known := presets[p.Preset]
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&p.Name, known.Name)
	fill(&p.Name, p.Key)
	fill(&p.Issuer, known.Issuer)
	fill(&p.AuthURL, known.AuthURL)
	fill(&p.TokenURL, known.TokenURL)
	fill(&p.UserURL, known.UserURL)
	if len(p.Scopes) == 0 {
		p.Scopes = known.Scopes
	}
	if len(p.Scopes) == 0 && p.oidc() {
		p.Scopes = oidcScopes
	}
	return p
}

var (
	keyForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{1,31}$`)
	scopeForm = regexp.MustCompile(`^[!#-\[\]-~]+$`) // RFC 6749, section 3.3
)

// problems are what is wrong with a provider that has its defaults. plain allows http, for development.
func (p Provider) problems(plain bool) (all []string) {
	wrong := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if !keyForm.MatchString(p.Key) {
		wrong("key %q must be 2 to 32 of a-z, 0-9, dash and underscore, and begin with a letter or digit", p.Key)
	}
	if _, known := presets[p.Preset]; !known {
		wrong("preset %q is unknown: google and github are there", p.Preset)
	}
	if len(p.Name) > 100 || strings.ContainsFunc(p.Name, hidden) {
		wrong("name is too long or has control characters")
	}
	if p.ClientID == "" || p.ClientSecret == "" {
		wrong("clientId and clientSecret or clientSecretFile are needed")
	}
	if !slices.ContainsFunc(p.Scopes, func(s string) bool { return s == "openid" }) && p.oidc() {
		wrong("scopes must contain openid")
	}
	for _, s := range p.Scopes {
		if !scopeForm.MatchString(s) {
			wrong("scope %q is none", s)
		}
	}
	return append(all, p.addressProblems(plain)...)
}

func (p Provider) addressProblems(plain bool) (all []string) {
	urls := map[string]string{"authUrl": p.AuthURL, "tokenUrl": p.TokenURL, "userUrl": p.UserURL}
	if p.oidc() {
		if p.AuthURL+p.TokenURL+p.UserURL != "" {
			all = append(all, "issuer excludes authUrl, tokenUrl and userUrl: the issuer tells them")
		}
		if strings.ContainsAny(p.Issuer, "?#") {
			all = append(all, "issuer has a query or fragment")
		}
		urls = map[string]string{"issuer": p.Issuer}
	}
	for _, name := range []string{"issuer", "authUrl", "tokenUrl", "userUrl"} {
		if u, wanted := urls[name]; wanted && checkURL(u, plain) != nil {
			all = append(all, name+" must be an https address")
		}
	}
	return all
}

var errURL = errors.New("not an https address")

// checkURL checks that an address is absolute and https, or also http if plain: secrets travel there.
func checkURL(address string, plain bool) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !plain) {
		return errURL
	}
	return nil
}

// entry is a provider as written in the file.
type entry struct {
	Key              string   `yaml:"key"`
	Name             string   `yaml:"name"`
	Preset           string   `yaml:"preset"`
	Issuer           string   `yaml:"issuer"`
	ClientID         string   `yaml:"clientId"`
	ClientSecret     string   `yaml:"clientSecret"`
	ClientSecretFile string   `yaml:"clientSecretFile"`
	Scopes           []string `yaml:"scopes"`
	AuthURL          string   `yaml:"authUrl"`
	TokenURL         string   `yaml:"tokenUrl"`
	UserURL          string   `yaml:"userUrl"`
}

// ParseProviders reads the file of providers:
//
//	providers:
//	  - {key: google, preset: google, clientId: ..., clientSecretFile: /run/secrets/google}
//	  - {key: acme, name: Acme, issuer: https://id.acme.example, clientId: ..., clientSecret: ...}
//
// Presets are filled in. The error names every problem, a line each, and quotes no secret. Whether http is allowed is
// for [New] to decide.
func ParseProviders(text []byte) ([]Provider, error) {
	var file struct {
		Providers []entry `yaml:"providers"`
	}
	in := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := in.Decode(&file); err != nil && !errors.Is(err, io.EOF) { // an empty file has no providers
		return nil, yamlProblem(err)
	}
	if in.Decode(new(any)) == nil {
		return nil, errors.New("there are several documents")
	}
	var problems []error
	providers := make([]Provider, 0, len(file.Providers))
	for _, e := range file.Providers {
		p, err := e.provider()
		problems = append(problems, err)
		providers = append(providers, p)
	}
	problems = append(problems, checkAll(providers, true))
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return providers, nil
}

func (e entry) provider() (Provider, error) {
	p := Provider{
		Key: e.Key, Name: e.Name, Preset: e.Preset, Issuer: e.Issuer, ClientID: e.ClientID, ClientSecret: e.ClientSecret,
		Scopes: e.Scopes, AuthURL: e.AuthURL, TokenURL: e.TokenURL, UserURL: e.UserURL,
	}.withDefaults()
	switch {
	case e.ClientSecretFile == "":
		return p, nil
	case e.ClientSecret != "":
		return p, fmt.Errorf("provider %s: clientSecret and clientSecretFile exclude one another", e.Key)
	}
	b, err := os.ReadFile(e.ClientSecretFile)
	if err != nil {
		return p, fmt.Errorf("provider %s: clientSecretFile: %w", e.Key, err)
	}
	p.ClientSecret = strings.TrimSpace(string(b))
	return p, nil
}

// checkAll finds every problem of a list of providers with their defaults.
func checkAll(providers []Provider, plain bool) error {
	var problems []error
	seen := map[string]bool{}
	for i, p := range providers {
		if seen[p.Key] {
			problems = append(problems, fmt.Errorf("provider %d: key %q is there twice", i+1, p.Key))
		}
		seen[p.Key] = true
		for _, text := range p.problems(plain) {
			problems = append(problems, fmt.Errorf("provider %d (%s): %s", i+1, p.Key, text))
		}
	}
	return errors.Join(problems...)
}

// yamlProblem says what is wrong without the excerpt of the file the library adds, which would show secrets.
func yamlProblem(err error) error {
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			return fmt.Errorf("line %d: %s", t.Position.Line, syntax.GetMessage())
		}
	}
	return errors.New("not YAML of the form expected")
}
