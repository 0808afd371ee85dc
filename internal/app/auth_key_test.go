package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// promptly is how soon a socket is cut whose key or session has ended: a second, and the same again for a machine that has
// other tests to run.
const promptly = 2 * time.Second

// cut waits for a socket to be closed for its credential's sake, and fails the test if that takes long.
func (f *follower) cut(what string, since time.Time) {
	f.t.Helper()
	select {
	case closed := <-f.shut:
		if closed == nil || closed.Code != 4403 {
			f.t.Errorf("%s: closed with %v, want 4403", what, closed)
		}
		if took := time.Since(since); took > promptly {
			f.t.Errorf("%s: cut after %s", what, took)
		}
	case <-time.After(20 * time.Second):
		f.t.Errorf("%s: the socket lives on", what)
	}
}

// pair is two servers on one database.
func pair(t *testing.T, setup apptest.Setup) (a, b *apptest.Server) {
	t.Helper()
	a = apptest.Start(t, setup)
	setup.Database = a.Database
	return a, apptest.Start(t, setup)
}

// TestReq54to56AccessKey: what a program with a key may do: what the key is for, and nothing that concerns the account.
func TestReq54to56AccessKey(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	defineNote(admin(t, s))
	p := newPerson(t, s, "kay")
	program, id := accessKey(t, s, p, "registry.document.create")
	if !strings.HasPrefix(program.Token, "bbk_") {
		t.Errorf("the key begins with %.5s", program.Token)
	}
	program.Must(createDoc, note("by a program"))
	for name, query := range map[string]string{"report": `{ report(input: {metric: "x"}) { through } }`, "documents": `{ documents(type: "note") { nodes { id } } }`} {
		if r := program.Do(query, nil); r.Code() != "FORBIDDEN" {
			t.Errorf("%s, which its owner may and it may not: %q %v", name, r.Code(), r.Data)
		}
		if r := p.Do(query, nil); r.Code() == "FORBIDDEN" {
			t.Errorf("%s for its owner: %q", name, r.Code())
		}
	}
	can := program.Must(`{ can(checks: [{permission: "registry.document.create"}, {permission: "registry.document.read"}, {permission: "account.user.write"}]) { reason } }`, nil)
	if got := fmt.Sprint(at(t, can, "can")); got != "[map[reason:ALLOWED] map[reason:OUT_OF_SCOPE] map[reason:NO_PATH]]" {
		t.Errorf("can: %s", got)
	}
	viewer := at(t, program.Must(`{ me { user { id } session { id } emails { email } permissions } }`, nil), "me")
	if text(t, viewer, "user", "id") != p.ID || at(t, viewer, "session") != nil || len(at(t, viewer, "emails").([]any)) != 0 || fmt.Sprint(at(t, viewer, "permissions")) != "[registry.document.create]" {
		t.Errorf("me = %v", viewer)
	}
	var mine any
	until(t, "the use of the key is written down", func() bool {
		mine = at(t, p.Must(`{ myAccessKeys { nodes { id hint scopes lastUsedAt revokedAt createdAt expiresAt } } }`, nil), "myAccessKeys", "nodes", 0)
		return at(t, mine, "lastUsedAt") != nil
	})
	made, _ := time.Parse(time.RFC3339, text(t, mine, "createdAt"))
	ends, _ := time.Parse(time.RFC3339, text(t, mine, "expiresAt"))
	if text(t, mine, "id") != id || !strings.HasPrefix(program.Token, text(t, mine, "hint")) || len(text(t, mine, "hint")) > 8 || at(t, mine, "revokedAt") != nil || ends.Sub(made) != 90*24*time.Hour {
		t.Errorf("the key in its owner's list: %v", mine)
	}
	if kept := stored(t, s, "sessions", "events", "outbox"); strings.Contains(kept, program.Token) || strings.Contains(kept, strings.TrimPrefix(program.Token, "bbk_")) {
		t.Error("the key itself is kept")
	}
	s.Mail(p.Email, "notice_access_key")
}

