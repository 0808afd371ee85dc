package app_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// vault is every secret a test has come across, by what it is.
type vault map[string]string

func (v vault) add(what, secret string) {
	if secret != "" {
		v[what] = secret
	}
}

// found lists what of it is in a text. Codes of six digits count as words alone: in a time of the day they are no secret.
func (v vault) found(text string) (all []string) {
	for what, secret := range v {
		hit := strings.Contains(text, secret)
		if len(secret) == 6 {
			hit = regexp.MustCompile(`(^|[^0-9.])` + secret + `($|[^0-9])`).MatchString(text)
		}
		if hit {
			all = append(all, what)
		}
	}
	return all
}

// TestReq111WholeFlowLeavesNoSecret goes every way in and through every change of a credential, with the log at debug
// level, and looks for everything secret that came up on the way: in the log, and in the events.
func TestReq111WholeFlowLeavesNoSecret(t *testing.T) {
	t.Parallel()
	log, spans := &buffer{}, newCollector(t)
	w := newWorld(t, apptest.Setup{Log: log, Args: []string{"--telemetry-endpoint=" + spans.URL}}, "mock")
	v := vault{"client secret": w.providers["mock"].ClientSecret, "first password": w.SignIns()[0].Password}
	v.add("password", "Zq7 a phrase for this test")
	v.add("next password", "Zq7 another phrase for it")
	v.add("reset password", "Zq7 the third of the phrases")

	p := w.signUp(v)
	app := w.change(v, p)
	w.comeBack(v, p, app)
	w.strangers(v, p)

	for _, m := range w.Mails() {
		v.add("code of "+m.Template+" to "+m.To, m.Code)
		v.add("link of "+m.Template+" to "+m.To, m.Secret)
	}
	if len(v) < 30 {
		t.Fatalf("only %d secrets came up", len(v))
	}
	events := stored(t, w.Server, "events")
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{"graphql_operation", "webauth.signin.failed", "session.key.created", "factor.factor.added"} {
		if !strings.Contains(log.String()+events, trace) {
			t.Errorf("log and events are not what the test takes them for: no %s", trace)
		}
	}
	for line := range strings.Lines(log.String()) {
		for _, what := range v.found(line) {
			t.Errorf("the log holds the %s: %s", what, line)
		}
		if !json.Valid([]byte(line)) {
			t.Errorf("somebody has written a line of the log: %s", line)
		}
	}
	for line := range strings.Lines(events) {
		for _, what := range v.found(line) {
			t.Errorf("an event holds the %s: %s", what, line)
		}
	}
	if kept := stored(t, w.Server, "users", "sessions", "devices", "factors", "recovery_codes", "tickets", "outbox", "throttles", "identities"); kept != "" {
		for _, what := range v.found(kept) {
			t.Errorf("the database holds the %s", what)
		}
	}
	w.Cleanup() // sends the last spans
	for _, span := range spans.spans() {
		for _, what := range v.found(span.String()) {
			t.Errorf("a span holds the %s: %s", what, span)
		}
	}
	if len(spans.spans()) < 100 {
		t.Errorf("only %d spans came", len(spans.spans()))
	}
}

// signUp registers somebody and signs in with the password.
func (w world) signUp(v vault) person {
	c := w.Browser()
	asked := step(w.t, c, "register", map[string]any{"email": "sol@example.org", "password": v["password"], "name": "Sol"})
	v.add("flow of the registration", asked.Flow)
	code := w.Mail("sol@example.org", "verify_email").Code
	step(w.t, c, "verifyEmail", map[string]any{"flow": asked.Flow, "code": code})
	for i, value := range cookiesOf(w.t, c) {
		v.add(fmt.Sprint("cookie ", i), value)
	}
	other := w.Browser()
	in := step(w.t, other, "signIn", map[string]any{"identifier": "sol@example.org", "password": v["password"], "transport": "BEARER"})
	v.add("token", in.Token)
	v.add("device", in.Device)
	other.Token = in.Token
	return person{Client: c, Email: "sol@example.org", ID: w.myID(other)}
}

