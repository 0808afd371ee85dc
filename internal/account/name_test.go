package account

import (
	"errors"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/label"
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
			got, err := label.Check(tc.in, MaxName)
			if got != tc.want || (tc.want == "") != errors.Is(err, fault.ErrInput) {
				t.Errorf("label.Check(%q) = %q, %v; want %q", tc.in, got, err, tc.want)
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

func TestUsernameKey(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in, want string
	}{
		{"plain", "ada", "ada"},
		{"case", "Ada.Lovelace_1815-x", "ada.lovelace_1815-x"},
		{"full width letters", "ａｄａ", "ada"},
		{"space around", " ada ", "ada"},
		{"as long as may be", strings.Repeat("a", MaxUsername), strings.Repeat("a", MaxUsername)},
		{"too long", strings.Repeat("a", MaxUsername+1), ""},
		{"too long to be folded", strings.Repeat("a", 1<<20), ""},
		{"too short", "ad", ""},
		{"empty", "", ""},
		{"an address", "ada@example.org", ""},
		{"a look-alike at", "ada\uFF20x", ""},
		{"Cyrillic look-alike", "аda", ""},
		{"umlaut", "jürgen", ""},
		{"space inside", "ada lovelace", ""},
		{"leading dash", "-ada", ""},
		{"leading dot", ".ada", ""},
		{"only digits", "1815", "1815"},
		{"zero width space", "ad\u200ba", ""},
		{"NUL", "ada\x00", ""},
		{"invalid UTF-8", "ada\xff", ""},
		{"operator", `{"$ne":""}`, ""},
		{"path", "ada/../bob", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := UsernameKey(tc.in)
			if got != tc.want || (tc.want == "") != errors.Is(err, ErrUsername) {
				t.Errorf("UsernameKey(%q) = %q, %v; want %q", tc.in, got, err, tc.want)
			}
		})
	}
}

func FuzzUsernameKey(f *testing.F) {
	for _, s := range []string{"ada", "ＡDA", "\u0130stanbul", "\u212Aelvin", "a\uFDFA", "ﬃce", "a.b-c_d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := UsernameKey(s)
		if err != nil {
			return
		}
		if again, err := UsernameKey(key); err != nil || again != key {
			t.Errorf("UsernameKey(%q) = %q, whose own key is %q, %v", s, key, again, err)
		}
		if len(key) < MinUsername || len(key) > MaxUsername || strings.ContainsFunc(key, isNoUsername) {
			t.Errorf("UsernameKey(%q) = %q", s, key)
		}
	})
}

func TestTakeUsername(t *testing.T) {
	t.Parallel()
	if written, key, err := takeUsername(" Ada.L "); written != "Ada.L" || key != "ada.l" || err != nil {
		t.Errorf("takeUsername() = %q, %q, %v", written, key, err)
	}
	if written, key, err := takeUsername(""); written != "" || key != "" || err != nil {
		t.Errorf("no username: %q, %q, %v", written, key, err)
	}
	for _, s := range []string{"admin", "ＲＯＯＴ", "Support", " ", "a@b.io"} {
		if _, _, err := takeUsername(s); !errors.Is(err, ErrUsername) || fault.From(err).Field != "input.username" {
			t.Errorf("takeUsername(%q) = %v", s, err)
		}
	}
	for _, s := range reserved {
		if key, err := UsernameKey(s); err != nil || key != s {
			t.Errorf("nobody can ask for %q: %v", s, err)
		}
	}
}

func TestCheckLocale(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, want string
		ok       bool
	}{
		{"", "", true},
		{"de", "de", true},
		{"DE_ch", "de-CH", true},
		{"zh-hant-tw", "zh-Hant-TW", true},
		{"iw", "he", true}, // an old code of Hebrew
		{"xx-yy-zz-qq", "", false},
		{"english", "", false},
		{"de\n", "", false},
		{"en-" + strings.Repeat("a-", 40), "", false},
		{strings.Repeat("-", 1<<20), "", false},
	} {
		got, err := checkLocale(tc.in)
		if got != tc.want || (err == nil) != tc.ok || (err != nil && fault.From(err).Field != "input.locale") {
			t.Errorf("checkLocale(%.40q) = %q, %v; want %q", tc.in, got, err, tc.want)
		}
	}
}

func FuzzLocale(f *testing.F) {
	for _, s := range []string{"de-CH", "iw", "zh-Hant-TW", "x-private", "en-u-co-phonebk", "i-klingon"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tag, err := checkLocale(s)
		if err != nil || tag == "" {
			return
		}
		if again, err := checkLocale(tag); err != nil || again != tag || len(tag) > maxLocale {
			t.Errorf("checkLocale(%q) = %q, whose own form is %q, %v", s, tag, again, err)
		}
	})
}

func TestCheckTerms(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a\nb", "a\xff", strings.Repeat("1", MaxTerms+1)} {
		if err := checkTerms(s); !errors.Is(err, fault.ErrInput) {
			t.Errorf("checkTerms(%q) = %v", s, err)
		}
	}
	if err := checkTerms("2026-01"); err != nil {
		t.Error(err)
	}
}
