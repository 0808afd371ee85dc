package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSealOpen(t *testing.T) {
	t.Parallel()
	r := Random()
	for _, plain := range [][]byte{nil, []byte("seed"), bytes.Repeat([]byte{0}, 10_000)} {
		sealed := r.Seal(plain, "factors/1/seed")
		got, err := r.Open(sealed, "factors/1/seed")
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Open(Seal(%d bytes)) = %d bytes, %v", len(plain), len(got), err)
		}
		if len(plain) > 0 && bytes.Contains(sealed, plain) {
			t.Error("the plain text shows")
		}
		if bytes.Equal(sealed, r.Seal(plain, "factors/1/seed")) {
			t.Error("sealing twice gives the same")
		}
		if _, err := r.Open(sealed, "factors/2/seed"); !errors.Is(err, ErrUnseal) {
			t.Errorf("at another place: %v", err)
		}
		for i := range sealed[:min(len(sealed), 64)] {
			bad := bytes.Clone(sealed)
			bad[i] ^= 0x40
			if _, err := r.Open(bad, "factors/1/seed"); !errors.Is(err, ErrUnseal) {
				t.Errorf("byte %d changed: %v", i, err)
			}
		}
	}
}

func TestReplacingAKey(t *testing.T) {
	t.Parallel()
	old, next := NewKey("a"), NewKey("b")
	before, err := Parse(old)
	if err != nil {
		t.Fatal(err)
	}
	sealed := before.Seal([]byte("x"), "p")
	both, err := Parse(next + ", " + old)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := both.Open(sealed, "p"); err != nil || string(got) != "x" {
		t.Errorf("the old key no longer opens: %q, %v", got, err)
	}
	if _, err := before.Open(both.Seal([]byte("x"), "p"), "p"); !errors.Is(err, ErrUnseal) {
		t.Errorf("the ring still seals with the old key: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := NewKey("a")
	for _, text := range []string{"", "a", "a:", "a:AAAA", ":" + strings.TrimPrefix(good, "a:"), "A" + good[1:], good + "," + good, good + ",", strings.Repeat("k", 17) + good[1:]} {
		if _, err := Parse(text); !errors.Is(err, ErrKeys) || strings.Contains(fmt.Sprint(err), good[2:]) {
			t.Errorf("Parse() = %v", err)
		}
	}
}

func TestPrintsNoKey(t *testing.T) {
	t.Parallel()
	text := NewKey("a")
	r, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", r, r, r, r); strings.Contains(s, text[2:10]) || !strings.Contains(s, "sealing with a") {
		t.Error(s)
	}
}

func FuzzOpen(f *testing.F) {
	r := Random()
	f.Add(r.Seal([]byte("x"), "p"), "q")
	f.Add([]byte{1, 255}, "p")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, sealed []byte, place string) {
		if plain, err := r.Open(sealed, place); err == nil {
			t.Errorf("opened to %d bytes", len(plain))
		}
	})
}
