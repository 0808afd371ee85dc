package token

import (
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		tok, d := New("bbx_")
		if got, ok := Parse("bbx_", tok); !ok || got != d {
			t.Fatalf("Parse(New()) = %x, %t; want %x", got, ok, d)
		}
		if len(tok) != 52 || seen[tok] {
			t.Fatalf("token of %d characters, seen before: %t", len(tok), seen[tok])
		}
		seen[tok] = true
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tok, _ := New("bbx_")
	other, _ := New("bby_")
	flipped := []byte(tok)
	flipped[10] ^= 1
	for name, bad := range map[string]string{
		"empty": "", "prefix alone": "bbx_", "cut": tok[:len(tok)-1], "longer": tok + "A", "another prefix": other,
		"under a foreign prefix": "bbx_" + other[4:], "mistyped": string(flipped), "line end": tok[:20] + "\n" + tok[21:],
		"other alphabet": tok[:20] + "+" + tok[21:], "upper prefix": strings.ToUpper(tok[:4]) + tok[4:],
	} {
		if _, ok := Parse("bbx_", bad); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	tok, _ := New("bbx_")
	if n := testing.AllocsPerRun(100, func() { _, _ = Parse("bbx_", tok) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	tok, _ := New("bbx_")
	f.Add(tok)
	f.Add("")
	f.Add("bbx_" + strings.Repeat("A", 48))
	f.Fuzz(func(t *testing.T, s string) {
		if _, ok := Parse("bbx_", s); ok && len(s) != 52 {
			t.Errorf("accepted %d bytes", len(s))
		}
	})
}
