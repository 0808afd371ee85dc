package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/cli"
)

// TestErrorDocsAreFresh: docs/errors.md lists every code of the program. This package knows all of them.
func TestErrorDocsAreFresh(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := cli.WriteErrorDocs(&b); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join("..", "..", "docs", "errors.md"))
	if err != nil || string(have) != b.String() {
		t.Errorf("docs/errors.md is stale: run `make generate` (%v)", err)
	}
	for _, code := range []string{"INTERNAL", "EMAIL_TAKEN", "CROSS_ORIGIN", "QUOTA_EXCEEDED", "RBAC_CYCLE", "SESSION_ENDED"} {
		if !strings.Contains(b.String(), "| `"+code+"` |") {
			t.Errorf("the page does not know %s", code)
		}
	}
}
