package graph_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

const (
	registerDoc = `mutation ($in: RegisterInput!) { register(input: $in) { result { __typename ... on VerificationRequired { flow } } } }`
	verifyDoc   = `mutation ($in: VerifyEmailInput!) { verifyEmail(input: $in) { result { ... on SignedIn {
		token user { id name email } session { id current } } } } }`
	signInDoc = `mutation ($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn {
		token user { id name email } session { id current } } } } }`
)

func credentials(email, password, transport string) map[string]any {
	return map[string]any{"in": map[string]any{"identifier": email, "password": password, "transport": transport}}
}

// The request began as nobody's, and the one it signs in reads the answer.
func TestSignedInSeesItself(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	b := s.Browser()
	flow := at(b.Must(registerDoc, map[string]any{
		"in": map[string]any{"email": "Ada@example.org", "password": apptest.Password, "name": " Ada "},
	}), "register", "result", "flow")
	in := at(b.Must(verifyDoc, map[string]any{
		"in": map[string]any{"flow": flow, "code": s.Mail("Ada@example.org", "verify_email").Code},
	}), "verifyEmail", "result")
	if at(in, "user", "email") != "Ada@example.org" || at(in, "user", "name") != "Ada" || at(in, "session", "current") != true || at(in, "token") != nil {
		t.Errorf("verifyEmail: %v", in)
	}
	me := at(b.Must(`{ me { user { id email } session { id current } } }`, nil), "me")
	if at(me, "user", "id") != at(in, "user", "id") || at(me, "session", "id") != at(in, "session", "id") || at(me, "session", "current") != true {
		t.Errorf("the cookie leads to %v, want %v", me, in)
	}

	other := s.Browser()
	again := at(other.Must(signInDoc, credentials("ada@EXAMPLE.org", apptest.Password, "BEARER")), "signIn", "result")
	if at(again, "user", "email") != "Ada@example.org" || at(again, "session", "current") != true {
		t.Errorf("signIn: %v", again)
	}
	if other.Must(`{ me { user { id } } }`, nil)["me"] != nil {
		t.Error("a sign-in for a token set a cookie")
	}
	other.Token, _ = at(again, "token").(string)
	first := map[string]any{"id": at(in, "session", "id")}
	const node = `query ($id: ID!) { node(id: $id) { ... on Session { current } } }`
	if got := other.Must(node, first); at(got, "node", "current") != false {
		t.Errorf("the session of another device is %v", got)
	}
	if got := b.Must(node, first); at(got, "node", "current") != true {
		t.Errorf("the session of this device is %v", got)
	}
	eve := s.Browser()
	eve.Register("Eve")
	if got := eve.Must(node, first); at(got, "node") != nil {
		t.Errorf("somebody else's session is %v", got)
	}
}

func TestEmailIsForItsOwnerAndReaders(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	ada, eve, admin := s.Browser(), s.Browser(), s.Browser()
	email := ada.Register("Ada")
	eve.Register("Eve")
	first := s.SignIns()[0]
	admin.Must(signInDoc, credentials(first.Email, first.Password, "COOKIE"))
	id := map[string]any{"id": at(ada.Must(`{ me { user { id } } }`, nil), "me", "user", "id")}
	const node = `query ($id: ID!) { a: node(id: $id) { ... on User { name email } } }`
	for name, tc := range map[string]struct {
		client *apptest.Client
		want   any
	}{"owner": {ada, email}, "another": {eve, nil}, "reader": {admin, email}} {
		if r := tc.client.Do(node, id); len(r.Errors) > 0 || at(r.Data, "a", "email") != tc.want {
			t.Errorf("%s sees %v %v, want %v", name, r.Data, r.Errors, tc.want)
		}
	}

	const users = `query ($first: Int, $after: String) { users(first: $first, after: $after) {
		nodes { name email } edges { cursor node { name } } pageInfo { hasNextPage endCursor } } }`
	if r := eve.Do(users, nil); r.Code() != "FORBIDDEN" {
		t.Errorf("users for everybody: %v %v", r.Data, r.Errors)
	}
	if r := s.Browser().Do(users, nil); r.Code() != "UNAUTHENTICATED" {
		t.Errorf("users for nobody: %v %v", r.Data, r.Errors)
	}
	var seen []any
	vars := map[string]any{"first": 2}
	for range 3 {
		page := at(admin.Must(users, vars), "users")
		for i := 0; at(page, "nodes", i) != nil; i++ {
			if at(page, "nodes", i, "email") == nil || at(page, "nodes", i, "name") != at(page, "edges", i, "node", "name") {
				t.Errorf("node %d: %v", i, page)
			}
			seen = append(seen, at(page, "nodes", i, "name"))
		}
		if at(page, "pageInfo", "hasNextPage") != true {
			break
		}
		vars["after"] = at(page, "pageInfo", "endCursor")
	}
	if len(seen) != 3 || seen[0] != "Ada" {
		t.Errorf("by name: %v", seen)
	}
}

// Requirement 2: a wrong password and an unknown address look the same.
func TestSignInRefusesAlike(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	b := s.Browser()
	email := b.Register("Ada")
	var answers []apptest.Response
	for _, e := range []string{email, "unknown@example.org", "no address", ""} {
		r := s.Browser().Do(signInDoc, credentials(e, "a wrong password", "COOKIE"))
		for _, id := range r.Errors {
			delete(id.Extensions, "requestId")
		}
		if answers = append(answers, r); r.Code() != "BAD_CREDENTIALS" || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %+v with %v", e, r, r.Header)
		}
	}
	for _, r := range answers[1:] {
		if r.Status != answers[0].Status || !reflect.DeepEqual(r.Errors, answers[0].Errors) || fmt.Sprint(r.Data) != fmt.Sprint(answers[0].Data) {
			t.Errorf("one refusal can be told from another: %+v and %+v", answers[0], r)
		}
	}
	if b.Must(`{ me { user { id } } }`, nil)["me"] == nil {
		t.Error("somebody's failures signed the user out")
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	// Requirement 1: an address that is taken is answered as one that is free.
	taken := s.Browser().Register("Ada")
	for _, email := range []string{taken, "free@example.org"} {
		r := s.Browser().Do(registerDoc, map[string]any{"in": map[string]any{"email": email, "password": apptest.Password, "name": "Eve"}})
		if at(r.Data, "register", "result", "__typename") != "VerificationRequired" || len(r.Errors) > 0 || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %+v with %v", email, r, r.Header)
		}
	}
	for name, tc := range map[string]struct {
		email, password, name, code, field string
	}{
		"address":  {"Eve <eve@example.org>", apptest.Password, "Eve", "EMAIL_INVALID", "input.email"},
		"password": {"eve@example.org", "qwertyuiop", "Eve", "PASSWORD_WEAK", "input.password"},
		"name":     {"eve@example.org", apptest.Password, "\u202eEve", "BAD_USER_INPUT", "input.name"},
	} {
		c := s.Browser()
		r := c.Do(registerDoc, map[string]any{"in": map[string]any{"email": tc.email, "password": tc.password, "name": tc.name}})
		if r.Code() != tc.code || r.Errors[0].Extensions["field"] != tc.field || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %+v with %v", name, r, r.Header)
		}
	}
}
