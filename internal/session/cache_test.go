package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

func testCache() *cache { return newCache(Config{MaxCached: 10}.withDefaults()) }

// answers is a read that gives the session.
func answers(s Session) reader {
	return func(_ context.Context, d digest) (known, error) { return known{s, []pass{{digest: d}}}, nil }
}

func session1(id string) Session {
	return Session{ID: id, User: "ada", LastSeenAt: t0, IdleUntil: t0.Add(time.Hour), ExpiresAt: t0.Add(2 * time.Hour)}
}

// A reconnect storm: however many ask for one session at once, it is read once.
func TestLoadReadsOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := testCache()
		var reads atomic.Int32
		read := func(ctx context.Context, d digest) (known, error) {
			reads.Add(1)
			time.Sleep(time.Millisecond)
			return answers(session1("s1"))(ctx, d)
		}
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if s, err := c.load(t.Context(), digest{1}, t0, read); err != nil || s.ID != "s1" {
					t.Errorf("load() = %v, %v", s, err)
				}
			})
		}
		wg.Wait()
		if reads.Load() != 1 || len(c.flights) != 0 {
			t.Errorf("%d reads, %d flights left", reads.Load(), len(c.flights))
		}
		if _, ok := c.get(digest{1}, t0); !ok {
			t.Error("what was read is not kept")
		}
	})
}

// Bug class "ended while being read": the answer read before the end must neither be kept nor be given to whoever asks
// after the end.
func TestEndDuringARead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := testCache()
		answer := make(chan struct{})
		old := func(ctx context.Context, d digest) (known, error) {
			<-answer
			return answers(session1("s1"))(ctx, d)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.load(t.Context(), digest{1}, t0, old) })
		synctest.Wait()

		c.forget("s1")
		after := func(context.Context, digest) (known, error) { return known{}, ErrEnded }
		if _, err := c.load(t.Context(), digest{1}, t0, after); !errors.Is(err, ErrEnded) {
			t.Errorf("who asked after the end got the old answer: %v", err)
		}
		close(answer)
		wg.Wait()
		if _, ok := c.get(digest{1}, t0); ok {
			t.Error("an answer from before the end is kept")
		}
		if len(c.flights) != 0 {
			t.Errorf("flights left: %v", c.flights)
		}
	})
}

// Bug class "changed while being read": the answer from before an elevation must not be kept after it.
func TestRefreshDuringARead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := testCache()
		before, after := session1("s1"), session1("s1").elevated(t0, "pwd", FullProof)
		answer := make(chan struct{})
		old := func(ctx context.Context, d digest) (known, error) {
			<-answer
			return answers(before)(ctx, d)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.load(t.Context(), digest{1}, t0, old) })
		synctest.Wait()

		c.refresh("s1")
		if s, err := c.load(t.Context(), digest{1}, t0, answers(after)); err != nil || s != after {
			t.Errorf("who asked after the change got %+v, %v", s, err)
		}
		close(answer)
		wg.Wait()
		if s, ok := c.get(digest{1}, t0); !ok || s != after {
			t.Errorf("kept: %+v, %v", s, ok)
		}
	})
}

func TestRefreshKeepsUsesAndWatches(t *testing.T) {
	t.Parallel()
	c := testCache()
	s, _ := c.load(t.Context(), digest{1}, t0, answers(session1("s1")))
	w := c.watch("s1")
	c.use(s, t0.Add(time.Minute))
	c.refresh("s1")
	c.refresh("nothing")
	if _, ok := c.getByID("s1", t0); ok || isClosed(w.ended) || len(c.uses) != 1 {
		t.Errorf("still known %v, watch closed %v, %d uses", ok, isClosed(w.ended), len(c.uses))
	}
}

func TestLoadWhenTheReaderLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := testCache()
		var reads atomic.Int32
		read := func(ctx context.Context, d digest) (known, error) {
			if reads.Add(1) == 1 {
				<-ctx.Done()
				return known{}, fault.ErrCanceled.Because(ctx.Err())
			}
			return answers(session1("s1"))(ctx, d)
		}
		first, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.load(first, digest{1}, t0, read); !errors.Is(err, fault.ErrCanceled) {
				t.Errorf("who left got %v", err)
			}
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() {
				if s, err := c.load(t.Context(), digest{1}, t0, read); err != nil || s.ID != "s1" {
					t.Errorf("who stayed got %v, %v", s, err)
				}
			})
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wg.Go(func() {
			if _, err := c.load(short, digest{1}, t0, read); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who could wait only 1 s got %v", err)
			}
		})
		time.Sleep(2 * time.Second)
		leave()
		wg.Wait()
	})
}

func TestLoadFailsForAll(t *testing.T) {
	t.Parallel()
	c := testCache()
	down := fmt.Errorf("find: %w", fault.ErrUnavailable)
	if _, err := c.load(t.Context(), digest{1}, t0, func(context.Context, digest) (known, error) { return known{}, down }); !errors.Is(err, down) {
		t.Errorf("load() = %v", err)
	}
	if len(c.flights) != 0 || len(c.byDigest) != 0 {
		t.Error("a failure is kept")
	}
}

func TestAPanicLeavesNobodyWaiting(t *testing.T) {
	t.Parallel()
	c := testCache()
	func() {
		defer func() { _ = recover() }()
		_, _ = c.load(t.Context(), digest{1}, t0, func(context.Context, digest) (known, error) { panic("driver") })
	}()
	if len(c.flights) != 0 {
		t.Error("the flight never lands")
	}
	if _, err := c.load(t.Context(), digest{1}, t0, answers(session1("s1"))); err != nil {
		t.Errorf("load() = %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := testCache()
	for i := range 100 {
		id := strconv.Itoa(i)
		_, _ = c.load(t.Context(), digest{byte(i)}, t0, answers(session1(id)))
		c.use(session1("other "+id), t0.Add(time.Minute))
		if _, ok := c.getByID(id, t0); !ok {
			t.Errorf("session %s, just read, is not there", id)
		}
	}
	if len(c.byDigest) != 10 || len(c.byID) != 10 || len(c.uses) > 10 {
		t.Errorf("%d by digest, %d by id, %d uses; the bound is 10", len(c.byDigest), len(c.byID), len(c.uses))
	}
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	c := testCache()
	_, _ = c.load(t.Context(), digest{1}, t0, answers(session1("s1")))
	for _, tc := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {5*time.Second - 1, true}, {5 * time.Second, false}, {time.Hour, false}} {
		if _, ok := c.get(digest{1}, t0.Add(tc.after)); ok != tc.want {
			t.Errorf("after %v fresh: %v", tc.after, ok)
		}
	}
	c.doubt()
	if _, ok := c.get(digest{1}, t0); ok {
		t.Error("known although changes were missed")
	}
}

// What is read between a use and its being written down must not forget the use.
func TestReadKeepsAnUnwrittenUse(t *testing.T) {
	t.Parallel()
	c := testCache()
	at := t0.Add(10 * time.Minute)
	c.use(session1("s1"), at)
	s, err := c.load(t.Context(), digest{1}, at, answers(session1("s1")))
	if err != nil || s.LastSeenAt != at {
		t.Errorf("load() = %v, %v", s.LastSeenAt, err)
	}
	uses := c.pending()
	newer := c.use(session1("s1"), at.Add(time.Minute))
	if c.written(uses); len(uses) != 1 || c.uses["s1"] != newer {
		t.Errorf("the use that is not written was let go: %v", c.uses)
	}
	if c.written(c.pending()); len(c.uses) != 0 {
		t.Errorf("written, and still pending: %v", c.uses)
	}
	// A read that began before the write, and ends after it.
	s, err = c.load(t.Context(), digest{1}, at.Add(time.Hour), answers(session1("s1")))
	if err != nil || s.LastSeenAt != newer.LastSeenAt || s.IdleUntil != newer.IdleUntil {
		t.Errorf("load() = %+v, %v", s, err)
	}
}
