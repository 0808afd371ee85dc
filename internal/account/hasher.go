package account

import (
	"context"
	"crypto/rand"
	"time"

	"golang.org/x/crypto/argon2"
)

// hasher hashes passwords, a few at a time. Whoever cannot begin soon enough is turned away: a crowd at the door must not
// take the memory and the cores of everybody else.
type hasher struct {
	slots  chan struct{} // who hashes
	door   chan struct{} // who does what leads to a hash: see [Service.Queue]
	wait   time.Duration
	cost   Cost
	derive derive
}

// derive computes argon2id.
type derive func(password, salt []byte, c Cost, size uint32) []byte

func newHasher(cfg Config) *hasher {
	h := &hasher{wait: cfg.HashWait, cost: cfg.Cost, derive: argon}
	if h.wait == 0 {
		h.wait = time.Second
	}
	if h.cost == (Cost{}) {
		h.cost = DefaultCost()
	}
	n := cfg.Slots()
	h.slots, h.door = make(chan struct{}, n), make(chan struct{}, 2*n) // while one hashes, the next gets ready
	return h
}

func argon(password, salt []byte, c Cost, size uint32) []byte {
	return argon2.IDKey(password, salt, c.Passes, c.MemoryKiB, c.Threads, size)
}

// hash makes the stored form of a new password.
//
// Errors: TOO_BUSY.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	p := phc{cost: h.cost, salt: make([]byte, saltSize)}
	_, _ = rand.Read(p.salt) // never fails: the runtime ends the process instead
	err := h.alone(ctx, func() { p.key = h.derive([]byte(password), p.salt, p.cost, keySize) })
	if err != nil {
		return "", err
	}
	return p.encode(), nil
}

// matches compares a password with a hash.
//
// Errors: TOO_BUSY.
func (h *hasher) matches(ctx context.Context, stored secret, password string) (ok bool, err error) {
	err = h.alone(ctx, func() { ok = stored.matches(password, h.derive) })
	return ok && err == nil, err
}

// dummy is a hash as dear as a real one that no password matches.
func (h *hasher) dummy() phc {
	return phc{cost: h.cost, salt: make([]byte, saltSize), key: make([]byte, keySize)}
}

// alone runs do in one of the slots.
func (h *hasher) alone(ctx context.Context, do func()) error {
	if err := h.take(ctx, h.slots); err != nil {
		return err
	}
	defer func() { <-h.slots }()
	gently(do)
	return nil
}

// take waits for a place, which the caller gives back by receiving.
//
// Errors: TOO_BUSY.
func (h *hasher) take(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	t := time.NewTimer(h.wait)
	defer t.Stop()
	select {
	case places <- struct{}{}:
		return nil
	case <-t.C:
		return ErrTooBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Queue waits for a place among the few who do the work around a hash, and gives leave to end it. A flow that anybody may
// begin takes it before its first read: a crowd then waits here, and not in the database, where everybody else would wait
// behind it.
//
// Errors: TOO_BUSY after Config.HashWait.
func (s *Service) Queue(ctx context.Context) (leave func(), err error) {
	if err := s.hasher.take(ctx, s.hasher.door); err != nil {
		return nil, err
	}
	return func() { <-s.hasher.door }, nil
}
