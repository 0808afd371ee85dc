package factor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/label"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestNewChecksTheConfiguration(t *testing.T) {
	t.Parallel()
	for origin, ok := range map[string]bool{
		"https://book.example.org": true, "http://localhost:8080": true, "https://book.example.org:8443": true, "http://127.0.0.1:8080": true,
		"http://[::1]:8080": true, "": false, "book.example.org": false, "https://book.example.org/": false, "https://book.example.org/x": false,
		"ftp://book.example.org": false, "https://": false, "https://user@book.example.org": false, "https://book.example.org?x": false,
	} {
		if _, err := newRelyingParty(Config{Product: "Book", Origin: origin}); (err == nil) != ok {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
	if _, err := newRelyingParty(Config{Product: "Book", Origin: home.Origin, MoreOrigins: []string{"nonsense:x"}}); err == nil {
		t.Error("an origin no client has is accepted")
	}
	if _, err := New(storetest.DB(t), nil, nil, nil, nil, Config{Origin: "nonsense"}); err == nil {
		t.Error("New() takes an origin that is none")
	}
}

// Browsers offer no passkeys at an IP address. All else works there.
func TestNoPasskeysAtAnAddress(t *testing.T) {
	t.Parallel()
	r := setUpAs(t, Config{Origin: "http://127.0.0.1:8080"})
	_, _, begin := r.BeginPasskey(t.Context(), ada, "", "")
	_, add := r.AddPasskey(t.Context(), ada, "", nil, "")
	_, _, request := r.BeginAssertion(t.Context(), "")
	_, check := r.CheckAssertion(t.Context(), "", "", nil)
	for _, err := range []error{begin, add, request, check} {
		if !errors.Is(err, ErrPasskeyUnsupported) {
			t.Errorf("got %v", err)
		}
	}
	r.enrol(t, ada)
}

// Given a factor added or removed, then what somebody needs to prove follows at the next question.
func TestReq38LevelComesFromStoredFactors(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	peer, err := New(r.db, r.events, r.now, r.tickets, r.ring, Config{Origin: home.Origin}) // another node
	if err != nil {
		t.Fatal(err)
	}
	same := func(want ...Factor) {
		t.Helper()
		for _, s := range []*Service{r.Service, peer} {
			if got, err := s.Of(t.Context(), ada); err != nil || !slices.Equal(got, want) {
				t.Errorf("Of() = %v, %v; want %v", got, err, want)
			}
		}
	}
	same()
	app, _ := r.enrol(t, ada)
	r.clock.Advance(time.Second)
	r.codes(t, ada) // no factor
	if _, err := r.BeginTOTP(t.Context(), ada, ""); err != nil {
		t.Fatal(err) // no factor yet
	}
	key := r.register(t, ada, newDevice())
	r.register(t, bob, newDevice())
	same(app, key)
	if _, err := peer.Remove(t.Context(), ada, app.ID); err != nil {
		t.Fatal(err)
	}
	same(key)
	if _, err := r.Remove(t.Context(), ada, key.ID); err != nil {
		t.Fatal(err)
	}
	same()
}

// Given what callers get and what the log keeps, then no seed, hash or key is in it.
func TestReq40NothingSecretComesOut(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	_, secret := r.enrol(t, ada)
	key := r.register(t, ada, d)
	codes := r.codes(t, ada)
	r.signIn(t, d, key)
	stored, err := store.Find[record](t.Context(), r.db.Collection(collection), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := r.store.recovery(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{secret, codes[0], string(set.Key), string(set.Codes[0])}
	for _, s := range stored {
		if s.TOTP != nil {
			secrets = append(secrets, string(s.TOTP.Seed))
		} else {
			secrets = append(secrets, string(s.Passkey.PublicKey), string(s.Passkey.Credential))
		}
	}
	for _, s := range secrets {
		if r.holds(t, "events", s) {
			t.Errorf("the log holds %q", s)
		}
	}
	var fields []string
	for f := range reflect.TypeFor[Factor]().Fields() {
		fields = append(fields, f.Name)
	}
	if want := []string{"ID", "User", "Kind", "Name", "CreatedAt", "LastUsedAt"}; !slices.Equal(fields, want) {
		t.Errorf("Factor has %v: a field that callers see must be none of the stored secrets", fields)
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	app, _ := r.enrol(t, ada)
	key := r.register(t, ada, newDevice())
	pending, err := r.BeginTOTP(t.Context(), ada, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		user, id, name, want string
		err                  error
	}{
		{ada, app.ID, " Work phone ", "Work phone", nil},
		{ada, app.ID, "$name", "$name", nil}, // no expression
		{ada, app.ID, "", "Authenticator app", nil},
		{ada, key.ID, " ", "Passkey", nil},
		{ada, key.ID, strings.Repeat("ß", MaxName), strings.Repeat("ß", MaxName), nil},
		{ada, key.ID, strings.Repeat("ß", MaxName+1), "", fault.ErrInput},
		{ada, key.ID, "a\u202eb", "", fault.ErrInput},
		{ada, key.ID, "a\xffb", "", fault.ErrInput},
		{bob, app.ID, "Mine", "", fault.ErrNotFound},
		{ada, "unknown", "Mine", "", fault.ErrNotFound},
		{ada, pending.Factor, "Mine", "", fault.ErrNotFound},
	} {
		before := len(r.told(t, kindRenamed))
		got, err := r.Rename(t.Context(), tc.user, tc.id, tc.name)
		if !errors.Is(err, tc.err) || got.Name != tc.want {
			t.Errorf("Rename(%q) = %q, %v; want %q, %v", tc.name, got.Name, err, tc.want, tc.err)
		}
		if n := len(r.told(t, kindRenamed)) - before; (n == 1) != (tc.err == nil) {
			t.Errorf("Rename(%q): %d events", tc.name, n)
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	app, secret := r.enrol(t, ada)
	pending, err := r.BeginTOTP(t.Context(), ada, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range [][2]string{{bob, app.ID}, {ada, "unknown"}, {ada, pending.Factor}, {"", app.ID}} {
		if _, err := r.Remove(t.Context(), tc[0], tc[1]); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("Remove(%v) = %v", tc, err)
		}
	}
	won := race(t, 20, fault.ErrNotFound, func(int) error {
		got, err := r.Remove(t.Context(), ada, app.ID)
		if err == nil && got != app {
			err = fmt.Errorf("removed %v", got)
		}
		return err
	})
	if won != 1 {
		t.Errorf("%d of 20 removed it", won)
	}
	r.tells(t, kindRemoved, app.Ref(), fmt.Sprintf(`{"user": %q,"kind": "totp","name": "Authenticator app"}`, ada))
	r.clock.Advance(time.Minute)
	if _, err := r.CheckTOTP(t.Context(), ada, r.code(t, secret, 0)); !errors.Is(err, ErrCode) {
		t.Errorf("its code: %v", err)
	}
	if n := len(r.told(t, kindSetVoided)); n != 0 {
		t.Errorf("%d sets voided, and there was none", n)
	}
}

func TestForgetUser(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	for _, user := range []string{ada, bob} {
		d := newDevice()
		r.enrol(t, user)
		r.register(t, user, d)
		r.codes(t, user)
		r.beginPasskey(t, user)
		r.beginAssertion(t, user)
		if _, err := r.BeginTOTP(t.Context(), user, ""); err != nil {
			t.Fatal(err)
		}
	}
	counts := func() [3]int {
		return [3]int{storetest.Count(t, r.db, collection), storetest.Count(t, r.db, recoveries), storetest.Count(t, r.db, "tickets")}
	}
	wrong := errors.New("the flow goes wrong later")
	if err := r.inTx(t, wrong, func(ctx context.Context) error { return r.ForgetUser(ctx, ada) }); !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	if got := counts(); got != [3]int{6, 2, 4} {
		t.Fatalf("after a rollback: %v", got)
	}
	for range 2 { // it may be told twice
		if err := r.ForgetUser(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
	}
	if got := counts(); got != [3]int{3, 1, 2} || len(r.of(t, ada)) != 0 || len(r.of(t, bob)) != 2 || r.left(t, bob) != 10 {
		t.Errorf("after it: %v", got)
	}
}

// A failing database is no wrong code: nobody may be told that a factor is bad, or be let in.
func TestUnreachableDatabase(t *testing.T) {
	t.Parallel()
	r, d := setUp(t), newDevice()
	app, secret := r.enrol(t, ada)
	r.register(t, ada, d)
	codes := r.codes(t, ada)
	flow, options := r.beginAssertion(t, "")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for what, call := range map[string]func() error{
		"Of":              func() error { _, err := r.Of(gone, ada); return err },
		"CheckTOTP":       func() error { _, err := r.CheckTOTP(gone, ada, r.code(t, secret, 1)); return err },
		"ConfirmTOTP":     func() error { _, err := r.ConfirmTOTP(gone, ada, "x", "123456", ""); return err },
		"BeginTOTP":       func() error { _, err := r.BeginTOTP(gone, ada, ""); return err },
		"UseRecoveryCode": func() error { _, err := r.UseRecoveryCode(gone, ada, codes[0]); return err },
		"RecoveryLeft":    func() error { _, err := r.RecoveryLeft(gone, ada); return err },
		"BeginPasskey":    func() error { _, _, err := r.BeginPasskey(gone, ada, "", ""); return err },
		"BeginAssertion":  func() error { _, _, err := r.BeginAssertion(gone, ada); return err },
		"CheckAssertion":  func() error { _, err := r.CheckAssertion(gone, "", flow, d.get(t, options)); return err },
		"Remove":          func() error { _, err := r.Remove(gone, ada, app.ID); return err },
		"Rename":          func() error { _, err := r.Rename(gone, ada, app.ID, "y"); return err },
		"ForgetUser":      func() error { return r.ForgetUser(gone, ada) },
	} {
		if err := call(); fault.From(err) == nil || fault.From(err).Kind != fault.Canceled {
			t.Errorf("%s: %v", what, err)
		}
	}
	if all := r.of(t, ada); len(all) != 2 || all[0].Name != app.Name || r.left(t, ada) != 10 {
		t.Errorf("something changed: %v", all)
	}
}

// Values that would be operators in a filter are values here.
func TestOperatorsAreValues(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	r.enrol(t, ada)
	r.codes(t, ada)
	for _, user := range []string{`{"$ne": null}`, "$user", "", "\x00"} {
		if len(r.of(t, user)) != 0 || r.left(t, user) != 0 {
			t.Errorf("%q finds something", user)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", " Phone ", "a\nb", "\u202ex", "\xff", strings.Repeat("𝔸", 100), "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown := display(s)
		name, err := checkName(s, "default")
		for _, text := range []string{shown, name} {
			if !utf8.ValidString(text) || utf8.RuneCountInString(text) > 64 || strings.ContainsFunc(text, label.IsUnprintable) {
				t.Errorf("%q gives %q", s, text)
			}
		}
		if (err == nil) != (name != "") {
			t.Errorf("%q gives %q, %v", s, name, err)
		}
		if again := display(shown); again != strings.TrimSpace(shown) {
			t.Errorf("label of %q is %q", shown, again)
		}
	})
}
