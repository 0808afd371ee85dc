package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

const (
	operationsEvery = 10 * time.Second // what is added up into one event of each operation
	operationsKept  = 1000             // events that wait while they cannot be stored; the oldest go first
)

// operations adds up how often GraphQL operations ran on this node, how long they took and how many were refused, and stores
// that as events now and then: one for each root field, kind and code in the time, not one for each request. Their ids are made
// once, so storing them again after a failure counts once.
type operations struct {
	analytics *analytics.Service
	now       clock.Clock
	log       *slog.Logger
	node      string // of ids: this start of this process
	denied    map[string]bool

	mu    sync.Mutex
	sums  map[operation]sum
	ready []analytics.EventCmd
	seq   int
}

type operation struct{ field, kind, code string }

type sum struct {
	n          int64
	total, max time.Duration
}

func newOperations(a *analytics.Service, now clock.Clock, log *slog.Logger) *operations {
	o := &operations{analytics: a, now: now, log: log, node: ref.NewID(), denied: map[string]bool{}, sums: map[operation]sum{}}
	for _, e := range fault.Catalogue() {
		o.denied[e.Code] = e.Kind == fault.Unauthenticated || e.Kind == fault.Forbidden || e.Kind == fault.Exhausted
	}
	return o
}

// observe counts one operation. All three texts come from small fixed sets; see [httpapi.Metrics.ObserveGraphQL].
func (o *operations) observe(field, kind, code string, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := operation{field, kind, code}
	s := o.sums[key]
	o.sums[key] = sum{s.n + 1, s.total + took, max(s.max, took)}
}

// collect turns what was added up into events that wait to be stored, and gives all that wait.
func (o *operations) collect() []analytics.EventCmd {
	at := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seq++
	for op, s := range o.sums {
		o.ready = append(o.ready, analytics.EventCmd{
			ID: o.id(op, eventRequest), Name: eventRequest, At: &at,
			Dims:   map[string]any{"operation": op.field, "kind": op.kind, "code": op.code},
			Values: map[string]any{"count": s.n, "ms": ms(s.total) / float64(s.n), "max_ms": ms(s.max)},
		})
		if o.denied[op.code] {
			o.ready = append(o.ready, analytics.EventCmd{
				ID: o.id(op, eventDenied), Name: eventDenied, At: &at,
				Dims: map[string]any{"operation": op.field, "code": op.code}, Values: map[string]any{"count": s.n},
			})
		}
	}
	clear(o.sums)
	o.ready = o.ready[max(len(o.ready)-operationsKept, 0):]
	return o.ready
}

func (o *operations) id(op operation, name string) string {
	hash := sha256.Sum256(fmt.Append(nil, o.node, o.seq, " ", op.field, " ", op.kind, " ", op.code, " ", name))
	return "op-" + hex.EncodeToString(hash[:16])
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Run stores the sums now and then until ctx ends, and then those that are left.
func (o *operations) Run(ctx context.Context) {
	for clock.Sleep(ctx, operationsEvery) {
		o.flush(ctx)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
	defer cancel()
	o.flush(end)
}

func (o *operations) flush(ctx context.Context) {
	batch := o.collect()
	if len(batch) == 0 {
		return
	}
	if _, err := o.analytics.Record(ctx, batch); err != nil {
		o.log.WarnContext(ctx, "operations_not_recorded", "error", err.Error())
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ready = nil // only this goroutine collects
}
