package account

import (
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // Django's pbkdf2_sha1: as sound as PBKDF2 ever is, and gone at the next sign-in
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// Bounds of what an imported hash may ask for. Each of them takes a core for about two seconds.
const (
	maxBcryptCost   = 14
	maxScryptWork   = 256 << 20 // bytes: memory times parallelism
	maxPBKDF2Rounds = 2_500_000
	maxForeign      = 512 // bytes of the text
)

// secret is a stored password hash of some kind.
type secret interface {
	// matches compares in time that does not depend on where they differ. It is slow. argon is how argon2id is computed.
	matches(password string, argon derive) bool
	// current reports whether the hash is made as new ones are.
	current(want Cost) bool
}

// parseHash reads a stored hash by its own first characters.
func parseHash(text string) (secret, error) {
	if len(text) > maxForeign || strings.ContainsAny(text, "\r\n") { // which decoders of base64 pass over
		return nil, errPHC
	}
	scheme, _, _ := strings.Cut(strings.TrimPrefix(text, "$"), "$")
	if strings.HasPrefix(text, "$") {
		switch scheme {
		case "argon2id":
			return parsePHC(text)
		case "scrypt":
			return parseScryptPHC(text)
		case "2a", "2b", "2y":
			return parseBcrypt(text, false)
		}
		return nil, errPHC
	}
	switch scheme { // as Django writes them
	case "argon2":
		return parsePHC(strings.TrimPrefix(text, "argon2"))
	case "bcrypt":
		return parseBcrypt(strings.TrimPrefix(text, "bcrypt$"), false)
	case "bcrypt_sha256":
		return parseBcrypt(strings.TrimPrefix(text, "bcrypt_sha256$"), true)
	case "scrypt":
		return parseDjangoScrypt(text)
	case "pbkdf2_sha256":
		return parsePBKDF2(text, sha256.New, sha256.Size)
	case "pbkdf2_sha1":
		return parsePBKDF2(text, sha1.New, sha1.Size)
	}
	return nil, errPHC
}

// foreign is a hash of another kind than new ones: whatever it is, the next sign-in replaces it.
type foreign struct{}

func (foreign) current(Cost) bool { return false }

// bcryptHash is "$2b$12$<22 characters of salt><31 of hash>". Bytes after the 72nd of a password count in no
// implementation of it, unless they are hashed first, as Django's bcrypt_sha256 does.
type bcryptHash struct {
	foreign
	text   []byte
	digest bool // of the SHA-256 of the password in hex
}

const bcryptSize = 60

func parseBcrypt(text string, digest bool) (secret, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != bcryptSize || cost > maxBcryptCost || strings.IndexByte("aby", text[2]) < 0 {
		return nil, errPHC
	}
	return bcryptHash{text: []byte(text), digest: digest}, nil
}

func (b bcryptHash) matches(password string, _ derive) bool {
	if b.digest {
		sum := sha256.Sum256([]byte(password))
		password = hex.EncodeToString(sum[:])
	}
	return bcrypt.CompareHashAndPassword(b.text, []byte(password)) == nil
}

// scryptHash is the form of the PHC, "$scrypt$ln=14,r=8,p=1$<salt>$<key>", or Django's, "scrypt$16384$salt$8$1$<key>".
type scryptHash struct {
	foreign
	n, r, p   int
	salt, key []byte
}

func parseScryptPHC(text string) (secret, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 5 {
		return nil, errPHC
	}
	var ln, r, p int
	if _, err := fmt.Sscanf(parts[2], "ln=%d,r=%d,p=%d", &ln, &r, &p); err != nil || ln < 1 || ln > 30 ||
		fmt.Sprintf("ln=%d,r=%d,p=%d", ln, r, p) != parts[2] {
		return nil, errPHC
	}
	salt, errS := base64.RawStdEncoding.DecodeString(parts[3])
	key, errK := base64.RawStdEncoding.DecodeString(parts[4])
	if errors.Join(errS, errK) != nil {
		return nil, errPHC
	}
	return newScrypt(1<<ln, r, p, salt, key)
}

func parseDjangoScrypt(text string) (secret, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 {
		return nil, errPHC
	}
	n, errN := number(parts[1])
	r, errR := number(parts[3])
	p, errP := number(parts[4])
	key, err := base64.StdEncoding.DecodeString(parts[5])
	if errors.Join(errN, errR, errP, err) != nil {
		return nil, errPHC // in its place: an error of the decoder tells about the text
	}
	return newScrypt(n, r, p, []byte(parts[2]), key)
}

func newScrypt(n, r, p int, salt, key []byte) (secret, error) {
	switch {
	case n < 2, n&(n-1) != 0, n > 1<<30, r < 1, r > 64, p < 1, p > 64:
		return nil, errPHC
	case 128*n*r*p > maxScryptWork, len(salt) == 0, !plausible(key):
		return nil, errPHC
	}
	return scryptHash{n: n, r: r, p: p, salt: salt, key: key}, nil
}

func (s scryptHash) matches(password string, _ derive) bool {
	key, err := scrypt.Key([]byte(password), s.salt, s.n, s.r, s.p, len(s.key))
	return err == nil && subtle.ConstantTimeCompare(key, s.key) == 1
}

// pbkdf2Hash is Django's "pbkdf2_sha256$600000$salt$<key>".
type pbkdf2Hash struct {
	foreign
	hash      func() hash.Hash
	rounds    int
	salt, key []byte
}

func parsePBKDF2(text string, h func() hash.Hash, size int) (secret, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 4 {
		return nil, errPHC
	}
	rounds, err := number(parts[1])
	if err != nil || rounds < 1 || rounds > maxPBKDF2Rounds {
		return nil, errPHC
	}
	key, err := base64.StdEncoding.DecodeString(parts[3])
	if err != nil || len(key) != size || parts[2] == "" {
		return nil, errPHC
	}
	return pbkdf2Hash{hash: h, rounds: rounds, salt: []byte(parts[2]), key: key}, nil
}

func (p pbkdf2Hash) matches(password string, _ derive) bool {
	key, err := pbkdf2.Key(p.hash, password, p.salt, p.rounds, len(p.key))
	return err == nil && subtle.ConstantTimeCompare(key, p.key) == 1
}

// number reads a plain decimal number of at most nine digits.
func number(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || len(s) > 9 || strconv.Itoa(n) != s {
		return 0, errPHC
	}
	return n, nil
}

// plausible bounds the length of a derived key.
func plausible(key []byte) bool { return len(key) >= 16 && len(key) <= 64 }
