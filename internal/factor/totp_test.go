package factor

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// The vectors of RFC 6238, appendix B, cut to six digits.
func TestMatchStepVectors(t *testing.T) {
	t.Parallel()
	seed := []byte("12345678901234567890")
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		step, ok, err := matchStep(seed, code, time.Unix(at, 0), 0)
		if err != nil || !ok || step != at/30 {
			t.Errorf("at %d: step %d, %v, %v", at, step, ok, err)
		}
		if _, ok, _ := matchStep(seed, code, time.Unix(at, 0), at/30); ok {
			t.Errorf("at %d: a step that counted counts again", at)
		}
	}
}

func TestReq33EnrolmentIsSealedAndNeedsACode(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	e, err := r.BeginTOTP(t.Context(), ada, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base32.StdEncoding.DecodeString(e.Secret)
	if err != nil || len(seed) != 20 {
		t.Fatalf("secret %d bytes, %v", len(seed), err)
	}
	for _, secret := range []string{string(seed), e.Secret} {
		if r.holds(t, collection, secret) {
			t.Error("the seed is stored as it is")
		}
	}
	if all := r.of(t, ada); len(all) != 0 {
		t.Errorf("it counts before its code: %v", all)
	}
	if _, err := r.CheckTOTP(t.Context(), ada, r.code(t, e.Secret, 0)); !errors.Is(err, ErrCode) {
		t.Errorf("CheckTOTP() before = %v", err)
	}
	for _, code := range []string{"", "000000", "abcdef", r.code(t, e.Secret, 7)} {
		if _, err := r.ConfirmTOTP(t.Context(), ada, e.Factor, code, ""); !errors.Is(err, ErrCode) {
			t.Errorf("ConfirmTOTP(%q) = %v", code, err)
		}
	}
	if storetest.Count(t, r.db, "events") != 0 {
		t.Error("an event before there is a factor")
	}
	r.clock.Advance(time.Minute)
	f, err := r.ConfirmTOTP(t.Context(), ada, e.Factor, r.code(t, e.Secret, 0), " Phone ")
	want := Factor{ID: e.Factor, User: ada, Kind: TOTP, Name: "Phone", CreatedAt: t0.Add(time.Minute)}
	if err != nil || f != want {
		t.Fatalf("ConfirmTOTP() = %+v, %v\nwant %+v", f, err, want)
	}
	if all := r.of(t, ada); len(all) != 1 || all[0] != want {
		t.Errorf("Of() = %v", all)
	}
	r.tells(t, kindAdded, f.Ref(), fmt.Sprintf(`{"user": %q,"kind": "totp","name": "Phone"}`, ada))
	if r.holds(t, "events", e.Secret) || r.holds(t, "events", string(seed)) {
		t.Error("the log holds the seed")
	}
	// One ring, another place: the ciphertext of one factor is no good in another.
	stored, err := store.FindByID[record](t.Context(), r.db.Collection(collection), f.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ring.Open(stored.TOTP.Seed, seedPlace("other")); err == nil {
		t.Error("the seed opens in another place")
	}
}

func TestConfirmTOTPRefuses(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	begin := func() Enrollment {
		e, err := r.BeginTOTP(t.Context(), ada, "")
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	first, second := begin(), begin() // the second takes the first one's place
	confirm := func(user, id, secret, name string) error {
		_, err := r.ConfirmTOTP(t.Context(), user, id, r.code(t, secret, 0), name)
		return err
	}
	for what, err := range map[string]error{
		"replaced":  confirm(ada, first.Factor, first.Secret, ""),
		"another's": confirm(bob, second.Factor, second.Secret, ""),
		"unknown":   confirm(ada, "nothing", second.Secret, ""),
	} {
		if !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := confirm(ada, second.Factor, second.Secret, "a\nb"); !errors.Is(err, fault.ErrInput) {
		t.Errorf("bad name: %v", err)
	}
	r.clock.Advance(enrolmentLife)
	if err := confirm(ada, second.Factor, second.Secret, ""); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("expired: %v", err)
	}
	third := begin()
	if err := confirm(ada, third.Factor, third.Secret, ""); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(time.Minute)
	if err := confirm(ada, third.Factor, third.Secret, ""); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("confirmed twice: %v", err)
	}
}

func TestBeginTOTPRaced(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	won := race(t, 20, nil, func(int) error {
		_, err := r.BeginTOTP(t.Context(), ada, "")
		return err
	})
	if n := storetest.Count(t, r.db, collection); won != 20 || n != 1 {
		t.Errorf("%d begun, %d stored", won, n)
	}
}

func TestConfirmTOTPRaced(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	e, err := r.BeginTOTP(t.Context(), ada, "")
	if err != nil {
		t.Fatal(err)
	}
	code := r.code(t, e.Secret, 0)
	won := race(t, 20, fault.ErrNotFound, func(int) error {
		_, err := r.ConfirmTOTP(t.Context(), ada, e.Factor, code, "")
		return err
	})
	if n := len(r.told(t, kindAdded)); won != 1 || n != 1 {
		t.Errorf("%d confirmed, %d events", won, n)
	}
}

func TestReq34OneCodeOneSuccess(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	f, secret := r.enrol(t, ada)
	check := func(code string) error {
		_, err := r.CheckTOTP(t.Context(), ada, code)
		return err
	}
	if err := check(r.code(t, secret, 0)); !errors.Is(err, ErrCode) {
		t.Errorf("the code that confirmed counts again: %v", err)
	}
	r.clock.Advance(time.Minute)
	code := r.code(t, secret, 0)
	if won := race(t, 20, ErrCode, func(int) error { return check(code) }); won != 1 {
		t.Errorf("%d of 20 with one code", won)
	}
	used := r.of(t, ada)[0].LastUsedAt
	if used == nil || !used.Equal(r.clock.Now()) {
		t.Errorf("last used %v", used)
	}
	r.clock.Advance(10 * time.Second)
	if err := check(code); !errors.Is(err, ErrCode) {
		t.Errorf("replayed in its window: %v", err)
	}
	if err := check(r.code(t, secret, -1)); !errors.Is(err, ErrCode) {
		t.Errorf("an older one after a newer one: %v", err)
	}
	// In transactions, too: one commits.
	r.clock.Advance(time.Minute)
	code = r.code(t, secret, 0)
	won := race(t, 20, ErrCode, func(int) error {
		return r.inTx(t, nil, func(ctx context.Context) error {
			_, err := r.CheckTOTP(ctx, ada, code)
			return err
		})
	})
	if won != 1 {
		t.Errorf("%d of 20 transactions with one code", won)
	}
	if got, err := r.CheckTOTP(t.Context(), ada, r.code(t, secret, 1)); err != nil || got.ID != f.ID {
		t.Errorf("the next one: %v, %v", got, err)
	}
}

func TestReq35OnlyOneStepEitherWay(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	_, secret := r.enrol(t, ada)
	for _, tc := range []struct {
		steps int
		err   error
	}{{-3, ErrCode}, {-2, ErrCode}, {2, ErrCode}, {3, ErrCode}, {-1, nil}, {0, nil}, {1, nil}} {
		r.clock.Advance(10 * time.Minute)
		if _, err := r.CheckTOTP(t.Context(), ada, r.code(t, secret, tc.steps)); !errors.Is(err, tc.err) {
			t.Errorf("%+d steps: %v, want %v", tc.steps, err, tc.err)
		}
	}
}

// Given a server whose clock is set back, then codes that counted do not count again (faults, 42).
func TestTOTPFailsClosedWhenTheClockIsSetBack(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	_, secret := r.enrol(t, ada)
	r.clock.Advance(5 * time.Minute)
	if _, err := r.CheckTOTP(t.Context(), ada, r.code(t, secret, 0)); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(-4 * time.Minute)
	if _, err := r.CheckTOTP(t.Context(), ada, r.code(t, secret, 0)); !errors.Is(err, ErrCode) {
		t.Errorf("a code of the past: %v", err)
	}
}

func TestCheckTOTPFindsTheApp(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	one, first := r.enrol(t, ada)
	r.clock.Advance(time.Minute)
	two, second := r.enrol(t, ada)
	_, foreign := r.enrol(t, bob)
	r.clock.Advance(time.Minute)
	for secret, want := range map[string]string{first: one.ID, second: two.ID} {
		code := r.code(t, secret, 0)
		if got, err := r.CheckTOTP(t.Context(), ada, code[:3]+" "+code[3:]); err != nil || got.ID != want {
			t.Errorf("CheckTOTP() = %v, %v, want %s", got, err, want)
		}
	}
	if _, err := r.CheckTOTP(t.Context(), ada, r.code(t, foreign, 0)); !errors.Is(err, ErrCode) {
		t.Errorf("another's code: %v", err)
	}
	if _, err := r.CheckTOTP(t.Context(), "nobody", r.code(t, first, 1)); !errors.Is(err, ErrCode) {
		t.Errorf("nobody's code: %v", err)
	}
}

func TestCheckTOTPInARolledBackTransaction(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	_, secret := r.enrol(t, ada)
	r.clock.Advance(time.Minute)
	wrong, code := errors.New("the flow goes wrong later"), r.code(t, secret, 0)
	err := r.inTx(t, wrong, func(ctx context.Context) error {
		_, err := r.CheckTOTP(ctx, ada, code)
		return err
	})
	if !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	if _, err := r.CheckTOTP(t.Context(), ada, code); err != nil {
		t.Errorf("nothing came of the code, and it is gone: %v", err)
	}
}

func TestTOTPLimit(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	for range maxApps {
		r.enrol(t, ada)
		r.clock.Advance(time.Minute)
	}
	if _, err := r.BeginTOTP(t.Context(), ada, ""); !errors.Is(err, ErrLimit) {
		t.Errorf("BeginTOTP() = %v", err)
	}
	r.enrol(t, bob)
}

func TestTOTPWithoutItsKeyIsNoWrongCode(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	f, secret := r.enrol(t, ada)
	r.clock.Advance(time.Minute)
	_, err := r.db.Collection(collection).UpdateByID(t.Context(), f.ID, bson.D{{Key: "$set", Value: bson.D{{Key: "totp.seed", Value: []byte("garbage")}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CheckTOTP(t.Context(), ada, r.code(t, secret, 0)); fault.From(err).Kind != fault.Internal {
		t.Errorf("CheckTOTP() = %v", err)
	}
}

func TestEnrollmentIsNotPrinted(t *testing.T) {
	t.Parallel()
	e, err := newEnrollment("Book", "ada@example.org", []byte("12345678901234567890"))
	if err != nil {
		t.Fatal(err)
	}
	e.Factor = "f1"
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("enrolled", "enrollment", e)
	for _, s := range []string{fmt.Sprint(e), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e), fmt.Sprintf("%v", []*Enrollment{&e}), fmt.Sprintf("%v", []Enrollment{e}), log.String()} {
		if strings.Contains(s, e.Secret) || strings.Contains(s, "otpauth") || !strings.Contains(s, "f1") {
			t.Errorf("printed: %s", s)
		}
	}
}

func FuzzEnrollment(f *testing.F) {
	f.Add("Book", "ada@example.org")
	f.Add("", "")
	f.Add("A:B", "a:b&secret=x#y?z%41")
	f.Add(strings.Repeat("ß", 200), strings.Repeat("\u202e𝔸", 200))
	seed := []byte("12345678901234567890")
	f.Fuzz(func(t *testing.T, product, account string) {
		if product = display(product); product == "" {
			product = defaultProduct
		}
		e, err := newEnrollment(product, account, seed)
		if err != nil {
			t.Fatal(err)
		}
		key, err := otp.NewKeyFromURL(e.URI)
		if err != nil {
			t.Fatal(err)
		}
		if key.Secret() != e.Secret || key.Type() != "totp" || key.Digits() != 6 || key.Period() != 30 || key.Algorithm() != otp.AlgorithmSHA1 {
			t.Errorf("the URI says something else: %s", e.URI)
		}
		if want := strings.ReplaceAll(product, ":", " "); key.Issuer() != want {
			t.Errorf("issuer %q, want %q", key.Issuer(), want)
		}
	})
}

func FuzzSixDigits(f *testing.F) {
	for _, s := range []string{"123456", " 123 456 ", "12345", "1234567", "١٢٣٤٥٦", "12 34 5\t6", strings.Repeat(" ", 100) + "123456"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := sixDigits(typed)
		if !ok {
			if code != "" {
				t.Errorf("%q gives %q", typed, code)
			}
			return
		}
		if len(code) != 6 || strings.Trim(code, "0123456789") != "" || strings.ReplaceAll(typed, " ", "") != code {
			t.Errorf("%q gives %q", typed, code)
		}
	})
}
