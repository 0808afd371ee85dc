package account

import (
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a password, in characters. There are no rules on what the characters are.
const (
	MinPassword = 8
	MaxPassword = 128
)

// commonText lists what is guessed first: passwords and the words they are made of, folded, one in a line.
//
//go:embed common.txt
var commonText string

const minContextWord = 4 // shorter words are in too many good passwords

// judge refuses passwords that are guessed first. It works offline, and reads its list once.
type judge struct {
	common  map[string]struct{}
	product string
}

func newJudge(product string) *judge {
	if product == "" {
		product = "backendbook"
	}
	j := &judge{common: map[string]struct{}{}, product: fold(product)}
	for line := range strings.Lines(commonText) {
		if w := strings.TrimSpace(line); w != "" && w[0] != '#' {
			j.common[w] = struct{}{}
		}
	}
	return j
}

// check refuses a password for the owner of that mail address (its normal form). One idea is behind all that it refuses:
// what everybody knows adds nothing, and the rest must still be long enough.
//
// Errors: PASSWORD_WEAK.
func (j *judge) check(password, emailKey string) error {
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
	case j.isContext(p, emailKey):
		return weak.Saying("this password is little more than your address or the name of this product")
	}
	return nil
}

// isCommon finds p in the list: as it is, with digits read as the letters they stand for, and without the digits and
// marks people put around a word.
func (j *judge) isCommon(p string) bool {
	word := strings.TrimFunc(p, func(r rune) bool { return !unicode.IsLetter(r) })
	around := utf8.RuneCountInString(p) - utf8.RuneCountInString(word)
	for _, w := range []string{p, unleet(p)} {
		if _, ok := j.common[w]; ok {
			return true
		}
	}
	if word == "" || around >= MinPassword {
		return false
	}
	for _, w := range []string{word, unleet(word)} {
		if _, ok := j.common[w]; ok {
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

// isContext reports a password that is too short without the product's name, the address or a word of its local part.
func (j *judge) isContext(p, emailKey string) bool {
	local, _, _ := strings.Cut(emailKey, "@")
	words := append([]string{j.product, emailKey, local}, strings.FieldsFunc(local, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})...)
	for _, w := range words {
		if utf8.RuneCountInString(w) < minContextWord {
			continue
		}
		if rest := strings.ReplaceAll(p, w, ""); rest != p && utf8.RuneCountInString(rest) < MinPassword {
			return true
		}
	}
	return false
}
