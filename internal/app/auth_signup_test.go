package app_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// newcomer is what somebody registers with.
func newcomer(email string) map[string]any {
	return map[string]any{"email": email, "password": apptest.Password, "name": "Nia"}
}

// TestSignUpByCode: register, read the mail, enter its code in the same browser, and be signed in.
func TestSignUpByCode(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	c := s.Browser()
	asked := step(t, c, "register", newcomer("nia@example.org"))
	if asked.Type != "VerificationRequired" || asked.Flow == "" || !isNobody(c) {
		t.Fatalf("register leads to %+v", asked)
	}
	if n := storetest.Count(t, s.DB(), "users"); n != 1 { // the first administrator
		t.Errorf("%d users before the address is verified", n)
	}
	mail := s.Mail("nia@example.org", "verify_email")
	wrong := "000000"
	if mail.Code == wrong {
		wrong = "000001"
	}
	for _, in := range []map[string]any{
		{"flow": asked.Flow, "code": wrong}, {"code": mail.Code}, {"flow": "bbf_x", "code": mail.Code}, {"flow": asked.Flow}, {},
	} {
		if r := mutate(c, "verifyEmail", in, outcomes); r.Code() != "TICKET_INVALID" {
			t.Errorf("%v: %q %v", in, r.Code(), r.Data)
		}
	}
	// Sending it again makes other secrets; those of the first mail are void.
	must[struct{}](t, c, "resendVerification", map[string]any{"flow": asked.Flow}, "__typename")
	again := s.Mail("nia@example.org", "verify_email")
	if again.Secret == mail.Secret || mutate(c, "verifyEmail", map[string]any{"flow": asked.Flow, "token": mail.Secret}, outcomes).Code() != "TICKET_INVALID" {
		t.Error("the first mail is still good")
	}
	in := step(t, c, "verifyEmail", map[string]any{"flow": asked.Flow, "code": again.Code})
	if in.Type != "SignedIn" || in.Token != "" || in.Device != "" {
		t.Fatalf("the right code leads to %+v", in)
	}
	viewer := at(t, c.Must(`{ me { user { id email kind } emails { email primary } hasPassword session { id methods } membership { plan { key } } permissions } }`, nil), "me")
	if text(t, viewer, "user", "email") != "nia@example.org" || text(t, viewer, "user", "kind") != "PERSON" || text(t, viewer, "session", "id") != in.Session.ID ||
		at(t, viewer, "hasPassword") != true || text(t, viewer, "membership", "plan", "key") != "free" || len(at(t, viewer, "permissions").([]any)) == 0 {
		t.Errorf("me = %v", viewer)
	}
	if r := mutate(s.Browser(), "verifyEmail", map[string]any{"flow": asked.Flow, "code": again.Code}, outcomes); r.Code() != "TICKET_INVALID" {
		t.Errorf("the code is good twice: %q", r.Code())
	}
}

// TestSignUpByLink: the link alone is not enough, for its reader may not be who registered; with the password it is.
func TestSignUpByLink(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	step(t, s.Browser(), "register", newcomer("lina@example.org"))
	mail := s.Mail("lina@example.org", "verify_email")
	other := s.Browser()
	for name, in := range map[string]map[string]any{
		"the link alone":        {"token": mail.Secret},
		"with a wrong password": {"token": mail.Secret, "password": "not the password"},
	} {
		if r := mutate(other, "verifyEmail", in, outcomes); r.Code() != "BAD_CREDENTIALS" {
			t.Errorf("%s: %q %v", name, r.Code(), r.Data)
		}
	}
	in := step(t, other, "verifyEmail", map[string]any{"token": mail.Secret, "password": apptest.Password, "transport": "BEARER"})
	if in.Type != "SignedIn" || in.Token == "" || in.Device == "" || !isNobody(other) {
		t.Fatalf("with the password: %+v", in)
	}
	other.Token = in.Token
	if isNobody(other) {
		t.Error("the token is not good")
	}
}

// TestReq1RegisteringTwice: whoever registers an address that has an account sees what everybody sees; its owner gets a mail.
func TestReq1RegisteringTwice(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	owner := newPerson(t, s, "owner")
	stranger := s.Browser()
	fresh := mutate(stranger, "register", newcomer("fresh@example.org"), outcomes)
	taken := mutate(stranger, "register", newcomer(strings.ToUpper(owner.Email)), outcomes)
	a, b := payload[result](t, fresh, "register").Result, payload[result](t, taken, "register").Result
	if a.Type != b.Type || len(a.Flow) != len(b.Flow) || fresh.Status != taken.Status || fresh.Header.Get("Set-Cookie") != taken.Header.Get("Set-Cookie") {
		t.Errorf("a fresh address: %+v; one with an account: %+v", a, b)
	}
	mail := s.Mail(owner.Email, "already_registered")
	if mail.Code != "" || mail.Secret != "" {
		t.Errorf("the mail holds a secret: %+v", mail)
	}
	if r := mutate(stranger, "verifyEmail", map[string]any{"flow": b.Flow, "code": "123456"}, outcomes); r.Code() != "TICKET_INVALID" {
		t.Errorf("a guess at the code that nobody has got: %q", r.Code())
	}
}

