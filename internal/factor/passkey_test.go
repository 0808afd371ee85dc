package factor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// creation is what a page reads of the options of BeginPasskey.
type creation struct {
	RP        struct{ ID, Name string }
	User      struct{ ID, Name, DisplayName string }
	Challenge string
	Timeout   int
	Params    []struct {
		Type string
		Alg  int
	} `json:"pubKeyCredParams"`
	Exclude   []struct{ ID string } `json:"excludeCredentials"`
	Selection struct {
		ResidentKey, UserVerification string
		RequireResidentKey            bool
	} `json:"authenticatorSelection"`
	Attestation string
}

func parseCreation(t testing.TB, options []byte) (c creation) {
	t.Helper()
	if err := json.Unmarshal(options, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBeginPasskeyOptions(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	d := newDevice()
	r.register(t, ada, d)
	r.register(t, bob, newDevice())
	_, options := r.beginPasskey(t, ada)
	c := parseCreation(t, options)
	handle, _ := base64.RawURLEncoding.DecodeString(c.User.ID)
	if c.RP.ID != home.ID || c.RP.Name != "Book" || string(handle) != ada || c.User.Name != "ada@example.org" || c.User.DisplayName != "Ada Lovelace" {
		t.Errorf("who: %+v %+v", c.RP, c.User)
	}
	s := c.Selection
	if s.ResidentKey != "required" || !s.RequireResidentKey || s.UserVerification != "required" || c.Attestation != "none" || c.Timeout != 300_000 {
		t.Errorf("how: %+v, attestation %q, timeout %d", s, c.Attestation, c.Timeout)
	}
	algs := make([]int, 0, 3)
	for _, p := range c.Params {
		algs = append(algs, p.Alg)
	}
	if !slices.Equal(algs, []int{-8, -7, -257}) {
		t.Errorf("algorithms %v", algs)
	}
	if len(c.Exclude) != 1 || c.Exclude[0].ID != base64.RawURLEncoding.EncodeToString(d.cred.ID) {
		t.Errorf("excluded: %v, want the one of this user", c.Exclude)
	}
}

func TestAddPasskey(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	for _, kind := range []virtualwebauthn.KeyType{virtualwebauthn.KeyTypeEC2, virtualwebauthn.KeyTypeRSA} {
		d := newDevice()
		d.cred = newCredential()
		if kind == virtualwebauthn.KeyTypeRSA {
			d.cred = virtualwebauthn.NewCredential(kind)
		}
		flow, options := r.beginPasskey(t, ada)
		f, err := r.AddPasskey(t.Context(), ada, flow, d.create(t, options), " Laptop ")
		want := Factor{ID: f.ID, User: ada, Kind: Passkey, Name: "Laptop", CreatedAt: t0}
		if err != nil || f != want || f.ID == "" {
			t.Fatalf("%s: %+v, %v", kind, f, err)
		}
		if all := r.of(t, ada); !slices.Contains(all, f) {
			t.Errorf("Of() = %v", all)
		}
	}
	if n := len(r.told(t, kindAdded)); n != 2 {
		t.Errorf("%d events", n)
	}
}

func TestAddPasskeyEvent(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	f := r.register(t, ada, newDevice())
	r.tells(t, kindAdded, f.Ref(), fmt.Sprintf(`{"user": %q,"kind": "passkey","name": "Key"}`, ada))
}

func TestReq41RegistrationChallenge(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	seen := map[string]bool{}
	for range 5 {
		_, options := r.beginPasskey(t, ada)
		b, err := base64.RawURLEncoding.DecodeString(parseCreation(t, options).Challenge)
		if err != nil || len(b) < 16 || seen[string(b)] {
			t.Fatalf("challenge of %d bytes, seen before: %v, %v", len(b), seen[string(b)], err)
		}
		seen[string(b)] = true
	}
	add := func(user, flow string, answer []byte) error {
		_, err := r.AddPasskey(t.Context(), user, flow, answer, "")
		return err
	}
	d := newDevice()
	flow, options := r.beginPasskey(t, ada)
	other, _ := r.beginPasskey(t, ada)
	check, _ := r.beginAssertion(t, "")
	answer := d.create(t, options)
	for what, err := range map[string]error{
		"by another user":      add(bob, flow, answer),
		"by nobody":            add("", flow, answer),
		"of another challenge": add(ada, other, answer),
		"of an assertion":      add(ada, check, answer),
		"of no flow":           add(ada, "", answer),
		"of a made-up flow":    add(ada, "bbf_0123", answer),
	} {
		if !errors.Is(err, ErrPasskey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if won := race(t, 20, ErrPasskey, func(int) error { return add(ada, flow, answer) }); won != 1 {
		t.Errorf("%d of 20 with one challenge", won)
	}
	if err := add(ada, flow, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("replayed: %v", err)
	}
	flow, options = r.beginPasskey(t, ada)
	answer = newDevice().create(t, options)
	r.clock.Advance(challengeLife)
	if err := add(ada, flow, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("after five minutes: %v", err)
	}
	if all := r.of(t, ada); len(all) != 1 {
		t.Errorf("%d passkeys", len(all))
	}
}

// changed are the ways an answer to a registration can be wrong.
var registrations = map[string]func(t *testing.T, r rig, d *device, options []byte) []byte{
	"wrong origin": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.rp.Origin = "https://book.example.org.evil.example"
		return d.create(t, options)
	},
	"plain http": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.rp.Origin = "http://book.example.org"
		return d.create(t, options)
	},
	"another port": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.rp.Origin = "https://book.example.org:8443"
		return d.create(t, options)
	},
	"in a foreign frame": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.create(t, options))
		a.unattested(t, func(b []byte) []byte { return b })
		a.client(t, func(c map[string]any) { c["crossOrigin"] = true })
		return a.bytes()
	},
	"wrong RP id": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.rp.ID = "example.org"
		return d.create(t, options)
	},
	"no user verification": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.UserNotVerified = true
		return d.create(t, options)
	},
	"no user presence": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.UserNotPresent = true
		return d.create(t, options)
	},
	"backed up but not eligible": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.BackupState = true
		return d.create(t, options)
	},
	"an algorithm nobody asked for": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.create(t, options))
		a.unattested(t, func(b []byte) []byte { return withKey(t, b, func(k map[int]any) { k[3] = -47 }) }) // ES256K
		return a.bytes()
	},
	"SHA-1": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA)
		a := parseAnswer(t, d.create(t, options))
		a.unattested(t, func(b []byte) []byte { return withKey(t, b, func(k map[int]any) { k[3] = -65535 }) })
		return a.bytes()
	},
	"a point not on the curve": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.create(t, options))
		a.unattested(t, func(b []byte) []byte { return withKey(t, b, func(k map[int]any) { k[-2] = make([]byte, 32) }) })
		return a.bytes()
	},
	"a key type that does not fit": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.create(t, options))
		a.unattested(t, func(b []byte) []byte { return withKey(t, b, func(k map[int]any) { k[1] = 3 }) })
		return a.bytes()
	},
	"an enormous RSA key": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA)
		a := parseAnswer(t, d.create(t, options))
		a.unattested(t, func(b []byte) []byte {
			return withKey(t, b, func(k map[int]any) {
				n := make([]byte, 2048)
				n[0], n[2047] = 0x80, 1
				k[-1] = n
			})
		})
		return a.bytes()
	},
	"a forged attestation": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.create(t, options))
		a.client(t, func(c map[string]any) { c["more"] = "x" })
		return a.bytes()
	},
	"an assertion": func(t *testing.T, r rig, d *device, _ []byte) []byte {
		r.register(t, bob, d)
		_, options := r.beginAssertion(t, "")
		return d.get(t, options)
	},
	"the type of an assertion": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.create(t, options))
		a.unattested(t, func(b []byte) []byte { return b })
		a.client(t, func(c map[string]any) { c["type"] = "webauthn.get" })
		return a.bytes()
	},
	"another id outside than inside": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.create(t, options))
		a["id"], a["rawId"] = "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA"
		return a.bytes()
	},
	"too much": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.create(t, options))
		a["more"] = make([]byte, maxAnswer)
		return a.bytes()
	},
	"nothing":   func(*testing.T, rig, *device, []byte) []byte { return nil },
	"no object": func(*testing.T, rig, *device, []byte) []byte { return []byte(`[1]`) },
	"two values": func(t *testing.T, _ rig, d *device, options []byte) []byte {
		return append(d.create(t, options), '{', '}')
	},
}

