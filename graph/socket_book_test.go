package graph

import (
	"maps"
	"sync"
	"time"
)

// book is a SessionWatch in memory.
type book struct {
	mu        sync.Mutex
	ended     map[string]chan struct{}
	over      map[string]bool
	until     map[string]time.Time
	followers map[string]int
}

func newBook() *book {
	return &book{ended: map[string]chan struct{}{}, over: map[string]bool{}, until: map[string]time.Time{}, followers: map[string]int{}}
}

func (b *book) Watch(id string) (<-chan struct{}, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended[id] == nil {
		b.ended[id] = make(chan struct{})
		if b.over[id] {
			close(b.ended[id])
		}
	}
	b.followers[id]++
	return b.ended[id], func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.followers[id]--; b.followers[id] == 0 {
			delete(b.followers, id)
		}
	}
}

func (b *book) UntilOf(id string) (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until, known := b.until[id]
	return until, known && b.followers[id] > 0
}

func (b *book) lasts(id string, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until[id] = until
}

// end ends a session, once.
func (b *book) end(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over[id] = true
	if ch := b.ended[id]; ch != nil {
		close(ch)
	}
}

func (b *book) isOver(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over[id]
}

// followed are the sessions that somebody follows, with how many do.
func (b *book) followed() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.followers)
}
