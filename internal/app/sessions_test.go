package app_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

const signInDoc = `mutation($in: SignInInput!) { signIn(input: $in) { result { __typename ... on FactorRequired { flow } } } }`

type listed struct {
	ID, IP, Client string
	Label          *string
	Current        bool
	Methods        []string
}

func mySessions(c *apptest.Client) []listed {
	var got struct{ MySessions struct{ Nodes []listed } }
	c.Read(&got, `{ mySessions { nodes { id ip client label current methods } } }`, nil)
	return got.MySessions.Nodes
}

func enter(c *apptest.Client, identifier string) {
	c.Must(signInDoc, map[string]any{"in": map[string]any{"identifier": identifier, "password": apptest.Password}})
}

// TestReq63ListOfSessions: one sees where one is signed in, names and ends each; nobody else's exist, but for
// administrators.
func TestReq63ListOfSessions(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	home, phone, eve := s.Browser(), s.Browser(), s.Browser()
	email := home.Register("Hera")
	eve.Register("Eve")
	enter(phone, email)
	all := mySessions(home)
	if len(all) != 2 || all[0].Current || !all[1].Current || !slices.Equal(all[0].Methods, []string{"pwd"}) || all[0].IP != "127.0.0.1" {
		t.Fatalf("mySessions = %+v", all)
	}
	const rename = `mutation($in: RenameSessionInput!) { renameSession(input: $in) { session { label } } }`
	end := func(c *apptest.Client, id string) string {
		return c.Do(`mutation($in: EndSessionInput!) { endSession(input: $in) { session } }`, map[string]any{"in": map[string]any{"session": id}}).Code()
	}
	home.Must(rename, map[string]any{"in": map[string]any{"session": all[1].ID, "label": "At home"}})
	if again := mySessions(phone); again[1].Label == nil || *again[1].Label != "At home" {
		t.Errorf("the other device sees %+v", again)
	}
	if code := end(eve, all[0].ID); code != "NOT_FOUND" {
		t.Errorf("a stranger ends it: %q", code)
	}
	if code := end(home, all[0].ID); code != "" {
		t.Errorf("endSession: %s", code)
	}
	if phone.Must(me, nil)["me"] != nil || len(mySessions(home)) != 1 {
		t.Error("the phone is still signed in")
	}

	enter(phone, email)
	var others struct{ EndOtherSessions struct{ Ended int } }
	home.Read(&others, `mutation { endOtherSessions { ended } }`, nil)
	if others.EndOtherSessions.Ended != 1 || phone.Must(me, nil)["me"] != nil || home.Must(me, nil)["me"] == nil {
		t.Errorf("endOtherSessions ended %d", others.EndOtherSessions.Ended)
	}
}

// TestSessionsOfOthers: an administrator sees and ends them, and the owner reads in the log that it was not they.
func TestSessionsOfOthers(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	user, admin := s.Browser(), s.Browser()
	user.Register("Uma")
	first := s.SignIns()[0]
	admin.Must(signInDoc, map[string]any{"in": map[string]any{"identifier": first.Email, "password": first.Password}})
	var who struct {
		Me struct{ User struct{ ID string } }
	}
	user.Read(&who, `{ me { user { id } } }`, nil)
	const of = `query($u: ID!) { userSessions(user: $u) { nodes { id } } }`
	vars := map[string]any{"u": who.Me.User.ID}
	if r := user.Do(of, vars); r.Code() != "FORBIDDEN" {
		t.Errorf("userSessions for everybody: %v", r)
	}
	var got struct {
		UserSessions struct{ Nodes []struct{ ID string } }
	}
	admin.Read(&got, of, vars)
	if len(got.UserSessions.Nodes) != 1 {
		t.Fatalf("userSessions = %+v", got)
	}
	admin.Must(`mutation($in: EndSessionInput!) { endSession(input: $in) { session } }`, map[string]any{"in": map[string]any{"session": got.UserSessions.Nodes[0].ID}})
	if user.Must(me, nil)["me"] != nil {
		t.Error("the user is still signed in")
	}
	var email struct{ Node struct{ Email string } }
	admin.Read(&email, `query($u: ID!) { node(id: $u) { ... on User { email } } }`, vars)
	enter(user, email.Node.Email)
	var facts struct {
		MySecurityEvents struct {
			Nodes []struct {
				Kind string
				Own  bool
				IP   *string
			}
		}
	}
	user.Read(&facts, `{ mySecurityEvents(first: 50) { nodes { kind own ip } } }`, nil)
	seen := map[string]bool{}
	for _, e := range facts.MySecurityEvents.Nodes {
		seen[e.Kind] = true
		if e.Kind == "webauth.session.ended" && (e.Own || e.IP != nil) {
			t.Errorf("what an administrator did reads %+v", e)
		}
		if e.Kind == "session.session.started" && (!e.Own || e.IP == nil) {
			t.Errorf("what the owner did reads %+v", e)
		}
	}
	if !seen["webauth.session.ended"] || !seen["session.session.started"] || !seen["account.user.created"] {
		t.Errorf("mySecurityEvents has %v", seen)
	}
}

