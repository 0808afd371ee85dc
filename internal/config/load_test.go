package config

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/keyring"
)

// run is a command for the tests: kong wants one.
type run struct {
	Go goCmd `cmd:"" default:"withargs"`
}

type goCmd struct {
	Word string `arg:"" optional:""`
}

func (c *goCmd) Run(ctx context.Context, into *[]string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	*into = append(*into, c.Word)
	return nil
}

func load(args, environ []string) (*Loaded, error) {
	return Load(Input{Args: args, Environ: environ, Out: io.Discard, Commands: []any{&run{}}, Version: "v1"})
}

// file writes a configuration file and gives its path.
func file(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "book.yaml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	yaml := file(t, "mongodb: {database: from_file}\n")
	for _, tc := range []struct {
		name    string
		args    []string
		environ []string
		want    string
		origin  string
	}{
		{"default", nil, nil, "backendbook", "default"},
		{"file beats default", []string{"--config", yaml}, nil, "from_file", yaml + ":1"},
		{"file named by the environment", nil, []string{"BACKENDBOOK_CONFIG=" + yaml}, "from_file", yaml + ":1"},
		{"environment beats file", []string{"--config", yaml}, []string{"BACKENDBOOK_MONGODB_DATABASE=from_env"}, "from_env", "environment BACKENDBOOK_MONGODB_DATABASE"},
		{"flag beats environment", []string{"--config", yaml, "--mongodb-database=from_flag"}, []string{"BACKENDBOOK_MONGODB_DATABASE=from_env"}, "from_flag", "flag --mongodb-database"},
		{"an empty variable is not set", []string{"--config", yaml}, []string{"BACKENDBOOK_MONGODB_DATABASE="}, "from_file", yaml + ":1"},
		{"an empty flag is set", []string{"--mongodb-database="}, []string{"BACKENDBOOK_MONGODB_DATABASE=from_env"}, "", "flag --mongodb-database"},
		{"a flag of the file beats the variable", []string{"--config", yaml}, []string{"BACKENDBOOK_CONFIG=/nowhere"}, "from_file", yaml + ":1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l, err := load(tc.args, tc.environ)
			if err != nil {
				t.Fatal(err)
			}
			if l.IsDefault("mongodb.database") != (tc.origin == "default") {
				t.Error("IsDefault is wrong")
			}
			i := slices.IndexFunc(l.Settings, func(s *Setting) bool { return s.Key == "mongodb.database" })
			if l.MongoDB.Database != tc.want || l.Settings[i].Origin != tc.origin {
				t.Errorf("database = %q from %q, want %q from %q", l.MongoDB.Database, l.Settings[i].Origin, tc.want, tc.origin)
			}
		})
	}
}

func TestEveryKind(t *testing.T) {
	t.Parallel()
	l, err := load([]string{
		"--config", file(t, `
listen: 127.0.0.1:8081
allowed-origins:
  - https://a.example
  - https://b.example:8443
trusted-proxies: 2
managed:
  download: false
session: {idle: 2h, absolute: 48h}
demo:
  speed: 1.5
`),
		"--demo", "word",
	}, []string{"MONGODB_URI=mongodb://h/?replicaSet=rs", "BACKENDBOOK_GRAPHQL_TIMEOUT=1500ms", "HOME=/root", "BACKENDBOOK_TEST_URI=x"})
	if err != nil {
		t.Fatal(err)
	}
	if l.Listen != "127.0.0.1:8081" || !slices.Equal(l.AllowedOrigins, []string{"https://a.example", "https://b.example:8443"}) ||
		l.TrustedProxies != 2 || l.Managed.Download || !l.Demo.Enabled || l.Demo.Speed != 1.5 ||
		l.Session.Idle != 2*time.Hour || l.GraphQL.Timeout != 1500*time.Millisecond || l.MongoDB.URI != "mongodb://h/?replicaSet=rs" {
		t.Errorf("read %+v", l.Config)
	}
	if l.PublicURL != "http://localhost:8081" {
		t.Errorf("public URL of a development server = %q", l.PublicURL)
	}
	var got []string
	if err := l.Run(t.Context(), &got); err != nil || !slices.Equal(got, []string{"word"}) {
		t.Errorf("Run() = %v, %v", got, err)
	}
}

// TestAllProblemsAtOnce: one start tells everything that is wrong, and where it was written.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	yaml := file(t, `
lissten: :1
log:
  colour: red
  level: loud
