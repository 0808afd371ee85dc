package app_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// With trusted documents alone a client runs those of its manifest, by text and by hash, and the metrics name them.
func TestTrustedDocuments(t *testing.T) {
	t.Parallel()
	const text = `query WhoAmI { me { user { name } } }`
	sum := sha256.Sum256([]byte(text))
	hash := hex.EncodeToString(sum[:])
	manifest, err := json.Marshal(map[string]string{hash: text})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "trusted.json")
	if err := os.WriteFile(file, manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	s := apptest.Start(t, apptest.Setup{Args: []string{"--graphql-trusted-documents=" + file, "--graphql-documents=trusted"}})
	c := s.Browser()
	if got := c.Do(text, nil); got.Code() != "" {
		t.Errorf("a trusted document: %+v", got.Errors)
	}
	if got := c.Do(`{ me { user { id } } }`, nil); got.Code() != "DOCUMENT_UNTRUSTED" {
		t.Errorf("another: %q", got.Code())
	}
	admin := s.SignIns()[0]
	root := s.Browser()
	in := map[string]any{"in": map[string]any{"identifier": admin.Email, "password": admin.Password}}
	if got := root.Do(`mutation($in: SignInInput!) { signIn(input: $in) { result { __typename } } }`, in); got.Code() != "DOCUMENT_UNTRUSTED" {
		t.Errorf("an administrator who is nobody yet: %q", got.Code())
	}
	_, body, _ := get(t, s.InternalURL()+"/metrics")
	if !strings.Contains(body, `backendbook_graphql_trusted_seconds_count{code="OK",operation="WhoAmI"} 1`) {
		t.Error("the metrics do not name the operation")
	}
}
