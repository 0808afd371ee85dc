package store

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
)

// Counter counts the commands sent on behalf of one context, so that a test or a metric can tell how many finds an
// operation cost. It is safe for concurrent use.
type Counter struct {
	mu sync.Mutex
	n  map[string]int
}

type counterKey struct{}

// WithCounter gives a context whose commands are counted.
func WithCounter(ctx context.Context) (context.Context, *Counter) {
	c := &Counter{n: map[string]int{}}
	return context.WithValue(ctx, counterKey{}, c), c
}

// Count is how many commands of that name were sent, such as "find".
func (c *Counter) Count(command string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[command]
}

// Total is how many commands were sent.
func (c *Counter) Total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := 0
	for _, n := range c.n {
		sum += n
	}
	return sum
}

// monitor counts commands and reports their durations. Command bodies are never looked at: they hold user data.
func monitor(observe func(string, time.Duration, bool)) *event.CommandMonitor {
	m := &event.CommandMonitor{Started: func(ctx context.Context, e *event.CommandStartedEvent) {
		if c, ok := ctx.Value(counterKey{}).(*Counter); ok {
			c.mu.Lock()
			c.n[e.CommandName]++
			c.mu.Unlock()
		}
	}}
	if observe != nil {
		m.Succeeded = func(_ context.Context, e *event.CommandSucceededEvent) { observe(e.CommandName, e.Duration, false) }
		m.Failed = func(_ context.Context, e *event.CommandFailedEvent) { observe(e.CommandName, e.Duration, true) }
	}
	return m
}