mongodb: 7
demo: {speed: [[1]]}
`)
	_, err := load([]string{"--config", yaml, "--trusted-proxies=many", "--demo=perhaps", "--gc-percent=-1"}, []string{
		"BACKENDBOOK_LISTENN=:1", "BACKENDBOOK_SESSION_IDLE=soon", "MONGODB_URI_FILE=/no/such/file", "BACKENDBOOK_DATA_DIR_FILE=/x",
		"BACKENDBOOK_ALLOWED_ORIGINS=https://*.example.org, ftp://x",
	})
	var usage *UsageError
	if !errors.As(err, &usage) {
		t.Fatalf("Load() = %v", err)
	}
	for _, want := range []string{
		yaml + ":2: there is no setting lissten",
		yaml + ":4: there is no setting log.colour",
		yaml + ":5: log.level must be one of debug, info, warn, error",
		yaml + ":6: settings of the form `key: value` are expected",
		yaml + ":7: demo.speed must be one plain value, or a list of them",
		"flag --trusted-proxies: trusted-proxies must be a whole number",
		"flag --demo-enabled: demo.enabled must be true or false",
		"flag --gc-percent: gc-percent must be between 0 and 2000",
		"environment BACKENDBOOK_LISTENN: there is no such setting",
		"environment BACKENDBOOK_DATA_DIR_FILE: there is no such setting",
		"environment BACKENDBOOK_SESSION_IDLE: session.idle must be a duration such as 500ms, 10s or 24h",
		"environment MONGODB_URI_FILE: open /no/such/file: no such file or directory",
		"allowed-origins: https://*.example.org is not scheme://host[:port]",
		"allowed-origins: ftp://x is not scheme://host[:port]",
	} {
		if !slices.Contains(usage.Problems, want) {
			t.Errorf("not told: %s", want)
		}
	}
	if len(usage.Problems) != 14 {
		t.Errorf("%d problems:\n%s", len(usage.Problems), usage)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--nope"}, {"--config", "/no/such/file"}, {"--listen"}, {"word", "more"}} {
		_, err := load(args, nil)
		if usage := (*UsageError)(nil); !errors.As(err, &usage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{{"--help"}, {"go", "--help"}, {"--version"}} {
		if _, err := load(args, nil); !errors.Is(err, ErrHelp) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"duplicate key":     "listen: :1\nlisten: :2\n",
		"not YAML":          "mongodb: {uri: hunter2-in-the-excerpt\n",
		"a list at the top": "- listen\n",
		"two documents":     "listen: :1\n---\nlisten: :2\n",
		"a comma in a list": "allowed-origins: ['https://a,https://b']\n",
		"a group as value":  "listen: {host: x}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load([]string{"--config", file(t, text)}, nil)
			usage := (*UsageError)(nil)
			if !errors.As(err, &usage) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Load() = %v", err)
			}
		})
	}
	for name, text := range map[string]string{"empty": "", "a comment": "# nothing\n", "an empty group": "log:\n"} {
		if _, err := load([]string{"--config", file(t, text)}, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	const uri = "mongodb://u:hunter2@h/?replicaSet=rs"
	secret := file(t, uri+"\n")
	l, err := load(nil, []string{"MONGODB_URI_FILE=" + secret})
	if err != nil || l.MongoDB.URI != uri {
		t.Fatalf("from a file: %q, %v", l.MongoDB.URI, err)
	}
	var b strings.Builder
	if err := l.Print(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter2") || !strings.Contains(b.String(), `uri: "********" # environment MONGODB_URI_FILE`) {
		t.Errorf("Print wrote\n%s", b.String())
	}
	if _, err := load(nil, []string{"MONGODB_URI_FILE=" + secret, "MONGODB_URI=" + uri}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the secret was given twice: %v", err)
	}
	if _, err := load(nil, []string{"MONGODB_URI=" + Mask}); err == nil {
		t.Error("the mask was taken for a secret")
	}
	// A secret in the wrong place is not quoted back.
	if _, err := load([]string{"--trusted-proxies=hunter2", "--log-level=hunter2", "--session-idle=hunter2"}, nil); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error quotes the value: %v", err)
	}
}

