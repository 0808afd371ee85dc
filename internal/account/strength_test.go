package account

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/fault"
)

// Long passwords, spaces and emoji are taken, common ones and what everybody knows are not.
func TestReq11And12Judge(t *testing.T) {
	t.Parallel()
	j := newJudge("")
	// "aé" again and again would be a repetition; this is 128 different characters.
	var many strings.Builder
	for i := range rune(128) {
		many.WriteRune(0x4e00 + i*7)
	}
	for _, tc := range []struct {
		name, password string
		ok             bool
	}{
		{"a sentence", goodPassword, true},
		{"spaces around count", "  x7 q  p", true},
		{"emoji", "🐢🦊🐙🦉🐝🦜🐳🦔", true},
		{"eight characters of four bytes", "𝒜𝒞𝒟𝒢𝒥𝒦𝒩𝒪", true},
		{"64 characters", strings.Repeat("correct horse batt", 4)[:64], true},
		{"128 characters", many.String(), true},
		{"no rules on characters", "gxkwzvqm", true},
		{"a common word in a long password", "monkey-83651904276", true},
		{"quotes and dollars", `{"$ne": ""} or 1=1`, true},

		{"empty", "", false},
		{"seven characters", "gxkwzvq", false},
		{"seven characters of many bytes", "🐢🦊🐙🦉🐝🦜🐳", false},
		{"129 characters", many.String() + "x", false},
		{"in the list", "trustno1", false},
		{"in the list, in capitals", "PassWord", false},
		{"in the list, full width", "ｐａｓｓｗｏｒｄ", false},
		{"in the list with digits", "Sunshine1987", false},
		{"in the list with marks around", "!dragon2024!", false},
		{"in the list with digits for letters", "p@$$w0rd", false},
		{"digits for letters and digits behind", "P4ssw0rd!12", false},
		{"digits only, in the list", "147258369", false},
		{"keyboard walk", "qwertyuiop", false},
		{"keyboard columns", "1qaz2wsx3edc", false},
		{"ascending", "23456789", false},
		{"descending letters", "zyxwvuts", false},
		{"one character", "eeeeeeeeeeee", false},
		{"a unit again and again", "xk7xk7xk7xk7", false},
		{"a unit and a half", "xk7zxk7zxk", false},
		{"product", "BackendBook1!", false},
		{"the product in a sentence", "my backendbook is full of pages", true},
		{"address", "Ada.Lovelace@example.org", false},
		{"local part", "ada.lovelace7", false},
		{"a word of the local part", "Lovelace1815", false},
		{"a word of the local part in a sentence", "lovelace met babbage in june", true},
		{"a short word of the local part", "adagxkwz", true},
		{"username", "Countess1815", false},
		{"a word of the name", "king-noel1835", false},
		{"the username in a sentence", "the countess owns no horses", true},
		{"in the long list", "1qazxsw23edcvfr4", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := j.check(tc.password, "ada.lovelace@example.org", "countess", "ada king-noel")
			if tc.ok && err != nil || !tc.ok && !errors.Is(err, ErrPasswordWeak) {
				t.Fatalf("check(%q) = %v, want ok %v", tc.password, err, tc.ok)
			}
			if err != nil && (fault.From(err).Field != "input.password" || (tc.password != "" && strings.Contains(err.Error(), tc.password))) {
				t.Errorf("the error blames %q and says %q", fault.From(err).Field, err)
			}
		})
	}
}

func TestJudgeWithAnotherProduct(t *testing.T) {
	t.Parallel()
	if err := newJudge("Quuxelwurst").check("quuxelwurst99", "ada@example.org"); !errors.Is(err, ErrPasswordWeak) {
		t.Errorf("the name of the product is a password: %v", err)
	}
}

// The list is offline and long, and each line of it can match.
func TestReq12CommonList(t *testing.T) {
	t.Parallel()
	lines := common()
	if n := len(lines); n < 40000 || len(commonList) > 400<<10 {
		t.Errorf("%d entries in %d bytes", n, len(commonList))
	}
	if !slices.IsSorted(lines) || len(slices.Compact(slices.Clone(lines))) != len(lines) {
		t.Error("the list is not sorted, or holds something twice")
	}
	whole := 0
	for _, l := range lines {
		n := utf8.RuneCountInString(l)
		first, _ := utf8.DecodeRuneInString(l)
		last, _ := utf8.DecodeLastRuneInString(l)
		if l != fold(l) || strings.TrimSpace(l) != l || n < 4 || (n < MinPassword && (!unicode.IsLetter(first) || !unicode.IsLetter(last))) {
			t.Errorf("the line %q can never match, or is too short to mean anything", l)
		}
		if n >= MinPassword {
			whole++
			if err := newJudge("").check(l); utf8.RuneCountInString(l) <= MaxPassword && !errors.Is(err, ErrPasswordWeak) {
				t.Errorf("check(%q) = %v", l, err)
			}
		}
	}
	if whole < 20000 {
		t.Errorf("only %d of them are whole passwords", whole)
	}
}

// Our own words are in the list, or scripts/passwords was not run after they changed.
func TestOwnWordsAreInTheList(t *testing.T) {
	t.Parallel()
	own, err := os.ReadFile("common.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for l := range strings.Lines(string(own)) {
		if l = strings.TrimSuffix(l, "\n"); strings.HasPrefix(l, "#") {
			continue
		}
		n++
		first, _ := utf8.DecodeRuneInString(l)
		if _, found := slices.BinarySearch(common(), l); !found && (utf8.RuneCountInString(l) >= MinPassword || unicode.IsLetter(first)) {
			t.Errorf("%q is missing: run scripts/passwords", l)
		}
	}
	if n < 1000 {
		t.Errorf("%d words of our own", n)
	}
}

func BenchmarkJudge(b *testing.B) {
	j := newJudge("")
	for b.Loop() {
		_ = j.check(goodPassword, "ada.lovelace@example.org", "ada", "ada lovelace")
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("P@ssw0rd!", "ada@example.org")
	f.Add("\xff\xfe\xfd12345678", "@")
	f.Add("\u0345\u0130\uFDFA\uFDFAxx", "ab\u0345cd")
	j := newJudge("")
	f.Fuzz(func(t *testing.T, password, key string) {
		err := j.check(password, key)
		if n := utf8.RuneCountInString(password); err == nil && (n < MinPassword || n > MaxPassword) {
			t.Errorf("%q of %d characters was taken", password, n)
		}
	})
}
