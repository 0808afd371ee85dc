package session

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		token, d := newToken()
		if seen[token] || len(token) != tokenLen || !strings.HasPrefix(token, "bbs_") {
			t.Fatalf("newToken() = %s", token)
		}
		seen[token] = true
		raw, err := base64.RawURLEncoding.DecodeString(token[4:])
		if err != nil || len(raw) != 32 || digest(sha256.Sum256(raw)) != d {
			t.Fatalf("the digest is not that of the token's 256 bits: %v", err)
		}
		if got, ok := parseToken(token); !ok || got != d {
			t.Fatalf("parseToken(%s) = %x, %v; want %x", token, got, ok, d)
		}
	}
}

func TestTokenRefuses(t *testing.T) {
	t.Parallel()
	token, _ := newToken()
	last := token[:len(token)-1]
	zero := "bbs_" + strings.Repeat("A", 43)
	if _, ok := parseToken(zero); !ok {
		t.Fatal("the token the bad ones are made of is bad itself")
	}
	for name, s := range map[string]string{
		"empty":             "",
		"prefix alone":      "bbs_",
		"no prefix":         token[4:],
		"another prefix":    "bbk_" + token[4:],
		"capital prefix":    "BBS_" + token[4:],
		"one short":         last,
		"one more":          token + "A",
		"space around":      " " + token[:len(token)-1],
		"padding":           last + "=",
		"standard base64":   "bbs_" + strings.Repeat("A", 41) + "+/",
		"line end inside":   "bbs_" + strings.Repeat("A", 42) + "\n",
		"spare bits":        "bbs_" + strings.Repeat("A", 42) + "B",
		"NUL":               "bbs_" + strings.Repeat("A", 42) + "\x00",
		"look-alike":        "bbs_" + strings.Repeat("A", 40) + "А" + "A",
		"an id":             "0198c1a2-7d1e-7c3a-9f62-5f3c2b1a0d4e",
		"a megabyte":        token + strings.Repeat("A", 1<<20),
		"operator":          `{"$ne": null}`,
		"two tokens":        token + token,
		"the stored digest": "bbs_" + strings.Repeat("\xff", 43),
	} {
		if _, ok := parseToken(s); ok {
			t.Errorf("%s: parseToken(%.60q) took it", name, s)
		}
	}
}

// Not parallel: testing.AllocsPerRun counts the whole process.
func TestParseTokenAllocatesNothing(t *testing.T) {
	token, _ := newToken()
	if n := testing.AllocsPerRun(100, func() { parseToken(token) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzToken(f *testing.F) {
	token, _ := newToken()
	f.Add(token)
	f.Add("bbs_" + strings.Repeat("A", 42) + "B")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseToken(s)
		if !ok {
			return
		}
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(s, "bbs_"))
		if err != nil || len(raw) != 32 || d != sha256.Sum256(raw) || "bbs_"+base64.RawURLEncoding.EncodeToString(raw) != s {
			t.Errorf("parseToken(%q) took what newToken does not make", s)
		}
	})
}
