package health

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

var (
	errBoom = errors.New("dial tcp 10.0.0.7: refused")
	silent  = slog.New(slog.DiscardHandler)
)

func TestResults(t *testing.T) {
	t.Parallel()
	fine := Check{Name: "a", Critical: true, Run: func(context.Context) (string, error) { return "lag 3 ms", nil }}
	warns := Check{Name: "b", Run: func(context.Context) (string, error) { return "", fault.ErrUnavailable.Saying("9 wait") }}
	fails := Check{Name: "c", Critical: true, Run: func(context.Context) (string, error) { return "", errBoom }}
	for _, tc := range []struct {
		name   string
		checks []Check
		want   State
	}{
		{"all is well", []Check{fine}, Ready},
		{"a warning serves", []Check{fine, warns}, Ready},
		{"a failure does not", []Check{fine, warns, fails}, NotReady},
		{"no checks", nil, Ready},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			state, got := New(clock.System(), silent, tc.checks...).Look(t.Context())
			if state != tc.want || len(got) != len(tc.checks) {
				t.Fatalf("%s with %+v", state, got)
			}
			want := map[string]Result{
				"a": {Name: "a", Status: OK, Critical: true, Detail: "lag 3 ms"},
				"b": {Name: "b", Status: Warning, Detail: "9 wait", Code: "UNAVAILABLE"},
				"c": {Name: "c", Status: Failed, Critical: true, Detail: fault.ErrInternal.Msg, Code: "INTERNAL"},
			}
			for _, r := range got {
				r.At, r.Ms, r.cause = time.Time{}, 0, nil
				if r != want[r.Name] {
					t.Errorf("%+v, want %+v", r, want[r.Name])
				}
			}
		})
	}
}

// TestProbesShareOneRun: however many probes come, the dependencies are asked once a second, and those that keep longer less often.
func TestProbesShareOneRun(t *testing.T) {
	t.Parallel()
	manual := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	var runs, seldom atomic.Int32
	count := func(n *atomic.Int32) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { n.Add(1); return "", nil }
	}
	r := New(manual.Now, silent, Check{Name: "x", Run: count(&runs)}, Check{Name: "y", Keep: time.Minute, Run: count(&seldom)})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { r.Look(t.Context()) })
	}
	wg.Wait()
	if runs.Load() != 1 || seldom.Load() != 1 {
		t.Errorf("50 probes ran the checks %d and %d times", runs.Load(), seldom.Load())
	}
	for range 30 {
		manual.Advance(time.Second)
		r.Look(t.Context())
	}
	if runs.Load() != 31 || seldom.Load() != 1 {
		t.Errorf("after 30 s: %d and %d runs", runs.Load(), seldom.Load())
	}
	manual.Advance(time.Minute)
	r.Look(t.Context())
	if seldom.Load() != 2 {
		t.Errorf("after its time: %d runs", seldom.Load())
	}
}

// TestSlowChecksAreCut: what hangs fails after its bound and holds up neither the answer nor the other checks, also if it does not
// heed its context. That one is not started again before it is back.
func TestSlowChecksAreCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var deaf atomic.Int32
		r := New(clock.System(), silent,
			Check{Name: "stuck", Critical: true, Run: func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }},
			Check{Name: "deaf", Run: func(context.Context) (string, error) { deaf.Add(1); <-release; return "", nil }},
			Check{Name: "fine", Run: func(context.Context) (string, error) { return "", nil }})
		for range 3 {
			begin := time.Now()
			state, got := r.Look(t.Context())
			if took := time.Since(begin); took != Timeout || state != NotReady || got[0].Code != "DEADLINE_EXCEEDED" || got[1].Code != "DEADLINE_EXCEEDED" || got[2].Status != OK {
				t.Fatalf("after %s: %s %+v", took, state, got)
			}
			time.Sleep(fresh)
		}
		if deaf.Load() != 1 {
			t.Errorf("the deaf check runs %d times at once", deaf.Load())
		}
		close(release)
		synctest.Wait()
		time.Sleep(fresh)
		if _, got := r.Look(t.Context()); got[1].Status != OK || deaf.Load() != 2 {
			t.Errorf("it is back, but %+v", got[1])
		}
	})
}

// TestChangesAreLogged: a probe each second must not fill the log.
func TestChangesAreLogged(t *testing.T) {
	t.Parallel()
	var bad atomic.Bool
	var b bytes.Buffer
	manual := clock.NewManual(time.Now())
	r := New(manual.Now, slog.New(slog.NewTextHandler(&b, nil)), Check{Name: "mongodb", Run: func(context.Context) (string, error) {
		if bad.Load() {
			return "", errBoom
		}
		return "", nil
	}})
	for _, state := range []bool{false, false, true, true, true, false} {
		bad.Store(state)
		manual.Advance(time.Minute)
		r.Look(t.Context())
	}
	if up, down := strings.Count(b.String(), "check_recovered"), strings.Count(b.String(), "check_failed"); up != 1 || down != 1 || !strings.Contains(b.String(), "10.0.0.7") {
		t.Errorf("logged:\n%s", &b)
	}
}
