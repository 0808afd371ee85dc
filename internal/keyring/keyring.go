// Package keyring seals the few secrets that must be read back: seeds of authenticator apps, mails on their way. Whoever
// has the database alone reads none of them.
//
// A sealed value is AES-256-GCM with a random nonce: version, length and id of the key, nonce, ciphertext. It is bound to
// its place, such as "factors/<id>/seed", so that it cannot be moved to another record. A ring has one key that seals and
// any number that still open, which is how a key is replaced. A ring also signs what it need not hide: see [Ring.Sign].
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Errors of a ring. None of them says more: the value is a secret.
var (
	ErrKeys   = errors.New("keyring: want id:key[,id:key…], each key 32 bytes in base64 and each id 1 to 16 of a-z, 0-9, dash")
	ErrUnseal = errors.New("keyring: a sealed value does not open: its key is not in the ring, or it was damaged or moved")
)

const (
	version  = 1
	keyBytes = 32
)

// Ring seals and opens. It is immutable and safe for concurrent use.
type Ring struct {
	first string // id of the key that seals
	keys  map[string]cipher.AEAD
	signs map[string][]byte
}

var keyID = regexp.MustCompile(`^[a-z0-9-]{1,16}$`)

// Parse reads "id:key[,id:key…]" with keys in standard base64. The first seals, all open.
//
// Errors: ErrKeys.
func Parse(text string) (*Ring, error) {
	r := &Ring{keys: map[string]cipher.AEAD{}, signs: map[string][]byte{}}
	for part := range strings.SplitSeq(text, ",") {
		id, b64, _ := strings.Cut(strings.TrimSpace(part), ":")
		key, err := base64.StdEncoding.DecodeString(b64)
		if err != nil || len(key) != keyBytes || !keyID.MatchString(id) || r.keys[id] != nil {
			return nil, ErrKeys
		}
		r.add(id, key)
	}
	return r, nil
}

// NewKey makes a key in the form [Parse] reads.
func NewKey(id string) string {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails: the runtime ends the process instead
	return id + ":" + base64.StdEncoding.EncodeToString(key)
}

// Random is a ring with a new key, for tests.
func Random() *Ring {
	r, err := Parse(NewKey("test"))
	if err != nil {
		panic(err)
	}
	return r
}

func (r *Ring) add(id string, key []byte) {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length was checked
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	if r.first == "" {
		r.first = id
	}
	r.keys[id] = aead
	r.signs[id] = signKey(key)
}

// Seal encrypts plain for a place.
func (r *Ring) Seal(plain []byte, place string) []byte {
	aead := r.keys[r.first]
	out := make([]byte, 0, 2+len(r.first)+aead.NonceSize()+len(plain)+aead.Overhead())
	out = append(out, version, byte(len(r.first))) //nolint:gosec // an id has at most 16 bytes
	out = append(out, r.first...)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	out = append(out, nonce...)
	return aead.Seal(out, nonce, plain, []byte(place))
}

// Open decrypts what Seal made for the same place, with any key of the ring.
//
// Errors: ErrUnseal.
func (r *Ring) Open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) < 2 || sealed[0] != version {
		return nil, ErrUnseal
	}
	n := int(sealed[1])
	if len(sealed) < 2+n {
		return nil, ErrUnseal
	}
	aead, known := r.keys[string(sealed[2:2+n])]
	rest := sealed[2+n:]
	if !known || len(rest) < aead.NonceSize() {
		return nil, ErrUnseal
	}
	plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], []byte(place))
	if err != nil {
		return nil, ErrUnseal
	}
	return plain, nil
}

// Reseal seals with the first key what another key of the ring has sealed for the same place; nil when the first has.
//
// Errors: ErrUnseal.
func (r *Ring) Reseal(sealed []byte, place string) (fresh []byte, err error) {
	plain, err := r.Open(sealed, place)
	if err != nil || string(sealed[2:2+int(sealed[1])]) == r.first {
		return nil, err
	}
	return r.Seal(plain, place), nil
}

// String tells which keys there are, and nothing of them: a ring that is printed by accident gives nothing away.
func (r *Ring) String() string {
	return fmt.Sprintf("keyring of %d, sealing with %s", len(r.keys), r.first)
}

// GoString is String, for the same reason.
func (r *Ring) GoString() string { return r.String() }
