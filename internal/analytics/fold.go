package analytics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	foldLease  = "analytics.fold"
	commitWait = 9 * time.Second // less than the life of a transaction on the managed server
	stopWait   = 2 * time.Second // what is under way when the folder is stopped may take this long
)

// Fold keeps the rollups up to date until ctx ends, and up to 2 s longer for a commit that is under way. Every node may
// run it: one in the cluster works at a time, and another takes over when it stops (within a fifth of Config.LeaseTTL) or
// dies (within the TTL and a fifth; if it died inside a commit, when the server has given up the transaction).
// A failure is logged and the work taken up again from the checkpoint.
func (s *Service) Fold(ctx context.Context) {
	ctx = actor.With(ctx, actor.System())
	for ctx.Err() == nil {
		call, cancel := patient(ctx, s.cfg.LeaseTTL)
		lease, err := s.db.TryLease(call, foldLease, s.cfg.LeaseTTL)
		cancel()
		waiting := errors.Is(err, store.ErrLeaseHeld)
		if err == nil {
			err = s.hold(ctx, lease)
		}
		if ctx.Err() == nil && !waiting {
			s.cfg.Log.WarnContext(ctx, "analytics_fold_stopped", "error", err.Error())
		}
		clock.Sleep(ctx, s.cfg.LeaseTTL/5)
	}
}

// hold folds while the lease is ours.
func (s *Service) hold(ctx context.Context, lease *store.Lease) error {
	s.cfg.Log.InfoContext(ctx, "analytics_fold_started", "fence", lease.Fence())
	ctx, stop := context.WithCancelCause(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		for clock.Sleep(ctx, s.cfg.LeaseTTL/5) {
			// A renewal that fails is tried again: what keeps two folders apart is the fence, not this goroutine.
			if err := lease.Renew(ctx); errors.Is(err, store.ErrLeaseHeld) {
				stop(err)
			}
		}
	}()
	f := &folder{s: s, fence: lease.Fence(), rows: rollups{}}
	err := f.run(ctx)
	if lost := context.Cause(ctx); lost != nil {
		err = lost
	}
	stop(nil)
	<-kept
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = lease.Release(end) // it runs out by itself if this is lost
	return err
}

// Restored has every rollup computed anew from the stored events, in a database that was copied here while nobody folds: the change stream
// of another one tells nothing, and that of the same one would tell of the copying, so that everything counted twice.
func (s *Service) Restored(ctx context.Context) error {
	lease, err := s.db.TryLease(ctx, foldLease, s.cfg.LeaseTTL)
	if err != nil {
		return err
	}
	f := &folder{s: s, fence: lease.Fence(), rows: rollups{}}
	if f.cp, err = s.store.claim(ctx, f.fence); err == nil && f.cp.Format == foldFormat {
		err = f.begin(ctx) // of another format it is begun anyway
	}
	return errors.Join(err, lease.Release(ctx))
}

// folder is one holding of the lease. It belongs to one goroutine.
type folder struct {
	s     *Service
	fence int64
	cp    checkpoint           // as this folder wrote it last
	defs  map[string][]*Metric // metrics to fold, by the name of their events
	keys  keySets

	// since the checkpoint
	rows      rollups // and what is fresh in keys
	at        timestamp
	through   time.Time
	rung      int64
	redefined bool
}

// run works from the checkpoint until ctx ends or another folder takes over; after a failure it begins there again.
func (f *folder) run(ctx context.Context) error {
	for {
		err := f.work(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errFenced):
			return err
		case errors.Is(err, errHistory):
			f.s.cfg.Log.ErrorContext(ctx, "analytics_history_lost", "error", err.Error(),
				"effect", "every rollup is computed anew from the stored events")
			err = f.begin(ctx)
		}
		if err != nil {
			f.s.cfg.Log.WarnContext(ctx, "analytics_fold_interrupted", "error", err.Error())
			clock.Sleep(ctx, f.s.cfg.LeaseTTL/10)
		}
	}
}

// work takes up the checkpoint and folds until something fails.
func (f *folder) work(ctx context.Context) error {
	var err error
	if f.cp, err = f.s.store.claim(ctx, f.fence); err != nil {
		return err
	}
	if f.keys, err = f.s.store.keySets(ctx); err != nil {
		return err
	}
	if f.cp.Format != foldFormat {
		f.s.cfg.Log.InfoContext(ctx, "analytics_fold_first", "effect", "rollups are computed from the stored events")
		f.cp.Metrics = nil // what they say of rollups of another format is worth nothing
		if err := f.begin(ctx); err != nil {
			return err
		}
	}
	in, err := f.s.store.follow(ctx, f.cp)
	if err != nil {
		return err
	}
	defer in.close(ctx)
	if err := f.define(ctx); err != nil {
		return err
	}
	f.reset()
	return f.follow(ctx, in)
}

func (f *folder) reset() {
	clear(f.rows)
	f.at, f.rung, f.redefined, f.through = f.cp.Position, max(f.cp.Settled, f.cp.Rung), false, time.Time{}
	if f.cp.Through != nil {
		f.through = *f.cp.Through
	}
}