// TestReq5Req6NoOtherFields: the inputs have no place for what the server decides.
func TestReq5Req6NoOtherFields(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	p := newPerson(t, s, "plain")
	for _, field := range []string{"id", "_id", "user", "owner", "role", "roles", "plan", "kind", "emailVerified", "verifiedAt", "disabledAt", "session", "createdAt", "passwordHash"} {
		evil := newcomer("evil@example.org")
		evil[field] = "admin"
		for name, in := range map[string]map[string]any{
			"register": evil, "updateMe": {"name": "Eve", field: "admin"},
			"createAccessKey": {"name": "k", "scopes": []string{"registry.document.read"}, field: "admin"},
		} {
			if r := mutate(p.Client, name, in, "__typename"); r.Code() != "BAD_USER_INPUT" {
				t.Errorf("%s with %s as a variable: %q %v", name, field, r.Code(), r.Data)
			}
		}
		for _, doc := range []string{
			`mutation { updateMe(input: {name: "Eve", FIELD: "admin"}) { user { name } } }`,
			`mutation { register(input: {email: "evil@example.org", name: "Eve", FIELD: "admin"}) { result { __typename } } }`,
		} {
			if r := p.Do(strings.Replace(doc, "FIELD", field, 1), nil); r.Code() != "GRAPHQL_VALIDATION_FAILED" {
				t.Errorf("%s in the document: %q %v", field, r.Code(), r.Data)
			}
		}
	}
	viewer := at(t, p.Must(`{ me { user { id name kind } membership { plan { key } } } }`, nil), "me")
	if text(t, viewer, "user", "id") != p.ID || text(t, viewer, "user", "name") != "plain" || text(t, viewer, "membership", "plan", "key") != "free" {
		t.Errorf("one of them had an effect: %v", viewer)
	}
	if n := storetest.Count(t, s.DB(), "users"); n != 2 {
		t.Errorf("%d users", n)
	}
}

// linkMails has the server send every mail with a link, and gives the last of each template. Its requests carry the headers.
func linkMails(t *testing.T, s *apptest.Server, headers ...string) map[string]apptest.Mail {
	t.Helper()
	root, p := admin(t, s), newPerson(t, s, "reader")
	p.Token = signIn(t, s.Browser(), p.Email, apptest.Password) // a jar of cookies goes by the Host that is sent
	for _, r := range []apptest.Response{
		mutate(s.Browser(), "register", newcomer("new@example.org"), outcomes, headers...),
		mutate(s.Browser(), "requestSignInMail", map[string]any{"email": p.Email}, "flow", headers...),
		mutate(s.Browser(), "requestPasswordReset", map[string]any{"email": p.Email}, "flow", headers...),
		mutate(p.Client, "addEmail", map[string]any{"email": "second@example.org"}, "flow", headers...),
		mutate(root, "invite", map[string]any{"email": "guest@example.org"}, "invitation { id }", headers...),
	} {
		if r.Code() != "" {
			t.Fatalf("%+v", r.Errors)
		}
	}
	return map[string]apptest.Mail{
		"verify_email": s.Mail("new@example.org", "verify_email"), "sign_in": s.Mail(p.Email, "sign_in"), "reset_password": s.Mail(p.Email, "reset_password"),
		"confirm_address": s.Mail("second@example.org", "confirm_address"), "invitation": s.Mail("guest@example.org", "invitation"),
		"of": {To: p.Email}, // whose the second, third and fourth are
	}
}

// TestReq24HostNeverReachesALink: links lead to the configured address, whatever a client says the host is.
func TestReq24HostNeverReachesALink(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Public: "http://book.test", Args: []string{"--trusted-proxies=1"}})
	mails := linkMails(t, s, "Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "evil", "X-Host", "evil.example",
		"X-Forwarded-Server", "evil.example", "Forwarded", "host=evil.example;proto=evil", "X-Original-Url", "http://evil.example/", "Referer", "http://evil.example/",
		"X-Forwarded-For", "203.0.113.9")
	for template, m := range mails {
		if template != "of" && !strings.HasPrefix(m.Link, "http://book.test/") {
			t.Errorf("%s leads to %s", template, m.Link)
		}
	}
	for _, m := range s.Mails() {
		if strings.Contains(m.Subject+m.Text+m.HTML, "evil") {
			t.Errorf("%s to %s holds what the client said:\n%s", m.Template, m.To, m.Text)
		}
	}
}

