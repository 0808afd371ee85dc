package app_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// newDatabase is the name of a database that is dropped at the end of the test.
func newDatabase(t *testing.T) string {
	t.Helper()
	name := "bb_test_" + ref.NewID()
	storetest.Open(t, name)
	return name
}

// TestReq7FirstAdministrator: there is no account by default; the operator's command prints one link, which is good once.
func TestReq7FirstAdministrator(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	environ := commandsOn(t, database)
	out := print(t, environ, "user", "create-admin", "root@example.org", "--name", "Root")
	link := regexp.MustCompile(`^http://localhost:8080/reset#token=(bbl_[\w-]+)\n$`).FindStringSubmatch(out)
	if link == nil {
		t.Fatalf("standard output is not a link alone: %q", out)
	}
	s := apptest.Start(t, apptest.Setup{Database: database})
	if made := s.SignIns(); len(made) != 0 {
		t.Errorf("the server has made %d sign-ins of its own beside the operator's", len(made))
	}
	c := s.Browser()
	for _, guess := range []string{"", "root", "admin", "password", apptest.Password} {
		if r := mutate(c, "signIn", map[string]any{"identifier": "root@example.org", "password": guess}, outcomes); r.Code() != "BAD_CREDENTIALS" {
			t.Errorf("the password %q before one was chosen: %q", guess, r.Code())
		}
	}
	choose := map[string]any{"token": link[1], "password": apptest.Password}
	weak := map[string]any{"token": link[1], "password": "password"}
	if r := mutate(c, "resetPassword", weak, "ended"); r.Code() != "PASSWORD_WEAK" {
		t.Errorf("a weak password: %q", r.Code())
	}
	must[struct{}](t, c, "resetPassword", choose, "ended")
	if r := mutate(c, "resetPassword", choose, "ended"); r.Code() != "TICKET_INVALID" {
		t.Errorf("the link a second time: %q", r.Code())
	}
	step(t, c, "signIn", credentials("root@example.org"))
	if len(at(t, c.Must(`{ users { nodes { id } } me { permissions } }`, nil), "me", "permissions").([]any)) < 15 {
		t.Error("the administrator may not do everything")
	}
}

// TestReq9ImportedUsers: users of other systems come with their hashes and sign in with the passwords they know; their
// hashes are made anew by that. What is refused is told without the hash.
func TestReq9ImportedUsers(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	environ := commandsOn(t, database)
	fast, err := bcrypt.GenerateFromPassword([]byte(apptest.Password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pbkdf2.Key(sha256.New, apptest.Password, []byte("saltsaltsalt"), 1000, 32)
	if err != nil {
		t.Fatal(err)
	}
	django := "pbkdf2_sha256$1000$saltsaltsalt$" + base64.StdEncoding.EncodeToString(key)
	var lines strings.Builder
	for _, u := range []map[string]string{
		{"email": "berta@example.org", "name": "Berta", "username": "berta", "hash": string(fast)},
		{"email": "django@example.org", "name": "Django", "hash": django},
	} {
		b, _ := json.Marshal(u)
		lines.Write(append(b, '\n'))
	}
	good := filepath.Join(t.TempDir(), "users.jsonl")
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good, lines.String()+"\n")
	write(bad, `{"email":"x@example.org","name":"X","hash":"md5$canary"}`+"\n"+`{"email":"y@example.org","name":"Y","hash":"`+string(fast)+`","role":"admin"}`+"\n"+
		`{"email":"berta@example.org","name":"Again","hash":"`+string(fast)+`"}`+"\n"+`{"email": "canary`+"\n")
	if code, said := run(t, environ, "user", "import", good); code != 0 || !strings.Contains(said, "2 imported, 0 refused") {
		t.Fatalf("import: %d\n%s", code, said)
	}
	code, said := run(t, environ, "user", "import", bad)
	if code != 1 || !strings.Contains(said, "0 imported, 4 refused") || !strings.Contains(said, "line 1: ") || !strings.Contains(said, "line 3: EMAIL_TAKEN") {
		t.Errorf("import of bad lines: %d\n%s", code, said)
	}
	if strings.Contains(said, "canary") || strings.Contains(said, string(fast)) {
		t.Errorf("it shows what the lines hold:\n%s", said)
	}
	s := apptest.Start(t, apptest.Setup{Database: database})
	for _, name := range []string{"berta@example.org", "BERTA", "django@example.org"} {
		if r := mutate(s.Browser(), "signIn", map[string]any{"identifier": name, "password": "wrong"}, outcomes); r.Code() != "BAD_CREDENTIALS" {
			t.Errorf("%s with a wrong password: %q", name, r.Code())
		}
		if in := step(t, s.Browser(), "signIn", credentials(name)); in.Type != "SignedIn" {
			t.Errorf("%s: %+v", name, in)
		}
	}
	if kept := stored(t, s, "users"); strings.Contains(kept, "$2a$") || strings.Contains(kept, "pbkdf2") || strings.Count(kept, "$argon2id$v=19$") != 2 {
		t.Errorf("after signing in the hashes are\n%s", kept)
	}
}

// TestResetByOperator: a lost mailbox is no lost account: the operator's link lets its owner choose a password, once.
func TestResetByOperator(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	p := newPerson(t, s, "lost")
	out := print(t, commandsOn(t, s.Database), "user", "reset", p.Email)
	_, token, _ := strings.Cut(strings.TrimSpace(out), "#token=")
	must[struct{}](t, s.Browser(), "resetPassword", map[string]any{"token": token, "password": "a quite different phrase"}, "ended")
	if r := mutate(s.Browser(), "resetPassword", map[string]any{"token": token, "password": "yet another phrase"}, "ended"); r.Code() != "TICKET_INVALID" {
		t.Errorf("a second time: %q", r.Code())
	}
	if !isNobody(p.Client) {
		t.Error("who was signed in still is")
	}
	s.Mail(p.Email, "notice_password_changed")
}