// TestReq56KeyAndTheAccount: every field for persons with a session refuses a key, whatever its scope and its owner.
func TestReq56KeyAndTheAccount(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	all := at(t, root.Must(`{ me { permissions } }`, nil), "me", "permissions").([]any)
	made := must[struct{ Token string }](t, root, "createAccessKey", map[string]any{"name": "everything", "scopes": all}, "token")
	program := s.Browser()
	program.Token = made.Token
	if got := at(t, program.Must(`{ me { permissions } }`, nil), "me", "permissions").([]any); len(got) != len(all) {
		t.Fatalf("a key for everything may do %d of %d", len(got), len(all))
	}
	before := stored(t, s, "users", "factors", "tickets", "outbox")
	checked := 0
	for _, f := range rootFields(t) {
		if f.rule != "SESSION" {
			continue
		}
		checked++
		if r := program.Do(f.document, f.variables); r.Code() != "KEY_FORBIDDEN" || r.Data[f.name] != nil {
			t.Errorf("%s with a key: %q %v", f.name, r.Code(), r.Data)
		}
	}
	if checked < 24 {
		t.Errorf("only %d fields were checked", checked)
	}
	// What its owner may do to others by permission and only after a fresh proof, a key may not do either.
	if r := mutate(program, "createServiceAccount", map[string]any{"name": "robot"}, "user { id }"); r.Code() != "KEY_FORBIDDEN" {
		t.Errorf("createServiceAccount with a key: %q", r.Code())
	}
	if r := mutate(program, "beginProvider", map[string]any{"provider": "x", "link": true}, "url"); r.Code() != "KEY_FORBIDDEN" {
		t.Errorf("beginProvider with a key: %q", r.Code())
	}
	if after := stored(t, s, "users", "factors", "tickets", "outbox"); after != before {
		t.Error("one of them had an effect")
	}
	if r := program.Do(`mutation { signOut { ended } }`, nil); at(t, r.Data, "signOut", "ended") != false || isNobody(program) {
		t.Errorf("signing out with a key: %v", r.Data)
	}
}

// TestReq53OwnerIsTheCaller: there is no way to name another owner but a service account, for who may manage those.
func TestReq53OwnerIsTheCaller(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root, p := admin(t, s), newPerson(t, s, "pia")
	_, other := user(t, s, "other")
	in := map[string]any{"name": "k", "scopes": []string{"registry.document.read"}}
	if r := mutate(s.Browser(), "createAccessKey", in, "token"); r.Code() != "UNAUTHENTICATED" {
		t.Errorf("nobody makes a key: %q", r.Code())
	}
	for name, c := range map[string]*apptest.Client{"a user": p.Client, "an administrator": root} {
		for _, owner := range []string{other, p.ID, "user:nobody"} {
			in["serviceAccount"] = owner
			if r := mutate(c, "createAccessKey", in, "token"); r.Code() != "FORBIDDEN" && r.Code() != "NOT_FOUND" {
				t.Errorf("%s makes a key for %s: %q", name, owner, r.Code())
			}
		}
	}
	delete(in, "serviceAccount")
	in["scopes"] = []string{"account.user.write"}
	if r := mutate(p.Client, "createAccessKey", in, "token"); r.Code() != "FORBIDDEN" {
		t.Errorf("a scope its maker does not hold: %q", r.Code())
	}
	robot := must[struct{ User struct{ ID, Kind string } }](t, root, "createServiceAccount", map[string]any{"name": "robot"}, "user { id kind }")
	in["scopes"], in["serviceAccount"] = []string{"registry.document.read"}, robot.User.ID
	made := must[struct {
		Token string
		Key   struct{ ID, Owner string }
	}](t, root, "createAccessKey", in, "token key { id owner }")
	program := s.Browser()
	program.Token = made.Token
	if robot.User.Kind != "SERVICE" || made.Key.Owner != robot.User.ID || text(t, program.Must(`{ me { user { id } } }`, nil), "me", "user", "id") != robot.User.ID {
		t.Errorf("the key of a service account: %+v", made.Key)
	}
	_, mine := accessKey(t, s, p, "registry.document.read")
	for name, key := range map[string]string{"somebody's": mine, "nobody's": "key:nobody"} {
		if r := mutate(root, "revokeAccessKey", map[string]any{"key": key}, "key { id }"); r.Code() != "NOT_FOUND" {
			t.Errorf("an administrator revokes %s key: %q", name, r.Code())
		}
	}
	if r := mutate(p.Client, "revokeAccessKey", map[string]any{"key": made.Key.ID}, "key { id }"); r.Code() != "NOT_FOUND" {
		t.Errorf("a user revokes the key of a service account: %q", r.Code())
	}
	must[struct{}](t, root, "revokeAccessKey", map[string]any{"key": made.Key.ID}, "key { id }")
	if r := program.Do(`{ __typename }`, nil); r.Status != http.StatusUnauthorized {
		t.Errorf("a revoked key: %d", r.Status)
	}
}

