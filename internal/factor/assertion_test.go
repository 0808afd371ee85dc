package factor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/store/storetest"
)

// signIn is a sign-in by the device without a name; it must prove the factor.
func (r rig) signIn(t testing.TB, d *device, want Factor) Assertion {
	t.Helper()
	flow, options := r.beginAssertion(t, "")
	d.cred.Counter++
	a, err := r.CheckAssertion(t.Context(), "", flow, d.get(t, options))
	if err != nil || a.ID != want.ID || a.User != want.User || !a.Verified {
		t.Fatalf("CheckAssertion() = %+v, %v; want %+v", a, err, want)
	}
	return a
}

func TestBeginAssertionOptions(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	r.register(t, ada, d)
	r.register(t, bob, newDevice())
	for user, want := range map[string]struct {
		allowed      int
		verification string
	}{"": {0, "required"}, ada: {1, "preferred"}} {
		_, options := r.beginAssertion(t, user)
		var o struct {
			RPID             string
			Challenge        string
			Timeout          int
			UserVerification string
			AllowCredentials []struct{ ID string }
		}
		if err := json.Unmarshal(options, &o); err != nil {
			t.Fatal(err)
		}
		if o.RPID != home.ID || o.Timeout != 300_000 || o.UserVerification != want.verification || len(o.AllowCredentials) != want.allowed {
			t.Errorf("for %q: %s", user, options)
		}
		if want.allowed == 1 && o.AllowCredentials[0].ID != base64.RawURLEncoding.EncodeToString(d.cred.ID) {
			t.Errorf("another's passkey: %s", options)
		}
		if b, _ := base64.RawURLEncoding.DecodeString(o.Challenge); len(b) < 16 {
			t.Errorf("challenge of %d bytes", len(b))
		}
	}
	if _, _, err := r.BeginAssertion(t.Context(), "nobody"); !errors.Is(err, ErrPasskey) {
		t.Errorf("of a user without a passkey: %v", err)
	}
}

func TestCheckAssertion(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	f := r.register(t, ada, d)
	r.clock.Advance(time.Hour)
	if got := r.signIn(t, d, f); got.LastUsedAt == nil || !got.LastUsedAt.Equal(r.clock.Now()) {
		t.Errorf("last used: %v", got.LastUsedAt)
	}
	// As a second factor: without the handle, which not every device tells then, and without knowing its user.
	for _, verified := range []bool{true, false} {
		flow, options := r.beginAssertion(t, ada)
		d.cred.Counter++
		d.auth.Options.UserNotVerified, d.auth.Options.UserHandle = !verified, nil
		a, err := r.CheckAssertion(t.Context(), ada, flow, d.get(t, options))
		if err != nil || a.ID != f.ID || a.Verified != verified {
			t.Errorf("CheckAssertion() = %+v, %v; want verified: %v", a, err, verified)
		}
	}
	if n := len(r.told(t, kindRegressed)); n != 0 {
		t.Errorf("%d counters went back", n)
	}
}

func TestReq41AssertionChallenge(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	f := r.register(t, ada, d)
	r.register(t, bob, newDevice())
	check := func(user, flow string, answer []byte) error {
		_, err := r.CheckAssertion(t.Context(), user, flow, answer)
		return err
	}
	begin := func(user string) (string, []byte) {
		flow, options := r.beginAssertion(t, user)
		d.cred.Counter++
		return flow, d.get(t, options)
	}
	for _, user := range []string{"", ada} {
		flow, answer := begin(user)
		if won := race(t, 20, ErrPasskey, func(int) error { return check(user, flow, answer) }); won != 1 {
			t.Errorf("for %q: %d of 20 with one challenge", user, won)
		}
		if err := check(user, flow, answer); !errors.Is(err, ErrPasskey) {
			t.Errorf("for %q: replayed: %v", user, err)
		}
	}

	// Spent by a wrong answer, too.
	flow, answer := begin(ada)
	if err := check(ada, flow, []byte(`{}`)); !errors.Is(err, ErrPasskey) {
		t.Errorf("malformed: %v", err)
	}
	if err := check(ada, flow, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("after a wrong answer: %v", err)
	}

	// Not for another user, nor for nobody in particular, nor of a registration.
	flow, answer = begin(ada)
	if err := check(bob, flow, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("by another: %v", err)
	}
	if err := check("", flow, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("by nobody: %v", err)
	}
	other, _ := r.beginPasskey(t, ada)
	if err := check(ada, other, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("of a registration: %v", err)
	}
	if err := check(ada, flow, answer); err != nil {
		t.Errorf("whoever has no part in a challenge cannot spend it: %v", err)
	}
	open, answer := begin("")
	if err := check(ada, open, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("for anybody, by one: %v", err)
	}

	// Of another challenge.
	_, answer = begin(ada)
	flow, _ = begin(ada)
	if err := check(ada, flow, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("of another challenge: %v", err)
	}
	flow, answer = begin(ada)
	r.clock.Advance(challengeLife)
	if err := check(ada, flow, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("after five minutes: %v", err)
	}
	r.signIn(t, d, f)
}

