package mail

import (
	"context"
	"fmt"

	"github.com/backendbook/backendbook/internal/store"
)

// RotateKeys seals with the first key of the ring the waiting mails that older ones have sealed. It may run while servers do, and
// again. It gives how many it has sealed anew.
func (s *Service) RotateKeys(ctx context.Context) (int, error) {
	return store.RewriteBinary(ctx, s.store.outbox, "body", func(id string, old []byte) ([]byte, error) {
		fresh, err := s.ring.Reseal(old, place(id))
		if err != nil {
			err = fmt.Errorf("mail %s: %w", id, err)
		}
		return fresh, err
	})
}
