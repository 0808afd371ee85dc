package analytics

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A transaction whose statement was cut off stayed open on the server, and locked the checkpoint for 10 s and more: what
// is under way when the folder stops is given a moment, and no more than that.
func TestLingeringOutlivesItsParent(t *testing.T) {
	t.Parallel()
	type key struct{}
	for _, tc := range []struct {
		name   string
		of     time.Duration
		cancel time.Duration // when the parent ends; 0 for never
		want   time.Duration // when it ends itself
		err    error
	}{
		{"the parent lives", 9 * time.Second, 0, 9 * time.Second, context.DeadlineExceeded},
		{"the parent ends at once", 9 * time.Second, time.Nanosecond, stopWait, context.Canceled},
		{"the parent ends later", 9 * time.Second, 3 * time.Second, 3*time.Second + stopWait, context.Canceled},
		{"the parent ends just before", 9 * time.Second, 8 * time.Second, 9 * time.Second, context.DeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				parent, end := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
				defer end()
				start := time.Now()
				long, cancel := patient(parent, tc.of)
				defer cancel()
				if tc.cancel > 0 {
					time.AfterFunc(tc.cancel, end)
				}
				<-long.Done()
				if took := time.Since(start).Round(time.Millisecond); took != tc.want || !errors.Is(long.Err(), tc.err) {
					t.Errorf("ended after %v with %v, want %v and %v", took, long.Err(), tc.want, tc.err)
				}
				if long.Value(key{}) != "kept" {
					t.Error("the values of the parent are lost")
				}
			})
		})
	}
}

func TestLingeringEndsWhenItIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parent, end := context.WithCancel(t.Context())
		long, cancel := patient(parent, time.Hour)
		cancel()
		if long.Err() == nil {
			t.Error("still alive after its end")
		}
		end() // and leaves no goroutine behind, which synctest would tell
	})
}

// A folder that was stopped begins nothing new.
func TestStoppedFolderCommitsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := &folder{s: w.Service, fence: 1, rows: rollups{}}
	var err error
	if f.cp, err = w.store.claim(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.move(ctx, f.cp.next(), write{}); !errors.Is(err, context.Canceled) {
		t.Errorf("move() = %v, want the end of the context", err)
	}
	if cp, err := w.store.checkpoint(t.Context()); err != nil || cp.Rev != 0 {
		t.Errorf("rev %d, %v; want none written", cp.Rev, err)
	}
}
