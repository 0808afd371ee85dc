package httpapi

import (
	"math"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/throttle"
)

// maxNetworks is how many addresses are counted at once; the one that was quiet for longest is forgotten for a new one.
const maxNetworks = 50_000

// limiter counts requests by network address: so many a second as an average, and so many at once. It counts on this node
// alone, and in memory: what must hold on all of them together, such as guesses at a password, is counted by the flows.
type limiter struct {
	rate  rate.Limit
	burst int
	now   clock.Clock

	mu       sync.Mutex
	networks *lru.Cache[string, *rate.Limiter]
}

// newLimiter makes a limiter; nil for a rate of 0, which limits nothing.
func newLimiter(perSecond float64, burst int, now clock.Clock) *limiter {
	if perSecond <= 0 {
		return nil
	}
	networks, err := lru.New[string, *rate.Limiter](maxNetworks)
	if err != nil { // of a size below 1
		panic("httpapi: " + err.Error())
	}
	return &limiter{rate: rate.Limit(perSecond), burst: max(burst, 1), now: now, networks: networks}
}

// take counts a request of an address, and tells how long to wait when it is one too many.
func (l *limiter) take(ip string) (wait time.Duration) {
	now, name := l.now(), throttle.Network(ip)
	l.mu.Lock()
	defer l.mu.Unlock()
	one, ok := l.networks.Get(name)
	if !ok {
		one = rate.NewLimiter(l.rate, l.burst)
		l.networks.Add(name, one)
	}
	r := one.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now) // who is refused has used nothing up
	}
	return wait
}

// throttle refuses an address that sends more than it may, before anything is looked up for it. Health checks are not
// counted: a node that is busy is not dead.
func (s *Server) throttle(next http.Handler) http.Handler {
	if s.limiter == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p != "/healthz" && p != "/readyz" {
			if wait := s.limiter.take(actor.RequestFrom(r.Context()).IP); wait > 0 {
				writeError(w, r, throttle.ErrLimited.With("retryAfter", int(math.Ceil(wait.Seconds()))))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