// TestTrustedDevice: a device that was trusted with the second factor is asked for it no more, until it is forgotten; it is
// of no use to another browser, and not for what is sensitive.
func TestTrustedDevice(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	b := s.Browser()
	email := b.Register("Tess")
	var begun struct {
		BeginTotp struct{ Factor, Secret string }
	}
	b.Read(&begun, `mutation { beginTotp { factor secret } }`, nil)
	at := time.Now()
	code := func() string { // each counts once, so the next one is that of a later step
		c, err := totp.GenerateCode(begun.BeginTotp.Secret, at)
		if err != nil {
			t.Fatal(err)
		}
		at = at.Add(30 * time.Second)
		return c
	}
	b.Must(`mutation($in: ConfirmTotpInput!) { confirmTotp(input: $in) { factor { id } } }`, map[string]any{"in": map[string]any{"factor": begun.BeginTotp.Factor, "code": code()}})
	signIn := func(c *apptest.Client) (kind, flow string) {
		var got struct {
			SignIn struct {
				Result struct {
					Typename string `json:"__typename"`
					Flow     string
				}
			}
		}
		c.Read(&got, signInDoc, map[string]any{"in": map[string]any{"identifier": email, "password": apptest.Password}})
		return got.SignIn.Result.Typename, got.SignIn.Result.Flow
	}
	kind, flow := signIn(b)
	if kind != "FactorRequired" {
		t.Fatalf("signIn leads to %s", kind)
	}
	b.Must(`mutation($in: CompleteSignInInput!) { completeSignIn(input: $in) { result { __typename } } }`, map[string]any{
		"in": map[string]any{"flow": flow, "proof": map[string]any{"totp": code()}, "trustDevice": true},
	})
	b.Must(`mutation { signOut { ended } }`, nil)
	if kind, _ := signIn(b); kind != "SignedIn" {
		t.Errorf("the trusted device: %s", kind)
	}
	if kind, _ := signIn(s.Browser()); kind != "FactorRequired" {
		t.Errorf("another browser: %s", kind)
	}
	var wants struct {
		Elevate struct{ Required struct{ Factors []string } }
	}
	b.Read(&wants, `mutation { elevate { required { factors } } }`, nil)
	if !slices.Contains(wants.Elevate.Required.Factors, "TOTP") || slices.Contains(wants.Elevate.Required.Factors, "PASSWORD") {
		t.Errorf("to elevate it takes %v", wants.Elevate.Required.Factors)
	}
	var devices struct {
		MyDevices []struct {
			ID           string
			TrustedUntil *string
		}
	}
	b.Read(&devices, `{ myDevices { id trustedUntil } }`, nil)
	if len(devices.MyDevices) != 1 || devices.MyDevices[0].TrustedUntil == nil {
		t.Fatalf("myDevices = %+v", devices)
	}
	b.Must(`mutation($in: ForgetDeviceInput!) { forgetDevice(input: $in) { device } }`, map[string]any{"in": map[string]any{"device": devices.MyDevices[0].ID}})
	if kind, _ := signIn(b); kind != "FactorRequired" {
		t.Errorf("the forgotten device: %s", kind)
	}
}
