package keyring_test

import (
	"testing"

	"github.com/backendbook/backendbook/internal/keyring"
)

func TestSign(t *testing.T) {
	t.Parallel()
	old, next := keyring.NewKey("old"), keyring.NewKey("next")
	parse := func(text string) *keyring.Ring {
		r, err := keyring.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	sig := parse(old).Sign("message", "place")
	for _, tc := range []struct {
		name                string
		ring                *keyring.Ring
		message, place, sig string
		want                bool
	}{
		{"as it was made", parse(old), "message", "place", sig, true},
		{"after the key was replaced", parse(next + "," + old), "message", "place", sig, true},
		{"when the key is gone", parse(next), "message", "place", sig, false},
		{"of another message", parse(old), "massage", "place", sig, false},
		{"at another place", parse(old), "message", "palace", sig, false},
		{"with a border moved", parse(old), "emessage", "plac", sig, false},
		{"of none", parse(old), "message", "place", "", false},
		{"of a key alone", parse(old), "message", "place", "old.", false},
		{"cut", parse(old), "message", "place", sig[:len(sig)-1], false},
		{"with more at the end", parse(old), "message", "place", sig + "A", false},
	} {
		if tc.ring.Verify(tc.message, tc.place, tc.sig) != tc.want {
			t.Errorf("%s: %t", tc.name, !tc.want)
		}
	}
}
