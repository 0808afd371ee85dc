package analytics

import (
	"context"
	"sync"
	"time"
)

// cached keeps what was read until it hears that it changed. What get gives must not be changed.
type cached[T any] struct {
	read func(ctx context.Context) (T, error)

	mu    sync.Mutex
	value *T    // nil: not known
	turn  int64 // counts forgets: a read that began before one must not be kept
}

func (c *cached[T]) get(ctx context.Context) (T, error) {
	c.mu.Lock()
	value, turn := c.value, c.turn
	c.mu.Unlock()
	if value != nil {
		return *value, nil
	}
	fresh, err := c.read(ctx)
	if err != nil {
		return fresh, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn == turn {
		c.value = &fresh
	}
	return fresh, nil
}

func (c *cached[T]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value = nil
	c.turn++
}

// recentFor is how old a checkpoint may be by which a channel is planned.
const recentFor = time.Second

// recent keeps the checkpoint for a moment: of a thousand who come at once one reads it.
type recent struct {
	read func(ctx context.Context) (checkpoint, error)

	mu sync.Mutex
	at time.Time
	cp checkpoint
}

func (r *recent) checkpoint(ctx context.Context) (checkpoint, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := machine(); now.Sub(r.at) > recentFor {
		cp, err := r.read(ctx)
		if err != nil {
			return cp, err
		}
		r.cp, r.at = cp, now
	}
	return r.cp, nil
}
