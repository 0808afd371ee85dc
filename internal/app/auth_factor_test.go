package app_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// credentials are what somebody signs in with.
func credentials(email string) map[string]any {
	return map[string]any{"identifier": email, "password": apptest.Password}
}

// TestSecondFactor: the password leads to the wish for a code, the code to a session, and each code counts once.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	p := newPerson(t, s, "moni")
	app, recovery := enrol(t, p, machineTime)
	if len(recovery) != 10 {
		t.Fatalf("%d recovery codes with the first factor", len(recovery))
	}
	c := s.Browser()
	half := step(t, c, "signIn", credentials(p.Email))
	if half.Type != "FactorRequired" || !slices.Equal(half.Factors, []string{"TOTP", "RECOVERY_CODE"}) || half.Token != "" || !isNobody(c) {
		t.Fatalf("the password leads to %+v", half)
	}
	good := app.code()
	for name, proof := range map[string]map[string]any{
		"a wrong code": {"totp": "000000"}, "a wrong recovery code": {"recoveryCode": "AAAAA-AAAAA"}, "the password once more": {"password": apptest.Password},
	} {
		if r := mutate(c, "completeSignIn", map[string]any{"flow": half.Flow, "proof": proof}, outcomes); r.Code() != "FACTOR_CODE_INVALID" && r.Code() != "BAD_USER_INPUT" {
			t.Errorf("%s: %q %v", name, r.Code(), r.Data)
		}
	}
	in := step(t, c, "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"totp": good}})
	if in.Type != "SignedIn" || !slices.Equal(in.Session.Methods, []string{"pwd", "otp"}) || isNobody(c) {
		t.Fatalf("the code leads to %+v", in)
	}
	other := s.Browser()
	if r := mutate(other, "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"totp": good}}, outcomes); r.Code() != "TICKET_INVALID" {
		t.Errorf("the attempt is good twice: %q", r.Code())
	}
	half = step(t, other, "signIn", credentials(p.Email))
	if r := mutate(other, "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"totp": good}}, outcomes); r.Code() != "FACTOR_CODE_INVALID" {
		t.Errorf("a code that was used: %q", r.Code())
	}
	sloppy := strings.ToLower(strings.ReplaceAll(recovery[3], "-", " "))
	in = step(t, other, "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"recoveryCode": sloppy}})
	if in.Type != "SignedIn" || !slices.Equal(in.Session.Methods, []string{"pwd", "kba"}) {
		t.Errorf("the recovery code leads to %+v", in)
	}
	if left := at(t, other.Must(`{ myFactors { recoveryCodesLeft } }`, nil), "myFactors", "recoveryCodesLeft"); left != 9.0 {
		t.Errorf("%v recovery codes are left", left)
	}
	s.Mail(p.Email, "notice_recovery_used")
	s.Mail(p.Email, "notice_factor_added")
}

// TestReq28ResetKeepsTheFactor: who reads the mails may choose a password, and is not in by that.
func TestReq28ResetKeepsTheFactor(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	p := newPerson(t, s, "resi")
	app, _ := enrol(t, p, machineTime)
	program, _ := accessKey(t, s, p, "registry.document.read")
	c := s.Browser()
	must[struct{}](t, c, "requestPasswordReset", map[string]any{"email": p.Email}, "flow")
	const next = "a quite different phrase"
	done := must[struct{ Ended int }](t, c, "resetPassword", map[string]any{"token": s.Mail(p.Email, "reset_password").Secret, "password": next}, "ended")
	if done.Ended != 2 || !isNobody(c) || !isNobody(p.Client) {
		t.Errorf("the reset has ended %d sessions and keys", done.Ended)
	}
	if r := program.Do(`{ me { user { id } } }`, nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the key outlives the reset: %d", r.Status)
	}
	if r := mutate(c, "signIn", credentials(p.Email), outcomes); r.Code() != "BAD_CREDENTIALS" {
		t.Errorf("the old password: %q", r.Code())
	}
	half := step(t, c, "signIn", map[string]any{"identifier": p.Email, "password": next})
	if half.Type != "FactorRequired" {
		t.Fatalf("the new password leads to %+v", half)
	}
	if in := step(t, c, "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"totp": app.code()}}); in.Type != "SignedIn" {
		t.Errorf("the code leads to %+v", in)
	}
}

// TestReq37HalfWayIsNobody: between password and second factor one holds the name of an attempt, which is good for going on
// with it and for nothing else: no field, no socket and no path takes it for a session.
func TestReq37HalfWayIsNobody(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Public: "http://book.test", Args: []string{"--auth-per-network=1000", "--auth-per-account=1000"}})
	p := newPerson(t, s, "halima")
	app, _ := enrol(t, p, machineTime)
	half := step(t, s.Browser(), "signIn", credentials(p.Email))
	bearer, cookie := s.Browser(), s.Browser()
	bearer.Token = half.Flow
	checked := 0
	for _, f := range rootFields(t) {
		if f.kind == "subscription" {
			continue
		}
		if r := bearer.Do(f.document, f.variables); r.Status != http.StatusUnauthorized { // all of them: a bearer token is sent on purpose
			t.Errorf("%s with the attempt as a token: %d %q", f.name, r.Status, r.Code())
		}
		if f.rule == "PUBLIC" {
			continue
		}
		if r := cookie.Do(f.document, f.variables, "Cookie", "session="+half.Flow); r.Code() != "UNAUTHENTICATED" || r.Data[f.name] != nil {
			t.Errorf("%s with the attempt as a cookie: %q %v", f.name, r.Code(), r.Data)
		}
		checked++
	}
	if checked < 50 {
		t.Errorf("only %d fields were checked", checked)
	}
	if r := cookie.Do(`{ me { user { id } } }`, nil, "Cookie", "session="+half.Flow); r.Data["me"] != nil {
		t.Errorf("me = %v", r.Data)
	}
	for _, path := range []string{"/graphql?query=%7Bme%7Buser%7Bid%7D%7D%7D", "/auth/callback/mock?state=" + half.Flow} {
		status, body, header := get(t, s.URL+path, "Authorization", "Bearer "+half.Flow, "Accept", "application/json", "GraphQL-Require-Preflight", "1")
		if status != http.StatusUnauthorized || header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if code := initWith(t, s, half.Flow); code != 4403 {
		t.Errorf("a socket with the attempt as a token ends with %d", code)
	}
	if got := askSocket(t, s, half.Flow); !strings.Contains(got, "UNAUTHENTICATED") {
		t.Errorf("a socket with the attempt as a cookie: %s", got)
	}
	// Nor is it good for another flow.
	for name, in := range map[string]map[string]any{
		"verifyEmail": {"flow": half.Flow, "code": "123456"}, "signInWithMail": {"flow": half.Flow, "code": "123456"},
		"resetPassword": {"flow": half.Flow, "code": "123456", "password": "a quite different phrase"}, "resendVerification": {"flow": half.Flow},
	} {
		if r := mutate(s.Browser(), name, in, "__typename"); r.Code() != "TICKET_INVALID" {
			t.Errorf("%s with the attempt: %q", name, r.Code())
		}
	}
	if r := mutate(p.Client, "completeElevation", map[string]any{"flow": half.Flow, "proof": map[string]any{"totp": app.code()}}, "__typename"); r.Code() != "TICKET_INVALID" {
		t.Errorf("completeElevation with the attempt: %q", r.Code())
	}
	c := s.Browser()
	if in := step(t, c, "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"totp": app.code()}}); in.Type != "SignedIn" {
		t.Errorf("after all that, the right code leads to %+v", in)
	}
}

