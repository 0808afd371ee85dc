package factor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMakeRecoveryCodes(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	codes := r.codes(t, ada)
	form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$`)
	if len(codes) != 10 || len(slices.Compact(slices.Sorted(slices.Values(codes)))) != 10 {
		t.Fatalf("codes: %d", len(codes))
	}
	for _, c := range codes {
		if !form.MatchString(c) {
			t.Errorf("code %q", c)
		}
	}
	if n := r.left(t, ada); n != 10 {
		t.Errorf("%d left", n)
	}
	r.tells(t, kindSetMade, ref.New(ref.User, ada), `{"count": {"$numberInt":"10"}}`)
}

func TestReq36OneRecoveryCodeOneSuccess(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	codes := r.codes(t, ada)
	won := race(t, 20, ErrCode, func(int) error {
		_, err := r.UseRecoveryCode(t.Context(), ada, codes[0])
		return err
	})
	if n := r.left(t, ada); won != 1 || n != 9 {
		t.Errorf("%d of 20 with one code, %d left", won, n)
	}
	r.tells(t, kindCodeUsed, ref.New(ref.User, ada), `{"left": {"$numberInt":"9"}}`)
	// Different codes at once all count, each once.
	won = race(t, 18, ErrCode, func(i int) error {
		_, err := r.UseRecoveryCode(t.Context(), ada, codes[1+i/2])
		return err
	})
	if n := r.left(t, ada); won != 9 || n != 0 {
		t.Errorf("%d of 18 with nine codes, %d left", won, n)
	}
	if _, err := r.UseRecoveryCode(t.Context(), ada, codes[0]); !errors.Is(err, ErrCode) {
		t.Errorf("of an empty set: %v", err)
	}
}

func TestReq36CodesAreHashedAndReplaced(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	old := r.codes(t, ada)
	for _, c := range old {
		plain := strings.ReplaceAll(c, "-", "")
		bare := sha256.Sum256([]byte(plain))
		for _, secret := range []string{c, plain, string(bare[:])} {
			if r.holds(t, recoveries, secret) || r.holds(t, "events", secret) {
				t.Fatal("the database holds a code, or a hash that needs no key")
			}
		}
	}
	fresh := r.codes(t, ada)
	if _, err := r.UseRecoveryCode(t.Context(), ada, old[0]); !errors.Is(err, ErrCode) {
		t.Errorf("a code of the old set: %v", err)
	}
	if n, err := r.UseRecoveryCode(t.Context(), ada, fresh[0]); err != nil || n != 9 {
		t.Errorf("a code of the new set: %d, %v", n, err)
	}
	set, _, err := r.store.recovery(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ring.Open(set.Key, recoveryPlace(bob)); err == nil {
		t.Error("the key opens in another's place")
	}
}

func TestUseRecoveryCodeRefuses(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	codes := r.codes(t, ada)
	bobs := r.codes(t, bob)
	for what, use := range map[string][2]string{
		"another's": {ada, bobs[0]}, "nobody's": {"nobody", codes[0]}, "malformed": {ada, "nothing"}, "empty": {ada, ""},
		"unknown": {ada, "00000-00000"}, "two": {ada, codes[0] + codes[1]},
	} {
		if _, err := r.UseRecoveryCode(t.Context(), use[0], use[1]); !errors.Is(err, ErrCode) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if r.left(t, ada) != 10 || r.left(t, bob) != 10 || r.left(t, "nobody") != 0 || len(r.told(t, kindCodeUsed)) != 0 {
		t.Error("a refused code changed something")
	}
}

func TestUseRecoveryCodeJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	codes, wrong := r.codes(t, ada), errors.New("the flow goes wrong later")
	err := r.inTx(t, wrong, func(ctx context.Context) error {
		n, err := r.UseRecoveryCode(ctx, ada, codes[0])
		if err == nil && n != 9 {
			err = fmt.Errorf("%d left", n)
		}
		return err
	})
	if !errors.Is(err, wrong) || r.left(t, ada) != 10 || len(r.told(t, kindCodeUsed)) != 0 {
		t.Errorf("the transaction ended with %v and left something", err)
	}
}

func TestNormalRecoveryCode(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"0123456789":              "0123456789",
		"abcde-fghjk":             "ABCDEFGHJK",
		"AB CDE FG HJK":           "ABCDEFGHJK",
		"ABCDE\tFGHJK":            "",
		"oOiIl-L2345":             "0011112345",
		"a-b-c-d-e-f-g-h-j-k":     "ABCDEFGHJK",
		"ABCDEFGHJU":              "", // U is in no code
		"ABCDEFGHJ":               "",
		"ABCDEFGHJKM":             "",
		"ABCDE_FGHJK":             "",
		"ABCDEFGHJ\x00":           "",
		"ſBCDEFGHJK":              "", // upper case S, for Unicode
		strings.Repeat("-", 50):   "",
		strings.Repeat(" ", 9000): "",
	} {
		if got, ok := normalRecoveryCode(typed); ok != (want != "") || (ok && got != want) {
			t.Errorf("%q gives %q, %v", typed, got, ok)
		}
	}
}

func FuzzNormalRecoveryCode(f *testing.F) {
	for _, s := range []string{"ABCDE-FGHJK", "oil00-00000", "", "-----", "ABCDEFGHJKM", "\xff\xfe", "ＡＢＣＤＥＦＧＨＪＫ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := normalRecoveryCode(typed)
		if !ok {
			return
		}
		if len(code) != recoverySymbols || strings.Trim(code, crockford) != "" {
			t.Errorf("%q gives %q", typed, code)
		}
		for _, same := range []string{code, strings.ToLower(code), code[:5] + "-" + code[5:], " " + code + " "} {
			if again, ok := normalRecoveryCode(same); !ok || again != code {
				t.Errorf("%q gives %q, not %q", same, again, code)
			}
		}
	})
}

// Recovery codes stand in for a factor: with the last one they go.
func TestRemoveVoidsRecoveryCodes(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	one, _ := r.enrol(t, ada)
	two := r.register(t, ada, newDevice())
	codes := r.codes(t, ada)
	if _, err := r.Remove(t.Context(), ada, one.ID); err != nil || r.left(t, ada) != 10 {
		t.Fatalf("with one left: %v, %d codes", err, r.left(t, ada))
	}
	if _, err := r.UseRecoveryCode(t.Context(), ada, codes[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Remove(t.Context(), ada, two.ID); err != nil || r.left(t, ada) != 0 {
		t.Fatalf("with none left: %v, %d codes", err, r.left(t, ada))
	}
	if _, err := r.UseRecoveryCode(t.Context(), ada, codes[1]); !errors.Is(err, ErrCode) {
		t.Errorf("a void code: %v", err)
	}
	r.tells(t, kindSetVoided, ref.New(ref.User, ada), `{"left": {"$numberInt":"9"}}`)
}

func TestRemoveTheLastTwoAtOnce(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	for range 5 {
		one, _ := r.enrol(t, ada)
		two := r.register(t, ada, newDevice())
		r.codes(t, ada)
		race(t, 2, nil, func(i int) error {
			_, err := r.Remove(t.Context(), ada, []string{one.ID, two.ID}[i])
			return err
		})
		if n := r.left(t, ada); n != 0 {
			t.Fatalf("no factor and %d recovery codes", n)
		}
	}
}

func TestRecoveryKeyLost(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	codes := r.codes(t, ada)
	set, _, err := r.store.recovery(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	set.Key = []byte("garbage")
	if err := r.store.putRecovery(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	if _, err := r.UseRecoveryCode(t.Context(), ada, codes[0]); fault.From(err).Kind != fault.Internal {
		t.Errorf("UseRecoveryCode() = %v", err)
	}
	if n := storetest.Count(t, r.db, "events"); n != 1 { // of the set
		t.Errorf("%d events", n)
	}
}

func TestRecoveryCodesAreUniform(t *testing.T) {
	t.Parallel()
	seen := map[rune]int{}
	for range 2000 {
		for _, c := range newRecoveryCode() {
			seen[c]++
		}
	}
	for _, c := range crockford { // 625 expected each, standard deviation 25
		if n := seen[c]; n < 425 || n > 825 {
			t.Errorf("%c came %d times", c, n)
		}
	}
}
