package account

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is what one argon2id hash takes. The zero Cost means [DefaultCost].
type Cost struct {
	MemoryKiB uint32
	Passes    uint32
	Threads   uint8
}

// DefaultCost is what OWASP asks for at least (Password Storage Cheat Sheet): about 80 ms on one core of 2024.
// Only tests use less.
func DefaultCost() Cost { return Cost{MemoryKiB: 19 * 1024, Passes: 2, Threads: 1} }

// Acceptable reports whether the cost is enough for a server that people rely on: 19 MiB and 2 passes, or 46 MiB and 1
// (OWASP Password Storage Cheat Sheet; ASVS 5.0, appendix C).
func (c Cost) Acceptable() bool {
	if c == (Cost{}) {
		c = DefaultCost()
	}
	return c.sane() && (c.MemoryKiB >= 19456 && c.Passes >= 2 || c.MemoryKiB >= 47104)
}

const (
	saltSize = 16
	keySize  = 32
)

// Bounds of what a stored hash may ask for, so that a forged or damaged one cannot exhaust the machine.
const (
	maxMemoryKiB = 256 << 10 // 256 MiB
	maxPasses    = 64
	maxThreads   = 16
	maxWorkKiB   = 1 << 20 // memory times passes: a second or so of one core
	maxB64       = 128     // bytes of encoded salt or key
)

// errPHC never says what the text was: it is a password hash.
var errPHC = errors.New("account: a stored password hash is malformed")

// phc is a password hash: the string format of the Password Hashing Competition, for argon2id version 19 only.
type phc struct {
	cost Cost
	salt []byte
	key  []byte
}

// encode gives "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>", base64 without padding.
func (p phc) encode() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.cost.MemoryKiB, p.cost.Passes, p.cost.Threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parsePHC reads what encode gives, and nothing else: each hash has one spelling.
func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || len(parts[4]) > maxB64 || len(parts[5]) > maxB64 {
		return phc{}, errPHC
	}
	var p phc
	var err error
	if _, err = fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.cost.MemoryKiB, &p.cost.Passes, &p.cost.Threads); err != nil {
		return phc{}, errPHC
	}
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return phc{}, errPHC
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return phc{}, errPHC
	}
	if !p.cost.sane() || len(p.salt) < 8 || len(p.key) < 16 || p.encode() != s {
		return phc{}, errPHC
	}
	return p, nil
}

// sane refuses what argon2 would panic on, change silently or choke on.
func (c Cost) sane() bool {
	return c.Threads >= 1 && c.Threads <= maxThreads && c.Passes >= 1 && c.Passes <= maxPasses &&
		c.MemoryKiB >= 8*uint32(c.Threads) && c.MemoryKiB <= maxMemoryKiB && c.MemoryKiB*c.Passes <= maxWorkKiB
}

// matches compares a password with the hash in time that does not depend on where they differ.
func (p phc) matches(password string, argon derive) bool {
	key := argon([]byte(password), p.salt, p.cost, uint32(len(p.key))) //nolint:gosec // at most maxB64
	return subtle.ConstantTimeCompare(key, p.key) == 1
}

// current reports whether the hash is made as new ones are.
func (p phc) current(want Cost) bool {
	return p.cost == want && len(p.salt) == saltSize && len(p.key) == keySize
}
