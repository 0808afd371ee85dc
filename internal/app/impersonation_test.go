package app_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// administrator is the first administrator, signed in a moment ago.
func administrator(s *apptest.Server) *apptest.Client {
	c, first := s.Browser(), s.SignIns()[0]
	c.Must(signInDoc, map[string]any{"in": map[string]any{"identifier": first.Email, "password": first.Password}})
	return c
}

func userID(c *apptest.Client) string {
	var who struct {
		Me struct{ User struct{ ID string } }
	}
	c.Read(&who, `{ me { user { id } } }`, nil)
	return who.Me.User.ID
}

const actAsDoc = `mutation($in: ImpersonateInput!) { impersonate(input: $in) { token user { id } session { id impersonated expiresAt } } }`

func actAs(user string, more map[string]any) map[string]any {
	in := map[string]any{"user": user, "reason": "a ticket says that a page is empty"}
	for k, v := range more {
		in[k] = v
	}
	return map[string]any{"in": in}
}

// TestReq71Impersonation: an administrator acts as a user, sees that they do, can do what the user can and nothing of what is the
// user's own, and is themself again afterwards; all of it stands in the log with both names, and the user sees it.
func TestReq71Impersonation(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	user, admin := s.Browser(), administrator(s)
	user.Register("Ulla")
	uid, aid := userID(user), userID(admin)
	defineNotes(admin)
	before := admin.Jar.Cookies(mustURL(t, s.URL))
	admin.Must(actAsDoc, actAs(uid, map[string]any{"readOnly": false}))
	var who struct {
		Me struct {
			User           struct{ ID string }
			ImpersonatedBy *struct {
				By       struct{ ID string }
				Reason   string
				ReadOnly bool
			}
			Permissions []string
		}
	}
	admin.Read(&who, `{ me { user { id } impersonatedBy { by { id } reason readOnly } permissions } }`, nil)
	if who.Me.User.ID != uid || who.Me.ImpersonatedBy == nil || who.Me.ImpersonatedBy.By.ID != aid || who.Me.ImpersonatedBy.ReadOnly {
		t.Fatalf("me = %+v", who.Me)
	}
	old := s.Browser()
	old.Jar.SetCookies(mustURL(t, s.URL), before)
	if old.Must(me, nil)["me"] != nil {
		t.Error("the administrator's own secret is good beside the impersonation")
	}
	note := map[string]any{"in": map[string]any{"type": "note", "data": map[string]any{"text": "written for her"}}}
	var made struct {
		CreateDocument struct{ Document struct{ ID string } }
	}
	admin.Read(&made, `mutation($in: CreateDocumentInput!) { createDocument(input: $in) { document { id } } }`, note)
	for what, code := range map[string]string{
		`mutation { beginTotp { secret } }`:                                                                   "IMPERSONATION_FORBIDDEN",
		`mutation { elevate { required { flow } } }`:                                                          "IMPERSONATION_FORBIDDEN",
		`mutation { endOtherSessions { ended } }`:                                                             "IMPERSONATION_FORBIDDEN",
		`mutation { updateMe(input: {name: "Eve"}) { user { name } } }`:                                       "IMPERSONATION_FORBIDDEN",
		`mutation { deleteMe(input: {email: "a@b.example"}) { deletedAfter } }`:                               "IMPERSONATION_FORBIDDEN",
		`mutation { createAccessKey(input: {name: "k", scopes: ["registry.document.read"]}) { key { id } } }`: "IMPERSONATION_FORBIDDEN",
		`query { myData }`: "IMPERSONATION_FORBIDDEN",
	} {
		if got := admin.Do(what, nil).Code(); got != code {
			t.Errorf("%s while impersonating: %q, want %s", what, got, code)
		}
	}
	if got := admin.Do(actAsDoc, actAs(aid, nil)).Code(); got != "IMPERSONATION_FORBIDDEN" && got != "OUT_OF_SCOPE" && got != "FORBIDDEN" {
		t.Errorf("nested: %q", got)
	}
	admin.Must(`mutation { stopImpersonating { user { id } session { current } } }`, nil)
	if userID(admin) != aid {
		t.Fatal("not oneself again")
	}
	var flash struct {
		TakeFlashMessages struct{ Messages []struct{ Code string } }
	}
	admin.Read(&flash, `mutation { takeFlashMessages { messages { code } } }`, nil)
	if len(flash.TakeFlashMessages.Messages) != 1 || flash.TakeFlashMessages.Messages[0].Code != "impersonation.ended" {
		t.Errorf("flash messages: %+v", flash)
	}
	var facts struct {
		MySecurityEvents struct {
			Nodes []struct {
				Kind string
				Own  bool
			}
		}
	}
	user.Read(&facts, `{ mySecurityEvents(first: 20) { nodes { kind own } } }`, nil)
	var kinds []string
	for _, f := range facts.MySecurityEvents.Nodes {
		kinds = append(kinds, f.Kind)
		if strings.Contains(f.Kind, "impersonation") && f.Own {
			t.Errorf("%s counts as the user's own doing", f.Kind)
		}
	}
	for _, want := range []string{"webauth.impersonation.started", "webauth.impersonation.ended"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("the user does not see %s among %v", want, kinds)
		}
	}
	wrote := loggedActor(t, s, "registry.document.created", made.CreateDocument.Document.ID)
	if "user:"+wrote.User != uid || "user:"+wrote.Impersonator != aid {
		t.Errorf("the log of the document says %+v", wrote)
	}
}