// Given a rollback, then the challenge stays spent and the counter stays where it is.
func TestReq41ChallengeIsSpentWhateverComes(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	f := r.register(t, ada, d)
	flow, options := r.beginAssertion(t, ada)
	d.cred.Counter = 7
	answer, wrong := d.get(t, options), errors.New("the flow goes wrong later")
	err := r.inTx(t, wrong, func(ctx context.Context) error {
		_, err := r.CheckAssertion(ctx, ada, flow, answer)
		return err
	})
	if !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	if _, err := r.CheckAssertion(t.Context(), ada, flow, answer); !errors.Is(err, ErrPasskey) {
		t.Errorf("again: %v", err)
	}
	if got, _, err := r.store.byCredential(t.Context(), d.cred.ID); err != nil || got.ID != f.ID || got.Passkey.SignCount != 7 {
		t.Errorf("stored: %+v, %v", got.Passkey, err)
	}
}

// assertions are the ways an answer of ada's device can be wrong. They get the one for "" if passwordless says so.
var assertions = map[string]struct {
	passwordless bool
	change       func(t *testing.T, r rig, d *device, options []byte) []byte
}{
	"wrong origin": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.rp.Origin = "https://evil.example"
		return d.get(t, options)
	}},
	"a sub-domain": {true, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.rp.Origin = "https://www.book.example.org"
		return d.get(t, options)
	}},
	"no origin": {true, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.rp.Origin = ""
		return d.get(t, options)
	}},
	"wrong RP id": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.rp.ID = "evil.example"
		return d.get(t, options)
	}},
	"no user verification": {true, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.UserNotVerified = true
		return d.get(t, options)
	}},
	"no user presence": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.UserNotPresent = true
		return d.get(t, options)
	}},
	"no user handle": {true, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.UserHandle = nil
		return d.get(t, options)
	}},
	"foreign user handle, passwordless": {true, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.UserHandle = []byte(bob)
		return d.get(t, options)
	}},
	"foreign user handle, second factor": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.UserHandle = []byte(bob)
		return d.get(t, options)
	}},
	"unknown credential": {true, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.cred = newCredential()
		return d.get(t, options)
	}},
	"another's credential": {false, func(t *testing.T, r rig, d *device, options []byte) []byte {
		theirs := newDevice()
		r.register(t, bob, theirs)
		return theirs.get(t, options)
	}},
	"another's credential with the right handle": {false, func(t *testing.T, r rig, d *device, options []byte) []byte {
		theirs := newDevice()
		r.register(t, bob, theirs)
		theirs.auth.Options.UserHandle = []byte(ada)
		return theirs.get(t, options)
	}},
	"one that was not asked for": {false, func(t *testing.T, r rig, d *device, options []byte) []byte {
		later := newDevice()
		r.register(t, ada, later)
		return later.get(t, options)
	}},
	"another key": {true, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.cred.Key = newCredential().Key
		return d.get(t, options)
	}},
	"a changed signature": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.get(t, options))
		b := a.field(t, "signature")
		b[len(b)-1] ^= 1
		a.set("signature", b)
		return a.bytes()
	}},
	"no signature": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.get(t, options))
		a.set("signature", nil)
		return a.bytes()
	}},
	"verification claimed after signing": {true, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.UserNotVerified = true
		a := parseAnswer(t, d.get(t, options))
		b := a.field(t, "authenticatorData")
		b[32] |= 4
		a.set("authenticatorData", b)
		return a.bytes()
	}},
	"the type of a registration": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.get(t, options))
		a.client(t, func(c map[string]any) { c["type"] = "webauthn.create" })
		a.sign(t, d)
		return a.bytes()
	}},
	"in a foreign frame": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		a := parseAnswer(t, d.get(t, options))
		a.client(t, func(c map[string]any) { c["crossOrigin"], c["topOrigin"] = true, "https://evil.example" })
		a.sign(t, d)
		return a.bytes()
	}},
	"a key that became one that syncs": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.BackupEligible = true
		return d.get(t, options)
	}},
	"backed up but not eligible": {false, func(t *testing.T, _ rig, d *device, options []byte) []byte {
		d.auth.Options.BackupState = true
		return d.get(t, options)
	}},
	"a registration": {true, func(t *testing.T, r rig, d *device, _ []byte) []byte {
		_, options := r.beginPasskey(t, ada)
		return d.create(t, options)
	}},
}

func TestReq42AssertionRefuses(t *testing.T) {
	t.Parallel()
	for what, tc := range assertions {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r, d := setUp(t), newDevice()
			r.register(t, ada, d)
			user := ada
			if tc.passwordless {
				user = ""
			}
			flow, options := r.beginAssertion(t, user)
			d.cred.Counter++
			got, err := r.CheckAssertion(t.Context(), user, flow, tc.change(t, r, d, options))
			if !errors.Is(err, ErrPasskey) || got != (Assertion{}) {
				t.Errorf("CheckAssertion() = %+v, %v", got, err)
			}
			if r.of(t, ada)[0].LastUsedAt != nil || len(r.told(t, kindRegressed)) != 0 {
				t.Error("a refused answer is taken for a use")
			}
		})
	}
}

