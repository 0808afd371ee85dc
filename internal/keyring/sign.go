package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// signKey derives the key that signs from one that seals, so that neither is used for two things.
func signKey(key []byte) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte("backendbook signing key")) // a hash never fails
	return h.Sum(nil)
}

// mac signs a message for a place. The place has a fixed length in front, so that no two pairs look the same.
func mac(key []byte, message, place string) []byte {
	at := sha256.Sum256([]byte(place))
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(at[:])
	_, _ = h.Write([]byte(message))
	return h.Sum(nil)
}

// Sign gives the signature (HMAC-SHA256) of a message that is not secret, for a place such as "attachment". It may stand in
// an address.
func (r *Ring) Sign(message, place string) string {
	return r.first + "." + base64.RawURLEncoding.EncodeToString(mac(r.signs[r.first], message, place))
}

// Verify reports whether a signature was made by Sign for the same message and place, with any key of the ring.
func (r *Ring) Verify(message, place, signature string) bool {
	id, text, _ := strings.Cut(signature, ".")
	key, known := r.signs[id]
	got, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return known && err == nil && hmac.Equal(got, mac(key, message, place))
}