// change goes through the changes of an account.
func (w world) change(v vault, p person) *authenticator {
	var begun struct {
		BeginTotp struct{ Factor, Secret, URI, QRText string }
	}
	p.Read(&begun, `mutation { beginTotp { factor secret uri qrText } }`, nil)
	v.add("seed", begun.BeginTotp.Secret)
	v.add("uri", begun.BeginTotp.URI)
	app := &authenticator{t: w.t, now: machineTime, seed: begun.BeginTotp.Secret}
	code := app.code()
	v.add("code of the app, at first", code)
	done := must[struct{ RecoveryCodes []string }](w.t, p.Client, "confirmTotp", map[string]any{"factor": begun.BeginTotp.Factor, "code": code}, "recoveryCodes")
	for i, code := range done.RecoveryCodes {
		v.add(fmt.Sprint("recovery code ", i), code)
		v.add(fmt.Sprint("recovery code, bare ", i), strings.ReplaceAll(code, "-", ""))
	}
	must[struct{}](w.t, p.Client, "addEmail", map[string]any{"email": "sol2@example.org", "primary": true}, "flow")
	must[struct{}](w.t, p.Client, "confirmEmail", map[string]any{"token": w.Mail("sol2@example.org", "confirm_address").Secret}, "__typename")
	must[struct{}](w.t, p.Client, "changePassword", map[string]any{"current": v["password"], "password": v["next password"]}, "ended")
	program, id := accessKey(w.t, w.Server, p, "registry.document.read")
	v.add("access key", program.Token)
	program.Do(`{ documents(type: "note") { nodes { id } } }`, nil)
	socketWith(w.t, w.Server, program.Token)
	must[struct{}](w.t, p.Client, "revokeAccessKey", map[string]any{"key": id}, "__typename")
	program.Do(`{ __typename }`, nil)
	w.through(p.Client, "mock", accountAt("sub-1", "sol@elsewhere.example"), map[string]any{"link": true})
	var elevate struct{ Elevate struct{ Required outcome } }
	p.Read(&elevate, `mutation { elevate { required { flow } } }`, nil)
	v.add("flow of the elevation", elevate.Elevate.Required.Flow)
	must[struct{}](w.t, p.Client, "completeElevation", map[string]any{"flow": elevate.Elevate.Required.Flow, "proof": map[string]any{"recoveryCode": done.RecoveryCodes[0]}}, "__typename")
	return app
}

// comeBack goes the other ways in: by mail, by a provider, and after a reset.
func (w world) comeBack(v vault, p person, app *authenticator) {
	c := w.Browser()
	sent := must[struct{ Flow string }](w.t, c, "requestSignInMail", map[string]any{"email": p.Email}, "flow")
	v.add("flow of the mail", sent.Flow)
	half := step(w.t, c, "signInWithMail", map[string]any{"flow": sent.Flow, "code": w.Mail(p.Email, "sign_in").Code})
	v.add("flow of the sign-in", half.Flow)
	code := app.code()
	v.add("code of the app, later", code)
	step(w.t, c, "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"totp": code}})

	d := w.Browser()
	address := w.back(d, "mock", accountAt("sub-1", "sol@elsewhere.example"))
	u, err := url.Parse(address)
	if err != nil {
		w.t.Fatal(err)
	}
	v.add("state", u.Query().Get("state"))
	v.add("code of the provider", u.Query().Get("code"))
	for i, value := range cookiesOf(w.t, d) {
		v.add(fmt.Sprint("cookie of the provider ", i), value)
	}
	_, fragment, _ := strings.Cut(w.arrive(d, address), "#")
	told, _ := url.ParseQuery(fragment)
	v.add("flow after the provider", told.Get("flow"))

	asked := must[struct{ Flow string }](w.t, c, "requestPasswordReset", map[string]any{"email": p.Email}, "flow")
	v.add("flow of the reset", asked.Flow)
	must[struct{}](w.t, c, "resetPassword", map[string]any{"token": w.Mail(p.Email, "reset_password").Secret, "password": v["reset password"]}, "ended")
	half = step(w.t, c, "signIn", map[string]any{"identifier": p.Email, "password": v["reset password"]})
	v.add("flow after the reset", half.Flow)
}

// strangers ask for what they do not get.
func (w world) strangers(v vault, p person) {
	c := w.Browser()
	v.add("wrong password", "Zq7 a guess at the phrase")
	mutate(c, "signIn", map[string]any{"identifier": "sol@example.org", "password": v["wrong password"]}, outcomes)
	mutate(c, "signIn", map[string]any{"identifier": "unknown@example.org", "password": v["wrong password"]}, outcomes)
	for _, what := range []string{"token", "access key", "flow of the sign-in", "state"} { // dead ones
		c.Token = v[what]
		c.Do(`{ __typename }`, nil)
		initWith(w.t, w.Server, c.Token)
	}
	c.Token = ""
	sent := must[struct{ Flow string }](w.t, c, "requestPasswordReset", map[string]any{"email": "unknown@example.org"}, "flow")
	v.add("flow for nobody", sent.Flow)
	root := admin(w.t, w.Server)
	v.add("token of the administrator", root.Token)
	must[struct{}](w.t, root, "invite", map[string]any{"email": "guest@example.org"}, "invitation { id }")
	must[struct{}](w.t, root, "startPasswordReset", map[string]any{"user": p.ID}, "user { id }")
}
