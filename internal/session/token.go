package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// A token is tokenPrefix and 32 random bytes in base64url. The prefix lets secret scanners know one when they see it.
const (
	tokenPrefix = "bbs_"
	tokenBytes  = 32
	tokenLen    = len(tokenPrefix) + (tokenBytes*8+5)/6
)

// digest is the SHA-256 of a token's random bytes: what is stored and looked up. The time a lookup takes tells something
// of the digest at most, and nothing of the token.
type digest [sha256.Size]byte

func newToken() (string, digest) {
	var secret [tokenBytes]byte
	_, _ = rand.Read(secret[:]) // never fails: the runtime ends the process instead
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:]), sha256.Sum256(secret[:])
}

// parseToken reads what newToken makes, in its one spelling. It allocates nothing.
func parseToken(token string) (digest, bool) {
	if len(token) != tokenLen || token[:len(tokenPrefix)] != tokenPrefix {
		return digest{}, false
	}
	var text, again [tokenLen - len(tokenPrefix)]byte
	var secret [tokenBytes]byte
	copy(text[:], token[len(tokenPrefix):])
	n, err := base64.RawURLEncoding.Decode(secret[:], text[:])
	if err != nil || n != tokenBytes {
		return digest{}, false
	}
	if base64.RawURLEncoding.Encode(again[:], secret[:]); again != text {
		return digest{}, false // spare bits that are not zero: another spelling of the same secret
	}
	return sha256.Sum256(secret[:]), true
}
