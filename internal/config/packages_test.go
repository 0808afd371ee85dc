package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/webauth"
)

// TestSecretKeys: keys that open nothing are told in every environment, and are not quoted.
func TestSecretKeys(t *testing.T) {
	t.Parallel()
	one, two := keyring.NewKey("k1"), keyring.NewKey("k2")
	for keys, good := range map[string]bool{
		one: true, one + "," + two: true, "k1:hunter2": false, one + "," + one: false, "hunter2": false, one + ",": false,
	} {
		l, err := load(nil, []string{"BACKENDBOOK_SECRET_KEYS=" + keys})
		if (err == nil) != good || err != nil && (!strings.Contains(err.Error(), "secret-keys") || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("good keys: %v; Load() = %v", good, err)
		}
		if err != nil {
			continue
		}
		var b strings.Builder
		if err := l.Print(&b); err != nil || strings.Contains(b.String(), keys[3:20]) || !strings.Contains(b.String(), `secret-keys: "`+Mask) {
			t.Errorf("Print shows the keys: %v", err)
		}
	}
}

// TestPackages: what was set reaches the package it is for.
func TestPackages(t *testing.T) {
	t.Parallel()
	providers := file(t, "providers:\n  - {key: mock, issuer: 'http://127.0.0.1:1', clientId: a, clientSecret: b}\n")
	l, err := load([]string{
		"--auth-registration=invitation", "--auth-allowed-domains=a.example, b.example", "--auth-terms-version=v2", "--auth-factor-roles=admin",
		"--auth-delete-grace=1h", "--auth-per-account=7", "--auth-per-network=8", "--auth-hash-memory=100", "--auth-hash-passes=3", "--auth-hash-slots=4",
		"--auth-providers-file=" + providers, "--public-url=http://book.test", "--mail-host=smtp.test", "--mail-from=book@book.test", "--mail-tls=none",
		"--mail-port=25", "--allowed-origins=http://admin.test",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := l.ForWebauth()
	if w.Registration != webauth.Invitation || !slices.Equal(w.Domains, []string{"a.example", "b.example"}) || w.Terms != "v2" ||
		!slices.Equal(w.FactorRoles, []string{"admin"}) || w.DeleteGrace != time.Hour || w.PerAccount != 7 || w.PerNetwork != 8 || w.PublicURL != "http://book.test" {
		t.Errorf("webauth: %+v", w)
	}
	if a := l.ForAccount(); a.Cost != (account.Cost{MemoryKiB: 100, Passes: 3, Threads: 1}) || a.HashSlots != 4 {
		t.Errorf("account: %+v", a)
	}
	if f := l.ForFactor(); f.Origin != "http://book.test" || !slices.Equal(f.MoreOrigins, []string{"http://admin.test"}) || f.Product == "" {
		t.Errorf("factor: %+v", f)
	}
	if m := l.ForMail(); m.Host != "smtp.test" || m.Port != 25 || m.TLS != "none" || m.From != "book@book.test" || m.PublicURL != "http://book.test" {
		t.Errorf("mail: %+v", m)
	}
	if plain, err := load(nil, nil); err != nil || plain.ForMail().Port != 0 || plain.ForMail().TLS != "starttls" {
		t.Errorf("the port is decided on before the protection is known: %v", err)
	}
	s, err := l.ForSocial()
	if err != nil || len(s.Providers) != 1 || s.Providers[0].Key != "mock" || !s.AllowPrivate || s.PublicURL != "http://book.test" {
		t.Errorf("social: %+v, %v", s, err)
	}
	l.Auth.ProvidersFile = "/no/such/file"
	if _, err := l.ForSocial(); err == nil {
		t.Error("a file of providers that is not there is no problem")
	}
	l.Auth.ProvidersFile, l.Environment = "", Production
	if s, err := l.ForSocial(); err != nil || s.AllowPrivate {
		t.Errorf("production reaches inside: %+v, %v", s, err)
	}
}