// initWith opens a socket with a token and gives the close code; 0 when it is acknowledged.
func initWith(t *testing.T, s *apptest.Server, token string) int {
	t.Helper()
	ws := open(t, s, nil)
	_ = ws.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + token}})
	_, _, err := ws.ReadMessage()
	if closed, ok := err.(*websocket.CloseError); ok { //nolint:errorlint // gorilla gives it bare
		return closed.Code
	}
	return 0
}

// askSocket opens a socket with a session cookie, subscribes and gives the first answer.
func askSocket(t *testing.T, s *apptest.Server, session string) string {
	t.Helper()
	ws := open(t, s, http.Header{"Cookie": {"session=" + session}, "Origin": {s.URL}})
	for _, m := range []map[string]any{
		{"type": "connection_init"},
		{"type": "subscribe", "id": "1", "payload": map[string]any{"query": liveQuery, "variables": map[string]any{"c": []any{noteChannel("n")}}}},
	} {
		if err := ws.WriteJSON(m); err != nil {
			t.Fatal(err)
		}
	}
	var last []byte
	for range 2 { // the acknowledgement, then the answer
		var err error
		if _, last, err = ws.ReadMessage(); err != nil {
			return err.Error()
		}
	}
	return string(last)
}

func open(t *testing.T, s *apptest.Server, header http.Header) *websocket.Conn {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	ws, res, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", header)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	return ws
}

// TestReq33KeysOutliveARestart: in development the server makes its own key, for its owner's eyes alone, and what it has
// sealed opens after a restart. With another key nothing opens, and that is told to nobody but the log.
func TestReq33KeysOutliveARestart(t *testing.T) {
	t.Parallel()
	database, dir := "bb_test_"+ref.NewID(), filepath.Join(t.TempDir(), "data")
	storetest.Open(t, database)
	start := func(dir string) *apptest.Server {
		return apptest.Start(t, apptest.Setup{Database: database, Args: []string{"--secret-keys=", "--data-dir=" + dir}})
	}
	s := start(dir)
	p := newPerson(t, s, "rosa")
	app, _ := enrol(t, p, machineTime)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "secret-keys")
	first, err := os.ReadFile(file)
	if info, statErr := os.Stat(file); err != nil || statErr != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key is kept as %v, %v", info, err)
	}
	s = start(dir)
	if again, err := os.ReadFile(file); err != nil || string(again) != string(first) {
		t.Errorf("the key was replaced, %v", err)
	}
	c := s.Browser()
	half := step(t, c, "signIn", credentials(p.Email))
	if in := step(t, c, "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"totp": app.code()}}); in.Type != "SignedIn" {
		t.Errorf("after a restart the code leads to %+v", in)
	}
	s.Mail(p.Email, "verify_email") // can still be read

	other := start(t.TempDir())
	half = step(t, other.Browser(), "signIn", credentials(p.Email))
	r := mutate(other.Browser(), "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"totp": app.code()}}, outcomes)
	if r.Code() == "" || strings.Contains(fmt.Sprint(r.Errors), "keyring") {
		t.Errorf("without the key: %+v %v", r.Errors, r.Data)
	}
}
