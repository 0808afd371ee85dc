package factor

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/fxamacker/cbor/v2"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/pquerna/otp/totp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/ticket"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	ada = "0190aaaa-0000-7000-8000-000000000001"
	bob = "0190bbbb-0000-7000-8000-000000000002"
)

// rig is a service on a database of its own, with a clock to be moved.
type rig struct {
	*Service
	db    *store.DB
	clock *clock.Manual
}

func setUp(t testing.TB) rig { return setUpAs(t, Config{Product: "Book", Origin: home.Origin}) }

func setUpAs(t testing.TB, cfg Config) rig {
	t.Helper()
	db, c := storetest.DB(t), clock.NewManual(t0)
	cols := append(append(Collections(), event.Collections()...), ticket.Collections()...)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: cols}, false); err != nil {
		t.Fatal(err)
	}
	s, err := New(db, event.NewLog(db, c.Now), c.Now, ticket.New(db, c.Now), keyring.Random(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rig{s, db, c}
}

// enrol gives the user a confirmed app, and its secret. The code of the current step is used up.
func (r rig) enrol(t testing.TB, user string) (Factor, string) {
	t.Helper()
	e, err := r.BeginTOTP(t.Context(), user, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.ConfirmTOTP(t.Context(), user, e.Factor, r.code(t, e.Secret, 0), "")
	if err != nil {
		t.Fatal(err)
	}
	return f, e.Secret
}

// code is what an app shows some steps from now.
func (r rig) code(t testing.TB, secret string, steps int) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, r.clock.Now().Add(time.Duration(steps*totpPeriod)*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func (r rig) codes(t testing.TB, user string) []string {
	t.Helper()
	codes, err := r.MakeRecoveryCodes(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

func (r rig) left(t testing.TB, user string) int {
	t.Helper()
	n, err := r.RecoveryLeft(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (r rig) of(t testing.TB, user string) []Factor {
	t.Helper()
	all, err := r.Of(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// told gives the events of a kind.
func (r rig) told(t testing.TB, kind string) []event.Event {
	t.Helper()
	all, err := store.Find[event.Event](t.Context(), r.db.Collection("events"), bson.D{{Key: "kind", Value: kind}})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// tells fails unless there is one event of the kind, with this data.
func (r rig) tells(t testing.TB, kind string, on any, data string) {
	t.Helper()
	all := r.told(t, kind)
	if len(all) != 1 || any(all[0].On) != on || all[0].Data.String() != data {
		t.Errorf("events %s: %v\nwant one on %v: %s", kind, all, on, data)
	}
}

// inTx runs fn in a transaction that may be rolled back at its end.
func (r rig) inTx(t testing.TB, rollback error, fn func(ctx context.Context) error) error {
	return r.db.InTx(t.Context(), func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		return rollback
	})
}

// race runs fn n times at once and counts those that went well; the others must fail with the error wanted.
func race(t testing.TB, n int, want error, fn func(i int) error) (won int) {
	t.Helper()
	errs, start := make([]error, n), make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	all.Wait()
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, want):
			t.Errorf("a loser got %v, want %v", err, want)
		}
	}
	return won
}

// The server, and a device at it.
var home = virtualwebauthn.RelyingParty{ID: "book.example.org", Name: "Book", Origin: "https://book.example.org"}

// device is an authenticator with one credential.
type device struct {
	rp   virtualwebauthn.RelyingParty // as the browser tells it
	auth virtualwebauthn.Authenticator
	cred virtualwebauthn.Credential
}

func newDevice() *device {
	return &device{home, virtualwebauthn.NewAuthenticator(), newCredential()}
}

// newCredential makes a key that is encoded right: the virtual authenticator drops leading zeros of a coordinate, which
// makes one of 128 keys malformed.
func newCredential() virtualwebauthn.Credential {
	for {
		c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		if _, err := webauthncose.ParsePublicKey(c.Key.AttestationData()); err == nil {
			return c
		}
	}
}

// create answers the options of BeginPasskey.
func (d *device) create(t testing.TB, options []byte) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	d.auth.Options.UserHandle = []byte(o.UserID)
	return []byte(virtualwebauthn.CreateAttestationResponse(d.rp, d.auth, d.cred, *o))
}

// get answers the options of BeginAssertion.
func (d *device) get(t testing.TB, options []byte) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(virtualwebauthn.CreateAssertionResponse(d.rp, d.auth, d.cred, *o))
}

// register gives the user the device's passkey.
func (r rig) register(t testing.TB, user string, d *device) Factor {
	t.Helper()
	flow, options := r.beginPasskey(t, user)
	f, err := r.AddPasskey(t.Context(), user, flow, d.create(t, options), "Key")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (r rig) beginPasskey(t testing.TB, user string) (flow string, options []byte) {
	t.Helper()
	flow, options, err := r.BeginPasskey(t.Context(), user, "Ada Lovelace", "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	return flow, options
}

func (r rig) beginAssertion(t testing.TB, user string) (flow string, options []byte) {
	t.Helper()
	flow, options, err := r.BeginAssertion(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return flow, options
}

// answer is a credential's JSON taken apart, to be changed and put together again.
type answer map[string]any

func parseAnswer(t testing.TB, b []byte) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a answer) bytes() []byte {
	b, _ := json.Marshal(a)
	return b
}

func (a answer) response() map[string]any { return a["response"].(map[string]any) }

func (a answer) field(t testing.TB, name string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(a.response()[name].(string))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (a answer) set(name string, b []byte) {
	a.response()[name] = base64.RawURLEncoding.EncodeToString(b)
}

// client changes the client data.
func (a answer) client(t testing.TB, change func(map[string]any)) {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal(a.field(t, "clientDataJSON"), &c); err != nil {
		t.Fatal(err)
	}
	change(c)
	b, _ := json.Marshal(c)
	a.set("clientDataJSON", b)
}

// unattested replaces the authenticator data and makes the attestation none, which needs no signature.
func (a answer) unattested(t testing.TB, change func([]byte) []byte) {
	t.Helper()
	var object map[string]any
	if err := cbor.Unmarshal(a.field(t, "attestationObject"), &object); err != nil {
		t.Fatal(err)
	}
	b, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": change(object["authData"].([]byte))})
	if err != nil {
		t.Fatal(err)
	}
	a.set("attestationObject", b)
}

// sign makes the signature right for what the assertion says now.
func (a answer) sign(t testing.TB, d *device) {
	t.Helper()
	client := sha256.Sum256(a.field(t, "clientDataJSON"))
	digest := sha256.Sum256(append(a.field(t, "authenticatorData"), client[:]...))
	sig, err := d.cred.Key.Sign(digest[:])
	if err != nil {
		t.Fatal(err)
	}
	a.set("signature", sig)
}

// withKey puts another public key into the authenticator data of a registration.
func withKey(t testing.TB, authData []byte, change func(map[int]any)) []byte {
	t.Helper()
	at := 55 + int(authData[53])<<8 + int(authData[54])
	var key map[int]any
	if err := cbor.Unmarshal(authData[at:], &key); err != nil {
		t.Fatal(err)
	}
	change(key)
	b, err := cbor.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(append([]byte{}, authData[:at]...), b...)
}

// holds reports whether any document of the collection has the text in it.
func (r rig) holds(t testing.TB, coll, text string) bool {
	t.Helper()
	docs, err := store.Find[bson.Raw](t.Context(), r.db.Collection(coll), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		if strings.Contains(string(d), text) {
			return true
		}
	}
	return false
}
