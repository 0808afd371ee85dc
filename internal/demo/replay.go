package demo

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	eventName   = "flight"
	metricCount = "flights.count"
	replayEvery = 250 * time.Millisecond
	leaseName   = "demo.replay"
	leaseTTL    = 10 * time.Second
	backfill    = 30 * time.Minute // of flights are sent at the first start, so that no chart is empty
	laps        = 24 * time.Hour   // between the last flight of a round and the first of the next, in the original's time
)

// Replay sends the flights, dates shifted to now, until ctx ends. One node of a cluster does it; the others wait for their
// turn. A failure is logged and tried again: the demo never ends the server.
func (d *Demo) Replay(ctx context.Context) {
	ctx = actor.With(ctx, actor.System())
	flights, err := ReadFlights(filepath.Join(d.cfg.DataDir, d.cfg.Flights))
	if err != nil {
		d.Log.ErrorContext(ctx, "demo_replay_impossible", "error", err.Error())
		return
	}
	for clock.Sleep(ctx, replayEvery) {
		lease, err := d.DB.TryLease(ctx, leaseName, leaseTTL)
		if errors.Is(err, store.ErrLeaseHeld) {
			clock.Sleep(ctx, leaseTTL/2)
			continue
		}
		if err == nil {
			err = d.replayWhile(ctx, lease, newReel(flights, d.cfg.Speed, d.Now()))
			_ = lease.Release(context.WithoutCancel(ctx)) // else it runs out by itself
		}
		if err != nil && ctx.Err() == nil {
			d.Log.WarnContext(ctx, "demo_replay_interrupted", "error", err.Error())
			clock.Sleep(ctx, leaseTTL/2)
		}
	}
}

func (d *Demo) replayWhile(ctx context.Context, lease *store.Lease, r *reel) error {
	renewed := d.Now()
	sent := renewed
	recent, err := d.Analytics.Report(ctx, analytics.Query{
		Metric: metricCount, Aggregate: analytics.Count, Step: analytics.Minute, Last: int(backfill / time.Minute), Top: 1,
	})
	if err != nil {
		return err
	}
	if len(recent.Points) == 0 {
		sent = renewed.Add(-backfill)
	}
	for {
		now := d.Now()
		if err := d.send(ctx, r.between(sent, now)); err != nil {
			return err
		}
		sent = now
		if now.Sub(renewed) > leaseTTL/3 {
			if err := lease.Renew(ctx); err != nil {
				return err
			}
			renewed = now
		}
		if !clock.Sleep(ctx, replayEvery) {
			return ctx.Err()
		}
	}
}

func (d *Demo) send(ctx context.Context, events []analytics.EventCmd) error {
	for len(events) > 0 {
		n := min(len(events), analytics.MaxBatch)
		if _, err := d.Analytics.Track(ctx, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// reel maps the time of the replay onto the endless repetition of the flights.
type reel struct {
	flights []Flight
	speed   float64
	start   time.Time     // replay time of the first flight of round 0
	round   time.Duration // length of a round, in the original's time
}

// newReel begins a round so long before now that a backfill is covered.
func newReel(flights []Flight, speed float64, now time.Time) *reel {
	r := &reel{flights: flights, speed: speed, start: now.Add(-2 * backfill)}
	if len(flights) > 0 {
		r.round = flights[len(flights)-1].At.Sub(flights[0].At) + laps
	}
	return r
}

// between gives the flights whose replay time is in (from, to], by time.
func (r *reel) between(from, to time.Time) []analytics.EventCmd {
	if len(r.flights) == 0 || !to.After(from) {
		return nil
	}
	begin, end := r.original(from), r.original(to)
	var out []analytics.EventCmd
	for round := begin.Truncate(r.round); round <= end; round += r.round {
		for _, f := range r.flights {
			at := round + f.At.Sub(r.flights[0].At)
			if at <= begin || at > end {
				continue
			}
			out = append(out, analytics.EventCmd{
				ID: ref.NewID(), Name: eventName, At: new(r.replayed(at)),
				Dims:   map[string]any{"origin": f.Origin, "destination": f.Destination},
				Values: map[string]any{"delay": f.Delay, "distance": f.Distance},
			})
		}
	}
	return out
}

// original is how far into the repetition a replay time is, in the original's time.
func (r *reel) original(t time.Time) time.Duration {
	return time.Duration(float64(t.Sub(r.start)) * r.speed)
}

func (r *reel) replayed(original time.Duration) time.Time {
	return r.start.Add(time.Duration(float64(original) / r.speed)).Truncate(time.Millisecond)
}