// begin makes a checkpoint of now at which no metric is folded yet: each is then counted from the stored events.
func (f *folder) begin(ctx context.Context) error {
	now, err := f.s.db.ClusterTime(ctx)
	if err != nil {
		return err
	}
	var rung int64
	var any bool
	err = f.s.db.AsOf(ctx, now, func(ctx context.Context) (err error) { // the stream brings the rings after that
		if rung, err = f.s.store.rings(ctx); err != nil {
			return err
		}
		any, err = f.s.store.hasEvents(ctx)
		return err
	})
	if err != nil {
		return err
	}
	next := checkpoint{
		ID: foldID, Format: foldFormat, Fence: f.fence, StartAt: now, Position: now, Rung: rung, Settled: f.cp.Settled,
		Metrics: anew(f.cp.Metrics), Pruned: f.cp.Pruned, Through: f.cp.Through,
		// Even if the checkpoint was lost altogether this is above the rev of every rollup: time has moved on at least by
		// one for each write.
		Rev: max(f.cp.Rev+1, int64(now.T)<<20+int64(now.I)),
	}
	if t := time.Unix(int64(now.T), 0).UTC(); any && (next.Through == nil || t.After(*next.Through)) {
		next.Through = &t
	}
	return f.move(ctx, next, write{})
}

// define reads the metrics, counts those that are not folded yet, and removes what is left of those that are deleted.
func (f *folder) define(ctx context.Context) error {
	all, err := f.s.store.allMetrics(ctx)
	if err != nil {
		return err
	}
	f.redefined = false
	f.defs = map[string][]*Metric{}
	if err := f.sweep(ctx, all); err != nil {
		return err
	}
	for _, m := range all {
		f.defs[m.Event] = append(f.defs[m.Event], &m)
		if _, ok := f.cp.of(m); !ok {
			if err := f.recount(ctx, &m); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow folds what the stream brings, and commits at most once in Config.FlushEvery: at once after a pause, so that a
// single event is in a report within milliseconds, and in lots when there is much to do.
func (f *folder) follow(ctx context.Context, in *stream) error {
	pace := time.NewTimer(0)
	defer pace.Stop()
	idle := time.NewTicker(f.s.cfg.IdleEvery)
	defer idle.Stop()
	prune := time.NewTimer(0)
	defer prune.Stop()
	for {
		select {
		case <-prune.C:
			more, err := f.prune(ctx)
			if err != nil {
				return err
			}
			next := f.s.cfg.PruneEvery
			if more {
				next = f.s.cfg.FlushEvery
			}
			prune.Reset(next)
		default:
		}
		if err := f.take(ctx, in); err != nil {
			return err
		}
		due := f.redefined || f.rung != f.cp.Settled || len(f.rows) > 0
		if !due {
			select {
			case <-idle.C: // a token that never moved would fall out of the server's history
				due = string(in.token()) != string(f.cp.Token)
			default:
			}
		}
		if !due {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pace.C:
		}
		if err := f.flush(ctx, in); err != nil {
			return err
		}
		pace.Reset(f.s.cfg.FlushEvery)
		if f.redefined {
			if err := f.define(ctx); err != nil {
				return err
			}
		}
	}
}

// take folds the changes that are at hand, up to one lot, waiting a moment for the first.
func (f *folder) take(ctx context.Context, in *stream) error {
	for first := true; first || in.more() && len(f.rows) < f.s.cfg.FlushRows && !f.redefined; first = false {
		c, ok, err := in.next(ctx)
		switch {
		case errors.Is(err, errForeign):
			f.s.cfg.Log.ErrorContext(ctx, "analytics_event_unreadable", "error", err.Error(), "effect", "it is not counted")
		case err != nil:
			return err
		case !ok:
			return nil
		}
		f.observe(c)
	}
	return nil
}

func (f *folder) observe(c change) {
	if c.at.After(f.at) {
		f.at = c.at
	}
	f.redefined = f.redefined || c.metric
	f.rung = max(f.rung, c.ring)
	if c.event == nil {
		return
	}
	if c.wall.After(f.through) { // the clock of a new primary may be behind
		f.through = c.wall
	}
	for _, m := range f.defs[c.event.Name] {
		if done, ok := f.cp.of(*m); ok && !done.has(c.event.At, c.at) {
			f.rows.observe(m, c.event, done, f.keys)
		}
	}
}

// flush commits what was folded since the checkpoint.
func (f *folder) flush(ctx context.Context, in *stream) error {
	next := f.cp
	next.Rev++
	next.Token, next.Position, next.Settled = in.token(), f.at, f.rung
	if !f.through.IsZero() {
		through := f.through
		next.Through = &through
	}
	if err := f.move(ctx, next, write{add: f.rows}); err != nil {
		return err
	}
	clear(f.rows)
	return nil
}

// write is what goes with a checkpoint.
type write struct {
	add     rollups // counted on top of what is stored
	replace rollups // put in the place of what is stored
	remove  []rawID
	also    func(ctx context.Context) error
}

// move commits the next checkpoint, and the keys admitted since the last. A commit under way is not cut off when the
// folder is stopped: its transaction could stay open on the server and lock the checkpoint for the life of a transaction,
// 10 s or more.
func (f *folder) move(ctx context.Context, next checkpoint, w write) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ctx, cancel := patient(ctx, commitWait)
	defer cancel()
	if err := f.s.store.move(ctx, f.cp, next, w, f.keys); err != nil {
		return fmt.Errorf("commit fold: %w", err)
	}
	f.cp = next
	for _, set := range f.keys {
		set.fresh, set.renewed = nil, false
	}
	return nil
}

// patient bounds something that is better finished than cut off: it ends after d, or stopWait after ctx.
func patient(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	long, cancel := store.Linger(ctx, stopWait)
	long, release := context.WithTimeout(long, d)
	return long, func() {
		release()
		cancel()
	}
}