// TestReq30LookingChangesNothing: what fetches the pages of mailed links, as scanners of mail do, uses nothing up, not even
// when it takes the secret out of the fragment and sends it along.
func TestReq30LookingChangesNothing(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Public: "http://book.test"})
	mails := linkMails(t, s)
	reader := mails["of"].To
	delete(mails, "of")
	kept := []string{"tickets", "users", "sessions", "events", "outbox", "factors"}
	before := stored(t, s, kept...)
	scanner := s.Browser()
	for template, m := range mails {
		link, err := url.Parse(m.Link)
		if err != nil || m.Secret == "" || !strings.HasPrefix(m.Secret, "bbl_") {
			t.Fatalf("%s has no link: %s", template, m.Link)
		}
		page := "http://book.test" + link.Path
		for _, address := range []string{m.Link, page, page + "?" + link.Fragment, page + "/" + m.Secret} {
			for _, method := range []string{"GET", "HEAD"} {
				if at, status := visit(t, scanner, method, address); status != 200 || at != address {
					t.Errorf("%s %s: %d at %s", method, link.Path, status, at)
				}
			}
		}
	}
	if after := stored(t, s, kept...); after != before {
		t.Errorf("looking has changed something:\n%s\nbecame\n%s", before, after)
	}
	// And each is still good.
	if got := step(t, s.Browser(), "verifyEmail", map[string]any{"token": mails["verify_email"].Secret, "password": apptest.Password}); got.Type != "SignedIn" {
		t.Errorf("verify_email: %+v", got)
	}
	c := s.Browser()
	if got := step(t, c, "signInWithMail", map[string]any{"token": mails["sign_in"].Secret}); got.Type != "SignedIn" {
		t.Errorf("sign_in: %+v", got)
	}
	must[struct{}](t, c, "confirmEmail", map[string]any{"token": mails["confirm_address"].Secret}, "__typename")
	must[struct{}](t, c, "resetPassword", map[string]any{"token": mails["reset_password"].Secret, "password": "another horse battery"}, "ended")
	if got := step(t, c, "signIn", map[string]any{"identifier": reader, "password": "another horse battery"}); got.Type != "SignedIn" {
		t.Errorf("the new password: %+v", got)
	}
	guest := newcomer("guest@example.org")
	guest["invitation"] = mails["invitation"].Secret
	step(t, s.Browser(), "register", guest)
}

// TestReq27SecretsAreTexts: an object, a list or a number where a secret is wanted is a type error.
func TestReq27SecretsAreTexts(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	p := newPerson(t, s, "typed")
	for _, evil := range []any{map[string]any{"$ne": nil}, map[string]any{"$gt": ""}, []any{"a"}, []any{map[string]any{"$ne": nil}}, 7, true} {
		for _, tc := range []struct {
			name, field string
			in          map[string]any
		}{
			{"verifyEmail", "token", map[string]any{}},
			{"verifyEmail", "flow", map[string]any{}},
			{"verifyEmail", "code", map[string]any{}},
			{"resetPassword", "token", map[string]any{"password": apptest.Password}},
			{"resetPassword", "password", map[string]any{"token": "x"}},
			{"signInWithMail", "token", map[string]any{}},
			{"confirmEmail", "token", map[string]any{}},
			{"signIn", "identifier", map[string]any{"password": "x"}},
			{"signIn", "password", map[string]any{"identifier": p.Email}},
			{"signIn", "device", map[string]any{"identifier": p.Email, "password": "x"}},
			{"completeSignIn", "flow", map[string]any{"proof": map[string]any{"totp": "123456"}}},
			{"register", "invitation", newcomer("x@example.org")},
			{"revokeAccessKey", "key", map[string]any{}},
		} {
			if n, isNumber := evil.(int); isNumber && tc.field == "key" && n > 0 {
				continue // an ID may be written as a number
			}
			tc.in[tc.field] = evil
			r := mutate(p.Client, tc.name, tc.in, "__typename")
			if r.Code() != "BAD_USER_INPUT" && r.Code() != "BAD_ID" {
				t.Errorf("%s with %s = %v: %q %v", tc.name, tc.field, evil, r.Code(), r.Data)
			}
		}
	}
	for _, query := range []string{"state[$ne]=x&code=y", "state=x&state=y", "state[]=x", "state=%7B%22$ne%22:null%7D"} {
		if status, body, _ := get(t, s.URL+"/auth/callback/mock?"+query); status == 500 || strings.Contains(body, "INTERNAL") {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}