func TestReq43CounterStepBackIsAudited(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		stored uint32
		shown  uint32
		ok     bool
	}{
		{"up", 5, 6, true},
		{"far up", 5, 1 << 31, true},
		{"stands still", 5, 5, false},
		{"back", 5, 4, false},
		{"gone", 5, 0, false},
		{"none", 0, 0, true},
		{"from none", 0, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, d := setUp(t), newDevice()
			d.cred.Counter = tc.stored
			f := r.register(t, ada, d)
			flow, options := r.beginAssertion(t, "")
			d.cred.Counter = tc.shown
			_, err := r.CheckAssertion(t.Context(), "", flow, d.get(t, options))
			if tc.ok {
				if err != nil || len(r.told(t, kindRegressed)) != 0 {
					t.Errorf("CheckAssertion() = %v", err)
				}
				return
			}
			if !errors.Is(err, ErrPasskey) || !errors.Is(err, errRegressed) {
				t.Errorf("CheckAssertion() = %v", err)
			}
			r.tells(t, kindRegressed, f.Ref(), fmt.Sprintf(
				`{"user": %q,"stored": {"$numberLong":"%d"},"shown": {"$numberLong":"%d"}}`, ada, tc.stored, tc.shown))
			if got, _, _ := r.store.byCredential(t.Context(), d.cred.ID); got.Passkey.SignCount != int64(tc.stored) {
				t.Errorf("the counter is at %d", got.Passkey.SignCount)
			}
		})
	}
}

// Two challenges answered with one value of the counter: a key and its copy.
func TestReq43CopiesRaced(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	r.register(t, ada, d)
	d.cred.Counter = 3
	flows, answers := make([]string, 20), make([][]byte, 20)
	for i := range flows {
		var options []byte
		flows[i], options = r.beginAssertion(t, ada)
		answers[i] = d.get(t, options)
	}
	won := race(t, len(flows), ErrPasskey, func(i int) error {
		_, err := r.CheckAssertion(t.Context(), ada, flows[i], answers[i])
		return err
	})
	if n := len(r.told(t, kindRegressed)); won != 1 || n != 19 {
		t.Errorf("%d of 20 with one counter, %d audited", won, n)
	}
}

func TestRemovedPasskeyIsRefused(t *testing.T) {
	t.Parallel()
	r, d, other := setUp(t), newDevice(), newDevice()
	f := r.register(t, ada, d)
	kept := r.register(t, ada, other)
	flow, options := r.beginAssertion(t, ada)
	second, same := r.beginAssertion(t, ada)
	d.cred.Counter, other.cred.Counter = 1, 1
	if _, err := r.Remove(t.Context(), ada, f.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CheckAssertion(t.Context(), ada, flow, d.get(t, options)); !errors.Is(err, ErrPasskey) {
		t.Errorf("the removed one: %v", err)
	}
	if got, err := r.CheckAssertion(t.Context(), ada, second, other.get(t, same)); err != nil || got.ID != kept.ID {
		t.Errorf("the other one of the same challenge: %v, %v", got, err)
	}
	// Removed between the look and the use: no counter went back.
	if _, err := r.use(t.Context(), record{Factor: f, Passkey: &passkey{Credential: d.cred.ID}}, 9, 0); !errors.Is(err, ErrPasskey) {
		t.Errorf("use() = %v", err)
	}
	if n := len(r.told(t, kindRegressed)); n != 0 {
		t.Errorf("%d counters went back", n)
	}
}

func TestPasskeysOfOtherOrigins(t *testing.T) {
	t.Parallel()
	const app = "android:apk-key-hash:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
	r := setUpAs(t, Config{Origin: home.Origin, MoreOrigins: []string{"https://app.book.example.org", app}})
	d := newDevice()
	f := r.register(t, ada, d)
	for _, origin := range []string{"https://app.book.example.org", app} {
		d.rp.Origin = origin
		r.signIn(t, d, f)
	}
	d.rp.Origin = "android:apk-key-hash:another"
	flow, options := r.beginAssertion(t, "")
	d.cred.Counter++
	if _, err := r.CheckAssertion(t.Context(), "", flow, d.get(t, options)); !errors.Is(err, ErrPasskey) {
		t.Errorf("another app: %v", err)
	}
}

func TestSyncedPasskey(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	d.auth.Options.BackupEligible = true
	f := r.register(t, ada, d)
	for _, backedUp := range []bool{true, false} { // the state may change, the kind may not
		d.auth.Options.BackupState = backedUp
		flow, options := r.beginAssertion(t, "")
		if got, err := r.CheckAssertion(t.Context(), "", flow, d.get(t, options)); err != nil || got.ID != f.ID {
			t.Errorf("backed up %v: %v, %v", backedUp, got, err)
		}
	}
	if n := storetest.Count(t, r.db, "tickets"); n != 0 {
		t.Errorf("%d challenges left", n)
	}
}
