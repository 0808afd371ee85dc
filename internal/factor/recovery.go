package factor

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/backendbook/backendbook/internal/ref"
)

const (
	recoveryPerSet  = 10
	recoverySymbols = 10 // of a code, 5 bits each
)

// crockford is the alphabet of recovery codes: no I, L, O and U, so that nothing is read for something else.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// made and left are the data of the events of recovery codes.
type (
	made struct {
		Count int `bson:"count"`
	}
	left struct {
		Left int `bson:"left"`
	}
)

// MakeRecoveryCodes gives the user 10 new codes, such as "7K2QX-M04ZD", kept nowhere else; those of before are void. The
// event factor.recovery_set.made commits with it. It joins the transaction of ctx. Cost: 2 writes.
func (s *Service) MakeRecoveryCodes(ctx context.Context, user string) ([]string, error) {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails, says its documentation
	shown, hashed := make([]string, recoveryPerSet), make([][]byte, recoveryPerSet)
	for i := range shown {
		code := newRecoveryCode()
		shown[i], hashed[i] = code[:recoverySymbols/2]+"-"+code[recoverySymbols/2:], recoveryHash(key, code)
	}
	set := recoverySet{User: user, Key: s.ring.Seal(key, recoveryPlace(user)), Codes: hashed, CreatedAt: s.now()}
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.putRecovery(ctx, set); err != nil {
			return err
		}
		return s.events.Append(ctx, kindSetMade, ref.New(ref.User, user), made{recoveryPerSet})
	})
	if err != nil {
		return nil, err
	}
	return shown, nil
}

// UseRecoveryCode takes a code out of the user's set and gives how many are left: of any number of parallel callers with
// one code, one succeeds. Case, spaces and dashes do not matter, and O, I and L are read as the digits they look like.
// The event factor.recovery_code.used commits with it. It joins the transaction of ctx. Cost: 1 read, 2 writes for a
// good code.
//
// Errors: FACTOR_CODE_INVALID.
func (s *Service) UseRecoveryCode(ctx context.Context, user, code string) (remaining int, err error) {
	code, ok := normalRecoveryCode(code)
	if !ok {
		return 0, ErrCode
	}
	set, found, err := s.store.recovery(ctx, user)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, ErrCode
	}
	key, err := s.ring.Open(set.Key, recoveryPlace(user))
	if err != nil {
		return 0, fmt.Errorf("open key of recovery codes of %s: %w", user, err)
	}
	// The database compares: how long that takes tells nothing of a hash whose key nobody outside knows.
	hash := recoveryHash(key, code)
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		n, won, err := s.store.takeRecovery(ctx, user, hash)
		if err != nil {
			return err
		}
		if !won {
			return ErrCode
		}
		remaining = n
		return s.events.Append(ctx, kindCodeUsed, ref.New(ref.User, user), left{n})
	})
	if err != nil {
		return 0, err
	}
	return remaining, nil
}

// RecoveryLeft is how many unused codes the user has. One read.
func (s *Service) RecoveryLeft(ctx context.Context, user string) (int, error) {
	set, _, err := s.store.recovery(ctx, user)
	return len(set.Codes), err
}

// newRecoveryCode is a random code without its dash: 50 bits.
func newRecoveryCode() string {
	b := make([]byte, recoverySymbols)
	_, _ = rand.Read(b) // never fails, says its documentation
	for i := range b {
		b[i] = crockford[b[i]%32] // 32 divides 256: each symbol is as likely as any other
	}
	return string(b)
}

// normalRecoveryCode is a code as it was made, from one as it was typed; false if it can be none.
func normalRecoveryCode(typed string) (string, bool) {
	if len(typed) > 4*recoverySymbols {
		return "", false
	}
	code := make([]byte, 0, recoverySymbols)
	for _, c := range []byte(typed) {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		switch c {
		case ' ', '-':
			continue
		case 'O':
			c = '0'
		case 'I', 'L':
			c = '1'
		}
		if strings.IndexByte(crockford, c) < 0 || len(code) == recoverySymbols {
			return "", false
		}
		code = append(code, c)
	}
	return string(code), len(code) == recoverySymbols
}

func recoveryHash(key []byte, code string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(code))
	return mac.Sum(nil)
}

func recoveryPlace(user string) string { return "recovery_codes/" + user + "/key" }
