package account

import (
	"bytes"
	"compress/gzip"
	_ "embed" // for the list
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// The bounds of a password, in characters. There are no rules on what the characters are.
const (
	MinPassword = 8
	MaxPassword = 128
)

// commonList is the list of what is guessed first: passwords and the words they are made of, folded, sorted, one in a
// line. scripts/passwords makes it of the lists of Django (BSD-3-Clause) and zxcvbn-ts (MIT) and of common.txt.
//
//go:embed common.txt.gz
var commonList []byte

// common gives the lines of commonList. It is unpacked once, when the first service is made (about 10 ms), and takes
// about 1.2 MB.
var common = sync.OnceValue(func() []string {
	r, err := gzip.NewReader(bytes.NewReader(commonList))
	if err != nil {
		panic("account: the embedded list of passwords is damaged: " + err.Error())
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic("account: the embedded list of passwords is damaged: " + err.Error())
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "#") })
})

const minContextWord = 4 // shorter words are in too many good passwords

// judge refuses passwords that are guessed first. It works offline: no part of a password is ever sent anywhere.
type judge struct {
	common  []string // sorted
	product string
}

func newJudge(product string) *judge {
	if product == "" {
		product = "backendbook"
	}
	return &judge{common: common(), product: fold(product)}
}

// check refuses a password for somebody of whom everybody knows these names and addresses, in their normal forms. One
// idea is behind all that it refuses: what everybody knows adds nothing, and the rest must still be long enough.
//
// Errors: PASSWORD_WEAK.
func (j *judge) check(password string, known ...string) error {
	weak := ErrPasswordWeak.On("input.password")
	n := utf8.RuneCountInString(password)
	if n < MinPassword || n > MaxPassword {
		return weak.Saying("the password must have %d to %d characters", MinPassword, MaxPassword)
	}
	p := fold(password)
	switch {
	case j.isCommon(p):
		return weak.Saying("this password is one of the first to be guessed")
	case isSequence(p), isRepeat(p):
		return weak.Saying("this password is a plain sequence or repetition")
	case j.isContext(p, known):
		return weak.Saying("this password is little more than your name, your address or the name of this product")
	}
	return nil
}

// isCommon finds p in the list: as it is, with digits read as the letters they stand for, and without the digits and
// marks people put around a word.
func (j *judge) isCommon(p string) bool {
	word := strings.TrimFunc(p, func(r rune) bool { return !unicode.IsLetter(r) })
	around := utf8.RuneCountInString(p) - utf8.RuneCountInString(word)
	return j.lists(p) || around < MinPassword && j.lists(word)
}

func (j *judge) lists(word string) bool {
	for _, w := range []string{word, unleet(word)} {
		if _, found := slices.BinarySearch(j.common, w); found {
			return true
		}
	}
	return false
}

func unleet(s string) string {
	return strings.Map(func(r rune) rune {
		if i := strings.IndexRune("013457@$!", r); i >= 0 {
			return rune("oieastasi"[i])
		}
		return r
	}, s)
}

// isSequence reports a run of neighbours, up or down: 12345678, hgfedcba.
func isSequence(p string) bool {
	r := []rune(p)
	if len(r) < 2 {
		return false
	}
	step := r[1] - r[0]
	for i := 1; i < len(r); i++ {
		if d := r[i] - r[i-1]; d != step || (d != 1 && d != -1) {
			return false
		}
	}
	return true
}

// isRepeat reports one short unit again and again: aaaaaaaa, abcabcabc.
func isRepeat(p string) bool {
	r := []rune(p)
	for unit := 1; unit < MinPassword && unit <= len(r)/2; unit++ {
		same := true
		for i := unit; i < len(r) && same; i++ {
			same = r[i] == r[i-unit]
		}
		if same {
			return true
		}
	}
	return false
}

// isContext reports a password that is too short without the product's name, the user's names, addresses and the words
// in them.
func (j *judge) isContext(p string, known []string) bool {
	words := []string{j.product}
	for _, w := range known {
		local, _, _ := strings.Cut(w, "@")
		words = append(words, w, local)
		words = append(words, strings.FieldsFunc(local, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	}
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // a part must not take its whole apart
	rest := p
	for _, w := range words {
		if utf8.RuneCountInString(w) >= minContextWord {
			rest = strings.ReplaceAll(rest, w, "")
		}
	}
	return rest != p && utf8.RuneCountInString(rest) < MinPassword
}