func TestReq42And43RegistrationRefuses(t *testing.T) {
	t.Parallel()
	for what, change := range registrations {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r, d := setUp(t), newDevice()
			flow, options := r.beginPasskey(t, ada)
			_, err := r.AddPasskey(t.Context(), ada, flow, change(t, r, d, options), "")
			if !errors.Is(err, ErrPasskey) || len(r.of(t, ada)) != 0 {
				t.Errorf("AddPasskey() = %v, %v", err, r.of(t, ada))
			}
		})
	}
}

// What the refused answers above were made of is good if it is not changed.
func TestUnattestedRegistration(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	flow, options := r.beginPasskey(t, ada)
	a := parseAnswer(t, d.create(t, options))
	a.unattested(t, func(b []byte) []byte { return withKey(t, b, func(map[int]any) {}) })
	a.client(t, func(c map[string]any) { c["crossOrigin"] = false })
	a["clientExtensionResults"] = map[string]any{"credProps": map[string]any{"rk": true}} // unasked
	a["authenticatorAttachment"] = "platform"
	a.response()["transports"] = []string{"internal", "hybrid", "internal", "$where", "usb\n"}
	f, err := r.AddPasskey(t.Context(), ada, flow, a.bytes(), "")
	if err != nil || f.Name != "Passkey" {
		t.Fatalf("AddPasskey() = %v, %v", f, err)
	}
	stored, _, err := r.store.byCredential(t.Context(), d.cred.ID)
	if err != nil || !slices.Equal(stored.Passkey.Transports, []string{"internal", "hybrid"}) || stored.ID != f.ID {
		t.Errorf("stored: %+v, %v", stored.Passkey, err)
	}
	r.signIn(t, d, f)
}