// TestReq55OwnerLosesTheRight: a key is good for what its owner holds now.
func TestReq55OwnerLosesTheRight(t *testing.T) {
	t.Parallel()
	a, b := pair(t, apptest.Setup{})
	root := admin(t, a)
	defineNote(root)
	p := newPerson(t, a, "lois")
	program, _ := accessKey(t, a, p, "registry.document.create", "registry.document.read")
	program.Must(createDoc, note("still"))
	takeMemberRole(t, root, p.ID)
	for _, s := range []*apptest.Server{a, b} {
		storetest.Eventually(t, 10*time.Second, func() bool { return program.At(s).Do(createDoc, note("no more")).Code() == "FORBIDDEN" }, "the key loses the right with its owner")
	}
	must[struct{}](t, root, "disableUser", map[string]any{"user": p.ID}, "user { id }")
	if r := program.Do(`{ __typename }`, nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the key of a disabled user, at once: %d", r.Status)
	}
	storetest.Eventually(t, promptly, func() bool { return program.At(b).Do(`{ __typename }`, nil).Status == http.StatusUnauthorized }, "the other node refuses the key")
}

// TestReq56RevokedKeyCutsItsSockets: on the node that revokes and on the other, and no socket but those.
func TestReq56RevokedKeyCutsItsSockets(t *testing.T) {
	t.Parallel()
	a, b := pair(t, apptest.Setup{})
	defineNote(admin(t, a))
	p := newPerson(t, a, "sue")
	program, id := accessKey(t, a, p, "registry.document.read")
	other, _ := accessKey(t, a, p, "registry.document.read")
	here, there, stays := follow(t, a, program.Token, noteChannel("n")), follow(t, b, program.Token, noteChannel("n")), follow(t, b, other.Token, noteChannel("n"))
	for _, f := range []*follower{here, there, stays} {
		f.until("a snapshot", snapshotOf("n"))
	}
	since := time.Now()
	must[struct{}](t, p.Client, "revokeAccessKey", map[string]any{"key": id}, "key { revokedAt }")
	here.cut("on this node", since)
	there.cut("on the other node", since)
	for _, s := range []*apptest.Server{a, b} {
		if r := program.At(s).Do(`{ __typename }`, nil); r.Status != http.StatusUnauthorized {
			t.Errorf("the revoked key: %d", r.Status)
		}
		if code := initWith(t, s, program.Token); code != 4403 {
			t.Errorf("the revoked key over a socket: %d", code)
		}
	}
	if err := stays.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil || len(stays.shut) != 0 {
		t.Errorf("the socket of the other key: %v", err)
	}
}

