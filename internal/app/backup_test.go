package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// TestBackupAndRestore is the drill of docs/operations/backup.md: what a server has written is in the backup that is made beside it, a server
// on the restored database knows the same people, and counts the same.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	storetest.Insert(t, db, "metrics", analytics.Metric{Key: "hits", Event: "hit", Dimensions: []string{"page"}, Version: 1})
	file := filepath.Join(t.TempDir(), "hits.json")
	if err := os.WriteFile(file, []byte("{\"at\":\"2026-01-02T03:04:05Z\",\"page\":\"/a\"}\n{\"at\":\"2026-01-02T03:04:06Z\",\"page\":\"/b\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	from, copied := commandsOn(t, db.Database().Name()), newDatabase(t)
	to := commandsOn(t, copied)
	report := []string{"report", "hits", "--step=day", "--from=2026-01-01T00:00:00Z", "--to=2026-01-03T00:00:00Z", "--by=page"}
	print(t, from, "ingest", file, "--event", "hit")
	print(t, from, "metric", "rebuild")
	counted := print(t, from, report...)
	s := apptest.Start(t, apptest.Setup{Database: db.Database().Name()})
	email := s.Browser().Register("eve")

	saved := filepath.Join(t.TempDir(), "book.zip")
	refused := func(code int, says string, environ []string, args ...string) {
		t.Helper()
		if got, said := run(t, environ, args...); got != code || !strings.Contains(said, says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, says, said)
		}
	}
	told := print(t, from, "backup", saved)
	if !regexp.MustCompile(`^\d{2,} documents of \d{2,} collections and 0 files, \d+ bytes, of version \S+, as of \S+Z\n$`).MatchString(told) {
		t.Errorf("the backup says %q", told)
	}
	if info, err := os.Stat(saved); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the backup: %v %v", info.Mode(), err)
	}
	refused(2, "exists", from, "backup", saved)
	if check := print(t, to, "restore", "--check", saved); check != told {
		t.Errorf("the backup is %q, and was %q", check, told)
	}
	refused(1, "servers run on this database", from, "restore", saved, "--force")
	print(t, to, "restore", saved)
	refused(1, "force it", to, "restore", saved)

	if got := print(t, to, report...); got != counted {
		t.Errorf("counted:\n%s\nand in the copy:\n%s", counted, got)
	}
	if said := print(t, to, "metric", "verify"); !strings.Contains(said, "0 differ") {
		t.Errorf("the copy does not count as its events say: %s", said)
	}
	second := apptest.Start(t, apptest.Setup{Database: copied})
	step(t, second.Browser(), "signIn", credentials(email))
	second.Cleanup()
	print(t, to, "restore", saved, "--force", "--skip", "sessions")
	if n := storetest.Count(t, storetest.Open(t, copied), "sessions"); n != 0 {
		t.Errorf("%d sessions came along", n)
	}
}
