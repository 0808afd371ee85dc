package app

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
)

// The product's own events. docs/analytics.md says what each holds.
const (
	eventSignIn  = "product.sign_in"
	eventDenied  = "product.denied"
	eventUsage   = "product.usage"
	eventRequest = "product.request"
)

// productMetrics are defined when nobody has defined them otherwise.
func productMetrics() []analytics.Metric {
	return []analytics.Metric{
		{Key: "product.sign_ins", Event: eventSignIn, Dimensions: []string{"how"}},
		{Key: "product.denials", Event: eventDenied, Value: "count", Dimensions: []string{"operation", "code"}},
		{Key: "product.usage", Event: eventUsage, Dimensions: []string{"domain", "kind"}},
		{Key: "product.requests", Event: eventRequest, Value: "count", Dimensions: []string{"operation", "kind", "code"}},
		{Key: "product.latency", Event: eventRequest, Value: "ms", Dimensions: []string{"operation", "kind"}},
	}
}

// ensureProductMetrics defines those of the product's metrics that are not there.
func (c *core) ensureProductMetrics(ctx context.Context) error {
	if !c.cfg.Analytics.Product {
		return nil
	}
	known := map[string]bool{}
	all, err := c.analytics.Metrics(ctx)
	for _, m := range all {
		known[m.Key] = true
	}
	for _, m := range productMetrics() {
		if err == nil && !known[m.Key] {
			_, err = c.analytics.DefineMetric(ctx, m)
		}
	}
	return err
}

// The pace of the recorder of facts.
const (
	factsLease   = 15 * time.Second // a recorder that died is replaced after this time
	factsEvery   = time.Second      // how long facts wait to be stored together
	factsRenew   = 5 * time.Second
	factsQueue   = 10_000          // facts that may wait
	factsOverlap = 5 * time.Minute // facts commit later than they happen: so far is read again
)

// facts stores the facts of the log as events. One node does it at a time, chosen by a lease: it reads what the one before it
// may have missed from the log, and then follows the change stream. The id of an event is that of its fact, so what is read
// twice is stored once.
type facts struct {
	db        *store.DB
	events    *event.Log
	analytics *analytics.Service
	log       *slog.Logger

	mu        sync.Mutex
	listening bool
	missed    bool // some facts have to be read from the log
	queue     []analytics.EventCmd
}

// follower takes the facts as they commit, on the node that records them.
func (f *facts) follower() event.Follower {
	follower := event.FollowEvents("facts", func(_ context.Context, e event.Event) {
		if cmd, ok := factEvent(e); ok {
			f.add(cmd)
		}
	})
	follower.OnLost = func(context.Context) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.missed = true
	}
	return follower
}

func (f *facts) add(cmd analytics.EventCmd) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.listening:
	case len(f.queue) >= factsQueue:
		f.missed = true
	default:
		f.queue = append(f.queue, cmd)
	}
}

// factEvent is the event of a fact; false for one that is none. What analytics does is left out: it would count itself.
func factEvent(e event.Event) (analytics.EventCmd, bool) {
	domain, _, _ := strings.Cut(e.Kind, ".")
	cmd := analytics.EventCmd{ID: "fact-" + e.ID, At: &e.At, Actor: e.Actor.User, Session: e.Actor.Session}
	switch {
	case domain == "analytics":
		return cmd, false
	case e.Kind == "session.session.started":
		how, _ := e.Data.Lookup("methods").StringValueOK() // such as "pwd otp"
		cmd.Name, cmd.Dims = eventSignIn, map[string]any{"how": how}
		if user, ok := e.Data.Lookup("user").StringValueOK(); ok { // who was nobody until then
			cmd.Actor, cmd.Session = user, e.On.ID
		}
	case e.Kind == "webauth.signin.failed":
		cmd.Name, cmd.Dims, cmd.Values = eventDenied, map[string]any{"operation": "signIn", "code": "FAILED"}, map[string]any{"count": 1}
	default:
		cmd.Name, cmd.Dims = eventUsage, map[string]any{"domain": domain, "kind": e.Kind}
	}
	return cmd, true
}

// Run records facts, or waits for its turn, until ctx ends.
func (f *facts) Run(ctx context.Context) {
	for {
		lease, err := f.db.TryLease(ctx, "product_facts", factsLease)
		if err == nil {
			f.lead(ctx, lease)
		}
		if !clock.Sleep(ctx, factsLease/3) {
			return
		}
	}
}

// lead records facts while the lease is held.
func (f *facts) lead(ctx context.Context, lease *store.Lease) {
	f.listen(true)
	defer f.listen(false)
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
		defer cancel()
		_ = f.step(end) // what came last; the next one finds what this leaves
		_ = lease.Release(end)
	}()
	for renewed := time.Duration(0); clock.Sleep(ctx, factsEvery); renewed += factsEvery {
		if err := f.step(ctx); err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "facts_not_recorded", "error", err.Error())
		}
		if renewed < factsRenew {
			continue
		}
		if renewed = 0; lease.Renew(ctx) != nil {
			return
		}
	}
}

// listen begins anew, with what the log holds, or ends.
func (f *facts) listen(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listening, f.missed, f.queue = on, on, nil
}

// step records what waits.
func (f *facts) step(ctx context.Context) error {
	f.mu.Lock()
	missed, batch := f.missed, f.queue[:min(len(f.queue), analytics.MaxBatch)]
	f.missed = false
	f.mu.Unlock()
	var err error
	if missed {
		if err = f.catchUp(ctx); err != nil {
			f.mu.Lock()
			f.missed = true
			f.mu.Unlock()
			return err
		}
	}
	if len(batch) == 0 {
		return nil
	}
	if _, err = f.analytics.Record(ctx, batch); err != nil {
		return err
	}
	f.mu.Lock()
	f.queue = f.queue[len(batch):]
	f.mu.Unlock()
	return nil
}

// catchUp records the facts of the log since shortly before the newest one that is recorded; of a database that has none,
// all.
func (f *facts) catchUp(ctx context.Context) error {
	from, err := f.analytics.NewestAt(ctx, eventSignIn, eventUsage)
	if err != nil {
		return err
	}
	for after := ""; ; {
		found, err := f.events.Since(ctx, from.Add(-factsOverlap), after, analytics.MaxBatch)
		if err != nil || len(found) == 0 {
			return err
		}
		var batch []analytics.EventCmd
		for _, e := range found {
			if cmd, ok := factEvent(e); ok {
				batch = append(batch, cmd)
			}
		}
		if len(batch) > 0 {
			if _, err := f.analytics.Record(ctx, batch); err != nil {
				return err
			}
		}
		after = found[len(found)-1].ID
	}
}

// recordProduct starts to store the product's own events, if the settings say so.
func (a *App) recordProduct(life context.Context) {
	if !a.cfg.Analytics.Product {
		return
	}
	life = actor.With(life, actor.System())
	a.workers.Go(func() { a.facts.Run(life) })
	a.workers.Go(func() { a.operations.Run(life) })
}
