package app_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// securityKey is an authenticator with one credential, in a browser at some site.
type securityKey struct {
	t    *testing.T
	site virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	cred virtualwebauthn.Credential
}

func newSecurityKey(t *testing.T, origin string) *securityKey {
	k := &securityKey{t: t, site: virtualwebauthn.RelyingParty{ID: "book.test", Name: "Book", Origin: origin}, auth: virtualwebauthn.NewAuthenticator()}
	for { // the virtual one drops leading zeros of a coordinate, which makes one of 128 keys malformed
		k.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		if _, err := webauthncose.ParsePublicKey(k.cred.Key.AttestationData()); err == nil {
			return k
		}
	}
}

// asked are the options a server gives a browser.
type asked struct {
	Flow    string
	Options map[string]any
}

// create answers the options for a new credential, and get those for one that is there.
func (k *securityKey) create(a asked) map[string]any {
	k.t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(k.text(a.Options))
	if err != nil {
		k.t.Fatal(err)
	}
	k.auth.Options.UserHandle = []byte(o.UserID)
	return k.object(virtualwebauthn.CreateAttestationResponse(k.site, k.auth, k.cred, *o))
}

func (k *securityKey) get(a asked) map[string]any {
	k.t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(k.text(a.Options))
	if err != nil {
		k.t.Fatal(err)
	}
	return k.object(virtualwebauthn.CreateAssertionResponse(k.site, k.auth, k.cred, *o))
}

func (k *securityKey) text(options map[string]any) string {
	b, err := json.Marshal(options)
	if err != nil {
		k.t.Fatal(err)
	}
	return string(b)
}

func (k *securityKey) object(text string) (o map[string]any) {
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		k.t.Fatal(err)
	}
	return o
}

// ask sends one of the mutations that ask for a passkey and take no input.
func (k *securityKey) ask(c *apptest.Client, name string) asked {
	k.t.Helper()
	var got map[string]asked
	c.Read(&got, "mutation { "+name+" { flow options } }", nil)
	return got[name]
}

// TestPasskey: a passkey is a second factor after the password, and by itself the whole way in.
func TestPasskey(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Public: site})
	p := newPerson(t, s, "pola")
	key := newSecurityKey(t, site)
	begun := key.ask(p.Client, "beginPasskey")
	added := must[struct{ RecoveryCodes []string }](t, p.Client, "addPasskey", map[string]any{"flow": begun.Flow, "credential": key.create(begun), "name": "Laptop"}, "recoveryCodes")
	if len(added.RecoveryCodes) != 10 {
		t.Errorf("%d recovery codes with the first factor", len(added.RecoveryCodes))
	}

	c := s.Browser()
	half := step(t, c, "signIn", credentials(p.Email))
	if half.Type != "FactorRequired" || !slices.Equal(half.Factors, []string{"PASSKEY", "RECOVERY_CODE"}) {
		t.Fatalf("the password leads to %+v", half)
	}
	wanted := must[asked](t, c, "challenge", map[string]any{"flow": half.Flow, "factor": "PASSKEY"}, "options")
	in := step(t, c, "completeSignIn", map[string]any{"flow": half.Flow, "proof": map[string]any{"passkey": key.get(wanted)}})
	if in.Type != "SignedIn" || !slices.Equal(in.Session.Methods, []string{"pwd", "hwk"}) {
		t.Errorf("the passkey leads to %+v", in)
	}

	alone := s.Browser()
	wanted = key.ask(alone, "beginPasskeySignIn")
	answer := key.get(wanted)
	in = step(t, alone, "signInWithPasskey", map[string]any{"flow": wanted.Flow, "credential": answer})
	if in.Type != "SignedIn" || in.User.ID != p.ID || !slices.Equal(in.Session.Methods, []string{"hwk"}) || isNobody(alone) {
		t.Errorf("the passkey alone leads to %+v", in)
	}
	if r := mutate(s.Browser(), "signInWithPasskey", map[string]any{"flow": wanted.Flow, "credential": answer}, outcomes); r.Code() == "" {
		t.Errorf("the same answer twice: %v", r.Data)
	}
}

// TestReq42PasskeyOfElsewhere: an answer for another site, of an unknown key or for another challenge lets nobody in.
func TestReq42PasskeyOfElsewhere(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Public: site})
	p := newPerson(t, s, "piet")
	key := newSecurityKey(t, site)
	begun := key.ask(p.Client, "beginPasskey")
	must[struct{}](t, p.Client, "addPasskey", map[string]any{"flow": begun.Flow, "credential": key.create(begun)}, "factor { id }")
	c := s.Browser()
	phished, subdomain, otherRP := *key, *key, *key
	phished.site.Origin, subdomain.site.Origin, otherRP.site.ID = "http://evil.example", "http://x.book.test", "evil.example"
	stranger := newSecurityKey(t, site)
	stranger.auth.Options.UserHandle = key.auth.Options.UserHandle
	foreign := *key
	foreign.auth.Options.UserHandle = []byte("somebody-else")
	unverified := *key
	unverified.auth.Options.UserNotVerified = true
	for name, k := range map[string]*securityKey{
		"another site": &phished, "a sub-domain": &subdomain, "another RP": &otherRP, "a key nobody has": stranger, "the handle of somebody else": &foreign,
		"nobody who was verified": &unverified,
	} {
		wanted := key.ask(c, "beginPasskeySignIn")
		r := mutate(c, "signInWithPasskey", map[string]any{"flow": wanted.Flow, "credential": k.get(wanted)}, outcomes)
		if r.Code() != "PASSKEY_INVALID" || !isNobody(c) {
			t.Errorf("%s: %q %v", name, r.Code(), r.Data)
		}
		if r := mutate(c, "signInWithPasskey", map[string]any{"flow": wanted.Flow, "credential": key.get(wanted)}, outcomes); r.Code() == "" || !isNobody(c) {
			t.Errorf("after %s the challenge is still good: %v", name, r.Data)
		}
	}
	one, two := key.ask(c, "beginPasskeySignIn"), key.ask(c, "beginPasskeySignIn")
	if r := mutate(c, "signInWithPasskey", map[string]any{"flow": one.Flow, "credential": key.get(two)}, outcomes); r.Code() != "PASSKEY_INVALID" {
		t.Errorf("the answer to another challenge: %q", r.Code())
	}
}
