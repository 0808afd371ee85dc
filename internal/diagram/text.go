package diagram

import (
	"math"
	"strings"
	"unicode"
)

// clean is one line of text without what no line has: control characters, marks of direction, broken UTF-8.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.IsOneOf([]*unicode.RangeTable{unicode.Cs, unicode.Co}, r),
			r == 0xfffe, r == 0xffff:
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// em is the width of a character in thousandths of the size of the font, rather too much than too little: nobody knows
// what font the reader has.
func em(r rune) int {
	switch {
	case r >= 0x1100:
		return 1050
	case strings.ContainsRune("ijlI|.,:;'!`", r):
		return 320
	case strings.ContainsRune("frt()[]{}- *\"/", r):
		return 420
	case strings.ContainsRune("mwMW@%", r):
		return 930
	case unicode.IsUpper(r):
		return 720
	}
	return 600
}

// width is how much room a text takes, in pixels.
func width(s string, size int) int {
	sum := 0
	for _, r := range s {
		sum += em(r) * size
	}
	return (sum + 999) / 1000
}

// fit shortens a text to a width.
func fit(s string, size, most int) string {
	if width(s, size) <= most {
		return s
	}
	room := most*1000 - 1000*size
	for i, r := range s {
		if room -= em(r) * size; room < 0 {
			return strings.TrimRight(s[:i], " ") + "…"
		}
	}
	return s
}

// root is the square root, rounded.
func root(n int) int { return int(math.Round(math.Sqrt(float64(n)))) }
