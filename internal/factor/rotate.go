package factor

import (
	"context"
	"fmt"

	"github.com/backendbook/backendbook/internal/store"
)

// RotateKeys seals with the first key of the ring what older ones have sealed: seeds of authenticator apps and keys of recovery
// codes. It may run while servers do, and again. It gives how many it has sealed anew.
func (s *Service) RotateKeys(ctx context.Context) (int, error) {
	seeds, err := store.RewriteBinary(ctx, s.store.factors, "totp.seed", func(id string, old []byte) ([]byte, error) {
		fresh, err := s.ring.Reseal(old, seedPlace(id))
		if err != nil {
			err = fmt.Errorf("seed of factor %s: %w", id, err)
		}
		return fresh, err
	})
	if err != nil {
		return seeds, err
	}
	keys, err := store.RewriteBinary(ctx, s.store.recoveries, "key", func(user string, old []byte) ([]byte, error) {
		fresh, err := s.ring.Reseal(old, recoveryPlace(user))
		if err != nil {
			err = fmt.Errorf("recovery codes of %s: %w", user, err)
		}
		return fresh, err
	})
	return seeds + keys, err
}