// TestPrintCanBeRead: what config print writes is a file with the same meaning.
func TestPrintCanBeRead(t *testing.T) {
	t.Parallel()
	l, err := load([]string{"--listen=127.0.0.1:7000", "--allowed-origins=https://a.example,https://b.example", "--session-idle=90m"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := l.Print(&b); err != nil {
		t.Fatal(err)
	}
	again, err := load([]string{"--config", file(t, b.String())}, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	for i, s := range l.Settings {
		if other := again.Settings[i]; other.Text() != s.Text() {
			t.Errorf("%s: %q became %q", s.Key, s.Text(), other.Text())
		}
	}
}

func TestProduction(t *testing.T) {
	t.Parallel()
	good := []string{
		"BACKENDBOOK_ENVIRONMENT=production", "BACKENDBOOK_PUBLIC_URL=https://book.example.org", "MONGODB_URI=mongodb://u:k9$x@a,b,c/?replicaSet=rs",
		"BACKENDBOOK_SECRET_KEYS=" + keyring.NewKey("k1"), "BACKENDBOOK_MAIL_HOST=smtp.example.org", "BACKENDBOOK_MAIL_FROM=book@example.org",
	}
	if l, err := load(nil, good); err != nil || l.Introspection() {
		t.Fatalf("a good production: %v", err)
	}
	for _, tc := range []struct {
		name    string
		change  string // replaces the variable of that name
		problem string // part of it; empty when all is well
	}{
		{"no public URL", "BACKENDBOOK_PUBLIC_URL=", "public-url"},
		{"plain http", "BACKENDBOOK_PUBLIC_URL=http://book.example.org", "public-url"},
		{"an origin of plain http", "BACKENDBOOK_ALLOWED_ORIGINS=http://a.example", "allowed-origins"},
		{"managed", "MONGODB_URI=", "managed.allow-in-production"},
		{"managed by name", "MONGODB_URI=;BACKENDBOOK_MANAGED_ALLOW_IN_PRODUCTION=true", ""},
		{"no user", "MONGODB_URI=mongodb://a,b/?replicaSet=rs", "MONGODB_URI"},
		{"no password", "MONGODB_URI=mongodb://u@a/", "MONGODB_URI"},
		{"a sample password", "MONGODB_URI=mongodb://u:change%2Dme@a/", "MONGODB_URI"},
		{"a certificate", "MONGODB_URI=mongodb://a/?authMechanism=MONGODB-X509", ""},
		{"the demo", "BACKENDBOOK_DEMO_ENABLED=true", "demo.enabled"},
		{"introspection by name", "BACKENDBOOK_GRAPHQL_INTROSPECTION=on", ""},
		{"no keys", "BACKENDBOOK_SECRET_KEYS=", "secret-keys"},
		{"no mail server", "BACKENDBOOK_MAIL_HOST=", "mail.host"},
		{"no sender", "BACKENDBOOK_MAIL_FROM=", "mail.from"},
		{"a password of mail in the clear", "BACKENDBOOK_MAIL_TLS=none;BACKENDBOOK_MAIL_USER=u;BACKENDBOOK_MAIL_PASSWORD=k9$x", "mail.tls"},
		{"a mail server without a password", "BACKENDBOOK_MAIL_TLS=none", ""},
		{"a cheap hash", "BACKENDBOOK_AUTH_HASH_MEMORY=19455", "auth.hash-memory"},
		{"too few passes", "BACKENDBOOK_AUTH_HASH_PASSES=1", "auth.hash-passes"},
		{"payments that nobody makes", "BACKENDBOOK_PLANS_PAYMENTS=test", "plans.payments"},
		{"one pass over more memory", "BACKENDBOOK_AUTH_HASH_MEMORY=47104;BACKENDBOOK_AUTH_HASH_PASSES=1", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			environ := slices.Clone(good)
			for change := range strings.SplitSeq(tc.change, ";") {
				name, _, _ := strings.Cut(change, "=")
				environ = append(slices.DeleteFunc(environ, func(v string) bool { return strings.HasPrefix(v, name+"=") }), change)
			}
			_, err := load(nil, environ)
			if tc.problem == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tc.problem != "" && (err == nil || !strings.Contains(err.Error(), "production: ") || !strings.Contains(err.Error(), tc.problem)) {
				t.Errorf("Load() = %v, want a problem of %s", err, tc.problem)
			}
		})
	}
}

func TestSettingsAreWellFormed(t *testing.T) {
	t.Parallel()
	flags, envs := map[string]bool{}, map[string]bool{}
	for _, s := range settingsOf(&Config{}) {
		if s.Help == "" || !strings.HasSuffix(s.Help, ".") || s.Group == "" {
			t.Errorf("%s is not documented", s.Key)
		}
		if flags[s.Flag] || envs[s.Env] {
			t.Errorf("%s has the name of another", s.Key)
		}
		flags[s.Flag], envs[s.Env] = true, true
		if err := s.set(s.Default); err != nil && s.Default != "" {
			t.Errorf("%s: the default %q %v", s.Key, s.Default, err)
		}
	}
}

// TestDocsAreFresh: docs/config.md is what `backendbook docs config` writes.
func TestDocsAreFresh(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := WriteDocs(&b); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join("..", "..", "docs", "config.md"))
	if err != nil || string(have) != b.String() {
		t.Errorf("docs/config.md is stale: run `make generate` (%v)", err)
	}
}