func TestReq43CredentialOfAnybodyIsTaken(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	r.register(t, ada, d)
	for _, user := range []string{ada, bob} { // a client that does not heed excludeCredentials, and a stolen id
		flow, options := r.beginPasskey(t, user)
		if _, err := r.AddPasskey(t.Context(), user, flow, d.create(t, options), ""); !errors.Is(err, ErrPasskeyTaken) {
			t.Errorf("of %s: %v", user, err)
		}
	}
	if n := storetest.Count(t, r.db, collection); n != 1 || len(r.told(t, kindAdded)) != 1 {
		t.Errorf("%d factors", n)
	}
}

func TestAddPasskeyJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	flow, options := r.beginPasskey(t, ada)
	answer, wrong := d.create(t, options), errors.New("the flow goes wrong later")
	err := r.inTx(t, wrong, func(ctx context.Context) error {
		_, err := r.AddPasskey(ctx, ada, flow, answer, "")
		return err
	})
	if !errors.Is(err, wrong) || len(r.of(t, ada)) != 0 || len(r.told(t, kindAdded)) != 0 {
		t.Fatalf("the transaction ended with %v and left something", err)
	}
	if _, err := r.AddPasskey(t.Context(), ada, flow, answer, ""); err != nil {
		t.Errorf("nothing came of the challenge, and it is gone: %v", err)
	}
}

func TestAddPasskeyName(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	flow, options := r.beginPasskey(t, ada)
	answer := newDevice().create(t, options)
	if _, err := r.AddPasskey(t.Context(), ada, flow, answer, "a\nb"); !errors.Is(err, fault.ErrInput) {
		t.Errorf("AddPasskey() = %v", err)
	}
	if f, err := r.AddPasskey(t.Context(), ada, flow, answer, ""); err != nil || f.Name != "Passkey" {
		t.Errorf("with a better name: %v, %v", f, err)
	}
}

func TestPasskeyLimit(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	flow, options := r.beginPasskey(t, ada) // before there are as many
	for range maxPasskeys {
		r.register(t, ada, newDevice())
	}
	if _, err := r.AddPasskey(t.Context(), ada, flow, newDevice().create(t, options), ""); !errors.Is(err, ErrLimit) {
		t.Errorf("AddPasskey() = %v", err)
	}
	if _, _, err := r.BeginPasskey(t.Context(), ada, "", ""); !errors.Is(err, ErrLimit) || fault.From(err).Details["limit"] != maxPasskeys {
		t.Errorf("BeginPasskey() = %v", err)
	}
}

func TestBeginPasskeyWithoutNames(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	for _, tc := range []struct{ name, account, wantName, wantAccount string }{
		{"", "", "Book", "Book"},
		{"", "ada@example.org", "ada@example.org", "ada@example.org"},
		{"Ada\n\u202e", " ", "Ada", "Book"},
	} {
		_, options, err := r.BeginPasskey(t.Context(), ada, tc.name, tc.account)
		if err != nil {
			t.Fatal(err)
		}
		if u := parseCreation(t, options).User; u.DisplayName != tc.wantName || u.Name != tc.wantAccount {
			t.Errorf("%+v: %+v", tc, u)
		}
	}
}
