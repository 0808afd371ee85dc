package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// TestReq67SessionsAreNotData: no id of a session, a device, a key or a factor of somebody leads anywhere for others, and no
// document can point at one, not even its owner's.
func TestReq67SessionsAreNotData(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	owner, eve, admin := s.Browser(), s.Browser(), administrator(s)
	owner.Register("Olga")
	eve.Register("Eve")
	defineLinks(admin)
	var own struct {
		MySessions struct{ Nodes []struct{ ID string } }
		MyDevices  []struct{ ID string }
	}
	owner.Read(&own, `{ mySessions { nodes { id } } myDevices { id } }`, nil)
	for _, id := range []string{own.MySessions.Nodes[0].ID, own.MyDevices[0].ID} {
		if owner.Must(`query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": id})["node"] == nil {
			t.Errorf("%s is nothing to its owner", id)
		}
		kind, _, _ := strings.Cut(id, ":")
		absent := kind + ":0197a0c0-0000-7000-8000-000000000001"
		for who, c := range map[string]*apptest.Client{"a stranger": eve, "an administrator": admin, "nobody": s.Browser()} {
			theirs, missing := c.Do(`query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": id}), c.Do(`query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": absent})
			if theirs.Data["node"] != nil || theirs.Code() != missing.Code() {
				t.Errorf("%s to %s: %+v, a missing one %+v", id, who, theirs, missing)
			}
		}
		link := map[string]any{"in": map[string]any{"type": "link", "data": map[string]any{"to": id}}}
		for who, c := range map[string]*apptest.Client{"its owner": owner, "a stranger": eve} {
			if kind == "device" && c == owner { // a device has no secret, and its owner may write about it
				continue
			}
			if code := c.Do(`mutation($in: CreateDocumentInput!) { createDocument(input: $in) { document { id } } }`, link).Code(); code == "" {
				t.Errorf("a document of %s points at %s", who, id)
			}
		}
	}
}

func defineLinks(admin *apptest.Client) {
	admin.Must(`mutation($in: DefineContentTypeInput!) { defineContentType(input: $in) { contentType { id } } }`, map[string]any{"in": map[string]any{
		"key": "link", "name": "Link", "schema": map[string]any{"type": "object", "properties": map[string]any{
			"to": map[string]any{"type": "string", "reference": map[string]any{"to": []any{"*"}, "onDelete": "KEEP"}},
		}},
	}})
}

// TestReq69SignOut: the session is dead everywhere, the cookie is cleared with what the pages have stored, and once more is no error.
func TestReq69SignOut(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	c := a.Browser()
	c.Register("Sara")
	before := c.Jar.Cookies(mustURL(t, a.URL))
	elsewhere := b.Browser()
	elsewhere.Jar.SetCookies(mustURL(t, b.URL), before)
	if elsewhere.Must(me, nil)["me"] == nil {
		t.Fatal("not signed in on the other node")
	}
	for i := range 2 {
		r := c.Do(`mutation { signOut { ended } }`, nil)
		out, _ := r.Data["signOut"].(map[string]any)
		if r.Status != http.StatusOK || out["ended"] != (i == 0) {
			t.Errorf("signOut %d: %+v", i, r)
		}
		if cookie := r.Header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "session=;") || r.Header.Get("Clear-Site-Data") != `"storage"` {
			t.Errorf("signOut %d: Set-Cookie %q, Clear-Site-Data %q", i, cookie, r.Header.Get("Clear-Site-Data"))
		}
	}
	c.Jar.SetCookies(mustURL(t, a.URL), before)
	if c.Must(me, nil)["me"] != nil {
		t.Error("the old cookie is good where one signed out")
	}
	eventually(t, "the old cookie is refused on the other node", func() bool {
		return elsewhere.Do(me, nil).Data["me"] == nil // the session may end while it is answered
	})
}
