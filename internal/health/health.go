package health

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

// The bounds of checks.
const (
	Timeout = 2 * time.Second  // of one check
	fresh   = time.Second      // results are given out again for so long: probes cost the database nothing
	every   = 10 * time.Second // between two looks when nobody asks
)

// Check asks one thing whether it does its work.
type Check struct {
	Name     string
	Critical bool          // while it fails, the node is not ready for traffic; otherwise a failure is a warning
	Keep     time.Duration // how long its result is good; zero means a second
	// Run gives an error when it does not; detail is a short fact worth showing, such as a lag. The code of the error, and the
	// detail of a critical check, are shown to anybody who may reach the public listener; the message of a fault to operators.
	Run func(ctx context.Context) (detail string, err error)
}

// Status is how a check went.
type Status string

// The statuses.
const (
	OK      Status = "OK"
	Warning Status = "WARNING" // somebody should look; the node serves
	Failed  Status = "FAILED"  // the node is not ready
)

// Result is what came of a check.
type Result struct {
	Name     string    `bson:"name"`
	Status   Status    `bson:"status"`
	Critical bool      `bson:"critical"`
	Detail   string    `bson:"detail"` // a fact, or what is wrong
	Code     string    `bson:"code"`   // of the error; empty without one
	Ms       float64   `bson:"ms"`     // how long the check took
	At       time.Time `bson:"at"`

	cause error // for the log
}

// FaultCode is the code of what is wrong; nil when nothing is.
func (r Result) FaultCode() *string {
	if r.Code == "" {
		return nil
	}
	return &r.Code
}

// State is what the results come to.
type State string

// The states.
const (
	Ready    State = "ready"
	NotReady State = "not_ready"
	Draining State = "draining" // for good: the process is about to end
)

// Registry holds the checks of a node. It is safe for concurrent use.
type Registry struct {
	checks []Check
	busy   []atomic.Bool // of each check: its last run has not come back
	now    clock.Clock
	log    *slog.Logger

	mu   sync.Mutex // held while the checks run: those who come together share one run
	at   time.Time
	last []Result // of the checks, in their order; never written again

	drain     chan struct{}
	drainOnce sync.Once
}

// New makes a registry of these checks.
func New(now clock.Clock, log *slog.Logger, checks ...Check) *Registry {
	return &Registry{checks: checks, busy: make([]atomic.Bool, len(checks)), now: now, log: log, drain: make(chan struct{})}
}

// Drain makes the node not ready for good: it is about to stop.
func (r *Registry) Drain() { r.drainOnce.Do(func() { close(r.drain) }) }

// Look runs the checks at once, each with its own bound, or gives the results of a moment ago.
func (r *Registry) Look(ctx context.Context) (State, []Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() || r.now().Sub(r.at) >= fresh || r.now().Before(r.at) {
		before := r.last
		r.last = r.run(context.WithoutCancel(ctx)) // others share the results: one impatient probe must not spoil them
		r.at = r.now()
		r.tell(ctx, before)
	}
	return r.state(), r.last
}

func (r *Registry) state() State {
	select {
	case <-r.drain:
		return Draining
	default:
	}
	for _, res := range r.last {
		if res.Status == Failed {
			return NotReady
		}
	}
	return Ready
}

func (r *Registry) run(ctx context.Context) []Result {
	results := make([]Result, len(r.checks))
	var wg sync.WaitGroup
	for i, c := range r.checks {
		if c.Keep > fresh && r.last != nil && r.now().Sub(r.last[i].At) < c.Keep {
			results[i] = r.last[i]
			continue
		}
		wg.Go(func() { results[i] = r.ask(ctx, c, &r.busy[i]) })
	}
	wg.Wait()
	return results
}

// ask runs one check and judges it.
func (r *Registry) ask(ctx context.Context, c Check, busy *atomic.Bool) Result {
	begin := r.now()
	detail, err := bounded(ctx, c, busy)
	res := Result{
		Name: c.Name, Status: OK, Critical: c.Critical, Detail: detail, At: begin, Ms: float64(r.now().Sub(begin).Microseconds()) / 1000,
	}
	if err == nil {
		return res
	}
	res.Status = Warning
	if c.Critical {
		res.Status = Failed
	}
	f := fault.From(err)
	res.Code, res.Detail, res.cause = f.Code, f.Msg, err // the message of what nobody has worded says nothing
	return res
}

// bounded runs one check for [Timeout]. One that does not heed its deadline is left behind, and not run again before it is back.
func bounded(ctx context.Context, c Check, busy *atomic.Bool) (detail string, err error) {
	if !busy.CompareAndSwap(false, true) {
		return "", context.DeadlineExceeded
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	type answer struct {
		detail string
		err    error
	}
	got := make(chan answer, 1)
	go func() {
		defer cancel()
		detail, err := c.Run(ctx)
		busy.Store(false)
		got <- answer{detail, err}
	}()
	select {
	case a := <-got:
		return a.detail, a.err
	case <-ctx.Done():
		select { // it came back just then
		case a := <-got:
			return a.detail, a.err
		default:
			return "", ctx.Err()
		}
	}
}

// tell logs what has changed, not each look.
func (r *Registry) tell(ctx context.Context, before []Result) {
	for i, now := range r.last {
		switch was := before; {
		case was != nil && was[i].Status == now.Status, was == nil && now.Status == OK:
		case now.Status == OK:
			r.log.InfoContext(ctx, "check_recovered", "check", now.Name, "detail", now.Detail)
		default:
			r.log.WarnContext(ctx, "check_failed", "check", now.Name, "critical", now.Critical, "code", now.Code, "error", now.cause.Error())
		}
	}
}

// Watch looks now and then until ctx ends, so that the results are there, and changes are logged, whoever asks.
func (r *Registry) Watch(ctx context.Context) {
	for {
		r.Look(ctx)
		if !clock.Sleep(ctx, every) {
			return
		}
	}
}

// Last gives the results of the last look, however old; nil before the first. It runs nothing.
func (r *Registry) Last() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
