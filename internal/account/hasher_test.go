package account

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHashAndMatch(t *testing.T) {
	t.Parallel()
	h := newHasher(Config{Cost: cheap})
	long := goodPassword + "\x00" + goodPassword // bcrypt would stop at the NUL, and at 72 bytes
	for _, tc := range []struct {
		name, set, try string
		want           bool
	}{
		{"right", goodPassword, goodPassword, true},
		{"wrong", goodPassword, goodPassword + ".", false},
		{"another case", goodPassword, "A tune for nine harpsichords", false},
		{"trailing space", goodPassword, goodPassword + " ", false},
		{"empty", goodPassword, "", false},
		{"not cut at NUL", long, goodPassword, false},
		{"the whole of it", long, long, true},
		{"another normal form", "caf\u00e9 au lait", "cafe\u0301 au lait", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			text, err := h.hash(t.Context(), tc.set)
			if err != nil {
				t.Fatal(err)
			}
			p, err := parsePHC(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := h.matches(t.Context(), p, tc.try); got != tc.want || err != nil {
				t.Errorf("matches() = %v, %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestReq8DefaultsAreThoseOfOWASP(t *testing.T) {
	t.Parallel()
	h := newHasher(Config{})
	text, err := h.hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	p, err := parsePHC(text)
	if err != nil || p.cost.MemoryKiB < 19456 || p.cost.Passes < 2 || p.cost.Threads < 1 || len(p.salt) != 16 || len(p.key) != 32 {
		t.Errorf("hash() = %s, %v", text, err)
	}
	again, _ := h.hash(t.Context(), goodPassword)
	if again == text {
		t.Error("two hashes have one salt")
	}
}

func TestReq8AcceptableCosts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		cost Cost
		want bool
	}{
		{Cost{}, true}, // the default
		{DefaultCost(), true},
		{Cost{19456, 2, 1}, true},
		{Cost{47104, 1, 1}, true},
		{Cost{65536, 3, 4}, true},
		{Cost{19455, 2, 1}, false},
		{Cost{19456, 1, 1}, false},
		{Cost{47103, 1, 1}, false},
		{cheap, false},
		{Cost{1 << 20, 2, 1}, false}, // more than a stored hash may ask for: nobody could sign in
		{Cost{65536, 3, 0}, false},
		{Cost{65536, 64, 1}, false},
	} {
		if got := tc.cost.Acceptable(); got != tc.want {
			t.Errorf("%+v.Acceptable() = %v", tc.cost, got)
		}
	}
}

func TestDummyMatchesNothingAndCostsTheSame(t *testing.T) {
	t.Parallel()
	h := newHasher(Config{Cost: cheap})
	var costs []Cost
	h.derive = func(p, s []byte, c Cost, n uint32) []byte { costs = append(costs, c); return argon(p, s, c, n) }
	for _, password := range []string{"", goodPassword} {
		if ok, err := h.matches(t.Context(), h.dummy(), password); ok || err != nil {
			t.Errorf("matches(dummy, %q) = %v, %v", password, ok, err)
		}
	}
	if len(costs) != 2 || costs[0] != cheap || costs[1] != cheap {
		t.Errorf("hashes made: %v", costs)
	}
}

// Never more hashes at once than slots, however many ask.
func TestReq10NeverMoreThanSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const slots, callers = 3, 200
		h := newHasher(Config{Cost: cheap, HashSlots: slots, HashWait: time.Hour})
		var running, peak atomic.Int32
		h.derive = func(_, _ []byte, _ Cost, n uint32) []byte {
			now := running.Add(1)
			defer running.Add(-1)
			for old := peak.Load(); now > old && !peak.CompareAndSwap(old, now); old = peak.Load() {
			}
			time.Sleep(80 * time.Millisecond) // of the bubble: everybody who can run has run
			return make([]byte, n)
		}
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				if _, err := h.hash(t.Context(), goodPassword); err != nil {
					t.Errorf("hash() = %v", err)
				}
			})
		}
		wg.Wait()
		if peak.Load() != slots {
			t.Errorf("%d hashes at once, with %d slots", peak.Load(), slots)
		}
	})
}

func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(Config{Cost: cheap, HashSlots: 1})
		release := make(chan struct{})
		h.derive = func(_, _ []byte, _ Cost, n uint32) []byte { <-release; return make([]byte, n) }
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = h.hash(t.Context(), goodPassword) })
		synctest.Wait()

		began := time.Now()
		if _, err := h.hash(t.Context(), goodPassword); !errors.Is(err, ErrTooBusy) {
			t.Errorf("hash() with no slot = %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("waited %v, want the default of 1 s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began = time.Now()
		if _, err := h.hash(ctx, goodPassword); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hash() past its deadline = %v", err)
		}
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("waited %v for a deadline of 100 ms", took)
		}
		close(release)
		wg.Wait()
		if _, err := h.hash(t.Context(), goodPassword); err != nil {
			t.Errorf("the slot was not given back: %v", err)
		}
	})
}

func BenchmarkVerifyHash(b *testing.B) {
	h := newHasher(Config{})
	for b.Loop() {
		_, _ = h.matches(b.Context(), h.dummy(), goodPassword)
	}
}
