package loader

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// recorder is a source that knows every even number and remembers what it was asked for.
type recorder struct {
	mu    sync.Mutex
	asked [][]int
	err   error
	wait  chan struct{}
}

func (r *recorder) fetch(ctx context.Context, keys []int) (map[int]string, error) {
	if r.wait != nil {
		select {
		case <-r.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, slices.Clone(keys))
	got := map[int]string{}
	for _, k := range keys {
		if k%2 == 0 {
			got[k] = strconv.Itoa(k)
		}
	}
	return got, r.err
}

func (r *recorder) keys() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Concat(r.asked...)
	slices.Sort(all)
	return all
}

// loadAll loads all keys at once and checks what comes back.
func loadAll(t *testing.T, b *batcher[int, string], keys []int) {
	t.Helper()
	var wg sync.WaitGroup
	for _, k := range keys {
		wg.Go(func() {
			v, ok, err := b.load(t.Context(), k)
			if want := k%2 == 0; err != nil || ok != want || want && v != strconv.Itoa(k) {
				t.Errorf("load(%d) = %q, %v, %v", k, v, ok, err)
			}
		})
	}
	wg.Wait()
}

func upTo(n int) []int {
	keys := make([]int, n)
	for i := range keys {
		keys[i] = i
	}
	return keys
}

// Peers are read together whoever asks first, whatever the machine does meanwhile.
func TestPeersAreOneRead(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 50, 500} {
		r := &recorder{}
		b := &batcher[int, string]{fetch: r.fetch}
		b.expect(append(upTo(n), 0, 1)) // equal keys are one
		loadAll(t, b, upTo(n))
		if len(r.asked) != 1 || !slices.Equal(r.keys(), upTo(n)) {
			t.Errorf("%d peers took %d reads of %d keys", n, len(r.asked), len(r.keys()))
		}
	}
}

func TestPeersNobodyAsksForAreNotRead(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	b := &batcher[int, string]{fetch: r.fetch}
	b.expect(upTo(50))
	loadAll(t, b, []int{100})
	if !slices.Equal(r.keys(), []int{100}) {
		t.Errorf("read %v", r.keys())
	}
}

// A key that is loaded already, or is on its way, is not read again with its peers.
func TestPeersThatAreKnownAreLeftOut(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	b := &batcher[int, string]{fetch: r.fetch}
	loadAll(t, b, []int{3})
	b.expect([]int{1, 2, 3})
	b.expect([]int{2, 4}) // 2 has peers already; 4 finds it loaded
	loadAll(t, b, []int{1, 2, 3, 4})
	if !slices.Equal(r.keys(), []int{1, 2, 3, 4}) {
		t.Errorf("read %v: each key once", r.keys())
	}
}

func TestStrangersAreEachReadOnce(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	b := &batcher[int, string]{fetch: r.fetch}
	loadAll(t, b, slices.Concat(upTo(100), upTo(100)))
	if !slices.Equal(r.keys(), upTo(100)) {
		t.Errorf("read %v", r.keys())
	}
	if len(r.asked) > 50 {
		t.Errorf("%d reads for 100 keys that came at once", len(r.asked))
	}
}

func TestLimitSplitsARead(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	b := &batcher[int, string]{fetch: r.fetch, limit: 40}
	b.expect(upTo(100))
	loadAll(t, b, upTo(100))
	if len(r.asked) != 3 || !slices.Equal(r.keys(), upTo(100)) {
		t.Errorf("%d reads", len(r.asked))
	}
}

func TestErrorReachesAllAndStays(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	r := &recorder{err: boom}
	b := &batcher[int, string]{fetch: r.fetch}
	b.expect([]int{1, 2})
	for _, k := range []int{1, 2, 1} {
		if _, _, err := b.load(t.Context(), k); !errors.Is(err, boom) {
			t.Errorf("load(%d): %v", k, err)
		}
	}
	if len(r.asked) != 1 {
		t.Errorf("%d reads: a failed read is not tried again in the same operation", len(r.asked))
	}
}

// A panic in a service must end neither the process nor hang the other resolvers.
func TestPanicIsAnErrorForAll(t *testing.T) {
	t.Parallel()
	b := &batcher[int, string]{fetch: func(context.Context, []int) (map[int]string, error) { panic("crash") }}
	b.expect(upTo(10))
	var failed atomic.Int32
	var wg sync.WaitGroup
	for k := range 10 {
		wg.Go(func() {
			if _, _, err := b.load(t.Context(), k); err != nil && strings.Contains(err.Error(), "crash") {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if failed.Load() != 10 {
		t.Errorf("%d of 10 got the error", failed.Load())
	}
}

// Whoever waits for somebody else's read stops when its own context ends.
func TestWaiterLeavesWithItsContext(t *testing.T) {
	t.Parallel()
	r := &recorder{wait: make(chan struct{})}
	b := &batcher[int, string]{fetch: r.fetch}
	b.expect([]int{1, 2})
	done := make(chan error)
	go func() {
		_, _, err := b.load(t.Context(), 1)
		done <- err
	}()
	for { // until the read is under way
		b.mu.Lock()
		begun := b.reads[1] != nil
		b.mu.Unlock()
		if begun {
			break
		}
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.load(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("the waiter got %v", err)
	}
	close(r.wait)
	if err := <-done; err != nil {
		t.Errorf("the reader got %v", err)
	}
}

func BenchmarkStrangers(b *testing.B) {
	r := &recorder{}
	for b.Loop() {
		l := &batcher[int, string]{fetch: r.fetch}
		_, _, _ = l.load(b.Context(), 1)
		r.asked = r.asked[:0]
	}
}
