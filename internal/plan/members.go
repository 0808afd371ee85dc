package plan

import (
	"context"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// members is the subjects in memory. What was read before a change is heard of must not be kept after it: whoever reads takes
// a mark first, and each change moves the marks on.
type members struct {
	mu      sync.Mutex
	cache   *lru.Cache[ref.Ref, *held]
	changes uint64
}

func newMembers(size int) *members {
	c, err := lru.New[ref.Ref, *held](size)
	if err != nil {
		panic("plan: " + err.Error()) // a size below 1, which the config rules out
	}
	return &members{cache: c}
}

func (m *members) get(subject ref.Ref) (*held, bool) { return m.cache.Get(subject) }

func (m *members) mark() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

func (m *members) put(ctx context.Context, subject ref.Ref, h *held, mark uint64) {
	if store.InTransaction(ctx) { // it may be older than what was forgotten, or never commit
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changes == mark {
		m.cache.Add(subject, h)
	}
}

// replace puts what follows from old by the clock in its place.
func (m *members) replace(subject ref.Ref, old, next *held) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now, ok := m.cache.Peek(subject); ok && now == old {
		m.cache.Add(subject, next)
	}
}

func (m *members) forget(subject ref.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	m.cache.Remove(subject)
}

func (m *members) forgetAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	m.cache.Purge()
}
