package loader

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// batcher reads values by key for one operation. The zero batcher with fetch set is ready. It is safe for concurrent use.
type batcher[K comparable, V any] struct {
	// fetch reads values by their distinct keys; absent ones are left out of the map.
	fetch func(ctx context.Context, keys []K) (map[K]V, error)
	// limit is how many keys one fetch takes; 0 for any number.
	limit int

	mu    sync.Mutex
	reads map[K]*read[K, V] // each key that was asked for, and the read it is part of
	peers map[K]*[]K        // each key that was announced, and those announced with it
	open  *read[K, V]       // a read that still takes keys
}

// read is one fetch: its keys before, its values after done is closed.
type read[K comparable, V any] struct {
	keys []K
	done chan struct{}
	got  map[K]V
	err  error
}

// How long a read without peers takes keys: until quietRounds times in a row all other goroutines have run and brought
// none, but no longer than maxRounds.
const (
	quietRounds = 20
	maxRounds   = 400
)

// expect announces keys that are likely to be asked for together.
func (b *batcher[K, V]) expect(keys []K) {
	if len(keys) < 2 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.peers == nil {
		b.peers = make(map[K]*[]K, len(keys))
	}
	for _, k := range keys {
		if _, known := b.peers[k]; !known {
			b.peers[k] = &keys
		}
	}
}

// load gives the value of a key, and false when there is none.
func (b *batcher[K, V]) load(ctx context.Context, key K) (V, bool, error) {
	r, mine := b.join(key)
	if mine {
		b.run(ctx, r)
	}
	select {
	case <-r.done:
		v, ok := r.got[key]
		return v, ok, r.err
	case <-ctx.Done():
		var none V
		return none, false, ctx.Err()
	}
}

// join finds or makes the read a key is part of. Whoever makes one has to run it.
func (b *batcher[K, V]) join(key K) (r *read[K, V], mine bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r = b.reads[key]; r != nil {
		return r, false
	}
	if b.reads == nil {
		b.reads = map[K]*read[K, V]{}
	}
	if group := b.peers[key]; group != nil {
		r = &read[K, V]{done: make(chan struct{})}
		b.take(r, key)
		for _, k := range *group {
			if b.reads[k] == nil {
				b.take(r, k)
			}
		}
		return r, true
	}
	if r = b.open; r == nil {
		r, mine = &read[K, V]{done: make(chan struct{})}, true
		b.open = r
	}
	b.take(r, key)
	return r, mine
}

func (b *batcher[K, V]) take(r *read[K, V], key K) {
	r.keys = append(r.keys, key)
	b.reads[key] = r
}

func (b *batcher[K, V]) run(ctx context.Context, r *read[K, V]) {
	defer close(r.done)
	b.settle(r)
	defer func() {
		if p := recover(); p != nil {
			r.err = fmt.Errorf("loader: panic: %v\n%s", p, debug.Stack())
		}
	}()
	for keys := r.keys; len(keys) > 0 && r.err == nil; {
		part := keys
		if b.limit > 0 && len(keys) > b.limit {
			part = keys[:b.limit]
		}
		keys = keys[len(part):]
		var got map[K]V
		got, r.err = b.fetch(ctx, part)
		if r.got == nil {
			r.got = got
			continue
		}
		for k, v := range got {
			r.got[k] = v
		}
	}
}

// settle waits until a read has all the keys that are on their way, and closes it.
func (b *batcher[K, V]) settle(r *read[K, V]) {
	last, quiet := 0, 0
	for range maxRounds {
		b.mu.Lock()
		n, open := len(r.keys), b.open == r
		b.mu.Unlock()
		if !open {
			return // its keys were known from the beginning
		}
		if quiet++; n != last {
			last, quiet = n, 0
		}
		if quiet == quietRounds {
			break
		}
		runtime.Gosched()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = nil
}
