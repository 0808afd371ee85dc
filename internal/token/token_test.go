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

// What is derived is the same each time, another for each purpose, salt and parent, and a token like any other. It is pinned:
// tokens derived by an older version of the server must stay good.
func TestDerive(t *testing.T) {
	t.Parallel()
	parent, own := New("bbr_")
	other, _ := New("bbr_")
	salt := []byte("0123456789abcdef")
	derive := func(prefix, purpose, parent string, salt []byte) string {
		t.Helper()
		tok, d, ok := Derive(prefix, purpose, "bbr_", parent, salt)
		if read, good := Parse(prefix, tok); !ok || !good || read != d || d == own {
			t.Fatalf("Derive() = %t; as a token %t, its digest %t", ok, good, read == d)
		}
		return tok
	}
	first := derive("bbs_", "access", parent, salt)
	if derive("bbs_", "access", parent, salt) != first {
		t.Error("the second time another")
	}
	seen := map[string]string{first[4:]: "the first", parent[4:]: "the parent"}
	for what, tok := range map[string]string{
		"another purpose": derive("bbs_", "refresh", parent, salt),
		"another salt":    derive("bbs_", "access", parent, salt[1:]),
		"no salt":         derive("bbs_", "access", parent, nil),
		"another parent":  derive("bbs_", "access", other, salt),
		"salt in purpose": derive("bbs_", "access0", parent, salt[1:]),
	} {
		if was, ok := seen[tok[4:]]; ok {
			t.Errorf("%s gives the same as %s", what, was)
		}
		seen[tok[4:]] = what
	}
	fixed, _ := spell("bbr_", [secretBytes]byte{1, 2, 3})
	// Python: hmac.new(bytes([1, 2, 3]) + bytes(29), b"access\0" + salt, "sha256"), and the CRC-32 of "bbs_" and that.
	if tok := derive("bbs_", "access", fixed, salt); tok != "bbs_7YU91tnpt623lnnszDPnvbs1xzEAU_FP9ueZwEKE7Z7AVIzr" {
		t.Errorf("Derive() = %q", tok)
	}
}

func TestDeriveRefuses(t *testing.T) {
	t.Parallel()
	parent, _ := New("bbr_")
	for name, bad := range map[string]string{"empty": "", "cut": parent[:51], "another kind": "bbs_" + parent[4:], "mistyped": parent[:51] + "!"} {
		if tok, d, ok := Derive("bbs_", "access", "bbr_", bad, nil); ok || tok != "" || d != (Digest{}) {
			t.Errorf("%s: Derive() = %q, %t", name, tok, ok)
		}
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

func TestBearer(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Bearer a": "a", "bearer  a ": "a", "BEARER a": "a", "": "", "Bearer": "", "Bearer ": "", "Basic a": "", "a": "",
	} {
		if got, ok := Bearer(in); got != want || ok != (want != "") {
			t.Errorf("Bearer(%q) = %q, %t", in, got, ok)
		}
	}
}
