// Package token makes and reads opaque secrets: session tokens, access keys, one-time links. They mean nothing by
// themselves; whoever issues one stores its [Digest] and looks it up by that.
package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// A token is a prefix, and in base64url 32 random bytes with a checksum of prefix and bytes. The prefix lets secret
// scanners and people know one when they see it; the checksum refuses what was cut or mistyped without asking anybody.
const (
	secretBytes = 32
	rawBytes    = secretBytes + crc32.Size
	textBytes   = rawBytes * 8 / 6 // 36 bytes are 48 characters, no bit to spare: each token has one spelling
)

// Digest is the SHA-256 of a token's random bytes: what is stored and looked up. The time a lookup takes tells something
// of the digest at most, and nothing of the token.
type Digest [sha256.Size]byte

// New makes a token of 256 random bits.
func New(prefix string) (string, Digest) {
	var secret [secretBytes]byte
	_, _ = rand.Read(secret[:]) // never fails: the runtime ends the process instead
	return spell(prefix, secret)
}

func spell(prefix string, secret [secretBytes]byte) (string, Digest) {
	var raw [rawBytes]byte
	copy(raw[:], secret[:])
	binary.BigEndian.PutUint32(raw[secretBytes:], checksum(prefix, secret[:]))
	return prefix + base64.RawURLEncoding.EncodeToString(raw[:]), sha256.Sum256(secret[:])
}

// Derive makes the token that follows from a parent, by HMAC-SHA256 keyed with the parent's secret over purpose and salt: the
// same each time, and nothing to who has but one of parent and salt. It reports false for a parent that [Parse] refuses.
func Derive(prefix, purpose string, parentPrefix, parent string, salt []byte) (string, Digest, bool) {
	secret, ok := parse(parentPrefix, parent)
	if !ok {
		return "", Digest{}, false
	}
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte(purpose))
	mac.Write([]byte{0})
	mac.Write(salt)
	made, d := spell(prefix, [secretBytes]byte(mac.Sum(nil)))
	return made, d, true
}

// Parse reads what New makes with the same prefix, and nothing else. It allocates nothing.
func Parse(prefix, token string) (Digest, bool) {
	secret, ok := parse(prefix, token)
	if !ok {
		return Digest{}, false
	}
	return sha256.Sum256(secret[:]), true
}

func parse(prefix, token string) (secret [secretBytes]byte, ok bool) {
	if len(token) != len(prefix)+textBytes || token[:len(prefix)] != prefix {
		return secret, false
	}
	var text [textBytes]byte
	var raw [rawBytes]byte
	copy(text[:], token[len(prefix):])
	// Decode skips line ends, so a short count is the only sign of them.
	if n, err := base64.RawURLEncoding.Decode(raw[:], text[:]); err != nil || n != rawBytes {
		return secret, false
	}
	if binary.BigEndian.Uint32(raw[secretBytes:]) != checksum(prefix, raw[:secretBytes]) {
		return secret, false
	}
	return [secretBytes]byte(raw[:secretBytes]), true
}

// Bearer reads the token of an Authorization header as RFC 6750 has it, "Bearer …" in any case; false without one.
func Bearer(authorization string) (string, bool) {
	scheme, secret, _ := strings.Cut(authorization, " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "bearer") || secret == "" {
		return "", false
	}
	return secret, true
}

// checksum is the CRC-32 of prefix and secret, by hand: the library's takes slices, which would then be allocated.
func checksum(prefix string, secret []byte) uint32 {
	sum := ^uint32(0)
	for i := range len(prefix) {
		sum = crc32.IEEETable[byte(sum&0xff)^prefix[i]] ^ (sum >> 8)
	}
	for _, b := range secret {
		sum = crc32.IEEETable[byte(sum&0xff)^b] ^ (sum >> 8)
	}
	return ^sum
}
