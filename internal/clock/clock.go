// Package clock is the only source of time. Whoever needs the time is given a [Clock] by its constructor, so a test
// decides what time it is.
package clock

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"
)

// Clock tells the time: UTC, cut to the millisecond, which is what BSON keeps, so a time read back equals the one written.
type Clock func() time.Time

// System is the machine's clock.
func System() Clock {
	return func() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
}

// Sleep waits for d and reports false when ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// ParseWait reads how long a client will wait: a whole number of milliseconds, or a duration such as 1.5s. It reports false for
// what is neither, or not above 0.
func ParseWait(text string) (wait time.Duration, ok bool) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		wait = time.Duration(min(ms, int64(math.MaxInt64/time.Millisecond))) * time.Millisecond
	} else if wait, err = time.ParseDuration(text); err != nil {
		return 0, false
	}
	return wait, wait > 0
}

// Manual is a clock that stands still until it is moved. It is safe for concurrent use.
type Manual struct {
	mu sync.Mutex
	at time.Time
}

// NewManual is a clock that shows at.
func NewManual(at time.Time) *Manual { return &Manual{at: at.UTC().Truncate(time.Millisecond)} }

// Now is the Clock to hand out.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

// Advance moves the clock by d.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = m.at.Add(d)
}
