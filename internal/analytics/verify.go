package analytics

import (
	"context"
	"math"
	"slices"
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
	Rollup           Source // its width
	At               time.Time
	Stored, Counted  int64   // events; 0 where there is no rollup, or no event
	StoredSum        float64 // of the value
	CountedSum       float64
	Sketch           bool // only a sketch differs
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

// Verify recounts all stored events and compares them with the rollups, both as of one moment for each dimension of a
// metric, while everything goes on: the counters by the server, the sketches here. It waits for the folder before each; see
// [Service.Settled]. Sums may differ by what the order of adding floating-point numbers changes; nothing else may. Cost: a
// scan of the events of each metric for the total, each of its dimensions and the sketches.
//
// Errors: FORBIDDEN, DEADLINE_EXCEEDED.
func (s *Service) Verify(ctx context.Context) (Verification, error) {
	if err := s.authz.Require(ctx, PermManage, ref.Ref{}); err != nil {
		return Verification{}, err
	}
	var v Verification
	if err := s.Settled(ctx); err != nil {
		return v, err
	}
	all, err := s.store.allMetrics(ctx)
	if err != nil {
		return v, err
	}
	for _, m := range all {
		parts := []func(f *verifier, rows, events context.Context) error{}
		for _, dim := range append([]string{""}, m.Dimensions...) {
			parts = append(parts, func(f *verifier, rows, events context.Context) error { return f.dimension(rows, events, dim) })
		}
		if m.Unique != "" || m.Quantiles {
			parts = append(parts, (*verifier).sketches)
		}
		whole := true
		for _, part := range parts {
			if whole, err = s.verify(ctx, &m, &v, part); err != nil || !whole {
				break
			}
		}
		if err != nil {
			return v, err
		}
		if whole {
			v.Metrics++
		}
	}
	return v, nil
}

// verify compares one part of a metric. The server keeps what was for some minutes only, so each part has a moment of its
// own. It reports false for a metric that is not whole: defined since, which reports say too.
func (s *Service) verify(
	ctx context.Context, m *Metric, v *Verification, part func(f *verifier, rows, events context.Context) error,
) (whole bool, err error) {
	for {
		if err := s.Settled(ctx); err != nil {
			return false, err
		}
		again := false
		err = s.db.AsOf(ctx, timestamp{}, func(rows context.Context) error {
			cp, err := s.store.checkpoint(rows)
			if err != nil {
				return err
			}
			var done folded
			if done, whole = cp.of(*m); !whole {
				return nil
			}
			at := cp.Position
			if done.AsOf.After(at) {
				if again = len(done.Parts) > 0; again { // counted as of several moments
					return nil
				}
				at = done.AsOf
			}
			return s.db.AsOf(ctx, at, func(events context.Context) error {
				return part(&verifier{s: s, m: m, done: done, since: cp.eventsSince(m.Event), v: v}, rows, events)
			})
		})
		if !again || err != nil {
			return whole, err
		}
	}
}

// verifier compares one metric.
type verifier struct {
	s     *Service
	m     *Metric
	done  folded
	since time.Time // events of before are not there
	v     *Verification
}

// dimension compares the counters of one dimension.
func (f *verifier) dimension(rows, events context.Context, dim string) error {
	own, err := f.s.store.keySet(rows, f.m.Key, dim)
	if err != nil {
		return err
	}
	if len(own.Keys) < f.m.MaxKeys {
		own.Keys = nil
	}
	for _, res := range resolutions {
		if err := f.counters(rows, events, side{of: f.m, res: res, dim: dim, since: f.from(res), own: own.Keys}); err != nil {
			return err
		}
	}
	return nil
}

// from is the begin of the rollups of a resolution that can be recounted.
func (f *verifier) from(res resolution) time.Time {
	t := f.since
	if res != byDay {
		if kept := time.UnixMilli(f.done.since(res)).UTC(); kept.After(t) {
			t = kept
		}
	}
	return t
}

// counters compares what is exact. Both sides come in the same order, so neither is ever whole in memory.
func (f *verifier) counters(rows, events context.Context, s side) error {
	stored, err := f.s.store.stored(rows, s)
	if err != nil {
		return err
	}
	defer stored.close(rows)
	counted, err := f.s.store.counted(events, s)
	if err != nil {
		return err
	}
	defer counted.close(events)
	return compare(rows, events, stored, counted, func(k rollupKey, a, b cell) {
		f.v.Rollups++
		if !same(a, b) {
			f.differ(k, a, b, false)
		}
	})
}

func (f *verifier) differ(k rollupKey, a, b cell, sketch bool) {
	if f.v.Differing++; len(f.v.Differences) < maxDifferences {
		f.v.Differences = append(f.v.Differences, Difference{
			Metric: k.metric, Dim: k.dim, Key: k.key, Rollup: k.res.source(), At: time.UnixMilli(k.at).UTC(),
			Stored: a.n, Counted: b.n, StoredSum: a.sum, CountedSum: b.sum, Sketch: sketch,
		})
	}
}

// sketches makes those of some days anew and compares what they say. (The same events make the same sketch, in whatever
// order they come: nothing is forgiven.)
func (f *verifier) sketches(rows, events context.Context) error {
	keys, err := f.s.store.keySets(rows)
	if err != nil {
		return err
	}
	day, made := int64(0), rollups{}
	check := func() error {
		err := f.s.store.eachStored(rows, made, func(k rollupKey, stored cell) {
			if !sameSketches(stored, *made[k]) {
				f.differ(k, stored, *made[k], true)
			}
		})
		clear(made)
		return err
	}
	err = f.s.store.eachEvent(events, f.m.Event, f.since, time.Time{}, nil, func(e Event) error {
		if at := byDay.start(e.At); at != day {
			day = at
			if len(made) >= recountLot {
				if err := check(); err != nil {
					return err
				}
			}
		}
		made.observe(f.m, &e, f.done, keys)
		return nil
	})
	if err != nil {
		return err
	}
	return check()
}

// sameSketches reports whether two cells say the same of what is unique, and of the distribution.
func sameSketches(a, b cell) bool {
	if (a.uniques == nil) != (b.uniques == nil) || (a.spread == nil) != (b.spread == nil) {
		return false
	}
	if a.uniques != nil && a.uniques.Estimate() != b.uniques.Estimate() {
		return false
	}
	if a.spread == nil {
		return true
	}
	quantiles := []float64{0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1}
	one, errA := a.spread.GetValuesAtQuantiles(quantiles)
	two, errB := b.spread.GetValuesAtQuantiles(quantiles)
	return errA == nil && errB == nil && slices.Equal(one, two) && a.spread.GetCount() == b.spread.GetCount()
}

// same reports whether two cells count the same events.
func same(a, b cell) bool {
	if a.n != b.n || a.c != b.c {
		return false
	}
	if a.c == 0 {
		return true
	}
	if a.lastAt != b.lastAt || a.last != b.last {
		return false
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
