package analytics

import (
	"context"
	"math"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/ref"
)

// Verification is the outcome of [Service.Verify].
type Verification struct {
	Metrics     int
	Rollups     int64 // compared
	Differing   int64
	Differences []Difference // the first 100
}

// Difference is a rollup that is not what its events say.
type Difference struct {
	Metric, Dim, Key string
	At               time.Time
	Stored, Counted  int64   // events; 0 where there is no rollup, or no event
	StoredSum        float64 // of the value
	CountedSum       float64
}

const maxDifferences = 100

// settlePoll is how often Settled looks.
const settlePoll = 20 * time.Millisecond

// Settled waits until all events stored before the call, and all metrics defined before it, are in the rollups. Somebody
// must be folding: without a folder it waits until ctx ends. Cost: 1 write, and a read each 20 ms.
//
// Errors: DEADLINE_EXCEEDED.
func (s *Service) Settled(ctx context.Context) error {
	n, err := s.store.ring(ctx)
	if err != nil {
		return err
	}
	for {
		cp, err := s.store.checkpoint(ctx)
		if err != nil {
			return err
		}
		if cp.Settled >= n {
			return nil
		}
		if !clock.Sleep(ctx, settlePoll) {
			return ctxError(ctx)
		}
	}
}

// Verify recounts all stored events on the server and compares them with the rollups, both as of one moment, while
// everything goes on. It waits for the folder first; see [Service.Settled]. Sums may differ by what the order of adding
// floating-point numbers changes. Cost: a scan of the events of each metric for each of its dimensions and the total.
//
// Errors: FORBIDDEN, DEADLINE_EXCEEDED.
func (s *Service) Verify(ctx context.Context) (Verification, error) {
	if err := s.authz.Require(ctx, PermManage, ref.Ref{}); err != nil {
		return Verification{}, err
	}
	if err := s.Settled(ctx); err != nil {
		return Verification{}, err
	}
	var v Verification
	err := s.store.asOf(ctx, timestamp{}, func(rows context.Context) error {
		cp, err := s.store.checkpoint(rows)
		if err != nil {
			return err
		}
		all, err := s.store.allMetrics(rows)
		if err != nil {
			return err
		}
		for _, m := range all {
			done, ok := cp.of(m)
			if !ok {
				continue // defined since: reports say that it is not whole
			}
			at := cp.Position
			if done.AsOf.After(at) {
				at = done.AsOf
			}
			v.Metrics++
			err := s.store.asOf(ctx, at, func(events context.Context) error { return s.verify(rows, events, m, &v) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	return v, err
}

// verify compares one metric. Both sides come in the same order, so neither is ever whole in memory.
func (s *Service) verify(rows, events context.Context, m Metric, v *Verification) error {
	for _, dim := range append([]string{""}, m.Dimensions...) {
		stored, err := s.store.stored(rows, m, dim)
		if err != nil {
			return err
		}
		counted, err := s.store.counted(events, m, dim)
		if err != nil {
			stored.close(rows)
			return err
		}
		err = compare(rows, events, stored, counted, func(k rollupKey, a, b cell) {
			v.Rollups++
			if same(a, b) {
				return
			}
			if v.Differing++; len(v.Differences) < maxDifferences {
				v.Differences = append(v.Differences, Difference{
					Metric: m.Key, Dim: dim, Key: k.key, At: time.UnixMilli(k.at).UTC(),
					Stored: a.n, Counted: b.n, StoredSum: a.sum, CountedSum: b.sum,
				})
			}
		})
		stored.close(rows)
		counted.close(events)
		if err != nil {
			return err
		}
	}
	return nil
}

// same reports whether two cells count the same events.
func same(a, b cell) bool {
	if a.n != b.n || a.c != b.c {
		return false
	}
	if a.c == 0 {
		return true
	}
	slack := 1e-11 * float64(a.c) * max(math.Abs(a.min), math.Abs(a.max))
	return a.min == b.min && a.max == b.max && math.Abs(a.sum-b.sum) <= slack
}

// compare walks two ascending lists of cells and calls each for every key in either.
func compare(actx, bctx context.Context, a, b *cellCursor, each func(k rollupKey, a, b cell)) error {
	okA, errA := a.next(actx)
	okB, errB := b.next(bctx)
	for errA == nil && errB == nil && (okA || okB) {
		order := a.key.compare(b.key)
		if !okB {
			order = -1
		} else if !okA {
			order = 1
		}
		switch {
		case order < 0:
			each(a.key, a.cell, cell{})
		case order > 0:
			each(b.key, cell{}, b.cell)
		default:
			each(a.key, a.cell, b.cell)
		}
		if order <= 0 {
			okA, errA = a.next(actx)
		}
		if order >= 0 {
			okB, errB = b.next(bctx)
		}
	}
	if errA != nil {
		return errA
	}
	return errB
}
