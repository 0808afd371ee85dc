package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s := New(Config{Rate: 2, Burst: 3}, Deps{Clock: c.Now})
	h := s.throttle(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	ask := func(ip, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(actor.WithRequest(t.Context(), actor.Request{IP: ip}), http.MethodGet, path, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for i := range 3 {
		if w := ask("203.0.113.7", "/graphql"); w.Code != http.StatusOK {
			t.Errorf("request %d: %d", i, w.Code)
		}
	}
	w := ask("203.0.113.7", "/graphql")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "RATE_LIMITED") {
		t.Errorf("one too many: %d, %s", w.Code, w.Body)
	}
	if ask("203.0.113.7", "/healthz").Code != http.StatusOK || ask("203.0.113.8", "/graphql").Code != http.StatusOK {
		t.Error("a health check, or a neighbour, is refused")
	}
	c.Advance(500 * time.Millisecond)
	if ask("203.0.113.7", "/").Code != http.StatusOK || ask("203.0.113.7", "/").Code != http.StatusTooManyRequests {
		t.Error("half a second is not one request")
	}
	for i := range 3 {
		ask(fmt.Sprintf("2001:db8::%d", i), "/")
	}
	if ask("2001:db8::ffff", "/").Code != http.StatusTooManyRequests || ask("2001:db8:0:1::1", "/").Code != http.StatusOK {
		t.Error("a /64 is not one customer")
	}
}

func TestThrottleIsOffAtZero(t *testing.T) {
	t.Parallel()
	if s := New(Config{}, Deps{}); s.limiter != nil {
		t.Error("something is limited")
	}
}

// However many ask at once, no more than may get through; and what is counted is bounded.
func TestThrottleAtOnce(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	l := newLimiter(1, 10, c.Now)
	var in atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if l.take("203.0.113.7") == 0 {
				in.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 10 {
		t.Errorf("%d got through", in.Load())
	}
	for i := range maxNetworks + 10 {
		l.take(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	if n := l.networks.Len(); n != maxNetworks {
		t.Errorf("%d addresses are kept", n)
	}
}