// TestReq71Refusals: whom nobody may impersonate, and what one may not while only looking.
func TestReq71Refusals(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	user, other, admin := s.Browser(), s.Browser(), administrator(s)
	user.Register("Ugo")
	peer := other.Register("Petra")
	uid := userID(user)
	defineNotes(admin)
	makeAdmin(t, admin, userID(other))
	if code := admin.Do(actAsDoc, actAs(userID(other), nil)).Code(); code != "IMPERSONATION_REFUSED" {
		t.Errorf("an equal (%s): %q", peer, code)
	}
	if code := user.Do(actAsDoc, actAs(userID(admin), nil)).Code(); code != "FORBIDDEN" {
		t.Errorf("a better one, by somebody without the permission: %q", code)
	}
	if code := admin.Do(actAsDoc, actAs(uid, map[string]any{"reason": "because"})).Code(); code != "BAD_USER_INPUT" {
		t.Errorf("without a reason: %q", code)
	}
	admin.Must(actAsDoc, actAs(uid, nil))
	admin.Must(`{ me { user { name } } documents(type: "note") { nodes { id } } mySessions { nodes { id impersonated } } }`, nil)
	for _, doc := range []string{
		`mutation { createDocument(input: {type: "note", data: {text: "x"}}) { document { id } } }`,
		`mutation { setSessionData(input: {key: "k", value: {a: 1}}) { datum { key } } }`,
	} {
		if code := admin.Do(doc, nil).Code(); code != "IMPERSONATION_FORBIDDEN" {
			t.Errorf("%s while only looking: %q", doc, code)
		}
	}
}

// TestReq72Loses: who loses the right to impersonate is out at once, on every node, with what they have open.
func TestReq72Loses(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	admin, user, second := administrator(a), a.Browser(), a.Browser()
	user.Register("Uta")
	second.Register("Sven")
	grant := makeAdmin(t, admin, userID(second))
	proveAgain(second)
	uid := userID(user)
	var got struct{ Impersonate struct{ Token string } }
	second.Read(&got, actAsDoc, actAs(uid, map[string]any{"transport": "BEARER"}))
	token := got.Impersonate.Token
	if !accepted(a, token) {
		t.Fatal("the impersonation is not accepted")
	}
	eventually(t, "node b takes it too", func() bool { return accepted(b, token) })
	ws := dialed(t, b, token)
	admin.Must(`mutation($in: RevokeGrantInput!) { revokeGrant(input: $in) { grant } }`, map[string]any{"in": map[string]any{"grant": grant}})
	if accepted(a, token) {
		t.Error("it goes on where the right was revoked")
	}
	eventually(t, "node b refuses it", func() bool { return !accepted(b, token) })
	if code, seen := drainSocket(ws); code != 4403 || !strings.Contains(seen, "SESSION_ENDED") {
		t.Errorf("its socket ended with %d after %s", code, seen)
	}
}

// defineNotes makes a content type to write something with.
func defineNotes(admin *apptest.Client) {
	admin.Must(`mutation($in: DefineContentTypeInput!) { defineContentType(input: $in) { contentType { id } } }`, map[string]any{"in": map[string]any{
		"key": "note", "name": "Note", "schema": map[string]any{"type": "object", "properties": map[string]any{"text": map[string]any{"type": "string"}}},
	}})
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// makeAdmin gives somebody the administrators' role, and gives the id of the grant.
func makeAdmin(t *testing.T, admin *apptest.Client, user string) (grant string) {
	t.Helper()
	var roles struct {
		Roles struct{ Nodes []struct{ ID, Key string } }
	}
	admin.Read(&roles, `{ roles(first: 50) { nodes { id key } } }`, nil)
	for _, r := range roles.Roles.Nodes {
		if r.Key == "admin" {
			var got struct {
				GrantRole struct{ Grant struct{ ID string } }
			}
			admin.Read(&got, `mutation($in: GrantRoleInput!) { grantRole(input: $in) { grant { id } } }`,
				map[string]any{"in": map[string]any{"role": r.ID, "member": user}})
			return got.GrantRole.Grant.ID
		}
	}
	t.Fatal("no role of administrators")
	return ""
}

// loggedActor is who did something, by the log.
func loggedActor(t *testing.T, s *apptest.Server, kind, id string) (by struct{ User, Impersonator string }) {
	t.Helper()
	_, bare, _ := strings.Cut(id, ":")
	var found struct {
		Actor struct {
			User         string `bson:"user"`
			Impersonator string `bson:"impersonator"`
		} `bson:"actor"`
	}
	err := s.DB().Collection("events").FindOne(t.Context(), bson.D{{Key: "kind", Value: kind}, {Key: "on.id", Value: bare}}).Decode(&found)
	if err != nil {
		t.Fatalf("%s on %s: %v", kind, id, err)
	}
	return struct{ User, Impersonator string }(found.Actor)
}

// proveAgain elevates the session of a client by its password.
func proveAgain(c *apptest.Client) {
	var asked struct {
		Elevate struct{ Required struct{ Flow string } }
	}
	c.Read(&asked, `mutation { elevate { required { flow } } }`, nil)
	c.Must(`mutation($in: CompleteElevationInput!) { completeElevation(input: $in) { session { id } } }`,
		map[string]any{"in": map[string]any{"flow": asked.Elevate.Required.Flow, "proof": map[string]any{"password": apptest.Password}}})
}
