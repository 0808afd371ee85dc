package account

import (
	"errors"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
)

func TestEmailKey(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", MaxEmail-len("@x.io"))
	for _, tc := range []struct {
		name, in, want string
	}{
		{"plain", "ada@example.org", "ada@example.org"},
		{"case", "Ada@EXAMPLE.org", "ada@example.org"},
		{"space around", " ada@example.org\n", "ada@example.org"},
		{"full width letters", "ａｄａ@example.org", "ada@example.org"},
		{"ligature", "o\ufb03ce@example.org", "office@example.org"},
		{"kelvin sign", "\u212Aelvin@example.org", "kelvin@example.org"},
		{"sharp s", "Stra\u00DFe@example.org", "strasse@example.org"},
		{"composed and decomposed", "e\u0301@example.org", "\u00e9@example.org"},
		{"final sigma", "ΟΔΟΣ@example.org", "οδοσ@example.org"},
		{"plus stays", "ada+news@example.org", "ada+news@example.org"},
		{"as long as may be", long + "@x.io", long + "@x.io"},
		{"too long", long + "a@x.io", ""},
		{"empty", "", ""},
		{"no at", "ada.example.org", ""},
		{"two at", "ada@b@example.org", ""},
		{"a look-alike at", "ada\uFF20example.org", ""},
		{"a second at by folding", "ada\uFE6B@example.org", ""},
		{"display name", "Ada <ada@example.org>", ""},
		{"angle brackets", "<ada@example.org>", ""},
		{"comment", "ada@example.org (Ada)", ""},
		{"quoted", `"ada"@example.org`, ""},
		{"quoted space", `"a d a"@example.org`, ""},
		{"address literal", "ada@[127.0.0.1]", ""},
		{"dots", "ada..l@example.org", ""},
		{"two addresses", "ada@example.org,eve@example.org", ""},
		{"header injection", "ada@example.org\r\nBcc: eve@example.org", ""},
		{"zero width space", "ada\u200b@example.org", ""},
		{"soft hyphen", "a\u00adda@example.org", ""},
		{"right to left override", "\u202eada@example.org", ""},
		{"hangul filler", "ada\u3164@example.org", ""},
		{"variation selector", "ada\ufe0f@example.org", ""},
		{"NUL", "ada\x00@example.org", ""},
		{"invalid UTF-8", "ada\xff@example.org", ""},
		{"operator", `{"$ne":""}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := EmailKey(tc.in)
			if got != tc.want || (tc.want == "") != errors.Is(err, ErrEmailInvalid) {
				t.Errorf("EmailKey(%q) = %q, %v; want %q", tc.in, got, err, tc.want)
			}
		})
	}
}

func FuzzEmailKey(f *testing.F) {
	for _, s := range []string{"ada@example.org", "Ａ\u0345@ß.io", "a@\u1E9E.io", "ﬃ@x.io", "\u0130@x.io", "ada\uFE6Bb", "\u03d2\u0301@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := EmailKey(s)
		if err != nil {
			return
		}
		again, err := EmailKey(key)
		if err != nil || again != key {
			t.Errorf("EmailKey(%q) = %q, whose own key is %q, %v", s, key, again, err)
		}
		if upper, err := EmailKey(strings.ToLower(key)); err == nil && upper != key {
			t.Errorf("case makes a difference: %q and %q", key, upper)
		}
		if len(key) > MaxEmail || strings.Count(key, "@") != 1 {
			t.Errorf("EmailKey(%q) = %q", s, key)
		}
	})
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in, want string
	}{
		{"plain", "Ada Lovelace", "Ada Lovelace"},
		{"trimmed", "\t Ada \n", "Ada"},
		{"not Latin", "গীতাঞ্জলি", "গীতাঞ্জলি"},
		{"emoji of several runes", "👩‍🔬", "👩‍🔬"},
		{"100 characters of four bytes", strings.Repeat("𝒜", 100), strings.Repeat("𝒜", 100)},
		{"101 characters", strings.Repeat("a", 101), ""},
		{"nothing", "", ""},
		{"only space", " \u00a0\u2003", ""},
		{"line end", "Ada\nLovelace", ""},
		{"escape", "Ada\x1b[31m", ""},
		{"line separator", "Ada\u2028Lovelace", ""},
		{"direction override", "Ada\u202eecalevoL", ""},
		{"invalid UTF-8", "Ada\xff", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := checkName(tc.in)
			if got != tc.want || (tc.want == "") != errors.Is(err, fault.ErrInput) {
				t.Errorf("checkName(%q) = %q, %v; want %q", tc.in, got, err, tc.want)
			}
		})
	}
}

func TestNameKeyFitsACursor(t *testing.T) {
	t.Parallel()
	if k := nameKey(strings.Repeat("\uFDFA", 100)); len([]rune(k)) != MaxName { // one character that folds to 18
		t.Errorf("the key has %d characters", len([]rune(k)))
	}
	if nameKey("Ada") != nameKey("ａＤＡ") {
		t.Error("names sort by how they are written")
	}
}
