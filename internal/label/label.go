// Package label is about the texts people name things with: one line that is what it looks like.
package label

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/fault"
)

// Check gives a name without the space around it, if it has 1 to most characters and none that cannot be seen for what
// it does. It blames the input "input.name".
//
// Errors: BAD_USER_INPUT.
func Check(name string, most int) (string, error) {
	name = strings.TrimSpace(name)
	n := utf8.RuneCountInString(name)
	if n < 1 || n > most || !utf8.ValidString(name) {
		return "", fault.ErrInput.Saying("the name must have 1 to %d characters", most).On("input.name")
	}
	if strings.ContainsFunc(name, IsUnprintable) {
		return "", fault.ErrInput.Saying("the name must not hold control characters").On("input.name")
	}
	return name, nil
}

// IsUnprintable covers controls, line ends and the marks that turn the direction of the text around them.
func IsUnprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}
