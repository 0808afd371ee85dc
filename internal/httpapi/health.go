package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

// The bounds of readiness.
const (
	checkTimeout = 2 * time.Second // of one check
	checkFresh   = time.Second     // an answer is given out again for so long: probes cost the database nothing
)

// Check asks one dependency whether it does its work.
type Check struct {
	Name string
	// Run gives an error when it does not; detail is a short fact worth showing, such as a lag. Both are shown to anybody
	// who may reach the public listener: the error by its code alone.
	Run func(ctx context.Context) (detail string, err error)
}

// Health answers whether the server is alive and whether it is ready for traffic.
type Health struct {
	checks []Check
	now    clock.Clock
	log    *slog.Logger

	mu       sync.Mutex // held while the checks run: probes that come together share one run
	at       time.Time
	last     readiness
	wasReady bool
	begun    bool

	drain     chan struct{}
	drainOnce sync.Once
}

// readiness is the body of /readyz.
type readiness struct {
	Status string            `json:"status"` // "ready", "not_ready" or "draining"
	Checks map[string]result `json:"checks"`
}

type result struct {
	OK     bool   `json:"ok"`
	Ms     int64  `json:"ms"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code,omitempty"`
}

// NewHealth makes a health of these checks.
func NewHealth(now clock.Clock, log *slog.Logger, checks ...Check) *Health {
	return &Health{checks: checks, now: now, log: log, drain: make(chan struct{})}
}

// Drain makes the server not ready for good: it is about to stop.
func (h *Health) Drain() { h.drainOnce.Do(func() { close(h.drain) }) }

func (h *Health) serveAlive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
}

func (h *Health) serveReady(w http.ResponseWriter, r *http.Request) {
	state := h.ready(r.Context())
	status := http.StatusOK
	if state.Status != "ready" {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, state)
}

// ready runs the checks, or gives the answer of a moment ago.
func (h *Health) ready(ctx context.Context) readiness {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.IsZero() || h.now().Sub(h.at) >= checkFresh || h.now().Before(h.at) {
		h.last = h.run(context.WithoutCancel(ctx)) // others share the answer: one impatient probe must not spoil it
		h.at = h.now()
		h.tell(ctx)
	}
	state := h.last
	select {
	case <-h.drain:
		state.Status = "draining"
	default:
	}
	return state
}

// run asks all dependencies at once, each with its own bound.
func (h *Health) run(ctx context.Context) readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	results := make([]result, len(h.checks))
	var wg sync.WaitGroup
	for i, c := range h.checks {
		wg.Go(func() {
			begin := h.now()
			detail, err := c.Run(ctx)
			results[i] = result{OK: err == nil, Ms: h.now().Sub(begin).Milliseconds(), Detail: detail}
			if err != nil {
				results[i].Code = fault.From(err).Code
			}
		})
	}
	wg.Wait()
	state := readiness{Status: "ready", Checks: make(map[string]result, len(results))}
	for i, c := range h.checks {
		state.Checks[c.Name] = results[i]
		if !results[i].OK {
			state.Status = "not_ready"
		}
	}
	return state
}

// tell logs when readiness changes, not at every probe.
func (h *Health) tell(ctx context.Context) {
	ready := h.last.Status == "ready"
	if h.begun && ready == h.wasReady {
		return
	}
	h.begun, h.wasReady = true, ready
	if ready {
		h.log.InfoContext(ctx, "ready")
		return
	}
	for name, c := range h.last.Checks {
		if !c.OK {
			h.log.WarnContext(ctx, "not_ready", "check", name, "code", c.Code)
		}
	}
}
