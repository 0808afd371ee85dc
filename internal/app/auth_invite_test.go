package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// TestInvitationOnly: where one needs an invitation, its link is the only way to an account: for its address, once, with
// the role it names.
func TestInvitationOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apptest.Setup{Args: []string{"--auth-registration=invitation", "--auth-terms-version=v2"}}, "mock")
	root := admin(t, w.Server)
	must[struct{}](t, root, "createRole", map[string]any{"key": "editor", "name": "Editor", "permissions": []string{"registry.document.update"}}, "role { id }")
	if r := mutate(root, "invite", map[string]any{"email": "guest@example.org", "role": "no-such-role"}, "invitation { id }"); r.Code() != "NOT_FOUND" {
		t.Errorf("an unknown role: %q", r.Code())
	}
	invited := must[struct{ Invitation struct{ ID string } }](t, root, "invite", map[string]any{"email": "Guest@example.org", "role": "editor"}, "invitation { id }")
	secret := w.Mail("guest@example.org", "invitation").Secret
	with := func(email, invitation, terms string) map[string]any {
		in := newcomer(email)
		if in["acceptTerms"] = terms; invitation != "" {
			in["invitation"] = invitation
		}
		return in
	}
	c := w.Browser()
	for name, tc := range map[string]struct {
		in   map[string]any
		code string
	}{
		"without":              {with("new@example.org", "", "v2"), "REGISTRATION_CLOSED"},
		"for another address":  {with("other@example.org", secret, "v2"), "INVITATION_INVALID"},
		"a guess":              {with("guest@example.org", "bbl_guess", "v2"), "INVITATION_INVALID"},
		"without the terms":    {newcomer("guest@example.org"), "TERMS_VERSION"},
		"with terms of before": {with("guest@example.org", secret, "v1"), "TERMS_VERSION"},
	} {
		if r := mutate(c, "register", tc.in, outcomes); r.Code() != tc.code {
			t.Errorf("%s: %q, want %s", name, r.Code(), tc.code)
		}
	}
	if r := mutate(c, "signInAnonymously", map[string]any{}, outcomes); r.Code() != "REGISTRATION_CLOSED" {
		t.Errorf("a guest: %q", r.Code())
	}
	if at := w.through(c, "mock", accountAt("sub-1", "new@example.org"), nil); at != "/sign-in#error=REGISTRATION_CLOSED" {
		t.Errorf("somebody new from a provider: %s", at)
	}
	asked := step(t, c, "register", with("guest@example.org", secret, "v2"))
	code := w.Mail("guest@example.org", "verify_email").Code
	if in := step(t, c, "verifyEmail", map[string]any{"flow": asked.Flow, "code": code}); in.Type != "SignedIn" {
		t.Fatalf("the invited one: %+v", in)
	}
	if me := at(t, c.Must(`{ me { permissions termsVersion } }`, nil), "me"); !strings.Contains(fmt.Sprint(me), "registry.document.update") || text(t, me, "termsVersion") != "v2" {
		t.Errorf("me = %v", me)
	}
	if r := mutate(w.Browser(), "register", with("guest@example.org", secret, "v2"), outcomes); r.Code() != "INVITATION_INVALID" {
		t.Errorf("the invitation a second time: %q", r.Code())
	}
	if r := mutate(root, "revokeInvitation", map[string]any{"invitation": invited.Invitation.ID}, "invitation { id }"); r.Code() != "NOT_FOUND" {
		t.Errorf("revoking what was used: %q", r.Code())
	}
	if r := mutate(c, "invite", map[string]any{"email": "friend@example.org"}, "invitation { id }"); r.Code() != "FORBIDDEN" {
		t.Errorf("who may not invite: %q", r.Code())
	}
}

// TestGuestBecomesPerson: a guest's id and documents stay when the guest registers.
func TestGuestBecomesPerson(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--auth-allowed-domains=example.org"}})
	defineNote(admin(t, s))
	c := s.Browser()
	guest := step(t, c, "signInAnonymously", map[string]any{})
	if guest.Type != "SignedIn" || guest.User.ID == "" {
		t.Fatalf("a guest: %+v", guest)
	}
	doc := text(t, c.Must(createDoc, note("of a guest")), "createDocument", "document", "id")
	for _, name := range []string{"beginTotp", "elevate"} { // req 32: nothing to recover the account by
		if r := c.Do("mutation { "+name+" { __typename } }", nil); r.Code() != "EMAIL_UNVERIFIED" {
			t.Errorf("%s of a guest: %q", name, r.Code())
		}
	}
	if r := mutate(c, "register", newcomer("nia@elsewhere.example"), outcomes); r.Code() != "REGISTRATION_CLOSED" {
		t.Errorf("an address of another domain: %q", r.Code())
	}
	asked := step(t, c, "register", newcomer("nia@example.org"))
	in := step(t, c, "verifyEmail", map[string]any{"flow": asked.Flow, "code": s.Mail("nia@example.org", "verify_email").Code})
	if in.User.ID != guest.User.ID || in.Session.ID == guest.Session.ID {
		t.Errorf("the person %+v was the guest %+v", in, guest)
	}
	owner := at(t, c.Must(`query($id: ID!) { node(id: $id) { ... on Document { owner { id kind } } } }`, map[string]any{"id": doc}), "node", "owner")
	if text(t, owner, "id") != guest.User.ID || text(t, owner, "kind") != "PERSON" {
		t.Errorf("the document is of %v", owner)
	}
	if n := storetest.Count(t, s.DB(), "users"); n != 2 {
		t.Errorf("%d users", n)
	}
}

// TestNewDeviceIsTold: a sign-in from a device that was never seen is told to the owner, one from a known device is not.
func TestNewDeviceIsTold(t *testing.T) {
	t.Parallel()
	clock := &shifted{}
	s := apptest.Start(t, apptest.Setup{Clock: clock.now})
	p := newPerson(t, s, "dev")
	clock.forward(2 * time.Hour)
	told := func() (n int) {
		for _, m := range s.Mails() {
			if m.Template == "notice_new_device" && m.To == p.Email {
				n++
			}
		}
		return n
	}
	step(t, p.Client, "signIn", credentials(p.Email))
	if told() != 0 {
		t.Error("the device that registered is told as a new one")
	}
	other := s.Browser()
	step(t, other, "signIn", credentials(p.Email))
	step(t, other, "signIn", credentials(p.Email))
	if told() != 1 {
		t.Errorf("%d mails for one new device", told())
	}
	program := s.Browser()
	in := map[string]any{"identifier": p.Email, "password": apptest.Password, "transport": "BEARER"}
	in["device"] = step(t, program, "signIn", in).Device
	step(t, program, "signIn", in)
	if told() != 2 {
		t.Errorf("%d mails for two new devices", told())
	}
}
