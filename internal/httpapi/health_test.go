package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

func TestReady(t *testing.T) {
	t.Parallel()
	fine := Check{"tail", func(context.Context) (string, error) { return "lag 3 ms", nil }}
	s := newSite(t, Config{}, nil, fine, Check{"mongodb", func(context.Context) (string, error) { return "", errBoom }})
	w := s.ask("GET", "/readyz", "")
	var got readiness
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != 503 || got.Status != "not_ready" || !got.Checks["tail"].OK || got.Checks["tail"].Detail != "lag 3 ms" ||
		got.Checks["mongodb"].OK || got.Checks["mongodb"].Code != "INTERNAL" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), "10.0.0.7") {
		t.Error("the text of an error is shown to anybody")
	}
	if w := s.ask("GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("alive: %d", w.Code)
	}
	if w := newSite(t, Config{}, nil, fine).ask("GET", "/readyz", ""); w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("all is well, but %d %s", w.Code, w.Body)
	}
}

func TestDrainIsNotReady(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	if w := s.ask("GET", "/readyz", ""); w.Code != 200 {
		t.Fatalf("before: %d", w.Code)
	}
	s.srv.deps.Health.Drain()
	s.srv.deps.Health.Drain() // twice is once
	if w := s.ask("GET", "/readyz", ""); w.Code != 503 || !strings.Contains(w.Body.String(), "draining") {
		t.Errorf("after: %d %s", w.Code, w.Body)
	}
	if w := s.ask("GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("a draining server is alive: %d", w.Code)
	}
}

// TestProbesShareOneRun: however many probes come, the dependencies are asked once a second.
func TestProbesShareOneRun(t *testing.T) {
	t.Parallel()
	manual := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	var runs atomic.Int32
	h := NewHealth(manual.Now, slog.New(slog.DiscardHandler), Check{"x", func(context.Context) (string, error) {
		runs.Add(1)
		return "", nil
	}})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { h.ready(t.Context()) })
	}
	wg.Wait()
	if n := runs.Load(); n != 1 {
		t.Errorf("50 probes ran the check %d times", n)
	}
	manual.Advance(time.Second)
	h.ready(t.Context())
	if n := runs.Load(); n != 2 {
		t.Errorf("after a second: %d runs", n)
	}
}

// TestSlowCheckIsCut: a dependency that hangs fails after its bound and does not hold up the answer.
func TestSlowCheckIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(clock.System(), slog.New(slog.DiscardHandler), Check{"stuck", func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}})
		begin := time.Now()
		w := httptest.NewRecorder()
		h.serveReady(w, httptest.NewRequest("GET", "/readyz", nil))
		if took := time.Since(begin); took != checkTimeout || w.Code != 503 || !strings.Contains(w.Body.String(), "DEADLINE_EXCEEDED") {
			t.Errorf("after %s: %d %s", took, w.Code, w.Body)
		}
	})
}

// TestReadinessIsLoggedOnChange: a probe each second must not fill the log.
func TestReadinessIsLoggedOnChange(t *testing.T) {
	t.Parallel()
	var bad atomic.Bool
	s := newSite(t, Config{}, nil, Check{"mongodb", func(context.Context) (string, error) {
		if bad.Load() {
			return "", errBoom
		}
		return "", nil
	}})
	h, manual := s.srv.deps.Health, clock.NewManual(time.Now())
	h.now = manual.Now
	for _, state := range []bool{false, false, true, true, true, false} {
		bad.Store(state)
		manual.Advance(time.Minute)
		h.ready(t.Context())
	}
	if up, down := s.lines(t, "ready"), s.lines(t, "not_ready"); len(up) != 2 || len(down) != 1 || down[0]["check"] != "mongodb" {
		t.Errorf("logged %v and %v", up, down)
	}
}
