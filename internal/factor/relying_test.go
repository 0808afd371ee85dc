package factor

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// The challenges of the fuzz tests below, which need no database.
const fixedChallenge = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

func fixedOptions() []byte {
	b, _ := json.Marshal(map[string]any{
		"challenge": fixedChallenge, "rpId": home.ID,
		"rp": map[string]string{"id": home.ID, "name": "Book"}, "user": map[string]string{"id": "YWRh", "name": "ada"},
	})
	return b
}

// What comes from the network is refused by one code or is a passkey; nothing in between, and no panic.
func FuzzRegistration(f *testing.F) {
	rp, err := newRelyingParty(Config{Product: "Book", Origin: home.Origin})
	if err != nil {
		f.Fatal(err)
	}
	good := newDevice().create(f, fixedOptions())
	f.Add(good)
	a := parseAnswer(f, good)
	a.unattested(f, func(b []byte) []byte { return b })
	f.Add(a.bytes())
	a.unattested(f, func(b []byte) []byte { return withKey(f, b, func(k map[int]any) { k[3] = -8 }) })
	f.Add(a.bytes())
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}`))
	session := webauthn.SessionData{
		Challenge: fixedChallenge, RelyingPartyID: home.ID, UserID: []byte("ada"),
		UserVerification: protocol.VerificationRequired, CredParams: algorithms(),
	}
	if _, err := registered(rp, session, good); err != nil {
		f.Fatalf("the good one: %v", err)
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		key, err := registered(rp, session, answer)
		switch {
		case err != nil:
			if !errors.Is(err, ErrPasskey) {
				t.Errorf("error %v", err)
			}
		case len(key.Credential) == 0 || len(key.PublicKey) == 0 || len(key.PublicKey) > maxPublicKey:
			t.Errorf("passkey %+v", key)
		}
	})
}

// registered is what AddPasskey does before it stores.
func registered(rp *webauthn.WebAuthn, session webauthn.SessionData, answer []byte) (*passkey, error) {
	parsed, err := parseRegistration(answer)
	if err != nil {
		return nil, err
	}
	created, err := rp.CreateCredential(holder{id: "ada"}, session, parsed)
	if err != nil {
		return nil, ErrPasskey.Because(err)
	}
	return passkeyOf(created)
}

func FuzzAssertion(f *testing.F) {
	rp, err := newRelyingParty(Config{Product: "Book", Origin: home.Origin})
	if err != nil {
		f.Fatal(err)
	}
	d := newDevice()
	creation := webauthn.SessionData{
		Challenge: fixedChallenge, RelyingPartyID: home.ID, UserID: []byte("ada"),
		UserVerification: protocol.VerificationRequired, CredParams: algorithms(),
	}
	key, err := registered(rp, creation, d.create(f, fixedOptions()))
	if err != nil {
		f.Fatal(err)
	}
	owner := holder{id: "ada", keys: []webauthn.Credential{key.credential()}}
	session := webauthn.SessionData{Challenge: fixedChallenge, RelyingPartyID: home.ID, UserVerification: protocol.VerificationRequired}
	check := func(answer []byte) error {
		parsed, err := parseAssertion(answer)
		if err != nil {
			return err
		}
		_, _, err = rp.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return owner, nil }, session, parsed)
		if err != nil {
			return ErrPasskey.Because(err)
		}
		return nil
	}
	good := d.get(f, fixedOptions())
	if err := check(good); err != nil {
		f.Fatalf("the good one: %v", err)
	}
	f.Add(good)
	a := parseAnswer(f, good)
	a.set("authenticatorData", append(a.field(f, "authenticatorData"), 0xa0))
	f.Add(a.bytes())
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":""}}`))
	signed := a.field(f, "clientDataJSON")
	f.Fuzz(func(t *testing.T, answer []byte) {
		switch err := check(answer); {
		case err != nil:
			if !errors.Is(err, ErrPasskey) {
				t.Errorf("error %v", err)
			}
		default: // nobody but the device signs: only what it signed may pass
			if got := parseAnswer(t, answer).field(t, "clientDataJSON"); string(got) != string(signed) {
				t.Errorf("a forgery: %s", answer)
			}
		}
	})
}
