package label

import (
	"errors"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, want string
		good       bool
	}{
		{" Ada ", "Ada", true},
		{strings.Repeat("ä", 10), strings.Repeat("ä", 10), true},
		{strings.Repeat("ä", 11), "", false},
		{"  ", "", false},
		{"a\nb", "", false},
		{"a\u202eb", "", false},
		{"a\u2028b", "", false},
		{"a\xffb", "", false},
	} {
		got, err := Check(tc.name, 10)
		if got != tc.want || (err == nil) != tc.good || err != nil && (!errors.Is(err, fault.ErrInput) || fault.From(err).Field != "input.name") {
			t.Errorf("Check(%q) = %q, %v", tc.name, got, err)
		}
	}
}
