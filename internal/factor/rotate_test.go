package factor

import (
	"testing"

	"github.com/backendbook/backendbook/internal/keyring"
)

// TestRotateKeys: after a rotation, which goes on beside others, the old key is needed for nothing.
func TestRotateKeys(t *testing.T) {
	t.Parallel()
	r := setUp(t)
	before, after := keyring.NewKey("before"), keyring.NewKey("after")
	use := func(keys string) {
		t.Helper()
		ring, err := keyring.Parse(keys)
		if err != nil {
			t.Fatal(err)
		}
		r.ring = ring
	}
	use(before)
	_, secret := r.enrol(t, ada)
	codes := r.codes(t, ada)
	r.enrol(t, bob)

	use(after + "," + before)
	n, err := r.RotateKeys(t.Context())
	if err != nil || n != 3 {
		t.Errorf("%d sealed anew, %v", n, err)
	}
	if n, err = r.RotateKeys(t.Context()); err != nil || n != 0 {
		t.Errorf("once more: %d, %v", n, err)
	}
	use(after)
	if _, err := r.UseRecoveryCode(t.Context(), ada, codes[0]); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
	if _, err := r.CheckTOTP(t.Context(), ada, r.code(t, secret, 1)); err != nil {
		t.Errorf("a code of the app: %v", err)
	}
	use(keyring.NewKey("another"))
	if _, err := r.RotateKeys(t.Context()); err == nil {
		t.Error("what no key opens is sealed anew")
	}
}