// TestReq65DisabledUserIsOut: everything of theirs ends on both nodes, and no way in works any more.
func TestReq65DisabledUserIsOut(t *testing.T) {
	t.Parallel()
	a, b := pair(t, apptest.Setup{})
	root := admin(t, a)
	defineNote(root)
	p := newPerson(t, a, "dora")
	token := signIn(t, a.Browser(), p.Email, apptest.Password)
	program, _ := accessKey(t, a, p, "registry.document.read")
	if r := p.At(b).Do(`{ me { user { id } } }`, nil); r.Data["me"] == nil {
		t.Fatalf("the other node does not know her: %+v", r)
	}
	must[struct{}](t, a.Browser(), "requestPasswordReset", map[string]any{"email": p.Email}, "flow")
	reset := a.Mail(p.Email, "reset_password")
	sockets := []*follower{follow(t, a, token, noteChannel("n")), follow(t, b, token, noteChannel("n")), follow(t, b, program.Token, noteChannel("n"))}
	for _, f := range sockets {
		f.until("a snapshot", snapshotOf("n"))
	}
	since := time.Now()
	must[struct{}](t, root, "disableUser", map[string]any{"user": p.ID}, "user { disabledAt }")
	for i, f := range sockets {
		f.cut(fmt.Sprintf("socket %d", i), since)
	}
	for _, s := range []*apptest.Server{a, b} {
		c := s.Browser()
		for _, dead := range []string{token, program.Token} {
			if c.Token = dead; c.Do(`{ __typename }`, nil).Status != http.StatusUnauthorized {
				t.Error("a credential of hers is still good")
			}
		}
		if c.Token = ""; !isNobody(p.At(s)) {
			t.Error("her browser is still signed in")
		}
		if r := mutate(c, "signIn", credentials(p.Email), outcomes); r.Code() != "ACCOUNT_DISABLED" {
			t.Errorf("the right password: %q", r.Code())
		}
		if r := mutate(c, "signIn", map[string]any{"identifier": p.Email, "password": "wrong"}, outcomes); r.Code() != "BAD_CREDENTIALS" {
			t.Errorf("a wrong password tells that she is disabled: %q", r.Code())
		}
		if r := mutate(c, "resetPassword", map[string]any{"token": reset.Secret, "password": "a quite different phrase"}, "ended"); r.Code() == "" {
			t.Error("the mailed link is still good")
		}
	}
	must[struct{}](t, root, "enableUser", map[string]any{"user": p.ID}, "user { disabledAt }")
	if in := step(t, b.Browser(), "signIn", credentials(p.Email)); in.Type != "SignedIn" {
		t.Errorf("enabled again: %+v", in)
	}
}

// TestReq57TokensInAddresses: a key or session in an address is refused, and the log does not hold it.
func TestReq57TokensInAddresses(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	s := apptest.Start(t, apptest.Setup{Log: log})
	p := newPerson(t, s, "urs")
	program, _ := accessKey(t, s, p, "registry.document.read")
	session := signIn(t, s.Browser(), p.Email, apptest.Password)
	for _, secret := range []string{program.Token, session} {
		for _, query := range []string{"access_token=" + secret, "token=" + secret, "query=%7B__typename%7D&authorization=Bearer%20" + secret, secret, "access_token=%62" + secret[1:]} {
			status, body, _ := get(t, s.URL+"/graphql?"+query, "Accept", "application/json")
			if status != http.StatusUnprocessableEntity || !strings.Contains(body, "TOKEN_IN_URL") || strings.Contains(body, secret) {
				t.Errorf("%.20s…: %d %s", query, status, body)
			}
		}
		_, _, _ = get(t, s.URL+"/no/such/page/"+url.PathEscape(secret))
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{program.Token, session} {
		if strings.Contains(log.String(), secret[4:]) {
			t.Errorf("the log holds %.8s…", secret)
		}
	}
	if !strings.Contains(log.String(), "TOKEN_IN_URL") {
		t.Error("the log is not what the test takes it for")
	}
}
