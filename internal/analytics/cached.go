package analytics

import (
	"context"
	"sync"
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
